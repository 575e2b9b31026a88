"""Five downloads, stored slower than they come: with a tap, then without."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredQueue, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater, react

SIZE = 12_000_000  # Bytes of each answer.
REQUEST = (
    f"GET /?_size={SIZE}&_delay=0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)
STORED_A_SECOND = 6_000_000  # Bytes. They come many times as fast.


class Download(Protocol):
    transport: Any

    def __init__(self, pauses: bool) -> None:
        self.pauses = pauses
        self.pieces: DeferredQueue[bytes] = DeferredQueue()
        self.received = 0

    def connectionMade(self) -> None:
        self.transport.write(REQUEST.encode())

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        self.pieces.put(data)
        if self.pauses:
            self.transport.pauseProducing()  # No more, until resumed.

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.pieces.put(b"")  # The end, as recv has it.


async def store(reactor: Any, server: Any, pauses: bool) -> int:
    """Return how many bytes were in between at the most: come, not stored."""
    download: Any = await connectProtocol(server, Download(pauses))
    stored = in_between = 0
    while piece := await download.pieces.get():
        in_between = max(in_between, download.received - stored)
        await deferLater(reactor, len(piece) / STORED_A_SECOND)
        stored += len(piece)
        download.transport.resumeProducing()
    return in_between


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    for name, pauses in (("with back-pressure", True), ("without", False)):
        stores = [store(reactor, server, pauses) for _ in range(5)]
        most = await gatherResults([Deferred.fromCoroutine(s) for s in stores])
        print(f"{name}: {sum(most) / 1e6:.1f} MB")


react(main, sys.argv[1:])
