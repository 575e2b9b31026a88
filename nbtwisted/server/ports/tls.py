"""Handshakes of ports with TLS."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from nbtwisted.server.ports.authority import Credentials

__all__ = ["Handshakes"]

_HTTP_1 = b"http/1.1"
_LARGEST_FLIGHT = 2**16
"""Bytes of one turn in a handshake."""


@implementer(IOpenSSLServerConnectionCreator)
class Handshakes:
    """Begins TLS on each connection of a port, as a server with these credentials.

    If `is_old`, it speaks TLS 1.0 and 1.1 alone. Raises `ValueError` where OpenSSL
    speaks neither any more.
    """

    def __init__(self, credentials: Credentials, *, is_old: bool = False) -> None:
        self._context = SSL.Context(SSL.TLS_METHOD)
        own, *others = credentials.chain
        self._context.use_certificate(own)
        self._context.use_privatekey(credentials.key)
        for certificate in others:
            self._context.add_extra_chain_cert(certificate)
        self._context.set_alpn_select_callback(_choose)
        if is_old:
            _speak_old_tls(self._context)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """The connection that OpenSSL is to shake hands on."""
        return SSL.Connection(self._context, None)


def _choose(connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
    return _HTTP_1 if _HTTP_1 in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _speak_old_tls(context: SSL.Context) -> None:
    """Lower what a context speaks; raises `ValueError` where OpenSSL does not."""
    client = SSL.Context(SSL.TLS_METHOD)
    try:
        for each in (context, client):
            each.set_min_proto_version(SSL.TLS1_VERSION)
            each.set_max_proto_version(SSL.TLS1_1_VERSION)
            # Both sign with SHA-1, which every other level forbids.
            each.set_cipher_list(b"ALL:@SECLEVEL=0")
        _shake_hands(SSL.Connection(client), SSL.Connection(context))
    except SSL.Error:
        version = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()
        raise ValueError(f"{version} speaks no TLS 1.0 and 1.1 any more") from None


def _shake_hands(client: SSL.Connection, server: SSL.Connection) -> None:
    """Shake hands in memory; raises `SSL.Error` if they cannot."""
    client.set_connect_state()
    server.set_accept_state()
    # Each has two turns.
    for one, other in [(client, server), (server, client)] * 2:
        with suppress(SSL.WantReadError):
            one.do_handshake()
        other.bio_write(one.bio_read(_LARGEST_FLIGHT))
    client.do_handshake()
