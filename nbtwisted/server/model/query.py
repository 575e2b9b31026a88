"""Queries and forms: `application/x-www-form-urlencoded` text to fields. Pure.

As the URL standard parses it (https://url.spec.whatwg.org/#urlencoded-parsing), and
httpbin does: fields are separated by `&` only, `flag` without `=` has an empty value,
and a `%` that begins no escape stands for itself. Names and values stay bytes, because
not everything that can be escaped is UTF-8.
"""

from __future__ import annotations

import re

__all__ = ["Fields", "TooMany", "parse_fields"]

MOST_FIELDS = 1000
"""Fields of one query or form, as in Django and PHP."""

MOST_ESCAPES = 20_000
"""Percent signs in one query or form: each takes 0.2 µs, and a query has no room for so
many."""

Fields = dict[bytes, list[bytes]]
"""The values of each name, both in the order in which they came."""


# urllib's own takes a microsecond for each `%` that begins nothing.
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")

# To translate always takes the same time; to replace a million takes 5 ms.
_PLUS_IS_SPACE = bytes.maketrans(b"+", b" ")

_DIGITS = "0123456789abcdefABCDEF"
_BYTES = {
    f"{high}{low}".encode(): bytes.fromhex(high + low)
    for high in _DIGITS
    for low in _DIGITS
}


class TooMany(ValueError):
    """A query or a form has more than `most` of `what`: fields, escapes, parts."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(what, most)
        self.what = what
        self.most = most


def parse_fields(raw: bytes) -> Fields:
    """Read the fields of a query, or of a form; raises `TooMany`."""
    if raw.count(b"&") >= MOST_FIELDS:
        raise TooMany("fields", MOST_FIELDS)
    escapes = raw.count(b"%")
    if escapes > MOST_ESCAPES:
        raise TooMany("escapes", MOST_ESCAPES)
    fields: Fields = {}
    if b"+" in raw:
        raw = raw.translate(_PLUS_IS_SPACE)
    for field in raw.split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            if escapes:
                name, value = _unescaped(name), _unescaped(value)
            if name in fields:
                fields[name].append(value)
            else:
                fields[name] = [value]
    return fields


def _unescaped(raw: bytes) -> bytes:
    # Plain text, and the digits of an escape, by turns.
    parts = _ESCAPE.split(raw)
    parts[1::2] = map(_BYTES.__getitem__, parts[1::2])
    return b"".join(parts)
