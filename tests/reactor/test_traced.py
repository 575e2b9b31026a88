"""The traced reactor: what a program sees of it, and what it sees of a program."""

from __future__ import annotations

import copy
import gc
import json
import os
import sys
import traceback
import weakref
from typing import Any
from unittest.mock import Mock

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor.traced import TracedReactor
from nbtwisted.reactor.tracing.traced_reactor import Settings
from tests.reactor.connected import ReactorTestCase
from tests.server.running import BY_MODULE, RunningServer


def function() -> None:
    """Something to call."""


class LookingTests(ReactorTestCase):
    """Whoever looks at a traced program sees what it is without."""

    reactor: TracedReactor

    def make_reactor(self) -> TracedReactor:
        self.said: list[str] = []
        return TracedReactor(settings=Settings(report=self.said.append))

    def count(self, name: str) -> int:
        entry = self.reactor.recorder.sums.get(name)
        return 0 if entry is None else entry.count

    def test_a_delayed_call_before_during_and_after(self) -> None:
        seen: list[object] = []

        def called(argument: str) -> None:
            seen.extend([argument, call.func, call.called, call.active(), repr(call)])

        call = self.reactor.callLater(0, called, "x")
        for _ in range(2):
            self.assertIs(call.func, called)
            self.assertIsInstance(call, DelayedCall)
            self.assertEqual((call.called, call.active()), (0, True))
            self.assertEqual(self.reactor.getDelayedCalls(), [call])
            self.assertIn(f"{called.__qualname__}('x')", repr(call))
            self.assertIs(copy.copy(call).func, called)
            # It is taken over from where it was put.
            self.reactor.timeout()
        self.turns()
        said = repr(call)
        self.assertEqual(seen[:4], ["x", called, 1, False])
        self.assertIn("called=1 cancelled=0", said)
        self.assertIs(call.func, called)
        self.assertEqual(self.count(f"{__name__}.{called.__qualname__}"), 1)

    def test_one_that_is_cancelled(self) -> None:
        for turns in range(2):
            call = self.reactor.callLater(100, function)
            self.turns(turns)
            call.cancel()
            self.assertIn("called=0 cancelled=1", repr(call))
            self.assertFalse(hasattr(call, "func"))
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_where_it_was_made_is_where_it_was_called_for(self) -> None:
        self.patch(DelayedCall, "debug", True)
        call = self.reactor.callLater(100, function)
        assert call.creator is not None
        self.assertIn("test_where_it_was_made", call.creator[-1])
        call.cancel()

    def test_a_call_from_a_thread(self) -> None:
        self.reactor.callFromThread(function)
        self.assertEqual(self.reactor.threadCallQueue, [(function, (), {})])
        # Who looks makes no calls.
        self.assertEqual(list(self.reactor.threadCallQueue), [(function, (), {})])
        self.assertEqual(self.count(f"{__name__}.function"), 0)
        self.turns()
        self.assertEqual(self.count(f"{__name__}.function"), 1)
        self.assertRaises(AssertionError, self.reactor.callFromThread, None)

    def test_objects_that_have_every_attribute(self) -> None:
        mocks = [Mock(), Mock()]
        self.reactor.callLater(0, mocks[0], 1)
        self.reactor.callFromThread(mocks[1], 2)
        self.turns(2)
        mocks[0].assert_called_once_with(1)
        mocks[1].assert_called_once_with(2)
        self.assertEqual(self.count("unittest.mock.Mock"), 2)

    def test_deferreds_without_a_warning(self) -> None:
        fired: Deferred[str] = Deferred()
        fired.addCallback(str)
        self.reactor.callFromThread(fired.callback, "x")
        later = deferLater(self.reactor, 0, function)
        self.turns(3)
        self.assertEqual(self.successResultOf(fired), "x")
        self.successResultOf(later)
        self.assertEqual(self.count(f"deferLater -> {__name__}.function"), 1)
        self.assertEqual(self.flushWarnings(), [])

    def test_no_frame_of_ours_between_the_reactor_and_a_function(self) -> None:
        stacks: list[list[str]] = []

        def remember() -> None:
            stacks.append([frame.filename for frame in traceback.extract_stack()])

        self.reactor.callLater(0, remember)
        self.reactor.callFromThread(remember)
        self.turns(2)
        for stack in stacks:
            self.assertTrue(stack[-2].endswith("twisted/internet/base.py"), stack[-2])
        self.assertEqual(len(stacks), 2)

    def test_each_call_has_its_own_time(self) -> None:
        now = [0.0]
        self.reactor.recorder.now = lambda: now[0]

        def takes(seconds: float) -> None:
            now[0] += seconds

        def fails() -> None:
            takes(4)
            raise ZeroDivisionError

        def turns() -> None:
            self.reactor.callLater(0, takes, 16)
            self.turns(2)
            takes(8)

        self.reactor.callFromThread(fails)
        self.reactor.callFromThread(takes, 1)
        self.reactor.callLater(0, fails)
        self.reactor.callLater(0, turns)
        self.turns()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertIsNone(self.reactor.recorder.current)
        sums = {
            name.rpartition(".")[2]: (entry.count, entry.seconds)
            for name, entry in self.reactor.recorder.sums.items()
            # The waker's.
            if not name.endswith("doRead")
        }
        self.assertEqual(sums, {"fails": (2, 8), "turns": (1, 24), "takes": (2, 17)})
        self.assertEqual(self.reactor.recorder.worked, 33)

    def test_the_shutdown_is_not_the_last_calls_time(self) -> None:
        now = [0.0]
        self.reactor.recorder.now = lambda: now[0]

        def shut_down() -> None:
            now[0] += 5

        self.reactor.addSystemEventTrigger("before", "shutdown", shut_down)
        self.reactor.callWhenRunning(self.reactor.callLater, 0, self.reactor.stop)
        self.reactor.run(installSignalHandlers=False)
        sums = self.reactor.recorder.sums
        self.assertEqual(
            sums[f"{TracedReactor.__module__}.TracedReactor.stop"].seconds, 0
        )
        self.assertEqual(sums["system event shutdown"].seconds, 5)

    def test_descriptors_that_have_every_attribute_or_none(self) -> None:
        reads, writes = os.pipe()
        self.addCleanup(os.close, reads)
        self.addCleanup(os.close, writes)
        os.write(writes, b"x")

        class Descriptor:
            def __getattr__(self, name: str) -> Any:
                raise ZeroDivisionError(name)

            def fileno(self) -> int:
                return reads

            def doRead(self) -> None:
                read.append(os.read(reads, 1))

            def logPrefix(self) -> str:
                return "-"

        read: list[bytes] = []
        descriptor = Descriptor()
        self.reactor.addReader(descriptor)
        self.until(lambda: read)
        self.reactor.removeReader(descriptor)
        self.assertEqual(read, [b"x"])
        self.assertEqual(self.count("Descriptor.doRead"), 1)

    def test_what_was_called_is_let_go(self) -> None:
        class Called:
            def __call__(self) -> None:
                """Something to call."""

        called = Called()
        looked_at = weakref.ref(called)
        self.reactor.callLater(0, called)
        self.reactor.callFromThread(called)
        del called
        self.turns(2)
        gc.collect()
        self.assertIsNone(looked_at())

    def test_a_stderr_that_cannot_be_written(self) -> None:
        for stream in (None, Mock(write=Mock(side_effect=OSError)), object()):
            self.patch(sys, "__stderr__", stream)
            self.run_on(TracedReactor(settings=Settings(stall=1e-9)))
            self.reactor.callLater(0, function)
            self.turns(2)
            self.assertGreater(self.reactor.recorder.stalls, 0)
            self.reactor.finish()


class ServerTests(SynchronousTestCase):
    def test_figures_of_a_server_that_runs_on_it(self) -> None:
        with RunningServer([*BY_MODULE, "--reactor", "traced"]) as server:
            server.ask(b"GET /delay/10ms HTTP/1.0\r\n\r\n")
            answer = server.ask(b"GET /__admin/reactor HTTP/1.0\r\n\r\n")
        figures = json.loads(answer.partition(b"\r\n\r\n")[2])
        self.assertGreater(figures["turns"], 1)
        self.assertTrue(figures["callbacks"])

    def test_of_one_that_does_not(self) -> None:
        with RunningServer() as server:
            answer = server.ask(b"GET /__admin/reactor HTTP/1.0\r\n\r\n")
        self.assertIn(b"404", answer.split(b"\r\n")[0])
        self.assertIn(b"--reactor traced", answer)
