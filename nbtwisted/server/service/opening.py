"""Ports that open as the options say, or a sentence that says why one does not."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort

from nbtwisted.server.listening import listen
from nbtwisted.server.service.errors import CannotServe

__all__ = ["listen_at", "open_port", "place"]


async def open_port(
    opening: Callable[[], Awaitable[IListeningPort]], description: str, named_by: str
) -> IListeningPort:
    """Await a port that opens; raises `CannotServe`.

    description  Twisted's endpoint string
    named_by     the option that has it
    """
    try:
        return await opening()
    # Endpoint plugins raise anything; the operator can mend the description.
    except Exception as error:
        why = f"{named_by}: cannot listen on {description!r}: {_why_not(error)}"
        raise CannotServe(why) from None


async def listen_at(
    reactor: Any, description: str, factory: Any, named_by: str
) -> IListeningPort:
    """Listen as a description says; raises `CannotServe`."""
    return await open_port(
        lambda: listen(reactor, description, factory), description, named_by
    )


def _why_not(error: Exception) -> str:
    """The reason why an endpoint does not listen, and the form that it should have."""
    if isinstance(error, CannotListenError):
        error = error.socketError
    if isinstance(error, OverflowError):
        return "expected a port from 0 to 65535"
    if isinstance(error, OSError):
        path = error.filename2 or error.filename
        named = "" if path is None else f"{os.fsdecode(path)}: "
        reason = f"{named}{error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            reason += ": expected a free place (port 0 is any that is free)"
        return reason
    # Errors of Twisted's parsers and of OpenSSL speak of arguments of their own.
    return (
        "expected a Twisted endpoint, such as tcp:PORT, tcp:PORT:interface=ADDRESS, "
        "ssl:PORT:privateKey=FILE:certKey=FILE or unix:PATH"
    )


def place(scheme: str, description: str, address: IAddress) -> str:
    """Where a port is, for people: a URL, or the path of a UNIX socket."""
    end = "/" if scheme.startswith("http") else ""
    if isinstance(address, IPv6Address):
        return f"{scheme}://[{address.host}]:{address.port}{end}"
    if isinstance(address, IPv4Address):
        return f"{scheme}://{address.host}:{address.port}{end}"
    if isinstance(address, UNIXAddress) and address.name is not None:
        return f"unix:{address.name.decode(errors='backslashreplace')}"
    return description
