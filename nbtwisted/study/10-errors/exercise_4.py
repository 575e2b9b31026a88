"""Ask two servers at the same time, and take the answer that comes first."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react

QUICK, SLOW = "/?_delay=300ms", "/?_delay=4s"


class Get(Protocol):
    transport: Any
    received = b""

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self.transport.abortConnection())

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = connectionDone) -> None:
        if not self.done.called:
            self.done.callback(None)


async def ask(server: TCP4ClientEndpoint, target: str) -> str:
    get = await connectProtocol(server, Get())
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    get.transport.write(request.encode())
    await get.done
    return str(get.received.decode().rpartition("\r\n")[2])


async def first_of_two(server: TCP4ClientEndpoint) -> str:
    asked = [Deferred.fromCoroutine(ask(server, target)) for target in (QUICK, SLOW)]
    answer, _ = await DeferredList(asked, fireOnOneCallback=True)
    return str(answer)


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    for _ in range(4):
        print(await first_of_two(server))


react(main, sys.argv[1:])
