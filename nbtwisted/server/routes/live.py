"""The live page for operators, and its server-sent events.

The events are the endless body of a response like others, which makes a frame when it
is sent: a slow viewer skips frames, and nothing that answers requests knows of viewers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

from nbtwisted.printable import printable, printable_ends
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.body import Endless, Whole
from nbtwisted.server.model.key import LONGEST_KEY
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.parameters import Refused, parameter
from nbtwisted.server.routes.router import Server, route
from nbtwisted.server.routes.viewing import (
    MOST_HELD,
    MOST_ROWS,
    SECONDS_AFTER_END,
    Viewer,
    event,
)
from nbtwisted.server.routes.viewing_links import LinksViewer
from nbtwisted.timeline.page import asset as shared_asset

__all__ = ["MOST_VIEWERS", "SCRIPTS", "SECONDS_A_FRAME"]

MOST_VIEWERS = 8

SECONDS_A_FRAME = 0.25
"""Between two frames; the page draws the movement in between."""

SECONDS_TO_RETRY = 2

LONGEST_UPSTREAM = 120
"""Characters of it in the page's title."""

SCRIPTS = (
    *("elements", "words", "clock", "stream", "axis", "lanes", "details", "rows"),
    *("overview", "figures", "rules", "bytes", "links", "controls", "live"),
)
"""The page's modules; each imports only those before it."""

_ASSETS = Path(__file__).parent / "assets"

_NOT_KEPT = ("Cache-Control", "no-store")


@route("/__admin/live")
def page(server: Server, request: Request) -> Behaviour:
    """Answer with the page: of requests, of a proxy's requests, or of its links."""
    title = "What the server holds, live"
    kinds = ["has-requests"] if server.has_requests else []
    if server.upstream is not None:
        upstream = printable_ends(server.upstream, longest=LONGEST_UPSTREAM)
        title = f"What the proxy before {upstream} holds, live"
        kinds.append("has-upstream")
    if server.links is not None:
        kinds.append("has-links")
    if not server.has_requests:
        title = title.replace("server", "proxy").replace("holds", "passes on")
    text = _asset("live.html").replace("{kinds}", " ".join(kinds))
    return _file(text.replace("{title}", escape(title)), "text/html")


@route("/__admin/live.css")
def style(server: Server, request: Request) -> Behaviour:
    """Answer with its style sheet."""
    shared = shared_asset("colours.css") + shared_asset("look.css")
    return _file(shared + _asset("live.css") + _asset("links.css"), "text/css")


@route("/__admin/live/<name>.js")
def script(server: Server, request: Request, name: str) -> Behaviour:
    """Answer with one of its modules."""
    if name not in SCRIPTS:
        value, expected = printable(name, longest=80), ", ".join(SCRIPTS)
        raise Refused(refusal(404, "no such script", value=value, expected=expected))
    return _file(_asset(f"{name}.js"), "text/javascript")


@route("/__admin/events")
def events(server: Server, request: Request) -> Behaviour:
    """Answer with the requests in flight, as server-sent events without an end."""
    key = parameter(request, "key", _parse_key, "")
    if server.in_flight.viewers >= MOST_VIEWERS:
        expected = f"at most {MOST_VIEWERS} viewers at a time"
        retry = ("Retry-After", str(SECONDS_TO_RETRY))
        raise Refused(refusal(503, "too many viewers", retry, expected=expected))
    return Behaviour(
        Endless(lambda: _frames(server, key)),
        headers=(("Content-Type", "text/event-stream"), _NOT_KEPT),
        interval=SECONDS_A_FRAME,
    )


def _frames(server: Server, key: str) -> Iterator[bytes]:
    in_flight = server.in_flight
    journal = in_flight.journal
    viewer = Viewer(journal, server.overview, server.rules, key)
    links = None if server.links is None else LinksViewer(server.links)

    def frame() -> bytes:
        now = in_flight.unix_time()
        told = viewer.frame(now, is_draining=in_flight.is_draining)
        if links is not None:
            told["links"] = links.frame(now)
        return event("frame", told)

    hello = {
        "life": server.instance_id,
        "seed": str(server.seed),
        "key": key,
        "upstream": server.upstream,
        "url": server.url,
        "has_requests": server.has_requests,
        "has_links": links is not None,
        "seconds_a_frame": SECONDS_A_FRAME,
        "most_rows": MOST_ROWS,
        "most_held": MOST_HELD,
        "linger": SECONDS_AFTER_END,
    }
    retry = b"retry: %d\n\n" % (SECONDS_TO_RETRY * 1000)
    yield retry + event("hello", hello) + frame()
    while True:
        yield frame()


def _file(text: str, kind: str) -> Behaviour:
    content_type = ("Content-Type", f"{kind}; charset=utf-8")
    return Behaviour(Whole(text.encode()), headers=(content_type, _NOT_KEPT))


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _parse_key(text: str) -> str:
    if len(text) > LONGEST_KEY:
        raise ValueError(f"a part of a key, of at most {LONGEST_KEY} characters")
    return text
