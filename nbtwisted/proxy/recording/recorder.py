"""Records what passes between us and the upstream: `--record FILE.har`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nbtwisted import steady_clock
from nbtwisted.proxy.recording.entry import Passed, entry_of
from nbtwisted.proxy.recording.exchange import RecordedExchange
from nbtwisted.proxy.recording.memory import MOST_HELD, Memory
from nbtwisted.proxy.recording.writer import EntryWriter
from nbtwisted.server.model.request import Request

__all__ = ["MOST_OF_A_BODY", "HARRecorder"]

MOST_OF_A_BODY = 1_000_000
"""Bytes of a body that are kept, unless told."""

PATIENCE = 5.0
"""Seconds that a disk has in the end to take what there is."""


class HARRecorder:
    """Writes an entry of a HAR for each exchange that is over.

    `most` bytes of each body are kept. Values of fields that are secrets stay out,
    unless `with_secrets`. `tell` is called with a sentence when something cannot be
    recorded, in any thread. `now` reads Unix time that never steps. `most_held` are the
    bytes that it may hold in memory, of bodies.

    Raises `OSError` when the file at `path` cannot be opened.
    """

    def __init__(
        self,
        path: str,
        *,
        most: int = MOST_OF_A_BODY,
        with_secrets: bool = False,
        tell: Callable[[str], None],
        now: Callable[[], float] = steady_clock.now,
        most_held: int = MOST_HELD,
    ) -> None:
        self._path = path
        self._most = most
        self._tell = tell
        self._now = now
        self._memory = Memory(most_held)
        self._without_room = 0
        self._writer = EntryWriter(
            path,
            partial(entry_of, most=most, with_secrets=with_secrets),
            self._memory,
            tell,
        )

    @property
    def lost(self) -> int:
        """Exchanges that are not in the file."""
        return self._without_room + self._writer.lost

    def begin(self, request: Request, url: str) -> RecordedExchange:
        """Record an exchange: `nbtwisted.proxy.http.recorder.Recorder`."""
        return RecordedExchange(
            request,
            url,
            now=self._now,
            memory=self._memory,
            most=self._most,
            is_over=self._is_over,
        )

    def close(self, patience: float = PATIENCE) -> str:
        """Complete the file; what the disk does not take in `patience` seconds is lost.

        Returns a sentence that says how much is not in it, or nothing.
        """
        self._writer.close(patience)
        lost = self.lost
        are = "exchange is" if lost == 1 else "exchanges are"
        return f"{lost:,} {are} not in {self._path}" if lost else ""

    def _is_over(self, passed: Passed | None, cost: int) -> None:
        if passed is not None:
            self._writer.put(passed, cost)
            return
        if not self._without_room:
            self._tell(
                f"too much waits to be written to {self._path}: some exchanges are "
                "not in it"
            )
        self._without_room += 1
