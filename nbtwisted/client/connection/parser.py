"""Bytes in, one whole answer out, with limits. Pure.

Theory of operation. The syntax is judged by llhttp (by way of httptools) in its strict
mode: 4 µs for a small answer, where h11 took 85 µs beside it. Four things are left to
do around it.

1. *Where an answer ends in the bytes received.* llhttp does not say, so it is never fed
   past a place where an answer can end: behind a blank line (CR LF CR LF) while reading
   a head or the trailers of a chunked body, and behind the last byte of a body of known
   length. When it reports the end of an answer, the end of the piece just fed is that
   place. Where the trailers begin is found by walking over the chunks: what they hold
   is judged by llhttp all the same, without the white space that it does not know
   before a chunk's extension (RFC 9112, 7.1.1).
2. *The end of the connection.* httptools has no call for it. It ends only an answer
   that has neither a content-length nor chunks, and whose status allows a body (RFC
   9112, 6.3).
3. *Limits.* On the head with all interim heads before it, on its fields, on the body
   without its framing, and on what there may be of framing.
4. *Fields on several lines* (RFC 9112, 5.2), which llhttp refuses. It is fed one line
   in their place; the bytes as received stay as they are. A line end at the end of what
   was received waits until it is known whether the next line goes on with the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

from nbtwisted.client.errors import (
    EmptyResponse,
    MalformedResponse,
    RequestError,
    ResponseCutShort,
    ResponseTooLarge,
)
from nbtwisted.client.response import Head
from nbtwisted.numeral import parse_whole_number
from nbtwisted.printable import printable

__all__ = ["Limits", "ResponseParser"]

_BLANK_LINE = b"\r\n\r\n"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LINE_ENDS = re.compile(rb"[\r\n]*")
_FIRST_LINE = re.compile(rb"[^\r\n]+\r\n")
_FOLD = re.compile(rb"\r\n[ \t]+")
_BEGUN_FOLD = re.compile(rb"\r(\n[ \t]*)?\Z")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]+")
_WHITE_SPACE = re.compile(rb"[ \t]")
_WHITE_SPACE_IN_EXTENSION = re.compile(rb"[ \t]*([;=])[ \t]*")
_MOST_INTERIM_ANSWERS = 20
"""Each costs as much to read as another does; most servers send one or none."""

_LINE_END_ONLY = 2
_MOST_CHUNK_DIGITS = 16
_LONGEST_CHUNK_LINE = 4096
_MOST_EXCESS = 16 * 1024
"""All three as Go's net/http has them, in its internal/chunked.go."""

_SWITCHED = "the server switched protocols, though it was not asked to"


@dataclass(frozen=True)
class Limits:
    """The most that an answer may have."""

    head: int = 300 * 1024
    """Bytes of the head with the interim heads before it: 300 KiB, as curl has it.

    The trailers of a chunked body may have as many.
    """
    body: int = 64 * 1024 * 1024
    """Bytes of the body, without the framing of its chunks."""
    fields: int = 1000
    """Header fields; Apache takes a hundred by default, and Node 2,000."""


class ResponseParser:
    """Reads the answer to one GET.

    Feed it what is received until `feed` says that the answer is whole, or tell it by
    `end` that nothing more will come. Then `head`, `body` and `raw` are the answer;
    before, they are what there is of it. Without `keeps_body` the body is counted as it
    passes, and neither `body` nor `raw` holds it.
    """

    def __init__(self, limits: Limits, *, keeps_body: bool = True) -> None:
        self.head: Head | None = None
        self.interim_answers = 0
        """Answers with a status below 200 that came before this one."""
        self._limits = limits
        self._keeps_body = keeps_body
        self._message = _Message(limits.fields)
        self._llhttp = HttpResponseParser(self._message)
        # All bytes so far; or, of a body that is not kept, the last few.
        self._received = bytearray()
        self._size = 0
        self._head_start = 0
        self._head_end = 0
        self._held_back = b""
        # The body has a known length, or ends with the connection, or is chunked.
        self._length: int | None = None
        self._ends_with_connection = False
        self._chunks: _Chunks | None = None
        self._is_among_chunks = False
        self._trailers_start: int | None = None
        self.has_more = False
        """Whether something was received behind the end of a whole answer."""
        self._keeps_alive = False

    @property
    def can_be_followed(self) -> bool:
        """Whether the connection of a whole answer is good for the next one.

        Not if more was received than the answer: nobody asked for that.
        """
        return self._keeps_alive and not self.has_more

    @property
    def body_size(self) -> int:
        """Bytes of the body so far, without the framing of its chunks."""
        if self.head is None:
            return 0
        if self._chunks is not None:
            return self._message.body_size
        return self._size - self._head_end

    @property
    def raw(self) -> bytes:
        """The bytes of the answer as received, and nothing that came after it."""
        return bytes(self._received)

    @property
    def body(self) -> bytes:
        """The body, without the framing of its chunks."""
        if self._message.body is not None:
            return bytes(self._message.body)
        return bytes(self._received[self._head_end :]) if self.head else b""

    def feed(self, data: bytes) -> bool:
        """Take the next bytes received; True when the answer is whole.

        Bytes behind the end of the answer are left out of it.

        Raises `MalformedResponse` or `ResponseTooLarge`.
        """
        start = 0
        while start < len(data):
            self._is_among_chunks = (
                self._chunks is not None and self._trailers_start is None
            )
            end = self._next_possible_end(data, start)
            piece = data[start:end]
            start = end
            self._take(piece)
            if self.head is None:
                self._head_start = _end_of_line_ends(self._received, self._head_start)
            strict: bytes | bytearray = piece
            if self._is_among_chunks:
                assert self._chunks is not None
                strict = self._chunks.for_llhttp
            elif self.head is None or self._trailers_start is not None:
                strict = self._unfolded(piece)
            try:
                self._llhttp.feed_data(strict)
            except HttpParserUpgrade:
                raise MalformedResponse(_SWITCHED) from None
            except HttpParserCallbackError:
                raise MalformedResponse(
                    f"more than {self._limits.fields} header fields"
                ) from None
            except HttpParserError as error:
                raise MalformedResponse(_in_plain_words(error)) from None
            if self.head is None:
                self._read_head()
            else:
                self._check_limits()
            if self.head is not None and self._message.complete:
                self.has_more = start < len(data)
                return True
        return False

    def end(self) -> None:
        """Take the orderly end of the connection; returns if it ends the answer.

        Raises `EmptyResponse` or `ResponseCutShort`.
        """
        if self._ends_with_connection:
            return
        if not self._received:
            raise EmptyResponse("the server closed the connection without an answer")
        got = self.body_size
        if self.head is None:
            part = f"in the head, after {self._size} bytes"
        elif self._length is None:
            part = f"before the last chunk, after {got} bytes of the body"
        else:
            part = f"after {got} of {self._length} bytes of the body"
        cut_short = ResponseCutShort(f"the server closed the connection {part}")
        if self.head is None:
            cut_short.phase = "head"
        raise cut_short

    def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._keeps_body or self.head is None:
            self._received += piece
        else:
            most = len(_BLANK_LINE)
            self._received = self._received[-most:] + piece[-most:]

    def _next_possible_end(self, data: bytes, start: int) -> int:
        if self._ends_with_connection:
            return len(data)
        if self._length is not None:
            return start + self._length - (self._size - self._head_end)
        if self._is_among_chunks:
            assert self._chunks is not None
            end, was_last = self._chunks.walk(data, start)
            if was_last:
                self._trailers_start = self._size + end - start
            return end
        if self.head is None and self._size == self._head_start:
            # No answer has begun, so none ends. llhttp passes over them all.
            end = _end_of_line_ends(data, start)
            if end > start:
                return end
        # The blank line may have begun in bytes fed before.
        before = bytes(self._received[-3:])
        across = (before + data[start : start + 3]).find(_BLANK_LINE)
        if across >= 0:
            return start + across + len(_BLANK_LINE) - len(before)
        found = data.find(_BLANK_LINE, start)
        return len(data) if found < 0 else found + len(_BLANK_LINE)

    def _unfolded(self, piece: bytes) -> bytes:
        """What llhttp is to be fed of a head, or of trailers, in place of the piece.

        A line end and the white space behind it become a space. Not behind the status
        line, with which no field begins.
        """
        fields_start = self._trailers_start
        if fields_start is None:
            first_line = _FIRST_LINE.match(self._received, self._head_start)
            if first_line is None:
                return piece
            fields_start = first_line.end()
        text = self._held_back + piece
        self._held_back = b""
        # What is not a line of a field's yet.
        before = max(fields_start - (self._size - len(text)), 0)
        if not self._received.endswith(_BLANK_LINE):
            begun = _BEGUN_FOLD.search(text, before)
            if begun is not None:
                text, self._held_back = text[: begun.start()], begun[0]
        return text[:before] + _FOLD.sub(b" ", text[before:])

    def _check_blank_line(self) -> None:
        """What older llhttps take for a blank line is none to cut behind."""
        has_body = self.head is None and self._message.body_size > 0
        # Newer ones find fault before this does, so only the oldest gets here.
        if has_body or not self._received.endswith(_BLANK_LINE):  # pragma: no cover
            raise MalformedResponse(
                "a head, or trailers, without a blank line behind it"
            )

    def _check_limits(self) -> None:
        if self._chunks is not None and self._chunks.fault is not None:
            raise self._chunks.fault
        if self._chunks is not None and self._message.complete:
            self._check_blank_line()
        if self.body_size > self._limits.body:
            raise ResponseTooLarge(f"the body is larger than {self._limits.body} bytes")
        trailers = self._size - (self._trailers_start or self._size)
        if trailers > self._limits.head:
            raise MalformedResponse(
                f"the trailers are larger than {self._limits.head} bytes"
            )

    def _read_head(self) -> None:
        if self._size > self._limits.head:
            raise MalformedResponse(
                f"the head is larger than {self._limits.head} bytes"
            )
        if not self._message.head_complete:
            return
        self._check_blank_line()
        version = self._llhttp.get_http_version()
        status = self._llhttp.get_status_code()
        # llhttp also reads RTSP, ICE, HTTP/0.9 and HTTP/2.0 status lines.
        protocol = self._received[self._head_start : self._head_start + 5]
        if protocol != b"HTTP/" or version not in ("1.0", "1.1"):
            raise MalformedResponse(
                "the answer's version is neither HTTP/1.0 nor HTTP/1.1"
            )
        if status < 100:
            raise MalformedResponse(f"status {status:03}: expected 100 to 999")
        if _CONTROL.search(self._message.reason):
            raise MalformedResponse("a control character in the reason phrase")
        if status < 200:
            # An interim answer: the one that was asked for is yet to come.
            self.interim_answers += 1
            if self.interim_answers > _MOST_INTERIM_ANSWERS:
                raise MalformedResponse(
                    f"more than {_MOST_INTERIM_ANSWERS} interim answers"
                )
            self._message.head_complete = False
            self._head_start = self._size
            return
        self.head = Head(
            http_version=version,
            status=status,
            reason=self._message.reason.decode("latin-1"),
            headers=tuple(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in self._message.headers
            ),
        )
        self._head_end = self._size
        self._read_framing()

    def _read_framing(self) -> None:
        lengths, codings, options = [], [], []
        for name, value in self._message.headers:
            if name.lower() == b"content-length":
                lengths.append(_length(value))
            elif name.lower() == b"transfer-encoding":
                codings += _tokens(value)
            elif name.lower() == b"connection":
                options += _tokens(value)
        assert self.head is not None
        self._keeps_alive = b"close" not in options and (
            self.head.http_version == "1.1" or b"keep-alive" in options
        )
        # Other codings are for those who ask for them by TE, and we never do.
        if codings:
            if codings != [b"chunked"]:
                shown = printable(b", ".join(codings).decode("latin-1"), longest=100)
                raise MalformedResponse(
                    f"transfer-encoding '{shown}': expected 'chunked'"
                )
            if self.head.http_version == "1.0":
                # RFC 9112, 6.1: somebody on the way may not have understood it.
                self._keeps_alive = False
        if self._message.complete:
            return
        if codings:
            if self._keeps_body:
                self._message.body = bytearray()
            self._chunks = _Chunks(self._limits.body)
        elif lengths:
            # llhttp has seen to it that there is one, and made of digits.
            self._length = lengths[0]
            if self._length > self._limits.body:
                raise ResponseTooLarge(
                    f"the body is to have {self._length} bytes: "
                    f"expected {self._limits.body} at most"
                )
        else:
            self._ends_with_connection = True


def _end_of_line_ends(data: bytes | bytearray, start: int) -> int:
    found = _LINE_ENDS.match(data, start)
    assert found is not None, "none at all match as well"
    return found.end()


class _Chunks:
    """Walks over the chunks of a body, to find the last."""

    def __init__(self, most: int) -> None:
        self.fault: RequestError | None = None
        """What is wrong, unless llhttp finds something wrong before."""
        self._most = most
        # Bytes of a chunk that are still to come, with the line end behind it.
        self._left = 0
        self._line = b""
        self._excess = 0
        self._kept = b""
        """Of the line, from its first white space on: it is not for llhttp yet."""
        self.for_llhttp = bytearray()
        """What was walked over last, as llhttp is to be fed it."""

    def walk(self, data: bytes, start: int) -> tuple[int, bool]:
        """Go as far as to the end of the data, of the last chunk's line, or a fault.

        Returns where that is, and whether that line was the last chunk's.
        """
        position = start
        self.for_llhttp = bytearray()
        while position < len(data):
            if self._left:
                step = min(self._left, len(data) - position)
                self.for_llhttp += data[position : position + step]
                self._left -= step
                position += step
                continue
            end = data.find(b"\n", position) + 1
            begun = len(self._line)
            piece = data[position : end or len(data)]
            self._line += piece
            read = self._read_line(is_whole=end > 0)
            if self.fault is not None:
                self.for_llhttp += self._without_white_space(
                    piece[: read - begun], is_whole=False
                )
                return position - begun + read, False
            self.for_llhttp += self._without_white_space(piece, is_whole=end > 0)
            if not end:
                break
            position = end
            self._line = b""
            if self._left == _LINE_END_ONLY:
                return position, True
        return len(data), False

    def _without_white_space(self, piece: bytes, *, is_whole: bool) -> bytes:
        """A piece of a line, less what has to wait until the line is whole."""
        first = None if self._kept else _WHITE_SPACE.search(piece)
        if not self._kept and first is None:
            return piece
        begun = piece[: first.start()] if first else b""
        self._kept += piece[len(begun) :]
        if not is_whole:
            return begun
        kept, self._kept = self._kept, b""
        return begun + _WHITE_SPACE_IN_EXTENSION.sub(rb"\1", kept)

    def _read_line(self, *, is_whole: bool) -> int:
        """Take the line of a chunk; returns how much of it was needed for that."""
        match = _CHUNK_SIZE.match(self._line)
        # What is no size, llhttp will find out when it is fed.
        digits = match[0] if match else b"0"
        if len(digits) > _MOST_CHUNK_DIGITS:
            self.fault = MalformedResponse(
                f"a chunk's size has more than {_MOST_CHUNK_DIGITS} digits"
            )
            return _MOST_CHUNK_DIGITS + 1
        if len(self._line) > _LONGEST_CHUNK_LINE:
            self.fault = MalformedResponse(
                f"a chunk's line is longer than {_LONGEST_CHUNK_LINE} bytes"
            )
            return _LONGEST_CHUNK_LINE + 1
        if is_whole:
            size = int(digits, 16)
            if size > self._most:
                self.fault = ResponseTooLarge(
                    f"a chunk is to have {size} bytes: expected {self._most} at most"
                )
            # A chunk may have some framing, and more the larger it is.
            excess = self._excess + len(self._line) + 2 - 16 - 2 * size
            self._excess = max(excess, 0)
            if self._excess > _MOST_EXCESS:
                self.fault = MalformedResponse("the chunks have more framing than data")
            self._left = size + _LINE_END_ONLY
        return len(self._line)


class _Message:
    """What llhttp reports of the message that it is reading."""

    def __init__(self, most_fields: int) -> None:
        self._most_fields = most_fields
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        # Only of chunks: any other body stands in the bytes as received.
        self.body: bytearray | None = None
        self.body_size = 0
        self.head_complete = False
        self.complete = False

    def on_status(self, part: bytes) -> None:
        self.reason += part

    def on_header(self, name: bytes, value: bytes) -> None:
        # Also called for the trailers behind a chunked body, which nobody reads.
        if not self.head_complete:
            if len(self.headers) == self._most_fields:
                # Which ends the feeding: the rest would be for nothing.
                raise OverflowError
            # llhttp leaves the optional white space behind the value.
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.head_complete = True

    def on_body(self, part: bytes) -> None:
        self.body_size += len(part)
        if self.body is not None:
            self.body += part

    def on_message_complete(self) -> None:
        self.complete = True


def _length(value: bytes) -> int:
    """Read a Content-Length, which llhttp has found to be made of digits."""
    try:
        # RFC 9110, 8.6, has no limit for zeros, and the head has one.
        return parse_whole_number(value.decode("ascii").lstrip("0") or "0")
    except ValueError as error:
        shown = printable(value.decode("latin-1"), longest=100)
        raise MalformedResponse(f"content-length '{shown}': {error}") from None


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip() for token in value.lower().split(b",")]


def _in_plain_words(error: HttpParserError) -> str:
    text = str(error)
    if text == "Expected HTTP/, RTSP/ or ICE/":
        return "the answer does not begin with HTTP/"
    if text == "Pause on CONNECT/Upgrade":
        return _SWITCHED
    is_name = "-" in text.partition(" ")[0]
    return text if is_name else text[:1].lower() + text[1:]
