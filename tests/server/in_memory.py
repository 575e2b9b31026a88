"""The whole server, twisted.web included, without a socket: bytes in, bytes out."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import h11
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.http1.twisted_web import DelayResource
from nbtwisted.server.http1.watch import Watch

CHANNEL = os.environ.get("NBTWISTED_CHANNEL", "ours")
"""Whose channel the tests are about: `ours`, or `twisted`, which is twisted.web's, as
`twistd web` has it."""


class TwistedSite(Site):
    """Serves a server as `twistd web` does."""

    def __init__(self, server: DelayServer, clock: Clock) -> None:
        super().__init__(DelayResource(server, Watch(clock)), reactor=clock)
        self.in_flight = server.in_flight


def site_of(
    server: DelayServer, clock: Clock, channel: str = CHANNEL
) -> DelaySite | TwistedSite:
    """Serves connections; the timers of these run on `clock`."""
    return (TwistedSite if channel == "twisted" else DelaySite)(server, clock)


def _address(host: str, port: int) -> IAddress:
    if host == "unix":
        return UNIXAddress(None)
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)


@dataclass
class Reply:
    """An answer, as h11 reads it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class _Transport(StringTransport):
    def loseWriteConnection(self) -> None:
        """To close one way is to close, for those who only look at what was sent."""
        self.loseConnection()


class Visit:
    """A client that is connected to a server whose time is `clock`."""

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 7,
        site: DelaySite | Site | None = None,
        site_clock: Clock | None = None,
        channel: str = CHANNEL,
        peer: str = "192.168.1.1",
        here: str = "10.0.0.1",
        **settings: Any,
    ) -> None:
        if site is None:
            settings = {"now": clock.seconds, **settings}
            server = DelayServer(clock=clock, seed=seed, **settings)
            # The site's timers, for idle connections and for its log, run elsewhere.
            site = site_of(server, site_clock or Clock(), channel)
        self.site: Any = site
        self._has_left = False
        self._transport = _Transport(
            hostAddress=_address(here, 12345), peerAddress=_address(peer, 54321)
        )
        self._protocol = site.buildProtocol(None)
        self._protocol.makeConnection(self._transport)

    def send(self, request: bytes) -> None:
        """Send raw bytes."""
        self._protocol.dataReceived(request)

    def get(self, target: str, *headers: str, method: str = "GET") -> None:
        """Send a request."""
        # Operators are answered by no other name.
        host = "localhost" if target.startswith("/__admin") else "test"
        if not any(header.lower().startswith("host:") for header in headers):
            headers = (f"Host: {host}", *headers)
        lines = [f"{method} {target} HTTP/1.1", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))

    def stop_reading(self) -> None:
        """Let the kernel's buffers be full."""
        self._producer.pauseProducing()

    def read_on(self) -> None:
        """Let there be room in them again."""
        self._producer.resumeProducing()

    @property
    def _producer(self) -> Any:
        return self._transport.producer

    def leave(self) -> None:
        """Close the connection, unless that was done."""
        if not self._has_left:
            self._has_left = True
            self._transport.connected = False
            self._protocol.connectionLost(Failure(ConnectionDone()))

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed the connection, or is about to."""
        return bool(self._transport.disconnecting or self._transport.disconnected)

    @property
    def is_read(self) -> bool:
        """Whether the server takes what is sent."""
        return bool(self._transport.producerState == "producing")

    @property
    def is_aborted(self) -> bool:
        """Whether the server has broken the connection off."""
        return bool(self._transport.disconnected)

    @property
    def received(self) -> bytes:
        """Every byte that the server sent."""
        received: bytes = self._transport.value()
        return received

    def reply(self, method: str = "GET") -> Reply:
        """The answer that was received, which must be whole and the only one."""
        connection = h11.Connection(h11.CLIENT)
        connection.send(
            h11.Request(method=method, target="/", headers=[("Host", "test")])
        )
        connection.send(h11.EndOfMessage())
        connection.receive_data(self.received)
        head = connection.next_event()
        assert isinstance(head, h11.Response), f"{head} of {self.received!r}"
        body = b""
        while isinstance(event := connection.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage), f"{event} of {self.received!r}"
        assert not connection.trailing_data[0]
        headers = {name.decode(): value.decode() for name, value in head.headers}
        return Reply(head.status_code, headers, body)


def asking(target: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answers(
    received: bytes, methods: list[str]
) -> list[tuple[int, dict[str, str], bytes]]:
    """The answers to requests by these methods, as far as they are whole."""
    found = []
    client = h11.Connection(h11.CLIENT)
    client.receive_data(received)
    for method in methods:
        if client.our_state is h11.DONE:
            client.start_next_cycle()
        client.send(h11.Request(method=method, target="/", headers=[("Host", "test")]))
        client.send(h11.EndOfMessage())
        head = client.next_event()
        if not isinstance(head, h11.Response):
            break
        body = b""
        while isinstance(event := client.next_event(), h11.Data):
            body += event.data
        if not isinstance(event, h11.EndOfMessage):
            break
        headers = {name.decode(): value.decode() for name, value in head.headers}
        found.append((head.status_code, headers, body))
        if client.their_state is not h11.DONE:
            break
    return found
