"""The search for the highest rate, against servers whose capacity is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from io import StringIO
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import DeadlinePassed
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.progress import LiveLine
from nbtwisted.load.run import Run
from nbtwisted.load.search.find_rate import (
    CLOSE,
    CONFIRMATIONS,
    DEFAULT_RATE,
    LOWEST,
    MOST_TRIALS,
    Search,
    State,
)
from nbtwisted.load.search.found_rate import found_rate, found_rate_lines, sentence
from nbtwisted.load.search.trial import Trial, Verdict, parse_goal
from nbtwisted.load.worker_results import Workers
from nbtwisted.rate import HIGHEST
from tests import examples
from tests.load.in_memory import plan_of
from tests.load.test_figures import report_of, tally_of
from tests.load.test_workers import result

Server = Callable[[float, int], Verdict]
"""Given a rate and how many trials there were before: what comes of a trial."""

HELD, FAILED, LIMITED = Verdict.HELD, Verdict.FAILED, Verdict.LIMITED


def search(server: Server, first: float = DEFAULT_RATE) -> Search:
    """A search that has come to its end."""
    found = Search(first)
    while not found.state.is_over:
        verdict = server(found.rate, len(found.trials))
        limit = "all were busy" if verdict is LIMITED else None
        found.add(Trial(found.rate, verdict, limited_by=limit))
    return found


def capacity(of: float) -> Server:
    return lambda rate, number: HELD if rate <= of else FAILED


class SearchTests(SynchronousTestCase):
    @given(
        st.floats(2, 1_000_000),
        st.floats(0.005, 200),
        st.lists(st.floats(-0.02, 0.02), min_size=1),
        st.lists(st.booleans(), min_size=1),
    )
    @settings(max_examples=examples(50))
    def test_finds_the_rate(
        self,
        known: float,
        times: float,
        wobbles: list[float],
        disturbed: list[bool],
    ) -> None:
        """In spite of a capacity that wobbles, and of one trial in three that fails.

        Ends that are as close as the wobble is wide can be taken back again and again.
        """

        def server(rate: float, number: int) -> Verdict:
            is_disturbed = number % 3 == 1 and disturbed[number % len(disturbed)]
            now = known * (1 + wobbles[number % len(wobbles)])
            return HELD if rate <= now and not is_disturbed else FAILED

        found = search(server, known * times)
        self.assertIn(found.state, (State.FOUND, State.GIVEN_UP))
        assert found.low is not None
        assert found.high is not None
        self.assertLess(abs(found.low / known - 1), 0.05)
        if found.state is State.FOUND:
            self.assertLessEqual(found.high / found.low, CLOSE)

    @given(st.floats(2, 1_000_000), st.floats(0.01, 1_000_000))
    def test_finds_the_rate_of_a_quiet_server(self, known: float, first: float) -> None:
        found = search(capacity(known), first)
        self.assertIs(found.state, State.FOUND)
        assert found.low is not None
        assert found.high is not None
        self.assertTrue(found.low <= known <= found.high <= found.low * CLOSE)

    def test_finds_it_among_chance(self) -> None:
        """Of searches in which one trial in ten fails by chance, nearly all do."""
        wrong = 0
        for seed in range(200):
            drawn = random.Random(seed)
            known = 10 ** drawn.uniform(1, 4)

            def server(
                rate: float,
                _: int,
                known: float = known,
                drawn: random.Random = drawn,
            ) -> Verdict:
                now = known * drawn.gauss(1, 0.01)
                return HELD if rate <= now and drawn.random() > 0.1 else FAILED

            low = search(server).low
            wrong += low is None or abs(low / known - 1) > 0.05
        self.assertLessEqual(wrong, 4)

    def test_a_quiet_server_takes_few_trials(self) -> None:
        found = search(capacity(1234))
        self.assertEqual(found.trials[0].rate, DEFAULT_RATE)
        self.assertLess(len(found.trials), 32)
        assert found.low is not None
        assert found.high is not None
        self.assertLessEqual(found.low, 1234)
        self.assertGreater(found.high, 1234)
        self.assertEqual(found.agreement(found.low), (CONFIRMATIONS, CONFIRMATIONS))
        self.assertEqual(found.agreement(found.high), (0, CONFIRMATIONS))
        self.assertEqual(found.confidence, 1 - 2 / 2**CONFIRMATIONS)

    def test_a_trial_that_fails_once_is_not_believed(self) -> None:
        one = Search(100)
        one.add(Trial(100, FAILED))
        self.assertEqual((one.rate, one.low, one.high), (100, None, None))
        one.add(Trial(100, HELD))
        self.assertEqual((one.rate, one.low, one.high), (100, None, None))
        one.add(Trial(100, HELD))
        self.assertEqual((one.rate, one.low, one.high), (200, 100, None))

    def test_an_end_that_was_none(self) -> None:
        # 200/s fails by chance, twice, and holds when it is confirmed.
        unlucky = {1, 2}
        found = search(
            lambda rate, number: (
                FAILED if rate > 1000 or (rate == 200 and number in unlucky) else HELD
            ),
        )
        assert found.low is not None
        self.assertEqual({found.trials[n].rate for n in unlucky}, {200})
        self.assertLess(abs(found.low / 1000 - 1), 0.02)

    def test_a_rate_that_held_by_chance(self) -> None:
        found = search(
            lambda rate, number: HELD if rate <= 50 or number == 0 else FAILED, 100
        )
        assert found.low is not None
        self.assertLess(abs(found.low / 50 - 1), 0.02)

    def test_impossible(self) -> None:
        found = search(capacity(0))
        self.assertIs(found.state, State.IMPOSSIBLE)
        self.assertEqual((found.low, found.high), (None, LOWEST))
        self.assertEqual(found.confidence, 0)
        # Who begins below the lowest does not go below that.
        self.assertEqual(len(search(capacity(0), 0.1).trials), 2)

    def test_nobody_is_there(self) -> None:
        nobody = Search()
        nobody.add(Trial(nobody.rate, FAILED, is_unanswered=True))
        self.assertIs(nobody.state, State.IMPOSSIBLE)
        # But somebody was.
        one = Search()
        one.add(Trial(one.rate, HELD))
        one.add(Trial(one.rate, FAILED, is_unanswered=True))
        self.assertIs(one.state, State.GROWING)

    def test_no_end(self) -> None:
        found = search(capacity(HIGHEST))
        self.assertIs(found.state, State.FOUND)
        self.assertEqual((found.low, found.high), (HIGHEST, None))
        self.assertEqual(found.confidence, 1 - 1 / 2**CONFIRMATIONS)
        self.assertTrue(found_rate(found, [])["is_at_least"])

    def test_given_up(self) -> None:
        """Whatever seems to be an end is none."""
        one = Search()
        while not one.state.is_over:
            is_good = one.rate <= 1000
            if one.state in (State.CONFIRMING_LOW, State.CONFIRMING_HIGH):
                is_good = one.state is State.CONFIRMING_HIGH
            one.add(Trial(one.rate, HELD if is_good else FAILED))
        self.assertIs(one.state, State.GIVEN_UP)
        self.assertEqual(len(one.trials), MOST_TRIALS)

    @given(st.lists(st.sampled_from(Verdict), min_size=1), st.floats(0.001, HIGHEST))
    # The highest rate fails, and is close to one that is confirmed.
    @example([HELD, HELD, FAILED, HELD, FAILED], 2450750.0)
    def test_whatever_comes_it_ends(self, drawn: list[Verdict], first: float) -> None:
        found = search(lambda rate, number: drawn[number % len(drawn)], first)
        self.assertTrue(found.state.is_over)
        if found.low is not None and found.high is not None:
            self.assertLess(found.low, found.high)
        self.assertTrue(0 <= found.confidence <= 1)
        for trial in found.trials:
            self.assertTrue(0 < trial.rate <= HIGHEST)
        for line in found_rate_lines(found_rate(found, [parse_goal("p99<1s")])):
            self.assertNotIn("\n", line)

    def test_the_client_is_the_limit(self) -> None:
        found = search(lambda rate, number: HELD if rate <= 900 else LIMITED)
        self.assertEqual(found.limited_by, "all were busy")
        told = found_rate(found, [parse_goal("p99<200ms")])
        self.assertTrue(told["is_at_least"])
        self.assertRegex(sentence(told), r"\Aat least 89\d.*/s with p99<200ms")
        self.assertIn(
            "This client cannot ask faster: all were busy", found_rate_lines(told)
        )

    def test_the_client_was_the_limit_now_and_then(self) -> None:
        """But mostly it was the server."""
        found = search(
            lambda rate, number: (
                HELD if rate <= 900 else LIMITED if number % 3 else FAILED
            )
        )
        self.assertIsNotNone(found.limited_by)
        found = search(
            lambda rate, number: (
                HELD if rate <= 900 else FAILED if number % 3 else LIMITED
            )
        )
        self.assertIsNone(found.limited_by)
        self.assertFalse(found_rate(found, [])["is_at_least"])

    def test_a_client_that_is_held_up_now_and_then(self) -> None:
        drawn = random.Random(3)
        one = Search()
        while not one.state.is_over:
            is_disturbed = drawn.random() < 0.5
            verdict = LIMITED if is_disturbed else capacity(700)(one.rate, 0)
            one.add(Trial(one.rate, verdict, is_disturbed=is_disturbed))
        assert one.low is not None
        self.assertIs(one.state, State.FOUND)
        self.assertLess(abs(one.low / 700 - 1), 0.05)

    def test_a_client_that_is_always_held_up(self) -> None:
        one = Search()
        while not one.state.is_over:
            verdict = HELD if one.rate <= 300 else LIMITED
            late = None if verdict is HELD else "it was late"
            is_disturbed = verdict is LIMITED
            one.add(
                Trial(one.rate, verdict, limited_by=late, is_disturbed=is_disturbed)
            )
        assert one.low is not None
        self.assertLess(abs(one.low / 300 - 1), 0.05)
        self.assertEqual(one.limited_by, "it was late")


class TrialTests(SynchronousTestCase):
    def trial(self, tally: Tally, *goals: str, **more: Any) -> Trial:
        found = report_of(tally, rate=100.0, **more)
        return Trial.of(100.0, found, tally, [parse_goal(goal) for goal in goals])

    def test_held_and_failed(self) -> None:
        tally = tally_of([0.1] * 98 + [0.3] * 2)
        for seconds in [0.1] * 98 + [0.3] * 2:
            tally.service.add(seconds)
        self.assertIs(self.trial(tally, "p90<200ms").verdict, HELD)
        trial = self.trial(tally, "p90<200ms", "p99<200ms")
        self.assertIs(trial.verdict, FAILED)
        self.assertIsNone(trial.limited_by)
        self.assertEqual(trial.shown, ("p90 100.0 ms", "p99 300.0 ms"))
        value = trial.as_json()["value"]
        self.assertLess(abs(value - 0.1), 0.001)
        self.assertIs(self.trial(tally, "non2xx<1%", "2xx>=99%").verdict, HELD)

    def test_a_worker_that_was_lost_says_nothing_about_the_server(self) -> None:
        tally = tally_of([0.1] * 10)
        for lost, verdict in ((None, HELD), ("signal 9", LIMITED)):
            workers = Workers([result("a"), result("b", 50, lost=lost)])
            trial = self.trial(tally, "p99<1s", workers=workers)
            self.assertIs(trial.verdict, verdict)
        self.assertEqual(trial.limited_by, "25.0% was lost with worker b")

    def test_whose_core_was_the_limit(self) -> None:
        tally = tally_of([0.3] * 10)
        for workers, more in (
            (None, "--cluster local uses all"),
            (Workers([result("a")]), "more workers"),
        ):
            trial = self.trial(tally, "p99<200ms", cpu_share=0.95, workers=workers)
            self.assertEqual(trial.limited_by, f"it used 95% of its core ({more})")

    def test_what_is_not_known_to_hold_does_not(self) -> None:
        tally = tally_of([0.1] * 10)
        tally.fail(DeadlinePassed("no answer within 0.15 s"), within=0.15)
        tally.latencies.add(0.15)
        tally.service.add(0.15)
        self.assertIs(self.trial(tally, "max<1s").verdict, FAILED)
        # It says nothing how fast errors come.
        tally = tally_of([0.001] * 10, status=503)
        tally.service.add(0.001)
        self.assertIs(self.trial(tally, "p99<1s").verdict, FAILED)

    def test_nobody_there(self) -> None:
        trial = self.trial(tally_of([], failed=5), "p99<1s")
        self.assertIs(trial.verdict, FAILED)
        self.assertTrue(trial.is_unanswered)
        tally = Tally()
        tally.fail(DeadlinePassed("no answer within 1 s"), within=1)
        tally.latencies.add(1.0)
        self.assertFalse(self.trial(tally, "p99<1s").is_unanswered)

    def test_nobody_was_asked(self) -> None:
        tally = Tally()
        tally.not_sent = 1
        tally.lateness.add(0.5)
        trial = self.trial(tally, "p99<1s")
        self.assertFalse(trial.is_unanswered)
        self.assertTrue(trial.is_disturbed)

    def test_the_client_is_the_limit(self) -> None:
        # From when they were sent, all is well.
        tally = tally_of([0.5] * 100)
        for _ in range(100):
            tally.service.add(0.02)
        trial = self.trial(tally, "p99<200ms")
        self.assertIs(trial.verdict, LIMITED)
        self.assertIn("its timers were 0 ms late", trial.limited_by or "")
        tally.waited_for_connection = 90
        trial = self.trial(tally, "p99<200ms")
        self.assertEqual(
            trial.limited_by, "all its 5 connections were busy (more with -c)"
        )
        trial = self.trial(tally, "p99<10ms")
        self.assertIs(trial.verdict, FAILED)
        trial = self.trial(tally, "p99<10ms", cpu_share=0.97)
        self.assertIs(trial.verdict, LIMITED)
        self.assertIn("it used 97% of its core", trial.limited_by or "")
        # What a server answers is its own, however busy the client was.
        trial = self.trial(tally, "p99<10ms", "404<1%", cpu_share=0.97)
        self.assertIs(trial.verdict, LIMITED)
        trial = self.trial(tally, "p99<10ms", "2xx<1%", cpu_share=0.97)
        self.assertIs(trial.verdict, FAILED)
        # A core that is busy is no reason to doubt what held.
        trial = self.trial(tally, "p99<1s", cpu_share=0.97)
        self.assertIs(trial.verdict, HELD)

    def test_a_client_that_is_late_is_the_limit(self) -> None:
        """It sends in crowds, and the server refuses some."""
        tally = tally_of([0.5] * 100, status=503)
        for _ in range(100):
            tally.service.add(0.5)
        trial = self.trial(tally, "non2xx<1%")
        self.assertIs(trial.verdict, FAILED)
        for _ in range(10):
            tally.lateness.add(0.05)
        trial = self.trial(tally, "non2xx<1%")
        self.assertIs(trial.verdict, LIMITED)
        self.assertIn("its timers were 50 ms late", trial.limited_by or "")
        self.assertTrue(trial.is_disturbed)
        trial = self.trial(tally, "non2xx<1%", cpu_share=0.97)
        self.assertFalse(trial.is_disturbed)
        self.assertIn("it used 97% of its core", trial.limited_by or "")
        # What held has held.
        self.assertIs(self.trial(tally, "2xx<1%").verdict, HELD)

    def test_a_rate_that_was_not_asked_does_not_hold(self) -> None:
        tally = tally_of([0.02] * 98)
        tally.not_sent = 2
        trial = self.trial(tally, "non2xx<1%")
        self.assertIs(trial.verdict, LIMITED)
        self.assertIn("5 connections were busy", trial.limited_by or "")
        tally.not_sent = 0
        self.assertIs(self.trial(tally, "non2xx<1%").verdict, HELD)


class GoalTests(SynchronousTestCase):
    def test_read(self) -> None:
        for text in ("p99<200ms", "mean<=1s", "errors<1%", "404<5", "2xx>99%"):
            self.assertEqual(parse_goal(text).text, text)

    def test_refused(self) -> None:
        for text, why in (
            ("rps<100", "rps is what is looked for"),
            ("p99>200ms", "it is to hold where the rate is good"),
            ("errors>1%", "it is to hold where the rate is good"),
            ("503>=1%", "it is to hold where the rate is good"),
            ("errors<=100%", "expected a condition that can fail"),
            ("2xx>=0%", "expected a condition that can fail"),
            ("p99<200", "expected a unit"),
            ("fast", "expected one such as p99<200ms"),
            ("p0<1s", "expected one such as p99<200ms"),
            ("p99<soon", "expected one such as p99<200ms"),
        ):
            error = self.assertRaises(ValueError, parse_goal, text)
            self.assertIn(why, str(error), text)

    def test_negated(self) -> None:
        for text, negated in (("p99<200ms", "p99>=200ms"), ("2xx>=99%", "2xx<99%")):
            goal = parse_goal(text)
            self.assertEqual(goal.negated().text, negated)
            self.assertEqual(goal.negated().negated(), goal)


class FoundRateTests(SynchronousTestCase):
    GOAL = (parse_goal("p99<200ms"),)

    def test_found(self) -> None:
        told = found_rate(search(capacity(500)), self.GOAL)
        self.assertRegex(
            sentence(told),
            r"\A49[\d.]+/s with p99<200ms \(held in 5 of 5 trials; "
            r"at 50[\d.]+/s in 0 of 5; confidence 94%\)\Z",
        )
        self.assertEqual((told["rate"], told["ended"]), (told["low"], "found"))
        self.assertFalse(told["is_at_least"])
        lines = found_rate_lines(told)
        self.assertTrue(lines[0].startswith("Highest rate: 49"))
        self.assertEqual(len(lines), 3 + len(told["trials"]))

    def test_none(self) -> None:
        one = Search(2)
        self.assertEqual(
            sentence(found_rate(one, self.GOAL)), "none: no trial was over"
        )
        while not one.state.is_over:
            late = Trial(one.rate, LIMITED, shown=("p99 1.5 s",), is_disturbed=True)
            one.add(late)
            one.add(Trial(one.rate, FAILED, shown=("p99 300.0 ms",)))
        self.assertEqual(
            sentence(found_rate(one, self.GOAL)),
            "none: p99<200ms did not hold at 1/s, the lowest that was tried (p99 300.0 "
            "ms)",
        )

    def test_interrupted(self) -> None:
        one = Search(100)
        one.add(Trial(100, HELD))
        told = found_rate(one, self.GOAL, interrupted=True)
        self.assertEqual(
            sentence(told),
            "at least 100/s with p99<200ms (interrupted after 1 trials)",
        )
        self.assertEqual(one.title, "trial 2 at 200/s (100/s held): ")
        plan = plan_of(rate=200.0, seconds=5.0)
        line = LiveLine(StringIO(), Run(Clock(), plan), plan)
        line.follow(Run(Clock(), plan), plan, one.title)
        line.draw()
        line.close()
        self.assertIn("trial 2 at 200/s (100/s held): ", line.picture())
        one.add(Trial(200, FAILED))
        one.add(Trial(200, FAILED))
        told = found_rate(one, self.GOAL, interrupted=True)
        self.assertEqual(
            sentence(told),
            "100/s with p99<200ms (200/s did not hold; interrupted after 3 trials)",
        )
