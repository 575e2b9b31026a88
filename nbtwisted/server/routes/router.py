"""The Klein app, and how a route is added to it.

A route is a function from a request to a `Behaviour`. What is done with it, and what
every route has in common (the controls, the refusals), is done here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from klein import Klein
from twisted.python.failure import Failure
from twisted.web.server import Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter

from nbtwisted.server.engine.traffic import Traffic
from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.browsers import is_for_operators
from nbtwisted.server.model.conditional import conditioned
from nbtwisted.server.routes.admission import admit
from nbtwisted.server.routes.parameters import (
    Refused,
    controls,
    header,
    read_fields,
    refuse_controls,
)
from nbtwisted.server.routes.viewing import Overview

__all__ = ["ANY", "Server", "app", "decided", "on_error", "route"]

app = Klein()
# A path is answered as it came, never by a redirect to a tidier one.
app.url_map.merge_slashes = False


class _Rest(BaseConverter):
    """Whatever follows in the path, slashes too."""

    regex = "(?s:.*)"
    part_isolating = False


app.url_map.converters["rest"] = _Rest


class Server:
    """What the routes need of the server that they run in.

    `max_delay` is in seconds. If it is `lenient`, parameters that begin with `_` and
    are no controls are left to the path. `admin_token` lets operators in who are not on
    this machine. `access_log_lost` counts lines that could not be written, where there
    is an access log. `reactor_figures` is what a reactor that records its time has to
    say.
    `overview` is what all viewers are shown of what is in flight, and by `life` they
    tell this server from one that was started in its place.
    """

    traffic: Traffic
    overview: Overview
    life: str
    max_delay: float
    lenient: bool
    admin_token: str | None
    seed: int
    access_log_lost: Callable[[], int] | None
    reactor_figures: Callable[[], Mapping[str, object]] | None


ANY = "any method"

Decides = Callable[..., Behaviour]
_DECIDES: dict[str, Decides] = {}
"""Of each path that is not for operators."""

_PLAIN_PATH = re.compile(rb"/[!$&-Z_a-z{|}~^@+,;=]*").fullmatch
_matching = app.url_map.bind("localhost")

Renders = Callable[..., Coroutine[Any, Any, None]]


def route(path: str, *methods: str) -> Callable[[Decides], Decides]:
    """Answer requests for `path` as the function decides that is given them.

    What it decides has to follow from the request and its two addresses alone: the same
    may be answered so again, without asking. Operators' requests are always asked.

    `methods` are GET unless given, and `ANY` stands for all; HEAD comes with GET.
    Requests of operators take no controls, are not kept in the journal, and are
    answered also when the server is full or about to stop. Who may use `/__admin` is
    looked at here.
    """
    for_operators = is_for_operators(path.encode())
    is_open = not path.startswith("/__admin/")

    taken = None if ANY in methods else methods or ("GET",)

    def register(decide: Decides) -> Decides:
        def render(
            server: Server, request: Request, **parts: str
        ) -> Coroutine[Any, Any, None]:
            # Klein compares methods without their case; RFC 9110, 9.1, does not.
            if taken and not request.method.isupper():
                raise MethodNotAllowed([*taken, *(("HEAD",) if "GET" in taken else ())])
            if not for_operators:
                behaviour = _decided(decide, server, request, parts)
                return server.traffic.answer(behaviour, request)
            behaviour = _decided_for_operator(decide, server, request, parts, is_open)
            return server.traffic.answer_operator(behaviour, request)

        if not for_operators:
            _DECIDES[path] = decide
        app.route(path, methods=taken, endpoint=path)(render)
        return decide

    return register


def decided(server: Server, request: Request) -> Behaviour | None:
    """What a route decides, without Klein; None where Klein has to be asked.

    Klein's own way of asking a route takes as long as all that the route does. What is
    not as simple is left to it: operators, errors, OPTIONS, and paths that are quoted.
    """
    path: bytes = request.path
    is_simple = _PLAIN_PATH(path) and request.method.isupper()
    if request.method == b"OPTIONS" or not is_simple:
        return None
    try:
        endpoint, parts = _matching.match(path.decode(), request.method.decode())
    except HTTPException:
        return None
    decide = _DECIDES.get(endpoint)
    try:
        return decide and _decided(decide, server, request, parts)
    except Exception:
        # A fault of ours: Klein meets it too, logs it, and answers 500.
        return None


def _decided(
    decide: Decides, server: Server, request: Request, parts: Mapping[str, Any]
) -> Behaviour:
    try:
        # In place of twisted.web's, which splits at `;` and adds what is in a form.
        request.args = read_fields(request.uri.partition(b"?")[2])
        asked = controls(request, server.max_delay, lenient=server.lenient)
        behaviour = decide(server, request, **parts).under(asked)
        return conditioned(behaviour, request.method, partial(header, request))
    except Refused as refused:
        return refused.behaviour


def _decided_for_operator(
    decide: Decides,
    server: Server,
    request: Request,
    parts: Mapping[str, Any],
    is_open: bool,
) -> Behaviour:
    try:
        if not is_open:
            admit(request, server.admin_token)
        request.args = read_fields(request.uri.partition(b"?")[2])
        refuse_controls(request, lenient=server.lenient)
        return decide(server, request, **parts)
    except Refused as refused:
        return refused.behaviour


def on_error(error: type[Exception]) -> Callable[[Decides], Renders]:
    """Answer an error as the function decides that is given it."""

    def register(decide: Decides) -> Renders:
        @functools.wraps(decide)
        def render(
            server: Server, request: Request, failure: Failure
        ) -> Coroutine[Any, Any, None]:
            return server.traffic.answer(decide(request, failure.value), request)

        return app.handle_errors(error)(render)  # type: ignore[arg-type]

    return register
