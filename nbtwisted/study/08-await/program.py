"""Send five GETs at once: two as chains of callbacks, three with await."""

import sys
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n"
SECONDS = 10.0  # for an answer, once it is asked for


class Get(Protocol):
    transport: Any

    def connectionMade(self) -> None:
        # Whoever cancels it hangs up.
        self.done = Deferred[str](lambda _: self.transport.abortConnection())
        self.answer = b""
        self.fileno = self.transport.fileno()
        self.transport.write(REQUEST.encode())

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def connectionLost(self, reason: Any = connectionDone) -> None:
        if self.done.called:
            return  # it was cancelled
        lines = self.answer.decode().splitlines() or ["no answer"]
        self.done.callback(f"fileno:{self.fileno}  {lines[0]}  {lines[-1]}")


def get_by_chain(reactor: Any, server: TCP4ClientEndpoint) -> Deferred[Any]:
    chain: Deferred[Any] = connectProtocol(server, Get())
    chain.addCallback(lambda get: get.done.addTimeout(SECONDS, reactor))
    chain.addCallback(print)
    return chain.addErrback(lambda failure: print(repr(failure.value)))


async def get_by_await(reactor: Any, server: TCP4ClientEndpoint) -> None:
    try:
        get = await connectProtocol(server, Get())
        print(await get.done.addTimeout(SECONDS, reactor))
    except Exception as error:
        print(repr(error))


async def main(reactor: Any) -> None:
    server = TCP4ClientEndpoint(reactor, HOST, PORT)
    gets = [get_by_chain(reactor, server) for _ in range(2)]
    coroutines = [get_by_await(reactor, server) for _ in range(3)]
    gets += [Deferred.fromCoroutine(coroutine) for coroutine in coroutines]
    await DeferredList(gets)


react(main)
