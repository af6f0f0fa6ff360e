"""Runs the measurements, keeps what they print, writes the page. See run.sh."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import page
import plots

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs" / "performance"
FIGURES = DOCS / "figures.json"


def bench(name: str, *arguments: str) -> list[str]:
    return ["cargo", "bench", "--locked", "--bench", name, "--", "--json", *arguments]


# Each prints one JSON object as its last line.
MEASUREMENTS = {
    "decide": bench("decide", "10000000"),
    "decide_scale": bench("decide", "--scale", "10000000"),
    "apply": bench("apply"),
    "cold": bench("cold", "10000000"),
    "webhook": bench("webhook", "--contacts", "1000000"),
    "webhook_scale": bench("webhook", "--scale"),
    "webhook_parts": bench("webhook", "--parts", "--contacts", "1000000"),
    "webhook_tls": bench("webhook", "--tls"),
    "webhook_slow": bench("webhook", "--slow", "20000"),
    "relay": bench("relay"),
    "relay_scale": bench("relay", "--scale"),
    "boot": bench("relay", "--boot"),
    "frames": ["benches/performance/frames.py"],
    "control": bench("control", "--commits"),
    "proofs": ["benches/performance/proofs.py"],
    "restarts": ["benches/performance/restarts.py"],
    "mirror": ["benches/performance/mirror.py"],
    "parsers": ["tests/fuzz/parsers.py", "--seconds", "1800"],
    "compare": ["benches/compare/run.sh", "--json"],
}


def measured(command: list[str]) -> dict:
    """What a measurement prints last; what it says meanwhile goes on to the terminal."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise RuntimeError(f"{' '.join(command)}: code {done.returncode}, {len(lines)} figures")
    return json.loads(lines[-1])


def machine() -> str:
    cpus = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":", 1)[1].strip() for line in cpus.splitlines() if "model name" in line]
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}"


def revision() -> str:
    told = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def built() -> dict[str, str]:
    """What cargo was told to build otherwise than Cargo.toml says."""
    return {name: told for name, told in os.environ.items() if name.startswith("CARGO_PROFILE_")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches/performance/run.sh")
    parser.add_argument("--only", default="", help=f"some of {', '.join(MEASUREMENTS)}")
    parser.add_argument("--render", action="store_true", help="write the page, measure nothing")
    asked = parser.parse_args()
    names = [name for name in asked.only.split(",") if name] or list(MEASUREMENTS)
    for name in names:
        if name not in MEASUREMENTS:
            parser.error(f"--only: {name} is none of {', '.join(MEASUREMENTS)}")
    DOCS.mkdir(parents=True, exist_ok=True)
    kept = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    failed = []
    for place, name in enumerate([] if asked.render else names, 1):
        print(f"[{place}/{len(names)}] {name}", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            figures = measured(MEASUREMENTS[name])
        except RuntimeError as error:
            print(f"  failed: {error}", file=sys.stderr)
            failed.append(name)
            continue
        kept[name] = {"at": time.strftime("%Y-%m-%d"), "revision": revision(),
                      "machine": machine(), "built": built(), "seconds": round(time.monotonic() - began),
                      "command": " ".join(MEASUREMENTS[name]), "figures": figures}
        FIGURES.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    drawn = plots.draw(kept, DOCS)
    (ROOT / "docs" / "performance.md").write_text(page.written(kept, drawn))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
