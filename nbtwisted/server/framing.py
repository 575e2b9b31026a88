"""Requests out of bytes: where each begins and ends, and what it may not be. Pure.

A head has to be as RFC 9112 writes it, to the byte: what a lenient reader would take in
its own way, and another in another, is refused. llhttp is then shown what frames a
message, and nothing else, and decides how long it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import httptools

__all__ = [
    "LARGEST_HEAD",
    "LARGEST_REQUEST_BODY",
    "LONGEST_TARGET",
    "BadRequest",
    "Head",
    "RequestReader",
    "parse_head",
]

LONGEST_TARGET = 16 * 1024
LARGEST_HEAD = 64 * 1024
LARGEST_REQUEST_BODY = 1024 * 1024
"""Bytes."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%b) ([!-~]+) (HTTP/1\.[01])\r\n" % _TOKEN)
_FIELD = re.compile(rb"(%b):([\t -~\x80-\xff]*)\r\n" % _TOKEN)
_BLANK_LINE = b"\r\n\r\n"
_LONE_CR_OR_LF = re.compile(rb"(?<!\r)\n|\r[^\n]")

_FRAMING = frozenset((b"content-length", b"transfer-encoding"))


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


class _Message:
    """What llhttp says of a message."""

    def __init__(self, headers: bytes) -> None:
        self.body = bytearray()
        self.is_complete = False
        self._parser = httptools.HttpRequestParser(self)
        # What the method means to llhttp (CONNECT) does not matter here.
        self.feed(b"POST / " + headers + b"\r\n")

    def feed(self, data: bytes) -> None:
        """Read on; raises `BadRequest`."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            raise _not_a_request() from None

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_complete = True


def parse_head(raw: bytes) -> Head:
    """Read a head, blank line and all; raises `BadRequest`."""
    line = _REQUEST_LINE.match(raw)
    if line is None:
        raise _not_a_request()
    method, target, version = line.groups()
    headers = []
    at = line.end()
    while field := _FIELD.match(raw, at):
        headers.append((field[1], field[2].strip(b" \t")))
        at = field.end()
    if raw[at:] != b"\r\n":
        raise _not_a_request()
    framing: dict[bytes, list[bytes]] = {}
    hosts: list[bytes] = []
    connection: set[bytes] = set()
    expectation = b""
    for name, value in headers:
        lower = name.lower()
        if lower in _FRAMING:
            framing.setdefault(lower, []).append(value)
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
    codings = framing.get(b"transfer-encoding")
    if codings is not None and (
        [coding.lower() for coding in codings] != [b"chunked"] or version[-1:] == b"0"
    ):
        raise BadRequest(400, "Transfer-Encoding: chunked, or none")
    if expectation not in (b"", b"100-continue"):
        raise BadRequest(417, "100-continue, if anything, of Expect")
    message = _Message(
        version
        + b"\r\n"
        + b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, values in framing.items()
            for value in values
        )
    )
    lengths = framing.get(b"content-length")
    # llhttp has found it to fit 64 bits, though not its zeros.
    length = int(lengths[0].lstrip(b"0") or b"0") if lengths else 0
    if length > LARGEST_REQUEST_BODY:
        raise _body_too_large()
    return Head(
        method,
        target,
        version,
        tuple(headers),
        hosts[0] if hosts else b"",
        None if codings else length,
        b"close" not in connection
        and (version == b"HTTP/1.1" or b"keep-alive" in connection),
        bool(expectation) and version == b"HTTP/1.1" and not message.is_complete,
    )


class RequestReader:
    """Takes bytes as they come, and gives heads and bodies one after another.

    A head has to be taken before its body, and that before the next head. Both raise
    `BadRequest`, and then nothing more can be read.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._looked_at = 0
        self._line_is_checked = False
        self._chunks: _Message | None = None
        self._last_bytes = b""
        self._without_body = 0

    def __len__(self) -> int:
        """Bytes that came, and were not asked for."""
        return len(self._buffer)

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
            self._chunks = _Message(b"HTTP/1.1\r\nTransfer-Encoding: chunked\r\n")
            self._last_bytes = b""
            self._without_body = 0
        message = self._chunks
        while self._buffer:
            # llhttp does not tell where a message ended, but it can do so nowhere else
            # than behind a blank line.
            end = _end_of_blank_line(self._last_bytes, self._buffer)
            piece = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._last_bytes = (self._last_bytes + piece)[-len(_BLANK_LINE) :]
            length_before = len(message.body)
            message.feed(piece)
            self._cap(message, piece, length_before)
            if message.is_complete:
                if self._last_bytes != _BLANK_LINE:
                    raise _not_a_request()
                self._chunks = None
                return bytes(message.body)
        return None

    def _cap(self, message: _Message, piece: bytes, length_before: int) -> None:
        if len(message.body) > LARGEST_REQUEST_BODY:
            raise _body_too_large()
        # Extensions of chunks, and trailers, are no part of what is capped above.
        if len(message.body) == length_before:
            self._without_body += len(piece)
        else:
            self._without_body = 0
        if self._without_body > LARGEST_HEAD:
            raise BadRequest(431, f"trailers of at most {LARGEST_HEAD} bytes")

    def _check_beginning(self) -> None:
        """Refuse what cannot become a head, before all of it is here."""
        buffer = self._buffer
        if not self._line_is_checked and b"\r\n" in buffer:
            self._line_is_checked = True
            _check_size(buffer, 0)
            if _REQUEST_LINE.match(buffer) is None:
                raise _not_a_request()
        _check_size(buffer, len(buffer))
        if _LONE_CR_OR_LF.search(buffer, max(self._looked_at - 1, 0)):
            raise _not_a_request()


def _check_size(buffer: bytearray, head: int) -> None:
    """Raise `BadRequest` for a target, or a head of so many bytes, that is too long."""
    line_end = buffer.find(b"\r\n")
    target_start = buffer.find(b" ", 0, line_end if line_end >= 0 else None) + 1
    target_end = buffer.find(b" ", target_start, line_end if line_end >= 0 else None)
    if target_end < 0:
        target_end = line_end if line_end >= 0 else len(buffer)
    if target_end - target_start > LONGEST_TARGET:
        raise BadRequest(414, f"a target of at most {LONGEST_TARGET} bytes")
    if head > LARGEST_HEAD:
        raise BadRequest(431, f"a head of at most {LARGEST_HEAD} bytes")


def _end_of_blank_line(before: bytes, data: bytearray) -> int:
    """Where the first blank line in `data` ends, which may begin in what was before."""
    before = before[1 - len(_BLANK_LINE) :]
    across = (before + data[: len(_BLANK_LINE) - 1]).find(_BLANK_LINE)
    if across >= 0:
        return across + len(_BLANK_LINE) - len(before)
    found = data.find(_BLANK_LINE)
    return len(data) if found < 0 else found + len(_BLANK_LINE)


def _not_a_request() -> BadRequest:
    return BadRequest(400, "a request as RFC 9112 has them")


def _body_too_large() -> BadRequest:
    return BadRequest(413, f"a body of at most {LARGEST_REQUEST_BODY} bytes")
