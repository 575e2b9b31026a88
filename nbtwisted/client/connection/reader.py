"""Bytes in, one response after another out, with limits. Pure.

Theory of operation. A response is read in parts, one after another:

    part      ends with                                      then
    HEAD      a blank line (`head.py`, where llhttp judges)  HEAD behind an interim one
    LENGTH    so many bytes                                  WHOLE
    CHUNKS    trailers behind the last chunk (`chunks.py`)   WHOLE
    TO_END    the orderly end of the connection              WHOLE
    SWITCHED  the head, a 101: another protocol follows      WHOLE
    WHOLE     `reset`                                        HEAD

The head says which part is behind it (RFC 9112, 6.3). However the bytes are cut, the
outcome is the same: each part takes its own bytes, and judges a line when it is whole.

Most responses come in one piece. Their bytes are kept as they came, and a head that
came before is not parsed again (`parse_head` is a memo); nor is a whole response, where
its bytes are only counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nbtwisted.client.connection.chunks import ChunkReader
from nbtwisted.client.connection.head import (
    SWITCHED,
    SWITCHING,
    HeadReader,
    ParsedHead,
    parse_head,
)
from nbtwisted.client.errors import (
    EmptyResponse,
    MalformedResponse,
    ResponseCutShort,
    ResponseTooLarge,
)
from nbtwisted.client.result import Head
from nbtwisted.http1.syntax import BLANK_LINE
from nbtwisted.memo import LONGEST_REMEMBERED, Memo

__all__ = ["Limits", "ResponseReader", "read_at_once"]

_MOST_INTERIM = 20
"""Interim responses: each costs as much to read as another does; most servers send one
or none."""


@dataclass(frozen=True)
class Limits:
    """The most that a response may have."""

    head: int = 300 * 1024
    """Bytes of the head with the interim heads before it: 300 KiB, as curl has it.

    The trailers of a chunked body may have as many.
    """
    body: int = 64 * 1024 * 1024
    """Bytes of the body, without the framing of its chunks."""


class Part(Enum):
    """What comes next of a response."""

    HEAD = "head"
    LENGTH = "length"
    CHUNKS = "chunks"
    TO_END = "to end"
    SWITCHED = "switched"
    WHOLE = "whole"


_HEAD, _LENGTH, _CHUNKS, _TO_END, _SWITCHED, _WHOLE = Part


class ResponseReader:
    """Reads the responses on a connection, one after another.

    Feed it what is received until `feed` says that the response is whole, or tell it by
    `end` that nothing more will come. Then its attributes are those of the response;
    before, of what there is of it. `reset` begins the next one.

    head             None until it is whole; interim ones are not the response's
    size             bytes of the body so far, without the framing of its chunks
    received         bytes of the response so far
    can_be_followed  whether the response is whole, and the connection is good for the
                     next: not if more was received, for nobody asked for that
    interim          the interim heads so far
    may_switch       whether the server was asked to switch to another protocol
    behind_switch    what came behind the head of a 101, which is the whole response

    `take` gives the body as it comes, and forgets it.

    Without `keeps_body` the bytes are counted as they pass, and `raw` and `body` are
    empty.
    """

    __slots__ = (
        "_chunks",
        "_data",
        "_head_reader",
        "_head_size",
        "_interim",
        "_is_head",
        "_keeps_alive",
        "_keeps_body",
        "_left",
        "_limits",
        "_part",
        "_remembers",
        "_taken",
        "behind_switch",
        "can_be_followed",
        "head",
        "interim",
        "may_switch",
        "received",
        "size",
    )

    head: Head | None
    _chunks: ChunkReader | None
    _head_reader: HeadReader | None
    _data: bytes | bytearray

    def __init__(self, limits: Limits, *, keeps_body: bool = True) -> None:
        self._limits = limits
        self._keeps_body = keeps_body
        # What is remembered has been judged by no limits.
        least = min(limits.head, limits.body)
        self._remembers = not keeps_body and least >= LONGEST_REMEMBERED
        self.reset()

    def reset(self, is_head: bool = False) -> None:
        """Forget what was read: the next response begins.

        That of a request which `is_head` (its method is HEAD) has no body: RFC 9112,
        6.3.
        """
        self._is_head = is_head
        self.head = None
        self.size = 0
        self.received = 0
        self.can_be_followed = False
        self._part = _HEAD
        self._data = b""
        self._head_reader = None
        self._head_size = 0
        self._taken = 0
        self._chunks = None
        self.interim: tuple[Head, ...] = ()
        self.may_switch = False
        self.behind_switch: bytes | None = None

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        """The fields behind a body in chunks, once it is whole."""
        return () if self._chunks is None else self._chunks.trailers

    def take(self) -> bytes:
        """Give what came of the body since the last time; `raw` begins anew."""
        if self._chunks is not None:
            body = bytes(self._chunks.body)
            self._chunks.body.clear()
        else:
            # Nothing is copied of a piece that is nothing but body.
            fresh = self.size - self._taken
            body = self.raw[len(self._data) - fresh :] if fresh else b""
        self._taken = self.size
        self._data = b""
        return body

    @property
    def has_begun(self) -> bool:
        """Whether a byte of the response was received."""
        return self.received > 0

    @property
    def raw(self) -> bytes:
        """All bytes of the response as received: interim heads, framing and all."""
        data = self._data
        if not isinstance(data, bytes):
            data = self._data = bytes(data)
        return data

    @property
    def body(self) -> bytes:
        """The body, without the framing of its chunks."""
        if self._chunks is not None:
            return bytes(self._chunks.body)
        # It is what came last.
        return self.raw[len(self._data) - self.size :]

    def feed(self, data: bytes) -> bool:
        """Take the next bytes received; True when the response is whole.

        Bytes behind its end are left out.

        Raises `MalformedResponse` or `ResponseTooLarge`.
        """
        before = self.received
        self.received = before + len(data)
        may_be_known = self._remembers and not before and not self._is_head
        if may_be_known and len(data) <= LONGEST_REMEMBERED:
            whole = read_at_once(data)
            if whole is not None:
                self.head, self.size, self.can_be_followed = whole
                self._part = _WHOLE
                return True
        if self._keeps_body:
            if self._data:
                self._keep(data)
            else:
                self._data = data
        start = 0
        if self._part is _HEAD:
            start = self._read_heads(data)
            if start < 0:
                return False
        end = self._read_body(data, start)
        if end < 0:
            return False
        self._part = _WHOLE
        if end < len(data):
            self._leave_out(len(data) - end)
        else:
            self.can_be_followed = self._keeps_alive
        return True

    def end(self) -> None:
        """Take the orderly end of the connection; returns if it ends the response.

        Raises `EmptyResponse`, `ResponseCutShort` or `MalformedResponse`.
        """
        if self._part in (_TO_END, _WHOLE):
            self._part = _WHOLE
            return
        if not self.received:
            raise EmptyResponse("the server closed the connection without an answer")
        if self._head_reader is not None:
            self._head_reader.end()
        if self._chunks is not None:
            self._chunks.end()
        if self.head is None:
            part = f"in the head, after {self.received} bytes"
        elif self._chunks is not None:
            part = f"before the last chunk, after {self.size} bytes of the body"
        else:
            of = self.size + self._left
            part = f"after {self.size} of {of} bytes of the body"
        cut_short = ResponseCutShort(f"the server closed the connection {part}")
        if self.head is None:
            cut_short.phase = "head"
        raise cut_short

    def _keep(self, data: bytes) -> None:
        if isinstance(self._data, bytes):
            self._data = bytearray(self._data)
        self._data += data

    def _leave_out(self, behind: int) -> None:
        self.can_be_followed = False
        self.received -= behind
        self._data = self._data[:-behind]

    def _read_heads(self, data: bytes) -> int:
        """Read interim heads and the head; returns where that ends in `data`, or -1."""
        start = 0
        while True:
            most = self._limits.head
            reader = self._head_reader
            if reader is None:
                end = data.find(BLANK_LINE, start) + len(BLANK_LINE)
                # Without a blank line, `end` is before what a head begins with.
                size = self._head_size + end - start
                if size <= most and data.startswith(b"HTTP/", start, end):
                    parsed = parse_head(data[start:end])
                    self._head_size = size
                    start = end
                    if self._take_head(parsed):
                        return start
                    continue
                reader = self._head_reader = HeadReader(most - self._head_size, most)
            start = reader.feed(data, start)
            if start < 0:
                return -1
            self._head_reader = None
            self._head_size = most - reader.room
            if self._take_head(reader.parse()):
                return start

    def _take_head(self, parsed: ParsedHead) -> bool:
        """Take what a head says of the body; False if it is an interim one."""
        head, length, is_chunked, self._keeps_alive = parsed
        limits = self._limits
        if head.status < 200:
            if head.status == SWITCHING:
                if not self.may_switch:
                    raise MalformedResponse(SWITCHED)
                self.head = head
                self._part = _SWITCHED
                return True
            self.interim += (head,)
            if len(self.interim) > _MOST_INTERIM:
                raise MalformedResponse(f"more than {_MOST_INTERIM} interim answers")
            return False
        self.head = head
        if self._is_head:
            self._part = _LENGTH
            self._left = 0
        elif length is not None:
            self._part = _LENGTH
            self._left = length
            if length > limits.body:
                raise ResponseTooLarge(
                    f"the body is to have {length} bytes: "
                    f"expected {limits.body} at most"
                )
        elif is_chunked:
            self._part = _CHUNKS
            self._chunks = ChunkReader(
                limits.body, limits.head, keeps_body=self._keeps_body
            )
        else:
            self._part = _TO_END
            self._keeps_alive = False
        return True

    def _read_body(self, data: bytes, start: int) -> int:
        """Read the body; returns where that ends in `data`, or -1."""
        part = self._part
        if part is _LENGTH:
            left = self._left
            came = len(data) - start
            if came < left:
                self.size += came
                self._left = left - came
                return -1
            self.size += left
            return start + left
        if part is _CHUNKS:
            chunks = self._chunks
            assert chunks is not None
            try:
                return chunks.feed(data, start)
            finally:
                self.size = chunks.size
        if part is _SWITCHED:
            self.behind_switch = data[start:]
            self._keeps_alive = False
            return len(data)
        if part is _TO_END:
            self.size += len(data) - start
            if self.size > self._limits.body:
                raise ResponseTooLarge(
                    f"the body is larger than {self._limits.body} bytes"
                )
            return -1
        return 0


def _read_whole(data: bytes) -> tuple[Head, int, bool] | None:
    reader = ResponseReader(Limits())
    try:
        is_whole = reader.feed(data) and reader.received == len(data)
    # Whoever reads on will find the same.
    except (MalformedResponse, ResponseTooLarge):
        return None
    head = reader.head
    if head is None or not is_whole:
        return None
    return head, reader.size, reader.can_be_followed


read_at_once = Memo(_read_whole)
"""The head, the size of the body, and `can_be_followed`, of a response that is all of
the data; None if the data is anything else."""
