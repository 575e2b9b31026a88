"""Sends at once, for protocols that write whole messages and nothing else.

`transport.write` waits for the end of the turn, so that what is written in pieces goes
out together. Who has all of it in one piece need not wait: the server answers a fifth
more requests of wrk's for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import tcp

__all__ = ["prompt_writer"]


def prompt_writer(transport: Any) -> Callable[[bytes], None]:
    """What to call in place of `transport.write`, until the connection becomes TLS.

    It sends before it returns, as far as the kernel takes it, and writes the rest as
    ever. For transports that are no plain TCP it is `write` itself.

    Private names, with Twisted 24.11.0 and 26.10.0: `_tempDataBuffer`, `_aborting`.
    """
    is_plain = (
        isinstance(transport, tcp.Connection)
        # UNIX sockets may have descriptors to send besides.
        and type(transport).writeSomeData is tcp.Connection.writeSomeData
        and not transport.TLS
    )
    if not is_plain:
        write: Callable[[bytes], None] = transport.write
        return write
    send = transport.socket.send

    def write_now(data: bytes) -> None:
        if (
            transport.dataBuffer
            or transport._tempDataBuffer
            or transport.disconnecting
            or transport._aborting
            or not transport.connected
        ):
            transport.write(data)
            return
        try:
            sent = send(data)
        except OSError:
            # Full, or broken: Twisted will find out, and say so in its own time.
            sent = 0
        if sent < len(data):
            transport.write(data[sent:])

    return write_now
