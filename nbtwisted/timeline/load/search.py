"""The search for the highest rate at which a condition holds, as a chart. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nbtwisted.printable import escaped
from nbtwisted.timeline.axis import tick_label
from nbtwisted.timeline.load.chart import (
    Axis,
    Band,
    Part,
    Points,
    Rule,
    Shape,
    linear,
    logarithmic,
)
from nbtwisted.timeline.load.charts import Values
from nbtwisted.timeline.load.figure import figure
from nbtwisted.timeline.page import html_text
from nbtwisted.timeline.quantity import NONE, counted, duration, number, percent

__all__ = ["found_rate_sentence", "trials"]

WIDE_RANGE = 20
"""Times as much as the least: above this, an axis is logarithmic."""

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

CONDITION = re.compile(r"\s*(\w[\w.]*)\s*([<>])=?\s*(\d+(?:\.\d*)?|\.\d+)\s*(\w+|%)?")


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
class _Goal:
    """A condition: its figure, its limit, and how people read its values."""

    figure: str
    limit: float | None
    shown: Callable[[float], str]
    tick: Callable[[float, float], str]
    is_upper_limit: bool = True

    @classmethod
    def parse(cls, condition: str) -> _Goal:
        """Read one such as `p99<200ms`; what it does not know has no limit."""
        found = CONDITION.match(condition)
        if found is None:
            return cls("value", None, number, _number_tick)
        figure, limit, unit = found[1], float(found[3]), found[4]
        is_upper_limit = found[2] == "<"
        if unit == "%":
            return cls(figure, limit / 100, percent, _percent_tick, is_upper_limit)
        if unit in SECONDS:
            limit *= SECONDS[unit]
            return cls(figure, limit, duration, tick_label, is_upper_limit)
        return cls(figure, limit, number, _number_tick, is_upper_limit)

    def breaks(self, value: float | None) -> bool:
        """Whether it did not hold, as far as the value tells."""
        if value is None or self.limit is None or value == self.limit:
            return False
        return (value > self.limit) is self.is_upper_limit


def _decisive(found: Values) -> tuple[_Goal, list[float | None]]:
    """Of several conditions the one that was broken most often, and its values."""
    goals = [_Goal.parse(text) for text in found["condition"].split(" and ")]
    columns = [
        [_value(trial, place) for trial in found["trials"]]
        for place in range(len(goals))
    ]
    broken = [
        sum(map(goal.breaks, column))
        for goal, column in zip(goals, columns, strict=True)
    ]
    place = broken.index(max(broken))
    return goals[place], columns[place]


def _value(trial: Values, place: int) -> float | None:
    """What the figure of a condition was in a trial."""
    values: Sequence[float | None] = trial.get("values") or [trial["value"]]
    return values[place] if place < len(values) else None


def _rate(rate: float) -> str:
    """In four digits: ends of a search are near to each other."""
    return f"{float(f'{rate:.4g}'):,.10g}"


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
            f"</strong> in {tried}.</p>{_rest('the last trial')}"
        )
    is_at_least = found.get("is_at_least")
    least = "at least " if is_at_least else ""
    said = (
        f"{condition} holds up to <strong>{least}{_rate(found['rate'])} requests a "
        "second</strong>"
    )
    if found["high"] is not None:
        high = _rate(found["high"])
        beyond = f"; at {high} the client was the limit"
        said += beyond if is_at_least else f", and not at {high}"
    if found.get("confidence"):
        tried += f"; confidence {found['confidence']:.0%}"
    if found.get("ended") in ("interrupted", "given up"):
        tried += f"; {found['ended']}"
    rest = _rest("the last trial that held at this rate")
    return f'<p class="answer">{said} ({tried}).</p>{rest}'


def _rest(what: str) -> str:
    return f'<p class="faint">All else on this page is of {what}.</p>'


def trials(report: Values) -> str:
    """Each trial by its rate and the figure that it had; nothing if there are none."""
    found = report.get("found_rate")
    if not found or not found["trials"]:
        return ""
    tried: Sequence[Values] = found["trials"]
    goal, values = _decisive(found)
    low, high = found["low"], found["high"]
    parts: list[Part] = []
    if low is not None and high is not None:
        parts.append(Band("where it ceases to hold", "bracket", low, high))
    if goal.limit is not None:
        parts.append(
            Rule(f"the limit of {escaped(goal.figure)}", "limit", [goal.limit], True)
        )
    for verdict, kind in KINDS.items():
        places = [
            (each["rate"], value)
            for each, value in zip(tried, values, strict=True)
            if _verdict(each) == verdict and value is not None
        ]
        if places:
            parts.append(Points(kind.name, kind.kind, places, kind.shape))
    x = _axis(
        "asked a second", [each["rate"] for each in tried], _number_tick, low or high
    )
    there = [value for value in values if value is not None]
    if goal.limit is not None:
        there.append(goal.limit)
    y = _axis(escaped(goal.figure), there or [1.0], goal.tick)
    return figure(
        "trials",
        "The search for the highest rate",
        _about(found, tried),
        x,
        y,
        parts,
        head=[
            *("asked a second", "trial", escaped(goal.figure)),
            *("answers a second", "the condition"),
        ],
        rows=[
            (
                each["rate"],
                [
                    _rate(each["rate"]),
                    str(place),
                    NONE if value is None else goal.shown(value),
                    NONE if each.get("rps") is None else number(each["rps"]),
                    KINDS[_verdict(each)].outcome,
                ],
            )
            for each, value, place in sorted(
                zip(tried, values, range(1, len(tried) + 1), strict=True),
                key=lambda one: (one[0]["rate"], one[2]),
            )
        ],
    )


def _verdict(trial: Values) -> str:
    verdict = trial.get("verdict")
    if verdict in KINDS:
        return str(verdict)
    return "held" if trial["holds"] else "failed"


def _about(found: Values, tried: Sequence[Values]) -> str:
    held = [each["rate"] for each in tried if _verdict(each) == "held"]
    others = [each["rate"] for each in tried if _verdict(each) == "failed"]
    rates = [each["rate"] for each in tried]
    low, high = _rate(min(rates)), _rate(max(rates))
    both = low if low == high else f"{low} to {high}"
    about = f"{counted(len(tried), 'trial')} at {both} requests a second."
    if held:
        about += f" It held at {_rate(max(held))} at most"
        about += f", and failed at {_rate(min(others))} at least." if others else "."
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
    """Logarithmic where values are far apart, or what matters is near to 0.

    It has no place for 0 then.
    """
    low, high = min(values), max(values)
    near = low if matters is None else max(matters, low)
    if low > 0 and high > WIDE_RANGE * near:
        return logarithmic(f"{title}, on a logarithmic scale", low, high, label)
    return linear(title, high, label)
