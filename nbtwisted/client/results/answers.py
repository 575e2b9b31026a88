"""Where the answers of a run go: to a stream, or to a file for each."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from typing import BinaryIO, Protocol

from nbtwisted.client.result import Result
from nbtwisted.client.results import output

__all__ = ["FORMATS", "AnswerFolder", "AnswerStream", "Answers", "mark_as_written"]

FORMATS = {
    "raw": output.raw,
    "jsonl": output.jsonl,
    "csv": output.csv,
    "body": output.body,
}


class Answers(Protocol):
    """Where answers go. Raises `OSError` where they cannot be written."""

    def write(self, index: int, result: Result) -> None:
        """Write how the request at this position of the list ended."""

    def put(self, index: int, record: bytes) -> None:
        """The same of one that is bytes already; `flush` has it written."""

    def flush(self) -> None:
        """Have all of it written."""


class AnswerStream:
    """Answers one behind the other, in the order in which they are written."""

    def __init__(self, stream: BinaryIO, form: str) -> None:
        self._stream = stream
        self._format = FORMATS[form]
        self._header = output.CSV_HEADER if form == "csv" else b""
        if form == "jsonl":
            mark_as_written(stream.fileno())

    def write(self, index: int, result: Result) -> None:
        """As all have it."""
        self.put(index, self._format(index, result))
        self._stream.flush()

    def put(self, index: int, record: bytes) -> None:
        """As all have it."""
        if self._header:
            # Before the first answer, whichever that is.
            record, self._header = self._header + record, b""
        self._stream.write(record)

    def flush(self) -> None:
        """As all have it."""
        self._stream.flush()


class AnswerFolder:
    """A file for each answer, in the folder at `path`.

    Raises `OSError` for a folder that cannot be written.
    """

    def __init__(self, path: str, form: str) -> None:
        from nbtwisted.client.results.folder import ResultFolder  # 4 ms

        self._folder = ResultFolder(path)
        self._form = form

    def write(self, index: int, result: Result) -> None:
        """As all have it."""
        self.put(index, FORMATS[self._form](index, result))

    def put(self, index: int, record: bytes) -> None:
        """As all have it."""
        header = output.CSV_HEADER if self._form == "csv" else b""
        self._folder.write(f"{index}.{self._form}", header + record)

    def flush(self) -> None:
        """As all have it: it is written."""


def mark_as_written(fileno: int) -> None:
    """Let no run resume this file, if it is one, before this process has ended."""
    with suppress(OSError):
        if stat.S_ISREG(os.fstat(fileno).st_mode):
            fcntl.flock(fileno, fcntl.LOCK_SH | fcntl.LOCK_NB)
