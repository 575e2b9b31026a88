"""Answers out of bytes, for who counts them and keeps nothing. Pure."""

from __future__ import annotations

from typing import Any

import httptools

from nbtwisted.client.errors import (
    AnswerCutShort,
    EmptyAnswer,
    MalformedAnswer,
    RequestError,
)

__all__ = ["Known", "ResponseReader", "Whole"]

LARGEST_HEAD = 300 * 1024
"""Bytes, as curl has it."""

REMEMBERED = 256
"""Heads that are remembered: those of a server differ by its clock, mostly."""

LONGEST_REMEMBERED = 4096

_BLANK_LINE = b"\r\n\r\n"


class Whole:
    """An answer: its status, the bytes of its body, whether another may follow."""

    __slots__ = ("can_be_followed", "size", "status")

    def __init__(self, status: int, size: int, can_be_followed: bool) -> None:
        self.status = status
        self.size = size
        self.can_be_followed = can_be_followed


class Known:
    """What there is to know of answers that came before, shared by connections.

    Of a head, what it says if a body of a known length follows; or if that is in
    chunks, the bodies that have followed it. Both are bounded.
    """

    def __init__(self) -> None:
        self._by_head: dict[bytes, Whole | dict[bytes, Whole]] = {}

    def find(self, data: bytes) -> Whole | None:
        """The answer that is all of `data`, if it is known what that is."""
        end = data.find(_BLANK_LINE)
        known = self._by_head.get(data[:end]) if end >= 0 else None
        if known is None:
            return None
        if isinstance(known, Whole):
            return known if len(data) - end - len(_BLANK_LINE) == known.size else None
        return known.get(data[end:])

    def add(self, data: bytes, whole: Whole, *, in_chunks: bool) -> None:
        """Note that all of `data` is this answer."""
        end = data.find(_BLANK_LINE)
        head = data[:end]
        if end > LONGEST_REMEMBERED:
            return
        if len(self._by_head) >= REMEMBERED:
            self._by_head.clear()
        if not in_chunks:
            self._by_head[head] = whole
            return
        bodies = self._by_head.setdefault(head, {})
        if isinstance(bodies, dict) and len(data) - end <= LONGEST_REMEMBERED:
            if len(bodies) >= REMEMBERED:
                bodies.clear()
            bodies[data[end:]] = whole


class ResponseReader:
    """Reads the answers on a connection, one after another.

    An answer that arrives in one piece, and is known, is not parsed again: that saves a
    quarter of a request's time.
    """

    def __init__(self, known: Known) -> None:
        self.has_begun = False
        """Whether part of an answer has come."""
        self._known = known
        self._parser: Any = None
        self._status = 0
        self._size = 0
        self._head_size = 0
        self._answers = 0
        self._has_head = False
        self._has_length = False
        self._in_chunks = False
        self._can_be_followed = False
        self._whole: Whole | None = None

    def feed(self, data: bytes) -> Whole | None:
        """Read on; returns the answer when it is whole.

        Raises `MalformedAnswer`.
        """
        if self.has_begun:
            return self._feed_slowly(data)
        known = self._known.find(data)
        if known is not None:
            return known
        whole = self._feed_slowly(data)
        # Only if there was nothing but it in this piece.
        is_framed = self._in_chunks or self._has_length
        if whole is not None and self._answers == 1 and is_framed:
            self._known.add(data, whole, in_chunks=self._in_chunks)
        return whole

    def end(self) -> Whole:
        """The connection has ended: this may be how the answer ends.

        Raises `EmptyAnswer`, `AnswerCutShort` and others.
        """
        if not self.has_begun:
            raise EmptyAnswer("the server closed the connection without an answer")
        if self._has_head and not (self._has_length or self._in_chunks):
            return Whole(self._status, self._size, False)
        error = AnswerCutShort("the server closed the connection in the middle of it")
        if not self._has_head:
            error.phase = "head"
        raise error

    def _feed_slowly(self, data: bytes) -> Whole | None:
        if not self.has_begun:
            self.has_begun = True
            self._parser = httptools.HttpResponseParser(self)
            self._head_size = self._size = 0
            self._has_head = self._has_length = self._in_chunks = False
            self._answers = 0
            self._whole = None
        if not self._has_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise MalformedAnswer("it changes the protocol, unasked") from None
        except httptools.HttpParserCallbackError as error:
            raise _cause(error) from None
        except httptools.HttpParserError as error:
            raise MalformedAnswer(f"not an answer: {error}") from None
        if not self._has_head and self._head_size > LARGEST_HEAD:
            raise MalformedAnswer(f"the head is larger than {LARGEST_HEAD} bytes")
        if self._whole is not None:
            # The parser refers to this, and this to the parser.
            self._parser = None
            self.has_begun = False
        return self._whole

    # What the parser calls.

    def on_message_begin(self) -> None:
        """An answer; another, behind the one that was, is one unasked."""
        self._answers += 1
        self._has_length = self._in_chunks = False
        if self._whole is not None:
            raise MalformedAnswer("bytes behind the end of it")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Look for what frames a body."""
        lower = name.lower()
        self._has_length |= lower == b"content-length"
        self._in_chunks |= lower == b"transfer-encoding"

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._status = self._parser.get_status_code()
        self._has_head = self._status >= 200
        self._can_be_followed = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Count."""
        self._size += len(data)

    def on_message_complete(self) -> None:
        """It is whole, unless it only says that one will come."""
        if self._status >= 200:
            self._whole = Whole(self._status, self._size, self._can_be_followed)


def _cause(error: Exception) -> RequestError:
    cause = error.__context__
    if isinstance(cause, RequestError):
        return cause
    raise error
