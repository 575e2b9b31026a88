"""Bytes in, one whole answer out, with limits. Pure.

Theory of operation. The syntax is judged by llhttp (by way of httptools) in its strict
mode: 4 µs for a small answer, where h11 took 85 µs beside it. Three things are left to
do around it.

1. *Where an answer ends in the bytes received.* llhttp does not say, so it is never fed
   past a place where an answer can end: behind a blank line (CR LF CR LF) while reading
   a head or a chunked body, and behind the last byte of a body of known length. When
   it reports the end of an answer, the end of the piece just fed is that place.
2. *The end of the connection.* httptools has no call for it. It ends only an answer
   that has neither a content-length nor chunks, and whose status allows a body (RFC
   9112, 6.3).
3. *Limits.* On the head with all interim heads before it, and on the body as received
   (framing included, because that is what memory has to hold).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from nbtwisted.client.answer import Head
from nbtwisted.client.errors import (
    AnswerCutShort,
    AnswerTooLarge,
    EmptyAnswer,
    MalformedAnswer,
)

__all__ = ["Limits", "ResponseParser"]

_BLANK_LINE = b"\r\n\r\n"
_SWITCHED = "the server switched protocols, though it was not asked to"


@dataclass(frozen=True)
class Limits:
    """The most bytes that an answer may have."""

    head: int = 300 * 1024
    """Of the head with the interim heads before it: 300 KiB, as curl has it."""
    body: int = 64 * 1024 * 1024
    """Of the body as received, with the framing of its chunks."""


class ResponseParser:
    """Reads the answer to one GET.

    Feed it what is received until `feed` says that the answer is whole, or tell it by
    `end` that nothing more will come. Then `head`, `body` and `raw` are the answer;
    before, they are what there is of it.
    """

    def __init__(self, limits: Limits) -> None:
        self.head: Head | None = None
        self._limits = limits
        self._message = _Message()
        self._llhttp = HttpResponseParser(self._message)
        self._received = bytearray()
        self._head_start = 0
        self._head_end = 0
        # The body has a known length, or ends with the connection, or is chunked.
        self._length: int | None = None
        self._ends_with_connection = False

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

        Raises `MalformedAnswer` or `AnswerTooLarge`.
        """
        for piece in self._pieces(data):
            self._received += piece
            try:
                self._llhttp.feed_data(piece)
            except HttpParserUpgrade:
                raise MalformedAnswer(_SWITCHED) from None
            except HttpParserError as error:
                raise MalformedAnswer(_in_plain_words(error)) from None
            if self.head is None:
                self._read_head()
            elif len(self._received) - self._head_end > self._limits.body:
                raise AnswerTooLarge(
                    f"the body is larger than {self._limits.body} bytes"
                )
            if self.head is not None and self._message.complete:
                return True
        return False

    def end(self) -> None:
        """Take the orderly end of the connection; returns if it ends the answer.

        Raises `EmptyAnswer` or `AnswerCutShort`.
        """
        if self._ends_with_connection:
            return
        if not self._received:
            raise EmptyAnswer("the server closed the connection without an answer")
        got = len(self.body)
        if self.head is None:
            part = f"in the head, after {len(self._received)} bytes"
        elif self._length is None:
            part = f"before the last chunk, after {got} bytes of the body"
        else:
            part = f"after {got} of {self._length} bytes of the body"
        cut_short = AnswerCutShort(f"the server closed the connection {part}")
        if self.head is None:
            cut_short.phase = "head"
        raise cut_short

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        """Cut `data` behind each place where an answer can end.

        The next cut depends on what the last piece was found to hold.
        """
        start = 0
        while start < len(data):
            end = self._next_possible_end(data, start)
            yield data[start:end]
            start = end

    def _next_possible_end(self, data: bytes, start: int) -> int:
        if self._ends_with_connection:
            return len(data)
        if self._length is not None:
            return start + self._length - (len(self._received) - self._head_end)
        # The blank line may have begun in bytes fed before.
        before = bytes(self._received[-3:])
        across = (before + data[start : start + 3]).find(_BLANK_LINE)
        if across >= 0:
            return start + across + len(_BLANK_LINE) - len(before)
        found = data.find(_BLANK_LINE, start)
        return len(data) if found < 0 else found + len(_BLANK_LINE)

    def _read_head(self) -> None:
        if len(self._received) > self._limits.head:
            raise MalformedAnswer(f"the head is larger than {self._limits.head} bytes")
        if not self._message.head_complete:
            return
        version = self._llhttp.get_http_version()
        status = self._llhttp.get_status_code()
        # llhttp also reads RTSP, ICE, HTTP/0.9 and HTTP/2.0 status lines.
        protocol = self._received[self._head_start :].lstrip(b"\r\n")[:5]
        if protocol != b"HTTP/" or version not in ("1.0", "1.1"):
            raise MalformedAnswer(
                "the answer's version is neither HTTP/1.0 nor HTTP/1.1"
            )
        if status < 100:
            raise MalformedAnswer(f"status {status:03}: expected 100 to 999")
        if status < 200:
            # An interim answer: the one that was asked for is yet to come.
            self._message.head_complete = False
            self._head_start = len(self._received)
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
        self._head_end = len(self._received)
        self._read_framing()

    def _read_framing(self) -> None:
        lengths, codings = [], []
        for name, value in self._message.headers:
            if name.lower() == b"content-length":
                lengths.append(int(value))
            elif name.lower() == b"transfer-encoding":
                codings += [coding.strip() for coding in value.lower().split(b",")]
        # Other codings are for those who ask for them by TE, and we never do.
        if codings and codings != [b"chunked"]:
            shown = b", ".join(codings).decode("latin-1")
            raise MalformedAnswer(f"transfer-encoding {shown!r}: expected 'chunked'")
        if self._message.complete:
            return
        if codings:
            self._message.body = bytearray()
        elif lengths:
            # llhttp has seen to it that there is one, and made of digits.
            self._length = lengths[0]
            if self._length > self._limits.body:
                raise AnswerTooLarge(
                    f"the body is to have {self._length} bytes: "
                    f"expected {self._limits.body} at most"
                )
        else:
            self._ends_with_connection = True


class _Message:
    """What llhttp reports of the message that it is reading."""

    def __init__(self) -> None:
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        # Only of chunks: any other body stands in the bytes as received.
        self.body: bytearray | None = None
        self.head_complete = False
        self.complete = False

    def on_status(self, part: bytes) -> None:
        self.reason += part

    def on_header(self, name: bytes, value: bytes) -> None:
        # Also called for the trailers behind a chunked body, which nobody reads.
        if not self.head_complete:
            # llhttp leaves the optional white space behind the value.
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.head_complete = True

    def on_body(self, part: bytes) -> None:
        if self.body is not None:
            self.body += part

    def on_message_complete(self) -> None:
        self.complete = True


def _in_plain_words(error: HttpParserError) -> str:
    text = str(error)
    if text == "Expected HTTP/, RTSP/ or ICE/":
        return "the answer does not begin with HTTP/"
    if text == "Pause on CONNECT/Upgrade":
        return _SWITCHED
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
