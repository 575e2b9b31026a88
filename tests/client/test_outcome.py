"""Counts, and exit codes."""

from __future__ import annotations

import json
import math

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import BadURL, Interrupted
from nbtwisted.client.result import Result
from nbtwisted.client.results.ended import (
    ANSWERED,
    INTERRUPTED,
    REFUSED,
    Ended,
    how_it_ended,
    read_ended,
)
from nbtwisted.client.results.outcome import Outcome
from tests.client.results import attempt, lost, result

BAD_URL = Ended(3, "url: x: no")


class EndedTests(SynchronousTestCase):
    def test_how_a_request_ended(self) -> None:
        for given, ended, with_fail in [
            (result(attempt(status=399)), ANSWERED, ANSWERED),
            (result(attempt(status=400)), ANSWERED, REFUSED),
            (Result("x", error=BadURL("no")), BAD_URL, BAD_URL),
            (Result("x", error=Interrupted("no")), INTERRUPTED, INTERRUPTED),
        ]:
            self.assertEqual(how_it_ended(given, fail=False), ended)
            self.assertEqual(how_it_ended(given, fail=True), with_fail)
            self.assertEqual(how_it_ended(lost(), fail=True).exit_code, 56)

    def test_as_json_and_back(self) -> None:
        for ended in (ANSWERED, REFUSED, INTERRUPTED, BAD_URL):
            written = json.dumps(ended.as_json())
            self.assertEqual(read_ended(json.loads(written)), ended)


class OutcomeTests(SynchronousTestCase):
    def test_the_first_failure_in_the_order_of_the_list(self) -> None:
        outcome = Outcome()
        self.assertEqual(outcome.exit_code, 0)
        outcome.count(5, ANSWERED)
        self.assertEqual(outcome.exit_code, 0)
        outcome.count(3, Ended(56, "body: x: lost"))
        outcome.count(4, BAD_URL)
        self.assertEqual(outcome.exit_code, 56)
        outcome.count(2, BAD_URL)
        outcome.count(1, INTERRUPTED)
        self.assertEqual(outcome.exit_code, 3)

    def test_a_status_that_is_a_failure(self) -> None:
        outcome = Outcome()
        outcome.count(1, REFUSED)
        self.assertEqual(outcome.exit_code, 22)
        # It is an answer nevertheless.
        self.assertEqual((outcome.answered, outcome.failed), (1, 0))

    def test_what_is_said(self) -> None:
        outcome = Outcome(answered_before=7321)
        outcome.count(0, ANSWERED)
        outcome.count(1, BAD_URL)
        outcome.count(2, INTERRUPTED)
        self.assertEqual(outcome.counts(math.inf), "7322 answered, 1 not")
        self.assertEqual(outcome.counts(10_000), "7322 answered, 2677 not")
        self.assertEqual(outcome.resumed(), "7,321 were answered, 2 asked now")
