"""Workers that reach nothing are named."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.results.ended import ANSWERED, INTERRUPTED, Ended
from nbtwisted.client.results.reach import FEWEST, Reach

REFUSED = Ended(7, "connect: http://a/: refused")


class ReachTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reach = Reach(["a", "b"])

    def count(self, number: int, ended: Ended, times: int = FEWEST) -> None:
        for _ in range(times):
            self.reach.count(number, ended)

    def says(self, *expected: str) -> None:
        self.assertEqual(list(self.reach.complaints()), list(expected))

    def test_one_that_has_only_failures(self) -> None:
        self.count(0, ANSWERED, 1)
        self.count(1, REFUSED)
        self.count(1, Ended(28, "deadline: http://a/: late"))
        self.count(1, INTERRUPTED)
        self.says(
            "worker b: all of its 20 requests failed, and others' did not: "
            "connect: http://a/: refused"
        )

    def test_nobody_has_an_answer(self) -> None:
        self.count(0, REFUSED)
        self.count(1, REFUSED)
        self.count(0, INTERRUPTED)
        self.says()

    def test_some_answers_or_few_failures_are_the_hosts(self) -> None:
        self.count(0, ANSWERED)
        self.count(0, REFUSED)
        self.count(1, REFUSED, FEWEST - 1)
        self.says()

    def test_what_was_never_sent_says_nothing(self) -> None:
        self.count(0, ANSWERED)
        self.count(1, Ended(3, "url: no"))
        self.count(1, Ended(26, "input: no"))
        self.says()
        # A status that is a failure is an answer.
        self.count(1, Ended(22), 1)
        self.count(1, REFUSED)
        self.says()
