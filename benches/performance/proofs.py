#!/usr/bin/env python3
"""Runs the tests that prove a count, as often as is asked, and prints what they came to as JSON.

    benches/performance/proofs.py [--kills N] [--forged N] [--histories N]

Each test fails where a single one goes wrong, so what is printed is how many there were.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def run(variables: dict[str, int | str], *test: str) -> str:
    """What a test prints, all of it passed."""
    told = os.environ | {name: str(value) for name, value in variables.items()}
    command = ["cargo", "test", "--locked", *test, "--", "--nocapture"]
    print(" ".join(command), file=sys.stderr, flush=True)
    return subprocess.run(
        command, cwd=ROOT, env=told, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--forged", type=int, default=20_000)
    parser.add_argument("--histories", type=int, default=10_000)
    asked = parser.parse_args()
    run({"SWITCHBACK_KILLS": asked.kills}, "--test", "store", "no_acknowledged_write_is_lost")
    run({"SWITCHBACK_FORGED": asked.forged}, "--lib", "forged")
    run({"SWITCHBACK_HISTORIES": asked.histories}, "--test", "sim")
    silences = run({"SWITCHBACK_FAULTS": "all"}, "--test", "faults", "matrix")
    cells = [float(figure) for figure in re.findall(r"\b(\d+\.\d\d) s\b", silences)]
    print(json.dumps({
        "bench": "proofs", "kills": asked.kills, "forged": asked.forged,
        "histories": asked.histories, "silence_s_max": max(cells), "cells": len(cells),
    }))


if __name__ == "__main__":
    main()
