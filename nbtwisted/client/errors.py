"""What can go wrong with one request: each error names the phase where it did.

Everything that Twisted, the resolver and llhttp raise is translated into one of
these at the boundary where it is caught, so a `get` fails with nothing else.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from nbtwisted.client.result import RequestError

__all__ = [
    "BadJob",
    "BadURL",
    "CannotUnpack",
    "CertificateRefused",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionLost",
    "DeadlinePassed",
    "EmptyResponse",
    "FirstByteTimeout",
    "Interrupted",
    "MalformedResponse",
    "NameNotResolved",
    "ProxyNotResolved",
    "RequestError",
    "ResponseCutShort",
    "ResponseTooLarge",
    "SOCKSFailed",
    "SendFailed",
    "TLSFailed",
    "TooManyRedirects",
    "TunnelFailed",
    "UnpacksTooLarge",
    "WorkerLost",
]


class BadJob(RequestError):
    """An entry of a list is no request that can be made; nothing was sent.

    `shown` is the entry, for people to read, in place of a URL.
    """

    phase = "input"
    exit_code = 26

    def __init__(self, message: str, *, shown: str) -> None:
        super().__init__(message)
        self.shown = shown


class BadURL(RequestError):
    """The URL cannot be asked for; nothing was sent."""

    phase = "url"
    exit_code = 3


class NameNotResolved(RequestError):
    """The host has no address that could be found."""

    phase = "dns"
    exit_code = 6


class ProxyNotResolved(RequestError):
    """The proxy has no address that could be found."""

    phase = "proxy"
    exit_code = 5


class ConnectFailed(RequestError):
    """None of the host's addresses took a connection.

    `phase` is "proxy" if they were the proxy's.
    """

    phase = "connect"
    exit_code = 7


class ConnectTimeout(RequestError):
    """Look-up, connection and TLS handshake took longer than they may."""

    phase = "connect"
    exit_code = 28


class TunnelFailed(RequestError):
    """The proxy did not open a tunnel to the host when it was asked by CONNECT.

    `status` is that of its refusal, if it gave one.
    """

    phase = "proxy"
    exit_code = 56
    status: int | None = None
    may_pass = False
    """Whether it may be otherwise next time."""


class SOCKSFailed(RequestError):
    """The proxy did not open a connection to the host when it was asked by SOCKS."""

    phase = "proxy"
    exit_code = 97
    may_pass = False
    """Whether it may be otherwise next time."""


class TLSFailed(RequestError):
    """There is no TLS to be had with the server."""

    phase = "tls"
    exit_code = 35


class CertificateRefused(RequestError):
    """The server's certificate failed a check; the message says which."""

    phase = "tls"
    exit_code = 60


class SendFailed(RequestError):
    """The connection was lost before all of the request was sent."""

    phase = "send"
    exit_code = 55


class EmptyResponse(RequestError):
    """The server closed the connection without sending a byte."""

    phase = "first byte"
    exit_code = 52


class ConnectionLost(RequestError):
    """The connection was reset, or broke in some other way, before the response's end.

    `phase` is "first byte" if nothing was received yet, and "head" if not all of that.
    """

    phase = "body"
    exit_code = 56


class ResponseCutShort(RequestError):
    """The server closed the connection in the middle of its response.

    `phase` is "head" if that was not whole yet.
    """

    phase = "body"
    exit_code = 18


class MalformedResponse(RequestError):
    """What the server sent is not an HTTP/1 response."""

    phase = "framing"
    exit_code = 56


class ResponseTooLarge(RequestError):
    """The body is larger than it may be."""

    phase = "body"
    exit_code = 63


class CannotUnpack(RequestError):
    """The body's content coding is damaged, cut short, or unknown here."""

    phase = "content coding"
    exit_code = 61


class UnpacksTooLarge(RequestError):
    """The body is small as it came, and unpacks to more than it may."""

    phase = "content coding"
    exit_code = 63


class TooManyRedirects(RequestError):
    """The server redirects more often than it may, as it does in a loop."""

    phase = "redirect"
    exit_code = 47


class FirstByteTimeout(RequestError):
    """The first byte of the response took longer to come than it may."""

    phase = "first byte"
    exit_code = 28


class DeadlinePassed(RequestError):
    """The request took longer, in all, than it may."""

    phase = "deadline"
    exit_code = 28


class WorkerLost(RequestError):
    """The worker of a cluster that had the request was lost, and no other took it."""

    phase = "cluster"
    exit_code = 56


class Interrupted(RequestError, CancelledError):
    """The request was cancelled before it ended."""

    phase = "interrupted"
    exit_code = 130
