"""Requests out of bytes: where each begins and ends, and what it may not be. Pure.

A head and the framing of a body have to be as RFC 9112 writes them, to the byte: what a
lenient reader would take in its own way, and another in another, is refused. llhttp
would refuse more: the white space that a chunk's extension may have before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbtwisted.numeral import parse_whole_number

__all__ = [
    "BEGINNING",
    "LARGEST_HEAD",
    "LARGEST_REQUEST_BODY",
    "LONE_CR_OR_LF",
    "LONGEST_TARGET",
    "BadRequest",
    "ChunkedBody",
    "Head",
    "RequestReader",
    "check_request_line",
    "check_target",
    "parse_head",
]

LONGEST_TARGET = 16 * 1024
LARGEST_HEAD = 64 * 1024
LARGEST_REQUEST_BODY = 1024 * 1024
"""Bytes."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%b) ([!-~]+) HTTP/([0-9])\.([0-9])\r\n" % _TOKEN)
_FIELD = re.compile(rb"(%b):([\t -~\x80-\xff]*)\r\n" % _TOKEN)
_BLANK_LINE = b"\r\n\r\n"
LONE_CR_OR_LF = re.compile(rb"(?<!\r)\n|\r[^\n]")
BEGINNING = re.compile(rb"%b|\r?\Z" % _TOKEN)
"""Of a request, or of the empty line that may be before one."""

_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})"
    rb"(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*\r\n" % (_TOKEN, _TOKEN, _QUOTED)
)


class BadRequest(Exception):
    """What came is no request that can be answered; `expected` says what would be."""

    def __init__(self, status: int, expected: str) -> None:
        super().__init__(status, expected)
        self.status = status
        self.expected = expected


@dataclass(frozen=True)
class Head:
    """A request but for its body, which has `length` bytes, or is in chunks if None."""

    method: bytes
    target: bytes
    version: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    host: bytes
    """The header Host; empty where there is none, as HTTP/1.0 may have it."""
    length: int | None
    is_persistent: bool
    """Whether the client wants to use the connection again."""
    wants_continue: bool
    """Whether it waits with the body until it is told to go on."""


def check_request_line(raw: bytes | bytearray) -> re.Match[bytes]:
    """Match the request line that `raw` begins with; raises `BadRequest`.

    Its groups are the method, the target, and the two numbers of the version.
    """
    line = _REQUEST_LINE.match(raw)
    if line is None:
        raise _not_a_request()
    if line[3] != b"1":
        raise BadRequest(505, "HTTP/1.1")
    return line


def parse_head(raw: bytes) -> Head:
    """Read a head, blank line and all; raises `BadRequest`."""
    line = check_request_line(raw)
    # RFC 9110, 2.5: whoever speaks a later HTTP/1 understands this one.
    version = b"HTTP/1.0" if line[4] == b"0" else b"HTTP/1.1"
    headers = []
    at = line.end()
    while field := _FIELD.match(raw, at):
        headers.append((field[1], field[2].strip(b" \t")))
        at = field.end()
    if raw[at:] != b"\r\n":
        raise _not_a_request()
    lengths: list[bytes] = []
    codings: list[bytes] = []
    hosts: list[bytes] = []
    connection: set[bytes] = set()
    expectation = b""
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-length":
            lengths.append(value)
        elif lower == b"transfer-encoding":
            codings += (coding.strip(b" \t") for coding in value.lower().split(b","))
        elif lower == b"host":
            hosts.append(value)
        elif lower == b"connection":
            connection.update(option.strip() for option in value.lower().split(b","))
        elif lower == b"expect":
            expectation = value.lower()
    # RFC 9112, 3.2: without a Host, or with two, a request means one thing to one
    # server and another to the next.
    if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
        raise BadRequest(400, "one Host header")
    length = _length(lengths)
    if codings:
        _check_codings(codings, version, has_length=bool(lengths))
    if expectation not in (b"", b"100-continue"):
        raise BadRequest(417, "100-continue, if anything, of Expect")
    return Head(
        line[1],
        line[2],
        version,
        tuple(headers),
        hosts[0] if hosts else b"",
        None if codings else length,
        b"close" not in connection
        and (version == b"HTTP/1.1" or b"keep-alive" in connection),
        bool(expectation) and version == b"HTTP/1.1" and bool(codings or length),
    )


def _length(lengths: list[bytes]) -> int:
    """Bytes that a body has by its Content-Length; raises `BadRequest`."""
    if not lengths:
        return 0
    try:
        (text,) = lengths
        # Zeros in front are as many as there may be bytes in a head.
        length = parse_whole_number((text.lstrip(b"0") or text[:1]).decode("latin-1"))
    except ValueError:
        raise BadRequest(400, "one Content-Length, of digits") from None
    if length > LARGEST_REQUEST_BODY:
        raise _body_too_large()
    return length


def _check_codings(codings: list[bytes], version: bytes, *, has_length: bool) -> None:
    """Raise `BadRequest` unless it is clear that a body is in chunks."""
    if not all(re.fullmatch(_TOKEN, coding) for coding in codings):
        raise BadRequest(400, "Transfer-Encoding: chunked, or none")
    if set(codings) != {b"chunked"}:
        raise BadRequest(501, "Transfer-Encoding: chunked, or none")
    # RFC 9112, 6.1 and 6.3: each of these is how requests are smuggled.
    if has_length or version == b"HTTP/1.0":
        raise BadRequest(400, "no Transfer-Encoding beside a length or in HTTP/1.0")
    if len(codings) > 1:
        raise BadRequest(400, "Transfer-Encoding: chunked, once")


class ChunkedBody:
    """Reads one body in chunks; what its extensions and trailers say is dropped."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._left = 0
        """Bytes of a chunk that are still to come, with the line end behind it."""
        self._is_in_trailers = False
        self._framing = 0
        """Bytes since the last of the body: these are capped, too."""
        self._looked_at = 0
        """Bytes of a line that is not all here."""

    def take(self, buffer: bytearray) -> bytes | None:
        """Take what is there off the buffer; returns the body when it is whole.

        Raises `BadRequest`.
        """
        at = 0
        try:
            while True:
                if self._left:
                    at += self._take_data(buffer[at : at + self._left])
                    if self._left:
                        return None
                end = buffer.find(b"\r\n", at + max(self._looked_at - 1, 0)) + 2
                if end < 2:
                    self._check_beginning_of_line(buffer, at)
                    return None
                self._looked_at = 0
                self._framing += end - at
                self._check_framing(self._framing)
                start, at = at, end
                if self._is_in_trailers:
                    if end - start == 2:
                        return bytes(self._body)
                    if _FIELD.fullmatch(buffer, start, end) is None:
                        raise _not_a_request()
                else:
                    match = _CHUNK_LINE.fullmatch(buffer, start, end)
                    if match is None:
                        raise _not_a_request()
                    self._begin_chunk(int(match[1], 16))
        finally:
            del buffer[:at]

    def _begin_chunk(self, size: int) -> None:
        self._is_in_trailers = not size
        if size:
            self._left = size + 2
        if len(self._body) + size > LARGEST_REQUEST_BODY:
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
        if LONE_CR_OR_LF.search(buffer, at + max(self._looked_at - 1, 0)):
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

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._looked_at = 0
        self._line_is_checked = False
        self._chunks: ChunkedBody | None = None

    def __len__(self) -> int:
        """Bytes that came, and were not asked for."""
        return len(self._buffer)

    @property
    def beginning(self) -> bytes:
        """The first of these."""
        return bytes(self._buffer[:16])

    def feed(self, data: bytes) -> None:
        """Bytes have come."""
        self._buffer += data

    def next_head(self) -> bytes | None:
        """The next head, blank line and all, as it came; None if it is not all here."""
        buffer = self._buffer
        # RFC 9112, 2.2: an empty line before a request is to be ignored.
        while buffer.startswith(b"\r\n"):
            del buffer[:2]
        end = buffer.find(_BLANK_LINE, max(self._looked_at - 3, 0))
        if end < 0:
            self._check_beginning()
            self._looked_at = len(buffer)
            return None
        end += len(_BLANK_LINE)
        _check_size(buffer, end)
        self._looked_at = 0
        self._line_is_checked = False
        raw = bytes(buffer[:end])
        del buffer[:end]
        return raw

    def next_body(self, head: Head) -> bytes | None:
        """The body of the head that was the last; None if it is not all here."""
        if head.length is None:
            return self._next_chunked()
        if len(self._buffer) < head.length:
            return None
        body = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        return body

    def _next_chunked(self) -> bytes | None:
        if self._chunks is None:
            self._chunks = ChunkedBody()
        body = self._chunks.take(self._buffer)
        if body is not None:
            self._chunks = None
        return body

    def _check_beginning(self) -> None:
        """Refuse what cannot become a head, before all of it is here."""
        buffer = self._buffer
        if not self._looked_at and BEGINNING.match(buffer) is None:
            # Nobody waits for the rest of what is TLS.
            raise _not_a_request()
        if not self._line_is_checked and b"\r\n" in buffer:
            self._line_is_checked = True
            _check_size(buffer, 0)
            check_request_line(buffer)
        _check_size(buffer, len(buffer))
        if LONE_CR_OR_LF.search(buffer, max(self._looked_at - 1, 0)):
            raise _not_a_request()


def check_target(line: bytes | bytearray) -> None:
    """Raise `BadRequest` for a request line, or a part of one, with too long a target.

    What is no request line is taken for a target, too.
    """
    start = line.find(b" ") + 1
    end = line.find(b" ", start)
    if (len(line) if end < 0 else end) - start > LONGEST_TARGET:
        raise BadRequest(414, f"a target of at most {LONGEST_TARGET} bytes")


def _check_size(buffer: bytearray, head: int) -> None:
    """Raise `BadRequest` for a target, or a head of so many bytes, that is too long."""
    line_end = buffer.find(b"\r\n")
    check_target(buffer if line_end < 0 else buffer[:line_end])
    if head > LARGEST_HEAD:
        raise BadRequest(431, f"a head of at most {LARGEST_HEAD} bytes")


def _not_a_request() -> BadRequest:
    return BadRequest(400, "a request as RFC 9112 has them")


def _body_too_large() -> BadRequest:
    return BadRequest(413, f"a body of at most {LARGEST_REQUEST_BODY} bytes")
