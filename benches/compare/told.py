"""What is told of a run: rows with their spread, and what came of the targets."""

import statistics

from stage import CONNECTIONS, RATE

# What is aimed at: the daemon's requests a second against each peer's.
TARGETS = {"express": 28, "fastapi": 75, "kamailio": 7, "bare": 0.75}


def spread(values):
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3),
            "max": round(max(values), 3)}


def row(name, values, unit, ratios=None):
    return {"name": name, "value": round(statistics.median(values), 3), "unit": unit,
            "ratio": spread(ratios) if ratios else None,
            "spread": [round(min(values), 3), round(max(values), 3)]}


def rows_of(servers, fast, calm):
    rows = []
    ours = fast.get("switchback")
    for server in servers:
        took = fast[server.name]
        rate = [one["requests_per_second"] for one in took]
        cpu = [one["cpu_us"] for one in took]
        faster = cheaper = None
        if ours and server.name != "switchback":
            faster = [us["requests_per_second"] / r for us, r in zip(ours, rate)]
            cheaper = [c / us["cpu_us"] for us, c in zip(ours, cpu)]
        rows.append(row(f"{server.name}: requests/s", rate, "1/s", faster))
        rows.append(row(f"{server.name}: CPU a request", cpu, "us", cheaper))
        if server.keepers:
            kept = [one["kept_us"] for one in took]
            rows.append(row(f"{server.name}: CPU a request behind the answer", kept, "us"))
        busy = [one["generator_busy"] for one in took]
        rows.append(row(f"{server.name}: the generator's own CPU", busy, "share"))
    base = calm.get("nginx")
    for name, took in calm.items():
        for what in ("p50_us", "p99_us"):
            values = [one[what] for one in took]
            ratios = None
            if base and name != "nginx":
                ratios = [v / max(b[what], 1) for v, b in zip(values, base)]
            rows.append(row(f"{name}: {what[:-3]} at {RATE}/s", values, "us", ratios))
    return rows


def verdicts(rows):
    """What was aimed at, and what came of it."""
    found = {one["name"]: one for one in rows}
    told = []
    for name, target in TARGETS.items():
        one = found.get(f"{name}: requests/s")
        if one and one["ratio"]:
            told.append({"name": f"requests/s against {name}", "target": f">= {target} x",
                         "is": one["ratio"]["median"], "met": one["ratio"]["median"] >= target})
    one = found.get(f"switchback: p99 at {RATE}/s")
    if one and one["ratio"]:
        told.append({"name": f"p99 at {RATE}/s against nginx", "target": "<= 1.5 x",
                     "is": one["ratio"]["median"], "met": one["ratio"]["median"] <= 1.5})
    return told


def show(report):
    print(f"{report['contacts']} contacts, {CONNECTIONS} connections, {report['rounds']} rounds in "
          "turns; server on one processor, generator on the other; median (least to most)\n")
    print(f"{'':<50}{'value':>12}{'':>7}  {'spread':<24}{'ratio':>8}  spread")
    for one in report["rows"]:
        least, most = one["spread"]
        text = f"{one['name']:<50}{one['value']:>12,.2f} {one['unit']:<6}  {least:,.2f} to {most:,.2f}"
        if one["ratio"]:
            ratio = one["ratio"]
            text = f"{text:<95}{ratio['median']:>8.2f}  {ratio['min']:.2f} to {ratio['max']:.2f}"
        print(text)
    print("\nA ratio is the daemon's requests/s over the peer's, the peer's CPU over the daemon's, "
          "or a\nlatency over nginx's, round by round.\n")
    for one in report["targets"]:
        print(f"{'met' if one['met'] else 'NOT MET':<8} {one['name']}: {one['is']:.2f} "
              f"(target {one['target']})")
    for name, why in report["left_out"].items():
        print(f"left out: {name}: {why}")
