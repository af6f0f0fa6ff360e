"""What every peer test needs: the daemon, a stand-in for the carriers' APIs, and a report with one line a check.

Only the standard library: it runs under each peer's own set of packages.
"""

import contextlib
import dataclasses
import http.client
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse

OPERATOR_KEY = "op_peers_0123456789abcdef0123456789abcdef"
TENANT_KEY = "sk_peers_0123456789abcdef0123456789abcdef"

# What carriers are told our URL is; where we listen is elsewhere, as behind a proxy.
PUBLIC_URL = "https://edge.test"

# How long anything may take that is waited for, in seconds.
WAIT = 10

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

CONFIG = f"""
[edge]
listen = "127.0.0.1:0"
public_url = "{PUBLIC_URL}"
[control]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
"""


class Report:
    """A line for each check; what differed, where one fails."""

    def __init__(self, peer):
        self.peer, self.count, self.failed = peer, 0, 0

    @contextlib.contextmanager
    def check(self, what):
        self.count += 1
        try:
            yield
        except Exception as error:
            self.failed += 1
            said = str(error) or repr(error)
            if not isinstance(error, AssertionError):
                said = f"{type(error).__name__}: {said}"
                traceback.print_exc()
            print(f"{self.peer:<11} FAILED  {what}: {said}", flush=True)
        else:
            print(f"{self.peer:<11} ok      {what}", flush=True)


def equal(ours, theirs, what=""):
    """That ours is as theirs; says only what differs."""
    if ours == theirs:
        return
    if isinstance(ours, dict) and isinstance(theirs, dict):
        value = lambda fields, name: repr(fields[name]) if name in fields else "nothing"
        names = [name for name in ours | theirs if value(ours, name) != value(theirs, name)]
        parts = [f"{name}: ours {value(ours, name)}, theirs {value(theirs, name)}" for name in names]
        raise AssertionError(f"{what} {'; '.join(parts)}".strip())
    raise AssertionError(f"{what} ours {ours!r}, theirs {theirs!r}".strip())


@dataclasses.dataclass
class Request:
    """A request that the stand-in for a carrier's API was sent."""

    method: str
    path: str
    headers: dict
    body: bytes

    @property
    def place(self):
        """Its path as it is meant: escapes that need not be are none."""
        return urllib.parse.unquote(self.path.split("?")[0])

    @property
    def content_type(self):
        return self.headers.get("content-type", "").split(";")[0].strip()

    @property
    def query(self):
        return gathered(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, True))

    @property
    def fields(self):
        """What it says: of a form and of a query every value of a name, of JSON the object."""
        if not self.body:
            return self.query
        if self.content_type == JSON:
            return json.loads(self.body)
        return gathered(urllib.parse.parse_qsl(self.body.decode(), True, strict_parsing=True))


def gathered(pairs):
    """Pairs by name; values of a repeated name as a list, in their order."""
    found = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def same_request(ours, theirs, but=(), credentials=None):
    """That a request of ours is the client's: method, path, credentials, type and fields. `but` are names that
    the client alone sends, or that differ for a reason that the caller states; `credentials` compares those that are
    new for each request."""
    equal(ours.method, theirs.method, "method")
    equal(ours.place, theirs.place, "path")
    shown = [request.headers.get("authorization") for request in (ours, theirs)]
    credentials(*shown) if credentials else equal(*shown, "credentials")
    if ours.body:
        equal(ours.content_type, theirs.content_type, "content type")
    drop = lambda fields: {name: value for name, value in fields.items() if name not in but}
    # A client's null says nothing.
    said = {name: value for name, value in theirs.fields.items() if value is not None}
    equal(drop(ours.fields), drop(said), "fields")


class StandIn:
    """A stand-in for the carriers' APIs: keeps what it is asked, and answers as the peer says."""

    def __init__(self):
        self.requests, self.answers, self.told = [], lambda _: (200, {}), threading.Condition()
        standin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def take(self):
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, self.rfile.read(length))
                status, value = standin.answers(request)
                with standin.told:
                    standin.requests.append(request)
                    standin.told.notify_all()
                body = b"" if value is None else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", JSON)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = take

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"

    def next(self, act, is_it=lambda _: True):
        """Does it; the first request that comes of it and fits, and what the act gave."""
        with self.told:
            before = len(self.requests)
        given = act()
        deadline = time.monotonic() + WAIT
        with self.told:
            while True:
                fitting = [request for request in self.requests[before:] if is_it(request)]
                if fitting:
                    return fitting[0], given
                if not self.told.wait(deadline - time.monotonic()):
                    seen = [f"{request.method} {request.path}" for request in self.requests[before:]]
                    raise AssertionError(f"no such request came, only {seen}")

    def asked(self, act, is_it=lambda _: True):
        """The same without what the act gave."""
        return self.next(act, is_it)[0]


class Daemon:
    """The program as a child, over a folder of its own."""

    def __init__(self, binary, folder, more=""):
        self.binary, self.folder = binary, pathlib.Path(folder)
        (self.folder / "switchback.toml").write_text(CONFIG + more)
        self.start()

    def start(self):
        keys = {"SWITCHBACK_BOOTSTRAP_KEY": TENANT_KEY, "SWITCHBACK_OPERATOR_KEY": OPERATOR_KEY}
        log = (self.folder / "daemon.log").open("a")
        config = self.folder / "switchback.toml"
        arguments = [self.binary, "serve", "--config", config, "--data-dir", self.folder]
        self.child = subprocess.Popen(
            arguments, env=os.environ | keys, stdout=subprocess.PIPE, stderr=log, text=True
        )
        lines = iter(self.child.stdout.readline, "")

        def address(what):
            for line in lines:
                if line.startswith(what):
                    return line.split()[1].removeprefix("http://")
            sys.exit(f"the daemon ended with {self.child.wait()}: {(self.folder / 'daemon.log').read_text()}")

        self.edge, self.control = address("carriers"), address("control")
        # The rest of what it says must not fill the pipe.
        threading.Thread(target=lambda: list(lines), daemon=True).start()

    def stop(self):
        self.child.kill()
        self.child.wait(30)

    def post(self, url, headers, body, method="POST"):
        """Sends a carrier's request for that public URL to where the daemon listens: status, type and body."""
        path = url.removeprefix(PUBLIC_URL)
        return self.send(self.edge, method, path, headers, body)

    @staticmethod
    def send(address, method, path, headers, body):
        connection = http.client.HTTPConnection(address, timeout=WAIT)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        said = response.read().decode()
        connection.close()
        return response.status, response.headers.get("Content-Type", ""), said


class Tenant:
    """A tenant with one account, and its key."""

    def __init__(self, daemon, name, account):
        self.daemon, self.name, self.key = daemon, name, OPERATOR_KEY
        tenant = self.ask("POST", "/switchback/v1/tenants", {"name": name})["id"]
        body = {"name": name, "tenant_id": tenant, "calls_per_second": 50} | account
        self.ask("POST", "/switchback/v1/carrier-accounts", body)
        asked = {"scope": "tenant", "tenant_id": tenant, "name": "peers"}
        self.key = self.ask("POST", "/switchback/v1/keys", asked)["key"]

    def url(self, path="voice"):
        """A URL of the account's, as its carrier was given it."""
        return f"{PUBLIC_URL}/carriers/{self.name}/{path}"

    def ask(self, method, path, body=None, key=None):
        status, said = self.tell(method, path, body, key)
        assert status < 300, f"{method} {path}: {status} {said}"
        return said

    def tell(self, method, path, body=None, key=None):
        """The same where a refusal is looked for: status and body."""
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": JSON}
        data = None if body is None else json.dumps(body)
        status, _, said = self.daemon.send(self.daemon.control, method, path, headers, data)
        return status, json.loads(said) if said else None

    def number(self, e164):
        return self.ask("POST", "/switchback/v1/numbers", {"e164": e164})["id"]

    def agent(self, name, e164, targets=None, kind="inbound", **more):
        """An agent on a number of its own."""
        body = {"name": name, "type": kind, "number_ids": [self.number(e164)]} | more
        if targets:
            body["targets"] = targets
        return self.ask("POST", "/v1/agents", body)["id"]

    def sign(self, method, url, body=""):
        """The headers that the daemon would sign that request with, as the carrier."""
        path = f"/switchback/v1/carrier-accounts/{self.name}/sign"
        asked = {"method": method, "url": url, "body": body}
        return self.ask("POST", path, asked, OPERATOR_KEY)["headers"]

    def calls(self):
        return self.ask("GET", "/switchback/v1/calls")["data"]

    def call_of(self, carrier_call_id):
        """Our row of a carrier's call, once it is there."""
        return until(
            lambda: next(
                (call for call in self.calls() if call["carrier_call_id"] == carrier_call_id), None
            ),
            f"no row of {carrier_call_id}",
        )


def until(find, what):
    """What is found, once something is; else why not."""
    deadline = time.monotonic() + WAIT
    while True:
        found = find()
        if found:
            return found
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.02)
