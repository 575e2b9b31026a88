"""A raw client and a raw upstream, with a proxy of HTTP between them, in memory."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from twisted.internet.defer import Deferred

from nbtwisted.proxy.http.app import ControlsFrom, ProxyApp
from nbtwisted.proxy.http.forwarding import Forwarding
from nbtwisted.proxy.http.upstream import HTTPUpstream
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from tests.client.in_memory import Connection, Network
from tests.proxy import judging
from tests.proxy.http.in_memory import ORIGIN
from tests.server.in_memory import Visit

__all__ = ["RawEnds"]

PSEUDONYM = "nbtwisted-here"
STEP = 0.001
"""Seconds that each look at the ends takes."""


class RawEnds:
    """As a context: what the client sends, and what reaches either end.

    The upstream keeps every byte. Each request that is whole is answered by the next of
    `answers`, and by the last one again and again; behind it the upstream closes if it
    `closes`, and sends it byte by byte if it is so `in_bytes`.

    arrived     what came at each of the upstream's connections
    is_closed   whether the proxy has closed the client's connection
    was_reset   whether it has done so by a reset
    """

    def __init__(
        self,
        *answers: bytes,
        closes: bool = False,
        in_bytes: bool = False,
        controls: ControlsFrom = "headers",
        **options: Any,
    ) -> None:
        self._answers = list(answers)
        self._closes = closes
        self._in_bytes = in_bytes
        self.clock = clock = Network()
        self.server = DelayServer(clock=clock, now=clock.seconds, seed=7)
        forwarding = Forwarding(ORIGIN, PSEUDONYM, takes_controls=controls != "none")
        self._upstream = HTTPUpstream(
            clock, ORIGIN, forwarding, now=clock.seconds, **options
        )
        app = ProxyApp(self.server, self._upstream, controls)
        self._site = DelaySite(self.server, clock, app)
        self.client = Visit(clock, site=self._site, channel="ours")
        # To read, or not to, from what is being closed is no error of TCP's either.
        self.client._transport._lenient = True
        self.arrived: list[bytes] = []
        self._connections: list[Connection] = []
        self._answered: list[int] = []

    def send(self, data: bytes) -> None:
        """The client sends bytes, and all that follows from it happens."""
        if not self.client.is_aborted:
            self.client.send(data)
        self.settle()

    def say(self, data: bytes) -> None:
        """The upstream sends bytes, on the connection that was made last."""
        self._connections[-1].answer(data)
        self.settle()

    def say_if_open(self, data: bytes) -> None:
        """The same, if there is one that is open."""
        if self._connections and self._connections[-1].state == "open" and data:
            self.say(data)

    def do(self, step: str) -> None:
        """Something happens to one of the ends, or time passes."""
        client = self.client
        latest = self._connections[-1] if self._connections else None
        push = latest and latest.push_producer
        if step.endswith("wait"):
            for _ in range(20 if step == "wait" else 400):
                self.clock.advance(0.1)
                self._carry()
        elif step == "client leaves":
            client.leave()
        elif step == "release":
            self.server.in_flight.reset()
        elif step == "drain":
            if not self.server.in_flight.is_draining:
                Deferred.fromCoroutine(self.server.in_flight.drain())
        elif step == "client stops":
            if not client.is_closed:
                client.stop_reading()
        elif step == "client reads":
            if not client.is_closed:
                client.read_on()
        elif latest is None or latest.state != "open":
            return
        elif step == "upstream stops" and push:
            push.pauseProducing()
        elif step == "upstream reads" and push:
            push.resumeProducing()
        elif step == "upstream closes":
            latest.close()
        elif step == "upstream resets":
            latest.reset()
        self.settle()

    @property
    def received(self) -> bytes:
        """What the client has got."""
        return self.client.received

    @property
    def is_closed(self) -> bool:
        return self.client.is_closed

    @property
    def was_reset(self) -> bool:
        return self.client.is_aborted

    def settle(self) -> None:
        """Let everything happen that needs no other time than the reactor's turns."""
        for _ in range(3):
            while self._carry():
                self.clock.advance(STEP)
            self.clock.advance(STEP)
        if self.client.is_aborted:
            self.client.leave()

    def _carry(self) -> bool:
        """Move what there is; returns whether there was something."""
        has_moved = False
        while len(self._connections) < len(self.clock.attempts):
            self._connections.append(self.clock.accept(len(self._connections)))
            self.arrived.append(b"")
            self._answered.append(0)
            has_moved = True
        for number, connection in enumerate(self._connections):
            if connection.state == "gone":
                continue
            data = connection.take_request()
            if data:
                has_moved = True
                self.arrived[number] += data
            if connection.state == "open":
                self._answer(number, connection)
            if connection.state not in ("open", "gone"):
                connection.finish()
                has_moved = True
        return has_moved

    def _answer(self, number: int, connection: Connection) -> None:
        if not self._answers or (
            self._answered[number] >= _whole(self.arrived[number])
        ):
            return
        self._answered[number] += 1
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        pieces = (
            [answer[at : at + 1] for at in range(len(answer))]
            if self._in_bytes
            else [answer]
        )
        for piece in pieces:
            if connection.state != "open":
                return
            if piece:
                connection.answer(piece)
            if self._in_bytes:
                self.clock.advance(STEP)
        if self._closes and connection.state == "open":
            connection.close()

    def leave(self) -> None:
        """The client closes its connection."""
        self.client.leave()
        self.settle()

    def __enter__(self) -> RawEnds:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()
        self._upstream.close()
        self.settle()
        # What its connections have waited for.
        self.clock.advance(60)
        if error is None:
            left = self.clock.getDelayedCalls()
            assert not left, left


def _whole(data: bytes) -> int:
    """The number of requests, if all are whole, and canonical."""
    try:
        return len(judging.requests(data))
    except AssertionError:
        return 0
