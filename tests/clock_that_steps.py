"""Runs a module in a process whose wall clock can be set: `BY_STEPS, MODULE, …`.

SIGUSR1 sets it back by an hour, SIGUSR2 forward.
"""

from __future__ import annotations

import runpy
import signal
import sys
import time

__all__ = ["BACK", "BY_STEPS", "FORWARD"]

# A new interpreter: in a fork of a warm one Twisted has taken its clock already.
BY_STEPS = (sys.executable, "-u", "-m", "tests.clock_that_steps")
BACK, FORWARD = signal.SIGUSR1, signal.SIGUSR2


def main() -> None:
    """Run the module that the arguments name."""
    offset = 0.0
    unchanged = time.time

    def wall_clock() -> float:
        return unchanged() + offset

    def step(number: int, frame: object) -> None:
        nonlocal offset
        offset += 3600 if number == FORWARD else -3600

    # Before Twisted takes it for its reactors.
    time.time = wall_clock
    for number in (BACK, FORWARD):
        signal.signal(number, step)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
