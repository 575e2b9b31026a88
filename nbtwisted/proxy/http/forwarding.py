"""Requests and answers as a proxy passes them on: RFC 9110, 7.6. Pure.

Whatever framing a message came with, its own is made for the way on: so nobody reads it
in another way than we did.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nbtwisted.client.result import Head
from nbtwisted.client.target import Origin
from nbtwisted.http1.framing import elements
from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.server.model.headers import HeaderLines, Lines, RequestHeaders
from nbtwisted.server.model.request import Request

__all__ = ["Forwarding", "answer_headers", "asks_to_switch", "trailer_lines"]

_OF_ONE_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding")
) | {b"upgrade", b"http2-settings"}
"""RFC 9110, 7.6.1, and RFC 7540, 3.2.1."""

_FRAMING = frozenset((b"content-length", b"expect", b"host"))
"""Fields that are written anew."""

_OF_CONTROLS = b"x-nbtwisted-"

_HAVE_BODIES = frozenset((b"POST", b"PUT", b"PATCH"))
"""Of these, an empty body has a length, too: RFC 9110, 8.6."""

_NOT_OF_TRAILERS = frozenset(
    (b"authorization", b"content-encoding", b"content-range", b"content-type")
) | {b"cookie", b"set-cookie", b"trailer"}
"""Fields that mean nothing, or too much, behind a body: RFC 9110, 6.5.1."""

_FORBIDDEN_TRAILERS = _OF_ONE_CONNECTION | _FRAMING | _NOT_OF_TRAILERS

_is_address = re.compile(r"[0-9A-Fa-f.:]+").fullmatch


class _Fields(NamedTuple):
    """The fields of a request that are passed on, and what others are about."""

    lines: bytes
    upgrade: bytes
    """The protocols that it asks to switch to, if that can be passed on."""
    is_expectant: bool


class Forwarding:
    """Writes the heads of requests for an upstream.

    `pseudonym` is our name in Via, by which a loop is found. With `keeps_host` the
    upstream is told the client's Host, and else its own; with `tells_client`, who the
    client is, by X-Forwarded-For and others. Unless it `takes_controls`, their header
    fields are the upstream's, too.
    """

    def __init__(
        self,
        origin: Origin,
        pseudonym: str,
        *,
        keeps_host: bool = False,
        tells_client: bool = False,
        takes_controls: bool = True,
    ) -> None:
        self._host = origin.place.encode("ascii")
        self._pseudonym = pseudonym.encode("ascii")
        self._keeps_host = keeps_host
        self._tells_client = tells_client
        self._dropped = (*_OF_ONE_CONNECTION, *_FRAMING)
        if tells_client:
            self._dropped += (b"x-forwarded-proto", b"x-forwarded-host")
        self._control = _OF_CONTROLS if takes_controls else b"\n"
        self._fields = Memo(self._make_fields, fits=_is_short)

    def is_loop(self, request: Request) -> bool:
        """Whether we have passed this request on before."""
        for value in request.headers.by_name.get(b"via", ()):
            if self._pseudonym in value:
                return True
        return False

    def head(self, request: Request, target: bytes) -> bytes:
        """The head of a request as the upstream gets it, for its target there."""
        fields = self._fields(request.headers)
        incoming, by_name = request.incoming, request.headers.by_name
        host, framing, method = self._host, b"", request.method
        if incoming is not None:
            framing = b"Transfer-Encoding: chunked\r\n"
            if incoming.length is not None:
                framing = b"Content-Length: %d\r\n" % incoming.length
            if fields.is_expectant:
                framing += b"Expect: 100-continue\r\n"
        elif request.body or method in _HAVE_BODIES or b"content-length" in by_name:
            framing = b"Content-Length: %d\r\n" % len(request.body)
        elif fields.upgrade:
            framing = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % fields.upgrade
        if self._keeps_host:
            host = by_name.get(b"host", (host,))[0]
        if self._tells_client:
            framing += self._about_client(request)
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b\r\n" % (
            *(method, target, host, fields.lines, framing),
        )

    def trailers(self, lines: Lines) -> Lines:
        """The trailers of a request that are passed on."""
        return tuple(
            line
            for line in lines
            if (lowered := line[0].lower()) not in _FORBIDDEN_TRAILERS
            and not lowered.startswith(self._control)
        )

    def _make_fields(self, headers: RequestHeaders) -> _Fields:
        options = elements(headers.by_name.get(b"connection", ()))
        dropped = frozenset((*self._dropped, *options))
        lines = [
            b"%b: %b\r\n" % (name, value)
            for name, value in headers.lines
            if (lowered := name.lower()) not in dropped
            # Where fields become variables (CGI, WSGI), these are the same.
            and lowered.replace(b"_", b"-") not in self._dropped
            and not lowered.startswith(self._control)
        ]
        lines.append(b"Via: 1.1 %b\r\n" % self._pseudonym)
        upgrade = b""
        if b"upgrade" in options:
            upgrade = b", ".join(headers.by_name.get(b"upgrade", ()))
            # What is said by HTTP/2 would reach the upstream unseen.
            if any(p.startswith((b"h2", b"http")) for p in elements([upgrade])):
                upgrade = b""
        is_expectant = b"expect" in headers.by_name
        return _Fields(b"".join(lines), upgrade, is_expectant)

    def _about_client(self, request: Request) -> bytes:
        addresses = request.addresses
        peer = addresses.peer if _is_address(addresses.peer) else "unknown"
        scheme = b"https" if addresses.is_secure else b"http"
        host = request.headers.by_name.get(b"host", (addresses.own.encode(),))[0]
        return (
            b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"
            % (peer.encode("ascii"), scheme, host)
        )


def asks_to_switch(head: bytes) -> bool:
    """Whether the head of a request, as it is passed on, asks for another protocol."""
    return b"\r\nUpgrade: " in head


def _is_short(headers: RequestHeaders) -> bool:
    return sum(len(n) + len(v) for n, v in headers.lines) <= LONGEST_REMEMBERED


def _make_answer_headers(head: Head) -> tuple[HeaderLines, int | None]:
    length: int | None = None
    options: set[str] = set()
    for name, value in head.headers:
        lowered = name.lower()
        if lowered == "connection":
            options.update(e.decode() for e in elements([value.encode("latin-1")]))
        elif lowered == "content-length":
            length = int(value)
    lines = [
        (name, _as_text(value))
        for name, value in head.headers
        if (lowered := name.lower()) not in options
        and lowered.encode("latin-1") not in _OF_ONE_CONNECTION
        and lowered != "content-length"
    ]
    return tuple(lines), length


def _fits(head: Head) -> bool:
    return sum(len(n) + len(v) for n, v in head.headers) <= LONGEST_REMEMBERED


answer_headers = Memo(_make_answer_headers, fits=_fits)
"""The fields of an answer that are passed on, and the length that it announces."""


def trailer_lines(fields: tuple[tuple[str, str], ...]) -> HeaderLines:
    """The trailers of an answer that are passed on."""
    return tuple(
        (name, _as_text(value))
        for name, value in fields
        if name.lower().encode("latin-1") not in _FORBIDDEN_TRAILERS
    )


def _as_text(value: str) -> str:
    # A server's texts are UTF-8, and a client's have a character for each byte.
    if value.isascii():
        return value
    return value.encode("latin-1").decode("utf-8", "surrogateescape")
