"""The figures of a reactor: how long its turns are, and how late its timers."""

from __future__ import annotations

import asyncio
import gc
import select
import threading
import weakref
from collections.abc import Callable
from typing import Any
from unittest import mock

from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet import selectreactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted import reactor as our_reactors
from nbtwisted.reactor.figures.histogram import Histogram
from nbtwisted.reactor.figures.meter import STALL, meter_of
from nbtwisted.reactor.figures.prometheus import metrics
from tests.reactor.connected import ReactorTestCase
from tests.reactor.without_epoll import WithoutEpoll


def figures(reactor: Any) -> dict[str, float]:
    """What Prometheus reads, by name."""
    registry = CollectorRegistry()
    registry.register(metrics(reactor))
    lines = generate_latest(registry).decode().splitlines()
    found = (line.split(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in found}


class HistogramTests(SynchronousTestCase):
    def test_bounds_are_of_the_bucket_below(self) -> None:
        counted = Histogram([0.1, 1.0])
        self.assertEqual((counted.count, counted.total), (0, 0.0))
        for seconds in (0.0, 0.1, 0.5, 1.0, 1.5):
            counted.add(seconds)
        self.assertEqual(counted.buckets(), [("0.1", 2), ("1.0", 4), ("+Inf", 5)])
        self.assertEqual((counted.count, counted.total), (5, 3.1))


class SlowPoll:
    """An object to poll by, whose polls take a while of a test's time."""

    def __init__(self, inner: Any, take: Callable[[], None]) -> None:
        self._inner = inner
        self._take = take

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def poll(self, *args: Any) -> Any:
        self._take()
        return self._inner.poll(*args)


class MeterTests(ReactorTestCase):
    """On the eager reactor."""

    def setUp(self) -> None:
        super().setUp()
        self.now = 0.0
        if hasattr(self.reactor, "_poller"):
            self.reactor._poller = SlowPoll(self.reactor._poller, self.takes(0))
        self.reactor.seconds = lambda: self.now
        self.meter = meter_of(self.reactor, lambda: self.now)

    def takes(self, seconds: float) -> Callable[[], None]:
        def work() -> None:
            self.now += seconds

        return work

    def turn(self) -> None:
        """Make the calls that are due, and poll."""
        self.reactor.runUntilCurrent()
        # What is new is taken over here, as in every loop of Twisted's.
        self.reactor.timeout()
        self.reactor.doIteration(0)

    def counted(self) -> int:
        assert self.meter.turns is not None
        return self.meter.turns.count

    def test_the_work_between_two_polls(self) -> None:
        self.turn()
        # When the first has begun is unknown.
        self.assertEqual(self.counted(), 0)
        self.reactor.callFromThread(self.takes(0.25))
        self.reactor.callFromThread(self.takes(0.5))
        self.turn()
        self.turn()
        assert self.meter.turns is not None
        self.assertEqual((self.counted(), self.meter.turns.total), (2, 0.75))
        self.assertEqual((self.meter.stalls, self.meter.stalled), (1, 0.75))

    def test_a_turn_that_is_no_stall(self) -> None:
        self.turn()
        self.reactor.callFromThread(self.takes(STALL * 0.99))
        self.turn()
        self.assertEqual((self.meter.stalls, self.counted()), (0, 1))

    def test_time_in_a_poll_is_no_work(self) -> None:
        self.reactor._poller._inner._take = self.takes(100)
        for _ in range(3):
            self.turn()
        assert self.meter.turns is not None
        self.assertEqual((self.now, self.counted()), (300, 2))
        self.assertEqual(self.meter.turns.total, 0)

    def test_how_late_timers_are(self) -> None:
        self.reactor.callLater(1, self.takes(0))
        self.turn()
        self.now = 1.5
        self.turn()
        self.turn()
        late = self.meter.lateness
        self.assertEqual((late.count, late.total), (1, 0.5))

    def test_one_that_is_not_due(self) -> None:
        call = self.reactor.callLater(1, self.takes(0))
        self.turn()
        self.turn()
        self.assertEqual(self.meter.lateness.count, 0)
        call.cancel()

    def test_one_that_was_cancelled(self) -> None:
        cancelled = self.reactor.callLater(1, self.takes(0))
        self.turn()
        cancelled.cancel()
        self.now = 5
        self.turn()
        self.assertEqual(self.meter.lateness.count, 0)

    def test_one_that_was_put_off(self) -> None:
        put_off = self.reactor.callLater(2, self.takes(0))
        self.turn()
        put_off.reset(10)
        self.now = 5
        self.turn()
        self.assertEqual(self.meter.lateness.count, 0)
        self.now = 10.25
        self.turn()
        self.assertEqual(self.meter.lateness.total, 0.25)

    def test_one_that_comes_to_be_another_kind(self) -> None:
        ran: list[object] = []
        kind = type(self.reactor)

        def runs(reactor: Any) -> None:
            ran.append(reactor)
            kind.runUntilCurrent(reactor)

        self.reactor.__class__ = type("Other", (kind,), {"runUntilCurrent": runs})
        self.turn()
        self.assertEqual(ran, [self.reactor])

    def test_one_meter_for_each(self) -> None:
        self.assertIs(meter_of(self.reactor), self.meter)

    def test_connections_as_ever(self) -> None:
        client, served = self.connect()
        served.on_data = lambda: served.transport.write(b"y" * 3_000_000)
        client.send(b"x")
        got = bytearray()

        def read() -> bool:
            try:
                got.extend(client.recv(2**20))
            except BlockingIOError:
                return False
            return len(got) == 3_000_000

        self.until(read)
        served.transport.loseConnection()
        self.until(lambda: served.lost)


class OnTwistedsTests(MeterTests):
    make_reactor = EPollReactor


class OnPollTests(WithoutEpoll, MeterTests):
    make_reactor: Any = PollReactor


class OnSelectTests(WithoutEpoll, MeterTests):
    def make_reactor(self) -> Any:
        self.patch(selectreactor, "_select", self.select)
        self.take: Callable[[], None] = self.takes(0)
        return SelectReactor()

    def select(self, *args: Any) -> Any:
        self.take()
        return select.select(*args)

    def test_time_in_a_poll_is_no_work(self) -> None:
        self.take = self.takes(100)
        for _ in range(3):
            self.turn()
        assert self.meter.turns is not None
        self.assertEqual((self.now, self.counted()), (300, 2))
        self.assertEqual(self.meter.turns.total, 0)


class OnAsyncioTests(WithoutEpoll, ReactorTestCase):
    """On asyncio, whose loop polls."""

    def make_reactor(self) -> Any:
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        return AsyncioSelectorReactor(loop)

    def test_turns_and_timers(self) -> None:
        now = 0.0
        meter = meter_of(self.reactor, lambda: now)
        _, served = self.connect()
        assert meter.turns is not None
        before = meter.turns.count
        self.assertGreater(before, 0)
        self.assertEqual(meter.turns.total, 0)
        late = meter.lateness.count

        def works() -> None:
            nonlocal now
            now += 0.5

        self.reactor.callLater(0, works)
        self.until(lambda: meter.stalls)
        self.assertGreater(meter.turns.count, before)
        self.assertEqual((meter.turns.total, meter.stalls), (0.5, 1))
        self.assertEqual(meter.lateness.count, late + 1)
        served.transport.abortConnection()
        self.until(lambda: served.lost)


class FigureTests(ReactorTestCase):
    make_reactor = EPollReactor

    def test_all_of_them(self) -> None:
        later = self.reactor.callLater(100, int)
        # On a clock that stands still: the machine may be busy.
        meter_of(self.reactor, lambda: 0.0)
        figures(self.reactor)
        self.turns(3)
        found = figures(self.reactor)
        self.assertEqual(found["reactor_turn_seconds_count"], 2)
        self.assertEqual(found['reactor_turn_seconds_bucket{le="+Inf"}'], 2)
        self.assertEqual(found["reactor_stalls_total"], 0)
        self.assertEqual(found["reactor_stalled_seconds_total"], 0)
        self.assertEqual(found["reactor_timer_lateness_seconds_count"], 0)
        self.assertEqual(found["reactor_delayed_calls"], 1)
        self.assertEqual(found["reactor_readers"], len(self.reactor.getReaders()))
        self.assertEqual(found["reactor_writers"], 0)
        for name in ("threads", "working", "queued"):
            self.assertEqual(found[f"reactor_threadpool_{name}"], 0)
        later.cancel()

    def test_the_pool(self) -> None:
        self.reactor.suggestThreadPoolSize(2)
        pool = self.reactor.getThreadPool()
        pool.start()
        self.addCleanup(pool.stop)
        go_on, busy = threading.Event(), threading.Semaphore(0)
        self.addCleanup(go_on.set)

        def job() -> None:
            busy.release()
            go_on.wait(30)

        for _ in range(5):
            pool.callInThread(job)
        for _ in range(2):
            self.assertTrue(busy.acquire(timeout=30))
        found = figures(self.reactor)
        self.assertEqual(
            [
                found[f"reactor_threadpool_{x}"]
                for x in ("threads", "working", "queued")
            ],
            [2, 2, 3],
        )

    def test_descriptors_that_change_while_they_are_counted(self) -> None:
        changed = RuntimeError("Set changed size during iteration")
        with mock.patch.object(
            self.reactor, "getReaders", side_effect=[changed, changed, [1, 2]]
        ):
            self.assertEqual(figures(self.reactor)["reactor_readers"], 2)
        with mock.patch.object(self.reactor, "getWriters", side_effect=changed):
            self.assertNotIn("reactor_writers", figures(self.reactor))

    def test_a_traced_one_tells_its_callbacks_apart(self) -> None:
        self.reactor.recorder = mock.Mock(stalls=7, stalled=3.5)
        found = figures(self.reactor)
        self.assertEqual(found["reactor_stalls_total"], 7)
        self.assertEqual(found["reactor_stalled_seconds_total"], 3.5)

    def test_by_its_public_name(self) -> None:
        # Also when the module was imported.
        self.assertIs(our_reactors.metrics, metrics)

    def test_what_has_no_polls_to_be_seen(self) -> None:
        # As uvloop's loop.
        loop = mock.Mock(spec=["add_reader", "remove_reader"])
        reactor = AsyncioSelectorReactor(loop)
        for reader in reactor._internalReaders:
            self.addCleanup(reader.connectionLost, None)
        found = figures(reactor)
        self.assertNotIn("reactor_turn_seconds_count", found)
        self.assertNotIn("reactor_stalls_total", found)
        self.assertEqual(found["reactor_timer_lateness_seconds_count"], 0)
        self.assertEqual(found["reactor_delayed_calls"], 0)

    def test_what_is_no_reactor(self) -> None:
        clock = Clock()
        clock.callLater(1, int)
        self.assertEqual(figures(clock), {"reactor_delayed_calls": 1})
        self.assertEqual(figures(MemoryReactorClock())["reactor_readers"], 0)

    def test_nothing_keeps_a_reactor(self) -> None:
        self.patch(selectreactor, "_select", selectreactor._select)
        reactor = SelectReactor()
        figures(reactor)
        for reader in reactor._internalReaders:
            reader.connectionLost(None)
        gone = weakref.ref(reactor)
        del reactor, reader
        gc.collect()
        self.assertIsNone(gone())
