"""The controls that every route takes: text in, `Controls` out. Pure.

A control is a query parameter with `_` before its name, or a header with `X-Nbtwisted-`
before it: `?_delay=2s` and `X-Nbtwisted-Delay: 2s` are the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cached_property, partial
from random import Random
from typing import Any, NamedTuple, TypeVar

from nbtwisted.duration import parse_duration
from nbtwisted.http1.syntax import is_token
from nbtwisted.numeral import parse_decimal, parse_whole_number
from nbtwisted.server.model.body import Body, Filler, Whole
from nbtwisted.server.model.delay import Delay, check_longest, parse_seconds
from nbtwisted.server.model.key import LONGEST_KEY
from nbtwisted.server.model.template import TextBody

__all__ = [
    "CONTROLS",
    "NO_CONTROLS",
    "PROXIED",
    "SERVED",
    "STREAMED",
    "Amount",
    "Content",
    "Controls",
    "Drip",
    "Fault",
    "Limit",
    "Slice",
    "Statuses",
    "UnreadableControl",
    "Vocabulary",
    "parse_byte_rate",
    "parse_header",
    "parse_probability",
    "parse_size",
    "read_controls",
]

T = TypeVar("T")

LARGEST_BODY = 100 * 1024 * 1024
"""Bytes: the largest body that a request may ask for."""

LONGEST_SEQUENCE = 100
LONGEST_NAME = 20
"""Characters of an unknown name that are compared with the controls' names."""

MOST_CHUNKS = 10_000

FAULTS = {
    "reset": "CONNECTION_RESET_BY_PEER",
    "empty": "EMPTY_RESPONSE",
    "garbage": "RANDOM_DATA_THEN_CLOSE",
    "malformed-chunk": "MALFORMED_RESPONSE_CHUNK",
    "truncate": "",
    "wrong-length": "",
    "stall": "",
    "stall-body": "",
    "slow-headers": "",
}
"""The names of the faults, and WireMock's names for those of its own."""

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

_RATE_UNITS = {"B": 1, "kB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2}


class UnreadableControl(ValueError):
    """A control has a name that is unknown, or a value that cannot be read.

    control    its name, with `_`
    value      its text
    expected   texts that can be read, or names, of which the first is the nearest
    error      says which of the two it is
    """

    def __init__(
        self, control: str, value: str, expected: str, error: str = ""
    ) -> None:
        super().__init__(control, value, expected, error)
        self.control = control
        self.value = value
        self.expected = expected
        self.error = error or f"bad value for {control}"


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
            choices = tuple(_parse_status(status) for status, _, _ in weighted)
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


@dataclass(frozen=True)
class Vocabulary:
    """The controls that are known somewhere, without `_`, and the faults.

    all_rules_act   whether all rules act together; otherwise the first that is for a
                    request does
    """

    names: tuple[str, ...]
    faults: tuple[str, ...] = tuple(FAULTS)
    all_rules_act: bool = False


def read_controls(
    given: Mapping[str, Sequence[str]],
    *,
    max_delay: float,
    vocabulary: Vocabulary | None = None,
) -> Controls:
    """Read the controls of a request, from all values of each name.

    The names are those of `vocabulary`, or `CONTROLS`. `header` may be given again and
    again, and others only with the same value.

    Raises `UnreadableControl`.
    """
    if not given:
        return NO_CONTROLS
    known, faults = (vocabulary or SERVED).names, (vocabulary or SERVED).faults
    unknown = set(given) - set(known)
    if unknown:
        name = min(unknown)
        expected = "one of _" + ", _".join(known)
        # A name may be as long as a target.
        nearest = get_close_matches(name[:LONGEST_NAME].lower(), known, n=1)
        if nearest:
            expected = f"_{nearest[0]}, or another {expected}"
        raise UnreadableControl(f"_{name}", given[name][0], expected, "no such control")

    read: dict[str, Any] = {}
    for name, (field, parse) in _FIELDS.items():
        values = given.get(name, ())
        if values and read.get(field):
            raise UnreadableControl(f"_{name}", values[0], "one of size, body and json")
        if name == "header":
            read[field] = tuple(_read(name, value, parse) for value in values)
        elif len(set(values)) > 1:
            raise UnreadableControl(f"_{name}", ", ".join(values), "one value")
        elif values:
            if name in ("delay", "ask_delay", "drip", "idle"):
                parse = partial(parse, longest=max_delay)
            elif name in ("fault", "seq"):
                parse = partial(parse, faults=faults)
            read[field] = _read(name, values[0], parse)
    return Controls(**read)


NO_CONTROLS = Controls()


def _read(name: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise UnreadableControl(f"_{name}", text, str(error)) from None


def _parse_status(text: str) -> int:
    if not re.fullmatch(r"[2-5][0-9][0-9]", text):
        raise ValueError(text)
    return int(text)


def parse_size(text: str) -> int:
    """Read a number of bytes; raises `ValueError`."""
    try:
        size = parse_whole_number(text)
    except ValueError:
        size = LARGEST_BODY + 1
    if size > LARGEST_BODY:
        raise ValueError(f"a whole number of bytes from 0 to {LARGEST_BODY}")
    return size


def _parse_drip(text: str, *, longest: float) -> Drip:
    duration, _, chunks = text.partition("/")
    try:
        drip = Drip(parse_duration(duration), parse_whole_number(chunks))
    except ValueError:
        drip = Drip(0.0, 0)
    if drip.chunks == 0:
        raise ValueError("a duration and a number of chunks such as 5s/10")
    if drip.chunks > MOST_CHUNKS:
        raise ValueError(f"at most {MOST_CHUNKS} chunks")
    check_longest(drip.seconds, longest)
    return drip


def parse_byte_rate(text: str) -> float:
    """Read a number of bytes, or of bytes a second; raises `ValueError`."""
    match = re.fullmatch(r"([0-9.]+)(B|kB|KiB|MB|MiB)?", text)
    try:
        rate = parse_decimal(match[1]) * _RATE_UNITS[match[2] or "B"] if match else 0.0
    except ValueError:
        rate = 0.0
    if not 1 <= rate < float("inf"):
        raise ValueError("bytes a second such as 500, 10kB or 1MB, 1 or more")
    return rate


def parse_header(text: str) -> tuple[str, str]:
    """Read `Name:Value`; raises `ValueError`."""
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if not colon or not is_token(name):
        raise ValueError("Name:Value")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise ValueError("Name:Value without CR, LF, NUL or other control characters")
    if name.lower() in ("content-length", "transfer-encoding"):
        raise ValueError("a header that does not frame the body: _fault breaks framing")
    return name, value


def _parse_fault(text: str, *, faults: Sequence[str]) -> Fault:
    name, colon, probability = text.partition(":")
    known = {theirs: ours for ours, theirs in FAULTS.items() if theirs}
    name = known.get(name, name)
    if name not in faults:
        raise ValueError("one of " + ", ".join(faults) + ", or one with :0.1 behind it")
    return Fault(name, parse_probability(probability) if colon else 1.0)


def parse_probability(text: str) -> float:
    """Read a number from 0 to 1; raises `ValueError` with what was expected."""
    try:
        probability = parse_decimal(text)
    except ValueError:
        probability = math.inf
    if probability > 1:
        raise ValueError("a probability from 0 to 1")
    return probability


def _parse_sequence(text: str, *, faults: Sequence[str]) -> tuple[Controls, ...]:
    parts = text.split(",")
    if len(parts) > LONGEST_SEQUENCE:
        raise ValueError(f"at most {LONGEST_SEQUENCE} statuses and faults")
    return tuple(_parse_step(part, faults) for part in parts)


def _parse_step(text: str, faults: Sequence[str]) -> Controls:
    try:
        return Controls(statuses=Statuses((_parse_status(text),)))
    except ValueError:
        pass
    try:
        return Controls(fault=_parse_fault(text, faults=faults))
    except ValueError:
        expected = "statuses from 200 to 599 and faults such as 503,reset,200"
        raise ValueError(expected) from None


def _parse_body(text: str) -> Content:
    return Content(Whole(text.encode("utf-8", "replace")), TEXT)


def _parse_json(text: str) -> Content:
    try:
        json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError('JSON such as {"a": [1, 2]}') from None
    return Content(Whole(text.encode("utf-8", "replace")), JSON)


def _no_number(text: str) -> float:
    raise ValueError(text)


def _parse_limit(text: str) -> Limit:
    requests, _, duration = text.partition("/")
    try:
        limit = Limit(parse_whole_number(requests), parse_duration(duration))
    except ValueError:
        limit = Limit(0, 0.0)
    if limit.requests == 0 or limit.seconds == 0:
        raise ValueError("requests in a duration such as 5/10s")
    return limit


def _parse_key(text: str) -> str:
    if not 0 < len(text) <= LONGEST_KEY:
        raise ValueError(f"1 to {LONGEST_KEY} characters")
    return text


def _parse_amount(text: str) -> Amount:
    try:
        return Amount(seconds=parse_duration(text))
    except ValueError:
        pass
    try:
        return Amount(size=int(parse_byte_rate(text)))
    except ValueError:
        raise ValueError("a duration such as 2s, or bytes such as 10kB") from None


def _parse_slice(text: str) -> Slice:
    try:
        size, *rest = text.split(",")
        variation, pause = (*rest, "0", "0")[:2] if len(rest) < 3 else ("", "")
        cut = Slice(
            parse_whole_number(size),
            parse_whole_number(variation),
            parse_duration(pause),
        )
    except ValueError:
        cut = Slice(0)
    if not 0 <= cut.variation < cut.size <= LARGEST_BODY:
        raise ValueError(
            "bytes such as 100, or 100,20,5ms: with a smaller variation, and a pause"
        )
    return cut


def _parse_direction(text: str) -> str:
    if text not in ("up", "down", "both"):
        raise ValueError("up, down or both")
    return text


_FIELDS: dict[str, tuple[str, Callable[..., Any]]] = {
    "delay": ("delay", Delay.parse),
    "status": ("statuses", Statuses.parse),
    "drip": ("drip", _parse_drip),
    "rate": ("rate", parse_byte_rate),
    "size": ("content", lambda text: Content(Filler(parse_size(text)))),
    "body": ("content", _parse_body),
    "json": ("content", _parse_json),
    "header": ("headers", parse_header),
    "fault": ("fault", _parse_fault),
    "seq": ("steps", _parse_sequence),
    "limit": ("limit", _parse_limit),
    "key": ("key", _parse_key),
    "read": ("read", parse_byte_rate),
    "idle": ("idle", parse_seconds),
    "ask_delay": ("ask_delay", Delay.parse),
    "after": ("after", _parse_amount),
    "slice": ("slice", _parse_slice),
    "direction": ("direction", _parse_direction),
}
"""The field of `Controls` for each control, and what reads it."""

_OF_NO_BEHAVIOUR = ("content", "headers", "read", "after", "slice", "direction")

_OF_STREAMS = ("after", "slice", "direction")

CONTROLS = tuple(name for name in _FIELDS if name not in (*_OF_STREAMS, "ask_delay"))
"""The names of the controls that requests have, without `_`."""

SERVED = Vocabulary(CONTROLS)
"""Of the server."""

PROXIED = Vocabulary((*CONTROLS, "ask_delay"))
"""Of a proxy of HTTP."""

STREAMED = Vocabulary(
    ("delay", "rate", "fault", *_OF_STREAMS),
    ("reset", "stall", "close"),
    all_rules_act=True,
)
"""Of a proxy of streams."""
