"""A run beside an earlier one: what has changed, and what may be chance. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nbtwisted.printable import escaped
from nbtwisted.timeline.load.chart import NARROW, WIDE, Points, swatch
from nbtwisted.timeline.load.charts import Values
from nbtwisted.timeline.load.row_chart import SHAPES, Change, ChangeKind, change_chart
from nbtwisted.timeline.page import html_text
from nbtwisted.timeline.quantity import NONE, duration, number, percent
from nbtwisted.timeline.table import table

__all__ = ["comparison"]

HEADING = "Before and now"

WORDS: dict[ChangeKind, str] = {
    "better": "better, beyond noise",
    "worse": "worse, beyond noise",
    "noise": "within noise",
    "unknown": "too few to tell",
}

GOOD_IF_LARGE = ("rps",)
"""Figures of which more is better; of all others, less is."""

SHARES = ("errors",)
"""Figures that are shares, and so is their change: the difference of both."""


def comparison(report: Values) -> str:
    """A picture and a table of the changes; nothing if nobody asked for them."""
    found = report.get("comparison")
    if not found or not found["figures"]:
        return ""
    figures: Sequence[Values] = found["figures"]
    about = _about(figures)
    # A difference of shares, as that of errors is, and a change from nothing have no
    # place among ratios.
    rows = [
        Change(
            each["figure"],
            _kind(each),
            each["change"],
            each["low"],
            each["high"],
            _change(each["figure"], each["change"]),
        )
        for each in figures
        if each["change"] is not None and each["figure"] not in SHARES
    ]
    drawn = "".join(
        change_chart("comparison", HEADING, about, rows, layout=layout)
        for layout in (WIDE, NARROW)
    )
    kinds = [kind for kind in WORDS if any(row.kind == kind for row in rows)]
    key = "".join(
        f"<li>{swatch(Points('', kind, [], SHAPES[kind]))}{WORDS[kind]}</li>"
        for kind in kinds
    )
    listed = table(
        ["figure", "before", "now", "change", "between (95%)", ""],
        [(f' class="{_kind(each)}"', _cells(each)) for each in figures],
        words=1,
    )
    return (
        f'<figure class="across" id="comparison">\n<figcaption><h2>{HEADING}</h2>'
        f'<p class="faint">Before is <code><bdi>{html_text(found["file"])}</bdi></code>'
        f". {escape(about)}</p></figcaption>\n"
        f'<ul class="key">{key}</ul>\n'
        f'<div class="canvas">{drawn}</div>\n'
        f'<div class="rows" tabindex="0" role="region" aria-label="{HEADING}, as a '
        f'table">{listed}</div>\n</figure>'
    )


def _about(figures: Sequence[Values]) -> str:
    worse, better = (
        [
            f"{escaped(each['figure'])} ({_by(each)})"
            for each in figures
            if _kind(each) == kind
        ]
        for kind in ("worse", "better")
    )
    said = [
        f"Beyond noise, {', '.join(names)} got {how}."
        for how, names in (("worse", worse), ("better", better))
        if names
    ]
    if not said and all(_kind(each) == "unknown" for each in figures):
        return "There is too little to tell a difference from noise."
    return " ".join(said) or "No difference is beyond the noise of the runs."


def _kind(each: Values) -> ChangeKind:
    if each["is_beyond_noise"] is None:
        return "unknown"
    if not each["is_beyond_noise"]:
        return "noise"
    change = each["change"]
    grew = each["now"] > each["before"] if change is None else change > 0
    return "better" if grew == (each["figure"] in GOOD_IF_LARGE) else "worse"


def _cells(each: Values) -> list[str]:
    name, between = each["figure"], NONE
    if each["low"] is not None and each["high"] is not None:
        between = f"{_change(name, each['low'])} to {_change(name, each['high'])}"
    return [
        escaped(each["figure"]),
        _value(each["figure"], each["before"]),
        _value(each["figure"], each["now"]),
        _change(name, each["change"]),
        between,
        WORDS[_kind(each)],
    ]


def _by(each: Values) -> str:
    """Its change; where there was nothing to have a share of, what it was."""
    if each["change"] is None:
        return f"was {_value(each['figure'], each['before'])}"
    return _change(each["figure"], each["change"])


def _value(figure: str, value: float) -> str:
    if figure == "rps":
        return number(value)
    return percent(value) if figure in SHARES else duration(value)


def _change(figure: str, change: float | None) -> str:
    """`+12%`, `−0.4%`, `+230%`; of errors, `+1.2 points`: a difference of shares."""
    if change is None:
        return NONE
    if figure in SHARES:
        return f"{change * 100:+.2f} points".replace("-", "−")
    decimals = 0 if abs(change) >= 0.0995 else 1
    return f"{change * 100:+.{decimals}f}%".replace("-", "−")
