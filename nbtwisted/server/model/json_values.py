"""Values that JSON has, which TOML's and Python's are not always. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["check_json"]

DEEPEST = 64
"""Lists and tables within each other."""


def check_json(value: object, deepest: int = DEEPEST) -> None:
    """Raise `ValueError`, with what was expected, for a value that JSON has not.

    A number is in the range of a double, as most readers of JSON have it.
    """
    if isinstance(value, str):
        if not _is_unicode(value):
            raise ValueError("characters of Unicode, without half of a pair")
    elif isinstance(value, (list, Mapping)):
        if deepest == 0:
            raise ValueError(f"at most {DEEPEST} lists and tables within each other")
        if isinstance(value, Mapping):
            for name in value:
                check_json(name)
        for each in value.values() if isinstance(value, Mapping) else value:
            check_json(each, deepest - 1)
    elif isinstance(value, (int, float)):
        if not _is_finite(value):
            raise ValueError("a finite number")
    elif value is not None:
        raise ValueError("values that JSON has: no dates or times, but texts of them")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer of hundreds of digits
        return False
