"""Many raw requests at once, each response attributed, ordered, timed and bounded.

    from nbtwisted.client import get_all

    gathered = get_all(urls, reactor=reactor, max_time=5.0)

From a job, or a URL of which one is made, to its result:

    job list → Queue         whose turn it is, in all and for each host       many
     → Request               attempts: redirects, retries, deadlines          request
     → Pool                  gives a kept connection, or opens one            connection
     → Connection            TCP and TLS; sends, and reads a response         connection
     → Result                every attempt, and the Response or the error
     → output, spans, HAR, records                                            results

A *request* has one deadline and ends once. It is made of *attempts*: one, unless there
are redirects or retries, or a kept connection turned out to be stale. `Request` is the
`Listener` of the connection that it has; its states are one table, in its class.
`docs/architecture.md` follows a request of each kind, function by function.

- A request has ended when its connection and its timers are gone from the reactor, or
  its connection is free for the next. `get` and `get_all` wait for all to be gone.
- `gather` takes a job when one more may be in flight, so a list of any length costs no
  memory. `get_all` makes the Deferreds for its `DeferredList` as requests end.
- `Pacing` says when the next request may begin, in all and at each host. The queue
  passes over a host that has no turn. A request that goes on, by a retry or a redirect,
  asks the queue for its turn, and takes up no room until that comes.
- One loop begins requests, and none begins another: a thousand that fail at once would
  each stand on the stack of the one before.
- `Deadlines` has one timer for all requests, and a lane for deadlines of each length. A
  deadline lets the reactor read once more before it counts.
- A connection writes at once. If the kernel does not take all of it, the connection is
  a pull producer, and is asked again when the last byte has gone: `wait` begins then. A
  long body is handed on in pieces in this way.
- What is not idempotent is made once, unless its caller says otherwise: it is neither
  tried again, nor resent where a kept connection turns out to be stale.
- One poll of its socket, before a connection is used again, finds most that were closed
  meanwhile. Bytes that arrive while nobody waits for a response close the connection.
- `Opening` tries a host's addresses in the way of RFC 8305. TLS begins by `startTLS` on
  a connection, so each of the two has its own time. The name in the certificate is
  checked before a byte of the request is sent.
- A proxy is asked for a tunnel (`tunnel.py`) between TCP and TLS, which is with the
  host as it is without one. By http in the clear there is none: an http proxy passes
  requests on, so that all hosts share its connections. The command alone reads the
  environment.
- llhttp is laxer than the client wants. `head.py` adds: HTTP/1.0 or 1.1 only, statuses
  from 100, no control characters in the reason, and no transfer coding but `chunked`.
  h11 gives the tests a second opinion.
- `--resume` puts `Unanswered` between list and queue, and keeps 16 bytes a record.
  Records are appended as requests end; in the end the file is put in order.
- A compressed body is unpacked in steps of a millisecond or so, the first at once, and
  others in turns of the reactor, which one body has at a time. None unpacks to more
  than a body may have.
- With `--cluster`, `running/fleet.py` reads the list here and gives each job to the
  worker that has its host (`many/sharding.py`), where `running/part.py` gathers.
  Records return as bytes; or parts write them to a place (`places/part_files.py`), and
  they are delivered with their file.
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
    from nbtwisted.client.job import Job
    from nbtwisted.client.many.gathering import get_all
    from nbtwisted.client.proxies import Proxies
    from nbtwisted.client.request.getting import get
    from nbtwisted.client.request.retrying import Retries
    from nbtwisted.client.result import Attempt, Head, Response, Result, Timing

__all__ = [
    "Attempt",
    "Head",
    "Job",
    "Limits",
    "Proxies",
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
    "Job": "job",
    "Proxies": "proxies",
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
