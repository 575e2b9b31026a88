"""Who may use the API: programs, and never pages in a browser.

Any page that a browser shows can send requests to this machine, and the API opens ports
and connects to whatever it is told. Toxiproxy refuses browsers by their User-Agent. A
page may change that, but not what says where it comes from.
"""

from __future__ import annotations

from nbtwisted.proxy.toxiproxy.errors import ApiError
from nbtwisted.server.model.host import is_host
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.admission import forwarding_header, names_this_machine

__all__ = ["check_caller"]

BROWSER = "User agent not allowed"
"""Toxiproxy's own words."""


def check_caller(request: Request, *, allow_remote: bool) -> None:
    """Raise `ApiError` for a request that the API does not take.

    Programs on other machines, and those that call this machine by another name than
    localhost or its address, are let in by `allow_remote`.
    """
    if not request.target.startswith(b"/"):
        raise ApiError("bad request: expected a path such as /proxies", 400)
    if (request.header("user-agent") or "").startswith("Mozilla/"):
        raise ApiError(BROWSER, 403)
    names = request.headers.by_name
    if b"origin" in names or b"sec-fetch-site" in names:
        raise ApiError("not for pages in a browser", 403)
    hosts = names.get(b"host", ())
    if len(hosts) > 1 or not all(map(is_host, hosts)):
        raise ApiError("bad request: expected one Host such as localhost:8474", 400)
    if allow_remote:
        return
    if not names_this_machine(request.header("host") or "localhost"):
        # A stranger's name may lead here.
        raise ApiError(
            "not by this name: expected localhost or an address as the host", 403
        )
    if not request.addresses.is_local:
        raise ApiError("only for programs on this machine", 403)
    forwarded = forwarding_header(request)
    if forwarded is not None:
        raise ApiError(f"not through a proxy ({forwarded})", 403)
