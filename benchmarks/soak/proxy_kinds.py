"""The kinds of requests that are sent through a proxy, and how each has to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

__all__ = ["KINDS", "PLAIN_KINDS", "UPSTREAM_TIMEOUT", "Ending", "Kind", "Leaving"]

UPSTREAM_TIMEOUT = 5.0
"""Seconds that the proxy waits for its upstream, which a busy machine can hold up."""


class Ending(Enum):
    """How a request ended, as its client saw it."""

    ANSWERED = "answered"
    """By a whole answer, with its status."""
    BROKEN = "broken off"
    """In the middle of an answer."""
    CLOSED = "closed"
    """Without a byte of an answer, in order."""
    RESET = "reset"
    """Without a byte of an answer, by RST."""
    GARBAGE = "garbage"
    """By what is no answer."""
    STALLED = "stalled"
    """Nothing more came."""
    LEFT = "left"
    """By the client."""


class Leaving(Enum):
    """When a client leaves."""

    BEFORE_ANSWER = "before the answer"
    IN_BODY = "in the middle of the answer"
    IN_UPLOAD = "in the middle of its own body"


@dataclass(frozen=True)
class Kind:
    """A kind of requests.

    path        that of `benchmarks.soak.upstream`
    method      of the request; a POST has a body
    field       a header field that the proxy takes for itself, if any
    in_chunks   whether its body is sent in chunks
    leaving     when its client leaves, if it does
    ending      how it ends while the upstream is there
    status      of a whole answer
    is_asked    whether the upstream is to be asked
    ends_unread whether the upstream ends the connection without a byte of an answer
    outcomes    one of which the proxy's journal is to have for it
    """

    path: str
    method: str = "GET"
    field: str = ""
    in_chunks: bool = False
    leaving: Leaving | None = None
    ending: Ending = Ending.ANSWERED
    status: int = 200
    is_asked: bool = True
    ends_unread: bool = False
    outcomes: tuple[str, ...] = ("answered",)

    def ends_well(self, ending: Ending, status: int) -> bool:
        """Whether a request that ended so ended as it has to."""
        is_answered = ending is Ending.ANSWERED
        return ending is self.ending and status == (self.status if is_answered else 0)


def _left(when: Leaving, path: str, method: str = "GET") -> Kind:
    # What is here is with the kernel when its client leaves; so may be what was slow,
    # if that is seen late.
    more = () if when is Leaving.IN_UPLOAD else ("answered",)
    outcomes = ("cancelled", *more)
    return Kind(path, method, leaving=when, ending=Ending.LEFT, outcomes=outcomes)


def _fault(name: str, ending: Ending, path: str = "/plain") -> Kind:
    outcomes = ("broken", "cancelled") if "stall" in name else ("broken",)
    field = f"X-Nbtwisted-Fault: {name}"
    return Kind(path, field=field, ending=ending, outcomes=outcomes)


def _failing(path: str, status: int, *, ends_unread: bool = False) -> Kind:
    failed = ("upstream failed",)
    return Kind(path, status=status, ends_unread=ends_unread, outcomes=failed)


PLAIN_KINDS: Mapping[str, Kind] = {
    "plain": Kind("/plain"),
    "head": Kind("/plain", "HEAD"),
    "large": Kind("/large"),
    "chunked": Kind("/chunked"),
    "slow": Kind("/slow"),
    "upload": Kind("/upload", "POST"),
    "upload in chunks": Kind("/upload", "POST", in_chunks=True),
    "left": _left(Leaving.BEFORE_ANSWER, "/slow"),
    "left in answer": _left(Leaving.IN_BODY, "/large"),
    "left in upload": _left(Leaving.IN_UPLOAD, "/upload", "POST"),
}
"""Those that any proxy passes on."""

KINDS: Mapping[str, Kind] = {
    **PLAIN_KINDS,
    "delayed": Kind("/plain", field="X-Nbtwisted-Delay: uniform(10ms,300ms)"),
    "asked late": Kind("/plain", field="X-Nbtwisted-Ask-Delay: uniform(10ms,300ms)"),
    "at a rate": Kind("/plain", field="X-Nbtwisted-Rate: 5kB"),
    "in its place": Kind(
        "/plain", field="X-Nbtwisted-Status: 503", status=503, is_asked=False
    ),
    "upload in its place": Kind(
        *("/upload", "POST", "X-Nbtwisted-Status: 503"), status=503, is_asked=False
    ),
    "reset": _fault("reset", Ending.RESET),
    "empty": _fault("empty", Ending.CLOSED),
    "garbage": _fault("garbage", Ending.GARBAGE),
    "truncate": _fault("truncate", Ending.BROKEN, "/large"),
    "malformed-chunk": _fault("malformed-chunk", Ending.BROKEN, "/chunked"),
    "stall": _fault("stall", Ending.STALLED),
    "stall-body": _fault("stall-body", Ending.STALLED, "/large"),
    "upstream resets": _failing("/reset", 502, ends_unread=True),
    "upstream is empty": _failing("/empty", 502, ends_unread=True),
    "upstream is garbage": _failing("/garbage", 502),
    "upstream stalls": _failing("/stall", 504),
    "upstream truncates": Kind(
        "/truncate", ending=Ending.BROKEN, outcomes=("upstream failed",)
    ),
}
"""Those of HTTP mode: its controls, and an upstream that misbehaves, too."""
