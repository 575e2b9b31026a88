"""A response of an HTTP Archive, as the controls that give it again. Pure.

http://www.softwareishard.com/blog/har-12-spec/ says what responses are there. Browsers
and other programs write what they like: nothing is taken for granted.
"""

from __future__ import annotations

import codecs
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from nbtwisted.http1.framing import BODILESS, parse_length
from nbtwisted.http1.syntax import is_token
from nbtwisted.server.model.control_text import LARGEST_BODY
from nbtwisted.server.recordings.loose_json import number, pairs, table, text

__all__ = [
    "BODIES",
    "COOKIES",
    "CUT",
    "FIELDS",
    "LeftOut",
    "ResponseRead",
    "read_response",
]

BODIES, CUT, COOKIES, FIELDS = "body", "end", "cookie", "field"
"""What an archive may lack: a body, its end, a cookie's value, a field that can be
sent."""

NOT_WRITTEN = "(not written)"
"""What `nbtwisted get --har` writes in the place of a secret."""

# They frame a body, which is sent anew and decoded; or are of the connection; and each
# response has a date of its own.
_NOT_SENT_AGAIN = frozenset(
    (
        *("content-length", "content-encoding", "transfer-encoding", "trailer", "te"),
        *("connection", "keep-alive", "proxy-connection", "upgrade", "date"),
    )
)

# Fields that every response of this server has anyway.
_OURS = {
    "content-security-policy": re.compile("sandbox"),
    "x-content-type-options": re.compile("nosniff"),
    "server-timing": re.compile("asked;dur=.*"),
}

_VALUE = re.compile(r"[\t -~\x80-\ud7ff\ue000-\U0010ffff]*")

_CHARSET = re.compile(r'charset="?([\w.:-]+)', re.I | re.A)
# Python has codecs besides these that are not of characters, or are slow.
_ENCODINGS = re.compile(r"(iso8859|cp|euc|gb|big5|koi8|shift|utf-16|mac).*")

Fields = list[tuple[str, str]]


class LeftOut(ValueError):
    """An entry has nothing that could be played; its text says why."""


class ResponseRead(NamedTuple):
    """The controls and the header fields that give a response, but for its time.

    controls   by their names, without header fields
    headers    these
    length     bytes of the body that is sent
    lacks      what the archive should have and has not
    """

    controls: dict[str, Any]
    headers: Fields
    length: int
    lacks: list[str]


def read_response(
    method: str, response: Mapping[str, Any], *, is_whole: bool, is_kept: bool
) -> ResponseRead:
    """Read a response to a request of `method`.

    It may not be whole, because it broke off; and its body may not be kept, because
    another attempt followed. Raises `LeftOut`.
    """
    status = response.get("status")
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise LeftOut("a status that is not one of 200 to 599")
    received = list(_fields(pairs(response.get("headers"))))
    lacks: list[str] = []
    headers = list(_sent_again(received, lacks))
    content = table(response.get("content"))
    if status == 304 and text(content.get("text")):
        # A browser's copy was still good. Here, the ETag decides who has one.
        status = 200
    body = None
    if method == "HEAD":
        size = _announced(received)
    elif status in BODILESS:
        size = 0
    else:
        size = int(number(content.get("size")) or 0)
        # Our proxy writes how many bytes of a long body there are.
        cut = number(content.get("_cut"))
        there = size if cut is None else int(cut)
        body = _body(content, there, _value(headers, "content-type"))
        if not is_whole:
            # Half of it is sent, which is what came if the whole is not known.
            came = size if body is None else max(len(body), size)
            is_coded = bool(_value(received, "content-encoding"))
            announced = 0 if is_coded and body else _announced(received)
            size = announced or min(2 * max(came, 0), LARGEST_BODY)
            body = None if body is None else body[:size]
        elif body is None:
            size = size if size > 0 else _announced(received)
            is_chunked = bool(_value(received, "transfer-encoding"))
            if size or (is_chunked and not is_kept):
                lacks.append(BODIES)
        elif len(body) < size and cut is not None:
            lacks.append(CUT)
        else:
            size = len(body)
    if size > LARGEST_BODY:
        raise LeftOut(f"a body of more than {LARGEST_BODY} bytes")
    controls: dict[str, Any] = {} if status == 200 else {"status": status}
    if not received and body:
        kind = text(content.get("mimeType"))
        if "/" in kind and _VALUE.fullmatch(kind):
            headers.append(("Content-Type", kind))
    return ResponseRead(
        {**controls, **_content(body, size, headers)}, headers, size, lacks
    )


def _content(body: bytes | None, size: int, headers: Fields) -> dict[str, Any]:
    """The control that gives the body."""
    if not body:
        return {"size": size}
    filled = {"body_size": size} if size > len(body) else {}
    # What is a text has a Content-Type by that alone.
    if _value(headers, "content-type"):
        try:
            return {"body": body.decode(), **filled}
        except UnicodeDecodeError:
            pass
    return {"body_base64": b64encode(body).decode(), **filled}


def _body(content: Mapping[str, Any], size: int, content_type: str) -> bytes | None:
    """The bytes of a body; None if they are not there."""
    said = text(content.get("text"))
    if not said:
        return b"" if size <= 0 and "text" in content else None
    if content.get("encoding") != "base64":
        return _encoded(said, size, content_type)
    try:
        return b64decode("".join(said.split()), validate=True)
    except ValueError:
        return None


def _encoded(said: str, size: int, content_type: str) -> bytes:
    """A text as the bytes that it was: in UTF-8, or in the charset of its type."""
    plain = said.encode("utf-8", "replace")
    charset = _CHARSET.search(content_type)
    if charset is None or len(plain) == size:
        return plain
    try:
        codec = codecs.lookup(charset[1])
        return said.encode(codec.name) if _ENCODINGS.match(codec.name) else plain
    except (LookupError, UnicodeError):
        return plain


def _fields(received: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The fields one by one: some browsers join those of one name by line ends."""
    for name, values in received:
        for value in values.split("\n"):
            yield name, value.strip(" \t\r")


def _sent_again(received: Fields, lacks: list[str]) -> Iterator[tuple[str, str]]:
    for name, value in received:
        lower = name.lower()
        # `:status` and the like are how HTTP/2 begins. Which pages may read it is up to
        # where it is played: this server lets all of them.
        if lower in _NOT_SENT_AGAIN or lower.startswith((":", "access-control-")):
            continue
        if lower in _OURS and _OURS[lower].fullmatch(value):
            continue
        if value == NOT_WRITTEN:
            lacks.append(COOKIES)
        elif not is_token(name) or not _VALUE.fullmatch(value):
            lacks.append(FIELDS)
        else:
            yield name, _as_text(value)


def _as_text(value: str) -> str:
    """The text whose UTF-8 was taken for ISO 8859-1, if it was."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _announced(received: Fields) -> int:
    try:
        return parse_length(_value(received, "content-length"))
    except ValueError:
        return 0


def _value(headers: Fields, wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")
