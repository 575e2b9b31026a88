from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.printable import printable
from tests.guard import ClockCase


class PrintableTests(ClockCase):
    def test_what_would_act_is_escaped(self) -> None:
        self.assertEqual(
            printable("a\x1b[31m\r\n\0\u202eé\udcff", longest=99),
            "a\\x1b[31m\\r\\n\\x00\\u202eé\\udcff",
        )

    def test_shortened(self) -> None:
        self.assertEqual(printable("x" * 10, longest=10), "x" * 10)
        self.assertEqual(printable("x" * 11, longest=10), "x" * 7 + "...")

    @given(st.text(), st.integers(3, 20))
    def test_any_text(self, text: str, longest: int) -> None:
        result = printable(text, longest=longest)
        self.assertTrue(result.isprintable())
        self.assertLessEqual(len(result), longest)
