"""TLS towards clients: the certificate that they are shown."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from nbtwisted.client.connection.tls import load_file

__all__ = ["Certificate", "in_tls"]


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """A certificate with its chain, and its key: files (PEM), or one file with both.

    Raises `OSError` for a file that cannot be read, and `ValueError` for one that holds
    something else.
    """

    def __init__(self, certificate: str, key: str | None = None) -> None:
        self._context = CertificateOptions().getContext()
        load_file(self._context.use_certificate_chain_file, certificate)
        load_file(self._context.use_privatekey_file, key or certificate)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """The connection that OpenSSL is to shake hands on."""
        return SSL.Connection(self._context, None)


def in_tls(factory: Any, certificate: str, key: str | None, reactor: Any) -> Any:
    """A factory of the same protocols, over TLS; raises what `Certificate` raises."""
    return TLSMemoryBIOFactory(Certificate(certificate, key), False, factory, reactor)
