"""Many raw GETs at once, each answer attributed, ordered, timed and bounded.

    from nbtwisted.client import get_all

    gathered = get_all(urls, reactor=reactor, max_time=5.0)

From a URL to its answer:

    url_list → Queue → Getter → Request → Attempt → Connection and ResponseParser
     → Result: a Response, or a RequestError that names its phase → gather → output,
     pictures, files

A *request* has one deadline and ends once. It is made of *attempts*: one, unless there
are redirects or retries. An attempt is an exchange over a connection that may have
carried others, and once more over a new one if that one was stale.

- A request has ended when its socket and timers are gone from the reactor, or when its
  connection is free for the next. `gather` fires when those are gone, too.
- The `DeferredList` of `gather` has a worker for each request in flight. Each takes its
  next URL when it is free, so a list of any length costs no memory.
- One loop wakes waiting requests, and none wakes another: a thousand that fail at once
  would each stand on the stack of the one before.
- The protocol is a pull producer, so it knows when the kernel has the last byte of the
  request: the phase `wait` begins there. (In TLS it is noted a turn early.)
- One poll of its socket, before a connection is used again, finds most that were closed
  meanwhile, and keeps early bytes from being taken for the next answer.
- TLS begins by `startTLS` on a connection, so that each of both has its own time. The
  name in the certificate is checked before a byte of the request is sent.
- llhttp is laxer than the client wants. The parser adds: HTTP/1.0 or 1.1 only, statuses
  from 100, no control characters in the reason, and no transfer coding but `chunked`.
  h11 gives the tests a second opinion.
- SIGINT, SIGTERM and SIGHUP cancel the gathering. A second one completes the files.
- Twisted's `HostnameEndpoint` hides the time of the look-up, and its `Agent` gives no
  raw bytes and takes statuses such as `2_00`: neither is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbtwisted.client.connection.reader import Limits
    from nbtwisted.client.errors import RequestError
    from nbtwisted.client.many.gathering import get_all
    from nbtwisted.client.request.getting import get
    from nbtwisted.client.request.retrying import Retries
    from nbtwisted.client.result import Attempt, Head, Response, Result, Timing

__all__ = [
    "Attempt",
    "Head",
    "Limits",
    "RequestError",
    "Response",
    "Result",
    "Retries",
    "Timing",
    "get",
    "get_all",
]

_FOUND_IN = {
    **dict.fromkeys(("Attempt", "Head", "Response", "Result", "Timing"), "result"),
    "RequestError": "errors",
    "get_all": "many.gathering",
    "get": "request.getting",
    "Limits": "connection.reader",
    "Retries": "request.retrying",
}


def __getattr__(name: str) -> Any:
    # So that `python -m nbtwisted.client` can see to its signals before it loads
    # Twisted, which takes longer than some people wait before they press Ctrl-C.
    if name in _FOUND_IN:
        return getattr(import_module(f"nbtwisted.client.{_FOUND_IN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
