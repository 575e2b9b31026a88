"""Download five files from a server that often closes too early."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react

CONTROLS = "_size=1000&_delay=100ms&_fault=truncate:0.5"


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


async def attempt(server: TCP4ClientEndpoint, target: str) -> bytes:
    get = await connectProtocol(server, Get())
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    get.transport.write(request.encode())
    await get.done
    head, _, body = get.received.partition(b"\r\n\r\n")
    if b"content-length: %d\r\n" % len(body) not in head.lower() + b"\r\n":
        raise ConnectionError(f"only {len(body)} bytes of the body came")
    return bytes(body)


async def download(server: TCP4ClientEndpoint, number: int) -> None:
    for _ in range(1):
        try:
            body = await attempt(server, f"/?{CONTROLS}&file={number}")
        except ConnectionError as why:
            print(f"file {number}: {why}")
        else:
            print(f"file {number}: {len(body)} bytes")
            return
    print(f"file {number}: given up")


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    await DeferredList([Deferred.fromCoroutine(download(server, n)) for n in range(5)])


react(main, sys.argv[1:])
