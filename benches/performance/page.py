"""The page: every row of the targets with what was measured beside it."""

import json
from pathlib import Path

from rows import SECTIONS

RECORD = Path(__file__).resolve().parent.parent / "counts" / "record.json"

HEAD = """# How fast it is

<!-- Written by benches/performance/run.sh from docs/performance/figures.json; changes here are lost. -->

Every figure is a ratio to something measured in the same run, or a count: absolute times are one
machine's, and show the order of size only. `benches/performance/run.sh` measures all of it anew and
writes this page; each section names the command that measures it alone. A row says **met** or **not
met**; where it is not, what was found to be the reason stands under the table.
"""

COUNTS = """
## What CI holds

Instructions and allocations of the hot paths: `benches/counts/record.json`, counted by
`benches/counts/check.py`. A change that costs more fails until it says so by changing the record. A
webhook, a frame or an answer is counted over a hundred of them, decisions and touches over a
thousand.

| path | instructions | allocations |
|---|---|---|"""


def written(kept: dict, drawn: dict[str, str]) -> str:
    text = [HEAD]
    for section in SECTIONS:
        text.append(f"\n## {section.title}\n\n{section.about}\n")
        text.append("| what | target | measured | |\n|---|---|---|---|")
        reasons = []
        for row in section.rows:
            measured, met, reason = row.told(kept)
            verdict = {True: "met", False: "**not met**", None: ""}[met]
            text.append(f"| {row.what} | {row.target} | {measured} | {verdict} |")
            if reason and met is not True:
                reasons.append(f"- *{row.what}*: {reason}")
        if reasons:
            text.append("\n" + "\n".join(reasons))
        for name in section.plots:
            if name in drawn:
                text.append(f"\n![{drawn[name]}](performance/{name}.svg)")
        text.append("\n" + commands(kept, section.measured_by))
    text.append(COUNTS)
    for path, counts in sorted(json.loads(RECORD.read_text()).items()):
        text.append(f"| {path} | {counts['instructions']:,} | {counts['allocations']:,} |")
    return "\n".join(text).rstrip() + "\n"


def commands(kept: dict, names: list[str]) -> str:
    told = []
    for name in names:
        if entry := kept.get(name):
            otherwise = "".join(f", {name}={value}" for name, value in entry["built"].items())
            told.append(f"`{entry['command']}` ({entry['at']}, {entry['revision']}, "
                        f"{entry['seconds']} s, {entry['machine']}{otherwise})")
    return "Measured by " + "; ".join(told) + "." if told else "Not measured yet."
