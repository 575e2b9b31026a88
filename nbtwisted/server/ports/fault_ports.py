"""Opens the fault ports of a server, and closes them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.protocol import Factory

from nbtwisted.server.model.fault_port import FaultPort, check_kind
from nbtwisted.server.ports.binding import fill, listening, refuse
from nbtwisted.server.ports.held import (
    HeldConnections,
    Resets,
    Silent,
    StallsHandshake,
)

if TYPE_CHECKING:
    from nbtwisted.server.ports.authority import Authority

__all__ = ["CannotOpen", "FaultPorts"]

BACKLOG = 4096
"""Connections of a port that may wait to be accepted."""

_UNANSWERED = {"no-accept": fill, "refuse": refuse}
_HELD = {"silent": Silent, "reset-on-accept": Resets, "tls-stall": StallsHandshake}


class CannotOpen(Exception):
    """A fault port does not open; says which, and why."""


class FaultPorts:
    """The fault ports of a server.

    `site` serves connections whose client accepts the port's TLS. `opened` is the list
    that has all ports that are open.
    """

    def __init__(self, reactor: Any, site: Factory, opened: list[FaultPort]) -> None:
        self._reactor = reactor
        self._site = site
        self._opened = opened
        self._sockets = ExitStack()
        self._closes: list[Callable[[], Any]] = []
        self._authority: Authority | None = None

    def open(self, kind: str, host: str = "127.0.0.1", number: int = 0) -> FaultPort:
        """Open a port of a kind; the number 0 is any that is free.

        Raises `ValueError` for a kind that there is not, and `CannotOpen`.
        """
        check_kind(kind)
        try:
            port = self._open(kind, host, number)
        except (OSError, ValueError) as error:
            place = FaultPort(kind, host, number).place
            raise CannotOpen(f"cannot open {kind} on {place}: {_why(error)}") from error
        self._opened.append(port)
        return port

    def close(self) -> Deferred[None]:
        """Close all ports, and end what they hold."""
        self._opened.clear()
        self._sockets.close()
        closing = [maybeDeferred(close) for close in self._closes]
        self._closes.clear()
        return DeferredList(closing).addCallback(lambda _: None)

    def _open(self, kind: str, host: str, number: int) -> FaultPort:
        if kind in _UNANSWERED:
            with ExitStack() as sockets:
                number = _UNANSWERED[kind](host, number, sockets)
                self._sockets.push(sockets.pop_all())
            return FaultPort(kind, host, number)
        if kind in _HELD:
            held = HeldConnections(_HELD[kind], self._reactor)
            held.port = self._listen(host, number, held)
            self._closes.append(held.close)
            return FaultPort(kind, host, held.port.getHost().port)
        factory, ca_pem = self._with_tls(kind, host)
        port = self._listen(host, number, factory)
        self._closes.append(port.stopListening)
        return FaultPort(kind, host, port.getHost().port, ca_pem)

    def _listen(self, host: str, number: int, factory: Any) -> Any:
        # The reactor keeps a copy. Its own listenTCP may leave a socket open that
        # cannot be bound: Twisted 24.11 does.
        with listening(host, number, BACKLOG) as own:
            own.setblocking(False)
            return self._reactor.adoptStreamPort(own.fileno(), own.family, factory)

    def _with_tls(self, kind: str, host: str) -> tuple[Any, str]:
        """The site behind TLS, and the authority; raises `ValueError`."""
        # They take 60 ms to import, which only those spend who use them.
        from twisted.protocols.tls import TLSMemoryBIOFactory

        from nbtwisted.server.ports.authority import Authority
        from nbtwisted.server.ports.tls import Handshakes

        if self._authority is None:
            self._authority = Authority()
        signer = Authority() if kind == "tls-unknown-ca" else self._authority
        handshakes = Handshakes(
            signer.credentials(kind, host), is_old=kind == "tls-old"
        )
        factory = TLSMemoryBIOFactory(handshakes, False, self._site, self._reactor)
        return factory, self._authority.pem


def _why(error: Exception) -> str:
    """The reason why a port does not open, and what it should have been."""
    if not isinstance(error, OSError):
        return str(error)
    reason = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        reason += ": expected a free port (0 is any that is free)"
    return reason
