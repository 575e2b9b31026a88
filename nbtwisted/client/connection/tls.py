"""TLS on a connection: whom to trust, whom to be, and which check failed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any
from weakref import WeakKeyDictionary

from cryptography.x509 import (
    DNSName,
    ExtensionNotFound,
    IPAddress,
    SubjectAlternativeName,
)
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, platformTrust
from zope.interface import implementer

from nbtwisted.client.errors import CertificateRefused, TLSFailed
from nbtwisted.printable import printable

__all__ = ["TLS", "Handshake", "load_file"]

_CHECKS = {
    9: "date: it is not valid yet",
    10: "date: it has expired",
    18: "authority: it is signed by itself",
    19: "authority: its chain ends with one that is signed by itself",
    20: "authority: nobody knows who signed it",
    21: "authority: nobody knows who signed it",
    23: "authority: it has been revoked",
    24: "authority: one of its signers may not sign",
    26: "purpose: it is not for servers",
    34: "extensions: one that is critical is unknown",
    47: "name: its authority may not sign for it",
    48: "name: its authority may not sign for it",
    66: "key: it is too weak",
    67: "authority: one of its signers has a key that is too weak",
    68: "signature: its digest is too weak",
    79: "authority: one of its signers may not sign",
}
"""What OpenSSL's codes of X509_verify_cert mean; from its x509_vfy.h."""


class TLS:
    """How to speak TLS: shared by all connections of a run.

    Unless `verify` is false, a server must show a certificate that is signed by an
    authority the system trusts, or by one in the file `authorities` (PEM), is valid
    today, and has the host's name. `certificate` and `key` are files (PEM) that say who
    we are, the key in the same file unless it has its own. `protocols` are those that
    are offered to be spoken over it (ALPN); none, and the server is not asked.

    Raises `OSError` for a file that cannot be read, and `ValueError` for one that holds
    something else.
    """

    def __init__(
        self,
        *,
        verify: bool = True,
        authorities: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        protocols: Sequence[bytes] = (b"http/1.1",),
    ) -> None:
        self.verify = verify
        trust = platformTrust() if verify and authorities is None else None
        self._context = CertificateOptions(trustRoot=trust).getContext()
        if protocols:
            # Twisted's own way puts it on each connection, and we make these.
            self._context.set_alpn_protos(list(protocols))
        # Checks are reported to the context, which all connections share.
        self.handshakes: WeakKeyDictionary[SSL.Connection, Handshake] = (
            WeakKeyDictionary()
        )
        if verify:
            self._context.set_verify(SSL.VERIFY_PEER, self._note_what_failed)
            if authorities is not None:
                load_file(self._context.load_verify_locations, authorities)
        if certificate is not None:
            load_file(self._context.use_certificate_chain_file, certificate)
            load_file(self._context.use_privatekey_file, key or certificate)

    def _note_what_failed(
        self,
        connection: SSL.Connection,
        certificate: Any,
        code: int,
        depth: int,
        is_good: int,
    ) -> bool:
        handshake = self.handshakes[connection]
        if not is_good and handshake.failed_check is None:
            handshake.failed_check = _CHECKS.get(code, f"OpenSSL check number {code}")
        return bool(is_good)

    def handshake(self, host: str) -> Handshake:
        """What begins TLS with `host` on a connection."""
        return Handshake(self, host)


def load_file(load: Callable[[str], None], path: str) -> None:
    """Let a context of OpenSSL's load a file.

    Raises `OSError` for one that cannot be read, and `ValueError` for one that holds
    something else.
    """
    # OpenSSL does not say when a file cannot be read at all.
    with open(path, "rb"):
        pass
    try:
        load(path)
    except SSL.Error as error:
        # A list of (library, function, reason), none if it is no PEM at all.
        if any("mismatch" in reason for *_, reason in error.args[0]):
            raise ValueError(f"{path}: expected the certificate's key") from None
        raise ValueError(f"{path}: expected certificates, or a key, in PEM") from None


@implementer(IOpenSSLClientConnectionCreator)
class Handshake:
    """One handshake with one host, to hand to `startTLS`."""

    def __init__(self, tls: TLS, host: str) -> None:
        self.failed_check: str | None = None
        self._tls = tls
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """The connection that OpenSSL is to shake hands on."""
        connection = SSL.Connection(self._tls._context, None)
        self._tls.handshakes[connection] = self
        if not _is_address(self._host):
            # RFC 6066, 3: no addresses, and no dot at the end.
            connection.set_tlsext_host_name(self._host.rstrip(".").encode("ascii"))
        return connection

    def check_name(self, connection: SSL.Connection) -> None:
        """Raise `CertificateRefused` unless the certificate has the host's name."""
        if not self._tls.verify:
            return
        try:
            _expect_name(connection, self._host)
        except ValueError as error:
            raise CertificateRefused(
                f"the certificate was refused for its name: {error}"
            ) from None

    def error(self, reason: BaseException | None) -> TLSFailed | CertificateRefused:
        """What the failure of the handshake means."""
        if self.failed_check is not None:
            return CertificateRefused(
                f"the certificate was refused for its {self.failed_check}"
            )
        if isinstance(reason, SSL.Error) and reason.args and reason.args[0]:
            # A list of (library, function, reason), the last one first.
            return TLSFailed(f"the TLS handshake failed: {reason.args[0][0][-1]}")
        return TLSFailed("the connection ended in the TLS handshake")


def _expect_name(connection: SSL.Connection, host: str) -> None:
    """Raise `ValueError`, with the reason, unless what was shown is for this host.

    Only the names in subjectAltName count: RFC 9525, 2 and 6.3. One that is no name, or
    a wildcard that may not be, is for no host, and takes nothing from the others.
    """
    try:
        # The library warns of faults that OpenSSL has judged already.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            certificate = connection.get_peer_certificate(as_cryptography=True)
            assert certificate is not None, "OpenSSL takes no server without one"
            extensions = certificate.extensions
        found = extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        raise ValueError("it has no subjectAltName") from None
    # Whatever the library makes of bytes that a stranger sent.
    except Exception:
        raise ValueError("it has extensions that cannot be read") from None
    names = found.get_values_for_type(DNSName)
    addresses = found.get_values_for_type(IPAddress)
    if _is_address(host):
        is_for_host = ip_address(host) in addresses
    else:
        is_for_host = any(_matches(name, host) for name in names)
    if not is_for_host:
        all_names = ", ".join([*names, *map(str, addresses)]) or "no host"
        raise ValueError(
            f"it is not for {host} but for {printable(all_names, longest=200)}"
        )


def _matches(name: str, host: str) -> bool:
    """Whether a certificate's name is for the host: RFC 9525, 6.3.

    `*` is for any first label, also one in Punycode, which libraries that follow RFC
    6125 refuse.
    """
    # Letters beyond ASCII may have small ones within it.
    name, host = name.lower() if name.isascii() else "", host.removesuffix(".")
    name = name.removesuffix(".")
    first, _, rest = name.partition(".")
    if first == "*":
        return "." in rest and host.partition(".")[2] == rest
    return name == host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
