"""The search for the highest rate at which a condition holds, as a chart. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nbtwisted.printable import escaped
from nbtwisted.timeline.axis import tick_label
from nbtwisted.timeline.chart import (
    Axis,
    Band,
    Part,
    Points,
    Rule,
    Shape,
    linear,
    logarithmic,
)
from nbtwisted.timeline.figure import figure
from nbtwisted.timeline.load_charts import Values
from nbtwisted.timeline.page import html_text
from nbtwisted.timeline.quantity import NONE, counted, duration, number, percent

__all__ = ["found_rate_sentence", "trials"]

WIDE_RANGE = 20
"""Times as much as the least: above this, an axis is logarithmic."""

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

CONDITION = re.compile(r"\s*(\w[\w.]*)\s*[<>]=?\s*(\d+(?:\.\d*)?|\.\d+)\s*(\w+|%)?")


@dataclass(frozen=True)
class _Kind:
    """What came of a trial: its class and shape, in the key and in the table."""

    kind: str
    shape: Shape
    name: str
    outcome: str


KINDS = {
    "held": _Kind("held", "disc", "the condition held", "held"),
    "failed": _Kind("broken", "cross", "it did not", "did not hold"),
    "limited": _Kind(
        *("limited", "circle", "the client was the limit"),
        "was not tried: the client was the limit",
    ),
}


@dataclass(frozen=True)
class _Scale:
    """The figure of a condition, its limit, and how people read its values."""

    figure: str
    limit: float | None
    shown: Callable[[float], str]
    tick: Callable[[float, float], str]

    @classmethod
    def of(cls, condition: str) -> _Scale:
        """That of the first, if there are several."""
        found = CONDITION.match(condition)
        if found is None:
            return cls("value", None, number, _number_tick)
        figure, limit, unit = found[1], float(found[2]), found[3]
        if unit == "%":
            return cls(figure, limit / 100, percent, _percent_tick)
        if unit in SECONDS:
            return cls(figure, limit * SECONDS[unit], duration, tick_label)
        return cls(figure, limit, number, _number_tick)


def _number_tick(value: float, _: float) -> str:
    return number(value)


def _percent_tick(value: float, _: float) -> str:
    return f"{value * 100:.6g}%"


def found_rate_sentence(report: Values) -> str:
    """The answer; nothing if nobody asked."""
    found = report.get("found_rate")
    if not found:
        return ""
    tried = counted(len(found["trials"]), "trial")
    condition = f"<code>{html_text(found['condition'])}</code>"
    if found["rate"] is None:
        return (
            f'<p class="answer">{condition} <strong class="bad">held at no rate'
            f"</strong> in {tried}.</p>"
        )
    least = "at least " if found.get("is_at_least") else ""
    said = (
        f"{condition} holds up to <strong>{least}{number(found['rate'])} requests a "
        "second</strong>"
    )
    if found["high"] is not None:
        said += f", and not at {number(found['high'])}"
    if found.get("confidence"):
        tried += f"; confidence {percent(found['confidence'])}"
    if found.get("ended") in ("interrupted", "given up"):
        tried += f"; {found['ended']}"
    return f'<p class="answer">{said} ({tried}).</p>'


def trials(report: Values) -> str:
    """Each trial by its rate and the figure that it had; nothing if there are none."""
    found = report.get("found_rate")
    if not found or not found["trials"]:
        return ""
    tried: Sequence[Values] = found["trials"]
    scale = _Scale.of(found["condition"])
    low, high = found["low"], found["high"]
    parts: list[Part] = []
    if low is not None and high is not None:
        parts.append(Band("where it ceases to hold", "bracket", low, high))
    if scale.limit is not None:
        parts.append(
            Rule(f"the limit of {escaped(scale.figure)}", "limit", [scale.limit], True)
        )
    for verdict, kind in KINDS.items():
        places = [
            (each["rate"], each["value"])
            for each in tried
            if _verdict(each) == verdict and each["value"] is not None
        ]
        if places:
            parts.append(Points(kind.name, kind.kind, places, kind.shape))
    x = _axis(
        "asked a second", [each["rate"] for each in tried], _number_tick, low or high
    )
    values = [each["value"] for each in tried if each["value"] is not None]
    y = _axis(escaped(scale.figure), [*values, scale.limit or 0], scale.tick)
    return figure(
        "trials",
        "The search for the highest rate",
        _about(found, tried, scale),
        x,
        y,
        parts,
        head=[
            *("asked a second", "trial", escaped(scale.figure)),
            *("answers a second", "the condition"),
        ],
        rows=[
            (
                each["rate"],
                [
                    number(each["rate"]),
                    str(place),
                    NONE if each["value"] is None else scale.shown(each["value"]),
                    NONE if each.get("rps") is None else number(each["rps"]),
                    KINDS[_verdict(each)].outcome,
                ],
            )
            for place, each in sorted(
                enumerate(tried, 1), key=lambda one: (one[1]["rate"], one[0])
            )
        ],
    )


def _verdict(trial: Values) -> str:
    verdict = trial.get("verdict")
    if verdict in KINDS:
        return str(verdict)
    return "held" if trial["holds"] else "failed"


def _about(found: Values, tried: Sequence[Values], scale: _Scale) -> str:
    held = [each["rate"] for each in tried if _verdict(each) == "held"]
    others = [each["rate"] for each in tried if _verdict(each) == "failed"]
    rates = [each["rate"] for each in tried]
    low, high = number(min(rates)), number(max(rates))
    both = low if low == high else f"{low} to {high}"
    about = f"{counted(len(tried), 'trial')} at {both} requests a second."
    if held:
        about += f" It held at {number(max(held))} at most"
        about += f", and failed at {number(min(others))} at least." if others else "."
    elif others:
        about += " It held at none of them."
    if found.get("limited_by"):
        about += f" The client was the limit: {escaped(found['limited_by'])}."
    return about


def _axis(
    title: str,
    values: Sequence[float],
    label: Callable[[float, float], str],
    matters: float | None = None,
) -> Axis:
    """Logarithmic where values are far apart, or what matters is near to 0."""
    there = [value for value in values if value > 0] or [1.0]
    low, high = min(there), max(there)
    near = low if matters is None else max(matters, low)
    if high > WIDE_RANGE * near:
        return logarithmic(f"{title}, on a logarithmic scale", low, high, label)
    return linear(title, high, label)
