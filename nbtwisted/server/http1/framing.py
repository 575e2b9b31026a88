"""Requests out of bytes: where each begins and ends, and what it may not be. Pure.

A head and the framing of a body have to be as RFC 9112 writes them, to the byte: what a
lenient reader would take in its own way, and another in another, is refused. llhttp
would refuse more: the white space that a chunk's extension may have before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from nbtwisted.http1.framing import elements, keeps_alive, parse_length
from nbtwisted.http1.syntax import BLANK_LINE, CHUNK_LINE, FIELD, TOKEN
from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.server.model.headers import Lines, RequestHeaders, parse_lines
from nbtwisted.server.model.request import LARGEST_REQUEST_BODY

__all__ = ["BadRequest", "Head", "RequestReader", "check_length", "parse_head"]

LONGEST_TARGET = 16 * 1024
LARGEST_HEAD = 64 * 1024
"""Bytes."""

MOST_FIELDS = 1000
"""Header fields of a request: 8,000 short ones would take 12 ms. twisted.web takes
500, and nginx what fits into 32 KiB."""

CHUNKS_A_TURN = 2000
"""Chunks that are read at a time: 3 ms' work, if they are of one byte each."""

_REQUEST_LINE = re.compile(rb"(%b) ([!-~]+) HTTP/([0-9])\.([0-9])\r\n" % TOKEN)
_LONE_CR_OR_LF = re.compile(rb"(?<!\r)\n|\r[^\n]")
_BEGINNING = re.compile(rb"%b|\r?\Z" % TOKEN)
"""The beginning of a request, or of the empty line that may be before one."""


class BadRequest(Exception):
    """The bytes are no request that can be answered; `expected` describes one."""

    def __init__(self, status: int, expected: str) -> None:
        super().__init__(status, expected)
        self.status = status
        self.expected = expected


class Head(NamedTuple):
    """A request but for its body, which has `length` bytes, or is in chunks if None."""

    method: bytes
    target: bytes
    version: bytes
    headers: RequestHeaders
    length: int | None
    is_persistent: bool
    """Whether the client wants to use the connection again."""
    wants_continue: bool
    """Whether it waits with the body until it is told to go on."""


class _Block(NamedTuple):
    """A header block, and what it says of framing."""

    headers: RequestHeaders
    length: int
    codings: tuple[bytes, ...]
    connection: frozenset[bytes]
    is_expectant: bool


def parse_head(raw: bytes) -> Head:
    """Read a head, blank line and all; raises `BadRequest`."""
    line = _match_request_line(raw)
    # RFC 9110, 2.5: a server that speaks HTTP/1.1 understands a later HTTP/1.
    version = b"HTTP/1.0" if line[4] == b"0" else b"HTTP/1.1"
    headers, length, codings, connection, is_expectant = _parse_block(raw[line.end() :])
    # RFC 9112, 3.2: without a Host, or with two, a request means one thing to one
    # server and another to the next.
    if version == b"HTTP/1.1" and b"host" not in headers.by_name:
        raise BadRequest(400, "one Host header")
    if codings:
        _check_codings(
            codings, version, has_length=b"content-length" in headers.by_name
        )
    return Head(
        line[1],
        line[2],
        version,
        headers,
        None if codings else length,
        keeps_alive(connection, is_1_0=version == b"HTTP/1.0"),
        is_expectant and version == b"HTTP/1.1" and bool(codings or length),
    )


def _match_request_line(raw: bytes | bytearray) -> re.Match[bytes]:
    """Match the request line that `raw` begins with; raises `BadRequest`.

    Its groups are the method, the target, and the two numbers of the version.
    """
    line = _REQUEST_LINE.match(raw)
    if line is None:
        raise _not_a_request()
    if line[3] != b"1":
        raise BadRequest(505, "HTTP/1.1")
    return line


def _read_block(raw: bytes) -> _Block:
    """Read the header fields of a head, and the blank line; raises `BadRequest`."""
    if raw.count(b"\r\n") > MOST_FIELDS + 1:
        raise BadRequest(431, f"at most {MOST_FIELDS} header fields")
    lines, end = parse_lines(raw)
    if raw[end:] != b"\r\n":
        raise _not_a_request()
    headers = RequestHeaders(lines, raw[:end])
    by_name = headers.by_name
    if len(by_name.get(b"host", ())) > 1:
        raise BadRequest(400, "one Host header")
    expectation = by_name.get(b"expect", (b"",))[-1].lower()
    if expectation not in (b"", b"100-continue"):
        raise BadRequest(417, "100-continue, if anything, of Expect")
    return _Block(
        headers,
        _length(by_name.get(b"content-length", ())),
        tuple(elements(by_name.get(b"transfer-encoding", ()))),
        frozenset(elements(by_name.get(b"connection", ()))),
        bool(expectation),
    )


_parse_block = Memo(_read_block, fits=lambda raw: len(raw) <= LONGEST_REMEMBERED)


def _length(lengths: Sequence[bytes]) -> int:
    """Bytes that a body has by its Content-Length; raises `BadRequest`."""
    if not lengths:
        return 0
    try:
        (text,) = lengths
        length = parse_length(text.decode("latin-1"))
    except ValueError:
        raise BadRequest(400, "one Content-Length, of digits") from None
    return length


def check_length(head: Head) -> None:
    """Raise `BadRequest` for a body that is to be longer than is held of one."""
    if head.length is not None and head.length > LARGEST_REQUEST_BODY:
        raise _body_too_large()


def _check_codings(
    codings: tuple[bytes, ...], version: bytes, *, has_length: bool
) -> None:
    """Raise `BadRequest` unless it is clear that a body is in chunks."""
    if not all(re.fullmatch(TOKEN, coding) for coding in codings):
        raise BadRequest(400, "Transfer-Encoding: chunked, or none")
    if set(codings) != {b"chunked"}:
        raise BadRequest(501, "Transfer-Encoding: chunked, or none")
    # RFC 9112, 6.1 and 6.3: each of these is how requests are smuggled.
    if has_length or version == b"HTTP/1.0":
        raise BadRequest(400, "no Transfer-Encoding beside a length or in HTTP/1.0")
    if len(codings) > 1:
        raise BadRequest(400, "Transfer-Encoding: chunked, once")


class _ChunkedBody:
    """Reads one body in chunks, of `most` bytes in all; drops its extensions.

    trailers   the fields behind it, once it is whole
    """

    def __init__(self, most: float) -> None:
        self.trailers: list[tuple[bytes, bytes]] = []
        self._most = most
        self._size = 0
        self._body = bytearray()
        self._left = 0
        """Bytes of a chunk that are still to come, with the line end behind it."""
        self._is_in_trailers = False
        self._framing = 0
        """Bytes since the last of the body: these are capped, too."""
        self._looked_at = 0
        """Bytes of a line that is not all here."""
        self.has_stopped = False
        """Whether `take` has read as much as it may in a turn."""

    def __len__(self) -> int:
        """Bytes of the body that were read, and not given."""
        return len(self._body)

    def give(self) -> bytes:
        """Give what was read."""
        body = bytes(self._body)
        self._body.clear()
        return body

    def read(self, buffer: bytearray) -> bool:
        """Take what is there off the buffer; returns whether the body is whole.

        Raises `BadRequest`.
        """
        at = 0
        self.has_stopped = False
        try:
            for _ in range(CHUNKS_A_TURN):
                if self._left:
                    at += self._take_data(buffer[at : at + self._left])
                    if self._left:
                        return False
                end = buffer.find(b"\r\n", at + max(self._looked_at - 1, 0)) + 2
                if end < 2:
                    self._check_beginning_of_line(buffer, at)
                    return False
                self._looked_at = 0
                self._framing += end - at
                self._check_framing(self._framing)
                start, at = at, end
                if self._is_in_trailers:
                    if end - start == 2:
                        return True
                    field = FIELD.fullmatch(buffer, start, end)
                    if field is None:
                        raise _not_a_request()
                    if len(self.trailers) >= MOST_FIELDS:
                        raise BadRequest(431, f"at most {MOST_FIELDS} trailers")
                    value = bytes(field[2].strip(b" \t"))
                    self.trailers.append((bytes(field[1]), value))
                else:
                    match = CHUNK_LINE.fullmatch(buffer, start, end)
                    if match is None:
                        raise _not_a_request()
                    self._begin_chunk(int(match[1], 16))
            self.has_stopped = True
            return False
        finally:
            del buffer[:at]

    def _begin_chunk(self, size: int) -> None:
        self._is_in_trailers = not size
        if size:
            self._left = size + 2
        self._size += size
        if self._size > self._most:
            raise _body_too_large()

    def _take_data(self, piece: bytearray) -> int:
        """Take a piece of a chunk and of the line end behind it; returns its length."""
        self._left -= len(piece)
        if self._left >= 2:
            self._body += piece
            return len(piece)
        # The piece ends within the line end, or with it.
        length = max(len(piece) - 2 + self._left, 0)
        if not b"\r\n"[: 2 - self._left].endswith(piece[length:]):
            raise _not_a_request()
        self._body += piece[:length]
        self._framing = 0
        return len(piece)

    def _check_beginning_of_line(self, buffer: bytearray, at: int) -> None:
        """Refuse what cannot become a line, before all of it is here."""
        length = len(buffer) - at
        self._check_framing(self._framing + length)
        if _LONE_CR_OR_LF.search(buffer, at + max(self._looked_at - 1, 0)):
            raise _not_a_request()
        self._looked_at = length

    def _check_framing(self, length: int) -> None:
        if length > LARGEST_HEAD:
            raise BadRequest(431, f"trailers of at most {LARGEST_HEAD} bytes")


class RequestReader:
    """Takes bytes as they come, and gives heads and bodies one after another.

    A head has to be taken before its body, and that before the next head. Both raise
    `BadRequest`, and then nothing more can be read.
    """

    __slots__ = (
        *("_at", "_buffer", "_chunks", "_given", "_line_is_checked", "_looked_at"),
        *("left", "trailers"),
    )

    def __init__(self) -> None:
        self._buffer: bytes | bytearray = b""
        self._at = 0
        """Where the bytes begin that were not taken yet."""
        self.left = 0
        """How many these are."""
        self.trailers: Lines = ()
        """Fields behind the body that was read last, if it was in chunks."""
        self._given = 0
        """Bytes of a body that is given in pieces."""
        self._looked_at = 0
        self._line_is_checked = False
        self._chunks: _ChunkedBody | None = None

    @property
    def held(self) -> int:
        """Bytes in memory: those that were not taken, and the chunks of a body."""
        return self.left + (0 if self._chunks is None else len(self._chunks))

    @property
    def has_stopped(self) -> bool:
        """Whether `next_body` stopped to let others have their turn."""
        return self._chunks is not None and self._chunks.has_stopped

    @property
    def beginning(self) -> bytes:
        """The first of the bytes that were not taken."""
        return bytes(self._buffer[self._at : self._at + 16])

    def feed(self, data: bytes) -> None:
        """Take bytes that have come."""
        if self.left:
            self._rest().extend(data)
        else:
            self._buffer, self._at = data, 0
        self.left += len(data)

    def next_head(self) -> bytes | None:
        """The next head, blank line and all, as it came; None if it is not all here."""
        buffer = self._buffer
        # RFC 9112, 2.2: an empty line before a request is to be ignored.
        while buffer.startswith(b"\r\n", self._at):
            self._at += 2
            self.left -= 2
            self._looked_at = 0
        at = self._at
        end = buffer.find(BLANK_LINE, at + max(self._looked_at - 3, 0))
        if end < 0:
            self._check_beginning(self._rest())
            self._looked_at = self.left
            return None
        end += len(BLANK_LINE)
        if end - at > LARGEST_HEAD or buffer.find(b"\r\n", at) - at > LONGEST_TARGET:
            _check_size(buffer[at:end])
        self._looked_at = 0
        self._line_is_checked = False
        self._at = end
        self.left -= end - at
        if not self.left:
            # An idle connection keeps nothing of what it sent.
            self._buffer = b""
        return bytes(buffer[at:end])

    def take_rest(self) -> bytes:
        """The bytes that were not taken: to be fed again when they are to be read."""
        rest = bytes(self._buffer[self._at :])
        self._buffer, self._at, self.left = b"", 0, 0
        return rest

    def next_body(self, head: Head) -> bytes | None:
        """The body of the head that was the last; None if it is not all here."""
        if head.length == 0:
            return b""
        if head.length is None:
            if not self._read_chunks(LARGEST_REQUEST_BODY):
                return None
            chunks, self._chunks = self._chunks, None
            assert chunks is not None
            return chunks.give()
        if self.left < head.length:
            return None
        at, self._at = self._at, self._at + head.length
        self.left -= head.length
        body = bytes(self._buffer[at : self._at])
        if not self.left:
            self._buffer = b""
        return body

    def next_piece(self, head: Head) -> tuple[bytes, bool]:
        """What is here of a body, in place of `next_body`; and whether it is the last.

        A body that is read like this may have any length.
        """
        if head.length is None:
            is_whole = self._read_chunks(math.inf)
            chunks = self._chunks
            assert chunks is not None
            if is_whole:
                self._chunks = None
            return chunks.give(), is_whole
        at, size = self._at, min(self.left, head.length - self._given)
        self._at = at + size
        self.left -= size
        self._given += size
        piece = bytes(self._buffer[at : self._at])
        if not self.left:
            self._buffer, self._at = b"", 0
        is_last = self._given == head.length
        if is_last:
            self._given, self.trailers = 0, ()
        return piece, is_last

    def _read_chunks(self, most: float) -> bool:
        if self._chunks is None:
            self._chunks = _ChunkedBody(most)
        buffer = self._rest()
        is_whole = self._chunks.read(buffer)
        self.left = len(buffer)
        if is_whole:
            self.trailers = tuple(self._chunks.trailers)
        return is_whole

    def _rest(self) -> bytearray:
        """The bytes that were not taken, as a buffer that can grow."""
        if self._at or not isinstance(self._buffer, bytearray):
            self._buffer, self._at = bytearray(self._buffer[self._at :]), 0
        return self._buffer

    def _check_beginning(self, buffer: bytearray) -> None:
        """Refuse what cannot become a head, before all of it is here."""
        if not self._looked_at and _BEGINNING.match(buffer) is None:
            # Nobody waits for the rest of what is TLS.
            raise _not_a_request()
        if not self._line_is_checked and b"\r\n" in buffer:
            self._line_is_checked = True
            _check_size(buffer)
            _match_request_line(buffer)
        _check_size(buffer)
        if _LONE_CR_OR_LF.search(buffer, max(self._looked_at - 1, 0)):
            raise _not_a_request()


def _check_size(head: bytes | bytearray) -> None:
    """Raise `BadRequest` for a head, or its beginning, that is too long.

    What is no request line is taken for a target, too.
    """
    line_end = head.find(b"\r\n")
    line = head if line_end < 0 else head[:line_end]
    start = line.find(b" ") + 1
    end = line.find(b" ", start)
    if (len(line) if end < 0 else end) - start > LONGEST_TARGET:
        raise BadRequest(414, f"a target of at most {LONGEST_TARGET} bytes")
    if len(head) > LARGEST_HEAD:
        raise BadRequest(431, f"a head of at most {LARGEST_HEAD} bytes")


def _not_a_request() -> BadRequest:
    return BadRequest(400, "a request as RFC 9112 has them")


def _body_too_large() -> BadRequest:
    return BadRequest(413, f"a body of at most {LARGEST_REQUEST_BODY} bytes")
