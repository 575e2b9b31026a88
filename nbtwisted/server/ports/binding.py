"""Binds fault ports: those that accept, those that refuse, and those that are full."""

from __future__ import annotations

import errno
import select
import socket
from contextlib import ExitStack

__all__ = ["fill", "listening", "refuse"]

MILLISECONDS_TO_FILL = 1000


def listening(host: str, number: int, backlog: int) -> socket.socket:
    """A new socket that listens; raises `OSError`."""
    with ExitStack() as until_done:
        own = until_done.enter_context(_socket(host))
        # As servers do: old connections of this port may not be forgotten yet.
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind((host, number))
        own.listen(backlog)
        until_done.pop_all()
    return own


def refuse(host: str, number: int, sockets: ExitStack) -> int:
    """Bind a port without listening: the kernel answers each SYN with RST.

    Returns the port's number; no other program gets it until `sockets` are closed.
    Raises `OSError`.
    """
    # Without SO_REUSEADDR: with it, another program might listen here.
    bound = sockets.enter_context(_socket(host))
    bound.bind((host, number))
    return _number(bound)


def fill(host: str, number: int, sockets: ExitStack) -> int:
    """Listen with a backlog that is full: the kernel answers no SYN.

    Returns the port's number; `sockets` are those that keep it so. Raises `OSError`.
    """
    # Linux has room for one more than it is told.
    full = sockets.enter_context(listening(host, number, backlog=0))
    filling = sockets.enter_context(_socket(host))
    filling.setblocking(False)
    filling.connect_ex(full.getsockname())
    # If a stranger was faster, theirs fills it.
    poll = select.poll()
    poll.register(full, select.POLLIN)
    if not poll.poll(MILLISECONDS_TO_FILL):
        raise OSError(errno.ETIMEDOUT, "its backlog does not fill")
    return _number(full)


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)


def _number(bound: socket.socket) -> int:
    number: int = bound.getsockname()[1]
    return number
