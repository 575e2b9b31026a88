"""Tell the server every 0.2 s that we are alive, and compute something meanwhile."""

import sys
from time import thread_time
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater, react


class Get(Protocol):
    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.done.callback(None)


async def compute() -> int:
    """More than a second of work for the processor."""
    rounds, end = 0, thread_time() + 1.2
    while thread_time() < end:
        rounds += sum(range(10_000)) > 0
    return rounds


async def beat(server: TCP4ClientEndpoint) -> None:
    sent: Any = await connectProtocol(server, Get())
    request = b"GET /?_delay=100ms HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    sent.transport.write(request)
    await sent.done


async def beats(reactor: Any, server: TCP4ClientEndpoint) -> None:
    for _ in range(12):
        await beat(server)
        await deferLater(reactor, 0.1)


async def work(reactor: Any) -> None:
    await deferLater(reactor, 0.3)
    print(f"computed: {await compute()} rounds")


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    both = [beats(reactor, server), work(reactor)]
    await DeferredList([Deferred.fromCoroutine(part) for part in both])


react(main, sys.argv[1:])
