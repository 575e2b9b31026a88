"""TLS on a connection: whom to trust, whom to be, and which check failed."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from weakref import WeakKeyDictionary

from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, platformTrust
from zope.interface import implementer

from nbtwisted.client.errors import CertificateRefused, TLSFailed

__all__ = ["TLS", "Handshake"]

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
}
"""What OpenSSL's codes of X509_verify_cert mean; from its x509_vfy.h."""


class TLS:
    """How to speak TLS: shared by all connections of a run.

    Unless `verify` is false, a server must show a certificate that is signed by an
    authority the system trusts, or by one in the file `authorities` (PEM), is valid
    today, and has the host's name. `certificate` and `key` are files (PEM) that say who
    we are, the key in the same file unless it has its own.

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
    ) -> None:
        self.verify = verify
        trust = platformTrust() if verify and authorities is None else None
        options = CertificateOptions(trustRoot=trust, acceptableProtocols=[b"http/1.1"])
        self._context = options.getContext()
        # Checks are reported to the context, which all connections share.
        self.handshakes: WeakKeyDictionary[SSL.Connection, Handshake] = (
            WeakKeyDictionary()
        )
        if verify:
            self._context.set_verify(SSL.VERIFY_PEER, self._note_what_failed)
            if authorities is not None:
                self._load(self._context.load_verify_locations, authorities)
        if certificate is not None:
            self._load(self._context.use_certificate_chain_file, certificate)
            self._load(self._context.use_privatekey_file, key or certificate)

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

    @staticmethod
    def _load(load: Callable[[str], None], path: str) -> None:
        # OpenSSL does not say when a file cannot be read at all.
        with open(path, "rb"):
            pass
        try:
            load(path)
        except SSL.Error as error:
            # A list of (library, function, reason), none if it is no PEM at all.
            if any("mismatch" in reason for *_, reason in error.args[0]):
                raise ValueError(f"{path}: expected the certificate's key") from None
            raise ValueError(
                f"{path}: expected certificates, or a key, in PEM"
            ) from None

    def handshake(self, host: str) -> Handshake:
        """What begins TLS with `host` on a connection."""
        return Handshake(self, host)


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
            if _is_address(self._host):
                verify_ip_address(connection, self._host)
            else:
                verify_hostname(connection, self._host.rstrip("."))
        except VerificationError:
            raise CertificateRefused(
                f"the certificate was refused for its name: it is not for {self._host}"
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


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
