"""A server exports 12 MB to each of five slow readers, who report what they read."""

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.task import react

PIECES = 20
DELAY_SERVER = TCP4ClientEndpoint(reactor, "127.0.0.1", int(sys.argv[1]))


class Export(Protocol):
    transport: Any

    def connectionMade(self) -> None:
        for number in range(PIECES):
            self.transport.write(b"%06d" % number * 10_000)
        self.transport.loseConnection()


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
    factory: Any = ServerFactory.forProtocol(Export)
    listening: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
    export = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getHost().port)
    readers: Any = [await connectProtocol(export, SlowReader()) for _ in range(5)]
    for received in await gatherResults([reader.done for reader in readers]):
        report: Any = await connectProtocol(DELAY_SERVER, SlowReader())
        request = f"GET /?_delay=0&read={received} HTTP/1.1\r\nHost: a\r\n"
        report.transport.write(f"{request}Connection: close\r\n\r\n".encode())
        await report.done
        print(f"{received:,} bytes read")


react(main)
