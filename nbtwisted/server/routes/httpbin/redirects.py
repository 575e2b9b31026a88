"""The paths that redirect."""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import quote

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.controls import Statuses
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.origin import root_url
from nbtwisted.server.routes.parameters import (
    Refused,
    parameter,
    parse_truth,
    read,
    unreadable,
    whole_number,
)
from nbtwisted.server.routes.router import ANY, Server, route

__all__ = ["redirection"]

MOST_REDIRECTS = 1000

_TEXT = ("Content-Type", "text/plain; charset=utf-8")


@route("/redirect/<n>")
def redirect(server: Server, request: Request, n: str) -> Behaviour:
    """Redirect `n` times, then to `/get`."""
    is_absolute = parameter(request, "absolute", parse_truth, False)
    return _redirect(server, request, n, "absolute" if is_absolute else "relative")


@route("/redirect-to", ANY)
def redirect_to(server: Server, request: Request) -> Behaviour:
    """Redirect to the parameter `url`."""
    url = parameter(request, "url", _parse_location, "")
    if not url:
        raise Refused(unreadable("url", "", "a URL to redirect to"))
    status = parameter(request, "status_code", whole_number(300, 399), 302)
    return redirection(url, status)


def redirection(
    location: str, status: int = 302, *headers: tuple[str, str]
) -> Behaviour:
    """Redirect to a URL, or to a path."""
    return Behaviour(
        Whole(b""),
        statuses=Statuses((status,)),
        headers=(_TEXT, ("Location", location), *headers),
    )


def _redirect(server: Server, request: Request, n: str, kind: str) -> Behaviour:
    left = read("n", n, whole_number(1, MOST_REDIRECTS)) - 1
    path = f"/{kind}-redirect/{left}" if left else "/get"
    return redirection((root_url(request) if kind == "absolute" else "") + path)


route("/relative-redirect/<n>")(partial(_redirect, kind="relative"))
route("/absolute-redirect/<n>")(partial(_redirect, kind="absolute"))


def _parse_location(text: str) -> str:
    if not text or re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError("a URL without spaces and control characters")
    # A header is ASCII. Text that is percent-encoded stays as it is.
    return quote(text, safe="%/:=&?~#+!$,;'@()*[]")
