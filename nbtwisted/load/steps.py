"""Latencies by their order of magnitude, which are cheap to merge. Pure."""

from __future__ import annotations

import math
import struct
import sys
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import Any

from nbtwisted.load.json_values import as_count, as_object, as_seconds, as_text

__all__ = ["PERCENTILES", "Steps", "lower_end"]

PERCENTILES = {50: 1, 90: 10, 99: 100}
"""Each with the latencies that it takes: of fewer, a p99 is the longest of them."""

LOWEST = 6851
"""The step of a microsecond: those below count as this."""

STEPS = 2048
"""From a microsecond to more than an hour; what is above counts as the last."""

LANE = 8
"""Bytes of a count."""

_SIZES = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""Bytes of a count in text, and the type code of an array of such."""


class Steps:
    """Latencies, each within 1% of what it was; the extremes are as they were.

    A step is what floats of 32 bits have in common whose first 15 are the same: their
    exponent, and six binary digits. So there are 64 from each time to twice that, and
    it takes 0.12 ms to count a thousand: a sixth of what the histogram takes.

    All counts are one integer, in lanes of 64 bits. So merging is one addition, which
    takes 1 µs, where one of dictionaries takes 10 and more: there are 400 of these in
    the series of each of a thousand workers.
    """

    def __init__(self) -> None:
        self._lanes = 0
        self._shortest = math.inf
        self._longest = 0.0

    def add(self, seconds: array[float]) -> None:
        """Count these."""
        if not seconds:
            return
        halves = array("H", array("f", seconds).tobytes())
        upper = halves[1::2] if sys.byteorder == "little" else halves[::2]
        counts = array("Q", bytes(LANE * STEPS))
        for bits, count in Counter(upper).items():
            counts[min(max((bits >> 1) - LOWEST, 0), STEPS - 1)] += count
        self._lanes += int.from_bytes(_little_endian(counts), "little")
        self._take_extremes(min(seconds), max(seconds))

    @property
    def counts(self) -> array[int]:
        """How many there are of each step, as far as there are any."""
        lanes = -(-self._lanes.bit_length() // (8 * LANE))
        counts = array("Q", self._lanes.to_bytes(LANE * lanes, "little"))
        return _in_order(counts)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts)

    def merge(self, other: Steps) -> None:
        """Count those as well."""
        self._lanes += other._lanes
        self._take_extremes(other._shortest, other._longest)

    def figures(self) -> dict[str, float] | None:
        """`p50`, `p90`, `p99` and `max`, in seconds; None if there are none."""
        passed = [*accumulate(self.counts)]
        if not passed:
            return None
        found = {}
        for percent in PERCENTILES:
            rank = -(-passed[-1] * percent // 100)
            step = LOWEST + bisect_left(passed, rank)
            # The next bit set, and none after it: that is the middle of the step.
            (middle,) = struct.unpack("=f", struct.pack("=I", step << 17 | 1 << 16))
            seconds = min(max(middle, self._shortest), self._longest)
            found[f"p{percent}"] = round(seconds, 6)
        return {**found, "max": round(self._longest, 6)}

    def reliable_figures(self) -> dict[str, float | None] | None:
        """The same, but None for what would be no more than the longest of so few."""
        found = self.figures()
        if found is None:
            return None
        total = self.total
        return {
            **found,
            **{
                f"p{percent}": None
                for percent, enough in PERCENTILES.items()
                if total < enough
            },
        }

    def as_json(self) -> dict[str, Any] | None:
        """All of it as JSON values; None if there are none.

        `counts` is base64 of integers, little-endian and `size` bytes each: how many
        latencies there are of the step `first` and of each that follows. The step 0
        begins at a microsecond.
        """
        counts = self.counts
        if not counts:
            return None
        first = next(step for step, count in enumerate(counts) if count)
        most = max(counts)
        size = next(size for size in _SIZES if most < 256**size)
        packed = _little_endian(array(_SIZES[size], counts[first:]))
        return {
            "min": self._shortest,
            "max": self._longest,
            "first": first,
            "size": size,
            "counts": b64encode(packed).decode("ascii"),
        }

    @classmethod
    def from_json(cls, given: Any) -> Steps:
        """The inverse of `as_json`; raises `ValueError` for what that does not give."""
        steps = cls()
        if given is None:
            return steps
        given = as_object(given)
        first, size = as_count(given.get("first")), as_count(given.get("size"))
        packed = b64decode(as_text(given.get("counts")), validate=True)
        number, rest = divmod(len(packed), size) if size in _SIZES else (0, 1)
        if rest or not 0 < number <= STEPS - first:
            raise ValueError("counts that are no counts of steps")
        lanes = bytearray(LANE * number)
        for place in range(size):
            lanes[place::LANE] = packed[place::size]
        steps._lanes = int.from_bytes(lanes, "little") << (8 * LANE * first)
        if size == LANE:
            as_count(max(steps.counts))
        shortest, longest = as_seconds(given.get("min")), as_seconds(given.get("max"))
        if shortest > longest:
            raise ValueError("latencies whose shortest is longer than the longest")
        steps._take_extremes(shortest, longest)
        return steps

    def _take_extremes(self, shortest: float, longest: float) -> None:
        self._shortest = min(self._shortest, shortest)
        self._longest = max(self._longest, longest)


def lower_end(step: int) -> float:
    """Where a step begins, in seconds; 0 is the first."""
    (seconds,) = struct.unpack("=f", struct.pack("=I", (LOWEST + step) << 17))
    return float(seconds)


def _in_order(numbers: array[int]) -> array[int]:
    """Between the machine's order of bytes and little-endian."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _little_endian(numbers: array[int]) -> bytes:
    return _in_order(numbers).tobytes()
