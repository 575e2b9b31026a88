"""How a request ended, as entries of an HTTP Archive. Pure.

http://www.softwareishard.com/blog/har-12-spec/ says what they are. One for each
attempt: browsers have an entry for each redirect, too. What HAR has no field for stands
in fields that begin with `_`, as it wants it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nbtwisted import __version__
from nbtwisted.client.errors import RequestError
from nbtwisted.client.message import Message
from nbtwisted.client.result import (
    LONGEST_PAST,
    Attempt,
    Head,
    Response,
    Result,
    Timing,
)
from nbtwisted.client.results.server_timing import server_durations
from nbtwisted.client.target import Target
from nbtwisted.http1.syntax import BLANK_LINE

__all__ = ["HEAD", "LARGEST_BODY", "TAIL", "entries"]

LARGEST_BODY = 1024 * 1024
"""Bytes of a body that is put into the archive; of a larger one there is its size."""

_TOO_LARGE = f"a body of more than {LARGEST_BODY} bytes is not in here"
_NOT_WRITTEN = "(not written)"
_SECRET = frozenset(
    ("authorization", "proxy-authorization", "cookie", "set-cookie", "set-cookie2")
)
"""Headers whose values stay out of the archive, which people send to each other.

Chrome leaves these out, too, unless it is told otherwise.
"""

HEAD = (
    '{"log": {"version": "1.2", '
    f'"creator": {{"name": "nbtwisted", "version": "{__version__}"}}, "entries": ['
)
TAIL = "\n]}}\n"
"""What stands before the entries, and behind them."""


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
            entry["_waited"] = _milliseconds(attempt.waited)
        yield entry


def _entry(
    attempt: Attempt, error: RequestError | None, blocked: float
) -> dict[str, Any]:
    """Of an attempt of whose response there is no more than the head, if that."""
    timing, head = attempt.timing, attempt.head
    began = datetime.fromtimestamp(timing.started - blocked, timezone.utc)
    entry: dict[str, Any] = {
        "startedDateTime": began.isoformat(timespec="microseconds"),
        "time": _milliseconds(timing.total + blocked),
        "request": _request(Target.parse(attempt.url).sent_url, attempt.message),
        "response": _response(head, attempt.received),
        "cache": {},
        "timings": _timings(attempt, timing, blocked),
    }
    if head is not None:
        for name, seconds in server_durations(head.headers).items():
            if name in ("asked", "held"):
                entry[f"_{name}"] = _milliseconds(seconds)
        is_long = attempt.received > LONGEST_PAST
        if attempt.then is not None and not head.headers and is_long:
            comment = "its header fields are too long to be in here"
            entry["response"]["comment"] = comment
    if error is not None:
        entry["response"]["_error"] = f"{error.phase}: {error}"
        kind = type(error).__name__
        entry["_error"] = {"type": kind, "phase": error.phase, "message": str(error)}
    return entry


def _request(url: str, message: Message) -> dict[str, Any]:
    first, *lines = message.head.decode("latin-1").split("\r\n")
    method, _, version = first.split(" ")
    parts = [line.partition(": ") for line in lines if line]
    headers = [(name, value) for name, _, value in parts]
    request: dict[str, Any] = {
        "method": method,
        "url": url,
        "httpVersion": version,
        "cookies": [],
        "headers": _headers(headers),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(
                urlsplit(url).query, keep_blank_values=True, errors="backslashreplace"
            )
        ],
        "headersSize": len(message.head),
        "bodySize": len(message.body),
    }
    if len(message.body) > LARGEST_BODY:
        request["comment"] = _TOO_LARGE
    elif message.body:
        kind = _value(headers, "content-type") or ""
        request["postData"] = {"mimeType": kind, **_text(message.body)}
    return request


def _text(body: bytes) -> dict[str, str]:
    """A body, as browsers have it."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": b64encode(body).decode(), "encoding": "base64"}


def _response(head: Head | None, received: int) -> dict[str, Any]:
    """A response of which there is no more than its head, if that."""
    # What has no response has the status 0 in the archives of browsers.
    headers = () if head is None else head.headers
    return {
        "status": 0 if head is None else head.status,
        "statusText": "" if head is None else head.reason,
        "httpVersion": "" if head is None else f"HTTP/{head.http_version}",
        "cookies": [],
        "headers": _headers(headers),
        "content": {"size": 0, "mimeType": _value(headers, "content-type") or ""},
        "redirectURL": _value(headers, "location") or "",
        "headersSize": -1,
        "bodySize": -1,
        "_transferSize": received,
    }


def _whole(response: Response, packed_size: int | None) -> dict[str, Any]:
    """What there is to say besides of a whole response."""
    headers, body, raw = response.headers, response.body, response.raw
    content: dict[str, Any] = {
        "size": len(body),
        "mimeType": _value(headers, "content-type") or "",
    }
    if packed_size is not None:
        content["compression"] = len(body) - packed_size
    if packed_size is None and _value(headers, "content-encoding") is not None:
        content["comment"] = "compressed: its size is as sent, and it is not in here"
    elif len(body) > LARGEST_BODY:
        content["comment"] = _TOO_LARGE
    else:
        content |= _text(body)
    size = len(body) if packed_size is None else packed_size
    before = len(raw) - size
    # It may be more heads than one, and the body in chunks.
    is_plain = raw.find(BLANK_LINE) + len(BLANK_LINE) == before
    return {
        "content": content,
        "headersSize": before if is_plain else -1,
        "bodySize": size if is_plain else -1,
    }


def _headers(headers: Any) -> list[dict[str, str]]:
    return [
        {"name": name, "value": _NOT_WRITTEN if name.lower() in _SECRET else value}
        for name, value in headers
    ]


def _value(headers: Any, wanted: str) -> str | None:
    return next((value for name, value in headers if name.lower() == wanted), None)


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
        "blocked": _milliseconds_or_none(blocked),
        "dns": _milliseconds_or_none(seconds["dns"]),
        "connect": _milliseconds_or_none(connect),
        "ssl": _milliseconds_or_none(seconds["tls"]),
        "send": _milliseconds(seconds["send"]),
        "wait": _milliseconds(seconds["wait"]),
        "receive": _milliseconds(timing.receive or 0.0),
        "_paced": _milliseconds_or_none(timing.paced),
        "_proxy": _milliseconds_or_none(seconds["proxy"]),
    }


def _milliseconds_or_none(seconds: float) -> float:
    """As HAR has them where there may be none: -1."""
    return _milliseconds(seconds) if seconds else -1


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
