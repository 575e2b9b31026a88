"""The one writer of response heads. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from twisted.web.server import version as SERVER

from nbtwisted.server.model.behaviour import BODILESS, Reply, completed
from nbtwisted.server.model.browsers import with_headers
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.memo import Memo

__all__ = ["closes", "response_head"]


LONGEST_REMEMBERED = 2048
"""Characters of the fields of a head that is remembered."""


class _Template(NamedTuple):
    """A head but for what is known only when it is sent."""

    before_date: bytes
    says_date: bool
    """Whether the response has a Date of its own."""
    after_length: bytes


def response_head(
    reply: Reply,
    for_browsers: HeaderLines,
    *,
    connection: str,
    length: int | None,
    is_chunked: bool,
    held: float,
    date: bytes,
) -> bytes:
    """The bytes of a head, blank line and all.

    connection  `close`, `keep-alive`, or nothing for the field Connection
    length      bytes of the body, where that is to be announced
    held        seconds from the request to these bytes
    date        as HTTP has it
    """
    template = _template((reply.status, reply.headers, for_browsers, connection))
    if reply.status in BODILESS:
        framing = b""
    elif is_chunked:
        framing = b"Transfer-Encoding: chunked\r\n"
    else:
        framing = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"%b%b%b%basked;dur=%b, held;dur=%b\r\n\r\n" % (
        template.before_date,
        b"" if template.says_date else b"Date: %b\r\n" % date,
        framing,
        template.after_length,
        _milliseconds(reply.asked),
        _milliseconds(held),
    )


def closes(headers: HeaderLines) -> bool:
    """Whether a response says of itself that its connection is closed."""
    return any(n.lower() == "connection" and v.lower() == "close" for n, v in headers)


def _make_template(given: tuple[int, HeaderLines, HeaderLines, str]) -> _Template:
    status, headers, for_browsers, connection = given
    headers = with_headers(completed(headers, status), for_browsers)
    names = {name.lower() for name, _ in headers}
    before = [f"HTTP/1.1 {status} {_reason(status)}"]
    if connection and not (connection == "close" and closes(headers)):
        before.append(f"Connection: {connection}")
    if "server" not in names:
        before.append(f"Server: {SERVER.decode()}")
    after = [f"{name}: {value}" for name, value in headers]
    timing = b"Server-Timing: "
    return _Template(_lines(before), "date" in names, _lines(after) + timing)


def _is_short(given: tuple[int, HeaderLines, HeaderLines, str]) -> bool:
    _, *parts, _ = given
    return (
        sum(len(n) + len(v) for lines in parts for n, v in lines) <= LONGEST_REMEMBERED
    )


_template = Memo(_make_template, fits=_is_short)


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _milliseconds(seconds: float) -> bytes:
    """Milliseconds with one decimal, if it is not 0."""
    return (b"%.1f" % (seconds * 1000)).removesuffix(b".0")
