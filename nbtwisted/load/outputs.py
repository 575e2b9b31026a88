"""What a run leaves behind: a summary, and files that were asked for."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from nbtwisted.command_line import (
    CANNOT_WRITE,
    abandon,
    can_encode,
    say,
    write_all_of,
)
from nbtwisted.load.comparing.earlier import Earlier
from nbtwisted.load.figures.series import Series, binned
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.options import Options
from nbtwisted.load.reporting.hgrm import hgrm
from nbtwisted.load.reporting.report import text
from nbtwisted.load.reporting.report_json import report_json
from nbtwisted.printable import printable

__all__ = ["Outcome", "Outputs"]

LONGEST_PATH = 4096
"""Characters of a path that are shown, which is as many as Linux takes."""


@dataclass(frozen=True)
class Outcome:
    """A run that is over: its report, what that was made of, and when it began."""

    report: dict[str, Any]
    tally: Tally
    began: float
    """Unix time of the first request that counts."""


class Outputs:
    """Where the outcome goes: files that are open before anything is sent.

    Makes the tally of a run as well, which keeps no more than is going to be written.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._files: dict[str, TextIO] = {}

    def open(self, files: ExitStack) -> None:
        """Open what was asked for, until `files` closes it.

        Raises `SystemExit` after one line on stderr where something cannot be opened.
        """
        if sys.stdout is None:
            _refuse("standard output is closed")
        sys.stdout = write_all_of(sys.stdout)
        options = self._options
        for path in (options.json, options.hdr, options.plot):
            if path == "-":
                self._files[path] = sys.stdout
            elif path is not None:
                self._files[path] = files.enter_context(_open(path))

    def new_tally(self) -> Tally:
        """A tally for a run."""
        options = self._options
        has_series = (
            options.json is not None
            or options.plot is not None
            or options.plan.profile is not None
            or options.earlier is not None
        )
        return Tally(Series() if has_series else None)

    def write(self, outcome: Outcome) -> None:
        """Write all of it.

        What cannot be written keeps nothing else from being written. It raises
        `SystemExit` then, after one line on stderr.
        """
        options, files = self._options, self._files
        wanted: list[tuple[TextIO, str]] = []
        if options.json is not None:
            as_json = report_json(outcome.report, outcome.tally.series)
            wanted.append((files[options.json], as_json))
        if options.hdr is not None:
            histogram = outcome.tally.latencies.histogram
            wanted.append((files[options.hdr], hgrm(histogram)))
        if options.plot is not None:
            page = _page(outcome, options.earlier)
            wanted.append((files[options.plot], page))
        if "-" not in files:
            bar = "■" if can_encode(sys.stdout, "■") else "#"
            wanted.append((sys.stdout, text(outcome.report, outcome.tally, bar=bar)))
        errors = []
        for file, content in wanted:
            try:
                file.write(content)
                file.flush()
            except OSError as error:
                errors.append(error)
                abandon(file)
            else:
                if options.plot is not None and file is files[options.plot]:
                    say(f"nbtwisted: wrote {_shown(options.plot)}")
        if errors:
            _refuse(errors[0].strerror)


def _page(outcome: Outcome, earlier: Earlier | None) -> str:
    # Whoever wants no page does not wait for this to load.
    from nbtwisted.timeline.load.page import load_page

    report, tally = outcome.report, outcome.tally
    assert tally.series is not None
    bins, rates = tally.series.bins(), tally.series.rates()
    before = [] if earlier is None else binned(earlier.intervals)
    return load_page(
        report,
        began=outcome.began,
        intervals=[each.as_json() for each in bins],
        rates=None
        if len(bins) == len(rates)
        else [each.as_json(latencies=False) for each in rates],
        curves={
            "latency": tally.latencies.curve(),
            "uncorrected": None
            if report["uncorrected"] is None
            else tally.service.curve(),
        },
        conditions=report["conditions"],
        before=[each.as_json() for each in before],
    )


def _open(path: str) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        _refuse(error.strerror, _shown(path))


def _refuse(why: str | None, what: str = "") -> NoReturn:
    say(f"nbtwisted: error: cannot write{what and ' '}{what}: {why}")
    raise SystemExit(CANNOT_WRITE)


def _shown(path: str) -> str:
    return printable(path, longest=LONGEST_PATH)
