#!/usr/bin/env python3
"""Restarts a daemon again and again under signed webhooks, and prints what they came to as JSON.

    benches/performance/restarts.py [--restarts N] [--rate N] [--binary FILE]

The listening socket is this script's and is handed over to each daemon (LISTEN_FDS), as systemd
does with deploy/switchback.socket. A webhook counts as failed where it is refused, reset, not
answered, or answered by anything but a document that says where the call goes.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "benches" / "common"))

import installation

NUMBER = "+18005550000"
# Between a daemon's first answer and its stop.
UP = 0.2
# Restarts of one installation. The calls of the load never end, and each start takes up those that
# live: 80,000 by then, an edge's hour.
OF_ONE = 100


def set_up(daemon: installation.Daemon) -> None:
    number = {"e164": NUMBER, "account": "main"}
    number = daemon.ask("POST", "/switchback/v1/numbers", number)
    desk = {"name": "desk", "type": "inbound", "number_ids": [number["id"]],
            "targets": ["wss://bot.example.com/{agent_id}"]}
    daemon.ask("POST", "/v1/agents", desk)


def restarted(binary: Path, restarts: int, rate: int) -> tuple[list[float], dict]:
    """How long a new installation was away at each restart, and what the load tells."""
    with tempfile.TemporaryDirectory(prefix="switchback-restarts-") as folder:
        daemon = installation.Daemon(binary, Path(folder))
        try:
            daemon.start()
            set_up(daemon)
            return daemon.restarted(daemon.loaded(NUMBER, "<Stream", rate), restarts, UP)
        finally:
            daemon.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--restarts", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=2000, help="webhooks a second")
    parser.add_argument("--binary", type=Path, help="the daemon; without it, built here")
    asked = parser.parse_args()
    binary = (asked.binary or installation.built()).resolve()
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
