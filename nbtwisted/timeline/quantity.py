"""Times, counts and shares as people read them. Pure."""

from __future__ import annotations

import math

__all__ = ["NONE", "counted", "duration", "number", "percent", "readable"]

NONE = "–"
"""What stands where there is nothing."""


def duration(seconds: float | None) -> str:
    """Three digits: `0.733 ms`, `64.1 ms`, `2.03 s`, `5.56 h`."""
    if seconds is None:
        return NONE
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{_digits(seconds / unit)} {name}"
    return f"{_digits(seconds)} s" if seconds >= 1 else f"{_digits(seconds * 1e3)} ms"


def readable(seconds: float) -> str:
    """With as many decimals as its neighbours in a column have: `2.03 s`, `64.1 ms`."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"


def number(value: float) -> str:
    """A count or a rate, in three digits where it is no whole number."""
    if value == int(value) or value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """With as many digits as tell it from 0 and from 100: `50%`, `99.99%`, `0.02%`."""
    nearest = min(share, 1 - share)
    decimals = math.ceil(-math.log10(nearest)) if nearest > 0 else 1
    text = f"{share * 100:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.')}%"


def counted(count: int, noun: str) -> str:
    """So many of them: `1 request`, `1,000 requests`."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"
