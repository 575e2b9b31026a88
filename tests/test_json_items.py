"""Long lists in JSON documents, read one item after another."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted import json_items as module
from nbtwisted.json_items import UnreadableItems, json_items

CHUNKS = (1, 2, 7, 64 * 1024)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=20,
)


class Counting(io.BytesIO):
    """A document that knows how far it was read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


class JSONItemsTests(SynchronousTestCase):
    def read(self, document: str | bytes, chunk: int = 64 * 1024) -> list[Any]:
        self.patch(module, "CHUNK", chunk)
        raw = document.encode() if isinstance(document, str) else document
        return list(json_items(io.BytesIO(raw), "log", "entries"))

    def why_not(self, document: str | bytes) -> str:
        """The message, which is the same however the document is cut."""
        (message,) = {
            str(self.assertRaises(UnreadableItems, self.read, document, chunk))
            for chunk in CHUNKS
        }
        return message

    @given(st.lists(VALUES), VALUES, st.sampled_from(CHUNKS), st.sampled_from([0, 2]))
    def test_items(
        self, items: list[Any], other: Any, chunk: int, indent: int | None
    ) -> None:
        log = {"a": other, "entries": items, "z": [other]}
        whole = {"before": {"log": 1}, "log": log, "after": other}
        for is_ascii in (True, False):
            text = json.dumps(whole, indent=indent or None, ensure_ascii=is_ascii)
            try:
                raw = text.encode()
            except UnicodeEncodeError:
                continue
            self.assertEqual(self.read(raw, chunk), items)

    @given(st.binary() | st.text().map(str.encode), st.sampled_from(CHUNKS))
    def test_anything_else_is_refused(self, raw: bytes, chunk: int) -> None:
        self.assertRaises(UnreadableItems, self.read, raw, chunk)

    @given(st.lists(VALUES, min_size=1), st.data())
    def test_what_is_cut_short(self, items: list[Any], data: st.DataObject) -> None:
        raw = json.dumps({"log": {"entries": items}}).encode()
        end = data.draw(st.integers(0, len(raw) - 1))
        self.assertRaises(UnreadableItems, self.read, raw[:end], 64 * 1024)

    def test_what_is_wrong_is_said(self) -> None:
        for document, expected in {
            "": "it is empty",
            " \n": "it is empty",
            "[]": "line 1, column 1: expected {",
            "{}": "there is no 'log' in it",
            '{"log": {"entry": []}}': "there is no 'entries' in it",
            '{"log": 1}': "line 1, column 9: expected {",
            '{"log": {"entries": {}}}': "line 1, column 21: expected [",
            '{"log": {"entries": [1 2]}}': "line 1, column 24: expected , or ]",
            '{"log":\n {"entries": [\n1,]}}': "line 3, column 3: expecting value",
            '{"log": {"entries": [nope]}}': "line 1, column 22: expecting value",
            '{"log": {"entries": ["\\x"]}}': "line 1, column 23: invalid \\escape",
            '{"log": {"entries": []}} {}': "line 1, column 26: expected nothing more",
            '{"log": {"entries": [': "it is cut short: it ends before its JSON does",
            '{"log": {"entries": ["a': "it is cut short: it ends before its JSON does",
        }.items():
            self.assertIn(expected, self.why_not(document))
        self.assertEqual(
            self.why_not(b'{"log": {"entries": ["\xff"]}}'), "it is not UTF-8"
        )

    def test_depth(self) -> None:
        deep = '{"log": {"entries": [' + "[" * 200_000
        self.assertIn("nested too deeply", self.why_not(deep))

    def test_a_byte_order_mark(self) -> None:
        self.assertEqual(self.read(b'\xef\xbb\xbf{"log": {"entries": [1]}}'), [1])

    def test_numbers_of_any_length(self) -> None:
        document = '{"log": {"entries": [123456789012345678, 1%s, 12]}}' % ("0" * 5000)
        self.assertEqual(self.read(document), [123456789012345678, float("inf"), 12])

    def test_no_more_is_read_than_an_item_needs(self) -> None:
        self.patch(module, "CHUNK", 1000)
        items = ["x" * 700 for _ in range(100)]
        file = Counting(json.dumps({"log": {"entries": items}}).encode())
        found = json_items(file, "log", "entries")
        for number in range(100):
            self.assertEqual(next(found), items[number])
            self.assertLess(file.taken, 704 * (number + 1) + 3000)

    def test_a_long_item_is_looked_at_a_few_times(self) -> None:
        self.patch(module, "CHUNK", 10)
        item = "x" * 100_000
        file = Counting(json.dumps({"log": {"entries": [item]}}).encode())
        looks = 0
        read = file.read

        def counted(size: int | None = -1, /) -> bytes:
            nonlocal looks
            looks += 1
            return read(size)

        self.patch(file, "read", counted)
        self.assertEqual(list(json_items(file, "log", "entries")), [item])
        self.assertLess(looks, 30)
