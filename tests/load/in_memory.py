"""A server in memory, on a clock, that answers each request when a test wants it to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionRefusedError,
)
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.job import Job
from nbtwisted.client.target import Target
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.plan import Plan
from nbtwisted.load.requests.prepared import Preparing
from nbtwisted.load.run import Run

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MILLISECOND = 0.001

Answers = Callable[[float, int], tuple[float, bytes]]
"""Given when a request comes, and how many came before: after how many seconds it is
answered, and with what; nothing closes the connection."""


def plan_of(
    *urls: str, jobs: Sequence[Job] = (), timeout: float = 20.0, **told: Any
) -> Plan:
    """A plan of GETs of `urls`, or of `jobs`, that is without an end unless told."""
    preparing = Preparing(keeps_alive=told.get("keeps_alive", True), timeout=timeout)
    requests = [
        preparing.prepare(Target.parse(job.url), job)
        for job in jobs or map(Job, urls or ["http://127.0.0.1/"])
    ]
    limits = {"connections": 10, "number": inf, "seconds": inf, "rate": None}
    return Plan(requests=requests, **{**limits, **told})


class _Transport(StringTransport):
    """A connection, whose server answers whatever is written to it."""

    def __init__(self, server: Server, protocol: Any) -> None:
        super().__init__()
        self.protocol = protocol
        self._server = server
        self._timers: list[Any] = []

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def fileno(self) -> int:
        return 0

    def write(self, data: bytes) -> bool:
        """Take it; returns that all was taken, as writers that send at once do."""
        server = self._server
        server.requests.append(data)
        delay, answer = server.answers(server.seconds(), len(server.requests) - 1)
        self._timers.append(server.callLater(delay, self._answer, answer))
        return True

    def _answer(self, answer: bytes) -> None:
        if answer:
            self.protocol.dataReceived(answer)
        else:
            self._end(ConnectionDone())

    def loseConnection(self) -> None:
        self._server.callLater(0, self._end, ConnectionDone())

    def abortConnection(self) -> None:
        self._server.callLater(0, self._end, ConnectionAborted())

    def _end(self, reason: Exception) -> None:
        if not self.connected:
            return
        self.connected = False
        self._server.open.discard(self)
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self.protocol.connectionLost(Failure(reason))


class _Connector:
    """An attempt to connect, which is decided in the next turn."""

    def __init__(self, server: Server, host: str, factory: Any) -> None:
        self._factory = factory
        refuses = server.refuses or host in server.refused
        decide = self.stopConnecting if refuses else self._accept
        self._server = server
        self._timer = server.callLater(0, decide)

    def stopConnecting(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._factory.clientConnectionFailed(self, Failure(ConnectionRefusedError()))

    def _accept(self) -> None:
        protocol = self._factory.buildProtocol(None)
        if protocol is not None:
            transport = _Transport(self._server, protocol)
            self._server.open.add(transport)
            protocol.makeConnection(transport)


class Names:
    """Finds the addresses of a server, and notes who was looked up."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def resolve(self, host: str) -> Deferred[tuple[str, ...]]:
        self._server.looked_up.append(host)
        return succeed(self._server.addresses)


class Server(MemoryReactorClock):
    """The reactor of a run, and the server at its other end."""

    def __init__(self, answers: Answers, *, refuses: bool = False) -> None:
        super().__init__()
        self.answers = answers
        self.refuses = refuses
        self.refused: set[str] = set()
        """Addresses that refuse."""
        self.requests: list[bytes] = []
        self.attempts = 0
        self.open: set[_Transport] = set()
        self.addresses: tuple[str, ...] = ("127.0.0.1",)
        """Those of each host."""
        self.looked_up: list[str] = []
        self.connected_to: list[str] = []

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: Any = 30,
        bindAddress: Any = None,
    ) -> Any:
        self.attempts += 1
        self.connected_to.append(host)
        connector = _Connector(self, host, factory)
        factory.startedConnecting(connector)
        return connector

    def run(self, most: float = 120.0, **plan: Any) -> Run:
        """Carry out a plan, a millisecond at a time; it must be over by then."""
        return self._end(*self.begin(**plan), most)

    def run_with(self, plan: Plan, tally: Tally | None = None) -> Run:
        """The same, with a tally of its own."""
        return self._end(*self._begin(plan, tally))

    def begin(self, **plan: Any) -> tuple[Run, list[object]]:
        """Begin to; returns the run, and what is not empty when it is over."""
        began, tally = plan.pop("began", None), plan.pop("tally", None)
        plan_itself = plan_of(*plan.pop("urls", ()), **plan)
        return self._begin(plan_itself, tally, began=began)

    def _end(self, run: Run, over: list[object], most: float = 120.0) -> Run:
        while not over:
            assert self.seconds() < most, "it does not end"
            self.advance(MILLISECOND)
        return run

    def _begin(
        self, plan: Plan, tally: Tally | None = None, began: float | None = None
    ) -> tuple[Run, list[object]]:
        run = Run(
            self,
            plan,
            tally=tally,
            resolver=cast(Resolver, Names(self)),
            now=self.seconds,
            cpu=lambda: 0.0,
        )
        over: list[object] = []
        run.start(began).addCallback(lambda _: over.append(True))
        return run, over


def always(delay: float, answer: bytes = ANSWER) -> Answers:
    return lambda now, number: (delay, answer)
