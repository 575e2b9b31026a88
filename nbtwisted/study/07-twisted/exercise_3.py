"""Send five GETs at once, of 4,000 bytes each, which come in four pieces."""

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Protocol

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /bytes/4000?_drip=600ms/4 HTTP/1.1\r\n"
    f"Host: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()


class Get(Protocol):
    transport: Any

    def __init__(self, done: Deferred[str]) -> None:
        self.done = done

    def connectionMade(self) -> None:
        self.transport.write(REQUEST)

    def dataReceived(self, data: bytes) -> None:
        _, _, body = data.partition(b"\r\n\r\n")
        self.done.callback(f"{len(body)} bytes")
        self.transport.loseConnection()


class GetFactory(ClientFactory):
    def __init__(self) -> None:
        self.done: Deferred[str] = Deferred()

    def buildProtocol(self, address: IAddress | None) -> Get:
        return Get(self.done)


def get() -> Deferred[str]:
    factory = GetFactory()
    reactor.connectTCP(HOST, PORT, factory)
    return factory.done


gets = [get().addCallback(print) for _ in range(5)]
DeferredList(gets).addCallback(lambda results: reactor.stop())
reactor.run()
