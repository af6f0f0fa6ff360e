"""Starts a daemon and a stand-in for its carrier, seeds some data, and lets schemathesis find requests
that are answered otherwise than the document says. The exit code is schemathesis's."""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.request
import uuid

HERE = pathlib.Path(__file__).parent
TENANT_KEY = "sk_fuzz_0123456789abcdef0123456789abcdef"
OPERATOR_KEY = "op_fuzz_0123456789abcdef0123456789abcdef"
ACCOUNT_SID = "AC" + "0" * 32
# Chains of requests are what reaches things that were made: there are enough of them in the short form too.
CHAINS_MIN = 60

CONFIG = """
[edge]
listen = "127.0.0.1:0"
public_url = "http://edge.test:8080"
[control]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[[carrier_accounts]]
name = "main"
kind = "twilio"
account_id = "{sid}"
secrets = ["fuzz"]
api_url = "{carrier}"
calls_per_second = 1000
"""


class Carrier(http.server.BaseHTTPRequestHandler):
    """Takes every call that it is asked to place, never tells more of it, and lists nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = {"sid": "CA" + uuid.uuid4().hex, "account_sid": ACCOUNT_SID, "status": "queued"}
        self.answer(201, call)

    def do_GET(self):
        lists = {name: [] for name in ("calls", "incoming_phone_numbers", "available_phone_numbers")}
        self.answer(200, lists | {"next_page_uri": None})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def carrier():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Carrier)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextlib.contextmanager
def daemon(binary, folder, carrier_url):
    """Runs the program over an empty folder; gives the control API's URL."""
    config = folder / "switchback.toml"
    config.write_text(CONFIG.format(sid=ACCOUNT_SID, carrier=carrier_url))
    keys = {"SWITCHBACK_BOOTSTRAP_KEY": TENANT_KEY, "SWITCHBACK_OPERATOR_KEY": OPERATOR_KEY}
    log = (folder / "daemon.log").open("w")
    arguments = [binary, "serve", "--config", config, "--data-dir", folder]
    child = subprocess.Popen(
        arguments, env=os.environ | keys, stdout=subprocess.PIPE, stderr=log, text=True
    )
    try:
        lines = iter(child.stdout.readline, "")
        yield next(line.split()[1] for line in lines if line.startswith("control"))
        if child.poll() is not None:
            sys.exit(f"the daemon ended with {child.returncode}: {log.name}")
    finally:
        child.terminate()
        child.wait(30)


class Client:
    """A key, and where to use it."""

    def __init__(self, base, key):
        self.base, self.key = base, key

    def ask(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        with urllib.request.urlopen(request) as response:
            return json.load(response)


def seed(base):
    """Makes a little of everything. Answers the ids that must outlive the run."""
    tenant, operator = Client(base, TENANT_KEY), Client(base, OPERATOR_KEY)
    numbers = [
        tenant.ask("POST", "/switchback/v1/numbers", {"e164": e164, "account": "main"})["id"]
        for e164 in ("+14155550100", "+14155550101", "+14155550102")
    ]
    agent = {"targets": ["builtin:echo"]}
    caller = tenant.ask(
        "POST",
        "/v1/agents",
        agent | {"name": "caller", "type": "outbound", "number_ids": numbers[:1]},
    )
    answerer = tenant.ask(
        "POST",
        "/v1/agents",
        agent | {"name": "answerer", "type": "inbound", "number_ids": numbers[:1]},
    )
    role = {"source_agent_ids": [caller["id"]]}
    tenant.ask("PUT", f"/switchback/v1/agents/{answerer['id']}/callback", role)
    tenant.ask("POST", "/v1/calls", {"agent_id": caller["id"], "to": "+14155550137"})
    keys = operator.ask("GET", "/switchback/v1/keys")["data"]
    tenants = operator.ask("GET", "/switchback/v1/tenants")["data"]
    return [thing["id"] for thing in keys + tenants]


def chains(examples):
    """How many chains of requests the stateful phase follows, as a part of schemathesis's configuration. What
    it sends along them is right: a chain ends with what is refused."""
    count = max(examples, CHAINS_MIN)
    return f'[phases.stateful.generation]\nmode = "positive"\nmax-examples = {count}\n'


def fuzz(base, kept, arguments, folder):
    """Runs schemathesis over the document that the daemon serves."""
    config = folder / "schemathesis.toml"
    config.write_text((HERE / "schemathesis.toml").read_text() + chains(arguments.examples))
    environment = os.environ | {
        "FUZZ_URL": base,
        "FUZZ_TENANT_KEY": TENANT_KEY,
        "FUZZ_OPERATOR_KEY": OPERATOR_KEY,
        "FUZZ_KEPT": ",".join(kept),
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(HERE),
    }
    command = [
        pathlib.Path(sys.executable).with_name("schemathesis"),
        "--config-file",
        config,
        "run",
        f"{base}/openapi.json",
        f"--max-examples={arguments.examples}",
        f"--seed={arguments.seed}",
        f"--workers={arguments.workers}",
        f"--phases={arguments.phases}",
        *arguments.rest,
    ]
    return subprocess.run(command, env=environment, cwd=folder).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/debug/switchback", type=pathlib.Path)
    parser.add_argument("--examples", default=10, type=int, help="of each operation and phase")
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--workers", default=1, type=int)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    parser.add_argument("rest", nargs="*", help="for schemathesis, after --")
    arguments = parser.parse_args()
    binary = arguments.binary.resolve(strict=True)
    with tempfile.TemporaryDirectory() as folder, carrier() as carrier_url:
        folder = pathlib.Path(folder)
        with daemon(binary, folder, carrier_url) as base:
            code = fuzz(base, seed(base), arguments, folder)
    if code:
        again = " ".join(sys.argv[1:])
        print(f"again: tests/fuzz/api.sh {again} (seed {arguments.seed})", file=sys.stderr)
    sys.exit(code)


main()
