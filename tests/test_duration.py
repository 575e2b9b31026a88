from __future__ import annotations

import math

from hypothesis import example, given
from hypothesis import strategies as st

from nbtwisted.duration import parse_duration, parse_limit, print_duration
from tests.guard import ClockCase


class DurationTests(ClockCase):
    def test_units(self) -> None:
        for text, seconds in {
            "0": 0.0,
            "1.5": 1.5,
            "1.5s": 1.5,
            ".5": 0.5,
            "2.": 2.0,
            "200ms": 0.2,
            "1m": 60.0,
            "0.5m": 30.0,
        }.items():
            self.assertAlmostEqual(parse_duration(text), seconds, msg=text)

    def test_what_is_no_duration(self) -> None:
        for text in [
            *["", " ", "abc", "-1", "+1", "nan", "inf", "1e9", "1_000", " 1", "1 "],
            *["1h", "1ms2", "ms", ".", "1..2", "0x1", "١", "1\n", "9" * 400],
        ]:
            with self.assertRaises(ValueError, msg=repr(text)) as caught:
                parse_duration(text)
            self.assertIn("1.5, 200ms, 2s or 1m", str(caught.exception))

    @given(st.text(max_size=12))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            seconds = parse_duration(text)
        except ValueError:
            return
        self.assertTrue(math.isfinite(seconds) and seconds >= 0, text)

    # In the middle between two that can be printed.
    @example(1.5234375)
    @given(st.floats(0, 1e6))
    def test_what_is_printed_can_be_read(self, seconds: float) -> None:
        printed = print_duration(seconds)
        # Half of its last digit, and what floats lose of a million.
        difference = abs(parse_duration(printed) - seconds)
        self.assertLessEqual(difference, 0.5e-6 + 2e-10)

    def test_limits_have_a_unit(self) -> None:
        self.assertEqual(parse_limit("50ms"), 0.05)
        for text in ("50", "0.5", "0s", "ms", ""):
            error = self.assertRaises(ValueError, parse_limit, text)
            self.assertIn("its unit, such as 50ms", str(error))

    def test_printed_short(self) -> None:
        for seconds, text in {
            0: "0",
            2.0: "2",
            1.5: "1.5",
            0.2: "0.2",
            60: "60",
        }.items():
            self.assertEqual(print_duration(seconds), text)
