"""The daemon beside what people use today, in one run on one machine.

    benches/compare/run.sh [--short] [--json] [--only NAME,...] [--rounds N]

Every server does a return call's work over a million contacts: signature, look-up, an answer in
TwiML. The same signed requests go to each in turns, over 64 connections that are kept open. What
answers has one processor; the generator (`switchback load`) and what keeps things behind the
answers, which is Redis for the peers and the store's writer for the daemon, have the other. Each
peer is first asked whether it answers right, and refuses a wrong signature where it checks one.

For media, calls are talked over through each relay to the same echo: the daemon, `ws` on Node, and
tokio-tungstenite as it comes; what counts is the processor time of a frame there and back.

Peers are installed under target/compare by their own package managers; what cannot be had is said
and left out. Nothing of the system's services is touched. Standard library only.
"""

import argparse
import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "common"))

from media import media
from server import BUILD, say
from stage import CONNECTIONS, PEERS, RATE, Stage
from told import row, rows_of, show, verdicts


def calls(stage, servers, rounds, seconds):
    """Rounds of every server in turns, so that what changes on the machine changes for all."""
    fast = {server.name: [] for server in servers}
    most = {server.name: 4000 for server in servers}
    # Two only warm up, and tell how many requests fill the time.
    for turn in range(-2, rounds):
        for server in servers:
            seed = 100 + turn * 50 + servers.index(server)
            took = stage.throughput(server, most[server.name], seconds, seed)
            if turn >= 0:
                fast[server.name].append(took)
            else:
                most[server.name] = int(took["requests_per_second"] * seconds) + 1000
        say(f"round {turn + 1} of {rounds}" if turn >= 0 else "warming up")
    return fast


def latencies(stage, servers, rounds, seconds):
    calm = {server.name: [] for server in servers}
    for turn in range(rounds):
        for server in servers:
            seed = 1000 + turn * 50 + servers.index(server)
            calm[server.name].append(stage.at_rate(server, seconds, seed))
        say(f"{RATE}/s: round {turn + 1} of {rounds}")
    return calm


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--short", action="store_true", help="a tenth of the contacts, two rounds")
    parser.add_argument("--rounds", type=int, help="rounds of every server")
    parser.add_argument("--only", default="", help="these servers, by name: bare,nginx,...")
    parser.add_argument("--contacts", type=int, help="how many are remembered")
    parser.add_argument("--prepare", action="store_true", help="install, build and fill only")
    asked = parser.parse_args()
    rounds = asked.rounds or (2 if asked.short else 5)
    contacts = asked.contacts or (100_000 if asked.short else 1_000_000)
    if contacts > 1_000_000:
        parser.error("--contacts: at most 1000000")
    seconds = 1 if asked.short else 2
    calls_at_once = 50 if asked.short else 200
    names = [name for name in asked.only.split(",") if name]
    unknown = set(names) - {kind.name for kind in PEERS} - {"media"}
    if unknown:
        parser.error(f"--only: {', '.join(unknown)}: known are "
                     + ", ".join(kind.name for kind in PEERS) + ", media")
    BUILD.mkdir(parents=True, exist_ok=True)
    stage = Stage(contacts)
    try:
        servers, left_out = stage.raise_all(names)
        if asked.prepare:
            return
        fast = calls(stage, servers, rounds, seconds) if servers else {}
        quick = [s for s in servers if s.name in ("bare", "nginx", "switchback")]
        # A slowest hundredth differs more from round to round than a rate does.
        calm = latencies(stage, quick, 3 * rounds, seconds) if quick else {}
        rows = rows_of(servers, fast, calm)
        for server in servers:
            if server.name == "switchback":
                rows.append(row("switchback: call rows dropped", [server.rows_dropped()], "rows"))
        if not names or "media" in names:
            rows += media(stage, left_out, calls_at_once, min(rounds, 3), 2 * seconds)
    finally:
        stage.strike()
    report = {"bench": "compare", "contacts": contacts, "rounds": rounds,
              "connections": CONNECTIONS, "rows": rows, "targets": verdicts(rows),
              "left_out": left_out}
    if asked.json:
        print(json.dumps(report))
    else:
        show(report)


if __name__ == "__main__":
    main()
