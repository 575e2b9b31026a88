"""What is said of threads that use a reactor which is not theirs."""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import DelayedCall
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ReactorAlreadyRunning
from twisted.internet.pollreactor import PollReactor
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock, LoopingCall, deferLater
from twisted.internet.threads import blockingCallFromThread
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor import thread_check
from nbtwisted.reactor.naming import class_name, name_of
from nbtwisted.reactor.thread_check import OtherThreads, WrongThread
from tests.reactor.connected import ReactorTestCase
from tests.reactor.without_epoll import WithoutEpoll


def in_a_thread(act: Callable[[], object], name: str = "worker") -> Any:
    """Do something in another thread; returns what it returns or raises."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(act())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join()
    return outcome[0]


def nothing() -> None:
    """Something to call."""


class WatchedCase(ReactorTestCase):
    """Has a reactor that runs, by turns, and is watched."""

    is_strict = False

    def setUp(self) -> None:
        super().setUp()
        self.reports: list[str] = []
        self.check = thread_check.watch(
            self.reactor, strict=self.is_strict, report=self.reports.append
        )
        self.start()

    def start(self) -> None:
        reactor = self.reactor
        reactor.startRunning(installSignalHandlers=False)
        self.addCleanup(setattr, reactor, "_started", False)

    def used(self) -> list[str]:
        """What the reports say was called."""
        return [
            each.partition(" was called in the thread ")[0] for each in self.reports
        ]


class ReportTests(WatchedCase):
    def test_a_timer(self) -> None:
        def sets_a_timer() -> None:
            self.reactor.callLater(0, nothing)

        in_a_thread(sets_a_timer)
        line = sets_a_timer.__code__.co_firstlineno + 1
        (report,) = self.reports
        lines = report.split("\n")
        self.assertEqual(
            lines[0],
            "reactor.callLater was called in the thread 'worker' at "
            f"{__file__}:{line}; only the reactor's thread may do that: use "
            "reactor.callFromThread",
        )
        self.assertEqual(lines[1], "the thread:")
        middle = lines.index("the reactor's thread, meanwhile:")
        # The line of the program is the last one: nothing of ours comes after it.
        self.assertIn(f'"{__file__}", line {line}, in sets_a_timer', lines[middle - 2])
        self.assertNotIn("thread_check.py", report.replace(__file__, ""))
        self.assertIn("in in_a_thread", report[report.index(lines[middle]) :])

    def test_a_write(self) -> None:
        client, served = self.connect()
        in_a_thread(lambda: served.transport.write(b"hello"))
        self.assertEqual(self.used(), ["transport.write"])
        self.until(lambda: self.reactor.getWriters() == [])
        self.assertEqual(client.recv(100), b"hello")

    def test_the_methods_of_a_transport(self) -> None:
        _, served = self.connect()
        for name, arguments in (
            ("writeSequence", [[b"x"]]),
            ("pauseProducing", []),
            ("resumeProducing", []),
            ("loseWriteConnection", []),
            ("loseConnection", []),
            ("abortConnection", []),
        ):
            self.reports.clear()
            # A line for each: it is a new place.
            code = compile("\n" * len(name) + f"t.{name}(*a)", name, "exec")
            scope = {"t": served.transport, "a": arguments, "__name__": "program"}
            in_a_thread(lambda: exec(code, scope))  # noqa: B023
            self.assertEqual(self.used(), [f"transport.{name}"])

    def test_what_leads_to_a_timer(self) -> None:
        later = self.reactor.callLater(100, nothing)
        loop = LoopingCall(nothing)
        loop.clock = self.reactor
        port = self.reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        in_a_thread(lambda: deferLater(self.reactor, 0, nothing))
        in_a_thread(lambda: later.reset(200))
        in_a_thread(lambda: later.reset(50))
        in_a_thread(lambda: later.cancel())
        in_a_thread(lambda: loop.start(1))
        in_a_thread(lambda: port.stopListening())
        self.assertEqual(
            self.used(),
            [
                "twisted.internet.task.deferLater",
                # One that comes later than it would have is only marked as such.
                "DelayedCall.reset",
                "DelayedCall.cancel",
                "LoopingCall.start",
                "Port.stopListening",
            ],
        )
        loop.stop()
        self.turns(3)

    def test_once_for_each_place(self) -> None:
        for name in ("first", "second", "third"):
            in_a_thread(lambda: self.reactor.callLater(0, nothing), name)
        self.assertEqual(len(self.reports), 1)
        in_a_thread(lambda: self.reactor.callLater(0, nothing))
        self.assertEqual(len(self.reports), 2)
        self.turns()

    def test_one_call_of_several_uses_is_one(self) -> None:
        # On asyncio, it also sets a timer.
        in_a_thread(lambda: self.reactor.stop())
        self.assertEqual(self.used(), ["reactor.stop"])

    def test_places_are_counted(self) -> None:
        self.patch(thread_check, "MOST_PLACES", 2)
        for number in range(5):
            code = compile("\n" * number + "later(0, print)", "many", "exec")
            scope = {"later": self.reactor.callLater, "__name__": "program"}
            in_a_thread(lambda: exec(code, scope))  # noqa: B023
        self.assertEqual(len(self.reports), 2)

    def test_given_to_a_pool_itself(self) -> None:
        pool = self.reactor.getThreadPool()
        done = threading.Event()
        pool.callInThreadWithCallback(
            lambda *_: done.set(), self.reactor.callLater, 0, nothing
        )
        self.assertTrue(done.wait(30))
        self.assertIn(", as all that it was given; only", self.reports[0])
        self.reactor._stopThreadPool()

    def test_what_threads_may_use(self) -> None:
        done = threading.Event()

        def uses() -> None:
            self.reactor.callFromThread(nothing)
            self.reactor.callInThread(done.set)
            self.reactor.wakeUp()
            self.assertTrue(self.reactor.seconds())
            self.assertEqual(blockingCallFromThread(self.reactor, lambda: 5), 5)

        self.reactor.getThreadPool()
        thread = threading.Thread(target=uses)
        thread.start()
        self.until(lambda: not thread.is_alive())
        self.assertTrue(done.wait(30))
        self.assertEqual(self.reports, [])
        self.reactor._stopThreadPool()

    def test_the_thread_of_the_reactor_may_all(self) -> None:
        client, served = self.connect()
        client.send(b"x")
        served.on_data = lambda: served.transport.write(b"y")
        self.until(lambda: served.received)
        self.reactor.callLater(0, nothing).cancel()
        served.transport.abortConnection()
        self.until(lambda: served.lost)
        self.assertEqual(self.reports, [])

    def test_before_it_runs_and_after(self) -> None:
        self.run_on(self.make_reactor())
        self.check = thread_check.watch(self.reactor, report=self.reports.append)
        in_a_thread(lambda: self.reactor.callLater(0, nothing))
        self.assertEqual(self.reports, [])
        self.start()
        in_a_thread(lambda: self.reactor.callLater(0, nothing))
        self.assertEqual(len(self.reports), 1)
        self.reactor._started = False
        in_a_thread(lambda: self.reactor.callLater(0, nothing))
        self.assertEqual(len(self.reports), 1)
        self.turns()

    def test_one_that_runs_in_another_thread(self) -> None:
        self.run_on(self.make_reactor())
        self.check = thread_check.watch(self.reactor, report=self.reports.append)
        in_a_thread(self.start)
        # Who asks it to run once more does not take it over.
        self.assertRaises(ReactorAlreadyRunning, self.reactor.startRunning)
        self.reactor.callLater(0, nothing)
        self.assertIn("in the thread 'MainThread'", self.reports[0])
        # Its own has come to an end.
        self.assertTrue(self.reports[0].endswith("meanwhile:\n  (it is gone)"))
        self.turns()

    def test_one_that_runs_already(self) -> None:
        self.check.stop()
        self.check = thread_check.watch(self.reactor, report=self.reports.append)
        self.reactor.callLater(0, nothing)
        self.assertEqual(self.reports, [])
        in_a_thread(lambda: self.reactor.callLater(0, nothing))
        self.assertEqual(len(self.reports), 1)
        self.turns()

    def test_names_that_would_act_on_a_terminal(self) -> None:
        in_a_thread(lambda: self.reactor.callLater(0, nothing), "\x1b[2J\nworker")
        self.assertIn(r"'\x1b[2J\nworker'", self.reports[0])
        self.turns()

    def test_a_timer_still_says_where_it_was_made(self) -> None:
        self.patch(DelayedCall, "debug", True)
        call = self.reactor.callLater(100, nothing)
        assert call.creator is not None
        self.assertNotIn("reactor/thread_check.py", "".join(call.creator))
        self.assertIn("test_a_timer_still_says", "".join(call.creator[-2:]))
        call.cancel()

    def test_what_the_reactor_does_meanwhile(self) -> None:
        client, served = self.connect()
        served.on_data = lambda: in_a_thread(lambda: self.reactor.callLater(0, nothing))
        client.send(b"x")
        self.until(lambda: self.reports)
        meanwhile = self.reports[0].partition("meanwhile:\n")[2]
        self.assertIn("in doRead", meanwhile)
        self.assertNotIn(os.path.dirname(thread_check.__file__), meanwhile)
        self.turns()

    def test_methods_by_their_names(self) -> None:
        kind = class_name(type(self.reactor))
        module = type(self.reactor).__module__
        for name in ("stop", "callLater", "addWriter"):
            method = getattr(self.reactor, name)
            self.assertIn(name, vars(self.reactor))
            self.assertEqual(name_of(method), f"{module}.{kind}.{name}")
            self.assertEqual(
                list(inspect.signature(method).parameters),
                list(inspect.signature(getattr(type(self.reactor), name)).parameters)[
                    1:
                ],
            )

    def test_watched_no_more(self) -> None:
        call = self.reactor.callLater(100, nothing)
        before = dict(vars(self.reactor))
        thread_check.watch(self.reactor, report=self.reports.append)
        self.assertEqual(vars(self.reactor).keys(), before.keys())
        anew = self.reactor._nbtwisted_thread_check
        self.reactor.callWhenRunning = mine = mock.Mock()
        anew.stop()
        # What somebody has put into the place of ours stays.
        self.assertIs(self.reactor.callWhenRunning, mine)
        self.assertNotIn("callLater", vars(self.reactor))
        self.assertNotIn("startRunning", vars(self.reactor))
        in_a_thread(lambda: self.reactor.callLater(0, nothing))
        in_a_thread(lambda: call.cancel())
        self.assertEqual(self.reports, [])
        self.turns()

    def test_where_it_is_said(self) -> None:
        thread_check.watch(self.reactor)
        said = io.StringIO()
        with mock.patch.object(sys, "__stderr__", said):
            in_a_thread(lambda: self.reactor.callLater(0, nothing))
        lines = said.getvalue().splitlines()
        self.assertTrue(all(line.startswith("reactor: ") for line in lines), lines)
        self.assertTrue(lines[0].startswith("reactor: reactor.callLater was called"))
        with mock.patch.object(sys, "__stderr__", None):
            self.assertIsInstance(
                in_a_thread(lambda: self.reactor.callLater(0, nothing)), DelayedCall
            )
        self.turns()


class TwistedsReportTests(ReportTests):
    """The same on Twisted's own."""

    make_reactor = EPollReactor


class PollReportTests(WithoutEpoll, ReportTests):
    make_reactor: Any = PollReactor


class SelectReportTests(WithoutEpoll, ReportTests):
    make_reactor: Any = SelectReactor


class AsyncioReportTests(WithoutEpoll, ReportTests):
    def make_reactor(self) -> Any:
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        return AsyncioSelectorReactor(loop)


class StrictTests(WatchedCase):
    is_strict = True

    def test_it_raises_each_time_and_says_it_once(self) -> None:
        for _ in range(3):
            raised = in_a_thread(lambda: self.reactor.callLater(0, nothing))
            self.assertIsInstance(raised, WrongThread)
            self.assertIn("reactor.callLater was called", str(raised))
        self.assertEqual(self.reports[0].partition("\n")[0], str(raised))
        self.assertEqual(len(self.reports), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_write(self) -> None:
        _, served = self.connect()
        raised = in_a_thread(lambda: served.transport.write(b"hello"))
        self.assertIsInstance(raised, WrongThread)
        self.assertEqual(self.reactor.getWriters(), [])

    def test_what_opens_something_opens_nothing(self) -> None:
        listen = self.reactor.listenTCP
        files = os.listdir("/proc/self/fd")
        for act in (
            lambda: listen(0, Factory(), interface="127.0.0.1"),
            lambda: self.reactor.connectTCP("127.0.0.1", 1, Factory()),
            lambda: self.reactor.spawnProcess(ProcessProtocol(), "/bin/true"),
        ):
            self.assertIsInstance(in_a_thread(act), WrongThread)
        self.assertEqual(os.listdir("/proc/self/fd"), files)

    def test_a_timer_that_is_cancelled_is_still_there(self) -> None:
        call = self.reactor.callLater(100, nothing)
        self.assertIsInstance(in_a_thread(lambda: call.cancel()), WrongThread)
        self.assertEqual(self.reactor.getDelayedCalls(), [call])
        call.cancel()


class AskingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = SelectReactor()
        for reader in self.reactor._internalReaders:
            self.addCleanup(reader.connectionLost, None)

    def told(self, value: str | None) -> Any:
        environment = {} if value is None else {thread_check.VARIABLE: value}
        return mock.patch.dict(os.environ, environment)

    def test_who_does_not_ask_pays_nothing(self) -> None:
        before = dict(vars(self.reactor))
        for value in (None, "", "0"):
            with self.told(value):
                thread_check.follow_environment(self.reactor)
        thread_check.watch_for(self.reactor, OtherThreads.UNSEEN)
        self.assertEqual(vars(self.reactor), before)

    def test_who_asks(self) -> None:
        for value, is_strict in (("1", False), ("strict", True)):
            with self.told(value):
                thread_check.follow_environment(self.reactor)
            check = vars(self.reactor)["_nbtwisted_thread_check"]
            self.assertEqual(check._strict, is_strict)
            # What is watched stays so, by whoever has asked for it.
            for other in ("0", "1", "strict"):
                with self.told(other):
                    thread_check.follow_environment(self.reactor)
            self.assertIs(vars(self.reactor)["_nbtwisted_thread_check"], check)
            check.stop()

    def test_values(self) -> None:
        for value, meant in (
            (None, OtherThreads.REPORTED),
            ("", OtherThreads.REPORTED),
            ("0", OtherThreads.UNSEEN),
            ("1", OtherThreads.REPORTED),
            ("strict", OtherThreads.REFUSED),
        ):
            with self.told(value):
                self.assertIs(thread_check.as_told(OtherThreads.REPORTED), meant)

    def test_what_is_none(self) -> None:
        for value in ("yes", "STRICT", "2"):
            with self.told(value), self.assertRaises(ValueError) as caught:
                thread_check.follow_environment(self.reactor)
            self.assertEqual(
                str(caught.exception),
                f"NBTWISTED_THREAD_CHECK={value!r}: expected 1, strict or 0",
            )

    def test_what_is_no_reactor(self) -> None:
        with self.assertRaises(TypeError) as caught:
            thread_check.watch(Clock())
        self.assertEqual(
            str(caught.exception), "Clock: expected a reactor of Twisted's"
        )
