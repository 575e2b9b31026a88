"""How many bytes of a link passed when, in a bounded number of samples. Pure."""

from __future__ import annotations

from array import array

__all__ = ["MOST_SAMPLES", "Samples"]

MOST_SAMPLES = 256
"""Of a link. When there are more, each two neighbours become one."""

FIRST_INTERVAL = 0.1
"""Seconds of a sample, to begin with."""


class Samples:
    """Bytes by intervals of the time since a link began; empty ones are left out.

    interval   seconds of each
    """

    __slots__ = ("_down", "_slots", "_up", "interval")

    def __init__(self) -> None:
        self.interval = FIRST_INTERVAL
        self._begin()

    def _begin(self) -> None:
        # Arrays: a journal may have a quarter of a million samples.
        self._slots = array("q")
        self._up = array("q")
        self._down = array("q")

    def add(self, offset: float, up: int, down: int) -> None:
        """Count bytes that passed so many seconds after the beginning."""
        slot = int(offset / self.interval)
        if self._slots and self._slots[-1] >= slot:
            self._up[-1] += up
            self._down[-1] += down
            return
        self._slots.append(slot)
        self._up.append(up)
        self._down.append(down)
        if len(self._slots) > MOST_SAMPLES:
            self._widen()

    def _widen(self) -> None:
        before = list(zip(self._slots, self._up, self._down, strict=True))
        first, step = self.interval, self.interval
        self.interval *= 2
        self._begin()
        for slot, up, down in before:
            self.add(slot * first + step / 2, up, down)

    def since(self, offset: float) -> list[tuple[float, int, int]]:
        """Samples that end after so many seconds: begin of each, bytes up and down."""
        return [
            (round(slot * self.interval, 3), up, down)
            for slot, up, down in zip(self._slots, self._up, self._down, strict=True)
            if (slot + 1) * self.interval > offset
        ]
