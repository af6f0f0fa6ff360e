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
    def misses(key, share):
        return d[f"random_{key}_{share}_misses"]
    return (f"one miss timed by itself as decisions are, beside the same writer, is "
            f"{misses('one_miss_beside', 'p50'):.2f} x at the median and "
            f"{misses('one_miss_beside', 'p999'):.2f} x at p99.9 on this machine; the four lines of a "
            f"contact's group fetched at once {misses('four_lines_beside', 'p50'):.2f} x and "
            f"{misses('four_lines_beside', 'p999'):.2f} x. A hot decision, which misses nothing, adds "
            f"{d['hot_ns'] / d['miss_ns']:.2f} x to that. While nobody writes a stranger's takes "
            f"{misses('strangers', 'p50'):.2f} x and {misses('strangers', 'p999'):.2f} x, a return "
            f"call's, which goes on to the touches, their callers and agents, "
            f"{misses('return_calls', 'p50'):.2f} x and {misses('return_calls', 'p999'):.2f} x")


def hot_reason(figures):
    d = decide(figures)
    return (f"of fifty callers; the best {d['hot_ratio_least']:.2f} x, the worst "
            f"{d['hot_ratio_most']:.2f} x, who has more touches or lies out of his place. "
            f"{d['hot_view_ns']:.0f} ns are the view of the directory, the rest instructions: "
            f"`decide/return_call` in what CI holds")


def pause_reason(figures):
    d = decide(figures)
    def beside(key):
        return f"{d[f'pause_{key}_cpu_median_us']:.0f} and {d[f'pause_{key}_cpu_us']:.0f} us"
    return (f"the worst of eight rounds at the median, and of all, in the reader's own time: "
            f"{beside('doubling')} while the table doubles, {beside('growing')} beside a "
            f"thread that grows memory of its own and shares nothing with the reader, "
            f"{beside('spinning')} beside one that only spins, {beside('idle')} beside nobody. In its "
            f"worst decision while the table doubled the reader had "
            f"{d['pause_doubling_worst_faults']:.0f} page faults and made way for another "
            f"{d['pause_doubling_worst_preempted']:.0f} times. Where it never had to, the worst of all is "
            f"{d['pause_doubling_undisturbed_us']:.0f} us while the table doubles, "
            f"{d['pause_growing_undisturbed_us']:.0f} beside memory that grows, "
            f"{d['pause_spinning_undisturbed_us']:.0f} beside one that spins and "
            f"{d['pause_idle_undisturbed_us']:.0f} beside nobody")


def cold_reason(figures):
    c = figures["cold"]
    return (f"until the answer the process ran {c['start_user_ms']:.0f} ms by itself and "
            f"{c['start_kernel_ms']:.0f} ms in the kernel; filling the index took {c['filled_ms']:.0f} ms")


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
                   f"{d['pause_doubling_us']:.0f} by the clock; beside memory that grows and is not "
                   f"the table's {d['pause_growing_cpu_us']:.0f} and {d['pause_growing_us']:.0f}")


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
    # What is meant is reading it to keep it: 0.2 s for a table of 860 MB is what the target starts
    # from, 4.3 GB/s. Where memory is short of huge pages, small ones may be had sooner: whichever was.
    ratio = max(c["ratio"], c["ratio_to_reading_into_small_pages"])
    return at_most(ratio, 2,
                   f"{c['ratio']:.2f} x reading it into memory that is kept: {c['start_ms']:.0f} ms "
                   f"beside {c['reading_ms']:.0f} ms for {c['file_mib']} MiB, "
                   f"{c['reading_gb_per_second']:.1f} GB/s; {c['ratio_to_reading_forgotten']:.2f} x "
                   f"the {c['reading_forgotten_ms']:.0f} ms over one buffer that keeps nothing, "
                   f"{c['ratio_to_reading_into_small_pages']:.2f} x the "
                   f"{c['reading_into_small_pages_ms']:.0f} ms into small pages")


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
    own, bare = (rows[f"{name}: p99 at 2000/s"]["ratio"] for name in ("switchback", "bare"))
    return (f"p50 and p99 in us: {', '.join(told)}. Round by round, beside nginx: {ranged(own)} x, and bare hyper, "
            f"which keeps nothing behind its answers, {ranged(bare)} x. The generator shares its core with what the "
            "daemon keeps behind its answers, which runs when nothing else there does")


def calm(figures):
    rows = figures["compare"]["rows"]
    row = next(row for row in rows if row["name"].startswith("switchback: p99"))
    return at_most(row["ratio"]["median"], 1.5, f"{ranged(row['ratio'])} x")


def added(figures):
    parts = figures["webhook_parts"]
    return at_most(parts["multiple_of_hmac"], 5,
                   f"{parts['multiple_of_hmac']:.2f} x: {parts['and_answer_ns'] / 1000:.2f} us "
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
            f"what is no carrier's connection that it holds {s['held_at_most']:,}. The median is "
            f"{s['beside_p50_us']:.0f} us beside {s['alone_p50_us']:.0f}: only who comes just when slow clients do "
            f"waits. Those send {s['held'] / 4:,.0f} single bytes a second, and come again when their time for a "
            f"head is over, beside {s['honest_per_second']:,} honest webhooks; the processes that play them share "
            f"the honest ones' core")


def spent(figures):
    w, p = figures["webhook"], figures["webhook_parts"]
    (bare, bare_kernel), (busy, busy_kernel), (own, kernel) = (
        (w[server]["worker_cpu_us_per_request"][0], w[server]["of_it_kernel_us"][0])
        for server in ("bare", "busy", "daemon"))
    return (f"the worker spends {own:.1f} us a request, {kernel:.1f} of them in the kernel, which does "
            f"one `recv` and one `send` for each; bare hyper's {bare:.1f} and {bare_kernel:.1f}: 0.75 would leave "
            f"{bare / 0.75 - bare:.1f} us to what the daemon does more, and signature, parsing, decision and answer "
            f"alone take {p['and_answer_ns'] / 1000:.1f} (below). Bare hyper that spins for as long as the daemon "
            f"computes longer spends {busy:.1f} and {busy_kernel:.1f} and reaches "
            f"{spread(w['busy']['share_of_bare'])} of what it does alone. What is done behind the answers takes "
            f"{w['store_cpu_us_per_request']:.0f} us a request, when the carrier who asks, and never sleeps, leaves "
            f"its core to that")


def bare(figures):
    ratio = figures["webhook"]["daemon"]["share_of_bare"]
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


def shared(figures):
    """The same of many calls on a link, and what the kernel leaves of what is promised."""
    way = figures["relay"]["ways"]["linked_crowd"]
    cpu, raw = way["cpu_us"][0], way["raw_cpu_us"][0]
    kernel = cpu * (1 - way["user_share"])
    return (f"{relayed('linked_crowd')(figures)}. The kernel's part alone is {kernel / raw:.2f} x the raw relay's "
            f"whole: 0.6 x would leave {max(0.6 * raw - kernel, 0):.1f} us to user code. The far ends' one thread "
            f"worked {way['far_busy'][0]:.2f} of its time, and a round trip took {way['p50_us'][0] / 1000:.1f} ms")


def asked(figures):
    """Where most memory is asked for, and how long what was sent waited meanwhile."""
    ways = figures["relay"]["ways"]
    name, way = max(ways.items(), key=lambda item: item[1]["allocations_per_frame"][0])
    some = way["allocations_per_frame"]
    return (f"{name}: {some[1]:.3f} to {some[2]:.3f} a frame over its rounds, with a round trip of "
            f"{way['p50_us'][1] / 1000:.1f} to {way['p50_us'][2] / 1000:.1f} ms: what waits takes memory")


def crowded(figures):
    scale = figures["relay_scale"]
    step = next(step for step in scale["scale"] if step["calls"] > scale["calls_in_time"])
    told = [f"{of['cpu_us']:.1f} us of CPU, its thread worked {of['busy']:.2f} of its time and the far ends' "
            f"{of['far_busy']:.2f}, p50 and p99 {of['p50_us'] / 1000:.1f} and {of['p99_us'] / 1000:.1f} ms"
            for of in (step["renamed"], step["raw"])]
    return f"at {step['calls']} calls a round trip takes {told[0]}; the raw relay's {told[1]}"


def translated(figures):
    """A frame between mu-law and linear audio of the same rate, whichever way takes longer."""
    ns = figures["frames"]["ns"]
    ways = [ns["l16_8000_to_runtime"], ns["l16_8000_to_carrier"]]
    return at_most(max(ways), 300, f"{ways[0] / 1000:.2f} to the runtime, {ways[1] / 1000:.2f} back")


def translated_besides(figures):
    ns = figures["frames"]["ns"]
    told = ", ".join(f"{ns[f'l16_{rate}_to_runtime'] / 1000:.2f} and {ns[f'l16_{rate}_to_carrier'] / 1000:.2f} "
                     f"at {rate // 1000} kHz" for rate in (16000, 24000))
    return (f"base64 alone, read and written, is {ns['base64_alone'] / 1000:.2f}; with another rate, which "
            f"is resampled, {told}")


def prewarmed(figures):
    b = figures["boot"]
    share = b["earlier_by_share_of_set_up"]
    return at_least(share, 0.9,
                    f"{100 * share:.0f} %: {b['prewarmed_ms'][0]:.0f} ms from the webhook beside "
                    f"{b['not_prewarmed_ms'][0]:.0f}, of a carrier that takes {b['set_up_ms']:.0f} ms and a "
                    f"runtime that takes {b['boot_ms']:.0f}")


MEDIA = Section(
    "Media",
    "Calls of 50 frames/s each way (Twilio's JSON, 160 bytes of mu-law) relayed to an echo runtime "
    "and back, on one core, beside a raw relay of bytes in the same run.",
    ["relay", "relay_scale", "frames", "boot"],
    [
        Row("CPU a round trip, passed on", "<= 1.2 x the raw relay", way("passed", 1.2),
            relayed("passed")),
        Row("CPU a round trip, the stream renamed", "<= 1.2 x the raw relay", way("renamed", 1.2),
            relayed("renamed")),
        Row("CPU a round trip, framing and codec translated", "<= 1.4 x the raw relay",
            way("translated", 1.4), relayed("translated")),
        Row("the same, many calls on one link to the runtime", "<= 0.6 x two raw legs",
            linked, shared),
        Row("calls on a core with an added p99 of at most 5 ms", ">= 0.85 x the raw relay's",
            in_time, crowded),
        Row("memory a call, KiB, queues empty", "<= 24", heap),
        Row("allocations a frame", "0", frames, asked),
        Row("a frame translated between mu-law and linear audio, in memory, us", "<= 0.3", translated,
            translated_besides),
        Row("first audio of a runtime opened ahead, sooner by a share of the carrier's set-up",
            ">= 90 %", prewarmed),
    ],
    ["relay_cpu", "relay_p99"],
)

# --- Control plane


def write(figures):
    # Each row has its p50 and p99 beside those of the first, which is SQLite alone.
    alone, _, *writes = figures["control"]["commits"]
    worst = max(row["ratios"][1] for row in writes)
    return at_most(worst, 2, f"{worst:.2f} x {alone['p99_us'] / 1000:.1f} ms")


def wide(figures):
    alone, wide, put, post = figures["control"]["commits"]
    told = ", ".join(f"{row['p50_us'] / 1000:.2f} and {row['p99_us'] / 1000:.2f} ms"
                     for row in (alone, wide, put, post))
    return (f"a write changes {wide['pages']} pages: rows, the log's entry, the history, the audit and "
            f"their indexes. p50 and p99 of a commit of one row, of a commit of so many pages by SQLite "
            f"alone, of PUT and of POST: {told}. Beside a commit of as many pages a write takes "
            f"{put['p99_us'] / wide['p99_us']:.2f} and {post['p99_us'] / wide['p99_us']:.2f} x at p99")


def proved(name: str, wanted: int):
    """None went wrong; whether as many were tried as are wanted."""
    def found(figures):
        tried = figures["proofs"][name]
        return f"0 of {tried:,}", tried >= wanted
    return found


def restarted(figures):
    r = figures["restarts"]
    text = f"{r['failed']} of {r['sent']:,} over {r['restarts']:,} restarts"
    return text, r["failed"] == 0 and r["restarts"] >= 1000


def waited(figures):
    r = figures["restarts"]
    return (f"{FEWER}. The listening socket is handed from one process to the next; from a stop to the next "
            f"readiness it takes {r['away_ms_p50']} ms at the median and {r['away_ms_max']} at most")


def silence(figures):
    p = figures["proofs"]
    return at_most(p["silence_s_max"], 2,
                   f"{p['silence_s_max']:.2f} s at most in {p['cells']} cells")


def seen(figures):
    m = figures["mirror"]
    text = (f"{m['seen_ms_p50']} and {m['seen_ms_p999']} ms where it is mirrored, pulled every {m['interval']}; "
            f"in its own process {m['stale_at_source']} of {m['changes'] + 1} calls were answered as before it")
    return text, m["seen_ms_p50"] <= 30 and m["seen_ms_p999"] <= 250


def pulled(figures):
    m = figures["mirror"]
    return (f"the public API that is mirrored tells of no change by itself, so a daemon knows of it with its next "
            f"pull: {m['interval']} apart, give or take a tenth, the shortest that may be configured. A feed from "
            f"one Switchback to another (`--role edge`) is not built")


def without(figures):
    away = figures["mirror"]["away"]
    text = f"{away['answered'] - away['failed']:,} of {away['sent']:,} over {away['restarts']} restarts"
    return text, away["failed"] == 0 and away["answered"] == away["sent"]


def away_how(figures):
    away = figures["mirror"]["away"]
    return (f"of a daemon that mirrors a hosted API which was killed before, at {away['rate']:,}/s; an answer other "
            f"than at the last sync counts as failed")


def fuzzed(figures):
    p = figures["parsers"]
    return f"0 found in {p['runs']:,}", p["runs"] >= 1_000_000_000


def fuzzed_how(figures):
    p = figures["parsers"]
    rate = p["runs"] / max(p["seconds"], 1)
    return (f"libFuzzer with {p['workers']} processes, {rate:,.0f} inputs/s together, {p['edges']:,} edges of the "
            f"code reached; 10^9 would take {1e9 / rate / 3600:.1f} hours at that rate here")


FEWER = "so many were tried for this page; the command takes any number"
CONTROL = Section(
    "Control plane and sync",
    "Where something is to be none, the test fails at the first; the figure says how many were "
    "tried.",
    ["control", "proofs", "restarts", "mirror", "parsers"],
    [
        Row("p99 of a callback write, commit included", "<= 2 x one SQLite commit", write, wide),
        Row("change visible at another edge, p50 and p99.9", "<= 30 and 250 ms", seen, pulled),
        Row("acknowledged writes lost over kill -9", "0 of 10 000", proved("kills", 10_000), FEWER),
        Row("webhooks refused over restarts at 2 000/s", "0 over 1 000 restarts", restarted, waited),
        Row("webhooks answered as at last sync while the control plane is away", "100 %", without,
            away_how),
        Row("wrong decisions in simulated histories", "0 of 1 000 000",
            proved("histories", 1_000_000), FEWER),
        Row("dead air when a runtime refuses, hangs, stalls or dies", "<= 2 s", silence),
        Row("forged, replayed or swapped webhooks and tickets accepted", "0 of 10 000 000",
            proved("forged", 10_000_000), FEWER),
        Row("fuzz executions over all parsers without panic, hang or growth", "1 000 000 000", fuzzed,
            fuzzed_how),
    ],
)

SECTIONS = [DECISION, WEBHOOK, MEDIA, CONTROL]
