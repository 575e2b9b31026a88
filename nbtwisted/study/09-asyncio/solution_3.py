"""Send five GETs at once: two by a Protocol of Twisted, three by asyncio."""

import asyncio
import sys
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react
from twisted.python.failure import Failure

loop = asyncio.new_event_loop()
asyncioreactor.install(loop)
HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = (
    f"GET /?_delay=500ms HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
).encode()


class Get(Protocol):
    transport: Any

    def connectionMade(self) -> None:
        self.done: Deferred[bytes] = Deferred()
        self.answer = b""
        self.transport.write(REQUEST)

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self.answer)


async def get_by_twisted(reactor: Any) -> None:
    get: Get = await connectProtocol(TCP4ClientEndpoint(reactor, HOST, PORT), Get())
    answer = await get.done
    print("Twisted:", answer.splitlines()[-1].decode())


async def get_by_asyncio() -> None:
    reader, writer = await asyncio.open_connection(HOST, PORT)
    writer.write(REQUEST)
    answer = await reader.read()
    writer.close()
    print("asyncio:", answer.splitlines()[-1].decode())


async def main(reactor: Any) -> None:
    gets = [Deferred.fromCoroutine(get_by_twisted(reactor)) for _ in range(2)]
    gets += [Deferred.fromFuture(loop.create_task(get_by_asyncio())) for _ in range(3)]
    for succeeded, failure in await DeferredList(gets, consumeErrors=True):
        if not succeeded:
            print("failed:", failure)


react(main)
