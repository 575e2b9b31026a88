"""What a scenario found, and what it was told."""

from __future__ import annotations

import sys
from dataclasses import dataclass

MOST_COMPLAINTS_SHOWN = 20


@dataclass(frozen=True)
class Settings:
    """What the command was told."""

    seconds: float
    connections: int


@dataclass
class Row:
    """The figures of a scenario. `done` is how many of `unit` its clients got through.

    A scenario fills it in as it goes, so that what is known is shown even if it is
    given up.
    """

    name: str
    done: int = 0
    unit: str = "connections"
    lost: int = 0
    leaked: int = 0
    complaints: int = 0
    note: str = ""
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether all was as it should be."""
        return not (self.lost or self.leaked or self.complaints)


class Unexpected(Exception):
    """An answer is not what it should be."""


def say(text: str) -> None:
    """Tell whoever watches."""
    print(text, file=sys.stderr, flush=True)
