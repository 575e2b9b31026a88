"""The life of a port in front of an upstream."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.proxy.stream import listener
from nbtwisted.proxy.stream.listener import State, StreamProxy
from nbtwisted.proxy.stream.place import Upstream
from tests.client.state_table import moves_in, named
from tests.guard import ClockCase


class Port:
    """A port that closes when it is told to."""

    def __init__(self) -> None:
        self.closing: Deferred[None] | None = None

    def stopListening(self) -> Deferred[None]:
        self.closing = Deferred()
        return self.closing


class LifeTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = MemoryReactorClock()
        self.opening: Deferred[Port] = Deferred()
        self.port = Port()

        async def listen(*_: Any) -> Port:
            return await self.opening

        self.patch(listener, "listen", listen)
        self.proxy = StreamProxy(
            self.clock, listen="tcp:0", upstream=Upstream("h", 1), seed=1
        )

    def close_port(self) -> None:
        assert self.port.closing is not None
        self.port.closing.callback(None)

    def test_it_opens_and_closes(self) -> None:
        started = self.proxy.start()
        self.assertIs(self.proxy.state, State.OPENING)
        self.opening.callback(self.port)
        self.assertIs(self.successResultOf(started), self.port)
        self.assertIs(self.proxy.state, State.OPEN)
        stopped, again = self.proxy.stop(), self.proxy.stop()
        self.assertNoResult(stopped)
        self.close_port()
        self.successResultOf(stopped)
        self.successResultOf(again)
        self.assertIs(self.proxy.state, State.CLOSED)
        self.successResultOf(self.proxy.stop())

    def test_it_may_be_stopped_before_it_is_open(self) -> None:
        started = self.proxy.start()
        stopped = self.proxy.stop()
        self.opening.callback(self.port)
        self.assertNoResult(stopped)
        self.close_port()
        self.successResultOf(stopped)
        self.successResultOf(started)
        self.assertIs(self.proxy.state, State.CLOSED)

    def test_or_before_it_cannot_be_opened(self) -> None:
        started = self.proxy.start()
        stopped = self.proxy.stop()
        self.opening.errback(CannotListenError("127.0.0.1", 1, OSError()))
        self.failureResultOf(started, CannotListenError)
        self.successResultOf(stopped)
        self.assertIs(self.proxy.state, State.CLOSED)

    def test_a_port_that_cannot_be_opened_leaves_it_closed(self) -> None:
        started = self.proxy.start()
        self.opening.errback(CannotListenError("127.0.0.1", 1, OSError()))
        self.failureResultOf(started, CannotListenError)
        self.assertIs(self.proxy.state, State.CLOSED)

    def test_it_is_not_started_twice(self) -> None:
        self.proxy.start()
        error = self.assertRaises(AssertionError, self.proxy.start)
        self.assertIn("State.OPENING does not lead to State.OPENING", str(error))
        self.opening.callback(self.port)


class MoveTests(SynchronousTestCase):
    def test_the_table_has_the_moves_that_are_made(self) -> None:
        self.assertEqual(moves_in(LifeTests, StreamProxy, "state"), named(State))
