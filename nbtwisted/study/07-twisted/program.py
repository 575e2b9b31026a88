"""Send five GETs at once on Twisted, whose reactor calls us back."""

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"


class Get(Protocol):
    """One request and its answer; the reactor calls these methods."""

    transport: Any  # the connection: the reactor puts it here

    def __init__(self, done: Deferred[str]) -> None:
        self.done = done
        self.answer = b""

    def connectionMade(self) -> None:
        self.fileno = self.transport.fileno()
        self.transport.write(REQUEST.encode())  # does not wait: sent later

    def dataReceived(self, data: bytes) -> None:
        self.answer += data  # a piece, of whatever size

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        lines = self.answer.decode().splitlines() or ["no answer"]
        self.done.callback(f"fileno:{self.fileno}  {lines[0]}  {lines[-1]}")


class GetFactory(ClientFactory):  # makes a Get, once there is a connection
    def __init__(self) -> None:
        self.done: Deferred[str] = Deferred()

    def buildProtocol(self, address: IAddress | None) -> Get:
        return Get(self.done)

    def clientConnectionFailed(self, _: IConnector, reason: Failure) -> None:
        self.done.errback(reason)


def get() -> Deferred[str]:
    """Begin to connect, and return the promise of a line to print."""
    factory = GetFactory()
    reactor.connectTCP(HOST, PORT, factory)
    return factory.done


gets = [get() for _ in range(5)]
for done in gets:
    done.addCallbacks(print, lambda failure: print("failed:", failure.value))
DeferredList(gets).addCallback(lambda results: reactor.stop())
reactor.run()
