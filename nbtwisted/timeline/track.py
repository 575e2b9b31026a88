"""A measure over time, drawn below the bars on their axis. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Track"]


@dataclass(frozen=True)
class Track:
    """A little chart of one measure."""

    name: str
    began: float
    """Seconds, on the clock of the spans."""
    step: float
    """Seconds that each level stands for; more than 0."""
    levels: tuple[float, ...]
    """Each from 0 to 1, which is as high as the chart."""
    said: str = ""
    """What all of it comes to, in a word: `0.05 s`."""

    @property
    def ended(self) -> float:
        """Seconds, on the same clock as `began`."""
        return self.began + self.step * len(self.levels)

    def means(self, zero: float, cell: float, cells: int) -> Iterator[float]:
        """The mean level in each cell of an axis.

        The axis begins at `zero`, and each of its cells has `cell` seconds.
        """
        for place in range(cells):
            begin = (zero + place * cell - self.began) / self.step
            end = begin + cell / self.step
            first, last = max(int(begin), 0), min(int(end), len(self.levels) - 1)
            total = sum(
                self.levels[at] * (min(at + 1, end) - max(at, begin))
                for at in range(first, last + 1)
                if min(at + 1, end) > max(at, begin)
            )
            yield total / (end - begin)
