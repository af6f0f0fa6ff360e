#!/usr/bin/env python3
"""Restarts a daemon again and again under signed webhooks, and prints what they came to as JSON.

    benches/performance/restarts.py [--restarts N] [--rate N] [--binary FILE]

The listening socket is this script's and is handed over to each daemon (LISTEN_FDS), as systemd
does with deploy/switchback.socket. A webhook counts as failed where it is refused, reset, not
answered, or answered by anything but a document that says where the call goes.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "benches" / "common"))

import installation

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
NUMBER = "+18005550000"
# Between a daemon's first answer and its stop.
UP = 0.2
# Restarts of one installation. The calls of the load never end, and each start takes up those that
# live: 80,000 by then, an edge's hour.
OF_ONE = 100


class Daemon:
    """One process after the other over one folder and one listening socket."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.binary, self.folder = binary, folder
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.edge = self.listener.getsockname()[1]
        self.control, self.admin = installation.free_port(), installation.free_port()
        settings = installation.settings(self.edge, self.control, self.admin)
        (folder / "switchback.toml").write_text(settings)
        self.child: subprocess.Popen | None = None

    def start(self) -> None:
        # The socket comes as standard input, and goes to where LISTEN_FDS says.
        script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0 0</dev/null'
        self.child = subprocess.Popen(
            ["sh", "-c", script, self.binary, "serve", "--config", self.folder / "switchback.toml",
             "--data-dir", self.folder / "data"],
            stdin=self.listener.fileno(), stdout=subprocess.DEVNULL,
            env=os.environ | installation.KEYS,
        )
        installation.wait_until_ready(self.admin, self.child)

    def stop(self) -> None:
        self.child.send_signal(signal.SIGTERM)
        if self.child.wait(30) != 0:
            raise RuntimeError(f"the daemon ended with {self.child.returncode}")

    def set_up(self) -> None:
        number = {"e164": NUMBER, "account": "main"}
        number = installation.ask(self.control, "POST", "/switchback/v1/numbers", number)
        desk = {"name": "desk", "type": "inbound", "number_ids": [number["id"]],
                "targets": ["wss://bot.example.com/{agent_id}"]}
        installation.ask(self.control, "POST", "/v1/agents", desk)


def loaded(daemon: Daemon, rate: int) -> subprocess.Popen:
    """Webhooks at that rate until it is interrupted."""
    return subprocess.Popen(
        [daemon.binary, "load", "calls", "--url", f"http://127.0.0.1:{daemon.edge}",
         "--public-url", installation.PUBLIC_URL, "--kind", "twilio", "--account", "main",
         "--account-id", installation.ACCOUNT_SID, "--secret",
         installation.TOKEN, "--to", NUMBER, "--expect", "<Stream",
         "--rate", str(rate), "--duration", "24h", "--ramp", "0s", "--json"],
        stdout=subprocess.PIPE, text=True,
    )


def restarted(binary: Path, restarts: int, rate: int) -> tuple[list[float], dict]:
    """How long a new installation was away at each restart, and what the load tells."""
    away = []
    with tempfile.TemporaryDirectory(prefix="switchback-restarts-") as folder:
        daemon = Daemon(binary, Path(folder))
        daemon.start()
        load = None
        try:
            daemon.set_up()
            load = loaded(daemon, rate)
            for _ in range(restarts):
                time.sleep(UP)
                began = time.monotonic()
                daemon.stop()
                daemon.start()
                away.append(time.monotonic() - began)
            time.sleep(UP)
            load.send_signal(signal.SIGINT)
            return away, json.loads(load.communicate(timeout=60)[0])
        finally:
            if load is not None and load.poll() is None:
                load.kill()
            if daemon.child.poll() is None:
                daemon.child.kill()
            daemon.listener.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--restarts", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=2000, help="webhooks a second")
    parser.add_argument("--binary", type=Path, help="the daemon; without it, built here")
    asked = parser.parse_args()
    if asked.binary is None:
        build = ["cargo", "build", "--release", "--locked", "--bin", "switchback"]
        subprocess.run(build, cwd=ROOT, check=True)
        asked.binary = TARGET / "release" / "switchback"
    binary = asked.binary.resolve()
    away, counts = [], dict.fromkeys(("sent", "answered", "failed"), 0)
    errors, p99s = {}, []
    while len(away) < asked.restarts:
        more, told = restarted(binary, min(OF_ONE, asked.restarts - len(away)), asked.rate)
        away += more
        counts = {name: counts[name] + told[name] for name in counts}
        for error, times in told["errors"].items():
            errors[error] = errors.get(error, 0) + times
        p99s.append(told["latency_us"]["p99"])
        print(f"restart {len(away)} of {asked.restarts}: {counts['failed']} of {counts['sent']} "
              "failed", file=sys.stderr, flush=True)
    away.sort()
    print(json.dumps({
        "bench": "restarts", "restarts": asked.restarts, "rate": asked.rate, **counts,
        "errors": errors, "away_ms_p50": round(away[len(away) // 2] * 1000),
        "away_ms_max": round(away[-1] * 1000), "latency_p99_ms_max": round(max(p99s) / 1000),
    }))


if __name__ == "__main__":
    main()
