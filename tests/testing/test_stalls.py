"""What of a test blocks the reactor: what is told of it, and who is told."""

from __future__ import annotations

import os
import unittest
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any

from twisted.internet import selectreactor
from twisted.python import threadable
from twisted.trial import reporter
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted import testing
from nbtwisted.reactor.adopting import CannotTrace
from nbtwisted.reactor.tracing.recorder import Stall
from nbtwisted.testing import FailsOnStall
from nbtwisted.testing.stalls import listening as stalls
from nbtwisted.testing.stalls.limit import limit_from
from nbtwisted.testing.stalls.listening import StallError, Stalls, listen
from nbtwisted.testing.stalls.reporter import StallReporter
from tests.guard import ClockCase

STACK = (
    '  File "/usr/app.py", line 1, in <module>\n    reactor.run()\n',
    '  File "/usr/twisted/internet/base.py", line 2, in mainLoop\n    self.doPoll()\n',
    '  File "/usr/twisted/internet/defer.py", line 3, in callback\n    run()\n',
    '  File "/src/shop/orders.py", line 41, in parse\n    time.sleep(0.2)\n',
    '  File "/usr/lib/site-packages/six.py", line 5, in inner\n    really()\n',
)


def failures_of(result: Any) -> list[Any]:
    return [failure for _, failure in result.failures]


class StallsCase(ClockCase):
    """Those who listen are told of stalls that no reactor had."""

    def setUp(self) -> None:
        super().setUp()
        self.limits: list[float] = []
        self.patch(stalls, "_see_to_it", self.limits.append)

    def stall(self, *args: Any, **kwargs: Any) -> None:
        stalls._tell_all(Stall(*args, **kwargs))


class LimitTests(ClockCase):
    def test_limits(self) -> None:
        for text, limit in [("50ms", 0.05), ("0.5s", 0.5), ("1m", 60), ("off", None)]:
            self.assertEqual(limit_from("it", text), limit)
        for wrong in ("", "50", "0ms", "-5ms", "ms", "50 ms", "1h", "on", None, 0.05):
            error = self.assertRaises(ValueError, limit_from, "it", wrong)
            self.assertEqual(
                str(error),
                f"it: {wrong!r}: expected a time above 0 and its unit, such as 50ms, "
                "or off",
            )


class ListeningTests(StallsCase):
    def test_from_its_limit_on_and_until_it_is_closed(self) -> None:
        short, long = listen(0.05), listen(0.5)
        self.assertEqual(self.limits, [0.05, 0.5])
        self.stall("a", 0.05)
        self.stall("b", 0.6)
        short.close()
        self.stall("c", 0.7)
        long.close()
        long.close()
        self.stall("d", 0.8)
        self.assertEqual([each.name for each in short.found], ["a", "b"])
        self.assertEqual([each.name for each in long.found], ["b", "c"])

    def test_a_reactor_in_another_thread_ends_what_it_does(self) -> None:
        """As crochet's, whose callbacks end a test before they have ended."""

        class Reactor:
            running = True

            def callFromThread(self, call: Callable[[], None]) -> None:
                stalls._tell_all(Stall("a", 0.2))
                call()

        self.patch(stalls, "installed_reactor", Reactor)
        self.patch(threadable, "ioThread", -1)
        here = listen(0.05)
        here.close()
        self.assertEqual(len(here.found), 1)

    def test_what_the_kernel_ran_instead_does_not_count(self) -> None:
        here = listen(0.05)
        self.addCleanup(here.close)
        self.stall("a", 0.25, preempted=0.21)
        self.assertEqual(here.found, [])
        self.stall("a", 0.25, preempted=0.19)
        self.assertEqual(len(here.found), 1)
        self.assertIn(
            "limit: 50 ms (the machine was busy: for up to 190 ms of that, the kernel "
            "ran something else)",
            here.told("a test"),
        )

    def test_what_is_told(self) -> None:
        here = Stalls(0.05)
        here.note(Stall("Order.dataReceived [1.2.3.4:5]", 0.203, STACK))
        self.assertEqual(
            here.told("shop.OrderTests.test_it").splitlines(),
            [
                "blocked the reactor for 203 ms: /src/shop/orders.py:41, in parse",
                "test: shop.OrderTests.test_it",
                "callback: Order.dataReceived [1.2.3.4:5]",
                "limit: 50 ms",
                "It was here meanwhile:",
                *"".join(STACK[2:]).splitlines(),
            ],
        )

    def test_where_nobody_could_look(self) -> None:
        here = Stalls(0.05)
        here.note(Stall("math.factorial", 0.1))
        first, *_, last = here.told("a test").splitlines()
        self.assertEqual(first, "blocked the reactor for 100 ms: its line is not known")
        self.assertIn("C code", last)

    def test_only_some_of_many(self) -> None:
        here = Stalls(0.05)
        for number in range(stalls.MOST + 2):
            here.note(Stall(f"call {number}", 0.1))
        told = here.told("a test")
        self.assertEqual(told.count("blocked the reactor"), stalls.MOST)
        self.assertEqual(told.splitlines()[-1], "and 2 more")


class CannotTests(ClockCase):
    def test_a_reactor_that_cannot_be_traced(self) -> None:
        class Reactor:
            running = False

        reactor = Reactor()
        reactor.__class__ = type("Other", (Reactor,), {})
        self.patch(stalls, "trace_whichever_comes", lambda settings: None)
        self.patch(stalls, "installed_reactor", lambda: reactor)
        error = self.assertRaises(CannotTrace, listen, 0.05)
        self.assertIn("Other cannot be traced: expected", str(error))
        self.assertEqual(stalls._listening, [])


class MixinTests(StallsCase):
    def run_case(
        self,
        test: Callable[[Any], None],
        base: Any = SynchronousTestCase,
        **more: Any,
    ) -> reporter.TestResult:
        kind: Any = type("Case", (FailsOnStall, base), {"test_it": test, **more})
        result = reporter.TestResult()
        kind("test_it").run(result)
        self.assertEqual(stalls._listening, [])
        return result

    def blocks(self, case: Any) -> None:
        self.stall("blocks", 0.2, STACK)

    def test_a_test_that_blocks(self) -> None:
        for more in ({"test_it": self.blocks}, {"tearDown": self.blocks}):
            result = self.run_case(**{"test": lambda case: None, **_methods(more)})
            self.assertEqual((result.successes, len(result.failures)), (0, 1))
            (failure,) = failures_of(result)
            self.assertIs(failure.type, StallError)
            self.assertIn("200 ms: /src/shop/orders.py:41", str(failure.value))
            self.assertIn("Case.test_it", str(failure.value))

    def test_a_test_that_does_not(self) -> None:
        result = self.run_case(lambda case: self.stall("short", 0.05))
        self.assertEqual((result.successes, result.failures), (1, []))
        self.assertEqual(self.limits, [0.1])

    def test_one_that_fails_itself(self) -> None:
        def fails(case: Any) -> None:
            self.blocks(case)
            case.fail("its own")

        result = self.run_case(fails)
        (failure,) = failures_of(result)
        self.assertEqual(str(failure.value), "its own")

    def test_limits_of_a_class_and_of_a_method(self) -> None:
        def blocks(case: Any) -> None:
            self.blocks(case)

        result = self.run_case(blocks, fail_on_stall="0.3s")
        self.assertEqual(result.successes, 1)
        blocks.fail_on_stall = "off"  # type: ignore[attr-defined]
        result = self.run_case(blocks, fail_on_stall="50ms")
        self.assertEqual(result.successes, 1)
        self.assertEqual(self.limits, [0.3])

    def test_what_is_no_limit_is_an_error_of_the_test_alone(self) -> None:
        result = self.run_case(lambda case: None, fail_on_stall="50")
        ((_, failure),) = result.errors
        self.assertIn("fail_on_stall: '50': expected a time above 0", str(failure))
        self.assertEqual((result.testsRun, result.successes), (1, 0))
        kind: Any = type("Case", (FailsOnStall, unittest.TestCase), {"test_it": id})
        kind.fail_on_stall = None
        self.assertEqual(len(kind("test_it").run().errors), 1)

    def test_todo(self) -> None:
        def blocks(case: Any) -> None:
            self.blocks(case)

        blocks.todo = "it is known to block"  # type: ignore[attr-defined]
        result = self.run_case(blocks)
        self.assertEqual(len(result.expectedFailures), 1)
        self.assertEqual(result.unexpectedSuccesses, [])

    def test_a_case_of_unittest(self) -> None:
        kind: Any = type(
            "Case", (FailsOnStall, unittest.TestCase), {"test_it": self.blocks_here()}
        )
        result = unittest.TestResult()
        kind("test_it").run(result)
        ((_, text),) = result.failures
        self.assertIn("blocked the reactor for 200 ms", text)
        self.assertEqual(len(kind("test_it").run().failures), 1)

    def blocks_here(self) -> Callable[[Any], None]:
        return lambda case: self.blocks(case)

    def test_it_is_there_by_its_short_name(self) -> None:
        self.assertIs(testing.FailsOnStall, FailsOnStall)
        self.assertRaises(AttributeError, getattr, testing, "FailsOnStalls")


class ReporterTests(StallsCase):
    def setUp(self) -> None:
        super().setUp()
        self.environment: dict[str, str] = {}
        self.patch(os, "environ", self.environment)

    def run_case(self, test: Callable[[Any], None]) -> Any:
        kind: Any = type("Case", (SynchronousTestCase,), {"test_it": test})
        self.out = StringIO()
        told: Any = StallReporter(self.out)
        kind("test_it").run(told)
        told.done()
        self.assertEqual(stalls._listening, [])
        return told

    def blocks(self) -> Any:
        return lambda case: self.stall("blocks", 0.2, STACK)

    def test_a_test_that_blocks(self) -> None:
        told = self.run_case(self.blocks())
        self.assertFalse(told.wasSuccessful())
        self.assertIn("blocked the reactor for 200 ms: /src/", self.out.getvalue())
        self.assertIn("[FAIL]", self.out.getvalue())

    def test_a_test_that_does_not(self) -> None:
        told = self.run_case(lambda case: self.stall("short", 0.05))
        self.assertTrue(told.wasSuccessful())
        self.assertEqual(told.successes, 1)

    def test_todo(self) -> None:
        blocks = self.blocks()
        blocks.todo = "it is known to block"
        told = self.run_case(blocks)
        self.assertTrue(told.wasSuccessful())
        self.assertEqual(len(told.expectedFailures), 1)
        without = self.run_case(_todo())
        self.assertEqual(len(without.unexpectedSuccesses), 1)

    def test_limits(self) -> None:
        self.environment["NBTWISTED_FAIL_ON_STALL"] = "30ms"
        self.assertFalse(
            self.run_case(lambda case: self.stall("short", 0.05)).wasSuccessful()
        )
        self.environment["NBTWISTED_FAIL_ON_STALL"] = "off"
        self.assertTrue(self.run_case(self.blocks()).wasSuccessful())
        self.environment["NBTWISTED_FAIL_ON_STALL"] = "30"
        error = self.assertRaises(SystemExit, self.run_case, self.blocks())
        self.assertIn("NBTWISTED_FAIL_ON_STALL: '30': expected", str(error))


class ReporterThatCannotTests(ClockCase):
    def test_a_reactor_that_cannot_be_traced(self) -> None:
        def cannot(limit: float) -> None:
            raise CannotTrace(f"{selectreactor.SelectReactor.__name__} cannot")

        self.patch(stalls, "_see_to_it", cannot)
        told: Any = StallReporter(StringIO())
        error = self.assertRaises(SystemExit, told.startTest, self)
        self.assertEqual(
            str(error), "trial: --reporter=fail-on-stall: SelectReactor cannot"
        )


def _methods(more: Mapping[str, Callable[[Any], None]]) -> dict[str, Any]:
    """As a class has them: they are called with its object."""
    methods: dict[str, Any] = {}
    for name, call in more.items():

        def method(case: Any, call: Callable[[Any], None] = call) -> None:
            call(case)

        methods["test" if name == "test_it" else name] = method
    return methods


def _todo() -> Any:
    def nothing(case: Any) -> None:
        pass

    nothing.todo = "it is not"  # type: ignore[attr-defined]
    return nothing
