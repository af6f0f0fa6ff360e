#!/usr/bin/env python3
"""Counts what the hot paths cost and holds it against the record.

    benches/counts/check.py            fails where a path costs more, or less, than the record says
    benches/counts/check.py --record   writes the record anew: a change that costs more says so by that
    benches/counts/check.py --json     prints the figures as one JSON object

Instructions are callgrind's, allocations DHAT's, both of one run of each function of
`benches/counts/main.rs`; no other load on the machine changes them. valgrind has to be installed;
gungraun's runner is built into the target folder in the version that Cargo.lock names.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RECORD = HERE / "record.json"

# Shares by which a count may differ from the record: hashes are keyed afresh in every process, so
# the tables' look-ups are never quite the same.
TOLERANCE = {"instructions": 0.02, "allocations": 0.02}
# The table's segments grow when chance fills them, so what a thousand touches cost differs more: 4 %
# and 22 allocations between two runs.
GROWING = {"apply/touch": {"instructions": 0.15, "allocations": 1.0}}
# By so many any count may differ.
FEW = 10


def target() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def runner() -> Path:
    """gungraun's runner, which must be of the library's own version."""
    lock = (ROOT / "Cargo.lock").read_text()
    version = re.search(r'name = "gungraun"\nversion = "([^"]+)"', lock).group(1)
    tools = target() / "tools" / f"gungraun-runner-{version}"
    found = tools / "bin" / "gungraun-runner"
    if not found.exists():
        subprocess.run(
            ["cargo", "install", "--quiet", "--locked", "--version", version, "--root", tools,
             "gungraun-runner"],
            cwd=ROOT,
            env=os.environ | {"CARGO_TARGET_DIR": str(target() / "tools" / "build")},
            check=True,
        )
    return found


def counted() -> dict[str, dict[str, int]]:
    """Every path's counts."""
    command = ["cargo", "bench", "--locked", "--profile", "counts", "--bench", "counts"]
    done = subprocess.run(
        [*command, "--", "--output-format=json"],
        cwd=ROOT,
        env=os.environ | {"GUNGRAUN_RUNNER": str(runner())},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    paths = {}
    for line in done.stdout.splitlines():
        if not line.startswith("{"):
            continue
        bench = json.loads(line)
        counts = {}
        for profile in bench["profiles"]:
            for tool, metrics in profile["summaries"]["total"]["summary"].items():
                name, event = {"Callgrind": ("instructions", "Ir"),
                               "Dhat": ("allocations", "TotalBlocks")}[tool]
                counts[name] = new(metrics[event]["metrics"])
        paths[f"{bench['function_name']}/{bench['id']}"] = counts
    return paths


def new(metrics: dict) -> int:
    """This run's figure: gungraun puts that of the run before beside it, where there was one."""
    both = metrics["Both"][0] if "Both" in metrics else metrics["Left"]
    return both["Int"]


def differs(path: str, name: str, now: int, then: int) -> bool:
    share = GROWING.get(path, TOLERANCE)[name]
    return abs(now - then) > max(then * share, FEW)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--record", action="store_true", help="write the record anew")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()

    paths = counted()
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    wrong = sorted(recorded.keys() - paths.keys())
    for path in wrong:
        print(f"{path}: in the record, but not counted", file=sys.stderr)
    if not asked.json:
        print(f"{'':24}{'instructions':>14}{'':9}{'allocations':>14}")
    for path, counts in paths.items():
        told = f"{path:24}"
        for name, now in counts.items():
            then = recorded.get(path, {}).get(name)
            change = "new" if then is None else f"{(now - then) / then:+.1%}" if then else ""
            told += f"{now:14,} {change:8}"
            if then is None or differs(path, name, now, then):
                wrong.append(path)
        if not asked.json:
            print(told)
    if asked.json:
        print(json.dumps({"bench": "counts", "paths": paths}))
    if asked.record:
        RECORD.write_text(json.dumps(paths, indent=2) + "\n")
        return 0
    if wrong:
        print(f"not as recorded: {', '.join(dict.fromkeys(wrong))}. Where that is meant, run "
              "benches/counts/check.py --record and say why in the commit.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
