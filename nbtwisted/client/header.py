"""Header fields of a request. Pure."""

from __future__ import annotations

import os
from collections.abc import Sequence

from nbtwisted.http1.syntax import is_token, is_value

__all__ = ["Headers", "check_header", "merged", "parse_header"]

Headers = Sequence[tuple[str, str]]
"""Names and values, a character for each byte (ISO 8859-1), as `Head` has them."""

_OURS = frozenset(("content-length", "transfer-encoding", "connection"))


def parse_header(text: str) -> tuple[str, str]:
    """Read `Name: value`, or `Name:` for none, of a command's arguments.

    The value has a character for each byte that was typed, as `Headers` have it.

    Raises `ValueError`, whose text says what was expected.
    """
    name, colon, value = os.fsencode(text).decode("latin-1").partition(":")
    value = value.strip(" \t")
    if not colon:
        raise ValueError("expected 'Name: value'")
    check_header(name, value)
    return name, value


def check_header(name: str, value: str) -> None:
    """Raise `ValueError` for what cannot be sent, or would be more than a header."""
    if not is_token(name):
        raise ValueError("expected 'Name: value'")
    if not is_value(value):
        raise ValueError("expected a value without control characters")
    if name.lower() in _OURS:
        raise ValueError("expected a header that does not frame the request")


def merged(common: Headers, own: Headers) -> Headers:
    """The headers that all requests have, and one's own in place of those so named."""
    if not (common and own):
        return common or own
    names = {name.lower() for name, _ in own}
    return (*(each for each in common if each[0].lower() not in names), *own)
