"""Counts, and exit codes."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import BadURL, Interrupted
from nbtwisted.client.result import Result
from nbtwisted.client.results.outcome import Outcome
from tests.client.results import attempt, lost, result


class OutcomeTests(SynchronousTestCase):
    def test_the_first_failure_in_the_order_of_the_list(self) -> None:
        outcome = Outcome(fail=False)
        self.assertEqual(outcome.exit_code, 0)
        outcome.count(5, result(attempt(status=500)))
        self.assertEqual(outcome.exit_code, 0)
        outcome.count(3, lost())
        outcome.count(4, Result("x", error=BadURL("no")))
        self.assertEqual(outcome.exit_code, 56)
        outcome.count(2, Result("x", error=BadURL("no")))
        outcome.count(1, Result("x", error=Interrupted("no")))
        self.assertEqual(outcome.exit_code, 3)

    def test_a_status_that_is_a_failure(self) -> None:
        outcome = Outcome(fail=True)
        outcome.count(0, result(attempt(status=399)))
        self.assertEqual(outcome.exit_code, 0)
        outcome.count(1, result(attempt(status=400)))
        self.assertEqual(outcome.exit_code, 22)
        # It is an answer nevertheless.
        self.assertEqual((outcome.answered, outcome.failed), (2, 0))

    def test_what_is_said(self) -> None:
        outcome = Outcome(fail=False, answered_before=7321)
        outcome.count(0, result(attempt()))
        outcome.count(1, lost())
        outcome.count(2, Result("x", error=Interrupted("no")))
        self.assertEqual(outcome.counts(math.inf), "7322 answered, 1 not")
        self.assertEqual(outcome.counts(10_000), "7322 answered, 2677 not")
        self.assertEqual(outcome.resumed(), "7,321 were answered, 2 asked now")
