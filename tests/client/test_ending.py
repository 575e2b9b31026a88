"""A Deferred that fires when it is told to, also when it is cancelled."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from nbtwisted.client.request.ending import Ending
from tests.guard import ClockCase


class EndingTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.cancelled = 0
        self.ending: Ending[str] = Ending(self.cancel)
        self.deferred = self.ending.deferred

    def cancel(self) -> None:
        self.cancelled += 1

    def test_a_result(self) -> None:
        self.assertNoResult(self.deferred)
        self.ending.callback("a")
        self.assertEqual(self.successResultOf(self.deferred), "a")
        self.assertEqual(self.cancelled, 0)

    def test_an_error(self) -> None:
        self.ending.errback(ZeroDivisionError())
        self.failureResultOf(self.deferred, ZeroDivisionError)

    def test_cancelled_it_waits_for_its_end(self) -> None:
        seen: list[str] = []
        self.deferred.addCallback(seen.append)
        self.deferred.cancel()
        self.assertEqual((seen, self.cancelled), ([], 1))
        self.ending.callback("a")
        self.assertEqual(seen, ["a"])

    def test_cancelled_it_may_end_with_an_error(self) -> None:
        self.deferred.cancel()
        self.ending.errback(CancelledError())
        self.failureResultOf(self.deferred, CancelledError)

    def test_cancelled_again_and_again(self) -> None:
        for number in range(1, 4):
            self.deferred.cancel()
            self.assertNoResult(self.deferred)
            self.assertEqual(self.cancelled, number)
        self.ending.callback("a")
        self.assertEqual(self.successResultOf(self.deferred), "a")

    def test_cancelled_when_it_is_over(self) -> None:
        self.ending.callback("a")
        self.deferred.cancel()
        self.assertEqual(
            (self.successResultOf(self.deferred), self.cancelled), ("a", 0)
        )

    def test_it_ends_while_it_is_cancelled(self) -> None:
        ending: Ending[str] = Ending(lambda: ending.callback("a"))
        ending.deferred.cancel()
        self.assertEqual(self.successResultOf(ending.deferred), "a")

    def test_something_that_takes_a_while_may_be_added(self) -> None:
        closed: Deferred[None] = Deferred()
        ended = self.deferred.addBoth(
            lambda result: closed.addCallback(lambda _: result)
        )
        ended.cancel()
        self.ending.callback("a")
        self.assertNoResult(ended)
        closed.callback(None)
        self.assertEqual(self.successResultOf(ended), "a")
