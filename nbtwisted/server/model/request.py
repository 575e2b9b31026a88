"""A request, as the routes see it, whichever connection carries it. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from nbtwisted.server.model.behaviour import Behaviour, Reply
from nbtwisted.server.model.headers import Lines, RequestHeaders
from nbtwisted.server.model.query import Fields, parse_fields
from nbtwisted.server.model.response import Response

__all__ = [
    "LARGEST_REQUEST_BODY",
    "NO_ADDRESSES",
    "Addresses",
    "Incoming",
    "Receiver",
    "Request",
    "at_path",
    "not_a_request",
]

LARGEST_REQUEST_BODY = 1024 * 1024
"""Bytes."""

# RFC 9112, 3.2: a server must accept the whole URL, too, that a proxy gets.
_WHOLE_URL = re.compile(rb"(https?)://([^/?]+)(.*)", re.I | re.S).fullmatch

NO_HEADERS = RequestHeaders(())


class Addresses(NamedTuple):
    """Where a connection comes from and where it leads."""

    peer: str
    """The client's address; `unix` if it came through a UNIX socket."""
    own: str
    """The host and port that stand in for a Host that a request does not name."""
    is_local: bool
    """Whether the client is certainly on this machine."""
    is_secure: bool
    """Whether it is TLS."""


NO_ADDRESSES = Addresses("", "", False, False)


class Receiver(Protocol):
    """Takes a body that arrives."""

    def take(self, piece: bytes) -> None:
        """Take a piece."""

    def end(self, trailers: Lines) -> None:
        """It is whole; these fields came behind it."""


class Incoming(Protocol):
    """The body of a request that is passed on while it arrives.

    length   bytes, or None if it is in chunks
    """

    @property
    def length(self) -> int | None:
        """Bytes, or None if it is in chunks."""

    def start(self, receiver: Receiver) -> None:
        """Give what has come, and what comes."""

    def pause(self) -> None:
        """Give nothing more until `resume`."""

    def resume(self) -> None:
        """Go on."""

    def stop(self) -> None:
        """Give nothing more, because nobody takes it."""


class Request:
    """A request, whole but for a body that is `incoming`.

    method, target, version   as they came
    headers                   its header fields
    body                      bytes
    addresses                 of its connection
    path, query               of the target
    scheme                    of a target that is a whole URL, otherwise None
    behaviour                 what its route decided, once it has
    rules                     the rules that were in force then
    reply, response           what follows from it, if nothing is left to chance
    incoming                  the body, in place of `body`, while it is still arriving
    """

    __slots__ = (
        *("_fields", "addresses", "behaviour", "body", "headers", "incoming"),
        *("method", "path", "query", "reply", "response", "rules", "scheme"),
        *("target", "version"),
    )

    def __init__(
        self,
        method: bytes,
        target: bytes,
        version: bytes,
        headers: RequestHeaders,
        body: bytes,
        addresses: Addresses,
        scheme: str | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.body = body
        self.addresses = addresses
        self.scheme = scheme
        self.path, _, self.query = target.partition(b"?")
        self.behaviour: Behaviour | None = None
        self.rules: object = None
        self.reply: Reply | None = None
        self.response: Response | None = None
        self.incoming: Incoming | None = None
        self._fields: Fields | None = None

    @property
    def fields(self) -> Fields:
        """The parameters in the target; raises `TooMany`."""
        if self._fields is None:
            self._fields = parse_fields(self.query) if self.query else {}
        return self._fields

    def header(self, name: str) -> str | None:
        """The value of a header field: `RequestHeaders.get`."""
        return self.headers.get(name)

    def with_body(self, body: bytes) -> Request:
        """The same request, with another body."""
        return Request(
            *(self.method, self.target, self.version, self.headers),
            *(body, self.addresses, self.scheme),
        )

    def with_incoming(self, incoming: Incoming) -> Request:
        """The same request, with a body that is still arriving."""
        request = self.with_body(b"")
        request.incoming = incoming
        return request


def at_path(request: Request) -> Request:
    """The request, or the one that it means if its target is a whole URL.

    RFC 9112, 3.2.2 and 3.3: the URL's host is in place of the header's, and the URL is
    what was asked for.
    """
    whole = None if request.target.startswith(b"/") else _WHOLE_URL(request.target)
    if whole is None:
        return request
    scheme, host, rest = whole.groups()
    lines = (line for line in request.headers.lines if line[0].lower() != b"host")
    return Request(
        request.method,
        rest if rest.startswith(b"/") else b"/" + rest,
        request.version,
        RequestHeaders(((b"Host", host), *lines)),
        request.body,
        request.addresses,
        scheme.decode().lower(),
    )


def not_a_request(addresses: Addresses, method: bytes = b"") -> Request:
    """Stands in for bytes that have not become a request."""
    return Request(method, b"", b"", NO_HEADERS, b"", addresses)
