"""When the requests of an open loop come: evenly, or each by itself. Pure.

Many people who do not know of each other come as a Poisson process: times between two
of them are exponential, and so there are crowds and pauses. A process has no memory,
and many of them together are one again: so the parts of a run may draw by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, count, repeat
from random import Random

from nbtwisted.load.schedule.profile import Profile

__all__ = ["CONSTANT", "KINDS", "POISSON", "Arrivals"]

CONSTANT = "constant"
"""Each request is due when the rate says so."""

POISSON = "poisson"
"""A Poisson process with that rate."""

KINDS = (CONSTANT, POISSON)


@dataclass(frozen=True)
class Arrivals:
    """When requests are due at the rate of a profile.

    A part of a run has every `step`th of them from the `first` on, and so all parts
    together have each once; of a Poisson process, it has one with that share of the
    rate, which is drawn from the seed and from `first`.
    """

    profile: Profile
    kind: str = CONSTANT
    seed: int | None = None
    first: int = 0
    step: int = 1

    def moments(self, began: float) -> Iterator[float]:
        """When each is due, in their order, if the first stage `began` then."""
        return self.profile.moments(self._positions(), began)

    def before(self, seconds: float) -> Arrivals:
        """Those at the first rate for so many seconds: a warm-up."""
        return replace(self, profile=Profile.hold(self.profile.rate(0.0), seconds))

    def _positions(self) -> Iterator[float]:
        if self.kind == CONSTANT:
            return count(float(self.first), float(self.step))
        random = Random(f"{self.seed} {self.first}")
        return accumulate(map(random.expovariate, repeat(1 / self.step)))
