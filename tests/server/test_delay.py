from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.server.delay import Delay, UnreadableDelay
from tests.guard import ClockCase

durations = st.floats(0, 300).map(lambda seconds: f"{seconds:.6f}")


class DelayTests(ClockCase):
    def test_fixed(self) -> None:
        self.assertEqual(Delay.parse("200ms", longest=1).draw(Random()), 0.2)

    @given(st.lists(durations, min_size=1, max_size=5), st.integers())
    def test_a_draw_is_one_of_the_choices(self, texts: list[str], seed: int) -> None:
        delay = Delay.parse(",".join(texts), longest=300)
        self.assertIn(delay.draw(Random(seed)), [float(text) for text in texts])

    def test_every_choice_is_drawn(self) -> None:
        delay, random = Delay.parse("1,2s,3", longest=3), Random(1)
        self.assertEqual({delay.draw(random) for _ in range(100)}, {1.0, 2.0, 3.0})

    def test_longest(self) -> None:
        self.assertEqual(Delay.parse("300", longest=300).choices, (300.0,))
        for text in ["300.1", "1,301s", "6m"]:
            with self.assertRaises(UnreadableDelay) as caught:
                Delay.parse(text, longest=300)
            self.assertIn("at most 300 seconds", str(caught.exception))

    def test_unreadable(self) -> None:
        for text in ["", "abc", "-1", "nan", "1e9", "1,", ",", "1,,2", "1s;2s"]:
            with self.assertRaises(UnreadableDelay, msg=text) as caught:
                Delay.parse(text, longest=300)
            self.assertIn("1.5, 200ms, 2s", str(caught.exception))
