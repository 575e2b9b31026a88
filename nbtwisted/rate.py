"""Rates as people type them (`50/s`, `120/m`, `3600/h`, `2/d`): requests a time."""

from __future__ import annotations

import math

from nbtwisted.numeral import parse_decimal

__all__ = ["EXPECTED", "check_rate", "parse_rate", "print_rate"]

HIGHEST = 10_000_000.0
"""Requests a second: more than anything here can send."""

EXPECTED = (
    "requests a second such as 50 or 0.5, or 50/s, 120/m, 3600/h or 2/d: above 0, "
    f"at most {HIGHEST:,.0f}/s"
)
"""What to tell someone whose rate could not be read."""

_SECONDS_IN_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_rate(text: str, *, may_be_zero: bool = False) -> float:
    """Read a rate.

    Returns requests a second, above 0 unless it may be that.

    Raises `ValueError`, whose text says what was expected.
    """
    number, slash, unit = text.partition("/")
    seconds = _SECONDS_IN_UNIT.get(unit if slash else "s")
    try:
        rate = parse_decimal(number) / seconds if seconds else math.nan
    except ValueError:
        rate = math.nan
    return rate if may_be_zero and rate == 0 else check_rate(rate)


def check_rate(rate: float) -> float:
    """Return a rate that is one, in requests a second.

    Raises `ValueError`, whose text says what was expected.
    """
    if not 0 < rate <= HIGHEST:
        raise ValueError(f"expected {EXPECTED}")
    return rate


def print_rate(rate: float) -> str:
    """Write a rate, in requests a second, to four digits: `1,234/s`, `0.5/s`."""
    return f"{float(f'{rate:.4g}'):,.10g}/s"
