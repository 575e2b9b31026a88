"""The requests of an HTTP Archive, as jobs. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import IO, Any
from urllib.parse import urlencode

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.many.job_lines import (
    bad_job,
    encoded,
    from_base64,
    header_value,
    of_kind,
)
from nbtwisted.json_items import json_items

__all__ = ["har_jobs", "is_har", "read_entry"]

_BEGIN = b'{"log":'
_LONGEST_BEGIN = 64 * 1024
"""Bytes that are looked at, of white space mostly."""

_OURS = frozenset(
    (
        *("host", "content-length", "transfer-encoding", "accept-encoding"),
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"),
    )
)
"""Headers that belong to the connection, or say what only a browser can unpack."""

_NOT_WRITTEN = "(not written)"
"""What our own archives have in place of a secret."""

_INSIDE = frozenset(("about", "blob", "data", "ws", "wss"))
"""Schemes of what a browser asks itself for, or talks to in another protocol."""


def is_har(head: bytes) -> bool | None:
    """Whether what begins so is a HAR: the first key is `log`; None if it may be."""
    if codecs.BOM_UTF8.startswith(head):
        return None
    head = head[:_LONGEST_BEGIN].removeprefix(codecs.BOM_UTF8)
    begin = b"".join(head.split())
    if begin.startswith(_BEGIN):
        return True
    may_be = _BEGIN.startswith(begin) and len(head) < _LONGEST_BEGIN
    return None if may_be else False


def har_jobs(
    file: IO[bytes], template: JobTemplate
) -> Iterator[tuple[int, Job | BadJob]]:
    """The jobs of a HAR, one after another, and the numbers of their entries, from 1.

    Raises `UnreadableItems` where it is no JSON, and `OSError` as the file does.
    """
    for number, entry in enumerate(json_items(file, "log", "entries"), start=1):
        job = read_entry(number, entry, template)
        if job is not None:
            yield number, job


def read_entry(number: int, entry: Any, template: JobTemplate) -> Job | BadJob | None:
    """The job of an entry; None if it is not one's own, or nobody can ask for it."""
    url: Any = None
    try:
        entry = of_kind(dict, entry, "it")
        # Our own archives have an entry for each attempt, browsers' one for each URL.
        if entry.get("_attempt"):
            return None
        request = of_kind(dict, entry.get("request"), "request")
        url = of_kind(str, request.get("url"), "url")
        method = of_kind(str, request.get("method"), "method")
        headers = tuple(_pairs(request.get("headers"), "headers"))
        if _is_inside(url) or ("upgrade", "websocket") in _lowered(headers):
            return None
        own = tuple(
            (name, header_value(value, f"header {name[:100]!r}"))
            for name, value in headers
            if not name.startswith(":")
            and name.lower() not in _OURS
            and value != _NOT_WRITTEN
        )
        return template.job(url, method, own, _body(request))
    except ValueError as error:
        return bad_job(f"entry {number}", error, url)


def _is_inside(url: str) -> bool:
    scheme = url[:100].partition(":")[0].lower()
    return scheme in _INSIDE or scheme.endswith("-extension")


def _lowered(headers: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    return ((name.lower(), value.lower()) for name, value in headers)


def _pairs(value: Any, name: str) -> Iterator[tuple[str, str]]:
    for item in [] if value is None else of_kind(list, value, name):
        pair = of_kind(dict, item, f"one of {name}")
        yield (
            of_kind(str, pair.get("name"), f"a name in {name}"),
            of_kind(str, pair.get("value"), f"a value in {name}"),
        )


def _body(request: Mapping[str, Any]) -> bytes | None:
    posted = request.get("postData")
    if posted is None:
        size = request.get("bodySize")
        if isinstance(size, (int, float)) and size > 0:
            raise ValueError(f"its body of {size} bytes is not in the archive")
        return None
    posted = of_kind(dict, posted, "postData")
    if "_cut" in posted:
        raise ValueError("of its body there is only the beginning in the archive")
    text = posted.get("text")
    if text:
        text = of_kind(str, text, "postData.text")
        if "base64" in (posted.get("encoding"), posted.get("_encoding")):
            return from_base64(text, "postData.text")
        return encoded(text, "postData.text")
    fields = list(_pairs(posted.get("params"), "postData.params"))
    if not fields:
        return None
    if str(posted.get("mimeType")).startswith("multipart/"):
        raise ValueError("of its multipart body there are only fields: expected a text")
    for field in fields:
        for text in field:
            encoded(text, "postData.params")
    return urlencode(fields).encode("ascii")
