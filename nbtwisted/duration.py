"""Durations as people type them (`1.5`, `200ms`, `2s`, `1m`), and as they read them."""

from __future__ import annotations

import math
import re

__all__ = ["EXPECTED", "parse_duration", "print_duration"]

EXPECTED = "seconds such as 1.5, 200ms, 2s or 1m"
"""What to tell someone whose duration could not be read."""

_SECONDS_IN_UNIT = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0}
# Plain ASCII decimals only: float() would also take "nan", "1_000", " 1" and "١".
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m)?")


def parse_duration(text: str) -> float:
    """Read a duration.

    Returns seconds, finite and not negative.

    Raises `ValueError`, whose text says what was expected.
    """
    match = _DURATION.fullmatch(text)
    # Decimals this long could still overflow to infinity.
    seconds = float(match[1]) * _SECONDS_IN_UNIT[match[2] or ""] if match else math.inf
    if not math.isfinite(seconds):
        raise ValueError(f"expected {EXPECTED}")
    return seconds


def print_duration(seconds: float) -> str:
    """Write seconds the short way: `2sec` is 2.0 and `1.5sec` is 1.5, less the unit."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")
