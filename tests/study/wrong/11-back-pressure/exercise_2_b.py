"""Two hundred GETs of a server that does at most twenty at a time."""

import sys
from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react

JOBS = 200


class Get(Protocol):
    transport: Any
    received = b""

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.done.callback(None)


async def status(server: TCP4ClientEndpoint) -> str:
    get: Any = await connectProtocol(server, Get())
    request = b"GET /?_delay=50ms HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    get.transport.write(request)
    await get.done
    answer = str(get.received[:12].decode())
    return await status(server) if answer.endswith("503") else answer


async def main(reactor: Any, port: str) -> None:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    jobs = [Deferred.fromCoroutine(status(server)) for _ in range(JOBS)]
    for answer, number in Counter(await gatherResults(jobs)).items():
        print(f"{answer}: {number}")


react(main, sys.argv[1:])
