"""How a run is doing, on a line that moves."""

from __future__ import annotations

import math
from typing import TextIO

from nbtwisted.client.terminal.on_screen import OnScreen
from nbtwisted.load.plan import Plan
from nbtwisted.load.running import Running

__all__ = ["LiveLine"]

INTERVAL = 0.5
"""Seconds between two pictures, if there is news as often."""


class LiveLine(OnScreen):
    """What a run has come to, and how fast it is now."""

    def __init__(
        self, stream: TextIO, run: Running, plan: Plan, title: str = ""
    ) -> None:
        super().__init__(stream)
        self.interval = max(run.interval, INTERVAL)
        self._line = ""
        self.follow(run, plan, title)

    def follow(self, run: Running, plan: Plan, title: str = "") -> None:
        """Show this one from now on, behind a title."""
        self._title = title
        self._run = run
        self._plan = plan
        self._answered_before = 0
        self._seconds_before = 0.0

    def picture(self) -> str:
        """The line as it was drawn last."""
        return self._line

    def draw(self) -> None:
        """Draw it as it now is."""
        run, tally = self._run, self._run.tally
        seconds = run.seconds
        passed = seconds - self._seconds_before
        answered = tally.answered
        rate = (answered - self._answered_before) / passed if passed > 0 else 0.0
        self._answered_before, self._seconds_before = answered, seconds
        end = ""
        if self._plan.seconds != math.inf:
            end = f"/{self._plan.seconds:g}"
        of = f"/{self._plan.number:,.0f}" if self._plan.number != math.inf else ""
        p50, p99 = (tally.latencies.percentile(p) * 1000 for p in (50, 99))
        self._line = (
            f"{self._title}{seconds:.0f}{end} s: {answered:,}{of} answered, "
            f"{tally.failed:,} failed, {rate:,.0f}/s, p50 {p50:.1f} ms, "
            f"p99 {p99:.1f} ms"
        )
        super().draw()
