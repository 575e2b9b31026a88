"""Spans as Trace Event JSON, written while they come; opens in Perfetto."""

from __future__ import annotations

import os

from nbtwisted.json_list_file import JSONListFile

__all__ = ["MOST_BYTES", "TraceFile"]

MOST_BYTES = 512 * 1024 * 1024
"""Of a file: some five million spans, and as much as browsers open."""


class TraceFile:
    """A file of spans, which is valid at any time.

    When `most` bytes are reached no more is written, and the file and `is_full` say so.
    Times are readings of the machine's monotonic clock, so that the files of two
    programs can be laid beside each other.

    https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

    Raises `OSError` when the file cannot be written.
    """

    def __init__(self, path: str, *, most: int = MOST_BYTES) -> None:
        self.is_full = False
        # Of a program that may go elsewhere.
        self.path = os.path.abspath(path)
        self._file: JSONListFile | None = self._open()
        self._most = most
        self._process = os.getpid()

    def span(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        category: str,
        lane: int = 1,
        details: dict[str, object] | None = None,
    ) -> None:
        """Write one; those of one `lane` have to lie within each other, or apart.

        Both times are rounded, so that what ends when another begins still does: of
        what overlaps by a tenth of a microsecond, Perfetto drops one.
        """
        begin, end = _tenths(began), _tenths(ended)
        event: dict[str, object] = {
            "name": name,
            "cat": category,
            "ph": "X",
            # Microseconds.
            "ts": begin / 10,
            "dur": (end - begin) / 10,
            "pid": self._process,
            "tid": lane,
        }
        if details:
            event["args"] = details
        self._put(event)

    def instant(self, name: str, at: float, *, category: str, lane: int = 1) -> None:
        """Write what has no length."""
        self._put(
            {
                "name": name,
                "cat": category,
                "ph": "i",
                "s": "t",
                "ts": _tenths(at) / 10,
                "pid": self._process,
                "tid": lane,
            }
        )

    def call_process(self, name: str) -> None:
        """Say what this process is."""
        self._say("process_name", name, 0)

    def call_lane(self, lane: int, name: str) -> None:
        """Say what a lane is."""
        self._say("thread_name", name, lane)

    def claim(self) -> None:
        """Have this process write, which may be a fork of the one that opened the file.

        Of several, the first to ask has the file, and others one that is named for
        their process ID: `PATH.1234`.
        """
        if self._process != os.getpid():
            self._process = os.getpid()
            self.is_full = False
        if self._file is not None and not self._file.claim():
            self._file.close()
            self.path = f"{self.path}.{self._process}"
            self._file = self._open()
            self._file.claim()

    def flush(self) -> None:
        """Write what there is so far."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Complete the file."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _open(self) -> JSONListFile:
        return JSONListFile(
            self.path, '{"displayTimeUnit": "ms", "traceEvents": [', "\n]}\n"
        )

    def _say(self, kind: str, name: str, lane: int) -> None:
        self._put(
            {
                "name": kind,
                "ph": "M",
                "pid": self._process,
                "tid": lane,
                "args": {"name": name},
            }
        )

    def _put(self, event: dict[str, object]) -> None:
        if self._file is None or self.is_full:
            return
        if self._file.written > self._most:
            self.is_full = True
            event = {**event, "name": "the file is full", "ph": "i"}
        self._file.put(event)


def _tenths(seconds: float) -> int:
    """Tenths of a microsecond."""
    return round(seconds * 1e7)
