"""What a stranger sent, made fit for a terminal, a log or a message. Pure.

A character is printable if Unicode has it as a letter, a mark, a number, punctuation, a
symbol or the plain space. All others act on a screen instead of standing on it, or
cannot be seen: controls (C0 and C1), what turns the direction of writing, line
separators, unusual spaces, zero-width characters, lone surrogates.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["escaped", "escaped_json", "printable", "printable_ends"]


_MOST_REMEMBERED = 4096


class _Table(dict[int, str]):
    """What `str.translate` puts in the place of characters, by their numbers."""

    def __init__(self, escape: Callable[[str], str]) -> None:
        super().__init__()
        self._escape = escape

    def __missing__(self, number: int) -> str:
        character = chr(number)
        if not character.isprintable():
            character = self._escape(character)
        # Texts are mostly of few scripts, and nobody is to fill the memory with all.
        if len(self) < _MOST_REMEMBERED:
            self[number] = character
        return character


def _as_in_python(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _as_in_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(
        f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4)
    )


_IN_TEXT = _Table(_as_in_python)
_IN_JSON = _Table(_as_in_json)


def escaped(text: str) -> str:
    r"""Escape what is not printable: it becomes `\x1b`, `\u202e` and the like."""
    return text if text.isprintable() else text.translate(_IN_TEXT)


def escaped_json(document: str) -> str:
    r"""Escape what is not printable in JSON without line ends, which stays equal.

    It can stand nowhere but in strings, where `\u202e` and the like mean the same.
    """
    # Of ASCII, which most documents are, JSON itself escapes all but this. (It takes a
    # thirtieth of the time to see.)
    if document.isascii() and "\x7f" not in document:
        return document
    return document if document.isprintable() else document.translate(_IN_JSON)


def printable(text: str, *, longest: int) -> str:
    r"""Escape what is not printable, and shorten.

    At most `longest` characters are left, of which the last three are dots if something
    was cut off.
    """
    short = escaped(text[: longest + 1])
    if len(short) <= longest and len(text) <= longest:
        return short
    return short[: longest - 3] + "..."


def printable_ends(text: str, *, longest: int) -> str:
    """The same, but cut in the middle: URLs are mostly told apart by their ends."""
    begin, end = escaped(text[:longest]), escaped(text[-longest:])
    if len(text) <= longest and len(begin) <= longest:
        return begin
    room = longest - 3
    return f"{begin[: room - room // 2]}...{end[len(end) - room // 2 :]}"
