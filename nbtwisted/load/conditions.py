"""What makes a run a failure: `p99>500ms`, `errors>1%`, `rps<1000`. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from nbtwisted.duration import parse_duration

__all__ = ["Condition"]

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_EXPECTED = (
    "expected one such as p99>500ms, p99.9>=2s, mean>100ms, max>1s, errors>1%, "
    "errors>0 or rps<1000"
)


@dataclass(frozen=True)
class Condition:
    """A figure, and the limit that it must not be beyond.

    The figure is `errors` (a part of all requests if `is_share`, else how many), `rps`
    (answers a second), or in seconds `mean`, `min`, `max` or a percentile such as
    `p99.9`.
    """

    text: str
    figure: str
    sign: str
    limit: float
    is_share: bool = False

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition; raises `ValueError`."""
        match = re.fullmatch(r"\s*([a-z]+[0-9.]*)\s*([<>]=?)\s*(\S+)\s*", text)
        if match is None:
            raise ValueError(_EXPECTED)
        figure, sign, limit = match.groups()
        percent = re.fullmatch(r"p([0-9]{1,3}(?:\.[0-9]{1,4})?)", figure)
        try:
            if figure in ("errors", "rps"):
                number = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(%?)", limit)
                if number is None or (number[2] and figure == "rps"):
                    raise ValueError(_EXPECTED)
                share = bool(number[2])
                value = float(number[1]) / (100 if share else 1)
                return cls(text.strip(), figure, sign, value, share)
            is_known = figure in ("mean", "min", "max")
            if not is_known and (percent is None or not 0 < float(percent[1]) <= 100):
                raise ValueError(_EXPECTED)
            return cls(text.strip(), figure, sign, parse_duration(limit))
        except ValueError:
            raise ValueError(_EXPECTED) from None

    def holds(self, value: float) -> bool:
        """Whether it does for the figure's value: the run is then a failure."""
        return _OPERATORS[self.sign](value, self.limit)
