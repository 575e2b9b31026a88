"""Some of the spans of a run of any length, and the totals of all. Pure."""

from __future__ import annotations

import heapq

from nbtwisted.timeline.span import Span, Totals

__all__ = ["MOST_SPANS", "Sample"]

MOST_SPANS = 10_000
"""Spans that are kept, or fewer that have as many attempts: some 20 MB, and as many as
a page shows without effort."""

RAREST = 2**40
"""One of so many: there is no list as long as that."""

SLOWEST = 100
"""That are kept whatever becomes of their neighbours."""


class Sample:
    """Keeps some of the spans that are added, in any order: `most` attempts in all.

    All, as long as there are no more; then every second one by their numbers, every
    fourth, and so on. Of those that failed, and of the slowest, there is more left to
    see: half of the room is theirs.
    """

    def __init__(self, most: int = MOST_SPANS) -> None:
        self.totals = Totals()
        self._most = most
        self._kept: dict[int, Span] = {}
        self._attempts = 0
        self._slowest: list[tuple[float, int]] = []
        self._every = 1
        self._every_failure = 1

    def add(self, span: Span) -> None:
        """One more, whose number no other has."""
        self.totals.add(span)
        heapq.heappush(self._slowest, (span.seconds, span.number))
        if len(self._slowest) > min(SLOWEST, self._most // 4):
            heapq.heappop(self._slowest)
        if self._is_wanted(span):
            self._kept[span.number] = span
            self._attempts += len(span.attempts)
            if self._attempts > self._most:
                self._thin_out()

    @property
    def spans(self) -> list[Span]:
        """Those that are kept, in the order of their numbers."""
        return [self._kept[number] for number in sorted(self._kept)]

    def _is_wanted(self, span: Span) -> bool:
        every = self._every_failure if span.failed else self._every
        return (
            span.number % every == 0
            or self._slowest[0] <= (span.seconds, span.number)
            or not self._slowest
        )

    def _thin_out(self) -> None:
        self._let_go()
        # So far that it is worth it: each time, all that is kept is looked at. What is
        # slowest stays, however many attempts it had.
        while self._attempts > self._most * 3 // 4 and self._every < RAREST:
            failures = sum(
                len(span.attempts) for span in self._kept.values() if span.failed
            )
            if failures > self._most // 2:
                self._every_failure *= 2
            else:
                self._every *= 2
            self._let_go()

    def _let_go(self) -> None:
        """Of what is not wanted any more, such as what was among the slowest once."""
        self._kept = {
            number: span for number, span in self._kept.items() if self._is_wanted(span)
        }
        self._attempts = sum(len(span.attempts) for span in self._kept.values())
