"""Spans as Trace Event JSON, written while they come; opens in Perfetto."""

from __future__ import annotations

import json
import os
from typing import IO

__all__ = ["MOST_BYTES", "TraceFile"]

MOST_BYTES = 512 * 1024 * 1024
"""Of a file: some five million spans, and as much as browsers open."""


class TraceFile:
    """A file of spans, complete at any time but for its last line.

    When `most` bytes are reached no more is written, and the file and `is_full` say so.

    https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

    Raises `OSError` when the file cannot be written.
    """

    def __init__(self, path: str, *, most: int = MOST_BYTES) -> None:
        self.is_full = False
        self._file: IO[str] | None = open(path, "w", encoding="utf-8")  # noqa: SIM115
        self._most = most
        self._written = 0
        self._process = os.getpid()
        self._begun = False
        self._put('{"displayTimeUnit": "ms", "traceEvents": [')

    def span(self, name: str, detail: str, began: float, seconds: float) -> None:
        """Write one; `began` is in seconds on any clock."""
        if self._file is None or self.is_full:
            return
        event: dict[str, object] = {
            "name": name,
            "cat": "wait" if name == "poll" else "callback",
            "ph": "X",
            # Microseconds.
            "ts": round(began * 1e6, 1),
            "dur": round(seconds * 1e6, 1),
            "pid": self._process,
            "tid": 1,
        }
        if detail:
            event["args"] = {"of": detail}
        line = json.dumps(event)
        if self._written + len(line) > self._most:
            self.is_full = True
            line = json.dumps({**event, "name": "the file is full", "ph": "i"})
        self._put((",\n" if self._begun else "\n") + line)
        self._begun = True

    def close(self) -> None:
        """Complete the file."""
        if self._file is not None:
            file, self._file = self._file, None
            file.write("\n]}\n")
            file.close()

    def _put(self, text: str) -> None:
        assert self._file is not None
        self._file.write(text)
        self._written += len(text)
