"""The items of a long list in a JSON document, read one after another.

One item is in memory at a time, whatever the size of the document.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

__all__ = ["UnreadableItems", "json_items"]

CHUNK = 64 * 1024
"""Bytes that are read at a time, unless an item is longer."""

_SPACE = re.compile(r"[ \t\n\r]*")

_LONGEST_TOKEN = 12
"""Characters of `-Infinity`, and of an escape such as `\\ud83d\\ude00`: an error that
is nearer to the end of what was read may be gone when more is read."""

_LONGEST_NUMBER = 18
"""Digits. `int` takes quadratic time for long ones, and refuses some."""


class UnreadableItems(ValueError):
    """A document is not JSON, or has no such list; its text says what is wrong."""


def json_items(file: IO[bytes], *path: str) -> Iterator[Any]:
    """The items of the list to which the names in `path` lead, one after another.

    The whole document is read, and has to be JSON in UTF-8 to its end. Integers of more
    than 18 digits are floats. Raises `UnreadableItems`, and `OSError` as the file does.
    """
    text = _Text(file)
    if not text.next():
        raise UnreadableItems("it is empty")
    yield from _items(text, path)
    if text.next():
        raise text.wrong("expected nothing more")


def _items(text: _Text, path: tuple[str, ...]) -> Iterator[Any]:
    if not path:
        for _ in text.parts("[", "]"):
            yield text.value()
        return
    is_found = False
    for _ in text.parts("{", "}"):
        name = text.value()
        text.expect(":")
        if name == path[0] and not is_found:
            is_found = True
            yield from _items(text, path[1:])
        else:
            text.value()
    if not is_found:
        raise UnreadableItems(f"there is no {path[0]!r} in it")


class _Text:
    """A text that is read as it is needed, and forgotten behind that."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._scan = json.JSONDecoder(parse_int=_integer).raw_decode
        self._text = ""
        self._at = 0
        self._is_whole = False
        self._line, self._column = 1, 1
        """Of the first character of what is not forgotten."""

    def next(self) -> str:
        """The next character that is no white space; nothing at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._text) or self._is_whole:
                return self._text[self._at : self._at + 1]
            self._read_on()

    def expect(self, *characters: str) -> str:
        """Pass over one of these; returns it."""
        found = self.next()
        if not found:
            raise self._cut_short()
        if found not in characters:
            raise self.wrong(f"expected {' or '.join(characters)}")
        self._at += 1
        return found

    def parts(self, opening: str, closing: str) -> Iterator[None]:
        """Come to each part of a list or an object; the caller reads it."""
        self.expect(opening)
        if self.next() == closing:
            self._at += 1
            return
        while True:
            yield
            if self.expect(",", closing) == closing:
                return

    def value(self) -> Any:
        """Read a value."""
        self.next()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except json.JSONDecodeError as error:
                left = len(self._text) - error.pos
                is_open = error.msg.startswith("Unterminated string")
                if self._is_whole or not (is_open or left <= _LONGEST_TOKEN):
                    is_cut = is_open or left <= 0
                    what = error.msg[:1].lower() + error.msg[1:]
                    raise (
                        self._cut_short() if is_cut else self.wrong(what, error.pos)
                    ) from None
            except RecursionError:
                raise self.wrong("nested too deeply") from None
            else:
                # A number may go on behind what was read: 1e-5 of which 1e- is there.
                if self._is_whole or len(self._text) - end > 2:
                    self._at = end
                    return value
            self._read_on()

    def wrong(self, what: str, at: int | None = None) -> UnreadableItems:
        """The error that there is at a position, or here."""
        line, column = self._place(self._at if at is None else at)
        return UnreadableItems(f"line {line}, column {column}: {what}")

    def _cut_short(self) -> UnreadableItems:
        return UnreadableItems("it is cut short: it ends before its JSON does")

    def _place(self, at: int) -> tuple[int, int]:
        """The line and the column of a position."""
        lines = self._text.count("\n", 0, at)
        if not lines:
            return self._line, self._column + at
        return self._line + lines, at - self._text.rfind("\n", 0, at)

    def _read_on(self) -> None:
        # As much again as there is: what is long is looked at only a few times.
        data = self._file.read(max(CHUNK, len(self._text) - self._at))
        self._is_whole = not data
        self._line, self._column = self._place(self._at)
        try:
            more = self._decode(data, final=self._is_whole)
        except UnicodeDecodeError:
            raise UnreadableItems("it is not UTF-8") from None
        self._text = self._text[self._at :] + more
        self._at = 0


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_NUMBER else float(text)
