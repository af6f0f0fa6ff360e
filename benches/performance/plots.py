"""The plots, one SVG each, from what was measured; what was not measured is not drawn."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same figures make the same file.
matplotlib.rcParams["svg.hashsalt"] = "switchback"
matplotlib.rcParams["font.size"] = 9

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)


def draw(kept: dict, folder: Path) -> dict[str, str]:
    """Draws what can be drawn; title by file name."""
    drawn = {}
    for name, title, make in PLOTS:
        figures = {key: entry["figures"] for key, entry in kept.items()}
        figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
        try:
            make(axes, figures)
        except (KeyError, TypeError, IndexError):
            # Not measured, or not whole.
            plt.close(figure)
            continue
        axes.set_title(title)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)
        drawn[name] = title
    return drawn


def decision(axes, figures):
    scale = figures["decide_scale"]["figures"]
    sizes = [10_000, 100_000, 1_000_000, 10_000_000]
    for name, label in [("p50_ns", "p50"), ("p99_ns", "p99"), ("p999_ns", "p99.9")]:
        values = [scale[f"contacts_{size}_random_beside_a_writer_{name}"] for size in sizes]
        axes.plot(sizes, values, marker="o", label=label)
    misses = [scale[f"contacts_{size}_miss_ns"] for size in sizes]
    axes.plot(sizes, misses, marker=".", linestyle=":", color="grey", label="one dependent miss")
    axes.set(xscale="log", yscale="log", xlabel="contacts", ylabel="ns")


def applying(axes, figures):
    scale = figures["decide_scale"]["figures"]
    sizes = [10_000, 100_000, 1_000_000, 10_000_000]
    for name, label in [("alone", "alone"), ("beside_a_reader", "beside a reader")]:
        rates = [scale[f"contacts_{n}_applied_touches_per_second_{name}"] / 1e6 for n in sizes]
        axes.plot(sizes, rates, marker="o", label=label)
    axes.set(xscale="log", ylim=(0, None), xlabel="contacts", ylabel="million touches/s applied")


def webhook(axes, figures):
    rows = figures["webhook_scale"]["rows"]
    connections = [row["connections"] for row in rows]
    for name, label in [("bare_", "bare hyper, a constant"), ("", "switchback")]:
        rates = [row[f"{name}requests_per_second"] / 1000 for row in rows]
        axes.plot(connections, rates, marker="o", label=label)
    axes.set(xscale="log", ylim=(0, None), xlabel="connections", ylabel="thousand requests/s")


def relaying(axes, figures):
    steps = figures["relay_scale"]["scale"]
    calls = [step["calls"] for step in steps]
    for name, label in [("raw", "raw relay of bytes"), ("renamed", "switchback")]:
        axes.plot(calls, [step[name]["cpu_us"] for step in steps], marker="o", label=label)
    axes.set(xscale="log", ylim=(0, None), xlabel="calls", ylabel="us of CPU a round trip")


def lateness(axes, figures):
    steps = figures["relay_scale"]["scale"]
    calls = [step["calls"] for step in steps]
    for name, label in [("raw", "raw relay of bytes"), ("renamed", "switchback")]:
        axes.plot(calls, [step[name]["p99_us"] / 1000 for step in steps], marker="o", label=label)
    axes.set(xscale="log", yscale="log", xlabel="calls", ylabel="p99 of a round trip, ms")


PLOTS = [
    ("decision", "A decision, beside a writer of 50 000 touches/s", decision),
    ("applying", "Touches applied", applying),
    ("webhook", "Webhooks answered, one worker", webhook),
    ("relay_cpu", "A frame there and back", relaying),
    ("relay_p99", "The same, the slowest hundredth", lateness),
]
