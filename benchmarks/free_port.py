"""Finds a port of the loopback that nobody has, for another process to listen on."""

from __future__ import annotations

import random
import socket

__all__ = ["free_port"]

_PORTS = range(20_000, 32_000)
"""Below those that Linux gives to whoever asks for any: whatever runs meanwhile asks
for some, and could have this one before the process that it is for."""

# Processes that run side by side draw each their own; hypothesis seeds the global one.
_drawn = random.SystemRandom()


def free_port() -> int:
    """Find a port at which nobody listens, which stays so but for who asks here."""
    while True:
        port = _drawn.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
