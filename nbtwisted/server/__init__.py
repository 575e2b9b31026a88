"""A Klein app that gives any slow or broken HTTP response on demand.

    twistd -n web --class=nbtwisted.server.resource --listen tcp:8000
    python -m nbtwisted.server

Every request takes one road, and every wait is a `deferLater`, so ten thousand waits
cost one thread:

    bytes
     → http1        framing: a head and a body, with limits
     → Request      one value: method, target, fields, body, addresses     model
     → route        Klein's URL map finds the function that decides        routes
       + controls   the request's own wishes
     → Behaviour    a value, which may leave things to chance              model
     → Exchange     draws it, waits, sends it, and notes it                engine
     → Connection   writes, closes or resets: our channel, or twisted.web's
     → Journal      remembers the last requests, and counts all            engine

Imports run downhill: http1, routes, engine, model. `docs/architecture.md` follows a
request of each kind, function by function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from klein import Klein

    from nbtwisted.server.configured import resource

    app: Klein
    """The app that has the routes, as the environment (`NBTWISTED_…`) sets it."""

__all__ = ["app", "resource"]


def __getattr__(name: str) -> Any:
    # Importing Klein picks Twisted's reactor, once and for all, so it is put off until
    # somebody asks for the app: until then another reactor may be installed.
    if name in __all__:
        from nbtwisted.server import configured

        return getattr(configured, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
