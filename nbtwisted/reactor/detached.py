"""Makes a fork of a program one that shares nothing with it any more.

A fork has the program's files, so that a connection is not closed before both have
closed it; its terminal; and handlers of signals, which write where the program reads.
All of that is cut here. What `socket.socket` tells of addresses stays, by what was
noted of them before: a process is changed that will be thrown away.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["LONGEST_LIFE", "leave_the_program_alone"]

LONGEST_LIFE = 30
"""Seconds after which the kernel ends the fork."""

NICENESS = 5
"""How much the fork gives way to the program, where there is one core for both."""

WITHOUT_PROC = 1 << 16
"""Descriptors that are tried where nothing lists those that are open."""

_Addresses = dict[int, list[Any]]


def leave_the_program_alone(link: int) -> None:
    """Cut what this fork shares with the program: all files but `link`, all signals."""
    sys.settrace(None)
    sys.setprofile(None)
    # Before any signal can come: the program reads what comes there.
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LONGEST_LIFE)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Should it crash, that is none of the program's crashes.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    addresses = _addresses(link)
    os.closerange(0, max(link, 0))
    os.closerange(link + 1, os.sysconf("SC_OPEN_MAX"))
    for end, ask in enumerate(("getsockname", "getpeername")):
        setattr(socket.socket, ask, _from(addresses, end))
    with contextlib.suppress(OSError):
        os.nice(NICENESS)


def _addresses(link: int) -> _Addresses:
    """The local address and the peer's of each socket, by its descriptor."""
    if link < 0:
        # The listing needs a descriptor, and there is none left.
        os.closerange(0, 3)
    found: _Addresses = {}
    for descriptor in _descriptors():
        with contextlib.suppress(OSError):
            one = socket.socket(fileno=descriptor)
            found[descriptor] = [_asked(one.getsockname), _asked(one.getpeername)]
            one.detach()
    return found


def _descriptors() -> Iterable[int]:
    try:
        return list(map(int, os.listdir("/proc/self/fd")))
    except OSError:
        # The program's root has no /proc.
        return range(min(os.sysconf("SC_OPEN_MAX"), WITHOUT_PROC))


def _asked(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except OSError:
        return None


def _from(addresses: _Addresses, end: int) -> Callable[[socket.socket], Any]:
    def ask(one: socket.socket) -> Any:
        known = addresses.get(one.fileno())
        if known is None or known[end] is None:
            raise OSError("it had none")
        return known[end]

    return ask
