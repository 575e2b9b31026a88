"""The Klein app, and how a route is added to it.

A route is a function from a request to a `Behaviour`. What is done with it, and what
every route has in common (the controls, the refusals), is done here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from klein import Klein
from twisted.python.failure import Failure
from twisted.web.server import Request
from werkzeug.routing import BaseConverter

from nbtwisted.server.behaviour import Behaviour
from nbtwisted.server.parameters import Refused, controls
from nbtwisted.server.request import Request as OurRequest
from nbtwisted.server.traffic import Traffic

__all__ = ["ANY", "Server", "app", "on_error", "route"]

app = Klein()
# A path is answered as it came, never by a redirect to a tidier one.
app.url_map.merge_slashes = False


class _Rest(BaseConverter):
    """Whatever follows in the path, slashes too."""

    regex = ".*"
    part_isolating = False


app.url_map.converters["rest"] = _Rest


class Server:
    """What the routes need of the server that they run in.

    `max_delay` is in seconds. `admin_token` lets operators in who are not on this
    machine. `reactor_figures` is what a reactor that records its time has to say.
    """

    traffic: Traffic
    max_delay: float
    admin_token: str | None
    seed: int
    reactor_figures: Callable[[], Mapping[str, object]] | None


ANY = "any method"

Decides = Callable[..., Behaviour]
Renders = Callable[..., Coroutine[Any, Any, None]]


def route(
    path: str, *methods: str, for_operators: bool = False
) -> Callable[[Decides], Decides]:
    """Answer requests for `path` as the function decides that is given them.

    What it decides has to follow from the request and its peer alone: the same request
    may be answered so again, without asking. Operators' requests are always asked.

    `methods` are GET unless given, and `ANY` stands for all; HEAD comes with GET.
    Requests of operators are not kept in the journal, and answered also when the server
    is full or about to stop.
    """

    def register(decide: Decides) -> Decides:
        def render(
            server: Server, request: Request, **parts: str
        ) -> Coroutine[Any, Any, None]:
            answer = server.traffic.answer
            if for_operators:
                answer = server.traffic.answer_operator
            try:
                asked = controls(request, server.max_delay)
                behaviour = decide(server, request, **parts).under(asked)
            except Refused as refused:
                behaviour = refused.behaviour
            if not for_operators and isinstance(request, OurRequest):
                request.decided = behaviour
            return answer(behaviour, request)

        taken = None if ANY in methods else methods or ("GET",)
        app.route(path, methods=taken, endpoint=path)(render)
        return decide

    return register


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
