"""Stages at work: each takes items, holds them, and gives them back in order. Pure.

An item is a piece of bytes, or a `Signal` that travels behind the bytes before it. All
times are readings, in seconds, of one clock that never goes back. An item leaves a step
with the time at which it was due, which may be before somebody looks: a late timer
makes nothing late that comes after it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Any

from nbtwisted.proxy.stream.stage import (
    Break,
    Latency,
    Rate,
    Slices,
    SlowClose,
    Stage,
    Timeout,
)

__all__ = ["Item", "Signal", "Step", "step_of"]

PIECES_A_SECOND = 20
"""Into which a rate cuts what comes at once. More would cost timers, and fewer would
show as jerks."""

CATCH_UP = 0.1
"""Seconds of its time that a rate, or slices with pauses, make up for when nobody has
asked for so long: while the receiver takes nothing, no time is saved up."""


class Signal(Enum):
    """What becomes of a link, behind the bytes before it."""

    END = "end"
    """This direction has ended."""
    CLOSE = "close"
    """The link is to be closed."""
    CUT = "cut"
    """The link is to be reset when those before it have been delivered."""
    RESET = "reset"
    """The link is to be reset at once."""


Item = bytes | Signal

_NEVER = math.inf


class Step:
    """One stage of one direction of one link. This one passes everything on at once."""

    def __init__(self) -> None:
        self.held = 0
        """Bytes."""
        self.alarm = _NEVER
        """When it does something by itself, whatever has come."""
        # With when each may pass, and when it came.
        self._queue: deque[tuple[float, Item, float]] = deque()

    def __len__(self) -> int:
        """Items that are held."""
        return len(self._queue)

    @property
    def due(self) -> float:
        """When it has something to do; infinite if there is nothing."""
        return self._queue[0][0] if self._queue else _NEVER

    @property
    def is_stuck(self) -> bool:
        """Whether nothing that is held, or comes, can ever pass."""
        return False

    def put(self, item: Item, at: float) -> None:
        """Take an item, which came at this time, behind all others."""
        self._hold(item, at, at)

    def _hold(self, item: Item, due: float, came: float) -> None:
        self._queue.append((due, item, came))
        if isinstance(item, bytes):
            self.held += len(item)

    def take(self, now: float) -> tuple[float, Item] | Signal | None:
        """Do what is `due`, for the time has come.

        Returns an item with its time, or a signal that overtakes what is held after
        this step, or nothing.
        """
        at, item, _ = self._queue.popleft()
        if isinstance(item, bytes):
            self.held -= len(item)
        return at, item

    def ring(self) -> Signal | None:
        """Do what is to be done at the time of its `alarm`."""
        raise NotImplementedError

    def follow(self, other: Step) -> bool:
        """Take over what another holds, in its place; returns whether nothing is lost.

        What is held waits by the figures of this one, from when it came.
        """
        for came, item in other.let_go():
            self.put(item, came)
        return not other.has_lost

    def let_go(self) -> list[tuple[float, Item]]:
        """All that is held, with when it came: the step acts no more."""
        held = [(came, item) for _, item, came in self._queue]
        self._queue.clear()
        self.held = 0
        return held

    @property
    def has_lost(self) -> bool:
        """Whether something was lost that another step in its place cannot give."""
        return False


class _Latency(Step):
    def __init__(self, stage: Latency, random: Random, now: float) -> None:
        super().__init__()
        self._draw = stage.delay.draw
        self._random = random
        self._last = now

    def put(self, item: Item, at: float) -> None:
        self._last = max(self._last, at + self._draw(self._random))
        self._hold(item, self._last, at)


class _Rate(Step):
    def __init__(self, stage: Rate, random: Random, now: float) -> None:
        super().__init__()
        self._rate = stage.bytes_a_second
        self._piece = max(1, int(stage.bytes_a_second / PIECES_A_SECOND))
        self._free = now
        """When the last byte that has passed had done so."""
        self._taken = 0
        """Bytes of the first item that have passed."""

    @property
    def due(self) -> float:
        if not self._queue:
            return _NEVER
        came, item, _ = self._queue[0]
        begins = max(self._free, came)
        if not isinstance(item, bytes):
            return begins
        return begins + min(self._piece, len(item) - self._taken) / self._rate

    def take(self, now: float) -> tuple[float, Item] | Signal | None:
        at = max(self.due, now - CATCH_UP)
        _, item, _ = self._queue[0]
        if not isinstance(item, bytes):
            self._queue.popleft()
            return at, item
        self._free = at
        piece = item[self._taken : self._taken + self._piece]
        self._taken += len(piece)
        self.held -= len(piece)
        if self._taken == len(item):
            self._queue.popleft()
            self._taken = 0
        return at, piece

    def let_go(self) -> list[tuple[float, Item]]:
        return _without_head(super().let_go(), self._taken)


class _Slices(Step):
    def __init__(self, stage: Slices, random: Random, now: float) -> None:
        super().__init__()
        self._stage = stage
        self._random = random
        self._free = now
        """When the next piece may pass."""
        self._taken = 0

    @property
    def due(self) -> float:
        return max(self._free, self._queue[0][0]) if self._queue else _NEVER

    def take(self, now: float) -> tuple[float, Item] | Signal | None:
        at = max(self.due, now - CATCH_UP)
        _, item, _ = self._queue[0]
        if not isinstance(item, bytes):
            self._queue.popleft()
            return at, item
        stage = self._stage
        size = stage.size
        if stage.variation:
            size += self._random.randint(-stage.variation, stage.variation)
        piece = item[self._taken : self._taken + max(size, 1)]
        self._taken += len(piece)
        self.held -= len(piece)
        if self._taken == len(item):
            self._queue.popleft()
            self._taken = 0
        self._free = at + stage.pause
        return at, piece

    def let_go(self) -> list[tuple[float, Item]]:
        return _without_head(super().let_go(), self._taken)


def _without_head(
    held: list[tuple[float, Item]], taken: int
) -> list[tuple[float, Item]]:
    """What is left of these when so many bytes of the first are taken."""
    if taken:
        came, item = held[0]
        assert isinstance(item, bytes), "nothing is taken of a signal"
        held[0] = came, item[taken:]
    return held


class _SlowClose(Step):
    def __init__(self, stage: SlowClose, random: Random, now: float) -> None:
        super().__init__()
        self._seconds = stage.seconds

    @property
    def due(self) -> float:
        if not self._queue:
            return _NEVER
        came, item, _ = self._queue[0]
        return came + self._seconds if item is Signal.END else came

    def take(self, now: float) -> tuple[float, Item] | Signal | None:
        at = self.due
        _, item, _ = self._queue[0]
        super().take(now)
        return at, item


class _Timeout(Step):
    def __init__(self, stage: Timeout, random: Random, now: float) -> None:
        super().__init__()
        self.alarm = _NEVER if stage.seconds is None else now + stage.seconds

    @property
    def due(self) -> float:
        return self.alarm

    @property
    def is_stuck(self) -> bool:
        return self.alarm == _NEVER

    @property
    def has_lost(self) -> bool:
        # Mostly; and what becomes of a link should not depend on whether it has yet.
        return True

    def put(self, item: Item, at: float) -> None:
        """Lose it."""

    def take(self, now: float) -> tuple[float, Item] | Signal | None:
        return self.ring()

    def ring(self) -> Signal | None:
        self.alarm = _NEVER
        return Signal.CLOSE

    def follow(self, other: Step) -> bool:
        super().follow(other)
        return isinstance(other, _Timeout) or not other.has_lost


class _Break(Step):
    def __init__(self, stage: Break, random: Random, now: float) -> None:
        super().__init__()
        seconds, size = stage.after_seconds, stage.after_bytes
        self.alarm = _NEVER if seconds is None else now + seconds
        if seconds is None and size is None:
            size = 0
        self._most = self._left = size
        """Bytes that may pass in all, and that still may; None for any number."""
        self._signal = {"reset": Signal.CUT, "close": Signal.CLOSE}.get(stage.how)
        """What follows; None for nothing at all."""
        self._breaks_at = _NEVER
        """When the last byte that may pass has done so, until that is told."""
        self._silence = stage.silence if self._signal is not None else 0.0
        """Seconds, if there is one to come."""
        self._is_silent = False
        self._is_broken = False

    @property
    def due(self) -> float:
        if self._is_broken:
            return _NEVER
        if self._is_silent:
            return self.alarm
        return min(self.alarm, self._breaks_at, super().due)

    @property
    def is_stuck(self) -> bool:
        return self._is_broken and self._signal is None

    @property
    def has_lost(self) -> bool:
        return self._is_broken and self._signal is not None

    def put(self, item: Item, at: float) -> None:
        # Behind a signal nothing passes; a stall may be over some time.
        if not self.has_lost:
            super().put(item, at)

    def follow(self, other: Step) -> bool:
        if isinstance(other, _Break) and self._left is not None:
            # Those that have passed by other figures count.
            self._left = max(self._left - (other._most or 0) + (other._left or 0), 0)
        return super().follow(other)

    def take(self, now: float) -> tuple[float, Item] | Signal | None:
        if self._is_silent:
            return self._break(self.alarm)
        came = super().due
        if self._breaks_at <= min(came, self.alarm):
            return self._break(self._breaks_at)
        if self.alarm <= came:
            return self.ring()
        _, item, _ = self._queue[0]
        if not isinstance(item, bytes) or self._left is None:
            return super().take(now)
        if self._left == 0:
            return self._break(came)
        piece = item[: self._left]
        self._left -= len(piece)
        self.held -= len(piece)
        if len(piece) == len(item):
            self._queue.popleft()
        else:
            self._queue[0] = came, item[len(piece) :], came
        if self._left == 0:
            self._breaks_at = came
        return came, piece

    def ring(self) -> Signal | None:
        self._break(self.alarm)
        if not self._is_broken:
            return None
        return Signal.RESET if self._signal is Signal.CUT else self._signal

    def _break(self, at: float) -> tuple[float, Signal] | None:
        if self._silence:
            self.alarm, self._silence = at + self._silence, 0.0
            self._is_silent = True
            return None
        self._is_broken = True
        self.alarm = _NEVER
        if self._signal is None:
            return None
        self.let_go()
        return at, self._signal


_STEPS: dict[type, Callable[[Any, Random, float], Step]] = {
    Latency: _Latency,
    Rate: _Rate,
    Slices: _Slices,
    Break: _Break,
    SlowClose: _SlowClose,
    Timeout: _Timeout,
}


def step_of(stage: Stage, random: Random, now: float) -> Step:
    """A new step that does what the stage says, from now on."""
    return _STEPS[type(stage)](stage, random, now)
