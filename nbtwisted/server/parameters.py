"""Reads the parameters of a request: those of its path, and its controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from twisted.web.http import Request, parse_qs

from nbtwisted.duration import EXPECTED, parse_duration
from nbtwisted.numeral import parse_whole_number
from nbtwisted.printable import printable
from nbtwisted.server.behaviour import Behaviour, refusal
from nbtwisted.server.controls import (
    CONTROLS,
    Controls,
    UnreadableControl,
    read_controls,
)

__all__ = [
    "Refused",
    "arguments",
    "controls",
    "duration",
    "header",
    "parameter",
    "unreadable",
    "whole_number",
]

T = TypeVar("T")

_CONTROLS = {b"_" + name.encode(): name for name in CONTROLS}


class Refused(Exception):
    """The request cannot be carried out: `behaviour` says so to the client."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self.behaviour = behaviour


def unreadable(control: str, value: str, expected: str) -> Behaviour:
    """Answer that a control, or a part of the path, cannot be read."""
    return refusal(
        400,
        f"bad value for {control}",
        control=control,
        value=printable(value, longest=80),
        expected=expected,
    )


def arguments(request: Request) -> Mapping[bytes, Sequence[bytes]]:
    """The parameters in a request's target, and nothing that came in its body."""
    of_target: Mapping[bytes, Sequence[bytes]] = request.args
    if request.method == b"POST":
        # twisted.web has added the fields of the form.
        of_target = parse_qs(request.uri.partition(b"?")[2], keep_blank_values=True)
    return of_target


def header(request: Request, name: str) -> str | None:
    """The value of a header of the request, or the last if it has several."""
    # twisted.web's own raises for what is not UTF-8.
    value: bytes | None = request.getHeader(name.encode())
    return None if value is None else value.decode("utf-8", "replace")


def parameter(request: Request, name: str, parse: Callable[[str], T], default: T) -> T:
    """A parameter of the path, or `default` if it is not given.

    `parse` raises `ValueError` with what was expected; this raises `Refused` then.
    """
    values = arguments(request).get(name.encode())
    if not values:
        return default
    text = values[0].decode("utf-8", "backslashreplace")
    try:
        return parse(text)
    except ValueError as error:
        raise Refused(unreadable(name, text, str(error))) from None


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """What reads a whole number in these bounds, and raises `ValueError` else."""

    def parse(text: str) -> int:
        try:
            number = parse_whole_number(text.removeprefix("-"))
        except ValueError:
            number = highest + 1
        number = -number if text.startswith("-") else number
        if not lowest <= number <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return number

    return parse


def duration(longest: float) -> Callable[[str], float]:
    """What reads a duration of at most `longest` seconds; it raises `ValueError`."""

    def parse(text: str) -> float:
        try:
            seconds = parse_duration(text)
        except ValueError:
            raise ValueError(EXPECTED) from None
        if seconds > longest:
            raise ValueError(f"at most {longest:g} seconds, this server's --max-delay")
        return seconds

    return parse


def controls(request: Request, max_delay: float) -> Controls:
    """The controls of a request; raises `Refused` for one that cannot be read."""
    given = {
        _CONTROLS[name]: [value.decode("utf-8", "backslashreplace") for value in values]
        for name, values in arguments(request).items()
        if name in _CONTROLS
    }
    for raw_name, raw_values in request.requestHeaders.getAllRawHeaders():
        if raw_name.lower().startswith(b"x-nbtwisted-"):
            name = raw_name[len(b"x-nbtwisted-") :].decode("latin-1").lower()
            given.setdefault(name, []).extend(
                value.decode("utf-8", "backslashreplace") for value in raw_values
            )
    try:
        return read_controls(given, max_delay=max_delay)
    except UnreadableControl as error:
        raise Refused(unreadable(error.control, error.value, error.expected)) from None
