"""Four GETs on a timer, and work: in the loop, in a thread, in a process."""

import sys
from time import monotonic
from typing import Any

from twisted.internet import task, threads
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.utils import getProcessOutput

REQUEST = b"GET /?_delay=1s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def compute() -> int:
    """Keep the processor busy for half a second; return how much was done."""
    rounds, end = 0, monotonic() + 0.5
    while monotonic() < end:
        rounds += sum(range(10_000)) > 0
    return rounds


class Get(Protocol):
    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.done.callback(None)


async def get(reactor: Any, server: TCP4ClientEndpoint, pause: float) -> float:
    due = reactor.seconds() + pause
    await task.deferLater(reactor, pause)
    late: float = reactor.seconds() - due
    sent: Any = await connectProtocol(server, Get())
    sent.transport.write(REQUEST)
    await sent.done
    return late


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    ways: dict[str, Any] = {
        "in the loop": compute,
        "in a thread": lambda: threads.deferToThread(compute),
        "in a process": lambda: getProcessOutput(sys.executable, [__file__]),
    }
    for name, way in ways.items():
        computed = task.deferLater(reactor, 0.1, way)
        gets = [get(reactor, server, pause) for pause in (0, 0.2, 0.4, 0.6)]
        late = await gatherResults([Deferred.fromCoroutine(g) for g in gets])
        print(f"{name}: {1000 * max(late):.0f} ms")
        await computed


if len(sys.argv) > 1:
    task.react(main, sys.argv[1:])
else:  # This is the process that main has started.
    print(compute())
