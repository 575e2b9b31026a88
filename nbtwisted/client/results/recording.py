"""What is kept and written of a run besides responses: for pictures, and in files."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from nbtwisted import __version__, steady_clock
from nbtwisted.client.request.request import Request
from nbtwisted.client.result import Result
from nbtwisted.client.results import har
from nbtwisted.client.results.spans import span_of
from nbtwisted.json_list_file import JSONListFile
from nbtwisted.timeline.report_page import report_page
from nbtwisted.timeline.sample import Sample
from nbtwisted.timeline.span import IN_QUEUE, Span
from nbtwisted.timeline.svg import svg_waterfall
from nbtwisted.trace_file import TraceFile

__all__ = ["Recording"]


LATEST = 200
"""Spans that a picture of the present may want: more than a screen has lines."""


class Recording:
    """Keeps the spans of a run, and writes the files that were asked for.

    `report`, `har` and `trace` are paths, or None for none. The files are opened at
    once, so that what cannot be written is said before anything is sent.

    `under_way` are the requests that have begun and not ended, by their positions in
    the list, from 0. `sample` are the spans of those that have, and `latest` those of
    the last ones, oldest first.

    Raises `OSError` with the path of a file, here and in all that it does.
    """

    def __init__(
        self,
        *,
        report: str | None = None,
        har: str | None = None,
        trace: str | None = None,
    ) -> None:
        self.sample = Sample()
        self.under_way: dict[int, Request] = {}
        self.latest: deque[Span] = deque(maxlen=LATEST)
        self._files: list[_File] = []
        made: tuple[tuple[str | None, Callable[[str], _File]], ...] = (
            (report, lambda path: _Report(path, self.sample)),
            (har, _HAR),
            (trace, _Trace),
        )
        for path, make in made:
            if path is not None:
                with self._writing(path):
                    self._files.append(make(path))

    def begin(self, index: int, request: Request) -> None:
        """A request is about to be sent."""
        self.under_way[index] = request
        for file in self._files:
            file.begin(index)

    def end(self, index: int, result: Result) -> Span | None:
        """A request has ended; returns its span, if it was ever begun."""
        self.under_way.pop(index, None)
        span = span_of(index + 1, result)
        if span is not None:
            self.sample.add(span)
            self.latest.append(span)
            for file in self._files:
                with self._writing(file.path):
                    file.end(index, result, span)
        return span

    def close(self) -> list[str]:
        """Complete the files; returns their paths."""
        paths = [file.path for file in self._files]
        while self._files:
            file = self._files.pop(0)
            with self._writing(file.path):
                file.close()
        return paths

    @contextmanager
    def _writing(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # The others are completed as far as they came.
            files, self._files = self._files, []
            for file in files:
                with suppress(OSError):
                    file.close()
            reason = error.strerror or str(error)
            raise OSError(error.errno, reason, path) from None


class _File:
    """One that grows with the run, or is written in the end."""

    def __init__(self, path: str) -> None:
        self.path = path

    def begin(self, index: int) -> None:
        """A request is about to be sent."""

    def end(self, index: int, result: Result, span: Span) -> None:
        """It has ended."""

    def close(self) -> None:
        """So has the run."""


class _HAR(_File):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._file = JSONListFile(path, har.HEAD, har.TAIL)

    def end(self, index: int, result: Result, span: Span) -> None:
        for entry in har.entries(index, result):
            self._file.put(entry)

    def close(self) -> None:
        self._file.close()


class _Trace(_File):
    """Each request lies in the first lane that is free when it begins."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._file = TraceFile(path)
        self._file.call_process("nbtwisted get")
        self._lanes: dict[int, int] = {}
        self._free: list[int] = []
        self._most = 0
        self._named = 0

    def begin(self, index: int) -> None:
        if not self._free:
            self._most += 1
            self._free.append(self._most)
        self._lanes[index] = heapq.heappop(self._free)

    def end(self, index: int, result: Result, span: Span) -> None:
        lane = self._lanes.pop(index)
        heapq.heappush(self._free, lane)
        while self._named < lane:
            self._named += 1
            self._file.call_lane(self._named, f"in flight {self._named}")
        write_span(self._file, span, lane)

    def close(self) -> None:
        self._file.close()


class _Report(_File):
    """The page of the sample; or the picture alone, where the path says so."""

    def __init__(self, path: str, sample: Sample) -> None:
        super().__init__(path)
        self._sample = sample
        self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115

    def close(self) -> None:
        sample = self._sample
        if self.path.endswith(".svg"):
            picture = svg_waterfall(sample.spans, sample.totals)
        else:
            picture = report_page(
                sample.spans,
                sample.totals,
                made_by=f"nbtwisted {__version__}",
                made_at=f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC",
            )
        with self._file as file:
            file.write(picture)


def write_span(file: TraceFile, span: Span, lane: int) -> None:
    """Write a request, its attempts and their phases, which lie within each other.

    Its time in the queue is left out: others were in its lane then. What was waited
    between two attempts is a part of the request, and of neither attempt.
    """
    span = span.without_queue()
    at = steady_clock.monotonic(span.began)
    # Each boundary once, so that what touches does not overlap.
    attempts = []
    for attempt in span.attempts:
        phases = []
        began = ended = at
        for phase in attempt.phases:
            phases.append((phase.name, at, at + phase.seconds))
            at += phase.seconds
            if phase.name in IN_QUEUE:
                began = at
            if phase.name != "pause":
                ended = at
        attempts.append((attempt, began, ended, phases))
    details: dict[str, object] = {"number": span.number, "outcome": span.outcome}
    file.span(
        span.label, attempts[0][1], at, category="request", lane=lane, details=details
    )
    for attempt, began, ended, phases in attempts:
        of_attempt: dict[str, object] = {"url": attempt.url, "fileno": attempt.fileno}
        if attempt.message:
            of_attempt["error"] = attempt.message
        if len(attempts) > 1:
            file.span(
                attempt.outcome or "in flight",
                began,
                ended,
                category="attempt",
                lane=lane,
                details=of_attempt,
            )
        if attempt.ended_by is not None:
            file.instant(attempt.ended_by, ended, category="mark", lane=lane)
        for name, phase_began, phase_ended in phases:
            file.span(name, phase_began, phase_ended, category="phase", lane=lane)
