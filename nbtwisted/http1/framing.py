"""What a head says of the body behind it, and of the connection. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from nbtwisted.numeral import parse_whole_number

__all__ = ["BODILESS", "elements", "keeps_alive", "parse_length"]

BODILESS = frozenset((204, 304))
"""Statuses of 200 and above that no body follows: RFC 9110, 15.3.5 and 15.4.5."""


def elements(values: Iterable[bytes]) -> list[bytes]:
    """The elements of a list in the values of a field, in lower case."""
    return [e.strip(b" \t") for value in values for e in value.lower().split(b",")]


def parse_length(value: str) -> int:
    """Read a Content-Length: bytes of a body.

    Raises `ValueError`, whose text says what was expected.
    """
    # RFC 9110, 8.6, has no limit for zeros in front, and a head has one.
    return parse_whole_number(value.lstrip("0") or value[:1])


def keeps_alive(options: Collection[bytes], *, is_1_0: bool) -> bool:
    """Whether a connection stays open behind a message: RFC 9112, 9.3.

    `options` are the elements of Connection.
    """
    return b"close" not in options and (not is_1_0 or b"keep-alive" in options)
