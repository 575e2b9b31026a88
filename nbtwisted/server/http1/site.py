"""Serves a server to the connections of a port."""

from __future__ import annotations

from twisted.internet.interfaces import (
    IAddress,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from zope.interface import implementer

from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.server.engine.app import App
from nbtwisted.server.http1.channel import Channel
from nbtwisted.server.http1.framing import Head, parse_head
from nbtwisted.server.http1.watch import Watch
from nbtwisted.server.model.request import Addresses, Request, at_path
from nbtwisted.server.routes.delay_app import DelayApp
from nbtwisted.server.routes.router import Server

__all__ = ["DelaySite"]

MOST_BYTES_HELD = 64 * 1024 * 1024
"""Bytes from all clients that may be in memory; beyond it, requests are refused or
wait."""


@implementer(IProtocolNegotiationFactory)
class DelaySite(Factory):
    """Serves `server`; `reactor` runs the deadlines of its connections.

    The `app` decides for requests: by default by all that the server has.

    requests   from a raw head and the addresses to the head and the request
    held       bytes from clients that are in memory
    """

    noisy = False

    def __init__(
        self, server: Server, reactor: IReactorTime, app: App | None = None
    ) -> None:
        self.app: App = app or DelayApp(server)
        self.server = server
        self.in_flight = server.in_flight
        self.send_timeout = server.send_timeout
        self.reactor = reactor
        self.requests = Memo(_read, fits=lambda it: len(it[0]) <= LONGEST_REMEMBERED)
        self._channels: set[Channel] = set()
        self._watch = Watch(reactor)
        self.held = 0
        server.in_flight.deliveries.append(self._is_delivered)

    def buildProtocol(self, addr: IAddress | None) -> Channel:
        """The channel of a new connection."""
        return Channel(self)

    def opened(self, channel: Channel) -> None:
        """A connection was made."""
        self._channels.add(channel)
        self._watch.add(channel)

    def closed(self, channel: Channel) -> None:
        """A connection has ended."""
        self._channels.discard(channel)
        self._watch.discard(channel)

    @property
    def holds_too_much(self) -> bool:
        """Whether more bytes from clients are in memory than may be."""
        return self.held > MOST_BYTES_HELD

    def _is_delivered(self) -> bool:
        now = self.reactor.seconds()
        return all(channel.is_delivered(now) for channel in self._channels)

    def abort_connections(self) -> None:
        """Abort every connection."""
        for channel in list(self._channels):
            channel.transport.abortConnection()

    def acceptableProtocols(self) -> list[bytes]:
        """The protocols that TLS offers: HTTP/2 would need a channel of its own."""
        return [b"http/1.1"]


def _read(given: tuple[bytes, Addresses]) -> tuple[Head, Request]:
    head = parse_head(given[0])
    method, target, version, headers, *_ = head
    return head, at_path(Request(method, target, version, headers, b"", given[1]))
