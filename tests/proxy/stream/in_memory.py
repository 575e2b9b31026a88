"""A proxy of TCP mode whose connections are made, fed and broken by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from nbtwisted.proxy.stream.journal import LinkEntry
from nbtwisted.proxy.stream.link import Link
from nbtwisted.proxy.stream.listener import StreamProxy
from nbtwisted.proxy.stream.place import Upstream

__all__ = ["End", "Proxied"]

TAKES = 2**16
"""Bytes that a connection takes before it says that it takes no more."""


class End(StringTransport):
    """The transport of one connection of a link, seen from its other end."""

    def __init__(self, protocol: Any, port: int, peer: int) -> None:
        super().__init__(
            IPv4Address("TCP", "127.0.0.1", port), IPv4Address("TCP", "127.0.0.1", peer)
        )
        self.protocol = protocol
        self.state = "open"
        self.is_shut = False
        """Whether the proxy has sent its end."""
        self._has_ended = False

    # What the proxy does to it.

    def write(self, data: bytes) -> None:
        assert self.state == "open", "written to what is gone"
        assert not self.is_shut, "written behind the end"
        super().write(data)
        if len(self.value()) > TAKES and self.producer is not None:
            self.producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert self.state == "open", "registered with what is closing"
        super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        assert self.state != "gone", "unregistered from what is gone"
        super().unregisterProducer()

    def resumeProducing(self) -> None:
        assert self.state == "open", "read on from what is gone"
        assert not self._has_ended, "read on behind the end"
        super().resumeProducing()

    def loseWriteConnection(self) -> None:
        assert self.producer is None, "it waits for what is yet to be produced"
        self.is_shut = True

    def loseConnection(self) -> None:
        assert self.producer is None, "it waits for what is yet to be produced"
        self.is_shut = True
        self.state = "closing"

    def abortConnection(self) -> None:
        if self.state != "gone":
            self.state = "aborting"

    # What tests do.

    @property
    def is_read(self) -> bool:
        """Whether the proxy reads what is sent."""
        return self.producerState == "producing"

    def send(self, data: bytes) -> None:
        """Send bytes to the proxy."""
        assert self.is_read, "nobody reads"
        if self.state == "open":
            self.protocol.dataReceived(data)

    def take(self) -> bytes:
        """Take all that the proxy has sent."""
        data: bytes = self.value()
        self.clear()
        if self.producer is not None:
            self.producer.resumeProducing()
        return data

    def end(self) -> None:
        """Send no more."""
        assert not self._has_ended
        self._has_ended = True
        self.protocol.readConnectionLost()

    def flush(self) -> None:
        """Take all that was written, and the end if there is one."""
        self.clear()
        if self.is_shut and self.state == "open":
            self.protocol.writeConnectionLost()

    def reset(self) -> None:
        """Break the connection."""
        self._lose(ConnectionLost())

    def finish(self) -> str:
        """Let the connection come to the end that the proxy wants; returns which."""
        how = self.state
        if how == "open":
            self.flush()
            how = self.state
        reasons = {"closing": ConnectionDone(), "aborting": ConnectionAborted()}
        self._lose(reasons[how])
        return how

    def _lose(self, reason: Exception) -> None:
        self.state = "gone"
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))


class Proxied:
    """A proxy on a clock, with clients and upstreams that a test plays."""

    def __init__(self, clock: MemoryReactorClock, **options: Any) -> None:
        self.clock = clock
        self.reports: list[LinkEntry] = []
        options = {"upstream": Upstream("127.0.0.1", 5432), "seed": 4, **options}
        self.proxy = StreamProxy(
            clock,
            listen="tcp:0:interface=127.0.0.1",
            now=clock.seconds,
            report=self.reports.append,
            **options,
        )
        self.proxy.start()
        self.ends: list[End] = []
        self._next_port = 40_000

    @property
    def links(self) -> list[Link]:
        """The open links."""
        return list(self.proxy.links)

    def connect(self, peer: int | None = None, *, turn: bool = True) -> End:
        """A client connects; unless it is not its turn, the upstream is asked for."""
        self._next_port += 1
        port = peer or self._next_port
        factory = self.clock.tcpServers[-1][1]
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", port))
        end = self._make(protocol, 9000, port)
        if turn:
            self.clock.advance(0)
        return end

    def answer(self, number: int = -1, host: int | None = None) -> End:
        """The upstream takes a connection, by default the last."""
        protocol = self.clock.tcpClients[number][2].buildProtocol(None)
        self._next_port += 1
        port = self.proxy.upstream.port
        return self._make(protocol, host or self._next_port, port)

    def refuse(self) -> None:
        """The upstream refuses the last connection."""
        self.clock.tcpClients[-1][2].clientConnectionFailed(
            self.clock.connectors[-1], Failure(ConnectionRefusedError(osError=111))
        )

    def _make(self, protocol: Any, port: int, peer: int) -> End:
        end = End(protocol, port, peer)
        self.ends.append(end)
        protocol.makeConnection(end)
        return end

    def pair(self) -> tuple[End, End]:
        """A client and an upstream that are linked."""
        return self.connect(), self.answer()

    def stop(self) -> None:
        """Stop the proxy, and let everything come to its end."""
        stopped: list[None] = []
        self.proxy.stop().addCallback(stopped.append)
        for end in self.ends:
            if end.state in ("closing", "aborting"):
                end.finish()
        self.clock.advance(2)
        for end in self.ends:
            if end.state in ("closing", "aborting"):
                end.finish()
        assert stopped, "something is left"
