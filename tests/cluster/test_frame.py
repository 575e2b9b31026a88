"""What a driver and its parts tell each other comes as it was told."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.cluster.frame import Frame, FrameReader, write_frame
from tests import examples

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=3,
)
HEADS = st.dictionaries(st.text().filter(lambda name: name != "payload"), VALUES)


class FrameTests(SynchronousTestCase):
    """Frames."""

    @settings(max_examples=examples(25))
    @given(st.lists(st.tuples(HEADS, st.binary(max_size=50)), max_size=4), st.data())
    def test_come_as_they_were_written_however_they_are_cut(
        self, told: list[tuple[dict[str, Any], bytes]], data: st.DataObject
    ) -> None:
        """Whatever the pieces are."""
        written = b"".join(write_frame(head, payload) for head, payload in told)
        reader, read = FrameReader(), []
        while written:
            size = data.draw(st.integers(1, max(len(written), 20)))
            read += reader.feed(written[:size])
            written = written[size:]
        self.assertEqual(read, [Frame(head, payload) for head, payload in told])

    def test_are_cut_anywhere(self) -> None:
        """Also a short one after one that came in pieces."""
        frames = [Frame({"a": "long" * 5}), Frame({}, b"\n{}\n"), Frame({"b": 1}, b"x")]
        written = b"".join(write_frame(each.head, each.payload) for each in frames)
        for first in range(len(written)):
            for second in range(first, len(written)):
                reader, read = FrameReader(), []
                for begin, end in pairwise((0, first, second, len(written))):
                    read += reader.feed(written[begin:end])
                self.assertEqual(read, frames, (first, second))

    def test_have_numbers_of_json_alone(self) -> None:
        """Whoever reads it may be no Python."""
        for number in (math.nan, math.inf):
            self.assertRaises(ValueError, write_frame, {"a": number})

    def test_what_is_none_is_shown(self) -> None:
        """Something of the worker's that prints, say."""
        nested = '{"a": ' + "[" * 100_000
        for line in (
            b"hello",
            b"[1]",
            b'{"payload": -1}',
            b'{"payload": true}',
            b'{"payload": "1"}',
            b"\xff",
            nested.encode(),
        ):
            with self.subTest(line=line[:20]):
                error = self.assertRaises(ValueError, FrameReader().feed, line + b"\n")
                self.assertIn("expected a frame", str(error))
                self.assertLess(len(str(error)), 500)
