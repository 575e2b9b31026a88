"""Who did how much of a run on a cluster, for the page of a load run. Pure.

A thousand workers are no picture. Those that were lost, the busiest and the slowest
have a bar each, and all others one of their medians; a folded table has them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from statistics import median

from nbtwisted.printable import escaped
from nbtwisted.timeline.load.chart import NARROW, WIDE
from nbtwisted.timeline.load.charts import Values
from nbtwisted.timeline.load.figure import folded_table
from nbtwisted.timeline.load.row_chart import Bar, BarRow, bar_chart
from nbtwisted.timeline.page import html_text
from nbtwisted.timeline.quantity import NONE, counted, duration, number, percent
from nbtwisted.timeline.table import table

__all__ = ["lost_part", "workers"]

MOST_SHOWN = 16
"""Workers that all have a row in the picture."""

FEW = 4
"""Of more: so many that were lost, so many of the busiest, and of the slowest."""

MOST_NAMES = 5
"""Of lost workers that are named at the top."""

LONGEST_TEXT = 80
"""Characters of a name, or of why a worker was lost."""

HEADING = "Workers"
HEAD = [
    *("worker", "answers a second", "answered", "failed", "p99"),
    *("of a core", "clock ahead by", "began late by", "lost"),
]

FIGURES = (
    *("rps", "answered", "failed", "p99", "cpu"),
    *("clock", "clock_uncertainty", "skew"),
)


def lost_part(report: Values) -> str:
    """That the run is partial, and who is missing; nothing if it is not."""
    partial = report.get("partial")
    if not partial:
        return ""
    names = [html_text(_short(name)) for name in partial["workers"]]
    shown = ", ".join(
        f"<strong><bdi>{name}</bdi></strong>" for name in names[:MOST_NAMES]
    )
    if len(names) > MOST_NAMES:
        shown += f" and {number(len(names) - MOST_NAMES)} more"
    share = percent(partial["lost_share"])
    noun = "worker" if len(names) == 1 else "workers"
    who = f" with {noun} {shown}" if names else ""
    return (
        f'<p class="partial"><strong class="bad">This run is partial.</strong> {share} '
        f"of it was lost{who}. All figures are of the rest.</p>"
    )


def workers(report: Values) -> str:
    """A picture and a table of the workers; nothing without a cluster."""
    found: Sequence[Values] = report.get("workers") or []
    if not found:
        return ""
    about = _about(found)
    shown = _shown(found)
    left_out = [each for each in found if not any(each is one for one in shown)]
    rows = [(_class_of(each), _cells(each)) for each in shown]
    bars = [_bars(each, found) for each in shown]
    if left_out:
        typical = _typical(left_out)
        rows.append(("", _cells({**typical, "name": f"{typical['name']}: medians"})))
        bars.append(_bars(typical, found))
    drawn = "".join(
        bar_chart("workers", HEADING, about, bars, layout=layout)
        for layout in (WIDE, NARROW)
    )
    everyone = [(_class_of(each), _cells(each)) for each in found]
    return (
        '<figure class="across" id="workers">\n<figcaption><h2>Workers</h2>'
        f'{_bottleneck(report)}<p class="faint">{escape(about)}</p></figcaption>\n'
        f'<ul class="key"><li>{_swatch("answers")}answers a second</li>'
        f"<li>{_swatch('core')}share of a core</li></ul>\n"
        f'<div class="canvas">{drawn}</div>\n'
        '<div class="rows" tabindex="0" role="region" aria-label="Workers, as a '
        f'table">{table(HEAD, rows, words=1)}</div>'
        + (
            folded_table("Every worker", "Every worker", HEAD, everyone, words=1)
            if left_out
            else ""
        )
        + "\n</figure>"
    )


def _about(found: Sequence[Values]) -> str:
    there = [each for each in found if not each["lost"]]
    about = f"{counted(len(found), 'worker')}"
    if len(there) < len(found):
        about += f", of which {number(len(found) - len(there))} lost"
    if there:
        rates = [each["rps"] or 0.0 for each in there]
        busy = [each["cpu"] or 0.0 for each in there]
        about += (
            f": {_from_to(number(min(rates)), number(max(rates)))} answers a second "
            f"each, with {_from_to(_core(min(busy)), _core(max(busy)))} of a core."
        )
        skews = [each["skew"] for each in there if each["skew"] is not None]
        if len(skews) > 1:
            apart = max(skews) - min(skews)
            about += f" Their parts began {duration(apart)} apart at most."
    else:
        about += "."
    return about


def _bottleneck(report: Values) -> str:
    found = report.get("bottleneck")
    return f"<p>Bottleneck: <bdi>{html_text(found)}</bdi>.</p>" if found else ""


def _from_to(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _shown(found: Sequence[Values]) -> list[Values]:
    """All, or the few of many that are worth a look, each once."""
    if len(found) <= MOST_SHOWN:
        return [*found]
    lost = [each for each in found if each["lost"]][:FEW]
    there = [each for each in found if not each["lost"]]
    busiest = sorted(there, key=lambda each: -(each["cpu"] or 0.0))[:FEW]
    slowest = sorted(there, key=lambda each: each["rps"] or 0.0)[:FEW]
    by_identity = {id(each): each for each in (*lost, *busiest, *slowest)}
    return [*by_identity.values()]


def _typical(left_out: Sequence[Values]) -> dict[str, object]:
    """The median of each figure of those that have no row."""
    figures: dict[str, object] = {}
    for name in FIGURES:
        there = [each[name] for each in left_out if each.get(name) is not None]
        figures[name] = median(there) if there else None
    return {**figures, "name": f"{number(len(left_out))} others", "lost": None}


def _bars(worker: Values, found: Sequence[Values]) -> BarRow:
    fastest = max((each["rps"] or 0 for each in found), default=0) or 1
    # A process has no more than one core for its Python, and little besides.
    busiest = max(1.0, *(each["cpu"] or 0 for each in found))
    rate, cpu = worker["rps"] or 0.0, worker["cpu"] or 0.0
    said = number(rate)
    if worker["lost"]:
        said = f"{said}, lost"
    name = worker["name"]
    # What all addresses begin with tells none of them apart.
    _, _, address = name.partition("://")
    return BarRow(
        address or (f"worker {name}" if name.isdecimal() else name),
        [
            Bar("answers", rate / fastest, said),
            Bar("core", cpu / busiest, _core(cpu)),
        ],
        is_bad=bool(worker["lost"]),
    )


def _cells(worker: Values) -> list[str]:
    return [
        escaped(_short(worker["name"])),
        NONE if worker["rps"] is None else number(worker["rps"]),
        NONE if worker["answered"] is None else number(worker["answered"]),
        NONE if worker["failed"] is None else number(worker["failed"]),
        duration(worker["p99"]),
        NONE if worker["cpu"] is None else _core(worker["cpu"]),
        _clock(worker),
        duration(worker["skew"]),
        escaped(_short(worker["lost"])) if worker["lost"] else NONE,
    ]


def _class_of(worker: Values) -> str:
    return ' class="lost"' if worker["lost"] else ""


def _clock(worker: Values) -> str:
    """How far its clock is from ours, and how well that is known."""
    difference = worker["clock"]
    if difference is None:
        return NONE
    said = duration(abs(difference))
    sign = "" if difference == 0 else "+" if difference > 0 else "−"
    uncertainty = worker.get("clock_uncertainty")
    about = "" if uncertainty is None else f" ± {duration(uncertainty)}"
    return f"{sign}{said}{about}"


def _core(share: float) -> str:
    return f"{share:.0%}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _swatch(kind: str) -> str:
    return (
        '<svg class="swatch" viewBox="0 0 30 12" width="30" height="12" '
        f'aria-hidden="true"><rect class="bar {kind}" x="1" y="1" width="28" '
        'height="10"/></svg>'
    )
