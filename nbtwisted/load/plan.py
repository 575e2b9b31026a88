"""What a run is to do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbtwisted.load.requests.prepared import Prepared
from nbtwisted.load.schedule.arrivals import CONSTANT, Arrivals
from nbtwisted.load.schedule.profile import Profile

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """What a run is to do. Times are in seconds; see `Pace` for what ends it.

    The requests take turns; the heavier ones are there more than once. With `verify`
    false, any certificate will do.

    An open loop has a `rate`, or a `profile` where that varies; `arrivals` says how
    requests come then, and `seed` what is drawn for it. Of a plan that is divided, a
    part has every `step`th turn from the `first` on.
    """

    requests: Sequence[Prepared]
    connections: int
    number: float
    seconds: float
    rate: float | None
    warm_up: float = 0.0
    keeps_alive: bool = True
    verify: bool = True
    profile: Profile | None = None
    arrivals: str = CONSTANT
    seed: int | None = None
    first: int = 0
    step: int = 1

    @property
    def open_loop(self) -> Arrivals | None:
        """When requests are due; None in a closed loop, where connections say that."""
        profile = self.profile
        if profile is None:
            if self.rate is None:
                return None
            profile = Profile.hold(self.rate, self.seconds)
        return Arrivals(profile, self.arrivals, self.seed, self.first, self.step)
