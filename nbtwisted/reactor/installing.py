"""Makes a reactor of ours that of the process, and says so to whoever installs another.

Programs install a reactor of Twisted's by name, to be sure of it: by
`epollreactor.install()`, or as Autobahn's `install_reactor()` does. Ours is one, so
they have what they ask for. Any other cannot be had any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import main
from twisted.internet.error import ReactorAlreadyInstalledError

from nbtwisted.reactor.known import twisteds_class

__all__ = ["install", "installed_reactor"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# ReactorBase: _internalReaders; EPollReactor: _poller
# AsyncioSelectorReactor: _asyncioEventloop

_KNOWN = ("twisted", "nbtwisted")


def install(kind: type[Any], make: Callable[[], Any]) -> None:
    """Have the process run on a reactor of this kind, made by `make`.

    Where it runs on one already, that stays: a program that installs the eager one may
    be run by `nbtwisted trace`.

    Raises `twisted.internet.error.ReactorAlreadyInstalledError` if it has another.
    """
    installed = installed_reactor()
    if isinstance(installed, kind):
        return
    if installed is not None:
        raise ReactorAlreadyInstalledError(
            f"reactor already installed: {_name(installed)} was there first, and "
            f"{kind.__name__} cannot follow; install it before anything imports "
            "twisted.internet.reactor, or be content with what is there"
        )
    install_first = main.installReactor
    install_first(make())
    main.installReactor = partial(_install_another, install_first)


def installed_reactor() -> Any:
    """The reactor of this process, or None as long as it has none."""
    return sys.modules.get("twisted.internet.reactor")


def _install_another(install_first: Callable[[Any], None], reactor: Any) -> None:
    """What every reactor's `install` calls, once ours is there."""
    installed = installed_reactor()
    if installed is None:
        # Somebody has taken it out again.
        install_first(reactor)
        return
    asked_for, there = twisteds_class(type(reactor)), twisteds_class(type(installed))
    is_like_it = asked_for is there and _loop(reactor) is _loop(installed)
    # One of the program's own class does what is its own.
    if not is_like_it or type(reactor).__module__.partition(".")[0] not in _KNOWN:
        raise ReactorAlreadyInstalledError(
            f"reactor already installed: the program asks for {_name(reactor)}, but "
            f"runs on {_name(installed)}; have it install none, or Twisted's "
            f"{there.__name__}, or run it without --reactor"
        )
    # It has opened these to no purpose.
    for waker in reactor._internalReaders:
        reactor.removeReader(waker)
        waker.connectionLost(None)
    if hasattr(reactor, "_poller"):
        reactor._poller.close()


def _loop(reactor: Any) -> Any:
    return getattr(reactor, "_asyncioEventloop", None)


def _name(reactor: object) -> str:
    return type(reactor).__name__
