"""Twenty clients of a server that is busy when they come for the first time."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater, react

CLIENTS = 20


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


async def status(server: TCP4ClientEndpoint, target: str) -> int:
    get = await connectProtocol(server, Get())
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    get.transport.write(request.encode())
    await get.done
    return int(get.received.split(b" ")[1])


async def client(reactor: Any, server: TCP4ClientEndpoint, number: int) -> None:
    target = f"/?_delay=50ms&_seq=503,200&client={number}"
    for attempt in range(5):
        if await status(server, target) != 503:
            print(f"client {number}: answered by attempt {attempt + 1}")
            return
        await deferLater(reactor, 0)
    print(f"client {number}: given up")


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    clients = [client(reactor, server, number) for number in range(CLIENTS)]
    await DeferredList([Deferred.fromCoroutine(c) for c in clients])


react(main, sys.argv[1:])
