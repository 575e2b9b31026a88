"""How a request ended, as entries of an HTTP Archive. Pure.

http://www.softwareishard.com/blog/har-12-spec/ says what they are. One for each
attempt: browsers have an entry for each redirect, too. What HAR has no field for stands
in fields that begin with `_`, as it wants it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbtwisted.client.errors import RequestError
from nbtwisted.client.message import Message
from nbtwisted.client.result import (
    LONGEST_PAST,
    Attempt,
    Response,
    Result,
    Timing,
)
from nbtwisted.client.results.har_entry import (
    COMPRESSED,
    HEAD,
    TAIL,
    Kept,
    asked_durations,
    content_of,
    date_of,
    error_of,
    milliseconds,
    milliseconds_or_none,
    request_of,
    response_of,
    value_of,
)
from nbtwisted.client.target import Target
from nbtwisted.http1.syntax import BLANK_LINE

__all__ = ["HEAD", "LARGEST_BODY", "TAIL", "entries"]

LARGEST_BODY = 1024 * 1024
"""Bytes of a body that is put into the archive; of a larger one there is its size."""

_TOO_LARGE = f"a body of more than {LARGEST_BODY} bytes is not in here"


def entries(index: int, result: Result) -> Iterator[dict[str, Any]]:
    """An entry for each attempt at a request, as JSON values.

    `index` is its position in the list, from 0. One that was never begun has none, and
    nor has one whose URL could not be read: HAR has no place for what is no request.
    """
    last, response = result.last, result.response
    for number, attempt in enumerate(result.attempts):
        blocked = attempt.paced if number else result.queued
        error = result.error if attempt is last else attempt.error
        entry = _entry(attempt, error, blocked)
        if attempt is last and response is not None:
            entry["response"] |= _whole(response, attempt.packed_size)
        entry |= {"_index": index, "_attempt": number, "_fileno": attempt.fileno}
        if attempt.then is not None:
            entry["_then"] = attempt.then
            entry["_waited"] = milliseconds(attempt.waited)
        yield entry


def _entry(
    attempt: Attempt, error: RequestError | None, blocked: float
) -> dict[str, Any]:
    """Of an attempt of whose response there is no more than the head, if that."""
    timing, head = attempt.timing, attempt.head
    entry: dict[str, Any] = {
        "startedDateTime": date_of(timing.started - blocked),
        "time": milliseconds(timing.total + blocked),
        "request": _request(Target.parse(attempt.url).sent_url, attempt.message),
        "response": {**response_of(head), "_transferSize": attempt.received},
        "cache": {},
        "timings": _timings(attempt, timing, blocked),
    }
    if head is not None:
        entry |= asked_durations(head)
        is_long = attempt.received > LONGEST_PAST
        if attempt.then is not None and not head.headers and is_long:
            comment = "its header fields are too long to be in here"
            entry["response"]["comment"] = comment
    if error is not None:
        entry["response"]["_error"] = f"{error.phase}: {error}"
        entry["_error"] = error_of(error)
    return entry


def _request(url: str, message: Message) -> dict[str, Any]:
    first, *lines = message.head.decode("latin-1").split("\r\n")
    method, _, version = first.split(" ")
    parts = [line.partition(": ") for line in lines if line]
    return request_of(
        *(method, url, version),
        headers=[(name, value) for name, _, value in parts],
        head_size=len(message.head),
        body=_kept(message.body),
    )


def _kept(body: bytes) -> Kept:
    is_small = len(body) <= LARGEST_BODY
    return Kept(len(body), body if is_small else None, "" if is_small else _TOO_LARGE)


def _whole(response: Response, packed_size: int | None) -> dict[str, Any]:
    """What there is to say besides of a whole response."""
    body, raw = response.body, response.raw
    kept = _kept(body)
    is_coded = value_of(response.headers, "content-encoding") is not None
    if is_coded and packed_size is None:
        kept = Kept(len(body), None, COMPRESSED)
    size = len(body) if packed_size is None else packed_size
    before = len(raw) - size
    # It may be more heads than one, and the body in chunks.
    is_plain = raw.find(BLANK_LINE) + len(BLANK_LINE) == before
    return {
        "content": content_of(kept, response.headers, packed_size=packed_size),
        "headersSize": before if is_plain else -1,
        "bodySize": size if is_plain else -1,
    }


def _timings(attempt: Attempt, timing: Timing, blocked: float) -> dict[str, float]:
    """As HAR has them: -1 for what there was not, TLS a part of connecting.

    The proxy's tunnel is a part of connecting, too, and the pace of being blocked.
    """
    seconds = {
        "dns": timing.dns or 0.0,
        "connect": timing.connect or 0.0,
        "proxy": timing.proxy or 0.0,
        "tls": timing.tls or 0.0,
        "send": 0.0,
        "wait": timing.wait or 0.0,
    }
    spent_on, rest = timing.rest(
        is_tls=attempt.is_tls, is_tunnelled=attempt.is_tunnelled
    )
    seconds[spent_on] += rest
    connect = seconds["connect"] + seconds["proxy"] + seconds["tls"]
    return {
        "blocked": milliseconds_or_none(blocked),
        "dns": milliseconds_or_none(seconds["dns"]),
        "connect": milliseconds_or_none(connect),
        "ssl": milliseconds_or_none(seconds["tls"]),
        "send": milliseconds(seconds["send"]),
        "wait": milliseconds(seconds["wait"]),
        "receive": milliseconds(timing.receive or 0.0),
        "_paced": milliseconds_or_none(timing.paced),
        "_proxy": milliseconds_or_none(seconds["proxy"]),
    }
