"""A JSON file with one long list in it, written while its items come."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress

__all__ = ["JSONListFile"]

CHUNK = 64 * 1024
"""Characters that may wait to be written."""

SECONDS = 1.0
"""How long an item may wait, if others follow."""


class JSONListFile:
    """A file that is valid JSON whenever somebody looks, and however its writer ends.

    Items are written some at a time, each time with the file's end behind them, and the
    next begin where the end was. A pipe gets its end from `close`.

    `head` is the JSON before the first item, up to and with the list's bracket, and
    `tail` the rest. `written` is how many characters its items have.

    After a fork, the file is the business of the process that opened it, unless another
    makes it its own with `claim`: in others, nothing is written.

    Raises `OSError` when the file cannot be written, here and in all that it does. What
    was written before is whole then, and nothing more is written.
    """

    def __init__(self, path: str, head: str, tail: str) -> None:
        self.written = 0
        self._tail = tail.encode()
        self._waiting: list[str] = []
        self._size = 0
        self._since = time.monotonic()
        # Where the next items go.
        self._at = 0
        self._writer = os.getpid()
        # Unbuffered: a fork would write what is in a buffer once more.
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self._is_pipe = not self._file.seekable()
        self._write(head.encode())
        self._empty = self._at

    def put(self, item: object) -> None:
        """Write one item, now or within a second of those that follow."""
        line = json.dumps(item)
        self._waiting.append((",\n" if self.written else "\n") + line)
        self.written += len(line)
        self._size += len(line)
        if self._size >= CHUNK or time.monotonic() - self._since >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        self._since = time.monotonic()
        if waiting and self._writer == os.getpid() and not self._file.closed:
            self._write("".join(waiting).encode())

    def close(self) -> None:
        """Write what waits, and no more."""
        if self._file.closed:
            return
        with self._file:
            self.flush()
            if self._is_pipe and self._writer == os.getpid():
                self._write(self._tail)

    def claim(self) -> bool:
        """Let this process write, which may be a fork of the one that opened the file.

        Returns whether it may: of several, the first to ask has the file.
        """
        try:
            # Released when the process ends; not taken over by its forks.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            # Not a file that can be locked.
            pass
        is_writer = self._writer == os.getpid()
        has_begun = is_writer and self._at > self._empty
        size = os.fstat(self._file.fileno()).st_size
        if not has_begun and size > self._empty + len(self._tail):
            # Another had it, and has ended.
            return False
        if not is_writer:
            self._writer = os.getpid()
            self._waiting, self._size, self.written = [], 0, 0
            self._at = self._empty
        return True

    def _write(self, data: bytes) -> None:
        """Write this, and the end of the file behind it."""
        end = self._at + len(data)
        if not self._is_pipe:
            data += self._tail
        try:
            self._write_at(self._at, data)
        except OSError:
            # As it was before: there is room for that.
            with self._file, suppress(OSError):
                os.ftruncate(self._file.fileno(), self._at)
                self._write_at(self._at, self._tail)
            raise
        self._at = end

    def _write_at(self, at: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            if self._is_pipe:
                written = os.write(self._file.fileno(), left)
            else:
                written = os.pwrite(self._file.fileno(), left, at)
            at += written
            left = left[written:]
