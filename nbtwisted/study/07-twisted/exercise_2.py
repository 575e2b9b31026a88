"""Send five GETs at once, which are answered after 100 to 900 ms."""

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = "GET /?_delay={}ms HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
MILLISECONDS = 900, 700, 500, 300, 100


class Get(Protocol):
    transport: Any

    def __init__(self, milliseconds: int, done: Deferred[str]) -> None:
        self.milliseconds = milliseconds
        self.done = done
        self.answer = b""

    def connectionMade(self) -> None:
        self.fileno = self.transport.fileno()
        self.transport.write(REQUEST.format(self.milliseconds, HOST).encode())

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        lines = self.answer.decode().splitlines() or ["no answer"]
        self.done.callback(f"fileno:{self.fileno}  {lines[0]}  {lines[-1]}")


class GetFactory(ClientFactory):
    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds
        self.done: Deferred[str] = Deferred()

    def buildProtocol(self, address: IAddress | None) -> Get:
        return Get(self.milliseconds, self.done)


def get(milliseconds: int) -> Deferred[str]:
    factory = GetFactory(milliseconds)
    reactor.connectTCP(HOST, PORT, factory)
    return factory.done


def answered(line: str) -> None:
    print(line)
    reactor.stop()


for milliseconds in MILLISECONDS:
    get(milliseconds).addCallback(answered)
reactor.run()
