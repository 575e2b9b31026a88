"""The paths for caches: validators and lifetimes (RFC 9110, 8.8 and 13; RFC 9111)."""

from __future__ import annotations

import re
import time
from random import Random
from wsgiref.handlers import format_date_time

from nbtwisted.server.model.behaviour import Behaviour, json_behaviour, refusal
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.controls import Statuses
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.echo import echo
from nbtwisted.server.routes.parameters import read, whole_number
from nbtwisted.server.routes.router import Server, route

LONGEST_LIFETIME = 2**31
"""Seconds: what a cache takes for the longest there is (RFC 9111, 1.2.2)."""

_is_tag = re.compile("[!#-~]*").fullmatch
"""RFC 9110, 8.8.3, of ASCII alone."""


@route("/cache")
def cache(server: Server, request: Request) -> Behaviour:
    """Echo the request; say 304 to whoever has an older answer, of whatever time."""
    names = request.headers.by_name
    if names.get(b"if-match", [b"*"]) != [b"*"]:
        # It is another one each time.
        return refusal(412, "precondition failed")
    if b"if-none-match" in names or b"if-modified-since" in names:
        return Behaviour(Whole(b""), statuses=Statuses((304,)), headers=())
    return json_behaviour(echo(request))._replace(drawn_headers=_validators)


@route("/cache/<n>")
def cache_for_seconds(server: Server, request: Request, n: str) -> Behaviour:
    """Echo the request, which may be kept for `n` seconds."""
    seconds = read("n", n, whole_number(0, LONGEST_LIFETIME))
    return _with_header(request, "Cache-Control", f"public, max-age={seconds}")


@route("/etag/<etag>")
def with_etag(server: Server, request: Request, etag: str) -> Behaviour:
    """Echo the request, under the conditions that it has for this ETag."""
    return _with_header(request, "ETag", f'"{read("etag", etag, _parse_tag)}"')


def _validators(random: Random) -> HeaderLines:
    return (
        ("ETag", f'"{random.getrandbits(128):032x}"'),
        ("Last-Modified", format_date_time(time.time())),
    )


def _with_header(request: Request, name: str, value: str) -> Behaviour:
    echoed = json_behaviour(echo(request))
    return echoed._replace(headers=(*echoed.headers, (name, value)))


def _parse_tag(text: str) -> str:
    if not _is_tag(text):
        raise ValueError("an ETag without its quotes, of ASCII without white space")
    return text
