"""A relay: it downloads from the server, and passes on to readers that are slow."""

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.task import react

REQUEST = b"GET /?_size=1200000&_delay=0 HTTP/1.1\r\nHost: a\r\n"
REQUEST += b"Connection: close\r\n\r\n"
SERVER = TCP4ClientEndpoint(reactor, "127.0.0.1", int(sys.argv[1]))


class Download(Protocol):
    transport: Any

    def __init__(self, to_reader: Any) -> None:
        self.to_reader = to_reader

    def connectionMade(self) -> None:
        self.transport.write(REQUEST)

    def dataReceived(self, data: bytes) -> None:
        self.to_reader.write(data)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.to_reader.loseConnection()


class Relay(Protocol):
    def connectionMade(self) -> None:
        connectProtocol(SERVER, Download(self.transport))


class SlowReader(Protocol):
    transport: Any
    received = 0

    def __init__(self) -> None:
        self.done: Deferred[int] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        self.transport.pauseProducing()
        reactor.callLater(len(data) / 6_000_000, self.transport.resumeProducing)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.done.callback(self.received)


async def main(_: object) -> None:
    factory: Any = ServerFactory.forProtocol(Relay)
    listening: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
    relay = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getHost().port)
    readers: Any = [await connectProtocol(relay, SlowReader()) for _ in range(5)]
    for _, received in await DeferredList([reader.done for reader in readers]):
        print(f"{received:,} bytes read")


react(main)
