#!/usr/bin/env python3
"""Runs the tests that prove a count, as often as is asked, and prints what they came to as JSON.

    benches/performance/proofs.py [--kills N] [--forged N] [--histories N]

Each test fails where a single one goes wrong, so what is printed is how many there were. As many
as docs/performance.md asks for take about half an hour.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


# Kills wait for their moment most of the time, so so many stores are written and killed at once.
AT_ONCE = 4


def started(variables: dict[str, int | str], *test: str) -> subprocess.Popen:
    """A test, optimised: they are many."""
    told = os.environ | {name: str(value) for name, value in variables.items()}
    command = ["cargo", "test", "--release", "--locked", *test, "--", "--nocapture"]
    print(" ".join(command), file=sys.stderr, flush=True)
    return subprocess.Popen(command, cwd=ROOT, env=told, stdout=subprocess.PIPE, text=True)


def passed(test: subprocess.Popen) -> str:
    """What it printed; it has to pass."""
    printed = test.communicate()[0]
    if test.returncode != 0:
        raise SystemExit(f"{' '.join(test.args)} failed:\n{printed[-2000:]}")
    return printed


def run(variables: dict[str, int | str], *test: str) -> str:
    return passed(started(variables, *test))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--forged", type=int, default=10_000_000)
    parser.add_argument("--histories", type=int, default=1_000_000)
    asked = parser.parse_args()
    silences = run({"SWITCHBACK_FAULTS": "all"}, "--test", "faults", "matrix")
    cells = [float(figure) for figure in re.findall(r"\b(\d+\.\d\d) s\b", silences)]
    each = -(-asked.kills // AT_ONCE)
    killed = [started({"SWITCHBACK_KILLS": each}, "--test", "store", "no_acknowledged_write_is_lost")
              for _ in range(AT_ONCE)]
    run({"SWITCHBACK_FORGED": asked.forged}, "--lib", "forged")
    run({"SWITCHBACK_HISTORIES": asked.histories}, "--test", "sim")
    for test in killed:
        passed(test)
    print(json.dumps({
        "bench": "proofs", "kills": each * AT_ONCE, "forged": asked.forged,
        "histories": asked.histories, "silence_s_max": max(cells), "cells": len(cells),
    }))


if __name__ == "__main__":
    main()
