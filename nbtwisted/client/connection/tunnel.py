"""How a proxy is asked for a connection to a host: by CONNECT, and by SOCKS5. Pure.

RFC 9110, 9.3.6, and RFC 1928 with RFC 1929.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Protocol

from nbtwisted import __version__
from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.errors import (
    EmptyResponse,
    MalformedResponse,
    RequestError,
    ResponseCutShort,
    SOCKSFailed,
    TunnelFailed,
)
from nbtwisted.client.proxies import Proxy
from nbtwisted.client.target import Origin
from nbtwisted.printable import printable

__all__ = ["Connect", "Dialogue", "Socks"]

_PASSING = frozenset((408, 429, 500, 502, 503, 504))
"""Statuses of a refusal that may be otherwise next time."""

_REPLIES = {
    1: "it failed",
    2: "its rules do not allow it",
    3: "the network is unreachable",
    4: "the host is unreachable",
    5: "the connection was refused",
    6: "the time to live ran out",
    7: "it knows no CONNECT",
    8: "it knows no addresses of this type",
}
"""What SOCKS5 has for a refusal: RFC 1928, 6."""

_PASSING_REPLIES = frozenset((1, 3, 4, 5, 6))

_NO_LOGIN, _LOGIN, _NONE_ACCEPTABLE = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_SIZES = {_IPV4: 4, _IPV6: 16}


class Dialogue(Protocol):
    """What is said to a proxy until it has opened a connection, and what it says."""

    is_open: bool
    """Whether it has: what comes next on the connection is the host's."""

    def begin(self) -> bytes:
        """What is to be sent first."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes received; returns what is to be sent then.

        Raises a `RequestError`, whose phase is "proxy".
        """

    def error_at_the_end(self, how: str) -> RequestError:
        """What it means that the connection ended before it was open: `how` it did."""


class Connect:
    """Asks an HTTP proxy by CONNECT.

    The answer is judged as a response is, within `limits`. A tunnel has no body in it
    (RFC 9110, 9.3.6), and that of a refusal is not read.
    """

    def __init__(self, proxy: Proxy, origin: Origin, limits: Limits) -> None:
        self.is_open = False
        self._proxy = proxy
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        self._place = f"{host}:{origin.port}"
        self._reader = ResponseReader(limits)
        self._reader.reset(is_head=True)
        self._received = 0

    def begin(self) -> bytes:
        """As `Dialogue` has it; so are those that follow."""
        lines = [f"CONNECT {self._place} HTTP/1.1", f"Host: {self._place}"]
        if self._proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {self._proxy.authorization}")
        lines.append(f"User-Agent: nbtwisted/{__version__}")
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")

    def feed(self, data: bytes) -> bytes:  # noqa: D102
        reader = self._reader
        self._received += len(data)
        try:
            is_whole = reader.feed(data)
        except MalformedResponse as error:
            raise TunnelFailed(f"the proxy's answer to CONNECT: {error}") from None
        if not is_whole:
            return b""
        head = reader.head
        assert head is not None, "whole without a head"
        if not 200 <= head.status < 300:
            raise self._refusal(head.status, head.reason)
        if reader.received < self._received:
            raise TunnelFailed(
                "bytes behind the proxy's answer to CONNECT, before the host was asked"
            )
        self.is_open = True
        return b""

    def _refusal(self, status: int, reason: str) -> TunnelFailed:
        shown = printable(f"{status} {reason}".strip(), longest=100)
        error = TunnelFailed(f"the proxy refused to connect to {self._place}: {shown}")
        error.status = status
        error.may_pass = status in _PASSING
        return error

    def error_at_the_end(self, how: str) -> RequestError:  # noqa: D102
        try:
            self._reader.end()
        # What is wrong with the bytes says more than that there are no more.
        except MalformedResponse as malformed:
            return TunnelFailed(f"the proxy's answer to CONNECT: {malformed}")
        except (EmptyResponse, ResponseCutShort):
            pass
        error = TunnelFailed(f"the proxy {how} before it had answered CONNECT")
        error.may_pass = True
        return error


class Socks:
    """Asks a SOCKS5 proxy.

    `host` is what it is asked for: a name for it to look up, or an address.
    """

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self.is_open = False
        self._proxy = proxy
        self._host = host
        self._port = port
        self._received = b""
        self._next = self._take_method

    def begin(self) -> bytes:
        """As `Dialogue` has it; so are those that follow."""
        has_login = self._proxy.user is not None
        methods = [_NO_LOGIN, _LOGIN] if has_login else [_NO_LOGIN]
        return bytes([5, len(methods), *methods])

    def feed(self, data: bytes) -> bytes:  # noqa: D102
        self._received += data
        return self._next()

    def error_at_the_end(self, how: str) -> RequestError:  # noqa: D102
        error = SOCKSFailed(f"the proxy {how} in the middle of the SOCKS5 dialogue")
        error.may_pass = True
        return error

    def _take(self, size: int) -> bytes | None:
        """The whole answer, once its `size` bytes are here; nothing may be behind."""
        received = self._received
        if len(received) > size:
            raise SOCKSFailed("bytes behind the proxy's answer in the SOCKS5 dialogue")
        if len(received) < size:
            return None
        self._received = b""
        return received

    def _expect_version(self, version: int) -> None:
        if self._received[:1] not in (b"", bytes([version])):
            raise SOCKSFailed(
                f"the proxy does not speak SOCKS5: expected the version {version}, "
                f"and not {self._received[0]}"
            )

    def _take_method(self) -> bytes:
        self._expect_version(5)
        answer = self._take(2)
        if answer is None:
            return b""
        method, user = answer[1], self._proxy.user
        if method == _NO_LOGIN:
            return self._ask()
        if method == _LOGIN and user is not None:
            self._next = self._take_login
            password = self._proxy.password
            return b"\1%c%b%c%b" % (len(user), user, len(password), password)
        if method != _NONE_ACCEPTABLE:
            raise SOCKSFailed(
                f"the proxy wants a login by method {method}, which it was not offered"
            )
        if user is None:
            raise SOCKSFailed("the proxy wants a login: expected user:password@ in it")
        raise SOCKSFailed("the proxy takes no login by user name and password")

    def _take_login(self) -> bytes:
        self._expect_version(1)
        answer = self._take(2)
        if answer is None:
            return b""
        if answer[1]:
            raise SOCKSFailed("the proxy refused the user name and password")
        return self._ask()

    def _ask(self) -> bytes:
        self._next = self._take_reply
        return b"\5\1\0" + _address(self._host) + self._port.to_bytes(2, "big")

    def _take_reply(self) -> bytes:
        self._expect_version(5)
        received = self._received
        # Some send no more than this when they refuse.
        if len(received) > 1 and received[1]:
            raise self._refusal(received[1])
        if len(received) < 5:
            return b""
        kind = received[3]
        if kind != _NAME and kind not in _SIZES:
            raise SOCKSFailed(f"the proxy's answer has an address of type {kind}")
        size = _SIZES.get(kind, 1 + received[4])
        if self._take(4 + size + 2) is not None:
            self.is_open = True
        return b""

    def _refusal(self, reply: int) -> SOCKSFailed:
        reason = _REPLIES.get(reply, f"reply {reply}, which SOCKS5 has not")
        host = f"[{self._host}]" if ":" in self._host else self._host
        error = SOCKSFailed(
            f"the proxy did not connect to {host}:{self._port}: {reason}"
        )
        error.may_pass = reply in _PASSING_REPLIES
        return error


def _address(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        return bytes([_NAME, len(host)]) + host.encode("ascii")
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed
