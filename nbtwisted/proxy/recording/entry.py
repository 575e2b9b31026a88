"""An exchange with the upstream, as an entry of an HTTP Archive. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nbtwisted.client.content_coding import (
    Codings,
    Unpacking,
    content_codings,
    find_codings,
)
from nbtwisted.client.errors import (
    CannotUnpack,
    Interrupted,
    RequestError,
    UnpacksTooLarge,
)
from nbtwisted.client.result import Head
from nbtwisted.client.results.har_entry import (
    COMPRESSED,
    Kept,
    asked_durations,
    content_of,
    date_of,
    error_of,
    milliseconds,
    milliseconds_or_none,
    request_of,
    response_of,
)
from nbtwisted.server.model.headers import RequestHeaders

__all__ = ["Beginning", "Passed", "entry_of"]

LARGEST_UNPACKED = 16 * 1024 * 1024
"""Bytes: what unpacks to more stays out of the archive, for it takes 0.1 s."""

CLIENT_LEFT = "ClientLeft"
"""The type of the error that is written where the client did not wait for the end."""

_CONTROL = b"x-nbtwisted-"
"""Fields that begin so are for the proxy, and are not passed on."""

_CONNECTING = frozenset(("connect", "proxy", "tls"))


@dataclass(slots=True)
class Beginning:
    """A body: its `size` so far, and the first of its bytes."""

    size: int = 0
    content: bytearray = field(default_factory=bytearray)

    @property
    def is_whole(self) -> bool:
        """Whether all of its bytes are here."""
        return len(self.content) == self.size


@dataclass(slots=True)
class Passed:
    """What passed between us and the upstream for one request.

    Its moments are Unix time; None if it did not come so far.
    """

    method: bytes
    url: str
    """The URL that the upstream was asked for."""
    version: bytes
    headers: RequestHeaders
    """The client's."""
    asked_at: float = 0.0
    sent_at: float | None = None
    """When the last bytes of the request's body went, if it had any."""
    head_at: float | None = None
    ended_at: float = 0.0
    sent: Beginning = field(default_factory=Beginning)
    received: Beginning = field(default_factory=Beginning)
    head: Head | None = None
    error: dict[str, str] | None = None
    """As the archive has it."""

    def fail(self, error: RequestError) -> None:
        """It is over, and not whole."""
        left = isinstance(error, Interrupted)
        self.error = error_of(error, CLIENT_LEFT if left else "")


def entry_of(passed: Passed, *, most: int, with_secrets: bool) -> dict[str, Any]:
    """The entry, whose bodies have at most so many bytes."""
    lines = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in passed.headers.lines
        if not name.lower().startswith(_CONTROL)
    ]
    head, error = passed.head, passed.error
    response = response_of(head, with_secrets=with_secrets)
    entry: dict[str, Any] = {
        "startedDateTime": date_of(passed.asked_at),
        "time": milliseconds(passed.ended_at - passed.asked_at),
        "request": request_of(
            *(passed.method.decode("latin-1"), passed.url),
            passed.version.decode("latin-1"),
            headers=lines,
            head_size=-1,
            body=_beginning(passed.sent),
            with_secrets=with_secrets,
        ),
        "response": response,
        "cache": {},
        "timings": _timings(passed),
    }
    if head is not None:
        entry |= asked_durations(head)
        body, packed_size = _content(passed, head, most)
        response["content"] = content_of(body, head.headers, packed_size=packed_size)
        response["bodySize"] = passed.received.size
    if error is not None:
        response["_error"] = f"{error['phase']}: {error['message']}"
        entry["_error"] = error
    return entry


def _beginning(body: Beginning) -> Kept:
    if body.is_whole:
        return Kept(body.size, bytes(body.content))
    return _cut(body.size, bytes(body.content))


def _cut(size: int, content: bytes) -> Kept:
    if not content:
        return Kept(size, None, "it is not in here")
    return Kept(size, content, f"only its first {len(content)} bytes are in here")


_codings: Codings = find_codings()


def _content(passed: Passed, head: Head, most: int) -> tuple[Kept, int | None]:
    """What is kept of the response's body, and its size before it was unpacked."""
    received = passed.received
    names = content_codings(head.headers)
    if not names or not received.size:
        return _beginning(received), None
    if received.is_whole:
        unpacking = Unpacking(
            bytes(received.content), names, _codings, LARGEST_UNPACKED
        )
        try:
            while not unpacking.step():
                pass
        except (CannotUnpack, UnpacksTooLarge):
            pass
        else:
            body = unpacking.body
            if len(body) <= most:
                return Kept(len(body), body), received.size
            return _cut(len(body), body[:most]), received.size
    return Kept(received.size, None, COMPRESSED), None


def _timings(passed: Passed) -> dict[str, float]:
    """As HAR has them. To connect is a part of the wait, unless it came to nothing."""
    sent_at = passed.asked_at if passed.sent_at is None else passed.sent_at
    seconds = {"dns": 0.0, "connect": 0.0, "send": 0.0, "wait": 0.0, "receive": 0.0}
    phase = "" if passed.error is None else passed.error["phase"]
    if phase == "dns":
        seconds["dns"] = passed.ended_at - passed.asked_at
    elif phase in _CONNECTING:
        seconds["connect"] = passed.ended_at - passed.asked_at
    else:
        until = passed.ended_at if passed.head_at is None else passed.head_at
        # It may begin before all of a long request was taken.
        sent_at = min(sent_at, until)
        seconds["send"] = sent_at - passed.asked_at
        seconds["wait"] = until - sent_at
        seconds["receive"] = passed.ended_at - until
    return {
        "blocked": -1,
        "dns": milliseconds_or_none(seconds["dns"]),
        "connect": milliseconds_or_none(seconds["connect"]),
        "ssl": milliseconds_or_none(seconds["connect"] if phase == "tls" else 0.0),
        "send": milliseconds(seconds["send"]),
        "wait": milliseconds(seconds["wait"]),
        "receive": milliseconds(seconds["receive"]),
    }
