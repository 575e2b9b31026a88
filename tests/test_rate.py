from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.rate import check_rate, parse_rate
from tests.guard import ClockCase


class RateTests(ClockCase):
    def test_units(self) -> None:
        for text, rate in {
            "50/s": 50.0,
            "120/m": 2.0,
            "3600/h": 1.0,
            "2/d": 2 / 86_400,
            "0.5/s": 0.5,
            ".5": 0.5,
            "1000": 1000.0,
            "10000000/s": 1e7,
            "600000000/m": 1e7,
        }.items():
            self.assertAlmostEqual(parse_rate(text), rate, msg=text)

    def test_what_is_no_rate(self) -> None:
        for text in [
            *[
                "",
                "0",
                "0/s",
                "-1",
                "+1",
                "nan",
                "inf",
                "1e9",
                "1000000000",
                "10000001",
            ],
            *["2/fortnight", "2/", "/s", "2/S", "2 /s", "2/ s", "2/s/s", "2s", "1/ms"],
            *["600000001/m", "1_000", "١", "1\n", "9" * 5000, "0." + "0" * 5000 + "1"],
        ]:
            with self.assertRaises(ValueError, msg=repr(text)) as caught:
                parse_rate(text)
            self.assertIn("50/s, 120/m, 3600/h or 2/d", str(caught.exception))

    @given(st.text(st.sampled_from("0123456789./smhd"), max_size=12))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            rate = parse_rate(text)
        except ValueError:
            return
        self.assertTrue(0 < rate <= 1e7)

    def test_numbers_that_are_none(self) -> None:
        for rate in (0, -1, math.nan, math.inf, 1e9):
            with self.assertRaisesRegex(ValueError, "expected requests a second"):
                check_rate(rate)
