"""Where lines of text may end: at blanks, and between Japanese characters. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nbtwisted.timeline.columns import width_of

__all__ = ["line_ends", "wrapped"]

_WIDE = "\u3000-\u9fff\uff00-\uffef"
# JIS X 4051: what a line does not begin with, and what it does not end with.
_NOT_FIRST = (
    "、。，．・：；？！」』）】〉》〕…ー々"
    "ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
    ")]},.:;!?%"
)
_NOT_LAST = "「『（【〈《〔(\\[{"
_PIECE = re.compile(
    rf"[{_NOT_LAST}]*(?:[^\s{_WIDE}]+|[{_WIDE}])?[{re.escape(_NOT_FIRST)}]*\s*"
)


def line_ends(text: str, width: int) -> Sequence[int]:
    """Offsets at which lines of at most `width` columns end, but for the last.

    A piece of the text that is wider than a line is cut where it has to be.
    """
    ends: list[int] = []
    begin = 0
    for piece in _PIECE.finditer(text):
        # Blanks at the end of a line do not count.
        end = piece.start() + len(piece[0].rstrip())
        if width_of(text[begin:end]) <= width:
            continue
        if piece.start() > begin:
            begin = piece.start()
            ends.append(begin)
        while width_of(text[begin:end]) > width:
            cut = begin + 1
            while width_of(text[begin : cut + 1]) <= width:
                cut += 1
            begin = cut
            ends.append(begin)
    return ends


def wrapped(text: str, width: int) -> Sequence[str]:
    """The lines; at least one."""
    ends = line_ends(text, width)
    places = zip([0, *ends], [*ends, len(text)], strict=True)
    return [text[begin:end].rstrip() for begin, end in places]
