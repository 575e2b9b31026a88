"""Header fields. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from nbtwisted.http1.syntax import FIELD

__all__ = [
    "LONGEST_KEPT",
    "MOST_KEPT",
    "SECRET",
    "HeaderLines",
    "Lines",
    "RequestHeaders",
    "parse_lines",
]

SHORT_BLOCK = 2048
LONGEST_KEPT = 128
MOST_KEPT = 32
"""The journal keeps a header block of up to `SHORT_BLOCK` bytes as it came. Of a longer
one it keeps so many fields, whose names and values it cuts to so many bytes."""

SECRET = frozenset((b"authorization", b"proxy-authorization", b"cookie"))
"""Names of fields whose values the journal never has, in lower case."""

_CONTROL = b"x-nbtwisted-"

Lines = tuple[tuple[bytes, bytes], ...]
"""Names and values of fields, as they came."""

HeaderLines = tuple[tuple[str, str], ...]
"""The header fields of a response."""


class RequestHeaders:
    """Names and values, in the order in which they came.

    `lines` has all of them, and `by_name` the values by the name in lower case.
    """

    __slots__ = ("_block", "_controls", "_kept", "_shown", "by_name", "lines")

    def __init__(self, lines: Lines, block: bytes = b"") -> None:
        self.lines = lines
        self.by_name: dict[bytes, list[bytes]] = {}
        for name, value in lines:
            self.by_name.setdefault(name.lower(), []).append(value)
        self._block = block
        self._kept: bytes | None = None
        self._shown: dict[str, str] | None = None
        self._controls: tuple[tuple[bytes, tuple[bytes, ...]], ...] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RequestHeaders) and self.lines == other.lines

    def __hash__(self) -> int:
        return hash(self.lines)

    def get(self, name: str) -> str | None:
        """The value of a field, with commas between the values of a repeated one.

        `name` is in lower case.
        """
        values = self.by_name.get(name.encode())
        return None if values is None else b", ".join(values).decode("utf-8", "replace")

    def grouped(self) -> Iterable[tuple[bytes, list[bytes]]]:
        """The values of each name; names are written as httpbin shows them."""
        return ((name.title(), values) for name, values in self.by_name.items())

    @property
    def shown(self) -> dict[str, str]:
        """The fields as httpbin shows them: an echo's, which nobody may change."""
        if self._shown is None:
            self._shown = {
                name.decode("utf-8", "replace"): ",".join(
                    value.decode("utf-8", "replace") for value in values
                )
                for name, values in self.grouped()
            }
        return self._shown

    @property
    def controls(self) -> tuple[tuple[bytes, tuple[bytes, ...]], ...]:
        """The values of each `X-Nbtwisted-Name`, as of a parameter `_name`."""
        if self._controls is None:
            self._controls = tuple(
                (b"_" + name[len(_CONTROL) :].replace(b"-", b"_"), tuple(values))
                for name, values in self.by_name.items()
                if name.startswith(_CONTROL)
            )
        return self._controls

    @property
    def kept(self) -> bytes:
        """The header block without secrets, and cut if it is long: for the journal."""
        if self._kept is None:
            is_secret = not SECRET.isdisjoint(self.by_name)
            if self._block and not is_secret and len(self._block) <= SHORT_BLOCK:
                self._kept = self._block
            else:
                self._kept = b"".join(
                    b"%b: %b\r\n" % (name[:LONGEST_KEPT], value[:LONGEST_KEPT])
                    for name, value in self.lines[: 2 * MOST_KEPT]
                    if name.lower() not in SECRET
                )
        return self._kept


def parse_lines(block: bytes, start: int = 0) -> tuple[Lines, int]:
    """Read field lines from `start` on; returns them, and the position behind them."""
    lines = []
    while field := FIELD.match(block, start):
        lines.append((field[1], field[2].strip(b" \t")))
        start = field.end()
    return tuple(lines), start
