"""Which of many spans get a row of their own, where there are only so many rows. Pure.

The first ones and the last, those that failed, and the slowest; what lies between two
of them becomes one row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, zip_longest
from math import ceil

from nbtwisted.timeline.span import Span

__all__ = ["Fold", "Row", "folded"]


@dataclass(frozen=True)
class Fold:
    """Spans between others that share a row."""

    spans: tuple[Span, ...]
    """At least one."""
    number: int
    """How many requests they stand for: some may not have been kept."""

    @property
    def outcomes(self) -> Counter[str]:
        """How many ended how."""
        return Counter(span.outcome for span in self.spans)

    @property
    def failed(self) -> int:
        """How many of the spans failed."""
        return sum(span.failed for span in self.spans)

    @property
    def longest(self) -> float:
        """Seconds that the slowest of them took."""
        return max(span.seconds for span in self.spans)

    def shares(self, zero: float, cell: float, cells: int) -> list[float]:
        """How many of the spans are under way in each cell of an axis, from 0 to 1.

        It begins at `zero`, and each of its cells has `cell` seconds.
        """
        changes = [0] * (cells + 1)
        for span in self.spans:
            first = min(max(int((span.began - zero) / cell), 0), cells - 1)
            # A span without a length is under way when it begins.
            last = min(max(ceil((span.ended - zero) / cell), first + 1), cells)
            changes[first] += 1
            changes[last] -= 1
        return [number / len(self.spans) for number in accumulate(changes[:cells])]


Row = Span | Fold


def folded(spans: Sequence[Span], rows: int) -> list[Row]:
    """At most so many rows for the spans, which come in the order of their numbers.

    (Three rows at the least.)
    """
    if len(spans) <= rows:
        return list(spans)
    rows = max(rows, 3)
    # One row in three goes to the beginning, one in six to the end.
    first, last = max(rows // 3, 1), max(rows // 6, 1)
    chosen = set(range(first)) | set(range(len(spans) - last, len(spans)))
    for place in _interesting(spans, rows):
        if place not in chosen and _height(chosen | {place}, len(spans)) <= rows:
            chosen.add(place)
    # What is left, for want of anything interesting, to the beginning.
    for place in range(first, len(spans)):
        if _height(chosen | {place}, len(spans)) > rows:
            break
        chosen.add(place)
    return list(_rows(spans, chosen))


def _interesting(spans: Sequence[Span], rows: int) -> Iterable[int]:
    failed = [place for place, span in enumerate(spans) if span.failed]
    # Evenly, if there are too many.
    every = len(failed) // rows + 1
    slowest = sorted(range(len(spans)), key=lambda p: -spans[p].seconds)[:rows]
    in_turn = chain.from_iterable(zip_longest(failed[::every], slowest))
    return (place for place in in_turn if place is not None)


def _height(chosen: set[int], number: int) -> int:
    """How many rows that makes, with those for what lies between."""
    places = sorted(chosen)
    gaps = sum(after - before > 1 for before, after in pairwise(places))
    return len(places) + gaps + (places[0] > 0) + (places[-1] < number - 1)


def _rows(spans: Sequence[Span], chosen: set[int]) -> Iterator[Row]:
    between: list[Span] = []
    before = 0
    for place, span in enumerate(spans):
        if place not in chosen:
            between.append(span)
            continue
        if between:
            yield _fold(between, span.number - before - 1)
            between = []
        yield span
        before = span.number


def _fold(between: list[Span], number: int) -> Row:
    if len(between) == number == 1:
        return between[0]
    return Fold(tuple(between), max(number, len(between)))
