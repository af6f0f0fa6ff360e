"""A daemon of a bench's own: its settings, how it is awaited and asked."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

TOKEN = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70"
ACCOUNT_SID = "AC66acdc865fff60921f34dac80d62be2f"
PUBLIC_URL = "https://edge.example.com"
KEY = "sk_bench_0123456789abcdef0123456789abcdef"
# The daemon's environment.
KEYS = {"SWITCHBACK_BOOTSTRAP_KEY": KEY,
        "SWITCHBACK_OPERATOR_KEY": "op_bench_0123456789abcdef0123456789abcdef"}
# A filled one reads its touches first.
READY_WITHIN = 120


# The daemon, optimised; with the dependencies as benches have them, or all would be built twice.
BUILDING = ["cargo", "build", "--release", "--locked", "--bin", "switchback", "--bench", "servers"]


def built() -> Path:
    """The daemon, once it is built."""
    subprocess.run(BUILDING, cwd=ROOT, check=True)
    return TARGET / "release" / "switchback"


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


class Daemon:
    """One process after the other over one folder and one listening socket.

    The socket is this process's and is handed over to each (LISTEN_FDS), as systemd does with
    deploy/switchback.socket.
    """

    def __init__(self, binary: Path, folder: Path, more: str = "") -> None:
        self.binary, self.folder = binary, folder
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.edge = self.listener.getsockname()[1]
        self.control, self.admin = free_port(), free_port()
        told = settings(self.edge, self.control, self.admin) + more
        (folder / "switchback.toml").write_text(told)
        self.child: subprocess.Popen | None = None

    def start(self) -> None:
        # The socket comes as standard input, and goes to where LISTEN_FDS says.
        script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0 0</dev/null'
        self.child = subprocess.Popen(
            ["sh", "-c", script, self.binary, "serve", "--config", self.folder / "switchback.toml",
             "--data-dir", self.folder / "data"],
            stdin=self.listener.fileno(), stdout=subprocess.DEVNULL, env=os.environ | KEYS,
        )
        wait_until_ready(self.admin, self.child)

    def stop(self) -> None:
        self.child.send_signal(signal.SIGTERM)
        if self.child.wait(30) != 0:
            raise RuntimeError(f"the daemon ended with {self.child.returncode}")

    def restarted(self, load: subprocess.Popen, restarts: int,
                  up: float) -> tuple[list[float], dict]:
        """Restarts it under that load, up for so many seconds between; how long each restart took,
        and what the load tells, which ends with it."""
        away = []
        try:
            for _ in range(restarts):
                time.sleep(up)
                began = time.monotonic()
                self.stop()
                self.start()
                away.append(time.monotonic() - began)
            time.sleep(up)
            load.send_signal(signal.SIGINT)
            return away, json.loads(load.communicate(timeout=60)[0])
        finally:
            if load.poll() is None:
                load.kill()

    def close(self) -> None:
        """Whatever it is doing."""
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.listener.close()

    def ask(self, method: str, path: str, body: dict) -> dict:
        return ask(self.control, method, path, body)

    def loaded(self, number: str, expected: str, rate: int) -> subprocess.Popen:
        """Signed webhooks to the number at that rate, until it is interrupted; each answer holds
        what is expected, or counts as failed."""
        return subprocess.Popen(
            [self.binary, "load", "calls", "--url", f"http://127.0.0.1:{self.edge}",
             "--public-url", PUBLIC_URL, "--kind", "twilio", "--account", "main",
             "--account-id", ACCOUNT_SID, "--secret", TOKEN, "--to", number,
             "--expect", expected, "--rate", str(rate), "--duration", "24h", "--ramp", "0s",
             "--json"],
            stdout=subprocess.PIPE, text=True,
        )
