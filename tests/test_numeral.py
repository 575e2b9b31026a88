from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.numeral import parse_decimal, parse_whole_number
from tests.guard import ClockCase


class WholeNumberTests(ClockCase):
    @given(st.integers(0, 10**18 - 1), st.integers(0, 100))
    def test_all_that_fit(self, number: int, zeros: int) -> None:
        self.assertEqual(parse_whole_number("0" * zeros + str(number)), number)

    def test_what_is_none(self) -> None:
        for text in [
            *["", " ", "-1", "+1", "1.0", "1_000", " 1", "1 ", "1\n", "0x1", "١", "²"],
            *["1" * 19, "0" * 5000, "0" * 5000 + "1", "9" * 5000],
        ]:
            with self.assertRaisesRegex(ValueError, "expected a whole number"):
                parse_whole_number(text)


class DecimalTests(ClockCase):
    @given(st.decimals(0, 10**18 - 1, places=6), st.integers(0, 100))
    def test_all_that_fit(self, number: object, zeros: int) -> None:
        self.assertEqual(parse_decimal("0" * zeros + f"{number:f}"), float(str(number)))

    def test_the_short_forms(self) -> None:
        self.assertEqual([parse_decimal(t) for t in (".5", "2.", "0")], [0.5, 2.0, 0.0])

    def test_what_is_none(self) -> None:
        for text in [
            *[
                "",
                ".",
                "-1",
                "+1",
                "nan",
                "inf",
                "1e9",
                "1_0",
                " 1",
                "1\n",
                "1..2",
                "١",
            ],
            *["1" * 19, "0" * 5000, "0." + "0" * 31, "." + "0" * 31, "9" * 400],
        ]:
            with self.assertRaisesRegex(ValueError, "expected a number"):
                parse_decimal(text)
