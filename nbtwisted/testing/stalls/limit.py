"""How long a callback of a test may take, as people type it. Pure."""

from __future__ import annotations

from contextlib import suppress

from nbtwisted.duration import parse_limit

__all__ = ["OFF", "limit_from"]

OFF = "off"
"""In the place of a limit: there is none."""


def limit_from(what: str, text: object) -> float | None:
    """Read a limit such as `50ms`: seconds, or None for `off`.

    Raises `ValueError`, whose text says `what` has the limit, and what was expected.
    """
    if text == OFF:
        return None
    with suppress(ValueError):
        if isinstance(text, str):
            return parse_limit(text)
    raise ValueError(
        f"{what}: {text!r}: expected a time above 0 and its unit, such as 50ms, "
        f"or {OFF}"
    )
