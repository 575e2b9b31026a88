"""Controls as people write them: text in, `Controls` out. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

from nbtwisted.duration import parse_duration
from nbtwisted.http1.syntax import is_token
from nbtwisted.numeral import parse_decimal, parse_whole_number
from nbtwisted.server.model.body import Filler, Whole
from nbtwisted.server.model.controls import (
    LONGEST_SEQUENCE,
    NO_CONTROLS,
    Amount,
    Content,
    Controls,
    Drip,
    Fault,
    Limit,
    Slice,
    Statuses,
    parse_status,
)
from nbtwisted.server.model.delay import Delay, check_longest, parse_seconds
from nbtwisted.server.model.key import LONGEST_KEY

__all__ = [
    "CONTROLS",
    "PROXIED",
    "SERVED",
    "STREAMED",
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
class Vocabulary:
    """The controls that are known somewhere, without `_`, and the faults.

    all_rules_act   whether all rules act together; otherwise the first that is for a
                    request does
    needed          each control that does nothing alone, and what it needs one of
    """

    names: tuple[str, ...]
    faults: tuple[str, ...] = tuple(FAULTS)
    all_rules_act: bool = False
    needed: tuple[tuple[str, tuple[str, ...]], ...] = ()


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
            if name in ("delay", "ask_delay", "drip", "idle", "slice"):
                parse = partial(parse, longest=max_delay)
            elif name in ("fault", "seq"):
                parse = partial(parse, faults=faults)
            read[field] = _read(name, values[0], parse)
    return Controls(**read)


def _read(name: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise UnreadableControl(f"_{name}", text, str(error)) from None


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
        return Controls(statuses=Statuses((parse_status(text),)))
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


def _parse_slice(text: str, *, longest: float) -> Slice:
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
    check_longest(cut.pause, longest)
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
    needed=(
        ("after", ("fault",)),
        ("direction", ("delay", "rate", "slice", "fault")),
    ),
)
"""Of a proxy of streams."""
