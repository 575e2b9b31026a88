"""A request as the routes see it, whichever channel it came by."""

from __future__ import annotations

from twisted.web.http import parse_qs
from twisted.web.server import Request as TwistedRequest

from nbtwisted.server.behaviour import Behaviour

__all__ = ["Request"]


class Request(TwistedRequest):
    """A request whose body is left to the routes.

    `decided` is the `Behaviour` that a route gave it, for what it says and for who sent
    it: another one like it, from the same address, need not be routed.
    """

    decided: Behaviour | None = None

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Begin to answer: twisted.web's own, but that it parses no forms."""
        assert self.content is not None
        self.content.seek(0)
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, query = path.partition(b"?")
        self.args = parse_qs(query, keep_blank_values=True)
        self.process()  # type: ignore[no-untyped-call]
