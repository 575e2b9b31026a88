"""Where an axis has its ticks, and what stands at them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["tick_label", "tick_step", "ticks"]


def tick_step(length: float, most: int) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that goes into `length`.

    At most `most` times, that is, which is 1 or more. Both are in the same unit,
    whatever it is.
    """
    for power in range(-9, 15):
        for step in (10.0**power, 2 * 10.0**power, 5 * 10.0**power):
            if _fitting(length, step) <= most:
                return step
    return length


def ticks(length: float, step: float) -> Iterator[float]:
    """The multiples of `step` from 0 to `length`."""
    return (number * step for number in range(_fitting(length, step) + 1))


def tick_label(seconds: float, step: float) -> str:
    """What stands at a tick of an axis whose ticks are `step` seconds apart."""
    return f"{seconds:.6g} s" if step >= 0.1 else f"{seconds * 1000:.6g} ms"


def _fitting(length: float, step: float) -> int:
    """How often a step goes into a length that may have lost its last digits."""
    return int(length / step * 1.000001)
