"""Requests that take turns, by their weights."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.load.requests.turns import MOST_TURNS, turns
from tests.guard import ClockCase

WEIGHTS = st.lists(st.integers(1, 60) | st.sampled_from([1, 2, 3]), max_size=20)


class TurnsTests(ClockCase):
    def test_equal_ones_take_turns_in_their_order(self) -> None:
        for weight in (1, 7):
            self.assertEqual(turns([weight] * 4), [0, 1, 2, 3])
        self.assertEqual(turns([]), [])

    def test_none_has_its_turns_in_a_block(self) -> None:
        for weights, expected in [
            ([5, 1, 1], [0, 1, 0, 0, 2, 0, 0]),
            ([20, 40, 20], [1, 0, 1, 2]),
            ([3, 1, 1, 1], [0, 1, 0, 2, 0, 3]),
        ]:
            self.assertEqual(turns(weights), expected)

    @given(WEIGHTS)
    def test_each_has_its_share_after_any_part_of_a_round(
        self, weights: list[int]
    ) -> None:
        found = turns(weights)
        divisor = math.gcd(*weights) or 1
        expected = {which: w // divisor for which, w in enumerate(weights)}
        self.assertEqual(Counter(found), expected)
        taken: Counter[int] = Counter()
        for number, which in enumerate(found, 1):
            taken[which] += 1
            for each, weight in expected.items():
                share = weight * number / len(found)
                self.assertLess(abs(taken[each] - share), 1)

    def test_a_round_has_its_limits(self) -> None:
        self.assertRaises(ValueError, turns, [MOST_TURNS + 2, 1])
        # However many there are, one turn for each is none too many.
        number = MOST_TURNS + 2
        self.assertEqual(len(turns([3] * number)), number)
