"""Where a response sends its reader to, and what may be told there. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote

from nbtwisted.client.errors import BadURL
from nbtwisted.client.header import Headers
from nbtwisted.client.result import Head
from nbtwisted.client.target import LONGEST_URL, Target, shown
from nbtwisted.client.uri import URI

__all__ = [
    "DEFAULT_MAX_REDIRECTS",
    "Call",
    "call_behind",
    "headers_for_redirect",
    "method_for_redirect",
    "next_url",
]

DEFAULT_MAX_REDIRECTS = 50
"""Redirects that are followed for one request; curl has 50 too."""

_REDIRECTS = {301, 302, 303, 307, 308}
_ASCII = "".join(map(chr, range(128)))
_OF_A_BODY = {
    "content-encoding",
    "content-language",
    "content-location",
    "content-type",
}
"""As https://fetch.spec.whatwg.org/#request-body-header-name has them."""

_FOR_ONE_ORIGIN = {"authorization", "cookie", "host", "proxy-authorization"}


class Call(NamedTuple):
    """What an attempt at a request asks for."""

    target: Target
    method: str
    headers: Headers
    body: bytes


def call_behind(call: Call, head: Head) -> Call | None:
    """What is to be asked for where the response of `call` redirects to, if it does.

    Raises `BadURL` for a URL that cannot be read.
    """
    url = next_url(call.target, head)
    if url is None:
        return None
    try:
        target = Target.parse(url, is_absolute=True)
    except BadURL as error:
        raise BadURL(f"redirected to {shown(url)}: {error}") from None
    if target.origin == call.target.origin and not target.credentials:
        target = replace(target, credentials=call.target.credentials)
    method = method_for_redirect(call.method, head.status)
    drops_body = method != call.method
    headers = headers_for_redirect(
        call.headers, call.target, target, drops_body=drops_body
    )
    return Call(target, method, headers, b"" if drops_body else call.body)


def next_url(target: Target, head: Head) -> str | None:
    """The URL that the response of `target` redirects to, if it does.

    Spaces in a Location are quoted, as browsers and curl do, and an empty one is none.

    Raises `BadURL` for one that cannot be read.
    """
    if head.status not in _REDIRECTS:
        return None
    location = next(
        (value for name, value in head.headers if name.lower() == "location"), ""
    )
    if not location:
        return None
    if len(location) > LONGEST_URL:
        raise BadURL(f"redirected to a URL longer than {LONGEST_URL} bytes")
    received = location.encode("latin-1")
    try:
        location = received.decode()
    except UnicodeDecodeError:
        location = quote(received, safe=_ASCII)
    reference = URI.split(location.replace(" ", "%20").replace("\t", "%09"))
    base = URI.split(target.url)
    led_to = base.resolve(reference)
    if led_to.fragment is None:
        # RFC 9110, 10.2.2: it goes on to where the reader is led.
        led_to = replace(led_to, fragment=base.fragment)
    return str(led_to)


def method_for_redirect(method: str, status: int) -> str:
    """The method to ask with where a response leads to: RFC 9110, 15.4.

    As browsers do it: 303 makes a GET of all but HEAD, and 301 and 302 of POST.
    """
    if status == 303 and method != "HEAD":
        return "GET"
    return "GET" if status in (301, 302) and method == "POST" else method


def headers_for_redirect(
    headers: Headers, old: Target, new: Target, *, drops_body: bool = False
) -> Headers:
    """The headers that may go to `new` of those that went to `old`.

    What was meant for one origin (scheme, host and port) is not told another; and what
    says something of a body goes where that does.
    """
    left_out = _OF_A_BODY if drops_body else set()
    if old.origin != new.origin:
        left_out = left_out | _FOR_ONE_ORIGIN
    if not left_out:
        return headers
    return [(name, value) for name, value in headers if name.lower() not in left_out]
