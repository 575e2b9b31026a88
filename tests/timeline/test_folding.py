"""Which spans get a row of their own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.timeline import Span
from nbtwisted.timeline.folding import Fold, folded
from tests.guard import ClockCase
from tests.timeline.spans import any_spans, span


class FoldingTests(ClockCase):
    def test_no_more_than_there_are_rows_for(self) -> None:
        spans = [span(n, "/", 0.0, wait=1.0) for n in range(1, 4)]
        self.assertEqual(folded(spans, 3), spans)

    def test_one_between_two_is_no_fold(self) -> None:
        # The seventh, which is nothing special, lies alone between two that failed.
        spans = [
            span(n, "/", 0.0, failed=n in (6, 8), wait=0.1 if n == 7 else 1.0)
            for n in range(1, 13)
        ]
        rows = folded(spans, 8)
        self.assertIn(spans[6], rows)
        self.assertEqual([r.number for r in rows if isinstance(r, Fold)], [3, 3])

    def test_what_was_not_kept_is_counted(self) -> None:
        spans = [span(n, "/", 0.0, wait=1.0) for n in range(10, 1001, 10)]
        rows = folded(spans, 10)
        counts = [row.number if isinstance(row, Fold) else 1 for row in rows]
        folds = [row for row in rows if isinstance(row, Fold)]
        self.assertEqual(len(folds), 1)
        shown = [row.number for row in rows if isinstance(row, Span)]
        before, after = (
            max(n for n in shown if n < 500),
            min(n for n in shown if n > 500),
        )
        self.assertEqual(folds[0].number, after - before - 1)
        self.assertEqual(len(counts), 10)

    def test_a_fold_says_what_it_is_of(self) -> None:
        fold = Fold(
            (
                span(5, "/", 1.0, wait=1.0),
                span(6, "/", 1.5, wait=3.0, failed=True, outcome="dns"),
            ),
            10,
        )
        self.assertEqual(fold.outcomes, {"200": 1, "dns": 1})
        self.assertEqual((fold.failed, fold.longest), (1, 3.0))
        # From 0: before both, one of them, both, the other.
        self.assertEqual(fold.shares(0.0, 0.5, 10)[:6], [0, 0, 0.5, 1, 0.5, 0.5])

    def test_what_has_no_length_is_under_way_when_it_begins(self) -> None:
        fold = Fold((span(1, "/", 2.0),), 1)
        self.assertEqual(fold.shares(0.0, 1.0, 4), [0, 0, 1, 0])
        self.assertEqual(fold.shares(0.0, 1.0, 2), [0, 1])

    @given(any_spans(60), st.integers(1, 20))
    def test_every_span_is_in_one_row(self, spans: list[Span], rows: int) -> None:
        found: list[Span] = []
        made = folded(spans, rows)
        for row in made:
            found += row.spans if isinstance(row, Fold) else [row]
        self.assertEqual(found, spans)
        self.assertLessEqual(len(made), max(rows, 3))
        number = sum(row.number if isinstance(row, Fold) else 1 for row in made)
        self.assertEqual(number, len(spans))
