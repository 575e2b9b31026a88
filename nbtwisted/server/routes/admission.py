"""Admission to `/__admin`: for this machine, or by the server's token."""

from __future__ import annotations

import hmac
import ipaddress
import re

from nbtwisted.printable import printable
from nbtwisted.server.model.behaviour import refusal
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.parameters import Refused

__all__ = ["admit", "forwarding_header", "names_this_machine"]

_FORWARDING = re.compile(
    rb"(.*-)?forwarded(-.*)?"  # RFC 7239, and what it replaces
    rb"|(.*-)?via|cdn-loop"  # RFC 9110, 7.6.3, and RFC 8586
    rb"|(.*-)?((client|real|socket)?ip|ipv6|addr|for)"
    rb"|(cf|x-envoy|x-original|x-amzn)-.*"
    rb"|front-end-https|x-(url-)?scheme"
).fullmatch
"""Names of headers that proxies add, in lower case."""

# RFC 9110, 11.1: the case of a scheme does not matter.
_BEARER = re.compile(rb"bearer +(.*)", re.I).fullmatch


def admit(request: Request, token: str | None) -> None:
    """Raise `Refused` for a stranger, and for another site's page in a browser.

    Without a token, requests of this machine are let in; with one, those that show it.
    """
    if _is_from_another_site(request):
        raise Refused(refusal(403, "not for pages of other sites"))
    if token:
        if _shows(request, token):
            return
        raise _unauthorized("only with the server's --admin-token")
    if not names_this_machine(request.header("host") or "localhost"):
        # A stranger's name may lead here: its page would have Origin and Host alike.
        expected = "localhost or an address as the host, or a token"
        raise Refused(refusal(403, "not by this name", expected=expected))
    if not request.addresses.is_local:
        raise _unauthorized("only for this machine, or with the server's --admin-token")
    named = forwarding_header(request)
    if named is not None:
        # The proxy is on this machine. Its client may be anybody.
        raise _unauthorized(
            f"not through a proxy ({named}), unless with the server's --admin-token"
        )


def _is_from_another_site(request: Request) -> bool:
    host = request.header("host")
    ours = (f"http://{host}", f"https://{host}")
    origin, referer = request.header("origin"), request.header("referer")
    if origin is not None:
        # A page in a sandbox has the origin "null".
        return origin not in ours
    # Pictures and scripts of other sites' pages have no Origin. Links are fine.
    if request.header("sec-fetch-site") in ("cross-site", "same-site"):
        return not (
            request.header("sec-fetch-mode") == "navigate"
            and request.header("sec-fetch-dest") == "document"
            and request.method in (b"GET", b"HEAD")
        )
    # Old browsers send neither with a form.
    return (
        request.method not in (b"GET", b"HEAD")
        and referer is not None
        and "/".join(referer.split("/")[:3]) not in ours
    )


def _shows(request: Request, token: str) -> bool:
    given = request.headers.by_name.get(b"authorization", ())
    # With two, a proxy may have looked at the other one.
    shown = _BEARER(given[0]) if len(given) == 1 else None
    return shown is not None and hmac.compare_digest(shown[1], token.encode())


def names_this_machine(host: str) -> bool:
    """Whether a Host is `localhost` or an address: no stranger's name leads there."""
    name = re.sub(r":[0-9]*$", "", host).strip("[]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() == "localhost"
    return True


def forwarding_header(request: Request) -> str | None:
    """The printable name of a header field that a proxy has added, if there is one."""
    for name in request.headers.by_name:
        if _FORWARDING(name.replace(b"_", b"-")):
            return printable(name.decode("latin-1").title(), longest=80)
    return None


def _unauthorized(error: str) -> Refused:
    challenge = ("WWW-Authenticate", "Bearer")
    expected = "Authorization: Bearer TOKEN"
    return Refused(refusal(401, error, challenge, expected=expected))
