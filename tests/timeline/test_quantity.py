"""Times, counts and shares as people read them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.timeline.quantity import counted, duration, number, percent
from tests.guard import ClockCase


class QuantityTests(ClockCase):
    def test_durations(self) -> None:
        for seconds, expected in [
            *[
                (None, "–"),
                (0, "0.00 ms"),
                (0.000052, "0.0520 ms"),
                (0.0641, "64.1 ms"),
            ],
            *[
                (0.541, "541 ms"),
                (0.9999, "1000 ms"),
                (1, "1.00 s"),
                (12.345, "12.3 s"),
            ],
            *[(119, "119 s"), (300, "5.00 min"), (20_000, "5.56 h")],
        ]:
            self.assertEqual(duration(seconds), expected)

    def test_numbers(self) -> None:
        for value, expected in [
            *[(0, "0"), (12, "12"), (1234, "1,234"), (28.53, "28.5"), (0.5, "0.5")],
            *[(1234.5, "1,234"), (99.96, "100")],
        ]:
            self.assertEqual(number(value), expected)
        self.assertEqual(counted(1, "request"), "1 request")
        self.assertEqual(counted(2000, "request"), "2,000 requests")

    def test_shares(self) -> None:
        for share, expected in [
            *[(0, "0%"), (0.5, "50%"), (0.9, "90%"), (0.99, "99%"), (0.999, "99.9%")],
            *[(1, "100%"), (0.0002, "0.02%"), (0.1087, "10.9%"), (0.99999, "99.999%")],
        ]:
            self.assertEqual(percent(share), expected)

    @given(st.integers(1, 10**9), st.integers(1, 10**9))
    def test_some_are_neither_none_nor_all(self, some: int, others: int) -> None:
        self.assertNotIn(percent(some / (some + others)), ("0%", "100%"))
