"""Which clock a reactor's timers run on.

Twisted's reactors take `time.time()`, which steps when the machine's clock is set: one
hour forward, and all timers of the next hour run at once; one hour back, and none runs
for an hour. `ReactorBase` reads its clock by `self.seconds()` everywhere, so that to
replace that method is enough.
"""

from __future__ import annotations

import os
from typing import Any

from nbtwisted import steady_clock

__all__ = [
    "VARIABLE",
    "follow_environment",
    "is_steady_asked_for",
    "run_on_steady_clock",
]

VARIABLE = "NBTWISTED_CLOCK"


def run_on_steady_clock(reactor: Any) -> None:
    """Have the timers of `reactor` run on a clock that never steps.

    What `reactor.seconds()` returns is still Unix time, as of when the process began.
    """
    reactor.seconds = steady_clock.now


def is_steady_asked_for() -> bool:
    """Whether the environment asks for such a clock.

    Raises `ValueError` if it has what is no clock.
    """
    name = os.environ.get(VARIABLE) or "wall"
    if name not in ("steady", "wall"):
        raise ValueError(f"{VARIABLE}={name!r}: expected steady or wall")
    return name == "steady"


def follow_environment(reactor: Any) -> None:
    """Run on a steady clock if the environment asks for it.

    It is not the default because many programs take `reactor.seconds()` for the date:
    twisted.web's access log, Buildbot's database, Synapse's events.

    Raises `ValueError` if the environment has what is no clock.
    """
    if is_steady_asked_for():
        run_on_steady_clock(reactor)
