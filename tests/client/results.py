"""Attempts and results for tests of all that is made of them."""

from __future__ import annotations

from typing import Any

from nbtwisted.client.errors import ConnectionLost, RequestError
from nbtwisted.client.job import Job
from nbtwisted.client.message import Message
from nbtwisted.client.result import Attempt, Head, Result, Then

BEGAN = 1_800_000_000.25
REQUEST = (
    b"GET /a?b=c&d=%20e&f HTTP/1.1\r\nHost: h\r\nAuthorization: Basic c2VjcmV0\r\n\r\n"
)
MESSAGE = Message(REQUEST)
URL = "http://10.0.0.1/a"


def attempt(
    *headers: tuple[str, str],
    url: str = URL,
    status: int | None = 200,
    reason: str = "OK",
    body: bytes = b"body",
    raw: bytes | None = None,
    error: RequestError | None = None,
    then: Then | None = None,
    paced: float = 0.0,
    waited: float = 0.0,
    fileno: int | None = 7,
    began: float = BEGAN,
    dns: float | None = 0.125,
    connect: float | None = 0.25,
    proxy: float | None = None,
    tls: float | None = None,
    send: float | None = 0.125,
    wait: float | None = 2.0,
    receive: float | None = 0.5,
    rest: float = 0.0,
    is_tunnelled: bool = False,
    is_reused: bool = False,
    message: Message = MESSAGE,
) -> Attempt:
    """An attempt that took so many seconds for each phase.

    None for those that it did not reach, in which it was for the `rest`; without a
    `status` there was no head.
    """
    phases = {"sent": send, "first_byte": wait, "ended": receive or 0.0}
    if not is_reused:
        opening = {"resolved": dns, "connected": connect, "tunnelled": proxy}
        phases = {**opening, "secured": tls, **phases}
    moments: dict[str, Any] = {}
    moment = began
    for name, seconds in phases.items():
        if seconds is not None:
            moments[f"{name}_at"] = moment = moment + seconds
    moments["ended_at"] += rest
    head = None if status is None else Head("1.1", status, reason, headers)
    if raw is None:
        raw = b"" if head is None else b"HTTP/1.1 200 OK\r\n\r\n" + body
    is_last = then is None
    return Attempt(
        url=url,
        is_tls=url.startswith("https:"),
        message=message,
        began=began,
        fileno=fileno,
        is_tunnelled=is_tunnelled or proxy is not None,
        is_reused=is_reused,
        head=head,
        received=len(raw),
        raw=raw if is_last else b"",
        body=body if is_last and head is not None else b"",
        error=error,
        then=then,
        paced=paced,
        waited=waited,
        **moments,
    )


def result(
    *attempts: Attempt,
    url: str | None = None,
    error: RequestError | None = None,
    queued: float = 0.5,
    job: Job | None = None,
) -> Result:
    """How a request ended that had these attempts, of a plain job if of no other."""
    first, last = attempts[0], attempts[-1]
    assert last.ended_at is not None
    url = first.url if url is None else url
    return Result(
        url=url,
        attempts=attempts,
        error=error or (last.error if last.then is None else None),
        began=first.began,
        queued=queued,
        ended_at=last.ended_at + last.waited,
        job=Job(url) if job is None else job,
    )


def lost(**more: Any) -> Result:
    """A request that was not answered to its end."""
    error = ConnectionLost("it broke")
    raw = b"HTTP/1.1 200"
    return result(attempt(**{"status": None, "raw": raw, "error": error, **more}))
