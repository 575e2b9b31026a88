"""Numbers as strangers write them, bounded in digits before they are numbers. Pure.

`int` and `float` take more than anybody means ("1_000", " 5", "+1", "inf", digits of
other scripts); `int` takes quadratic time for long texts and raises for more than 4,300
digits with a message of its own; and `float` overflows to infinity.
"""

from __future__ import annotations

import re

__all__ = ["parse_decimal", "parse_whole_number"]

# 18 digits before the point, leading zeros aside, fit in 64 bits, signed.
_DIGITS = 18
_WHOLE_NUMBER = re.compile(r"0*([0-9]+)")
# Thirty digits behind the point are more than a float can tell apart above 1e-13.
_DECIMAL = re.compile(r"0*([0-9]{1,18}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})")
# A text that is longer is not even looked at.
_LONGEST = 1000


def parse_whole_number(text: str, *, digits: int = _DIGITS) -> int:
    """Read ASCII digits, of which `digits` may follow the leading zeros.

    Raises `ValueError`, whose text says what was expected.
    """
    if len(text) <= digits and text.isascii() and text.isdigit():
        return int(text)
    match = _WHOLE_NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or len(match[1]) > digits:
        raise ValueError(f"expected a whole number of at most {digits} digits")
    return int(match[1])


def parse_decimal(text: str) -> float:
    """Read a plain decimal such as `12`, `0.4`, `.5` or `2.`: no sign, no exponent.

    Returns a number that is finite and not negative.

    Raises `ValueError`, whose text says what was expected.
    """
    match = _DECIMAL.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError("expected a number such as 0.4")
    return float(match[1])
