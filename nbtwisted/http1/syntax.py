"""The grammar of HTTP/1's lines, as regular expressions. Pure."""

from __future__ import annotations

import re

__all__ = ["BLANK_LINE", "CHUNK_LINE", "FIELD", "TOKEN", "is_token", "is_value"]

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""RFC 9110, 5.6.2: names of fields and methods, options, transfer codings."""

_VALUE = rb"[\t -~\x80-\xff]*"
"""RFC 9110, 5.5, with the white space around it."""

_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'

BLANK_LINE = b"\r\n\r\n"
"""The end of the last line of a head, and the empty line behind it."""

is_token = re.compile(TOKEN.decode()).fullmatch
is_value = re.compile(_VALUE.decode("latin-1")).fullmatch
"""Of a text with a character for each byte (ISO 8859-1)."""

FIELD = re.compile(rb"(%b):(%b)\r\n" % (TOKEN, _VALUE))
"""RFC 9112, 5: one field line. Its groups are the name, and the value as it came."""

CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})"
    rb"(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*\r\n" % (TOKEN, TOKEN, _QUOTED)
)
"""RFC 9112, 7.1: the line before a chunk's data. Its group is the size.

Longer sizes overflow somewhere: Go's net/http has this limit, too.
"""
