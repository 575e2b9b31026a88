"""Send five GETs at once; those that take too long are sent anew, to a faster path."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react
from twisted.python.failure import Failure

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
SECONDS = 0.8


class Get(Protocol):
    """One request and its answer, once they are connected."""

    transport: Any

    def connectionMade(self) -> None:
        self.done: Deferred[str] = Deferred(self.hang_up)
        self.answer = b""
        self.fileno = self.transport.fileno()

    def hang_up(self, done: Deferred[str]) -> None:
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            lines = self.answer.decode().splitlines() or ["no answer"]
            self.done.callback(f"fileno:{self.fileno}  {lines[0]}  {lines[-1]}")


async def get(reactor: Any, path: str) -> str:
    server = TCP4ClientEndpoint(reactor, HOST, PORT)
    connected: Get = await connectProtocol(server, Get())
    connected.transport.write(REQUEST.format(path, HOST).encode())
    return await connected.done.addTimeout(SECONDS, reactor)


async def get_in_time(reactor: Any) -> None:
    try:
        print(await get(reactor, "/?_delay=3s"))
    except TimeoutError:
        print(await get(reactor, "/?_delay=200ms"))


async def main(reactor: Any) -> None:
    gets = [Deferred.fromCoroutine(get_in_time(reactor)) for _ in range(5)]
    await DeferredList(gets)


react(main)
