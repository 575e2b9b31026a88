"""What makes a run a failure: `p99>500ms`, `5xx>0`, `errors>1%`, `rps<1000`. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from nbtwisted.duration import parse_duration
from nbtwisted.numeral import parse_decimal

__all__ = ["Condition", "Kind", "NoCondition"]

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_CONDITION = re.compile(r"\s*([a-z0-9.]+)(?:\[([^\[\]<>]+)\])?\s*([<>]=?)\s*(\S+)\s*")
_PERCENTILE = re.compile(r"p([0-9]{1,3}(?:\.[0-9]{1,4})?)")
_STATUSES = re.compile(r"[1-9]xx|non2xx|[1-9][0-9][0-9]")
_EXPECTED = (
    "expected one such as p99>500ms, p99.9>=2s, mean>100ms, max>1s, errors>1%, "
    "errors>0, 5xx>0, non2xx>1%, 404>0, resent>0 or rps<1000, or of a label, as "
    "p99[login]>500ms"
)


class NoCondition(ValueError):
    """A text is nothing like a condition; its text says what was expected."""


class Kind(Enum):
    """What a condition's figure is."""

    LATENCY = "latency"
    """Seconds: `mean`, `min`, `max`, or a percentile such as `p99.9`."""
    RATE = "rate"
    """Responses a second: `rps`."""
    REQUESTS = "requests"
    """Requests that ended without a response (`errors`), or were sent again."""
    STATUSES = "statuses"
    """Responses with a status such as `404`, one of `5xx`, or none of `2xx`."""


@dataclass(frozen=True)
class Condition:
    """A figure, and the limit that it must not be beyond.

    The limit is in seconds, in responses a second, or a number of requests; or if it
    `is_share`, a part of all requests, from 0 to 1. With a `label`, all of it is of the
    requests that have that.
    """

    text: str
    figure: str
    kind: Kind
    sign: str
    limit: float
    is_share: bool = False
    label: str | None = None

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition; raises `ValueError`, whose text says what was expected."""
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise NoCondition(_EXPECTED)
        figure, label, sign, limit = match.groups()
        kind = _kind(figure)
        is_share = limit.endswith("%") and kind in (Kind.REQUESTS, Kind.STATUSES)
        try:
            if kind is Kind.LATENCY:
                value = parse_duration(limit)
            else:
                value = parse_decimal(limit[:-1] if is_share else limit)
        except ValueError:
            raise NoCondition(_EXPECTED) from None
        if kind is Kind.LATENCY and limit[-1] not in "ms":
            raise ValueError(
                f"expected a unit, as in {figure}{sign}{limit}ms or "
                f"{figure}{sign}{limit}s"
            )
        if is_share:
            value /= 100
        condition = cls(text.strip(), figure, kind, sign, value, is_share, label)
        if not (condition.holds(0.0) or condition.holds(condition.most)):
            raise ValueError("expected a condition that can hold, such as errors>1%")
        return condition

    def holds(self, value: float) -> bool:
        """Whether it does for the figure's value: the run is then a failure."""
        return _OPERATORS[self.sign](value, self.limit)

    def negated(self) -> Condition:
        """The condition that holds where this one does not."""
        sign = _OPPOSITE[self.sign]
        return replace(self, text=self.text.replace(self.sign, sign), sign=sign)

    @property
    def most(self) -> float:
        """As much as the figure can be."""
        return 1.0 if self.is_share else 1e300

    @property
    def percentile(self) -> float | None:
        """In percent, if the figure is one; the slowest is one, too."""
        match = _PERCENTILE.fullmatch(self.figure)
        if match is not None:
            return float(match[1])
        return 100.0 if self.figure == "max" else None

    @property
    def is_upper_limit(self) -> bool:
        """Whether it holds for what is large."""
        return self.sign in (">", ">=")


def _kind(figure: str) -> Kind:
    percentile = _PERCENTILE.fullmatch(figure)
    if figure in ("mean", "min", "max"):
        return Kind.LATENCY
    if percentile is not None and 0 < float(percentile[1]) <= 100:
        return Kind.LATENCY
    if figure == "rps":
        return Kind.RATE
    if figure in ("errors", "resent"):
        return Kind.REQUESTS
    if _STATUSES.fullmatch(figure):
        return Kind.STATUSES
    raise NoCondition(_EXPECTED)
