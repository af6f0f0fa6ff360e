"""Keeps the run from pulling the rug from under itself."""

import json
import os
import uuid

import schemathesis

KEPT = set(filter(None, os.environ.get("FUZZ_KEPT", "").split(",")))


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """The keys and the tenant of the run itself are neither revoked nor removed."""
    if case.method == "DELETE":
        for name, value in (case.path_parameters or {}).items():
            if str(value) in KEPT:
                case.path_parameters[name] = str(uuid.uuid4())


@schemathesis.hook
def filter_case(_context, case):
    """A parameter that is empty is one that is absent, whatever its schema."""
    return "" not in (case.query or {}).values()


@schemathesis.hook
def map_case(_context, case):
    """A place in the log that is far ahead is waited for until the request has waited long enough."""
    (case.query or {}).pop("min_rev", None)
    return case


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context, value):
    """One value a line; what is no list is one line."""
    lines = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(line) for line in lines).encode()
