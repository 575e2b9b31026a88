"""What there is to know of a request, so that the next like it is not decided anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from twisted.web.http_headers import Headers

from nbtwisted.server.engine.answer import default_key
from nbtwisted.server.engine.journal import Entry
from nbtwisted.server.engine.ready import Ready, fits, is_in_one_piece, ready
from nbtwisted.server.http1.framing import Head
from nbtwisted.server.model.behaviour import Behaviour, Reply
from nbtwisted.server.model.browsers import HeaderLines

__all__ = ["REMEMBERED", "Came", "Known", "Memory", "fill_in", "known"]

REMEMBERED = 1024
"""Requests that are remembered, of `LONGEST_REMEMBERED` bytes at most."""

LONGEST_REMEMBERED = 2048
MOST_HEADERS = 32

Came = tuple[bytes, tuple[str, str, bool]]
"""A request as it came: its bytes, who sent it, where to, and whether in TLS."""

_NEVER_DRAWN_FROM = Random(0)


class Known:
    """What there is to know of a request that has come before."""

    __slots__ = (
        *("behaviour", "connection", "entry", "head", "is_head", "key", "ready"),
        "told",
    )

    def __init__(self, head: Head, behaviour: Behaviour, told: HeaderLines) -> None:
        self.head = head
        self.behaviour = behaviour
        self.told = told
        self.key = behaviour.key or default_key(head.method, head.target)
        self.is_head = head.method == b"HEAD"
        self.connection = b""
        if not head.is_persistent:
            self.connection = b"close"
        elif head.version == b"HTTP/1.0":
            self.connection = b"keep-alive"
        self.ready: Ready | None = None
        """Its answer, if that is always the same."""
        self.entry = Entry.of(
            0.0,
            "",
            head.method,
            head.target,
            head.version,
            _joined(head.headers),
        )
        self.entry.key = self.key

    def keep(self, reply: Reply) -> None:
        """It is always answered so."""
        self.ready = ready(reply, self.connection)
        self.entry.asked = self.ready.asked
        if not self.ready.asked:
            fill_in(self.entry, self.ready)


def _joined(
    headers: Iterable[tuple[bytes, bytes]],
) -> Iterable[tuple[bytes, Sequence[bytes]]]:
    """The headers as twisted.web's requests list them."""
    together = Headers()
    for name, value in headers:
        together.addRawHeader(name, value)
    return together.getAllRawHeaders()


def fill_in(entry: Entry, answer: Ready) -> None:
    """Note in an entry how it was answered."""
    entry.status, entry.sent, entry.outcome = answer.status, answer.sent, "answered"


def known(head: Head, behaviour: Behaviour, told: HeaderLines) -> Known | None:
    """What there is to know of a request; None if it is not as simple as that.

    `told` is what browsers are told of its answer.
    """
    if not is_in_one_piece(behaviour) or (behaviour.instead and behaviour.is_counted):
        return None
    found = Known(head, behaviour, told)
    # Of what is drawn, its size is not.
    reply = behaviour.draw(_NEVER_DRAWN_FROM, 0, is_head=found.is_head, told=told)
    if not fits(reply):
        return None
    if not behaviour.is_counted:
        found.keep(reply)
    return found


class Memory(dict[Came, Known]):
    """The last requests that were short enough."""

    def remember(self, came: Came, known: Known) -> None:
        """Have it known, for the next one like it."""
        is_small = len(known.head.headers) <= MOST_HEADERS
        if is_small and len(came[0]) <= LONGEST_REMEMBERED:
            if len(self) >= REMEMBERED:
                # The one that is remembered for the longest time.
                del self[next(iter(self))]
            self[came] = known
