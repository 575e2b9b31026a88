"""Answers out of bytes, for who counts them and keeps nothing. Pure."""

from __future__ import annotations

import sys

from nbtwisted.client.connection.parser import Limits, ResponseParser

__all__ = ["Known", "ResponseReader", "Whole"]

LIMITS = Limits(body=sys.maxsize)
"""Those of `nbtwisted get`, but for the body: it is counted and not kept."""

REMEMBERED = 256
"""Heads that are remembered: those of a server differ by its clock, mostly."""

LONGEST_REMEMBERED = 4096
"""Bytes of a head, and of a body in chunks."""

MOST_REMEMBERED = 2 * 1024 * 1024
"""Bytes in all."""

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
    chunks, the bodies that have followed it. Both are bounded, in number and in bytes.
    """

    def __init__(self) -> None:
        self._by_head: dict[bytes, Whole | dict[bytes, Whole]] = {}
        self._size = 0

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
        head, body = data[:end], data[end:] if in_chunks else b""
        if max(len(head), len(body)) > LONGEST_REMEMBERED:
            return
        self._size += len(head) + len(body)
        if len(self._by_head) >= REMEMBERED or self._size > MOST_REMEMBERED:
            self._by_head.clear()
            self._size = len(head) + len(body)
        if not in_chunks:
            self._by_head[head] = whole
            return
        bodies = self._by_head.setdefault(head, {})
        if isinstance(bodies, dict):
            if len(bodies) >= REMEMBERED:
                bodies.clear()
            bodies[body] = whole


class ResponseReader:
    """Reads the answers on a connection, one after another.

    An answer that arrives in one piece, and is known, is not parsed again: that saves a
    quarter of a request's time. The others are judged by the client's parser, so that
    `load` and `get` agree on what an answer is, and which limits it has.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._parser: ResponseParser | None = None

    @property
    def has_begun(self) -> bool:
        """Whether part of an answer has come."""
        return self._parser is not None

    def feed(self, data: bytes) -> Whole | None:
        """Read on; returns the answer when it is whole.

        Bytes behind its end are left out, and nothing can follow it then.

        Raises `MalformedResponse` or `ResponseTooLarge`.
        """
        parser = self._parser
        is_first = parser is None
        if parser is None:
            known = self._known.find(data)
            if known is not None:
                return known
            parser = self._parser = ResponseParser(LIMITS, keeps_body=False)
        if not parser.feed(data):
            return None
        self._parser = None
        assert parser.head is not None
        whole = Whole(parser.head.status, parser.body_size, parser.can_be_followed)
        if is_first and not (parser.has_more or parser.interim_answers):
            names = {name.lower() for name, _ in parser.head.headers}
            in_chunks = "transfer-encoding" in names
            if in_chunks or "content-length" in names:
                self._known.add(data, whole, in_chunks=in_chunks)
        return whole

    def end(self) -> Whole:
        """The connection has ended: this may be how the answer ends.

        Raises `EmptyResponse` or `ResponseCutShort`.
        """
        parser = self._parser or ResponseParser(LIMITS, keeps_body=False)
        parser.end()
        assert parser.head is not None
        return Whole(parser.head.status, parser.body_size, False)
