"""The parts of an entry of an HTTP Archive, whoever saw what it tells of. Pure.

http://www.softwareishard.com/blog/har-12-spec/ says what they are. What HAR has no
field for stands in fields that begin with `_`, as it wants it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nbtwisted import __version__
from nbtwisted.client.errors import RequestError
from nbtwisted.client.result import Head
from nbtwisted.client.results.server_timing import server_durations

__all__ = [
    "COMPRESSED",
    "HEAD",
    "NOT_WRITTEN",
    "TAIL",
    "Kept",
    "asked_durations",
    "content_of",
    "date_of",
    "error_of",
    "milliseconds",
    "milliseconds_or_none",
    "request_of",
    "response_of",
    "value_of",
]

NOT_WRITTEN = "(not written)"
"""What stands in the place of a secret."""

COMPRESSED = "compressed: its size is as sent, and it is not in here"
"""What is said of a body that could not be unpacked."""

_SECRET = frozenset(
    ("authorization", "proxy-authorization", "cookie", "set-cookie", "set-cookie2")
)
"""Headers whose values stay out of the archive, which people send to each other.

Chrome leaves these out, too, unless it is told otherwise.
"""

_LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""

HEAD = (
    '{"log": {"version": "1.2", '
    f'"creator": {{"name": "nbtwisted", "version": "{__version__}"}}, "entries": ['
)
TAIL = "\n]}}\n"
"""What stands before the entries, and behind them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A body, as far as it is put into the archive.

    size      bytes of the whole body
    content   those that are put in: all of them, or the first; None if none are
    comment   why some are not
    """

    size: int
    content: bytes | None
    comment: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether only its beginning is there."""
        return self.content is not None and len(self.content) < self.size

    def fields(self) -> dict[str, Any]:
        """The content, as browsers have it; and how many bytes that is, if cut."""
        content = self.content
        if content is None:
            return {"comment": self.comment} if self.comment else {}
        encoding = {}
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            # What is cut in a character is a text, too.
            if self.is_cut and len(content) - error.start < _LONGEST_CHARACTER:
                content = content[: error.start]
                text = content.decode()
            else:
                text = b64encode(content).decode()
                encoding = {"encoding": "base64"}
        cut = {"_cut": len(content), "comment": self.comment} if self.is_cut else {}
        return {"text": text, **encoding, **cut}


def request_of(
    *line: str,
    headers: Iterable[tuple[str, str]],
    head_size: int,
    body: Kept,
    with_secrets: bool = False,
) -> dict[str, Any]:
    """A request. Its line has the method, the whole URL, and the version of HTTP."""
    method, url, version = line
    headers = list(headers)
    request: dict[str, Any] = {
        "method": method,
        "url": url,
        "httpVersion": version,
        "cookies": [],
        "headers": _headers(headers, with_secrets),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(
                urlsplit(url).query, keep_blank_values=True, errors="backslashreplace"
            )
        ],
        "headersSize": head_size,
        "bodySize": body.size,
    }
    if body.content is None and body.size:
        request["comment"] = body.comment
    elif body.size:
        kind = value_of(headers, "content-type") or ""
        request["postData"] = {"mimeType": kind, **body.fields()}
    return request


def response_of(head: Head | None, *, with_secrets: bool = False) -> dict[str, Any]:
    """A response of which there is no more than its head, if that."""
    # What has no response has the status 0 in the archives of browsers.
    headers = () if head is None else head.headers
    return {
        "status": 0 if head is None else head.status,
        "statusText": "" if head is None else head.reason,
        "httpVersion": "" if head is None else f"HTTP/{head.http_version}",
        "cookies": [],
        "headers": _headers(headers, with_secrets),
        "content": {"size": 0, "mimeType": value_of(headers, "content-type") or ""},
        "redirectURL": value_of(headers, "location") or "",
        "headersSize": -1,
        "bodySize": -1,
    }


def content_of(
    body: Kept,
    headers: Iterable[tuple[str, str]],
    *,
    packed_size: int | None = None,
) -> dict[str, Any]:
    """The content of a response.

    `packed_size` are the bytes that the body had before it was unpacked, if it was.
    """
    content: dict[str, Any] = {
        "size": body.size,
        "mimeType": value_of(headers, "content-type") or "",
    }
    if packed_size is not None:
        content["compression"] = body.size - packed_size
    return content | body.fields()


def error_of(error: RequestError, name: str = "") -> dict[str, str]:
    """What became of a request; `name` is in place of the error's own."""
    kind = name or type(error).__name__
    return {"type": kind, "phase": error.phase, "message": str(error)}


def asked_durations(head: Head) -> dict[str, float]:
    """What a server of ours says of its time, and a proxy of its upstream's."""
    return {
        f"_{name}": milliseconds(seconds)
        for name, seconds in server_durations(head.headers).items()
        if name in ("upstream", "asked", "held")
    }


def value_of(headers: Iterable[tuple[str, str]], wanted: str) -> str | None:
    """The first value of a header field, whose name is given in lower case."""
    return next((value for name, value in headers if name.lower() == wanted), None)


def date_of(moment: float) -> str:
    """A Unix time, as HAR has dates."""
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(
        timespec="microseconds"
    )


def milliseconds(seconds: float) -> float:
    """A time, as HAR has it."""
    return round(seconds * 1000, 3)


def milliseconds_or_none(seconds: float) -> float:
    """As HAR has it where there may be none: -1."""
    return milliseconds(seconds) if seconds else -1


def _headers(
    headers: Iterable[tuple[str, str]], with_secrets: bool
) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "value": value
            if with_secrets or name.lower() not in _SECRET
            else NOT_WRITTEN,
        }
        for name, value in headers
    ]
