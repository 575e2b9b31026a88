"""Writes entries in a thread of its own, so that nothing waits for a disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition, Event, Thread
from typing import Any

from nbtwisted.client.results.har_entry import HEAD, TAIL
from nbtwisted.json_list_file import JSONListFile
from nbtwisted.proxy.recording.entry import Passed
from nbtwisted.proxy.recording.memory import Memory

__all__ = ["EntryWriter"]

PAUSE = 0.01
"""Seconds between two looks at what there is, as in `nbtwisted.background_writer`."""

Waiting = tuple[Passed, int]
"""What passed, and the bytes of memory that it holds."""


class EntryWriter:
    """Makes entries of what passed, and writes them, those of a batch by their dates.

    What is put is in the file within moments, and the file is valid then. `written` is
    how many are in it, and `lost` how many are not, because it cannot be written.
    `on_trouble` is told why, in the writer's thread.

    Raises `OSError` when the file at `path` cannot be opened.
    """

    def __init__(
        self,
        path: str,
        entry_of: Callable[[Passed], dict[str, Any]],
        memory: Memory,
        on_trouble: Callable[[str], None],
    ) -> None:
        self.written = self.lost = 0
        self._path = path
        self._file = JSONListFile(path, HEAD, TAIL)
        self._entry_of = entry_of
        self._memory = memory
        self._on_trouble = on_trouble
        self._waiting: deque[Waiting] = deque()
        self._writing = 0
        self._is_broken = False
        self._closing = Event()
        self._changed = Condition()
        self._thread: Thread | None = None

    def put(self, passed: Passed, cost: int) -> None:
        """Have an entry written; the memory that it holds is released then."""
        with self._changed:
            if not self._closing.is_set():
                self._waiting.append((passed, cost))
                self._changed.notify()
                if self._thread is None:
                    # Not before there is something to write: threads do not come along
                    # into a fork.
                    self._thread = Thread(
                        target=self._run, name="recording", daemon=True
                    )
                    self._thread.start()
                return
            self.lost += 1
        self._memory.release(cost)

    def close(self, patience: float) -> None:
        """Write what there is, and complete the file.

        What is not written in `patience` seconds is lost.
        """
        with self._changed:
            self._closing.set()
            self._changed.notify()
        if self._thread is None:
            self._complete()
            return
        self._thread.join(patience)
        if self._thread.is_alive():
            with self._changed:
                self.lost += len(self._waiting) + self._writing
                self._waiting.clear()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closing.is_set():
                        break
                    self._changed.wait()
                batch = sorted(self._waiting, key=_when)
                self._waiting.clear()
                self._writing = len(batch)
            if not batch:
                self._complete()
                return
            self._write(batch)
            self._closing.wait(PAUSE)

    def _write(self, batch: list[Waiting]) -> None:
        for passed, cost in batch:
            is_written = not self._is_broken and self._write_one(passed)
            self._memory.release(cost)
            with self._changed:
                self._writing -= 1
                self.written += is_written
                self.lost += not is_written
                self._changed.notify_all()

    def _write_one(self, passed: Passed) -> bool:
        try:
            self._file.put(self._entry_of(passed))
            self._file.flush()
        except OSError as error:
            self._break(error)
            return False
        except Exception as error:
            # One that is strange does not end the recording of others.
            self._on_trouble(
                f"an exchange cannot be recorded: {type(error).__name__}: {error}"
            )
            return False
        return True

    def _complete(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._break(error)

    def _break(self, error: OSError) -> None:
        self._is_broken = True
        why = error.strerror or str(error)
        self._on_trouble(f"cannot write {self._path}: {why}: nothing more is recorded")


def _when(waiting: Waiting) -> float:
    return waiting[0].asked_at
