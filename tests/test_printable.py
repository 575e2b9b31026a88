from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.printable import escaped_json, printable, printable_ends
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

    def test_of_a_long_url_both_ends_stay(self) -> None:
        url = "http://h/" + "x" * 300 + "/order-4711"
        self.assertEqual(
            printable_ends(url, longest=30), "http://h/xxxxx...xx/order-4711"
        )
        self.assertEqual(printable_ends(url[:30], longest=30), url[:30])
        self.assertEqual(printable_ends("a\x1b" * 3, longest=12), "a\\x1b...\\x1b"[:12])

    @given(st.text(st.characters()), st.integers(8, 40))
    def test_both_ends_of_anything(self, text: str, longest: int) -> None:
        result = printable_ends(text, longest=longest)
        self.assertTrue(result.isprintable())
        self.assertLessEqual(len(result), longest)

    @given(st.text(st.characters()))
    def test_json_stays_equal(self, text: str) -> None:
        document = json.dumps({text: [text]}, ensure_ascii=False)
        safe = escaped_json(document)
        self.assertTrue(safe.isprintable())
        self.assertEqual(json.loads(safe), {text: [text]})

    def test_what_is_escaped_in_json(self) -> None:
        acting = "\x7f\x9b\xad\u061c\u200b\u202e\u2028\u2066\ufeff\udc80\U000e0041"
        self.assertEqual(
            escaped_json(f"日本語 👍 é {acting}"),
            "日本語 👍 é \\u007f\\u009b\\u00ad\\u061c\\u200b\\u202e\\u2028\\u2066"
            "\\ufeff\\udc80\\udb40\\udc41",
        )
