"""Conditions and ranges of responses that have an ETag or parts. Pure.

RFC 9110, 13 and 14. Conditions by date are ignored: no response has a date of change.
"""

from __future__ import annotations

import re

from werkzeug.http import parse_etags, unquote_etag

from nbtwisted.numeral import parse_whole_number
from nbtwisted.server.model.behaviour import Behaviour, Instead, refusal
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.controls import Statuses
from nbtwisted.server.model.request import Request

__all__ = ["conditioned"]

_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.I)
_LARGEST = 10**18
"""A position behind the end of every body."""

LONGEST_CONDITION = 8 * 1024
"""Characters of If-Match, and of If-None-Match: 2 ms of commas."""

# RFC 9110, 13.2.1: these do not select a representation.
_UNCONDITIONAL = (b"CONNECT", b"OPTIONS", b"TRACE")

_OK = range(200, 201)
_SUCCESS = range(200, 300)
_FAILED = refusal(412, "precondition failed")


def conditioned(behaviour: Behaviour, request: Request) -> Behaviour:
    """The behaviour, with another one in its place if the request's headers ask so.

    A status that is no success is not affected.
    """
    if behaviour.part is None and not behaviour.header("etag"):
        return behaviour
    instead = _precondition(behaviour, request)
    if instead is None and request.method == b"GET":
        instead = _part(behaviour, request)
    return behaviour if instead is None else behaviour._replace(instead=instead)


def _precondition(behaviour: Behaviour, request: Request) -> Instead | None:
    method, header = request.method, request.header
    etag, is_weak = unquote_etag(behaviour.header("etag"))
    if etag is None or method in _UNCONDITIONAL:
        return None
    for name in ("if-match", "if-none-match"):
        if len(header(name) or "") > LONGEST_CONDITION:
            expected = f"an {name} of at most {LONGEST_CONDITION} characters"
            too_long = refusal(431, "too long a condition", expected=expected)
            return Instead(_SUCCESS, _refused(behaviour, too_long))
    wanted = parse_etags(header("if-match"))
    if wanted and not (wanted.star_tag or (not is_weak and wanted.is_strong(etag))):
        return Instead(_SUCCESS, _refused(behaviour, _FAILED))
    if not parse_etags(header("if-none-match")).contains_weak(etag):
        return None
    if method not in (b"GET", b"HEAD"):
        return Instead(_SUCCESS, _refused(behaviour, _FAILED))
    # 15.4.5: headers that describe the body are not sent without it.
    headers = tuple(
        (name, value)
        for name, value in behaviour.headers
        if not name.lower().startswith("content-")
        or name.lower() in ("content-location", "content-security-policy")
    )
    return Instead(
        _SUCCESS,
        behaviour._replace(body=Whole(b""), statuses=Statuses((304,)), headers=headers),
    )


def _part(behaviour: Behaviour, request: Request) -> Instead | None:
    header = request.header
    if behaviour.part is None:
        return None
    asked = _RANGE.fullmatch(header("range") or "")
    if asked is None or not any(asked.groups()):
        # 14.2: several ranges, and unknown units, may be ignored.
        return None
    etag = behaviour.header("etag") or ""
    # 13.1.5: only if the client has the beginning of this very representation.
    if header("if-range") not in (None, etag) or (
        header("if-range") is not None and etag.startswith("W/")
    ):
        return None
    size = behaviour.part.size
    first, last = (_position(text) for text in asked.groups())
    if first is None:
        assert last is not None
        start, stop = max(size - last, 0), size
    else:
        start, stop = first, size if last is None else min(last + 1, size)
        if last is not None and last < first:
            return None
    if start >= size:
        about = ("Content-Range", f"bytes */{size}")
        refused = refusal(416, "no such range", about)
        return Instead(_OK, _refused(behaviour, refused, "etag", "accept-ranges"))
    body, interval = behaviour.part.make(start, stop)
    about = ("Content-Range", f"bytes {start}-{stop - 1}/{size}")
    part = behaviour._replace(
        body=body,
        interval=interval,
        statuses=Statuses((206,)),
        headers=(*behaviour.headers, about),
    )
    return Instead(_OK, part)


def _refused(behaviour: Behaviour, refused: Behaviour, *kept: str) -> Behaviour:
    """The refusal, with the delay, the pace and some headers of the behaviour."""
    headers = ((n, v) for n, v in behaviour.headers if n.lower() in kept)
    return behaviour._replace(
        body=refused.body,
        interval=0.0,
        statuses=refused.statuses,
        headers=(*refused.headers, *headers),
        drawn_headers=None,
    )


def _position(text: str) -> int | None:
    try:
        return parse_whole_number(text) if text else None
    except ValueError:
        return _LARGEST
