"""JSON values of which nothing is certain, read as some type. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["number", "pairs", "table", "text"]


def table(value: object) -> Mapping[str, Any]:
    """The value, if it is an object; otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """The value, if it is a string; otherwise an empty one."""
    return value if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """The value, if it is a number that is finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None


def pairs(value: object) -> Iterator[tuple[str, str]]:
    """The names and values of a list of `{"name": …, "value": …}`, if it is one."""
    for item in value if isinstance(value, list) else ():
        pair = table(item)
        if isinstance(pair.get("name"), str) and isinstance(pair.get("value"), str):
            yield pair["name"], pair["value"]
