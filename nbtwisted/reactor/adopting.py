"""Makes the reactor that a program asks for a traced one, whichever it is."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from twisted.internet import main

from nbtwisted.reactor.tracing.traced_reactor import PollTracing, Settings, Tracing

__all__ = ["CannotTrace", "adopt", "trace_whichever_comes", "traced"]

_KINDS = {
    "twisted.internet.epollreactor": "EPollReactor",
    "twisted.internet.pollreactor": "PollReactor",
    "twisted.internet.asyncioreactor": "AsyncioSelectorReactor",
    "nbtwisted.reactor.eager": "EagerEPollReactor",
    "nbtwisted.reactor.eager_asyncio": "EagerAsyncioReactor",
}
"""By module: the classes of reactors that programs ask for by name."""


class CannotTrace(ValueError):
    """A reactor of another kind; says which are expected."""


class _StandsFor(type):
    """Of a class that has the place of Twisted's: what is one of that is one of it."""

    kind: type[Any]

    def __instancecheck__(cls, instance: object) -> bool:
        is_mine = "kind" in cls.__dict__
        return (
            isinstance(instance, cls.kind)
            if is_mine
            else super().__instancecheck__(instance)
        )

    def __subclasscheck__(cls, subclass: type) -> bool:
        is_mine = "kind" in cls.__dict__
        return (
            issubclass(subclass, cls.kind)
            if is_mine
            else super().__subclasscheck__(subclass)
        )


_MADE: dict[type, type[Tracing]] = {}


def traced(kind: type[Any]) -> type[Tracing]:
    """The class that traces reactors of this kind; the same one each time.

    Raises `CannotTrace` for a kind that cannot be.
    """
    if kind not in _MADE:
        _MADE[kind] = kind if issubclass(kind, Tracing) else _traced(kind)
    return _MADE[kind]


def _traced(kind: type[Any]) -> type[Tracing]:
    names = {f"{base.__module__}.{base.__name__}" for base in kind.__mro__}
    way: type[Tracing]
    ours: type[Tracing]
    if "twisted.internet.asyncioreactor.AsyncioSelectorReactor" in names:
        # It takes asyncio, which few have imported.
        from nbtwisted.reactor.traced_asyncio import (
            AsyncioTracing,
            TracedAsyncioReactor,
        )

        way, ours = AsyncioTracing, TracedAsyncioReactor
    elif names & {
        "twisted.internet.epollreactor.EPollReactor",
        "twisted.internet.pollreactor.PollReactor",
    }:
        from nbtwisted.reactor.traced import TracedReactor

        way, ours = PollTracing, TracedReactor
    else:
        raise CannotTrace(
            f"{kind.__name__} cannot be traced: expected a reactor of Twisted's for "
            "epoll, poll or asyncio, or one of nbtwisted's"
        )
    # For ours that send at once, there is one by a name of its own.
    if kind in ours.__mro__ and kind.__module__.startswith("nbtwisted."):
        return ours
    made: Any = _StandsFor(
        f"Traced{kind.__name__}", (way, kind), {"__module__": __name__, "kind": kind}
    )
    return cast(type[Tracing], made)


def adopt(reactor: Any, settings: Settings | None = None) -> None:
    """Make a reactor that is there a traced one: it stays the same object.

    One that is traced already stays as it is. If it runs, it is this thread that runs
    it. Raises `CannotTrace` for one that cannot be.
    """
    if not isinstance(reactor, Tracing):
        reactor.__class__ = traced(type(reactor))
        reactor.trace(settings or Tracing.default_settings or Settings())
    # For programs that never stop it, or do not run it.
    atexit.register(reactor.finish)


def trace_whichever_comes(
    settings: Settings, prepare: Callable[[Any], None] = lambda reactor: None
) -> None:
    """Have this process run on a traced reactor, whichever it will ask for.

    Whatever else is to be done with it, `prepare` does.

    Nothing is installed by this. The traced classes stand in the place of Twisted's and
    of ours, because programs compare classes (Scrapy does), and whatever is installed
    becomes a traced one.

    To install one that cannot be traced raises `CannotTrace` from here on.
    """
    Tracing.default_settings = settings
    for module_name, name in _KINDS.items():
        try:
            module = import_module(module_name)
        except ImportError:
            # This platform has no such thing.
            continue
        setattr(module, name, traced(getattr(module, name)))
    install = main.installReactor

    def install_traced(reactor: Any) -> None:
        adopt(reactor)
        prepare(reactor)
        install(reactor)

    main.installReactor = install_traced
