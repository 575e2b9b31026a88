"""Writes lines in a thread of its own, so that nobody else waits for who reads them.

A pipe that nobody reads, a terminal that was stopped, a hung disk: each blocks who
writes to it, for ever. `O_NONBLOCK` is no way out. Disks ignore it, and it belongs to
what both ends of a pipe or a terminal share: to set it on our stdout is to set it on
the shell's, and on stderr.
"""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable
from threading import Condition, Event, Thread

__all__ = ["MOST_WAITING", "BackgroundWriter"]

MOST_WAITING = 4 * 1024 * 1024
"""Characters: 20,000 lines of an access log."""

A_WRITE = 4096
"""Bytes, more or less: as much as a pipe takes in whole or not at all (PIPE_BUF)."""

PAUSE = 0.01
"""Seconds between two looks at what there is. Where the thread wakes for each line, a
request with an access log takes 42 to 54 us of CPU, and with this pause 32 to 39."""


class BackgroundWriter:
    """Writes lines to a descriptor, in their order; those that do not fit are lost.

    `descriptor` is asked before each write, in the writer's thread. `on_loss` is told
    why, once, when the first line is lost; in whichever thread that is. `lost` is how
    many there were. Each line ends with a newline.
    """

    def __init__(
        self,
        descriptor: Callable[[], int],
        on_loss: Callable[[str], None] = lambda why: None,
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.lost = 0
        self._descriptor = descriptor
        self._on_loss = on_loss
        self._most_waiting = most_waiting
        self._lines: deque[str] = deque()
        self._waiting = 0
        self._is_torn = False
        self._closing = Event()
        self._changed = Condition()
        self._thread: Thread | None = None

    def write(self, line: str) -> None:
        """Have a line written."""
        with self._changed:
            has_room = self._waiting + len(line) <= self._most_waiting
            if has_room and not self._closing.is_set():
                self._lines.append(line)
                self._waiting += len(line)
                self._changed.notify()
                if self._thread is None:
                    # Not before there is something to write: who forks into the
                    # background does so before, and threads do not come along.
                    self._thread = Thread(
                        target=self._run, name="background writer", daemon=True
                    )
                    self._thread.start()
                return
        self._lose(1, "it does not take what is written")

    def flush(self) -> None:
        """Nothing: it is being written."""

    def close(self, patience: float = 1.0) -> None:
        """Write what there is; what that takes longer for than `patience` is lost."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(patience)
        with self._changed:
            left = len(self._lines)
            self._lines.clear()
        if left:
            self._lose(left, "it does not take what is written")

    def _lose(self, number: int, why: str) -> None:
        with self._changed:
            is_first = not self.lost
            self.lost += number
        if is_first:
            self._on_loss(why)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._lines:
                    if self._closing.is_set():
                        return
                    self._changed.wait()
                lines = self._some()
            lost, why = 0, ""
            try:
                self._write_whole("".join(lines).encode("utf-8", "backslashreplace"))
            except _Incomplete as error:
                lost, why = len(lines) - error.lines, str(error)
            with self._changed:
                # Unless they were given up meanwhile.
                if self._lines:
                    for line in lines:
                        self._lines.popleft()
                        self._waiting -= len(line)
                else:
                    return
                is_empty = not self._lines
            if lost > 0:
                self._lose(lost, why)
            if is_empty:
                self._closing.wait(PAUSE)

    def _some(self) -> list[str]:
        lines: list[str] = []
        size = 0
        for line in self._lines:
            size += len(line)
            if lines and size > A_WRITE:
                break
            lines.append(line)
        return lines

    def _write_whole(self, data: bytes) -> None:
        """Write all of it; raises `_Incomplete`."""
        # What comes after half a line begins a new one.
        prefix = b"\n" if self._is_torn else b""
        rest = memoryview(prefix + data)
        try:
            descriptor = self._descriptor()
            while rest:
                try:
                    rest = rest[os.write(descriptor, rest) :]
                except BlockingIOError:
                    # Somebody else has made it non-blocking.
                    waiting = select.poll()
                    waiting.register(descriptor, select.POLLOUT)
                    waiting.poll()
        except OSError as error:
            written = data[: max(len(data) - len(rest), 0)]
            if written:
                self._is_torn = not written.endswith(b"\n")
            raise _Incomplete(error.strerror, written.count(b"\n")) from None
        self._is_torn = False


class _Incomplete(Exception):
    """Only so many `lines` were written; says why."""

    def __init__(self, why: str | None, lines: int) -> None:
        super().__init__(why or "it cannot be written")
        self.lines = lines
