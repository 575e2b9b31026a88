"""GETs that go wrong: each attempt has a deadline, and another may follow."""

import sys
from random import uniform
from typing import Any

from twisted.internet import error, protocol, task
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

PATHS = ["/?_delay=1", "/?_delay=1&_seq=503,200"]  # One is well, one busy.
PATHS += [f"/?_delay=1&_fault={f}:0.4" for f in ("reset", "truncate", "stall")]
DEADLINE = 1.5  # Seconds for an attempt: to connect, to wait and to read.


class Get(protocol.Protocol):
    transport: Any

    def connectionMade(self) -> None:
        self.done = Deferred[str](lambda _: self.transport.abortConnection())
        self.received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = protocol.connectionDone) -> None:
        if not self.done.called:  # It was, if we hung up.
            self.done.callback(reason.getErrorMessage())


async def attempt(server: TCP4ClientEndpoint, target: str) -> str:
    get = await connectProtocol(server, Get())
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    get.transport.write(request.encode())
    ending = await get.done
    head, _, body = get.received.decode().partition("\r\n\r\n")
    is_whole = f"content-length: {len(body)}\r\n" in (head + "\r\n").lower()
    if " 503 " in head or not is_whole:
        raise ConnectionError(f"{head[:12]!r}, {len(body)} bytes. {ending}")
    return f"{target} {body}"


async def get(reactor: Any, port: int, target: str) -> str:
    server = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    for longest_pause in (0.0, 0.5, 1.0):  # Seconds.
        await task.deferLater(reactor, uniform(0, longest_pause))
        trying = Deferred.fromCoroutine(attempt(server, target))
        try:
            return await trying.addTimeout(DEADLINE, reactor)
        except (error.ConnectError, ConnectionError, TimeoutError) as why:
            print(target, repr(why))
    return f"{target} given up"


async def main(reactor: Any, port: str) -> None:
    gets = [get(reactor, int(port), p) for p in PATHS] + [get(reactor, 1, "/")]
    await DeferredList([Deferred.fromCoroutine(g).addCallback(print) for g in gets])


task.react(main, sys.argv[1:])
