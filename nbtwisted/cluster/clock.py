"""By how much a worker's clock is ahead of the driver's. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ClockDifference"]


@dataclass(frozen=True)
class ClockDifference:
    """What a worker's clock shows more than the driver's, in seconds.

    It is right to within `uncertainty`, in seconds either way.
    """

    seconds: float = 0.0
    uncertainty: float = 0.0

    @classmethod
    def measured(cls, pings: Iterable[tuple[float, float, float]]) -> ClockDifference:
        """Of pings: when each was sent, what the worker's clock was, when it was back.

        The fastest says most: whatever the way there and back took, the worker read its
        clock between the two (RFC 5905, section 8).
        """
        sent, there, back = min(pings, key=lambda ping: ping[2] - ping[0])
        return cls(there - (sent + back) / 2, (back - sent) / 2)
