"""Rates that vary: what is read, and when each request is due."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from nbtwisted.load.schedule.profile import Profile, Stage
from tests.guard import ClockCase

RATES = st.one_of(
    st.just(0.0), st.floats(1e-3, 1e7), st.integers(1, 10_000_000).map(float)
)
STAGES = st.builds(Stage, st.floats(1e-3, 1e5), RATES, RATES)
PROFILES = st.lists(STAGES, min_size=1, max_size=6).map(Profile)


class ProfileTests(ClockCase):
    def test_stages_are_read(self) -> None:
        expected: dict[str, list[tuple[float, float, float]]] = {
            "1000/5m": [(300, 1000, 1000)],
            "100..1000/1m,1000/5m,0": [(60, 100, 1000), (300, 1000, 1000)],
            "0..10/500ms, 10..0/2": [(0.5, 0, 10), (2, 10, 0)],
            "120/m/30s": [(30, 2, 2)],
            "60/m..120/m/1m": [(60, 1, 2)],
            ".5..1.5/10": [(10, 0.5, 1.5)],
            "0/10,5": [(10, 0, 0), (math.inf, 5, 5)],
            "3600/h": [(math.inf, 1, 1)],
            "0/1s,0/s/1s,1/1s,0/1s": [(1, 0, 0), (1, 0, 0), (1, 1, 1), (1, 0, 0)],
        }
        for text, stages in expected.items():
            profile = Profile(Stage(*stage) for stage in stages)
            self.assertEqual(Profile.parse(text).stages, profile.stages, text)
            self.assertEqual(Profile.parse(text), profile)
            self.assertEqual(hash(Profile.parse(text)), hash(profile))
        self.assertNotEqual(Profile.hold(1.0), Profile.hold(2.0))
        self.assertNotEqual(Profile.hold(1.0), 1.0)

    def test_what_cannot_be_read(self) -> None:
        for text, expected in {
            "": "expected stages such as 100..1000/1m",
            "100/1m,": "'': expected stages such as 100..1000/1m",
            "soon": "expected stages such as",
            "100/5x": "expected stages such as",
            "100/1m,-5/1m": "'-5/1m': expected stages such as",
            "100/1h": "expected stages such as",
            "100..200..300/1m": "expected stages such as",
            "100...200/1m": "expected stages such as",
            "..200/1m": "expected stages such as",
            "100../1m": "expected stages such as",
            "10000001/1m": "at most 10,000,000/s",
            "nan/1m": "expected stages such as",
            "100/1m/1m": "expected stages such as",
            "100..200": "expected a duration behind a ramp",
            "100..200/m": "expected a duration behind a ramp",
            "100/0s": "expected a duration above 0",
            "100,200/1m": "expected a duration for each stage but the last",
            "0,200/1m": "expected a duration for each stage but the last",
            "0": "no request is due: expected a rate above 0",
            "0/1m": "no request is due: expected a rate above 0",
            "0..0/1m,0": "no request is due: expected a rate above 0",
        }.items():
            with self.assertRaises(ValueError, msg=text) as caught:
                Profile.parse(text)
            self.assertIn(expected, str(caught.exception), text)
            # Whoever read the text names all of it.
            self.assertNotIn(f"{text!r}: ", str(caught.exception))

    @given(st.text(st.sampled_from("0123456789./,smhd "), max_size=20))
    @example("1" * 19 + "/1")
    @example("1/" + "9" * 5000)
    @example("." * 100_000 + "x")
    @example("1/1," * 30_000 + "0")
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            profile = Profile.parse(text)
        except ValueError as error:
            self.assertIn("expected", str(error))
            return
        self.assertGreater(profile.requests, 0)
        self.assertLess(profile.moment(0), math.inf)

    def test_before_it_began(self) -> None:
        for text in ("10/1", "0..10/1"):
            self.assertEqual(Profile.parse(text).before(-1), 0)

    def test_moments_of_a_ramp(self) -> None:
        # From 0 to 10 a second in 10 s: n = t² / 2.
        profile = Profile.parse("0..10/10")
        self.assertEqual(profile.requests, 50)
        for position in (0.0, 2.0, 8.0, 18.0, 32.0):
            self.assertAlmostEqual(profile.moment(position), math.sqrt(2 * position))
        self.assertEqual(profile.moment(50), math.inf)
        down = Profile.parse("10..0/10")
        for position in (0.0, 18.0, 32.0, 48.0, 49.5):
            self.assertAlmostEqual(
                down.moment(position), 10 - math.sqrt(2 * (50 - position))
            )
        for stage, moment in ((Stage(9, 4, 4), 2.5), (Stage(math.inf, 4, 4), 2.5)):
            self.assertEqual(stage.moment(10), moment)
        self.assertEqual((down.rate(0), down.rate(7.5), down.rate(10)), (10, 2.5, 0))

    def test_a_pause(self) -> None:
        profile = Profile.parse("0/5,10/1,0/5,10/1")
        moments = [*profile.moments(range(100))]
        self.assertEqual(len(moments), 20)
        # Whose turn it would be when a pause begins comes after it.
        self.assertEqual((moments[0], moments[9], moments[10]), (5, 5.9, 11))
        before = [profile.before(at) for at in (-1, 5.5, 8, 11.5, 99)]
        self.assertEqual(before, [0, 5, 10, 15, 20])
        self.assertEqual(
            [profile.rate(at) for at in (1, 5, 6, 11, 12)], [0, 10, 0, 10, 0]
        )

    def test_whole_numbers_that_floats_miss(self) -> None:
        # 0.07 a second for 100 s are 7.000000000000001; 1.15 are 114.99999999999999.
        for text, whole in (("0.07/100,0/10,1/1", 7), ("1.15/100,0/10,1/1", 115)):
            profile = Profile.parse(text)
            *_, last = moments = [*profile.moments(range(1000))]
            self.assertEqual((len(moments), last), (whole + 1, 110), text)

    def test_without_an_end(self) -> None:
        profile = Profile.parse("10/1,5")
        self.assertEqual((profile.seconds, profile.requests), (math.inf, math.inf))
        self.assertEqual((profile.moment(10), profile.moment(20)), (1, 3))
        self.assertEqual((profile.rate(1e9), profile.before(3)), (5, 20))

    @given(PROFILES, st.floats(0, 1, exclude_max=True))
    @example(Profile([Stage(35535.5, 7126245.695432229, 0.0)]), 0.0)
    def test_the_moment_is_the_inverse_of_the_area(
        self, profile: Profile, share: float
    ) -> None:
        assume(profile.requests)
        position = share * profile.requests
        moment = profile.moment(position)
        self.assertTrue(0 <= moment <= profile.seconds * (1 + 1e-12))
        # Exactly: fractions have no rounding.
        area = _area(profile, Fraction(moment))
        highest = max(max(s.begins_at, s.ends_at) for s in profile.stages)
        # What a float cannot tell apart in time, times the rate.
        least = 4e-15 * profile.seconds * highest + 1e-11 * profile.requests + 1e-9
        self.assertLess(abs(area - Fraction(position)), least)
        self.assertLess(abs(profile.before(moment) - position), least)

    @given(PROFILES, st.integers(1, 20), st.integers(0, 5))
    def test_moments_ascend(self, profile: Profile, number: int, first: int) -> None:
        assume(profile.requests)
        step = max(profile.requests / number, 1e-6)
        positions = [first + step * turn for turn in range(number + 2)]
        moments = [*profile.moments(positions)]
        self.assertEqual(
            len(moments), sum(position < profile.requests for position in positions)
        )
        for one, next_one in pairwise(moments):
            self.assertLessEqual(one, next_one * (1 + 1e-12))
        later = [*profile.moments(positions, 1000.0)]
        for moment, reading in zip(moments, later, strict=True):
            self.assertAlmostEqual(1000 + moment, reading)


def _area(profile: Profile, seconds: Fraction) -> Fraction:
    area = Fraction(0)
    for stage in profile.stages:
        length = Fraction(stage.seconds)
        passed = min(seconds, length)
        first, last = Fraction(stage.begins_at), Fraction(stage.ends_at)
        area += passed * (first + (last - first) * passed / length / 2)
        seconds -= passed
    return area
