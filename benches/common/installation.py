"""A daemon of a bench's own: its settings, how it is awaited and asked."""

import http.client
import json
import socket
import subprocess
import time

TOKEN = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70"
ACCOUNT_SID = "AC66acdc865fff60921f34dac80d62be2f"
PUBLIC_URL = "https://edge.example.com"
KEY = "sk_bench_0123456789abcdef0123456789abcdef"
# The daemon's environment.
KEYS = {"SWITCHBACK_BOOTSTRAP_KEY": KEY,
        "SWITCHBACK_OPERATOR_KEY": "op_bench_0123456789abcdef0123456789abcdef"}
# A filled one reads its touches first.
READY_WITHIN = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings(edge: int, control: int, admin: int) -> str:
    """switchback.toml of an installation on these ports, with one carrier account, "main"."""
    return f"""
        [edge]
        listen = "127.0.0.1:{edge}"
        public_url = "{PUBLIC_URL}"
        [control]
        listen = "127.0.0.1:{control}"
        [admin]
        listen = "127.0.0.1:{admin}"
        [runtime]
        prewarm = false
        [telemetry]
        log_filter = "warn"
        [[carrier_accounts]]
        name = "main"
        kind = "twilio"
        account_id = "{ACCOUNT_SID}"
        secrets = ["{TOKEN}"]
        """


def wait_until_ready(admin: int, child: subprocess.Popen) -> None:
    """Its ports are bound before its index is filled; who asks meanwhile waits."""
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        try:
            link = http.client.HTTPConnection("127.0.0.1", admin, timeout=READY_WITHIN)
            link.request("GET", "/readyz")
            if link.getresponse().status == 200:
                return
        except OSError:
            pass
        if child.poll() is not None:
            raise RuntimeError(f"the daemon ended with {child.returncode}")
        time.sleep(0.005)
    raise RuntimeError("the daemon is not ready")


def ask(control: int, method: str, path: str, body: dict | bytes,
        kind: str = "application/json") -> dict:
    """What the control API answers."""
    link = http.client.HTTPConnection("127.0.0.1", control, timeout=READY_WITHIN)
    headers = {"authorization": f"Bearer {KEY}", "content-type": kind}
    link.request(method, path, body if isinstance(body, bytes) else json.dumps(body), headers)
    answer = link.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{path}: {answer.status} {text[:300]!r}")
    return json.loads(text)
