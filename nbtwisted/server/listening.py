"""Twisted's endpoint descriptions, with defaults of ours.

The backlog is longer, and only their owner may open UNIX sockets. Sockets of servers
that were killed are taken over: Twisted takes them for used if the process id in their
lock file belongs to anybody by now. A malformed PROXY header closes its connection
without a traceback.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import stat
from contextlib import suppress
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort

# Twisted's only name for it.
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.protocols.policies import WrappingFactory

__all__ = ["BACKLOG", "completed", "lets_others_in", "listen", "on_loopback"]

BACKLOG = 8192
"""Connections that may wait to be accepted, below the kernel's own cap (on Linux
net.core.somaxconn, mostly 4096). Twisted's default of 50 drops bursts."""

UNIX_MODE = "600"
"""Rights of a UNIX socket: its clients are operators. Twisted's default is 666."""

_PARAMETERS = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "backlog", "interface"),
    "ssl": ("port", "privateKey", "certKey", "sslmethod", "interface", "backlog"),
    "unix": ("address", "mode", "backlog", "lockfile"),
}
"""Arguments of each kind of endpoint, in the order in which they need no name."""

_ARGUMENT = re.compile(r"((?:\\.|[^\\:])*)(?::|$)", re.S)
_NAMED = re.compile(r"(\w+)=(.*)", re.S)
_PROXIED = "haproxy:"
_UNKNOWN = b"PROXY UNKNOWN\r\n"


def completed(description: str) -> str:
    """The description, with our defaults for missing arguments."""
    if description.startswith(_PROXIED):
        return _PROXIED + completed(description.removeprefix(_PROXIED))
    kind, given = _read(description)
    if kind not in _PARAMETERS:
        return description
    if "backlog" not in given:
        description += f":backlog={BACKLOG}"
    if kind == "unix" and "mode" not in given:
        # Nobody gets in before: Twisted sets the mode between bind() and listen().
        description += f":mode={UNIX_MODE}"
    return description


def on_loopback(description: str) -> str:
    """The description, for this machine alone unless it has an interface."""
    kind, given = _read(description.removeprefix(_PROXIED))
    if "interface" in given or "interface" not in _PARAMETERS.get(kind, ()):
        return description
    return description + ":interface=" + (r"\:\:1" if kind == "tcp6" else "127.0.0.1")


def lets_others_in(description: str) -> bool:
    """Whether other machines can connect to where a description listens."""
    kind, given = _read(description.removeprefix(_PROXIED))
    if "interface" not in _PARAMETERS.get(kind, ()):
        return False
    try:
        address = ipaddress.ip_address(_unquoted(given.get("interface", "")))
    except ValueError:
        return True
    return not address.is_loopback


class _ByProxy(HAProxyProtocolWrapper):
    """Twisted's connection that begins with a PROXY header, with errors caught."""

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of the header, or behind it."""
        if self._proxyInfo is not None:
            self.wrappedProtocol.dataReceived(data)
            return
        if data.startswith(_UNKNOWN):
            # Twisted wants a space, against the protocol's description (2.1).
            data = data.replace(_UNKNOWN, b"PROXY UNKNOWN \r\n", 1)
        try:
            super().dataReceived(data)
        except (ValueError, KeyError):
            if self._proxyInfo is not None:
                raise
            # The port is no number, the address no text, or the family unknown.
            self.loseConnection()  # type: ignore[no-untyped-call]


class _ByProxyFactory(WrappingFactory):
    protocol = _ByProxy
    noisy = False


async def listen(reactor: Any, description: str, factory: Any) -> IListeningPort:
    """Listen as a description says; raises what Twisted's endpoints raise."""
    _make_way(description)
    described = completed(description)
    if described.startswith(_PROXIED):
        described = described.removeprefix(_PROXIED)
        factory = _ByProxyFactory(factory)  # type: ignore[no-untyped-call]
    port: IListeningPort = await serverFromString(reactor, described).listen(factory)
    return port


def _make_way(description: str) -> None:
    """Remove the UNIX socket, and its lock, of a server that was killed.

    Raises `OSError` when somebody listens there.
    """
    kind, given = _read(description.removeprefix(_PROXIED))
    if kind != "unix" or not given.get("address"):
        return
    path = _unquoted(given["address"])
    with socket.socket(socket.AF_UNIX) as probe:
        # A full backlog would block.
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            pass
        except ConnectionRefusedError:
            if not stat.S_ISSOCK(os.stat(path).st_mode):
                return
            os.unlink(path)
            _unlock(path)
            return
        except FileNotFoundError:
            _unlock(path)
            return
        except OSError:
            # bind() will report it.
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)


def _read(description: str) -> tuple[str, dict[str, str]]:
    """The kind of an endpoint, and its arguments by their names."""
    kind, _, rest = description.partition(":")
    names = iter(_PARAMETERS.get(kind, ()))
    given = {}
    for argument in _ARGUMENT.findall(rest):
        named = _NAMED.fullmatch(argument)
        if named:
            given[named[1]] = named[2]
        elif argument:
            given[next(names, "")] = argument
    return kind, given


def _unquoted(argument: str) -> str:
    return re.sub(r"\\(.)", r"\1", argument)


def _unlock(path: str) -> None:
    lock = f"{path}.lock"
    if os.path.islink(lock):
        with suppress(FileNotFoundError):
            os.unlink(lock)
