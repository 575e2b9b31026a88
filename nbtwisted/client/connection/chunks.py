"""A body in chunks: RFC 9112, 7.1. Pure."""

from __future__ import annotations

import re

from nbtwisted.client.connection.head import TrailerReader
from nbtwisted.client.errors import MalformedResponse, ResponseTooLarge
from nbtwisted.http1.syntax import CHUNK_LINE

__all__ = ["ChunkReader"]

_DIGITS = re.compile(rb"[0-9A-Fa-f]*")
_BEGINNING = re.compile(rb"[0-9A-Fa-f]+(?:[ \t]*;|[ \t]*\Z|\r\n?\Z)")
"""Of the line before a chunk's data."""

_MOST_DIGITS = 16
_LONGEST_LINE = 4096
_MOST_EXCESS = 16 * 1024
"""All three as Go's net/http has them, in its internal/chunked.go."""


class ChunkReader:
    """Reads one body in chunks, and the trailers behind it.

    The body may have `most` bytes, and the trailers `most_trailers`. Unless it
    `keeps_body`, it counts the bytes and drops them.
    """

    def __init__(self, most: int, most_trailers: int, *, keeps_body: bool) -> None:
        self.body = bytearray()
        self.size = 0
        """Bytes of the body so far."""
        self._most = most
        self._most_trailers = most_trailers
        self._keeps_body = keeps_body
        self._left = 0
        """Bytes of a chunk that are still to come, with the line end behind it."""
        self._line = b""
        """A line that is not whole."""
        self._excess = 0
        """Bytes of framing beyond those that the data was worth so far."""
        self._is_in_trailers = False
        self._trailers: TrailerReader | None = None

    def feed(self, data: bytes, start: int) -> int:
        """Read on from `start`; returns where the body's framing ends, or -1.

        Raises `MalformedResponse` or `ResponseTooLarge`.
        """
        at = start
        while not self._is_in_trailers:
            if self._left:
                at = self._take_data(data, at)
            if at == len(data):
                return -1
            at = self._take_line(data, at)
        if self._trailers is None:
            if data.startswith(b"\r\n", at):
                return at + 2
            self._trailers = TrailerReader(self._most_trailers)
        return self._trailers.feed(data, at)

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        """The fields behind the body, once they are whole."""
        return () if self._trailers is None else self._trailers.fields

    def end(self) -> None:
        """Judge the trailers, if nothing more will come; raises `MalformedResponse`."""
        if self._trailers is not None:
            self._trailers.end()

    def _take_data(self, data: bytes, at: int) -> int:
        """Take data, and the line end behind it; returns where that ends."""
        left = self._left
        end = min(at + left, len(data))
        # Without the line end.
        size = min(max(left - 2, 0), end - at)
        self.size += size
        if self._keeps_body:
            self.body += data[at : at + size]
        self._left = left = left - (end - at)
        if left < 2:
            # All of the line end but its last `left` bytes, less what came before.
            line_end = data[at + size : end]
            if not b"\r\n"[: 2 - left].endswith(line_end):
                raise MalformedResponse("expected CR LF behind the data of a chunk")
        return end

    def _take_line(self, data: bytes, at: int) -> int:
        """Take the line before a chunk's data; returns where that ends."""
        match = None
        if not self._line:
            match = CHUNK_LINE.match(data, at, at + _LONGEST_LINE)
        if match is None:
            end = data.find(b"\n", at) + 1 or len(data)
            # A line that is too long needs not be copied to be refused.
            self._line += data[at : min(end, at + _LONGEST_LINE + 1)]
            match = _match_line(self._line)
            if match is None:
                return end
            self._line = b""
        else:
            end = match.end()
        size = int(match[1], 16)
        # A chunk may have some framing, and more the larger it is.
        excess = self._excess + match.end() - match.start() + 2 - 16 - 2 * size
        self._excess = max(excess, 0)
        if excess > _MOST_EXCESS:
            raise MalformedResponse("the chunks have more framing than data")
        if size > self._most:
            raise ResponseTooLarge(
                f"a chunk is to have {size} bytes: expected {self._most} at most"
            )
        if self.size + size > self._most:
            raise ResponseTooLarge(f"the body is larger than {self._most} bytes")
        if size:
            self._left = size + 2
        else:
            self._is_in_trailers = True
        return end


def _match_line(line: bytes) -> re.Match[bytes] | None:
    """Match the line of a chunk; None if it is not whole.

    Raises `MalformedResponse`.
    """
    digits = _DIGITS.match(line)
    if digits is not None and digits.end() > _MOST_DIGITS:
        raise MalformedResponse(f"a chunk's size has more than {_MOST_DIGITS} digits")
    if _BEGINNING.match(line) is None:
        raise MalformedResponse("invalid character in chunk size")
    if len(line) > _LONGEST_LINE:
        raise MalformedResponse(f"a chunk's line is longer than {_LONGEST_LINE} bytes")
    if not line.endswith(b"\n"):
        return None
    match = CHUNK_LINE.fullmatch(line)
    if match is None:
        raise MalformedResponse("invalid character in chunk extensions")
    return match
