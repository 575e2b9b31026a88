"""Send five GETs, each by a function that returns its answer."""

import sys
from multiprocessing import Pool
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_delay=300ms HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()


class Get(Protocol):
    transport: Any

    def __init__(self, done: Deferred[str]) -> None:
        self.done = done
        self.answer = b""

    def connectionMade(self) -> None:
        self.fileno = self.transport.fileno()
        self.transport.write(REQUEST)

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        lines = self.answer.decode().splitlines() or ["no answer"]
        self.done.callback(f"fileno:{self.fileno}  {lines[0]}  {lines[-1]}")


class GetFactory(ClientFactory):
    def __init__(self) -> None:
        self.done: Deferred[str] = Deferred()

    def buildProtocol(self, address: IAddress | None) -> Get:
        return Get(self.done)


def get(number: int) -> str:
    answers: list[str] = []
    factory = GetFactory()
    factory.done.addCallback(answers.append).addCallback(lambda _: reactor.stop())
    reactor.connectTCP(HOST, PORT, factory)
    reactor.run()
    return answers[0]


if __name__ == "__main__":
    # In a new process the reactor has not run yet.
    with Pool(5, maxtasksperchild=1) as pool:
        for answer in pool.imap(get, range(5), chunksize=1):
            print(answer)
