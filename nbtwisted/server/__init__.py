"""A Klein app that gives any slow HTTP answer on demand.

    twistd -n web --class=nbtwisted.server.resource --listen tcp:8000
    python -m nbtwisted.server

Every wait is a `deferLater`, so ten thousand waits cost one thread. From a request to
its answer:

    routes      the Klein app: each route returns a Behaviour
    behaviour   what one answer will be: a value
    delay       how long it waits: text in, seconds out
    echo        what the server saw of a request
    answer      carries a Behaviour out: waits, then answers
    options     what the command and the environment may set
    configured  the app as the environment sets it: `app` and `resource` below
    command     listens, says so, and stops when told
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
