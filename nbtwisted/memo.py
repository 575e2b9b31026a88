"""Memo of a pure step: what it gave for the inputs that came lately. Pure.

The result of a pure step follows from its input alone, so a memo changes nothing but
the speed. `NBTWISTED_MEMOS=off` in the environment turns all of them off; the test
suite passes either way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from typing import ClassVar, Generic, TypeVar

__all__ = ["LONGEST_REMEMBERED", "Memo"]

LONGEST_REMEMBERED = 2048
"""Bytes, or characters, of an input that is worth remembering."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Calls `step` for an input, and remembers the result when the input comes again.

    What comes only once is not worth its room. At most `MOST` inputs are remembered;
    the memo begins anew when it is full. It passes over inputs of which `fits` is
    false, and steps that raise.
    """

    MOST = 1024
    is_on: ClassVar[bool] = os.environ.get("NBTWISTED_MEMOS") != "off"

    def __init__(
        self, step: Callable[[K], V], fits: Callable[[K], bool] | None = None
    ) -> None:
        self._step = step
        self._fits = fits
        self._results: dict[K, V] = {}
        self._came: set[int] = set()
        """The hashes of inputs that came once."""

    def __call__(self, given: K) -> V:
        """The result of the step for `given`; raises what the step raises."""
        found = self._results.get(given)
        if found is not None:
            return found
        result = self._step(given)
        came, key = self._came, hash(given)
        if key not in came:
            if len(came) >= self.MOST:
                came.clear()
            came.add(key)
        elif self.is_on and (self._fits is None or self._fits(given)):
            if len(self._results) >= self.MOST:
                self._results.clear()
            self._results[given] = result
        return result

    def __len__(self) -> int:
        """Inputs that are remembered."""
        return len(self._results)
