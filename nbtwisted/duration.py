"""Durations as people type them (`1.5`, `200ms`, `2s`, `1m`), and as they read them."""

from __future__ import annotations

import re

from nbtwisted.numeral import parse_decimal

__all__ = ["EXPECTED", "parse_duration", "parse_limit", "print_duration"]

EXPECTED = "seconds such as 1.5, 200ms, 2s or 1m"
"""What to tell someone whose duration could not be read."""

_SECONDS_IN_UNIT = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0}
_DURATION = re.compile(r"([0-9.]+)(ms|s|m)?")


def parse_duration(text: str) -> float:
    """Read a duration.

    Returns seconds, finite and not negative.

    Raises `ValueError`, whose text says what was expected.
    """
    match = _DURATION.fullmatch(text)
    try:
        if match is not None:
            return parse_decimal(match[1]) * _SECONDS_IN_UNIT[match[2] or ""]
    except ValueError:
        pass
    raise ValueError(f"expected {EXPECTED}")


def parse_limit(text: str) -> float:
    """Read a duration that is a limit: above 0, and with its unit.

    Without one, `50` is 50 s to this program, and may be 50 ms to who has typed it.

    Returns seconds; raises `ValueError`, whose text says what was expected.
    """
    match = _DURATION.fullmatch(text)
    seconds = parse_duration(text) if match is not None and match[2] else 0.0
    if not seconds:
        raise ValueError("expected a time above 0 and its unit, such as 50ms or 0.5s")
    return seconds


def print_duration(seconds: float) -> str:
    """Write seconds the short way: `2sec` is 2.0 and `1.5sec` is 1.5, less the unit."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")
