"""The Klein app, and how a route is added to it.

A route is a function from a request to a `Behaviour`. What is done with it, and what
every route has in common (the controls, the refusals), is done here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from klein import Klein
from twisted.python.failure import Failure
from twisted.web.server import Request
from werkzeug.routing import BaseConverter

from nbtwisted.server.answer import Performer
from nbtwisted.server.behaviour import Behaviour
from nbtwisted.server.parameters import controls

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
    """What the routes need of the server that they run in."""

    performer: Performer
    max_delay: float


ANY = "any method"

Decides = Callable[..., Behaviour]
Renders = Callable[..., Coroutine[Any, Any, None]]


def route(path: str, *methods: str) -> Callable[[Decides], Decides]:
    """Answer requests for `path` as the function decides that is given them.

    `methods` are GET unless given, and `ANY` stands for all; HEAD comes with GET.
    """

    def register(decide: Decides) -> Decides:
        def render(
            server: Server, request: Request, **parts: str
        ) -> Coroutine[Any, Any, None]:
            asked = controls(request, server.max_delay)
            behaviour = decide(server, request, **parts).under(asked)
            return server.performer.perform(behaviour, request)

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
            return server.performer.perform(decide(request, failure.value), request)

        return app.handle_errors(error)(render)  # type: ignore[arg-type]

    return register
