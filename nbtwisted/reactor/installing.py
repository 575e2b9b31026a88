"""Makes a reactor of ours that of the process, and says so to whoever installs another.

Programs install Twisted's epoll reactor by name, to be sure of it: by
`epollreactor.install()`, or as Autobahn's `install_reactor()` does. Ours is one, so
they have what they ask for. Any other cannot be had any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet import main
from twisted.internet.error import ReactorAlreadyInstalledError

if TYPE_CHECKING:
    from twisted.internet.epollreactor import EPollReactor

__all__ = ["install"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# EPollReactor: _internalReaders, _poller

_first_install = main.installReactor


def install(kind: type[EPollReactor], make: Callable[[], EPollReactor]) -> None:
    """Have the process run on a reactor of this kind, made by `make`.

    Where it runs on one already, that stays: a program that installs the eager one may
    be run by `nbtwisted trace`.

    Raises `twisted.internet.error.ReactorAlreadyInstalledError` if it has another.
    """
    installed = _installed()
    if isinstance(installed, kind):
        return
    if installed is not None:
        raise ReactorAlreadyInstalledError(
            f"reactor already installed: {_name(installed)} was there first, and "
            f"{kind.__name__} cannot follow; install it before anything imports "
            "twisted.internet.reactor, or be content with what is there"
        )
    main.installReactor(make())
    main.installReactor = _install_another


def _install_another(reactor: Any) -> None:
    """What every reactor's `install` calls, once ours is there."""
    from twisted.internet.epollreactor import EPollReactor

    installed = _installed()
    if installed is None:
        # Somebody has taken it out again.
        _first_install(reactor)
    elif type(reactor) is EPollReactor and isinstance(installed, EPollReactor):
        # It has opened these to no purpose.
        for waker in reactor._internalReaders:
            waker.connectionLost(None)
        reactor._poller.close()
    else:
        raise ReactorAlreadyInstalledError(
            f"reactor already installed: the program asks for {_name(reactor)}, but "
            f"runs on {_name(installed)}; have it install none, or Twisted's epoll "
            "reactor, or run it without --reactor and `nbtwisted trace`"
        )


def _installed() -> Any:
    return sys.modules.get("twisted.internet.reactor")


def _name(reactor: object) -> str:
    return type(reactor).__name__
