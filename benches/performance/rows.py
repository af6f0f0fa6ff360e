"""What is promised, and where in the measurements the answer stands.

A row's `found` takes the measurements by name and answers what to print, and whether the target is
met: None where it is a figure without a target, or one that cannot be measured here. A measurement
that is missing makes the row say so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Row:
    what: str
    target: str
    found: Callable[[dict], tuple[str, bool | None]]
    # Why it is not met, in figures: words, or what makes them of the measurements.
    reason: str | Callable[[dict], str] = ""

    def told(self, kept: dict) -> tuple[str, bool | None, str]:
        figures = {name: entry["figures"] for name, entry in kept.items()}
        try:
            measured, met = self.found(figures)
        except (KeyError, TypeError, IndexError, StopIteration):
            return "not measured", None, self.because(figures)
        return measured, met, self.because(figures)

    def because(self, figures: dict) -> str:
        if isinstance(self.reason, str):
            return self.reason
        try:
            return self.reason(figures)
        except (KeyError, TypeError, IndexError, StopIteration):
            return ""


@dataclass
class Section:
    title: str
    about: str
    measured_by: list[str]
    rows: list[Row]
    plots: list[str] = field(default_factory=list)


def spread(values: list[float], digits: int = 2) -> str:
    """A median with the least and the most of its rounds."""
    middle, least, most = (f"{value:.{digits}f}" for value in values)
    return f"{middle} ({least} to {most})"


def ranged(ratio: dict[str, float]) -> str:
    return spread([ratio["median"], ratio["min"], ratio["max"]])


def at_most(value: float, limit: float, text: str) -> tuple[str, bool]:
    return text, value <= limit


def at_least(value: float, limit: float, text: str) -> tuple[str, bool]:
    return text, value >= limit


# --- Decision and index


def decide(figures: dict) -> dict:
    return figures["decide"]["figures"]


def random_keys(figures):
    d = decide(figures)
    p50, p999 = d["random_beside_a_writer_p50_misses"], d["random_beside_a_writer_p999_misses"]
    text = (f"{p50:.2f} x and {p999:.2f} x a miss of {d['miss_ns']:.0f} ns: "
            f"{d['random_beside_a_writer_p50_ns']:.0f} and "
            f"{d['random_beside_a_writer_p999_ns']:.0f} ns")
    return text, p50 <= 1.5 and p999 <= 4.5


def hot(figures):
    d = decide(figures)
    text = (f"{d['hot_ratio']:.2f} x: {d['hot_ns']:.0f} ns beside "
            f"{d['hot_unsynchronised_ns']:.0f} ns")
    return at_most(d["hot_ratio"], 1.4, text)


def random_keys_reason(figures):
    d = decide(figures)
    return (f"one miss timed by itself as decisions are, beside the same writer, is "
            f"{d['random_one_miss_beside_p50_misses']:.2f} x at the median and "
            f"{d['random_one_miss_beside_p999_misses']:.2f} x at p99.9 on this machine, four lines "
            f"fetched at once {d['random_four_lines_beside_p50_misses']:.2f} x and "
            f"{d['random_four_lines_beside_p999_misses']:.2f} x. A decision over random people who "
            f"all call one number is {d['random_one_number_p50_misses']:.2f} x, over random numbers "
            f"{d['random_idle_p50_misses']:.2f} x: the difference are misses of what is read of "
            f"numbers, agents and tenants")


def hot_reason(figures):
    d = decide(figures)
    return (f"{d['hot_view_ns']:.0f} ns of it are the view of the directory (an `ArcSwap` load, two "
            f"locked instructions), the rest instructions: `decide/return_call` in what CI holds")


def pause_reason(figures):
    d = decide(figures)
    return (f"the same reader's worst while nobody writes is {d['pause_idle_cpu_us']:.0f} us of its "
            f"own time and {d['pause_idle_us']:.0f} by the clock")


def cold_reason(figures):
    c = figures["cold"]
    return (f"reading it into memory that is asked for anew takes "
            f"{c['reading_into_new_memory_ms']:.0f} ms, which is {1 / c['ratio_to_reading_into_new_memory']:.2f} "
            f"of the start; until the answer the process ran {c['start_user_ms']:.0f} ms by itself "
            f"and {c['start_kernel_ms']:.0f} ms in the kernel")


def applied_reason(figures):
    rows = {(r["what"], r["how"]): r for r in figures["apply"]["rows"]}
    def cpu(what, how):
        return rows[(what, how)]["rows_per_cpu_second"]
    whole = cpu("touches, 256 an entry", "log, an entry a frame")
    direct = cpu("touches, 256 an entry", "applied directly")
    agents = cpu("agents, 1 an entry", "log, 256 a frame")
    agents_direct = cpu("agents, 1 an entry", "applied directly")
    return (f"in a second of its own processor time the thread that applies does {whole / 1e6:.2f} M "
            f"touches from their frames and {direct / 1e6:.2f} M that are decoded already; "
            f"{agents / 1e3:.0f} k rows of agents, {agents_direct / 1e3:.0f} k decoded already")


def memory(figures):
    d = decide(figures)
    return at_most(d["bytes_a_contact"], 72,
                   f"{d['bytes_a_contact']:.1f} ({d['bytes_a_touch']:.1f} a touch)")


def pause(figures):
    d = decide(figures)
    # The reader's own processor time: on two shared cores the clock counts others' turns too.
    return at_most(d["pause_doubling_cpu_us"], 100,
                   f"{d['pause_doubling_cpu_us']:.0f} us of the reader's own time, "
                   f"{d['pause_doubling_us']:.0f} by the clock; while nobody writes "
                   f"{d['pause_idle_cpu_us']:.0f} and {d['pause_idle_us']:.0f}")


def number(figures):
    d = decide(figures)
    worst = max(d["number_hot_ratio"], d["number_random_ratio"])
    return at_most(worst, 1.4,
                   f"{d['number_hot_ratio']:.2f} x one hot key ({d['number_hot_ns']:.1f} ns beside "
                   f"{d['number_hot_unsynchronised_ns']:.1f}), {d['number_random_ratio']:.2f} x "
                   f"any ({d['number_random_ns']:.0f} beside "
                   f"{d['number_random_unsynchronised_ns']:.0f})")


def applied(figures):
    def rate(what: str, how: str) -> float:
        rows = figures["apply"]["rows"]
        return next(r["rows_per_second"] for r in rows if (r["what"], r["how"]) == (what, how))
    touches = rate("touches, 256 an entry", "log, an entry a frame")
    rows = min(rate(f"{what}, 1 an entry", "log, 256 a frame") for what in ("agents", "numbers"))
    return (f"{touches / 1e6:.2f} M touches/s, {rows / 1e3:.0f} k control rows/s",
            touches >= 1e6 and rows >= 2e5)


def cold(figures):
    c = figures["cold"]
    return at_most(c["ratio"], 2,
                   f"{c['ratio']:.2f} x: {c['start_ms']:.0f} ms beside {c['reading_ms']:.0f} ms "
                   f"for {c['file_mib']} MiB")


DECISION = Section(
    "Decision and index",
    "A full decision (number, contact, membership of up to four touches) over 10 M contacts with 1.5 "
    "touches each, random keys, half of them strangers', beside a writer of 50 000 touches/s.",
    ["decide", "decide_scale", "apply", "cold"],
    [
        Row("p50 and p99.9", "<= 1.5 and 4.5 dependent misses in 2 MiB pages", random_keys,
            random_keys_reason),
        Row("hot key, p50", "<= 1.4 x the same over unsynchronised maps", hot, hot_reason),
        Row("memory a contact, bytes", "<= 72", memory),
        Row("allocations a decision", "0",
            lambda f: at_most(decide(f)["allocations_a_decision"], 0,
                              f"{decide(f)['allocations_a_decision']:g}")),
        Row("a reader's worst pause while the table doubles", "<= 100 us", pause, pause_reason),
        Row("number table, get, at 1 M numbers", "<= 1.4 x an unsynchronised map", number),
        Row("log applied, with readers running", ">= 1 M touches/s, >= 200 k control rows/s",
            applied, applied_reason),
        Row("first call answered after exec, 10 M contacts", "<= 2 x reading the snapshot file",
            cold, cold_reason),
    ],
    ["decision", "applying"],
)

# --- Webhook


def compared(name: str, limit: float):
    def found(figures):
        row = next(row for row in figures["compare"]["rows"] if row["name"] == f"{name}: requests/s")
        ratio = row["ratio"]
        return at_least(ratio["median"], limit, f"{ranged(ratio)} x")
    return found


def compared_reason(name: str, limit: float):
    def told(figures):
        rows = {row["name"]: row for row in figures["compare"]["rows"]}
        rate = {server: rows[f"{server}: requests/s"]["value"]
                for server in (name, "nginx", "bare", "switchback")}
        cpu, ours = rows[f"{name}: CPU a request"], rows["switchback: CPU a request"]
        return (f"{limit:g} x would be {limit * rate[name]:,.0f} requests/s; on this core nginx "
                f"`return 200` reaches {rate['nginx']:,.0f} and bare hyper {rate['bare']:,.0f}. "
                f"The daemon's {rate['switchback']:,.0f} take {ours['value']:.1f} us of CPU each, "
                f"{name}'s {cpu['value']:.0f}")
    return told


def calm_reason(figures):
    rows = {row["name"]: row for row in figures["compare"]["rows"]}
    told = [f"{name} {rows[f'{name}: p50 at 2000/s']['value']:.0f} and "
            f"{rows[f'{name}: p99 at 2000/s']['value']:.0f}" for name in ("nginx", "bare", "switchback")]
    p99 = rows["switchback: p99 at 2000/s"]["ratio"]
    return (f"p50 and p99 in us: {', '.join(told)}. In the best round it is {p99['min']:.2f} x; what "
            "differs in the others was not taken apart: the store's writer shares the generator's "
            "core")


def calm(figures):
    rows = figures["compare"]["rows"]
    row = next(row for row in rows if row["name"].startswith("switchback: p99"))
    return at_most(row["ratio"]["median"], 1.5, f"{ranged(row['ratio'])} x")


def added(figures):
    parts = figures["webhook_parts"]
    return at_most(parts["multiple_of_hmac"], 5,
                   f"{parts['multiple_of_hmac']:.1f} x: {parts['and_answer_ns'] / 1000:.2f} us "
                   f"beside {parts['hmac_ns'] / 1000:.2f} us over {parts['signed_bytes']} bytes")


def parts(figures):
    p = figures["webhook_parts"]
    receive, decided, whole = (p[name] / 1000 for name in (
        "signature_and_parse_ns", "and_decision_ns", "and_answer_ns"))
    return (f"signature and parsing {receive:.2f} us, of which the HMAC {p['hmac_ns'] / 1000:.2f}; "
            f"the decision {decided - receive:.2f}; the answer with its ticket {whole - decided:.2f}")


def slow(figures):
    s = figures["webhook_slow"]
    text = (f"{s['ratio_p99']:.2f} x with {s['held']:,} held: {s['beside_p99_us'] / 1000:.1f} ms "
            f"beside {s['alone_p99_us'] / 1000:.1f} ms")
    return text, s["ratio_p99"] <= 2 and s["held"] >= 20_000


def files(figures):
    s = figures["webhook_slow"]
    return (f"a process may open {s['files_a_process']:,} files here, and the edge leaves so many for "
            f"what is no carrier's connection that it holds {s['held_at_most']:,}")


def spent(figures):
    w = figures["webhook"]
    (bare, bare_kernel), (own, kernel) = (
        (w[server]["worker_cpu_us_per_request"][0], w[server]["of_it_kernel_us"][0])
        for server in ("bare", "daemon"))
    return (f"the worker spends {own:.1f} us a request, {kernel:.1f} of them in the kernel; bare "
            f"hyper's {bare:.1f} and {bare_kernel:.1f}. What is done behind the answers, by the "
            f"store's writer above all, takes {w['store_cpu_us_per_request']:.0f} us a request of the "
            "core that the carrier who asks runs on as well")


def bare(figures):
    ratio = figures["webhook"]["ratio_requests"]
    cpu = figures["webhook"]["ratio_cpu"]
    return at_least(ratio[0], 0.75, f"{spread(ratio)} of its requests/s, {spread(cpu)} by CPU")


def tls(figures):
    t = figures["webhook_tls"]
    return (f"{t['ratio_requests']:.2f} x the requests/s, {t['tls_cpu_us']:.1f} us of the worker's "
            f"CPU a request beside {t['plain_cpu_us']:.1f}"), None


WEBHOOK = Section(
    "Webhook",
    "A whole request on one core: a form of 26 parameters, signature checked, decision over 1 M "
    "contacts, answer written, call row queued, metrics counted; 64 connections kept open. The "
    "others do the same work (signature, look-up, answer) as people write it.",
    ["webhook", "webhook_parts", "webhook_tls", "webhook_scale", "webhook_slow", "compare"],
    [
        Row("beside bare hyper, which parses the form and answers a constant", ">= 0.75", bare, spent),
        Row("beside Express, the official library and Redis", ">= 28 x", compared("express", 28),
            compared_reason("express", 28)),
        Row("beside FastAPI, the official library and Redis", ">= 75 x", compared("fastapi", 75),
            compared_reason("fastapi", 75)),
        Row("beside Kamailio xhttp and htable, which check no signature", ">= 7 x",
            compared("kamailio", 7), compared_reason("kamailio", 7)),
        Row("p99 at 2 000 requests/s, beside nginx `return 200`", "<= 1.5 x", calm, calm_reason),
        Row("CPU added by signature, parsing, decision and answer", "<= 5 x the HMAC alone", added, parts),
        Row("p99 of honest clients beside 20 000 idle ones", "<= 2 x", slow, files),
        Row("with TLS beside without", "", tls),
    ],
    ["webhook"],
)

# --- Media


def way(name: str, limit: float):
    def found(figures):
        ratio = figures["relay"]["ways"][name]["cpu_of_raw"]
        return at_most(ratio[0], limit, f"{spread(ratio)} x")
    return found


def linked(figures):
    few, many = (figures["relay"]["ways"][name] for name in ("linked", "linked_crowd"))
    text = (f"{spread(many['cpu_of_raw'])} x with {many['calls']:.0f} calls, "
            f"{spread(few['cpu_of_raw'])} x with {few['calls']:.0f}")
    return at_most(many["cpu_of_raw"][0], 0.6, text)


def in_time(figures):
    scale = figures["relay_scale"]
    calls, raw = scale["calls_in_time"], scale["raw_calls_in_time"]
    return f"{calls} (raw: {raw})", calls >= 0.85 * raw


def heap(figures):
    ways = figures["relay"]["ways"]
    most = max(way["heap_kib_per_call"] for way in ways.values())
    told = ", ".join(f"{name} {way['heap_kib_per_call']:.1f}" for name, way in ways.items())
    return told, most <= 24


def frames(figures):
    ways = figures["relay"]["ways"]
    most = max(way["allocations_per_frame"][0] for way in ways.values())
    told = ", ".join(f"{name} {way['allocations_per_frame'][0]:.2f}" for name, way in ways.items())
    return told, most < 0.01


def relayed(name: str):
    """Where a way's CPU goes, and the raw relay's in the same run."""
    def told(figures):
        way = figures["relay"]["ways"][name]
        cpu, raw = way["cpu_us"][0], way["raw_cpu_us"][0]
        user, raw_user = cpu * way["user_share"], raw * way["raw_user_share"]
        text = (f"of {cpu:.1f} us {user:.1f} are user code and {cpu - user:.1f} the kernel, of the raw relay's "
                f"{raw:.1f} us {raw_user:.1f} and {raw - raw_user:.1f}; its thread slept {way['sleeps'][0]:.2f} "
                f"times a round trip, the raw relay's {way['raw_sleeps'][0]:.2f}")
        calls, raw_calls = way["system_calls"], way["raw_system_calls"]
        if calls and raw_calls:
            text += (f"; system calls {calls[0]:.2f} beside {raw_calls[0]:.2f}, of which `epoll_wait` "
                     f"{calls[1]:.2f} beside {raw_calls[1]:.2f}")
        return text
    return told


def crowded(figures):
    scale = figures["relay_scale"]
    step = next(step for step in scale["scale"] if step["calls"] >= scale["calls_in_time"])
    return (f"at {step['calls']} calls a round trip is {step['renamed']['cpu_us']:.1f} us of CPU and the raw "
            f"relay's {step['raw']['cpu_us']:.1f}; the far ends' thread did {step['renamed']['far_busy']:.2f} and "
            f"{step['raw']['far_busy']:.2f} of what a core does")


MEDIA = Section(
    "Media",
    "Calls of 50 frames/s each way (Twilio's JSON, 160 bytes of mu-law) relayed to an echo runtime "
    "and back, on one core, beside a raw relay of bytes in the same run.",
    ["relay", "relay_scale"],
    [
        Row("CPU a round trip, passed on", "<= 1.2 x the raw relay", way("passed", 1.2),
            relayed("passed")),
        Row("CPU a round trip, the stream renamed", "<= 1.2 x the raw relay", way("renamed", 1.2),
            relayed("renamed")),
        Row("CPU a round trip, framing and codec translated", "<= 1.4 x the raw relay",
            way("translated", 1.4), relayed("translated")),
        Row("the same, many calls on one link to the runtime", "<= 0.6 x two raw legs",
            linked, relayed("linked_crowd")),
        Row("calls on a core with an added p99 of at most 5 ms", ">= 0.85 x the raw relay's",
            in_time, crowded),
        Row("memory a call, KiB, queues empty", "<= 24", heap),
        Row("allocations a frame", "0", frames),
    ],
    ["relay_cpu", "relay_p99"],
)

# --- Control plane


def write(figures):
    # Each row has its p50 and p99 beside those of the first, which is SQLite alone.
    alone, *writes = figures["control"]["commits"]
    worst = max(row["ratios"][1] for row in writes)
    return at_most(worst, 2, f"{worst:.2f} x {alone['p99_us'] / 1000:.1f} ms")


def proved(name: str, wanted: int):
    """None went wrong; whether as many were tried as are wanted."""
    def found(figures):
        tried = figures["proofs"][name]
        return f"0 of {tried:,}", tried >= wanted
    return found


def silence(figures):
    p = figures["proofs"]
    return at_most(p["silence_s_max"], 2,
                   f"{p['silence_s_max']:.2f} s at most in {p['cells']} cells")


def nothing(_figures):
    return "not measured", None


FEWER = "so many were tried for this page; the command takes any number"
NO_EDGES = ("there is one process today: `--role edge` and its feed over a websocket are not built, "
            "so there is no other edge to measure")

CONTROL = Section(
    "Control plane and sync",
    "Where something is to be none, the test fails at the first; the figure says how many were "
    "tried.",
    ["control", "proofs"],
    [
        Row("p99 of a callback write, commit included", "<= 2 x one SQLite commit", write),
        Row("change visible at another edge, p50 and p99.9", "<= 30 and 250 ms", nothing, NO_EDGES),
        Row("acknowledged writes lost over kill -9", "0 of 10 000", proved("kills", 10_000), FEWER),
        Row("webhooks refused over restarts at 2 000/s", "0 of 1 000 restarts", nothing,
            "a start takes the port that the last process left; between the two the kernel refuses. "
            "Two processes over one SQLite store are not allowed, so a hand-over waits for the edge "
            "role"),
        Row("webhooks answered while the control plane is away", "100 %", nothing, NO_EDGES),
        Row("wrong decisions in simulated histories", "0 of 1 000 000",
            proved("histories", 1_000_000), FEWER),
        Row("dead air when a runtime refuses, hangs, stalls or dies", "<= 2 s", silence),
        Row("forged, replayed or swapped webhooks and tickets accepted", "0 of 10 000 000",
            proved("forged", 10_000_000), FEWER),
    ],
)

SECTIONS = [DECISION, WEBHOOK, MEDIA, CONTROL]
