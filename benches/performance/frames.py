#!/usr/bin/env python3
"""Translates frames of audio in memory, and prints the medians as JSON.

    benches/performance/frames.py
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
GROUP = "other_format"


def main() -> None:
    bench = ["cargo", "bench", "--locked", "--bench", "codec", "--", GROUP]
    subprocess.run(bench, cwd=ROOT, check=True, stdout=sys.stderr)
    medians = {}
    for file in sorted((TARGET / "criterion" / GROUP).glob("*/new/estimates.json")):
        medians[file.parts[-3]] = json.loads(file.read_text())["median"]["point_estimate"]
    print(json.dumps({"bench": "frames", "ns": medians}))


if __name__ == "__main__":
    main()
