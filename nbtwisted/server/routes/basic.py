"""The server's own paths, and its answers to what cannot be answered."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

from twisted.web.server import Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from nbtwisted.duration import print_duration
from nbtwisted.printable import printable
from nbtwisted.server.model.behaviour import Behaviour, json_behaviour, refusal
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.browsers import is_for_operators
from nbtwisted.server.model.delay import Delay, UnreadableDelay
from nbtwisted.server.routes.echo import behaviour_with_body, echo
from nbtwisted.server.routes.parameters import Refused, unreadable
from nbtwisted.server.routes.router import ANY, Server, app, on_error, route

_ONE_TO_THREE_SECONDS = Delay((1.0, 2.0, 3.0))


@route("/")
def root(server: Server, request: Request) -> Behaviour:
    """Wait 1, 2 or 3 seconds, or as `_delay` asks, and tell how long it was."""
    return Behaviour(_wait_time, delay=_ONE_TO_THREE_SECONDS)


@route("/delay/<text>", ANY)
def delay(server: Server, request: Request, text: str) -> Behaviour:
    """Wait as the path asks, then echo the request, and what body it has."""
    try:
        read = Delay.parse(text, longest=server.max_delay)
    except UnreadableDelay as error:
        raise Refused(unreadable("delay", text, str(error))) from None
    if request.method in (b"GET", b"HEAD"):
        return replace(json_behaviour(echo(request)), delay=read)
    return replace(behaviour_with_body(request), delay=read)


@on_error(NotFound)
def not_found(request: Request, error: NotFound) -> Behaviour:
    """Name the paths that there are."""
    rules = {
        re.sub("<(?:rest:)?([^>]+)>", r"{\1}", r.rule) for r in app.url_map.iter_rules()
    }
    paths = ", ".join(sorted(rules))
    return refusal(404, "no such path", value=_shown(request.path), expected=paths)


@on_error(MethodNotAllowed)
def method_not_allowed(request: Request, error: MethodNotAllowed) -> Behaviour:
    """Name the methods that the path takes; that is also what OPTIONS asks for."""
    methods = ", ".join(sorted(error.valid_methods or ()))
    allow = ("Allow", methods)
    if not is_for_operators(request.path):
        allow = ("Allow", f"{methods}, OPTIONS")
        if request.method == b"OPTIONS":
            return Behaviour(Whole(b""), headers=(allow,))
    return refusal(
        405,
        "this path does not take this method",
        allow,
        value=_shown(request.method),
        expected=methods,
    )


@on_error(HTTPException)
def other_http_error(request: Request, error: HTTPException) -> Behaviour:
    """Say in JSON what werkzeug objects to."""
    return refusal(error.code or 500, error.name.lower())


def _wait_time(asked: float, random: Random) -> Whole:
    return Whole(b'["wait time: %bsec"]' % print_duration(asked).encode())


def _shown(raw: bytes) -> str:
    return printable(raw.decode("ascii", "backslashreplace"), longest=80)
