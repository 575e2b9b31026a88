"""Heads and trailers, judged by llhttp. Pure.

llhttp (by way of httptools) is strict, and fast: it judges a head of six fields in
1 µs. What it approves of is split here, which then is simple.

1. *Where a head ends.* llhttp does not say. So it is fed as far as to a blank line (CR
   LF CR LF), and has to find the end of the head there, and not before: older ones take
   other things for a blank line, too.
2. *Fields on several lines* (RFC 9112, 5.2), which llhttp refuses. It is fed one line
   in their place; the bytes as received stay as they are.
3. *Limits*, and that it is HTTP/1.0 or 1.1, from status 100 on, with no control
   characters in the reason.

A head that comes in pieces is judged line by line before it is whole, so a server that
speaks another protocol is found out early.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

from nbtwisted.client.errors import MalformedResponse
from nbtwisted.client.result import Head
from nbtwisted.http1.framing import BODILESS, elements, keeps_alive, parse_length
from nbtwisted.http1.syntax import BLANK_LINE
from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.printable import printable

__all__ = [
    "SWITCHED",
    "SWITCHING",
    "HeadReader",
    "ParsedHead",
    "TrailerReader",
    "parse_head",
]

SWITCHING = 101
"""The status of a server that goes on in another protocol: RFC 9110, 15.2.2."""

MOST_FIELDS = 1000
"""Header fields; Apache takes a hundred by default, and Node 2,000."""

_FOLD = re.compile(rb"\r\n[ \t]+")
_STATUS_LINE = re.compile(
    "HTTP/(1\\.[01]) ([1-9][0-9][0-9])(?: ([^\0-\x08\x0a-\x1f\x7f]*))?\r\n"
)
_FIELDS = re.compile("([^:]+):[ \t]*((?:[^\r]*[^\r \t])?)[ \t]*\r\n")
"""The fields of a head that is known to be well-formed, and has one line for each."""


SWITCHED = "the server switched protocols, though it was not asked to"
_NO_BLANK_LINE = "a head, or trailers, without a blank line behind it"

_BEFORE_TRAILERS = b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
"""What llhttp has to read before it reads trailers."""


class ParsedHead(NamedTuple):
    """A head, and what it says of the bytes behind it."""

    head: Head
    length: int | None
    """Bytes of the body; None if it is in chunks, or ends with the connection."""
    is_chunked: bool
    keeps_alive: bool
    """Whether the connection stays open behind a body that ends before it does."""


def _parse_head(head: bytes) -> ParsedHead:
    text = head
    if _FOLD.search(head):
        # No field begins with the status line, so none goes on behind it.
        fields_start = head.find(b"\r\n") + 2
        text = head[:fields_start] + _unfolded(head[fields_start:])
    # A field has four bytes at least.
    section = _LongHead() if len(text) > 4 * MOST_FIELDS else _Head()
    llhttp = HttpResponseParser(section)
    _feed_last(llhttp, section, text)
    lines = text.decode("latin-1")
    match = _STATUS_LINE.match(lines)
    if match is None:
        raise _refusal(llhttp, head)
    version, digits, reason = match.groups("")
    status = int(digits)
    fields = _FIELDS.findall(lines, match.end())
    return _with_framing(Head(version, status, reason, tuple(fields)))


parse_head = Memo(_parse_head, fits=lambda head: len(head) <= LONGEST_REMEMBERED)
"""Reads a head, from its first byte to its blank line; also that of an interim one.

Raises `MalformedResponse`.
"""


def _refusal(llhttp: HttpResponseParser, head: bytes) -> MalformedResponse:
    """Why we refuse the status line of a head that llhttp takes."""
    # It also reads RTSP, ICE, HTTP/0.9 and HTTP/2.0.
    version = llhttp.get_http_version()
    if not head.startswith(b"HTTP/") or version not in ("1.0", "1.1"):
        return MalformedResponse(
            "the answer's version is neither HTTP/1.0 nor HTTP/1.1"
        )
    status = llhttp.get_status_code()
    if status < 100:
        return MalformedResponse(f"status {status:03}: expected 100 to 999")
    return MalformedResponse("a control character in the reason phrase")


def _with_framing(head: Head) -> ParsedHead:
    """Read what the fields say of the bytes behind the head."""
    length = None
    codings: list[bytes] = []
    options: list[bytes] = []
    for name, value in head.headers:
        # Most have another length, which is quick to see.
        if len(name) in {10, 14, 17}:
            lowered = name.lower()
            if lowered == "content-length":
                # llhttp has seen to it that there is one, of digits, or chunks.
                length = _length(value)
            elif lowered == "transfer-encoding":
                codings += elements([value.encode("latin-1")])
            elif lowered == "connection":
                options += elements([value.encode("latin-1")])
    is_1_0 = head.http_version == "1.0"
    stays = keeps_alive(options, is_1_0=is_1_0)
    if head.status < 200:
        if not stays:
            raise MalformedResponse("an interim answer that closes the connection")
        return ParsedHead(head, 0, False, True)
    # Other codings are for those who ask for them by TE, and we never do.
    if codings and codings != [b"chunked"]:
        shown = printable(b", ".join(codings).decode("latin-1"), longest=100)
        raise MalformedResponse(f"transfer-encoding '{shown}': expected 'chunked'")
    if head.status in BODILESS:
        length = 0
    elif codings:
        # RFC 9112, 6.1: in 1.0, somebody on the way may not have understood it.
        return ParsedHead(head, None, True, stays and not is_1_0)
    return ParsedHead(head, length, False, stays)


def _length(value: str) -> int:
    try:
        return parse_length(value)
    except ValueError as error:
        shown = printable(value, longest=100)
        raise MalformedResponse(f"content-length '{shown}': {error}") from None


class _Section:
    """What llhttp tells of a head or trailers."""

    may_end = False
    """Whether the next byte is the last."""
    is_whole = False
    fault = ""
    """Why the feeding was ended from here."""

    def _end(self) -> None:
        # Newer ones find fault before, so only the oldest gets here.
        if not self.may_end:  # pragma: no cover
            self.fault = _NO_BLANK_LINE
            raise ValueError
        self.is_whole = True


class _Head(_Section):
    on_headers_complete = _Section._end


class _LongHead(_Head):
    """It may have too many fields."""

    fields = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields += 1
        if self.fields > MOST_FIELDS:
            self.fault = f"more than {MOST_FIELDS} header fields"
            raise ValueError


class _Trailers(_Section):
    on_message_complete = _Section._end


def _feed(
    llhttp: HttpResponseParser, section: _Section, text: bytes | bytearray
) -> None:
    try:
        llhttp.feed_data(text)
    except HttpParserUpgrade:
        # It was fed nothing behind the head, so this is its end: that of a 101, or of
        # what older ones take for one.
        section.is_whole = True
    except HttpParserCallbackError:
        raise MalformedResponse(section.fault) from None
    except HttpParserError as error:
        raise MalformedResponse(_in_plain_words(error)) from None


def _feed_last(llhttp: HttpResponseParser, section: _Section, text: bytes) -> None:
    _feed(llhttp, section, text[:-1])
    section.may_end = True
    _feed(llhttp, section, text[-1:])
    if not section.is_whole:  # pragma: no cover - no llhttp that we know of
        raise MalformedResponse(_NO_BLANK_LINE)


def _in_plain_words(error: HttpParserError) -> str:
    text = str(error)
    # Newer ones go on with other protocols, which we would refuse.
    if text.startswith("Expected HTTP/"):
        return "the answer does not begin with HTTP/"
    if text == "Pause on CONNECT/Upgrade":
        return SWITCHED
    is_name = "-" in text.partition(" ")[0]
    return text if is_name else text[:1].lower() + text[1:]


def _unfolded(text: bytes | bytearray) -> bytes:
    return _FOLD.sub(b" ", text)


class _Lines:
    """Judges a section that comes in pieces, line by line; has `room` bytes for it.

    llhttp is fed the first line as it comes, and then fields that are whole: when it is
    known that the next line does not go on with them.
    """

    def __init__(self, section: _Section, room: int, too_large: str) -> None:
        self.room = room
        self._too_large = too_large
        self._section = section
        self._llhttp = HttpResponseParser(section)
        self._text = bytearray()
        self._fed = 0
        """How much of the text llhttp was fed."""
        self._is_in_fields = False

    def feed(self, data: bytes, start: int) -> int:
        """Read on from `start`; returns where the section ends, or -1.

        Raises `MalformedResponse`.
        """
        text = self._text
        before = len(text)
        piece = data[start : start + self.room]
        self.room -= len(piece)
        # llhttp passes over all line ends before a head.
        text += piece if before else piece.lstrip(b"\r\n")
        if not self._is_in_fields:
            self._take_first_line(before)
        if self._is_in_fields:
            # The blank line may have begun in bytes that were there before.
            end = text.find(BLANK_LINE, max(before - 3, 0)) + len(BLANK_LINE)
            if end >= len(BLANK_LINE):
                behind = len(text) - end
                del text[end:]
                _feed_last(self._llhttp, self._section, _unfolded(text[self._fed :]))
                self.room += behind
                return start + len(piece) - behind
            self._take_fields(before)
        if len(data) - start > len(piece):
            raise MalformedResponse(self._too_large)
        return -1

    def end(self) -> None:
        """Judge what is not a whole line, and will not become one.

        Raises `MalformedResponse`.
        """
        self._feed(len(self._text))

    def _take_first_line(self, before: int) -> None:
        end = self._text.find(b"\r\n", max(before - 1, 0)) + 2
        self._is_in_fields = end >= 2
        self._feed(end if self._is_in_fields else len(self._text))

    def _take_fields(self, before: int) -> None:
        end = self._text.rfind(b"\n", max(before, self._fed))
        if end >= 0:
            self._feed(end - self._text.endswith(b"\r", 0, end))

    def _feed(self, end: int) -> None:
        if end > self._fed:
            text = _unfolded(self._text[self._fed : end])
            self._fed = end
            _feed(self._llhttp, self._section, text)


class HeadReader(_Lines):
    """Reads a head that comes in pieces, or with line ends before it.

    It has `room` bytes for it; `most` is the limit that errors name.
    """

    def __init__(self, room: int, most: int) -> None:
        super().__init__(_LongHead(), room, f"the head is larger than {most} bytes")

    def parse(self) -> ParsedHead:
        """The head, when it is whole; raises `MalformedResponse`."""
        return parse_head(bytes(self._text))


class TrailerReader(_Lines):
    """Reads the trailers behind the line of the last chunk.

    They may have `most` bytes.
    """

    def __init__(self, most: int) -> None:
        too_large = f"the trailers are larger than {most} bytes"
        super().__init__(_Trailers(), most, too_large)
        # A blank line may begin with the end of the last chunk's line, but no field.
        self._text += _BEFORE_TRAILERS
        self._feed(len(self._text))
        self._begins_at = len(self._text)
        self._is_in_fields = True

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The trailers, once they are whole, as a head has its fields."""
        text = b"\r\n" + _unfolded(self._text[self._begins_at :])
        return tuple(_FIELDS.findall(text.decode("latin-1"), 2))
