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

from nbtwisted.printable import printable
from nbtwisted.server.answer import Performer
from nbtwisted.server.behaviour import Behaviour, refusal
from nbtwisted.server.controls import (
    CONTROLS,
    Controls,
    UnreadableControl,
    read_controls,
)

__all__ = ["Refused", "Server", "app", "on_error", "route", "unreadable"]

app = Klein()
# A path is answered as it came, never by a redirect to a tidier one.
app.url_map.merge_slashes = False


class Server:
    """What the routes need of the server that they run in."""

    performer: Performer
    max_delay: float


class Refused(Exception):
    """The request cannot be carried out: `behaviour` says so to the client."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self.behaviour = behaviour


Decides = Callable[..., Behaviour]
Renders = Callable[..., Coroutine[Any, Any, None]]


def route(path: str) -> Callable[[Decides], Renders]:
    """Answer GET and HEAD of `path` as the function decides that is given them."""

    def register(decide: Decides) -> Renders:
        @functools.wraps(decide)
        def render(
            server: Server, request: Request, **parts: str
        ) -> Coroutine[Any, Any, None]:
            controls = _controls(server, request)
            behaviour = decide(server, request, **parts).under(controls)
            return server.performer.perform(behaviour, request)

        return app.route(path, methods=["GET"])(render)

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


def unreadable(control: str, value: str, expected: str) -> Behaviour:
    """Answer that a control, or a part of the path, cannot be read."""
    return refusal(
        400,
        f"bad value for {control}",
        control=control,
        value=printable(value, longest=80),
        expected=expected,
    )


def _controls(server: Server, request: Request) -> Controls:
    given: dict[str, list[str]] = {}
    for name in CONTROLS:
        values = request.args.get(b"_" + name.encode(), [])
        if values:
            given[name] = [
                value.decode("utf-8", "backslashreplace") for value in values
            ]
    for raw_name, raw_values in request.requestHeaders.getAllRawHeaders():
        if raw_name.lower().startswith(b"x-nbtwisted-"):
            name = raw_name[len(b"x-nbtwisted-") :].decode("latin-1").lower()
            # A header's bytes are Latin-1, as a `_header` has to be in the end.
            given.setdefault(name, []).extend(v.decode("latin-1") for v in raw_values)
    try:
        return read_controls(given, max_delay=server.max_delay)
    except UnreadableControl as error:
        raise Refused(unreadable(error.control, error.value, error.expected)) from None
