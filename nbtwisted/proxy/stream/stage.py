"""What can be done to one direction of a link. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from nbtwisted.server.model.delay import Delay

__all__ = [
    "Break",
    "Direction",
    "Latency",
    "Placed",
    "Rate",
    "Slices",
    "SlowClose",
    "Stage",
    "Timeout",
]


class Direction(Enum):
    """A direction of a link."""

    UP = "up"
    """From the client to the upstream."""
    DOWN = "down"
    """From the upstream to the client."""


@dataclass(frozen=True)
class Latency:
    """Each chunk waits, and none overtakes the one before it.

    delay   drawn for each chunk, and once more for the end
    """

    delay: Delay


@dataclass(frozen=True)
class Rate:
    """No more than so many bytes pass in a second."""

    bytes_a_second: float


@dataclass(frozen=True)
class Slices:
    """Chunks are cut.

    size        bytes of a piece
    variation   bytes: each piece is longer or shorter by up to so many
    pause       seconds from a piece to the next
    """

    size: int
    variation: int = 0
    pause: float = 0.0


@dataclass(frozen=True)
class Break:
    """The link ends after a time or after so many bytes, whichever comes first.

    how             `reset` both sides; `close` both, when they have what came before;
                    or `stall`: nothing passes in this direction any more
    after_seconds   from when it begins to act on the link
    after_bytes     of this direction, from then on; these still pass
    silence         seconds that follow, until the link is reset or closed; in them,
                    nothing passes in this direction

    Without the first two, it breaks with the first byte.
    """

    how: Literal["reset", "stall", "close"]
    after_seconds: float | None = None
    after_bytes: int | None = None
    silence: float = 0.0


@dataclass(frozen=True)
class SlowClose:
    """The end of this direction passes so many seconds later."""

    seconds: float


@dataclass(frozen=True)
class Timeout:
    """Nothing passes, and what comes is lost.

    The link is closed when the stage is taken away, for its bytes are missing.

    seconds   until it is closed anyway, from when the stage begins to act; None: never
    """

    seconds: float | None


Stage = Latency | Rate | Slices | Break | SlowClose | Timeout


@dataclass(frozen=True)
class Placed:
    """A stage and its place.

    name          tells it from the others of its direction, and is part of its draws
    probability   that it acts on a link
    rule          the name of the rule that it is of, if it is of one
    """

    name: str
    direction: Direction
    stage: Stage
    probability: float = 1.0
    rule: str | None = None
