"""The one writer of response heads. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from twisted.web.server import version as SERVER

from nbtwisted.server.model.behaviour import completed
from nbtwisted.server.model.browsers import with_headers
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.memo import LONGEST_REMEMBERED, Memo

__all__ = ["CLOSE", "HeadTemplate", "head_template"]


class HeadTemplate(NamedTuple):
    """The head of a response, but for what is known only when it is sent.

    closes      whether the response says of itself that its connection is closed
    """

    status_line: bytes
    server_line: bytes
    says_date: bool
    fields: bytes
    closes: bool

    def fill(
        self,
        *,
        connection: bytes,
        framing: bytes,
        asked: float,
        held: float,
        date: bytes,
    ) -> bytes:
        """The bytes of a head, blank line and all.

        connection  the field Connection, or nothing
        framing     the field Content-Length or Transfer-Encoding, or nothing
        asked       seconds that the response was to wait
        held        seconds from the request to these bytes
        date        as HTTP has it
        """
        return b"%b%b%b%b%b%bServer-Timing: asked;dur=%b, held;dur=%b\r\n\r\n" % (
            self.status_line,
            b"" if self.closes and connection == CLOSE else connection,
            self.server_line,
            b"" if self.says_date else b"Date: %b\r\n" % date,
            framing,
            self.fields,
            _milliseconds(asked) if asked else b"0",
            _milliseconds(held),
        )


CLOSE = b"Connection: close\r\n"

_Given = tuple[int, HeaderLines, HeaderLines]
"""A status, the headers of a behaviour, and those for browsers."""


def _make_template(given: _Given) -> HeadTemplate:
    status, headers, for_browsers = given
    headers = with_headers(completed(headers, status), for_browsers)
    names = {name.lower() for name, _ in headers}
    return HeadTemplate(
        f"HTTP/1.1 {status} {_reason(status)}\r\n".encode(),
        b"" if "server" in names else b"Server: %b\r\n" % SERVER,
        "date" in names,
        "".join(f"{name}: {value}\r\n" for name, value in headers).encode(),
        any((n.lower(), v.lower()) == ("connection", "close") for n, v in headers),
    )


def _is_short(given: _Given) -> bool:
    return sum(len(n) + len(v) for n, v in given[1] + given[2]) <= LONGEST_REMEMBERED


head_template = Memo(_make_template, fits=_is_short)
"""The template for a status, the headers of a behaviour, and those for browsers."""


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _milliseconds(seconds: float) -> bytes:
    """Milliseconds with one decimal, if it is not 0."""
    return (b"%.1f" % (seconds * 1000)).removesuffix(b".0")
