#!/usr/bin/env python3
"""Fuzzes the parsers of what others write, and prints what it came to as JSON.

    tests/fuzz/parsers.py [--runs N] [--seconds N] [--workers N]

By libFuzzer, through cargo-fuzz, which is installed into the build's folder where it is missing;
its coverage needs no nightly compiler. What was found before (the corpus) is kept beside the build
and gone on from; the recorded webhooks and sessions of `tests/fixtures` are its beginning. The
first panic, hang of five seconds or growth past 2 GiB ends it, with the input in a file. Not among
them: a link's lines, settings, and the APIs' bodies, which api.sh looks at.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "tests" / "fuzz" / "parsers"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "parsers"
CORPUS = TARGET / "corpus"
FOUND = TARGET / "found"

# By the byte that names each, whose fixtures it understands; the second Twilio is SignalWire.
CARRIERS = {0x00: "bandwidth", 0x10: "plivo", 0x20: "twilio", 0x30: "twilio", 0x40: "vonage",
            0x0f: "telnyx", 0x1f: "telnyx"}
# Files of vectors are thousands of texts that are read alike.
VECTORS = ["signatures.json", "basic_auth.json", "signed_webhooks.json", "g711_vectors.json"]
OF_A_FILE_MAX = 60
LEN_MAX = 2048
HANG_SECONDS = 5
MEMORY_MIB = 2048


def cargo_fuzz() -> list[str]:
    """The command; installed where the machine has none."""
    if shutil.which("cargo-fuzz"):
        return ["cargo", "fuzz"]
    tools = TARGET / "tools"
    if not (tools / "bin" / "cargo-fuzz").exists():
        install = ["cargo", "install", "--quiet", "--locked", "--root", str(tools), "cargo-fuzz"]
        subprocess.run(install, check=True)
    return [str(tools / "bin" / "cargo-fuzz"), "fuzz"]


def seeds():
    """Inputs by what each parser is known by; parsers.rs says which byte means what."""
    for file in sorted((ROOT / "tests" / "fixtures").rglob("*")):
        carrier = file.relative_to(ROOT / "tests" / "fixtures").parts[0]
        if not file.is_file() or file.suffix == ".pem" or file.name in VECTORS:
            continue
        content = file.read_bytes()[:LEN_MAX]
        bodies = [content]
        if file.suffix == ".json":
            bodies = list(told(json.loads(file.read_bytes())))[:OF_A_FILE_MAX]
        lines = content.splitlines()[:OF_A_FILE_MAX] if file.suffix == ".jsonl" else []
        for place, name in CARRIERS.items():
            if name != carrier:
                continue
            for body in bodies:
                for endpoint in range(3):
                    yield bytes([0, place, endpoint]) + body
                yield bytes([4, place, 0]) + body
                yield bytes([5, place]) + body
            for line in lines:
                yield bytes([5, place]) + line
        if lines:
            yield from (bytes([6]) + line for line in lines)
            yield bytes([8]) + content
        yield from (bytes([11]) + body for body in bodies)
    document = (b"agents:\n- name: Desk\n  direction: inbound\n  numbers: ['+12125550142']\n"
                b"  targets: ['wss://bot.example.com/{agent_id}']\n  sources: [Renewals]\n"
                b"numbers:\n- e164: '+12125550142'\n")
    yield bytes([12]) + document
    yield bytes([13]) + b'[{"contact":{"tenant":"00000000-0000-0000-0000-000000000001",' \
        b'"contact":"+14155550137","touches":[]}}]'
    yield bytes([15]) + b"POST /carriers/main/voice?a=b HTTP/1.1\r\nhost: a\r\n\r\nCallSid=CA1"
    for masked in (0, 1):
        yield bytes([9, masked]) + bytes([0x81, 0x05]) + b"hello" + bytes([0x89, 0x00, 0x88, 0x02, 3, 232])
    yield bytes([9, 3]) + bytes([0x81, 0x85, 1, 2, 3, 4]) + bytes(
        byte ^ key for byte, key in zip(b"hello", [1, 2, 3, 4, 1]))


def told(value):
    """Every text of some length in a file of vectors, and every object: bodies are among them."""
    if isinstance(value, dict):
        yield json.dumps(value, separators=(",", ":")).encode()[:LEN_MAX]
        for inner in value.values():
            yield from told(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from told(inner)
    elif isinstance(value, str) and len(value) > 20:
        yield value.encode()[:LEN_MAX]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1_000_000_000, help="inputs tried in all")
    parser.add_argument("--seconds", type=int, default=0, help="end after so many, however few")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    for folder in (CORPUS, FOUND):
        folder.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(sorted(set(seeds()))):
        (CORPUS / f"seed-{place}").write_bytes(seed)
    fuzz = cargo_fuzz()
    where = ["--fuzz-dir", str(PACKAGE), "--target-dir", str(TARGET), "--sanitizer", "none"]
    subprocess.run([*fuzz, "build", *where, "parsers"], cwd=ROOT, check=True)
    began = time.monotonic()
    each = -(-asked.runs // asked.workers)
    limits = [f"-runs={each}", f"-max_total_time={asked.seconds}", f"-max_len={LEN_MAX}",
              f"-timeout={HANG_SECONDS}", f"-rss_limit_mb={MEMORY_MIB}", "-print_final_stats=1",
              f"-artifact_prefix={FOUND}/"]
    host = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = re.search(r"^host: (.*)$", host, re.MULTILINE)[1]
    binary = TARGET / host / "release" / "parsers"
    workers = []
    for number in range(asked.workers):
        # A file each: a pipe that nobody reads would hold it up.
        log = open(TARGET / f"worker-{number}.log", "w+", encoding="utf-8", errors="replace")
        workers.append((subprocess.Popen([binary, *limits, CORPUS], stderr=log, stdout=log), log))
    while None in (codes := [worker.poll() for worker, _ in workers]) and not any(codes):
        time.sleep(0.2)
    said = []
    for _, log in workers:
        log.seek(0)
        said.append(log.read())
    if any(codes):
        for worker, _ in workers:
            worker.kill()
        print(next(text for code, text in zip(codes, said) if code)[-4000:], file=sys.stderr)
        print(f"something was found: see {FOUND}", file=sys.stderr)
        return 1
    runs = sum(int(re.search(r"stat::number_of_executed_units:\s+(\d+)", text)[1]) for text in said)
    covered = max(int(edges) for text in said for edges in re.findall(r"cov: (\d+)", text))
    print(json.dumps({
        "bench": "parsers", "runs": runs, "wanted": asked.runs, "workers": asked.workers,
        "seconds": round(time.monotonic() - began), "edges": covered,
        "corpus": sum(1 for _ in CORPUS.iterdir()),
    }))
    return 0


if __name__ == "__main__":
    sys.exit(main())
