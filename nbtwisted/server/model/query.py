"""Queries and forms: `application/x-www-form-urlencoded` text to fields. Pure.

As the URL standard parses it (https://url.spec.whatwg.org/#urlencoded-parsing), and
httpbin does: fields are separated by `&` only, `flag` without `=` has an empty value,
and a `%` that begins no escape stands for itself. Names and values stay bytes, because
a stranger may escape what is no UTF-8.
"""

from __future__ import annotations

import re

__all__ = ["MOST_FIELDS", "Fields", "TooManyFields", "parse_fields"]

MOST_FIELDS = 1000
"""Fields of one query or form, as in Django and PHP."""

Fields = dict[bytes, list[bytes]]
"""The values of each name, both in the order in which they came."""


# urllib's own takes a microsecond for each `%` that begins nothing.
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


class TooManyFields(ValueError):
    """A query or a form has more than `MOST_FIELDS` fields."""


def parse_fields(raw: bytes) -> Fields:
    """Read the fields of a query, or of a form; raises `TooManyFields`."""
    if raw.count(b"&") >= MOST_FIELDS:
        raise TooManyFields
    fields: Fields = {}
    for field in raw.replace(b"+", b" ").split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            fields.setdefault(_unescaped(name), []).append(_unescaped(value))
    return fields


def _unescaped(raw: bytes) -> bytes:
    if b"%" not in raw:
        return raw
    return _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), raw)
