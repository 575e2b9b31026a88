"""Sends at once, for protocols that write whole messages and nothing else.

`transport.write` waits for the end of the turn, so that what is written in pieces goes
out together. Who has all of it in one piece need not wait: the server answers a fifth
more requests of wrk's for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Literal

from twisted.internet import abstract, tcp

__all__ = ["Way", "prompt_writer", "way_of"]


Way = Literal["by its socket", "by writeSomeData", "by doWrite"]
"""How a transport sends what it has: as Twisted's TCP does; by a `writeSomeData` of its
own, such as that of UNIX sockets; by a `doWrite` of its own."""


def way_of(transport: tcp.Connection) -> Way:
    """How `transport` sends, unless it is TLS: also if somebody has patched it."""
    kind, own = transport.__class__, transport.__dict__
    if kind.doWrite is not _DO_WRITE or "doWrite" in own:
        return "by doWrite"
    if kind.writeSomeData is not _WRITE_SOME_DATA or "writeSomeData" in own:
        return "by writeSomeData"
    return "by its socket"


def _as_it_came(function: Any, module: ModuleType) -> Any:
    """A function, or None if it is not that of `module`: patched before we came."""
    code = getattr(function, "__code__", None)
    came = code is not None and code.co_filename == module.__file__
    return function if came else None


_DO_WRITE = _as_it_came(abstract.FileDescriptor.doWrite, abstract)
_WRITE_SOME_DATA = _as_it_came(tcp.Connection.writeSomeData, tcp)


def prompt_writer(transport: Any) -> Callable[[bytes], bool | None]:
    """What to call in place of `transport.write`, until the connection becomes TLS.

    It sends before it returns, as far as the kernel takes it, and writes the rest as
    ever; it returns whether the kernel took all. For transports that are no plain TCP
    it is `write` itself, which returns nothing.

    Private names, with Twisted 24.11.0 and 26.10.0: `_tempDataBuffer`, `_aborting`.
    """
    is_plain = (
        isinstance(transport, tcp.Connection)
        and way_of(transport) == "by its socket"
        and not transport.TLS
    )
    if not is_plain:
        write: Callable[[bytes], bool | None] = transport.write
        return write
    # One of them stays for each connection, so a closure would be four objects more.
    return partial(_send_promptly, transport)


def _send_promptly(transport: Any, data: bytes) -> bool:
    if (
        transport.dataBuffer
        or transport._tempDataBuffer
        or transport.disconnecting
        or transport._aborting
        or not transport.connected
    ):
        transport.write(data)
        return False
    try:
        sent = transport.socket.send(data)
    except OSError:
        # Full, or broken: Twisted will find out, and say so in its own time.
        sent = 0
    if sent == len(data):
        return True
    transport.write(data[sent:])
    return False
