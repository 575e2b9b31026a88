"""Ports that no connection gets through, because nobody accepts any."""

from __future__ import annotations

import errno
import select
import socket
from contextlib import ExitStack

__all__ = ["fill", "refuse"]

MILLISECONDS_TO_FILL = 1000


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
    listening = sockets.enter_context(_socket(host))
    # As servers do: old connections of this port may not be forgotten yet.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, number))
    # Linux has room for one more than it is told.
    listening.listen(0)
    filling = sockets.enter_context(_socket(host))
    filling.setblocking(False)
    filling.connect_ex(listening.getsockname())
    # If a stranger was faster, theirs fills it.
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    if not poll.poll(MILLISECONDS_TO_FILL):
        raise OSError(errno.ETIMEDOUT, "its backlog does not fill")
    return _number(listening)


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)


def _number(bound: socket.socket) -> int:
    number: int = bound.getsockname()[1]
    return number
