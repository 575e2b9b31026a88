"""What serves a resource over connections, whichever channel these are."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web.http import datetimeToString
from twisted.web.server import Site

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.framing import BadRequest
from nbtwisted.server.http1.request import Request
from nbtwisted.server.model.browsers import FOR_ANYBODY

__all__ = ["HEAD_DEADLINE", "LINGER", "CappedSite"]

HEAD_DEADLINE = 30.0
"""Seconds from the end of the answer before, or from when the connection was made."""

LINGER = 5.0
"""Seconds in which who was refused may go on sending, so as not to miss our answer."""


class CappedSite(Site):
    """Serves `server` to whoever keeps within the caps, without twisted.web's log.

    That log costs a tenth of an answer's time. Whoever does not keep within the caps is
    noted in the server's journal. `reactor` runs the timers.
    """

    noisy = False

    def __init__(self, server: DelayServer, reactor: IReactorTime) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            server.resource(), Request, reactor=reactor
        )
        self.connections: set[Any] = set()
        self.server = server
        self.traffic = server.traffic

    def abort_connections(self) -> None:
        """Break off every connection."""
        for connection in list(self.connections):
            connection.transport.abortConnection()

    def refuse(self, bad: BadRequest, peer: IAddress, *, is_head: bool) -> bytes:
        """The bytes of an answer to what has not become a request."""
        self.traffic.note_refused(bad.status, peer)
        phrase = HTTPStatus(bad.status).phrase
        body = json.dumps({"error": phrase.lower(), "expected": bad.expected}) + "\n"
        lines = [
            f"HTTP/1.1 {bad.status} {phrase}",
            "Connection: close",
            f"Date: {datetimeToString().decode()}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in FOR_ANYBODY),
            "Server-Timing: asked;dur=0, held;dur=0",
            *("", "" if is_head else body),
        ]
        return "\r\n".join(lines).encode()

    def log(self, request: Any) -> None:
        """Say nothing."""

    def acceptableProtocols(self) -> list[bytes]:
        """What is offered in TLS: HTTP/2 would need a channel of its own."""
        return [b"http/1.1"]
