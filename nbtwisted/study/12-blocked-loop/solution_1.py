"""Five visitors: each asks three times, and is polite enough to pause in between."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater, react

PAUSE = 0.3  # Seconds between two requests of one visitor.


class Get(Protocol):
    received = b""

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.done.callback(None)


async def get(server: TCP4ClientEndpoint, target: str) -> str:
    sent: Any = await connectProtocol(server, Get())
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    sent.transport.write(request.encode())
    await sent.done
    return str(sent.received.decode().rpartition("\r\n")[2])


async def visitor(reactor: Any, server: TCP4ClientEndpoint, number: int) -> None:
    for round_ in range(3):
        if round_:
            await deferLater(reactor, PAUSE)
        print(f"visitor {number}: {await get(server, f'/?_delay=200ms&by={number}')}")


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    visitors = [visitor(reactor, server, number) for number in range(5)]
    await DeferredList([Deferred.fromCoroutine(v) for v in visitors])


react(main, sys.argv[1:])
