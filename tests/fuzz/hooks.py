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
    """A parameter that is empty is one that is absent, whatever its schema. A place in a list is a thing
    that was listed, and only one of two places can be said: links know one, a generator does not."""
    query = case.query or {}
    is_right = case.meta is not None and case.meta.generation.mode.is_positive
    has_place = "starting_after" in query or "ending_before" in query
    return not (any(map(is_empty, query.values())) or is_right and has_place)


def is_empty(value):
    """Whether a parameter, or one of those that repeat it, is sent without a value."""
    return any(map(is_empty, value)) if isinstance(value, list) else value in ("", None)


@schemathesis.hook
def before_load_schema(_context, document):
    """A place in the log that is far ahead is waited for until the request has waited long enough, and
    any request id is as good as another."""
    shared = {f"#/components/parameters/{name}" for name in ("min_rev", "X-Request-Id")}
    for item in document["paths"].values():
        for operation in item.values():
            told = operation.get("parameters", [])
            operation["parameters"] = [one for one in told if one.get("$ref") not in shared]


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context, value):
    """One value a line; what is no list is one line."""
    lines = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(line) for line in lines).encode()
