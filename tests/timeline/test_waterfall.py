"""The waterfall, as text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.timeline import Phase, Span, waterfall
from tests.guard import ClockCase


def span(
    label: str,
    began: float,
    *,
    queued: float = 0.0,
    connect: float = 0.0,
    wait: float = 0.0,
    receive: float = 0.0,
    outcome: str = "200",
    failed: bool = False,
) -> Span:
    phases = (
        Phase("queued", queued),
        Phase("connect", connect),
        Phase("wait", wait),
        Phase("receive", receive),
    )
    return Span(label, outcome, failed, began, phases)


class WaterfallTests(ClockCase):
    def picture(self, *spans: Span, width: int = 60, ascii_only: bool = False) -> str:
        return "\n" + waterfall(spans, width=width, ascii_only=ascii_only)

    def test_one_bar_a_request_on_one_axis(self) -> None:
        self.assertEqual(
            self.picture(
                span("1 /", 100.0, wait=2.0),
                span("2 /", 100.0, wait=1.0),
                span("3 /", 100.0, wait=4.0),
            ),
            """
1 /  200  ━━━━━━━━━━━━━━━━━━━━━                       2.00 s
2 /  200  ━━━━━━━━━━                                  1.00 s
3 /  200  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  4.00 s
          0 s       1 s        2 s        3 s       4 s
3 answers in 4.00 s; one after another: 7.00 s (1.8x)
""",
        )

    def test_phases_and_failures(self) -> None:
        spans = [
            span("1 http://a/", 0, connect=1, wait=2, receive=1),
            span("2 http://b/", 0, queued=3, wait=1),
            span("3 x", 2, connect=0.001, outcome="url", failed=True),
            span("4 y", 0, wait=3, outcome="deadline", failed=True),
        ]
        self.assertEqual(
            self.picture(*spans),
            """
1 http://a/       200  ╌╌╌╌╌╌╌━━━━━━━━━━━━━━━███████  4.00 s
2 http://b/       200  ······················━━━━━━━  1.00 s
3 x               url                ╳                1.0 ms
4 y          deadline  ━━━━━━━━━━━━━━━━━━━━━╳         3.00 s
                       0 s           2 s            4 s
                       · queued  ╌ connect  ━ wait  █ receive
2 answers and 2 errors in 4.00 s; one after another: 8.00 s (2.0x)
""",
        )

    def test_ascii(self) -> None:
        picture = self.picture(
            span("1 " + "long" * 20, 0, queued=1, connect=1, wait=1, receive=1),
            span("2", 0, wait=1, failed=True, outcome="dns"),
            ascii_only=True,
        )
        self.assertTrue(picture.isascii(), picture)
        self.assertIn("...", picture)
        self.assertRegex(picture, r"\.{4,}-{4,}={4,}#{4,}  3\.00 s")

    def test_ticks_of_short_times(self) -> None:
        axis = self.picture(span("1", 0, wait=0.004)).splitlines()[2]
        self.assertEqual(axis.split("  ")[-1].strip(), "4 ms")
        axis = self.picture(span("1", 0, wait=0.00002)).splitlines()[2]
        self.assertIn("0.015 ms", axis)

    def test_one_answer_has_nothing_to_be_compared_with(self) -> None:
        self.assertIn("\n1 answer in 1.50 s\n", self.picture(span("1", 7, wait=1.5)))

    def test_nothing_but_errors(self) -> None:
        picture = self.picture(span("1", 0, outcome="url", failed=True))
        self.assertIn("\n1 error in 0.0 ms\n", picture)

    def test_no_requests(self) -> None:
        self.assertEqual(waterfall([], width=80), "no requests\n")

    def test_colour_surrounds_and_changes_nothing(self) -> None:
        spans = [
            span("1", 0, queued=1, connect=1, wait=1, receive=1),
            span("2", 0, wait=1, failed=True, outcome="dns"),
        ]
        coloured = waterfall(spans, width=60, colour=True)
        self.assertIn("\x1b[31m", coloured)
        plain = re.sub("\x1b\\[[0-9]+m", "", coloured)
        self.assertEqual(plain, waterfall(spans, width=60))
        for line in coloured.splitlines():
            # Every colour that is switched on is switched off in its line.
            codes = re.findall("\x1b\\[([0-9]+)m", line)
            self.assertEqual(codes[1::2], ["0"] * (len(codes) // 2), line)

    @given(
        st.lists(
            st.builds(
                span,
                st.text("abc /", max_size=50),
                st.floats(0, 1e5),
                queued=st.floats(0, 1e5),
                wait=st.floats(0, 1e5),
                receive=st.floats(0, 10),
                failed=st.booleans(),
            ),
            min_size=1,
            max_size=8,
        ),
        st.integers(1, 200),
    )
    def test_any_spans_on_any_width(self, spans: list[Span], width: int) -> None:
        lines = waterfall(spans, width=width).splitlines()
        self.assertGreaterEqual(len(lines), len(spans) + 2)
        for line in lines[: len(spans)]:
            self.assertTrue(line.endswith("s"), line)
            if width >= 60:
                self.assertLessEqual(len(line), width)
            # However short a request was, it can be seen.
            self.assertRegex(line, "[·╌━█╳]")
