"""What a stranger sent, made fit for a terminal, a log or a message. Pure."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str, *, longest: int) -> str:
    r"""Escape what would act on a screen instead of standing on it, and shorten.

    Control characters, unusual spaces, lone surrogates and what turns the direction of
    writing become `\x1b`, `\u202e` and the like. At most `longest` characters are left,
    of which the last three are dots if something was cut off.
    """
    escaped = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in text[: longest + 1]
    )
    if len(escaped) <= longest and len(text) <= longest:
        return escaped
    return escaped[: longest - 3] + "..."
