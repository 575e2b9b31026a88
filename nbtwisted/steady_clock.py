"""Unix time that never steps.

Twisted's `reactor.seconds()` is wall-clock time: it jumps when the machine's clock is
set, and a wait measured across the jump is wrong, even negative. `time.monotonic()`
never jumps but counts from nowhere in particular. This clock starts at the wall's time
and then follows the monotonic one, so its readings can be both subtracted and dated.
"""

from __future__ import annotations

import time

__all__ = ["monotonic", "now"]

_MONOTONIC_ZERO = time.time() - time.monotonic()


def now() -> float:
    """Seconds since 1970-01-01 UTC, as the wall's clock had it when we started."""
    return _MONOTONIC_ZERO + time.monotonic()


def monotonic(reading: float) -> float:
    """What `time.monotonic()` was when `now` was this; of use to this machine alone."""
    return reading - _MONOTONIC_ZERO
