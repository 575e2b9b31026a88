"""Many raw GETs at once, each answer attributed, ordered, timed and bounded.

    from nbtwisted.client import get_all

    gathered = get_all(urls, reactor=reactor, max_time=5.0)

From a URL to its answer, which is also the order in which they import each other:

    answer      what came back, and how long each part of it took    pure
    errors      what can go wrong, by phase
    target      URL -> where to connect, and the request's bytes     pure
    parser      bytes -> one whole answer, with limits               pure
    tls         whom to trust, whom to be, and which check failed
    protocol    a connection, and the exchanges that it carries
    resolving   host names -> addresses
    connecting  addresses -> a connection, by reactor.connectTCP
    connections opened as they are needed, and kept for the next request
    attempt     one attempt at a target
    redirecting where an answer sends its reader to                  pure
    retrying    whether to try again, and when                       pure
    deadline    a deadline that is fair to answers which arrived in time
    request     one request, from leaving the queue to its end
    getting     sends GETs that have their deadlines and connections in common
    url_list    URLs from a file or a pipe, as they are needed
    queue       what is still to be got, and in which turn
    gathering   many, by a DeferredList
    output      how a request ended -> bytes                         pure
    har         how a request ended -> entries of an HTTP Archive    pure
    server_timing  what a server says of its own time                pure
    spans       how a request ended, or how far it came -> a span    pure
    recording   what is kept and written of a run besides its answers
    screen      what a stream can show
    on_screen   lines at the foot of a terminal that change
    progress    how far a run has come, on such a line
    live        the waterfall while it grows
    options     what `nbtwisted get` can be told
    meanwhile   which of these is shown while a run goes on
    command     `nbtwisted get`
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbtwisted.client.answer import Answer, Head, Timing
    from nbtwisted.client.errors import RequestError
    from nbtwisted.client.gathering import get_all
    from nbtwisted.client.getting import get
    from nbtwisted.client.parser import Limits
    from nbtwisted.client.retrying import Retries

__all__ = [
    "Answer",
    "Head",
    "Limits",
    "RequestError",
    "Retries",
    "Timing",
    "get",
    "get_all",
]

_FOUND_IN = {
    "Answer": "answer",
    "Head": "answer",
    "Timing": "answer",
    "RequestError": "errors",
    "get_all": "gathering",
    "get": "getting",
    "Limits": "parser",
    "Retries": "retrying",
}


def __getattr__(name: str) -> Any:
    # So that `python -m nbtwisted.client` can see to its signals before it loads
    # Twisted, which takes longer than some people wait before they press Ctrl-C.
    if name in _FOUND_IN:
        return getattr(import_module(f"nbtwisted.client.{_FOUND_IN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
