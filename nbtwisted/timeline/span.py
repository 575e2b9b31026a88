"""What happened when: the stuff that pictures are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Phase", "Span"]

PhaseName = Literal["queued", "earlier", "connect", "wait", "receive"]


@dataclass(frozen=True)
class Phase:
    """A part of a span."""

    name: PhaseName
    seconds: float


@dataclass(frozen=True)
class Span:
    """One request, as a picture shows it."""

    label: str
    """A few printable characters, each one column wide."""
    outcome: str
    """A status, or a word for what went wrong."""
    failed: bool
    began: float
    """Seconds on whatever clock all the spans of one picture share."""
    phases: tuple[Phase, ...]
    """In their order, without gaps."""

    @property
    def ended(self) -> float:
        """Seconds, on the same clock as `began`."""
        return self.began + sum(phase.seconds for phase in self.phases)

    @property
    def seconds(self) -> float:
        """How long it took, not counting its time in a queue."""
        return sum(phase.seconds for phase in self.phases if phase.name != "queued")
