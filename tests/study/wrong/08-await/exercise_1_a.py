"""Send five GETs at once, each as a chain: connect, take the answer, print it."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater, react
from twisted.python.failure import Failure

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_delay=1s HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()


class Get(Protocol):
    """One request and its answer, once they are connected."""

    transport: Any

    def connectionMade(self) -> None:
        self.done: Deferred[str] = Deferred()
        self.answer = b""
        self.fileno = self.transport.fileno()
        self.transport.write(REQUEST)

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        lines = self.answer.decode().splitlines() or ["no answer"]
        self.done.callback(f"fileno:{self.fileno}  {lines[0]}  {lines[-1]}")


def take_answer(get: Get) -> None:
    get.done.addCallback(print)


def main(reactor: Any) -> Deferred[Any]:
    server = TCP4ClientEndpoint(reactor, HOST, PORT)
    chains = [connectProtocol(server, Get()).addCallback(take_answer) for _ in range(5)]
    # Time enough for the answers.
    chains.append(deferLater(reactor, 4, lambda: None))
    return DeferredList(chains)


react(main)
