"""TLS towards clients: the certificate that they are shown."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer

from nbtwisted.client.connection.tls import load_file

__all__ = ["Certificate"]


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
