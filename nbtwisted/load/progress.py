"""How a run is doing, on a line that moves."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TextIO

from rich.live import Live

from nbtwisted.console import SizedConsole
from nbtwisted.load.running import Plan, Run

__all__ = ["LiveLine"]


class LiveLine:
    """Draws on `stream`; whether anybody can see it is nothing to the run."""

    def __init__(self, stream: TextIO, run: Run, plan: Plan) -> None:
        self._run = run
        self._plan = plan
        self._answered_before = 0
        self._seconds_before = 0.0
        console = SizedConsole(stream)
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with suppress(OSError):
            self._live.start()
            # Who ends the process with a second Ctrl-C wants to have a cursor then.
            console.show_cursor(True)

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
        said = (
            f"{seconds:.0f}{end} s: {answered:,}{of} answered, {tally.failed:,} failed"
            f", {rate:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        )
        with suppress(OSError):
            self._live.update(said, refresh=True)

    def close(self) -> None:
        """Take it off the screen for good."""
        with suppress(OSError):
            self._live.stop()
