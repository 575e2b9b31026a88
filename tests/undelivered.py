"""What the kernel tells of bytes that are on their way."""

from __future__ import annotations

import fcntl
import socket
import sys
import termios

__all__ = ["undelivered"]


def undelivered(connection: socket.socket) -> int:
    """Count the bytes that were sent and that the other machine has not taken."""
    waiting = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(waiting, sys.byteorder)
