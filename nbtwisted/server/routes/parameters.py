"""Reads the parameters of a request: those of its path, and its controls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.numeral import parse_whole_number
from nbtwisted.printable import printable
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.control_text import (
    CONTROLS,
    SERVED,
    UnreadableControl,
    Vocabulary,
    read_controls,
)
from nbtwisted.server.model.controls import NO_CONTROLS, Controls
from nbtwisted.server.model.delay import NO_DELAY, Delay, parse_seconds
from nbtwisted.server.model.multipart import Part, parse_parts
from nbtwisted.server.model.query import Fields, TooMany, parse_fields
from nbtwisted.server.model.request import Request

__all__ = [
    "Refused",
    "arguments",
    "controls",
    "delay",
    "duration",
    "own_arguments",
    "parameter",
    "parse_truth",
    "read",
    "read_fields",
    "read_parts",
    "refuse_controls",
    "too_many",
    "unreadable",
    "whole_number",
]

T = TypeVar("T")


class Refused(Exception):
    """The request cannot be carried out: `behaviour` says so to the client."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self.behaviour = behaviour


def unreadable(control: str, value: str, expected: str, error: str = "") -> Behaviour:
    """Answer that a control, or a part of the path, cannot be read."""
    return refusal(
        400,
        error or f"bad value for {control}",
        control=printable(control, longest=80),
        value=printable(value, longest=80),
        expected=expected,
    )


def read_fields(raw: bytes) -> Fields:
    """The fields of a form; raises `Refused` for too many of them, or of escapes."""
    try:
        return parse_fields(raw)
    except TooMany as error:
        raise too_many(error) from None


def read_parts(body: bytes, boundary: bytes) -> list[Part]:
    """The parts of a multipart form, none if it is not one.

    Raises `Refused` if they, or their heads, are above a cap.
    """
    try:
        return parse_parts(body, boundary)
    except TooMany as error:
        raise too_many(error) from None
    except ValueError:
        return []


def arguments(request: Request) -> Fields:
    """The parameters in a request's target; raises `Refused` if they are too many."""
    try:
        return request.fields
    except TooMany as error:
        raise too_many(error) from None


def own_arguments(request: Request) -> list[tuple[str, str]]:
    """The parameters that are no controls, of paths that take any; raises `Refused`."""
    return [
        (name.decode("utf-8", "backslashreplace"), value)
        for name, values in arguments(request).items()
        if name not in _NAMES
        for value in (value.decode("utf-8", "backslashreplace") for value in values)
    ]


def too_many(error: TooMany) -> Refused:
    """The refusal of a query or a form with too many fields, escapes or parts."""
    expected = f"a query, or a form, of at most {error.most} {error.what}"
    return Refused(refusal(400, f"too many {error.what}", expected=expected))


def parameter(request: Request, name: str, parse: Callable[[str], T], default: T) -> T:
    """A parameter of the path, or `default` if it is not given.

    `parse` raises `ValueError` with what was expected; this raises `Refused` then.
    """
    values = arguments(request).get(name.encode())
    if not values:
        return default
    return read(name, values[0].decode("utf-8", "backslashreplace"), parse)


def read(name: str, text: str, parse: Callable[[str], T]) -> T:
    """Read a parameter, or a part of the path, as `parameter` does."""
    try:
        return parse(text)
    except ValueError as error:
        raise Refused(unreadable(name, text, str(error))) from None


def delay(request: Request, longest: float) -> Delay:
    """The parameter `delay`, of up to `longest` seconds; raises `Refused`."""
    parse = partial(Delay.parse, longest=longest)
    return parameter(request, "delay", parse, NO_DELAY)


def parse_truth(text: str) -> bool:
    """Read `true` or `false`; raises `ValueError`."""
    if text.lower() not in ("true", "false", "t", "f", "1", "0"):
        raise ValueError("true or false")
    return text.lower() in ("true", "t", "1")


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """A reader of whole numbers in these bounds, which raises `ValueError`."""
    digits = max(len(str(abs(bound))) for bound in (lowest, highest))

    def parse(text: str) -> int:
        try:
            number = parse_whole_number(text.removeprefix("-"), digits=digits)
        except ValueError:
            number = highest + 1
        number = -number if text.startswith("-") else number
        if not lowest <= number <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return number

    return parse


def duration(longest: float) -> Callable[[str], float]:
    """A reader of durations up to `longest` seconds, which raises `ValueError`."""
    return partial(parse_seconds, longest=longest)


def controls(
    request: Request,
    max_delay: float,
    *,
    lenient: bool,
    vocabulary: Vocabulary = SERVED,
    in_query: bool = True,
) -> Controls:
    """The controls of a request; raises `Refused` for one that cannot be read.

    They are those of a `vocabulary`, in the header and `in_query`, if that is to be. A
    parameter that begins with `_` has to be a control, unless `lenient`.
    """
    given = request.headers.controls
    if in_query:
        given = _given(request, lenient, vocabulary)
    if not given:
        return NO_CONTROLS
    try:
        return _read((given, max_delay, vocabulary))
    except UnreadableControl as error:
        raise Refused(
            unreadable(error.control, error.value, error.expected, error.error)
        ) from None


_NAMES = frozenset(f"_{name}".encode() for name in CONTROLS)

Given = tuple[tuple[bytes, tuple[bytes, ...]], ...]
"""The names of controls, with `_` before them, and the values of each."""


def _is_known(name: bytes, vocabulary: Vocabulary) -> bool:
    return name[1:].decode("latin-1") in vocabulary.names


def _texts(given: Given) -> dict[str, list[str]]:
    """The values of controls, by their names without `_`."""
    texts: dict[str, list[str]] = {}
    for raw_name, values in given:
        name = raw_name[1:].decode("utf-8", "backslashreplace")
        texts.setdefault(name, []).extend(
            value.decode("utf-8", "backslashreplace") for value in values
        )
    return texts


def _is_short(it: tuple[Given, float, Vocabulary]) -> bool:
    size = sum(len(value) for _, values in it[0] for value in values)
    return size <= LONGEST_REMEMBERED


_read = Memo[tuple[Given, float, Vocabulary], Controls](
    lambda it: read_controls(_texts(it[0]), max_delay=it[1], vocabulary=it[2]),
    fits=_is_short,
)


def refuse_controls(request: Request, *, lenient: bool) -> None:
    """Raise `Refused` for a request that has controls, where none are taken."""
    for name in _texts(_given(request, lenient)):
        control = printable(f"_{name}", longest=80)
        error, expected = "this path takes no controls", f"no {control}"
        raise Refused(refusal(400, error, control=control, expected=expected))


def _given(request: Request, lenient: bool, vocabulary: Vocabulary = SERVED) -> Given:
    """The controls of a request: of its target, and of its header fields."""
    of_headers = request.headers.controls
    if not (request.query or of_headers):
        return ()
    given = [
        (name, tuple(values))
        for name, values in arguments(request).items()
        if name[:1] == b"_" and (not lenient or _is_known(name, vocabulary))
    ]
    return (*given, *of_headers)
