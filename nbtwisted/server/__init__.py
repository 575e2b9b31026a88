"""A Klein app that gives any slow HTTP answer on demand.

    twistd -n web --class=nbtwisted.server.resource --listen tcp:8000
    python -m nbtwisted.server

Every wait is a `deferLater`, so ten thousand waits cost one thread. From a request to
its answer:

    delay         how long it waits: text in, seconds out                     pure
    controls      what every path takes besides                               pure
    body          bodies, made while they are sent                            pure
    behaviour     what one answer will be; drawn, a Reply                     pure
    keys          what is remembered of each key, bounded                     pure
    faults        each way to break the wire: Reply -> Transmission           pure
    echo          what the server saw of a request
    sending       puts a Transmission on the wire
    answer        performs a Behaviour: draws, waits, sends
    app           the Klein app, and how a route is added to it
    routes        the paths, and the answers to errors
    doorkeeper    refuses what would make Klein stumble
    delay_server  the app with its clock, its seed and its limits
    options       what the command and the environment may set
    configured    the app as the environment sets it: `app` and `resource` below
    command       listens, says so, and stops when told
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
