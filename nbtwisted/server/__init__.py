"""A Klein app that gives any slow or broken HTTP answer on demand.

    twistd -n web --class=nbtwisted.server.resource --listen tcp:8000
    python -m nbtwisted.server

Every wait is a `deferLater`, so ten thousand waits cost one thread. From a request to
its answer:

    delay         how long it waits: text in, seconds out                     pure
    controls      what every path takes besides                               pure
    browsers      the headers of every answer that are for browsers           pure
    body          bodies, made while they are sent                            pure
    behaviour     what one answer will be; drawn, a Reply                     pure
    conditional   what conditions and ranges make of a Behaviour              pure
    pace          how fast a body is sent: its pieces and their seconds       pure
    keys          what is remembered of each key, bounded                     pure
    faults        each way to break the wire: Reply -> Transmission           pure
    journal       what was asked and what became of it, bounded               pure
    query         queries and forms -> fields                                 pure
    parameters    a request's parameters and controls, or why not
    admission     who may use `/__admin`
    host          which text is a host and a port                             pure
    origin        where a request came from, and by which URL
    echo          what the server saw of a request
    framing       bytes -> requests, with limits                              pure
    ready         a Reply as the bytes that are sent of it                    pure
    sending       puts a Transmission on the wire
    answer        performs a Behaviour: draws, waits, sends
    traffic       the requests in flight: let in, noted, let go
    viewing       what a viewer of the live page is told, frame by frame      pure
    request       a request as the routes see it
    app           the Klein app, and how a route is added to it
    httpbin       the paths of httpbin and go-httpbin
    metrics       the journal's totals, for Prometheus
    operating     health, metrics, the journal, reset
    live          the live page, and the events that it is drawn from
    routes        the other paths, and the answers to errors
    doorkeeper    refuses what would make Klein stumble
    delay_server  the app with its clock, its seed and its limits
    site          what serves connections, whichever channel they are
    channel       twisted.web's channel, with caps on what is sent
    known         what there is to know of a request that came before
    held          one that waits for its answer on the fast channel
    wire          the fast channel
    channels      both, by their names
    access_log    a line for each request that is over
    listening     endpoint descriptions, with our defaults
    options       what the command and the environment may set
    serving       the server as it was told to be, and how it ends
    configured    the same for twistd: `app` and `resource` below
    command       listens, says so, and stops when told
    slow_app      the app on a Clock, for tests
    for_tests     a process of servers, one for each test
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbtwisted.server.configured import app, resource

__all__ = ["app", "resource"]


def __getattr__(name: str) -> Any:
    # Importing Klein picks Twisted's reactor, once and for all, so it is put off until
    # somebody asks for the app: until then another reactor may be installed.
    if name in __all__:
        from nbtwisted.server import configured

        return getattr(configured, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
