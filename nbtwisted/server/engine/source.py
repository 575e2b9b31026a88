"""Sources of a response's body, with back-pressure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from nbtwisted.server.model.body import NOT_YET, PIECE, BodyBroke
from nbtwisted.server.model.pace import Paced

__all__ = ["PacedSource", "Sink", "Source"]

SECONDS_A_TURN = 0.002
"""After which a source lets others have their turn."""


class Sink(Protocol):
    """Takes what a source has."""

    def take(self, pieces: list[bytes], *, is_last: bool) -> None:
        """Take pieces, of which there may be none; `is_last` when none follow."""

    def fail(self, why: Failure) -> None:
        """The source has an error, and gives nothing more."""


class Source(Protocol):
    """Gives the pieces of a body to a sink as there is room for them.

    The pieces may be made here or arrive from elsewhere. After `start`, a source gives
    pieces until one is the last, it has failed, or it is stopped.
    """

    def start(self, sink: Sink) -> None:
        """Begin to give pieces, perhaps at once."""

    def pause(self) -> None:
        """Give no more until `resume`."""

    def resume(self) -> None:
        """Go on."""

    def stop(self) -> None:
        """Give nothing more, and leave no timer."""


class PacedSource:
    """A source that makes each piece when it is due, or takes it when it has come.

    `clock` runs its timers; `now` reads seconds, by which it ends its turn. While the
    next piece is `NOT_YET`, nothing happens until `wake`.
    """

    __slots__ = (
        *("_clock", "_due", "_following", "_is_giving", "_is_paused", "_is_running"),
        *("_now", "_pieces", "_sink", "_timer"),
    )

    def __init__(
        self, pieces: Paced, clock: IReactorTime, now: Callable[[], float]
    ) -> None:
        self._pieces: Iterator[tuple[bytes, float]] = iter(pieces)
        self._clock = clock
        self._now = now
        self._timer: IDelayedCall | None = None
        self._is_paused = False
        self._is_running = False
        self._is_giving = False
        self._following: tuple[bytes, float] | None = None
        self._due: float | None = None

    def start(self, sink: Sink) -> None:
        """As every source's."""
        self._sink = sink
        self._is_running = True
        self._give(is_first=True)

    def pause(self) -> None:
        """As every source's."""
        self._is_paused = True

    def resume(self) -> None:
        """As every source's."""
        self._is_paused = False
        if self._timer is None and self._is_running:
            # What a slow reader missed is not made up for at once.
            self._due = None
            self._give()

    def wake(self) -> None:
        """There may be a piece now that had not come before."""
        following = self._following
        if (
            following is not None
            and following[0] is NOT_YET
            and not (self._timer or self._is_paused or self._is_giving)
            and self._is_running
        ):
            self._give()

    def stop(self) -> None:
        """As every source's."""
        self._is_running = False
        self._pieces = iter(())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_time(self) -> None:
        self._timer = None
        self._give()

    def _give(self, *, is_first: bool = False) -> None:
        began = self._now()
        pieces: list[bytes] = []
        size = 0
        # To take a piece may let another come.
        self._is_giving = True
        try:
            if is_first:
                self._following = next(self._pieces, None)
            while self._is_running and not self._is_paused:
                interval = 0.0
                if self._following is not None:
                    piece, interval = self._following
                    if piece is NOT_YET:
                        self._following = next(self._pieces, None)
                        if self._following is None or self._following[0] is not NOT_YET:
                            continue
                        if pieces:
                            self._sink.take(pieces, is_last=False)
                        return
                    if piece:
                        pieces.append(piece)
                        size += len(piece)
                    # One piece ahead, so that no interval follows the last.
                    self._following = next(self._pieces, None)
                if self._following is None:
                    self._is_running = False
                    self._sink.take(pieces, is_last=True)
                    return
                is_late = self._now() - began >= SECONDS_A_TURN
                if interval or is_late or size >= PIECE:
                    self._sink.take(pieces, is_last=False)
                    pieces, size = [], 0
                    if self._is_running and (interval or is_late):
                        self._wait(interval)
                        return
        except Exception as error:
            self._is_running = False
            failure = Failure()
            if pieces and isinstance(error, BodyBroke):
                self._sink.take(pieces, is_last=False)
            self._sink.fail(failure)
        finally:
            self._is_giving = False

    def _wait(self, interval: float) -> None:
        now = self._clock.seconds()
        # From when this piece was due: delays of the timers do not add up.
        self._due = (now if self._due is None else self._due) + interval
        self._timer = self._clock.callLater(max(self._due - now, 0.0), self._on_time)
