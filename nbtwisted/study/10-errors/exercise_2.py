"""Send five GETs to a server that often falls silent."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater, react

CONTROLS = "_delay=200ms&_fault=stall:0.6"


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


async def attempt(server: TCP4ClientEndpoint, target: str) -> str:
    get = await connectProtocol(server, Get())
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    get.transport.write(request.encode())
    await get.done
    return str(get.received.decode().rpartition("\r\n")[2])


async def ask(reactor: Any, server: TCP4ClientEndpoint, number: int) -> None:
    for _ in range(5):
        trying = Deferred.fromCoroutine(attempt(server, f"/?{CONTROLS}&job={number}"))
        try:
            print(f"{number}: {await trying}")
            return
        except ConnectError as why:
            print(f"{number}: {why!r}")
        await deferLater(reactor, 0.1)
    print(f"{number}: given up")


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    asking = [Deferred.fromCoroutine(ask(reactor, server, n)) for n in range(5)]
    await DeferredList(asking)


react(main, sys.argv[1:])
