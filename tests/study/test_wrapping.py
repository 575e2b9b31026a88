"""Where lines of Japanese and English may end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.study.wrapping import wrapped
from nbtwisted.timeline.columns import width_of
from tests.guard import ClockCase


class WrappingTests(ClockCase):
    def test_english_at_blanks(self) -> None:
        self.assertEqual(wrapped("one two three", 8), ["one two", "three"])

    def test_japanese_between_characters(self) -> None:
        self.assertEqual(wrapped("サーバが応答する", 8), ["サーバが", "応答する"])

    def test_no_line_begins_with_what_ends_a_phrase(self) -> None:
        self.assertEqual(wrapped("待ちます。終わり", 8), ["待ちま", "す。終わ", "り"])
        self.assertEqual(wrapped("「待つ」「読む」", 8), ["「待つ」", "「読む」"])

    def test_no_line_ends_with_what_begins_one(self) -> None:
        self.assertEqual(
            wrapped("これは「recv」です", 8), ["これは", "「recv」", "です"]
        )

    def test_numbers_and_latin_words_stay_whole(self) -> None:
        self.assertEqual(wrapped("応答は 5 件です", 9), ["応答は 5", "件です"])
        self.assertEqual(wrapped("次のepollは", 6), ["次の", "epoll", "は"])

    def test_what_is_wider_than_a_line_is_cut(self) -> None:
        self.assertEqual(wrapped("abcdefgh", 3), ["abc", "def", "gh"])

    @given(st.text("ab 、。「」待つサ(5)\n", max_size=60), st.integers(4, 30))
    def test_nothing_is_lost_and_every_line_fits(self, text: str, width: int) -> None:
        lines = wrapped(text, width)
        for line in lines:
            self.assertLessEqual(width_of(line), width)
        self.assertEqual("".join("".join(lines).split()), "".join(text.split()))
