"""The small parts of pictures: columns, labels, axes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.timeline.axis import tick_label, tick_step, ticks
from nbtwisted.timeline.columns import fitted, fitted_in_the_middle, width_of
from nbtwisted.timeline.labels import common_origin, short
from nbtwisted.timeline.quantity import readable
from tests.guard import ClockCase


class ColumnsTests(ClockCase):
    def test_cut_and_padded(self) -> None:
        self.assertEqual(fitted("abc", 5), "abc  ")
        self.assertEqual(fitted("abcdef", 5), "abcd…")
        self.assertEqual(fitted("abcdef", 5, dots="..."), "ab...")
        self.assertEqual(fitted("abcdef", 2, dots="..."), "..")
        self.assertEqual(fitted("abc", 0), "")

    def test_wide(self) -> None:
        self.assertEqual(width_of("日本"), 4)
        self.assertEqual(fitted("日本", 6), "日本  ")
        # Half of a wide character is no character.
        self.assertEqual(fitted("日本語", 5), "日本…")
        self.assertEqual(fitted("日本語", 4), "日 …")

    @given(st.text(), st.integers(0, 30))
    def test_as_wide_as_asked_for(self, text: str, width: int) -> None:
        printable = "".join(c for c in text if c.isprintable())
        self.assertEqual(width_of(fitted(printable, width)), width)
        self.assertEqual(width_of(fitted_in_the_middle(printable, width)), width)

    def test_cut_in_the_middle(self) -> None:
        for text, width, expected in [
            ("/get?_key=a", 11, "/get?_key=a"),
            ("/get?_key=a", 13, "/get?_key=a  "),
            ("/get?_key=a", 9, "/get…ey=a"),
            ("/get?_key=a", 4, "/…=a"),
            ("/get?_key=a", 3, "/…a"),
            ("/get?_key=a", 2, "/…"),
            ("日本語日本語", 7, "日…本語"),
            ("日本語日本語", 6, "日…語 "),
        ]:
            self.assertEqual(fitted_in_the_middle(text, width), expected, width)
        self.assertEqual(fitted_in_the_middle("abcdefghi", 7, dots="..."), "ab...hi")


class LabelsTests(ClockCase):
    def shortened(self, *urls: str) -> list[str]:
        origin = common_origin(urls)
        return [short(url, origin) for url in urls]

    def test_the_origin_of_most_is_left_out(self) -> None:
        self.assertEqual(
            self.shortened("http://h/a", "http://h/b", "https://i/c", "x"),
            ["/a", "/b", "https://i/c", "x"],
        )

    def test_none_that_most_have(self) -> None:
        self.assertEqual(
            self.shortened("http://h/a", "http://i/b", "http://j/c"),
            ["h/a", "i/b", "j/c"],
        )

    def test_half_are_enough(self) -> None:
        self.assertEqual(self.shortened("http://h/a", "http://i/b"), ["/a", "i/b"])

    def test_nothing_but_the_origin_stays(self) -> None:
        self.assertEqual(self.shortened("http://h", "http://h"), ["h", "h"])
        self.assertEqual(common_origin([]), "")


class AxisTests(ClockCase):
    def test_steps(self) -> None:
        self.assertEqual(tick_step(4.0, 5), 1.0)
        self.assertEqual(tick_step(4.0, 2), 2.0)
        self.assertAlmostEqual(tick_step(0.004, 5), 0.001)
        self.assertEqual(list(ticks(4.0, 2.0)), [0.0, 2.0, 4.0])

    def test_words(self) -> None:
        self.assertEqual(readable(2.0), "2.00 s")
        self.assertEqual(readable(0.0641), "64.1 ms")
        self.assertEqual(tick_label(0.5, 0.5), "0.5 s")
        self.assertEqual(tick_label(0.02, 0.02), "20 ms")

    @given(st.floats(1e-6, 1e9), st.integers(1, 50))
    def test_never_more_than_there_is_room_for(self, length: float, most: int) -> None:
        self.assertLessEqual(
            len(list(ticks(length, tick_step(length, most)))), most + 1
        )
