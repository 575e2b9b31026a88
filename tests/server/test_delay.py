from __future__ import annotations

import math
from random import Random
from statistics import fmean, median, stdev

from hypothesis import example, given
from hypothesis import strategies as st

from nbtwisted.server.model.delay import Delay
from tests.guard import ClockCase

durations = st.floats(0, 300).map(lambda seconds: f"{seconds:.6f}")
weights = st.floats(0.001, 1000).map(lambda weight: f"{weight:.6f}")
arguments = st.lists(durations, min_size=0, max_size=4).map(",".join)
texts = (
    st.text("0123456789.:,ms()=max uniforlgexpt-+", max_size=30)
    | st.builds(
        "{}({}{}".format,
        st.sampled_from(["uniform", "normal", "lognormal", "exponential", "weird"]),
        arguments,
        st.sampled_from([")", ",max=2s)", ",max=)", "", "))"]),
    )
    | st.text(max_size=10)
)


def draws(text: str, number: int = 4000) -> list[float]:
    delay, random = Delay.parse(text, longest=300), Random(7)
    return [delay.draw(random) for _ in range(number)]


def refusal(text: str, longest: float = 300) -> str:
    try:
        delay = Delay.parse(text, longest=longest)
    except ValueError as error:
        return str(error)
    raise AssertionError(f"{text!r} was read as {delay}")


class ChoicesTests(ClockCase):
    def test_fixed(self) -> None:
        self.assertEqual(Delay.parse("200ms", longest=1).draw(Random()), 0.2)

    @given(st.lists(durations, min_size=1, max_size=5), st.integers())
    def test_a_draw_is_one_of_the_choices(self, choices: list[str], seed: int) -> None:
        delay = Delay.parse(",".join(choices), longest=300)
        self.assertIn(delay.draw(Random(seed)), [float(text) for text in choices])

    def test_every_choice_is_drawn_as_often(self) -> None:
        drawn = draws("1,2s,3")
        for seconds in (1.0, 2.0, 3.0):
            self.assertApproximates(drawn.count(seconds) / len(drawn), 1 / 3, 0.03)

    def test_by_weight(self) -> None:
        drawn = draws("150ms:90,2s:10")
        self.assertApproximates(drawn.count(2.0) / len(drawn), 0.1, 0.02)
        self.assertEqual(set(draws("1s:0,2s:0.5")), {2.0})

    @given(st.lists(st.tuples(durations, weights), min_size=1, max_size=5))
    def test_any_weights(self, choices: list[tuple[str, str]]) -> None:
        text = ",".join(map(":".join, choices))
        drawn = Delay.parse(text, longest=300).draw(Random(1))
        self.assertIn(drawn, [float(duration) for duration, _ in choices])


class DistributionsTests(ClockCase):
    def test_uniform(self) -> None:
        drawn = draws("uniform(100ms,300ms)")
        self.assertTrue(all(0.1 <= seconds <= 0.3 for seconds in drawn))
        self.assertApproximates(fmean(drawn), 0.2, 0.005)
        self.assertEqual(set(draws("uniform(1s,1s)")), {1.0})

    def test_normal(self) -> None:
        drawn = draws("normal(200ms,50ms)")
        self.assertApproximates(fmean(drawn), 0.2, 0.005)
        self.assertApproximates(stdev(drawn), 0.05, 0.005)

    def test_never_less_than_nothing(self) -> None:
        drawn = draws("normal(0,1s)")
        self.assertEqual(min(drawn), 0.0)
        self.assertGreater(max(drawn), 1.0)

    def test_lognormal(self) -> None:
        drawn = draws("lognormal(200ms,0.4)")
        self.assertApproximates(median(drawn), 0.2, 0.01)
        spread = stdev(math.log(seconds) for seconds in drawn)
        self.assertApproximates(spread, 0.4, 0.02)

    def test_exponential(self) -> None:
        drawn = draws("exponential(200ms)")
        self.assertApproximates(fmean(drawn), 0.2, 0.01)
        self.assertApproximates(median(drawn), 0.2 * math.log(2), 0.01)

    def test_at_most_what_max_says_and_never_above_the_servers_own(self) -> None:
        self.assertEqual(max(draws("exponential(1s,max=1500ms)")), 1.5)
        self.assertEqual(max(draws("lognormal(100s,1000)")), 300)
        self.assertEqual(max(draws("exponential(300s)")), 300)

    def test_the_same_random_draws_the_same(self) -> None:
        for text in ("1,2,3", "uniform(1,2)", "normal(1,1)", "lognormal(1,1)"):
            self.assertEqual(draws(text, 50), draws(text, 50))


class UnreadableTests(ClockCase):
    def test_too_long(self) -> None:
        self.assertEqual(Delay.parse("300", longest=300).choices, (300.0,))
        for text in [
            *("300.1", "1,301s", "6m", "301s:1,1s:9"),
            *("uniform(1s,301s)", "normal(301s,1s)", "lognormal(301s,0.1)"),
            *("exponential(301s)", "exponential(1s,max=301s)"),
        ]:
            self.assertIn("at most 300 seconds", refusal(text), text)

    def test_no_delay_at_all(self) -> None:
        for text in [
            *("", "abc", "-1", "nan", "1e9", "1e309", "1,", ",", "1,,2", "1s;2s"),
            *("uniform", "uniform(", "uniform(1,2", "uniform(1,2))", "(1,2)"),
            *("uniform(uniform(1,2),3)", "Uniform(1,2)", "uniform (1,2)"),
        ]:
            self.assertIn("1.5, 200ms, 2s", refusal(text), text)

    def test_an_example_of_the_distribution_that_was_meant(self) -> None:
        for text in [
            *("lognormal(1s)", "lognormal(1s,2s)", "lognormal(1s,x)", "lognormal()"),
            *("lognormal(1s,0.4,2)", "lognormal(1s,0.4,max=)", "lognormal(max=1s)"),
            *("lognormal(1s,-1)", "lognormal(1s,0.4,max=1s,max=2s)"),
        ]:
            self.assertEqual(
                refusal(text), "lognormal(200ms,0.4) or lognormal(200ms,0.4,max=2s)"
            )
        self.assertIn("exponential(200ms)", refusal("exponential(1,2)"))

    def test_what_there_is(self) -> None:
        self.assertIn("one of uniform(100ms,300ms), normal", refusal("gamma(1,2)"))

    def test_the_wrong_way_round(self) -> None:
        self.assertIn("the smaller bound first", refusal("uniform(3s,1s)"))

    def test_weights(self) -> None:
        for text in ["1s:0", "1s:0,2s:0", "1s:1,2s", "1s,2s:1"]:
            self.assertIn("a weight above 0 for each", refusal(text), text)
        for text in ["1s:", "1s:-1", "1s:x", ":1", "1s:1e3"]:
            self.assertIn("1.5, 200ms, 2s", refusal(text), text)

    def test_too_many(self) -> None:
        Delay.parse(",".join(["1"] * 100), longest=300)
        self.assertIn("at most 100 choices", refusal(",".join(["1"] * 101)))

    @given(texts, st.integers())
    @example("lognormal(300,999999)", 0)
    def test_any_text_is_refused_or_draws_what_may_be_waited(
        self, text: str, seed: int
    ) -> None:
        try:
            delay = Delay.parse(text, longest=300)
        except ValueError as error:
            self.assertTrue(str(error).isprintable() and str(error), text)
            return
        drawn = delay.draw(Random(seed))
        self.assertTrue(0 <= drawn <= 300, f"{text}: {drawn}")
