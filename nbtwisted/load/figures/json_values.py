"""Values of JSON that another process has written: none is taken for what it is not.

Each function returns the value that it was given, or raises `ValueError`. Pure.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["as_count", "as_list", "as_object", "as_seconds", "as_text"]

LARGEST = 2**53
"""Of a count: numbers of JSON are exact up to there, and a thousand fit 64 bits."""

LONGEST_TEXT = 1024 * 1024
"""Characters."""


def as_count(value: Any) -> int:
    """A whole number from 0 on."""
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise ValueError(f"{_shown(value)}: expected a whole number from 0 on")
    return value


def as_seconds(value: Any) -> float:
    """A time from 0 on."""
    if type(value) not in (int, float) or not 0 <= value <= sys.float_info.max:
        raise ValueError(f"{_shown(value)}: expected seconds from 0 on")
    return float(value)


def as_text(value: Any) -> str:
    """A text."""
    if type(value) is not str:
        raise ValueError(f"{_shown(value)}: expected a text")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"a text of {len(value)} characters: expected fewer")
    return value


def as_object(value: Any) -> dict[str, Any]:
    """An object."""
    if type(value) is not dict:
        raise ValueError(f"{_shown(value)}: expected an object")
    return value


def as_list(value: Any) -> list[Any]:
    """A list."""
    if type(value) is not list:
        raise ValueError(f"{_shown(value)}: expected a list")
    return value


def _shown(value: Any) -> str:
    return repr(value)[:100] if type(value) not in (dict, list) else "[...]"
