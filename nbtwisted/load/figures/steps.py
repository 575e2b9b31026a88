"""Latencies by their order of magnitude, which are cheap to merge. Pure."""

from __future__ import annotations

import math
import struct
import sys
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from nbtwisted.load.figures.json_values import as_count, as_object, as_seconds, as_text

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
        self._first = 0
        """The step of the first lane, from `LOWEST` on."""
        self._lanes = 0
        self._shortest = math.inf
        self._longest = 0.0

    def add(self, seconds: array[float]) -> None:
        """Count these."""
        if not seconds:
            return
        halves = array("H", array("f", seconds).tobytes())
        upper = halves[1::2] if sys.byteorder == "little" else halves[::2]
        found = Counter(upper)
        first = _step(min(found))
        counts = array("Q", bytes(LANE * (_step(max(found)) - first + 1)))
        for bits, count in found.items():
            counts[_step(bits) - first] += count
        lanes = int.from_bytes(_little_endian(counts), "little")
        self._add(first, lanes, min(seconds), max(seconds))

    @property
    def counts(self) -> array[int]:
        """How many there are of each step from `LOWEST` on, as far as there are any."""
        return array("Q", bytes(LANE * self._first)) + self._counts

    @property
    def _counts(self) -> array[int]:
        lanes = -(-self._lanes.bit_length() // (8 * LANE))
        counts = array("Q", self._lanes.to_bytes(LANE * lanes, "little"))
        return _in_order(counts)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self._counts)

    def merge(self, other: Steps) -> None:
        """Count those as well."""
        if other._lanes:
            self._add(other._first, other._lanes, other._shortest, other._longest)

    def _add(self, first: int, lanes: int, shortest: float, longest: float) -> None:
        ahead = first - self._first
        if not self._lanes:
            self._first, self._lanes = first, lanes
        elif ahead >= 0:
            self._lanes += lanes << (8 * LANE * ahead)
        else:
            self._first, self._lanes = (
                first,
                (self._lanes << (8 * LANE * -ahead)) + lanes,
            )
        self._shortest = min(self._shortest, shortest)
        self._longest = max(self._longest, longest)

    def figures(self) -> dict[str, float] | None:
        """`p50`, `p90`, `p99` and `max`, in seconds; None if there are none."""
        passed = [*accumulate(self._counts)]
        if not passed:
            return None
        found = {}
        for percent in PERCENTILES:
            rank = -(-passed[-1] * percent // 100)
            step = LOWEST + self._first + bisect_left(passed, rank)
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

    def packed(self) -> tuple[list[Any], bytes] | None:
        """All of it: a head, for `unpacked`, and counts; None if there are none.

        The head has the step of the first count, the bytes of each, and the extremes.
        """
        counts = self._counts
        if not counts:
            return None
        most = max(counts)
        size = next(size for size in _SIZES if most < 256**size)
        packed = _little_endian(array(_SIZES[size], counts))
        return [self._first, size, self._shortest, self._longest], packed

    @classmethod
    def unpacked(cls, head: Sequence[Any], packed: bytes) -> Steps:
        """The inverse of `packed`; raises `ValueError` for what that does not give."""
        first, size, shortest, longest = head
        first, size = as_count(first), as_count(size)
        number, rest = divmod(len(packed), size) if size in _SIZES else (0, 1)
        if rest or not 0 < number <= STEPS - first:
            raise ValueError("counts that are no counts of steps")
        steps = cls()
        lanes = bytearray(LANE * number)
        for place in range(size):
            lanes[place::LANE] = packed[place::size]
        steps._first, steps._lanes = first, int.from_bytes(lanes, "little")
        if size == LANE:
            as_count(max(steps._counts))
        steps._shortest, steps._longest = as_seconds(shortest), as_seconds(longest)
        if steps._shortest > steps._longest:
            raise ValueError("latencies whose shortest is longer than the longest")
        return steps

    def as_json(self) -> dict[str, Any] | None:
        """All of it as JSON values; None if there are none.

        `counts` is base64 of integers, little-endian and `size` bytes each: how many
        latencies there are of the step `first` and of each that follows. The step 0
        begins at a microsecond.
        """
        found = self.packed()
        if found is None:
            return None
        (first, size, shortest, longest), packed = found
        counts = b64encode(packed).decode("ascii")
        return {
            "min": shortest,
            "max": longest,
            "first": first,
            "size": size,
            "counts": counts,
        }

    @classmethod
    def from_json(cls, given: Any) -> Steps:
        """The inverse of `as_json`; raises `ValueError` for what that does not give."""
        if given is None:
            return cls()
        given = as_object(given)
        head = [given.get(name) for name in ("first", "size", "min", "max")]
        return cls.unpacked(
            head, b64decode(as_text(given.get("counts")), validate=True)
        )


def _step(bits: int) -> int:
    """The step of a float of 32 bits, from `LOWEST` on, by the upper half of it."""
    return min(max((bits >> 1) - LOWEST, 0), STEPS - 1)


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
