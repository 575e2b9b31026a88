"""A request as the routes see it, whichever channel it came by."""

from __future__ import annotations

from twisted.web.server import Request as TwistedRequest

__all__ = ["Request"]


class Request(TwistedRequest):
    """A request whose body is left to the routes."""

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Begin to answer: twisted.web's own, but that it parses no forms."""
        assert self.content is not None
        self.content.seek(0)
        self.take_line(command, path, version)
        self.process()  # type: ignore[no-untyped-call]

    def take_line(self, command: bytes, path: bytes, version: bytes) -> None:
        """Take the request line."""
        self.method, self.uri, self.clientproto = command, path, version
        self.path = path.partition(b"?")[0]
        if self.path == b"*":
            # twisted.web would answer itself, past our journal.
            self.path = b"/*"
