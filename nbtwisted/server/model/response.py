"""A reply as the bytes that are sent of it: the one writer of heads. Pure."""

from __future__ import annotations

from http import HTTPStatus
from random import Random
from typing import NamedTuple

from twisted.web.server import version as SERVER

from nbtwisted.http1.framing import BODILESS, elements
from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.server.model.behaviour import Reply, completed
from nbtwisted.server.model.browsers import with_headers
from nbtwisted.server.model.faults import Ending, HeadPace, transmission
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.pace import Paced

__all__ = ["Response", "last_chunk", "response_of"]


class _Template(NamedTuple):
    """The part of a head that follows from the status and the fields.

    start     the status line
    server    the field Server, and `Date: ` if the time is to follow
    is_dated  whether it is
    fields    the fields of the behaviour, and those for browsers
    closes    whether they say `Connection: close`
    """

    start: bytes
    server: bytes
    is_dated: bool
    fields: bytes
    closes: bool


_NO_HEAD = _Template(b"", b"", False, b"", False)


class Response(NamedTuple):
    """A response, but for what is known only when it is sent.

    pieces      a body that is made while it is sent; None if nothing more follows
    tail        what follows the pieces, without a frame
    ending      what becomes of the connection
    status      of the head; None if no head is sent
    template    of the head
    fields      all fields behind the date, up to how long the response was held
    end         what follows: the blank line, and a body that is there
    sent        bytes of that body
    is_chunked  whether each piece is a chunk
    is_slow     whether the head is sent a byte at a time
    closes      whether the connection cannot be used again
    """

    pieces: Paced | None
    tail: bytes
    ending: Ending
    status: int | None = None
    template: _Template = _NO_HEAD
    fields: bytes = b""
    end: bytes = b""
    sent: int = 0
    is_chunked: bool = False
    is_slow: bool = False
    closes: bool = False

    def opening(self, connection: bytes, held: float, date: bytes) -> bytes:
        """The head, and the body that is there.

        connection  the field Connection, or nothing
        held        seconds from the request to these bytes
        date        the time, as HTTP has it
        """
        if self.status is None:
            return b""
        start, server, is_dated, _, says_close = self.template
        return b"%b%b%b%b%b%b%b" % (
            start,
            b"" if says_close else connection,
            server,
            date + b"\r\n" if is_dated else b"",
            self.fields,
            _milliseconds(held),
            self.end,
        )


def response_of(
    reply: Reply, random: Random, for_browsers: HeaderLines, version: bytes
) -> Response:
    """The response to a request of HTTP's `version`; `random` is the request's own."""
    head, length, content, pieces, ending, tail = transmission(reply, random)
    if head is HeadPace.NEVER:
        return Response(pieces, tail, ending)
    template = _template((reply.status, reply.reason, reply.headers, for_browsers))
    is_old = version == b"HTTP/1.0"
    is_chunked = length is None and reply.has_body and not is_old
    if is_chunked:
        framing = b"Transfer-Encoding: chunked\r\n"
        if ending is Ending.FINISH:
            trailers = reply.trailers
            if trailers:
                names = ", ".join(dict.fromkeys(name for name, _ in trailers))
                framing += b"Trailer: %b\r\n" % names.encode()
            tail = last_chunk(trailers)
        if content:
            content = b"%x\r\n%b\r\n" % (len(content), content)
    elif length is None or reply.status in BODILESS or reply.status < 200:
        framing = b""
    else:
        framing = b"Content-Length: %d\r\n" % length
    if pieces is None:
        content, tail = content + tail, b""
    waited = reply.asked
    upstream = b""
    if reply.upstream_took is not None:
        waited += reply.ask_delay
        upstream = b"upstream;dur=%b, " % _milliseconds(reply.upstream_took)
    asked = _milliseconds(waited) if waited else b"0"
    return Response(
        pieces,
        tail,
        ending,
        reply.status,
        template,
        b"%b%bServer-Timing: %basked;dur=%b, held;dur="
        % (framing, template.fields, upstream, asked),
        b"\r\n\r\n" + content,
        reply.body.length if pieces is None and reply.has_body else 0,
        is_chunked,
        head is HeadPace.BYTE_BY_BYTE,
        # Only the end of the connection ends a body without a length.
        template.closes or head is HeadPace.BYTE_BY_BYTE or (is_old and length is None),
    )


_Given = tuple[int, "str | None", HeaderLines, HeaderLines]
"""A status, the reason of an upstream, the headers of a behaviour, and those for
browsers."""


def _make_template(given: _Given) -> _Template:
    status, reason, headers, for_browsers = given
    is_ours = reason is None
    if reason is None:
        reason = _reason(status)
        headers = with_headers(completed(headers, status), for_browsers)
    names = {name.lower() for name, _ in headers}
    # A proxy does not say that it is the server.
    needs_server = is_ours and "server" not in names
    server = b"Server: %b\r\n" % SERVER if needs_server else b""
    return _Template(
        _encoded(f"HTTP/1.1 {status} {reason}\r\n"),
        server if "date" in names else server + b"Date: ",
        "date" not in names,
        _lines(headers),
        b"close"
        in elements(_encoded(v) for n, v in headers if n.lower() == "connection"),
    )


def last_chunk(trailers: HeaderLines) -> bytes:
    """The chunk that ends a body, with the fields behind it."""
    return b"0\r\n%b\r\n" % _lines(trailers)


def _lines(headers: HeaderLines) -> bytes:
    return _encoded("".join(f"{name}: {value}\r\n" for name, value in headers))


def _encoded(text: str) -> bytes:
    # An upstream's bytes may be no UTF-8.
    return text.encode("utf-8", "surrogateescape")


def _is_short(given: _Given) -> bool:
    return sum(len(n) + len(v) for n, v in given[2] + given[3]) <= LONGEST_REMEMBERED


_template = Memo(_make_template, fits=_is_short)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _milliseconds(seconds: float) -> bytes:
    """Milliseconds with one decimal, if it is not 0."""
    return (b"%.1f" % (seconds * 1000)).removesuffix(b".0")
