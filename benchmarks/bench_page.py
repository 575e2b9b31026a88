"""The table of `benchmarks.bench`: figures of all that is compared, and their page."""

from __future__ import annotations

import statistics
from collections.abc import Callable

__all__ = ["Figures", "Table", "page"]

Figures = dict[str, float]


class Table:
    """Figures of all that is compared, by group, name and round."""

    def __init__(self) -> None:
        self.rounds: dict[str, dict[str, list[Figures]]] = {}
        self.failures: dict[str, dict[str, str]] = {}

    def measure(
        self, group: str, name: str, what: Callable[..., Figures], *args: object
    ) -> None:
        """Measure once more; who cannot be is noted."""
        if name in self.failures.get(group, {}):
            return
        try:
            found = what(*args)
        except (OSError, ValueError, IndexError, TypeError) as error:
            self.failures.setdefault(group, {})[name] = str(error)
            print(f"{group}: {name}: {error}", flush=True)
            return
        self.rounds.setdefault(group, {}).setdefault(name, []).append(found)
        shown = ", ".join(f"{key} {value:,.4g}" for key, value in found.items())
        print(f"{group}: {name}: {shown}", flush=True)

    def median(self, group: str, name: str, figure: str) -> float | None:
        """The median of a figure; None if there is none."""
        rounds = self.rounds.get(group, {}).get(name)
        return statistics.median(r[figure] for r in rounds) if rounds else None

    def ratio(self, group: str, name: str, other: str, figure: str) -> float | None:
        """The median of the rounds' ratios, each to its neighbour of the same round."""
        ours = self.rounds.get(group, {}).get(name, [])
        theirs = self.rounds.get(group, {}).get(other, [])
        pairs = list(zip(ours, theirs, strict=False))
        if not pairs:
            return None
        return statistics.median(a[figure] / b[figure] for a, b in pairs)


TARGETS = (
    # group, figure, ours, against, at least, aim for, unless more is worse
    ("server", "rps", "nbtwisted", "FastAPI + uvicorn", 5.0, 8.0),
    ("server", "rps", "nbtwisted", "aiohttp + uvloop", 1.8, 2.5),
    ("server", "rps", "nbtwisted", "granian + bare ASGI", 1.1, 1.5),
    ("server", "rps", "nbtwisted", "nginx + echo", 0.7, 1.0),
    ("held", "past", "nbtwisted", "aiohttp + uvloop", 0.8, None),
    ("held", "p99", "nbtwisted", "aiohttp + uvloop", 0.6, None),
    ("load", "per_cpu", "nbtwisted load", "wrk", 0.8, 1.0),
    ("load", "per_cpu", "nbtwisted load", "hey", 2.0, 2.7),
    ("load", "per_cpu", "nbtwisted load", "aiohttp", 6.0, 8.0),
    ("many", "us", "nbtwisted get_all", "aiohttp", 0.45, 0.25),
    ("many", "us", "nbtwisted get_all", "treq", 0.15, 0.08),
)
LESS_IS_BETTER = ("held", "many")

GROUPS = {
    "server": (
        "A JSON answer of 19 bytes, at once",
        "The server on one core, asked by wrk over 50 connections on the other.",
        (("rps", "requests a second", "{:,.0f}"),),
    ),
    "held": (
        "10,000 held for 3 s, at once",
        "One connection each, by a client of sockets and epoll that shares no code "
        "with any of these. Wall time past the three seconds, how late the latest "
        "hundredth of the answers was, and the memory that the server took for each.",
        (
            ("past", "seconds past 3", "{:.2f}"),
            ("p99", "late, p99 (s)", "{:.3f}"),
            ("kb", "KB each", "{:.1f}"),
        ),
    ),
    "load": (
        "Load programs",
        "50 connections to nginx, kept alive. What matters is what a request costs the "
        "program that sends it: requests for each second that it computed, its start "
        "and its end included.",
        (("per_cpu", "requests a CPU-second", "{:,.0f}"),),
    ),
    "many": (
        "10,000 GETs at once from a program",
        "One connection each, to nginx. Microseconds of computing for each answer, "
        "less what starting the program takes.",
        (("us", "µs an answer", "{:.0f}"),),
    ),
    "growth": (
        "What a request costs, by how many are in flight",
        "10,000 by `get_all`, so many at a time.",
        (("us", "µs an answer", "{:.0f}"),),
    ),
}

NOTES = """\
- *nbtwisted* is `nbtwisted serve` as it comes: journal, caps, deadlines and
  `Server-Timing` included. A request that comes again, byte for byte, is not parsed or
  routed again, and these are all the same; *all different* is where none comes again.
- *nbtwisted, twisted* is the same with `--channel twisted`.
- FastAPI and aiohttp route and serialize; granian runs a bare ASGI application that
  does neither; nginx's echo module sends a constant.
- wrk is C and has no deadlines; hey is Go and keeps each latency.
- `get_all` keeps each raw answer, its timing by phases and its deadlines; aiohttp and
  treq keep the body. *Collecting seldom* is after `gc.set_threshold(70_000, 20, 100)`,
  which is what `nbtwisted get` does: of ten thousand requests at once, half the cost is
  Python's garbage collector, which walks all of them again and again.
"""


def page(table: Table, about: str) -> str:
    """The page; `about` says what was measured, when and where."""
    lines = [
        "# Benchmarks",
        "",
        about,
        "",
        "## Against whom",
        "",
        "| figure | against | ratio | at least | aim for |",
        "|---|---|---|---|---|",
    ]
    for group, figure, ours, other, least, aim in TARGETS:
        ratio = table.ratio(group, ours, other, figure)
        name = {key: label for key, label, _ in GROUPS[group][2]}[figure]
        if ratio is None:
            shown = "not measured"
        else:
            is_met = ratio <= least if group in LESS_IS_BETTER else ratio >= least
            shown = f"{ratio:.2f}" + ("" if is_met else " (missed)")
        lines.append(
            f"| {ours}: {name} | {other} | {shown} | {least:g} | {aim or '-'} |"
        )
    for group, (title, what, figures) in GROUPS.items():
        lines += ["", f"## {title}", "", what, ""]
        lines.append("| | " + " | ".join(label for _, label, _ in figures) + " |")
        lines.append("|---|" + "---|" * len(figures))
        for name in table.rounds.get(group, {}):
            cells = [
                shape.format(table.median(group, name, key))
                for key, _, shape in figures
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        for name, why in table.failures.get(group, {}).items():
            lines.append(f"| {name} | {why} |" + " |" * (len(figures) - 1))
    lines += ["", "## What is compared", "", NOTES]
    return "\n".join(lines)
