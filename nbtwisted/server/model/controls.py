"""The controls that every route takes, as values. Pure.

A control is a query parameter with `_` before its name, or a header with `X-Nbtwisted-`
before it: `?_delay=2s` and `X-Nbtwisted-Delay: 2s` are the same. `control_text.py`
reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cached_property
from random import Random
from typing import Any, NamedTuple

from nbtwisted.numeral import parse_decimal
from nbtwisted.server.model.body import Body
from nbtwisted.server.model.delay import Delay
from nbtwisted.server.model.template import TextBody

__all__ = [
    "LONGEST_SEQUENCE",
    "NO_CONTROLS",
    "Amount",
    "Content",
    "Controls",
    "Drip",
    "Fault",
    "Limit",
    "Slice",
    "Statuses",
    "parse_status",
]

LONGEST_SEQUENCE = 100

_OF_NO_BEHAVIOUR = ("content", "headers", "read", "after", "slice", "direction")
"""The fields of `Controls` that are no fields of a `Behaviour`, or none as they are."""


def parse_status(text: str) -> int:
    """Read a status from 200 to 599; raises `ValueError`."""
    if not re.fullmatch(r"[2-5][0-9][0-9]", text):
        raise ValueError(text)
    return int(text)


@dataclass(frozen=True)
class Statuses:
    """A choice of statuses, by weight."""

    choices: tuple[int, ...]
    weights: tuple[float, ...] = ()

    def draw(self, random: Random) -> int:
        """The status of one response."""
        if len(self.choices) == 1:
            return self.choices[0]
        return random.choices(self.choices, self.weights or None)[0]

    @classmethod
    def parse(cls, text: str) -> Statuses:
        """Read `503`, `200,500` or `200:0.9,500:0.1`; raises `ValueError`."""
        expected = "a status from 200 to 599 such as 503, or 200:0.9,500:0.1"
        if text.count(",") >= LONGEST_SEQUENCE:
            raise ValueError(f"at most {LONGEST_SEQUENCE} statuses")
        weighted = [part.partition(":") for part in text.split(",")]
        try:
            choices = tuple(parse_status(status) for status, _, _ in weighted)
            # As httpbin has it, a status without a weight has the weight 1.
            weights = tuple(
                parse_decimal(weight) if colon else 1.0 for _, colon, weight in weighted
            )
        except ValueError:
            raise ValueError(expected) from None
        if not 0 < sum(weights) < float("inf"):
            raise ValueError("weights that are not all 0, as in 200:0.9,500:0.1")
        return cls(choices, weights)


@dataclass(frozen=True)
class Drip:
    """A body in `chunks` pieces, with `seconds` from the first to the last."""

    seconds: float
    chunks: int


@dataclass(frozen=True)
class Fault:
    """A way to break the wire, and how likely it is."""

    name: str
    probability: float = 1.0


@dataclass(frozen=True)
class Limit:
    """A token bucket: `requests` in `seconds`, and as many at once."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Amount:
    """So many seconds, or so many bytes: one of them is None."""

    seconds: float | None = None
    size: int | None = None


@dataclass(frozen=True)
class Slice:
    """How a stream is cut: into pieces of `size` bytes, give or take `variation`.

    `pause` is the seconds between two of them.
    """

    size: int
    variation: int = 0
    pause: float = 0.0


class Content(NamedTuple):
    """A body in place of another, and its Content-Type if that is replaced, too."""

    body: Body | TextBody
    content_type: str | None = None


@dataclass(frozen=True)
class Controls:
    """The controls of one request; None or empty where it has none.

    `steps` are those of the first request of the key, of the second, and so on; `rule`
    is the name of the rule whose controls these are.
    """

    delay: Delay | None = None
    statuses: Statuses | None = None
    drip: Drip | None = None
    rate: float | None = None
    content: Content | None = None
    headers: tuple[tuple[str, str], ...] = ()
    fault: Fault | None = None
    steps: tuple[Controls, ...] = ()
    limit: Limit | None = None
    key: str | None = None
    rule: str | None = None
    read: float | None = None
    """Bytes of the request's body that are read in a second."""
    idle: float | None = None
    """Seconds for which the connection is kept when the response is sent."""
    ask_delay: Delay | None = None
    """Before the upstream is asked."""
    after: Amount | None = None
    """How much of a stream passes before its fault."""
    slice: Slice | None = None
    direction: str | None = None
    """Of a stream: `up` to the upstream, `down` from there, or `both`."""

    @cached_property
    def header_names(self) -> frozenset[str]:
        """The names of its headers, in lower case."""
        return frozenset(name.lower() for name, _ in self.headers)

    @cached_property
    def changes(self) -> tuple[tuple[str, Any], ...]:
        """The fields of a `Behaviour` that are replaced as they are."""
        # A rate that was asked for is not to be outdone by the path's own drip.
        return tuple(
            (field.name, value)
            for field in fields(self)
            if field.name not in _OF_NO_BEHAVIOUR
            and (
                (value := getattr(self, field.name))
                or (field.name == "drip" and self.rate)
                or (field.name == "idle" and value is not None)
            )
        )


NO_CONTROLS = Controls()
