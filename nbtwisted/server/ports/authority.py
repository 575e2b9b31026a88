"""An authority of the server's own, and certificates that are wrong in one way each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Credentials"]

WRONG_HOST = "wrong.host.invalid"

VALID = (-1, 396)
"""Days from now. Apple's systems take no certificate that is valid for longer."""

EXPIRED = (-366, -1)
NOT_YET = (3650, 4046)
"""No server runs until then."""


@dataclass(frozen=True)
class Credentials:
    """The certificates that a server shows, from its own upwards, and its key."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]


class Authority:
    """A root with an intermediate, which signs for servers on this machine.

    pem   the root's certificate
    """

    def __init__(self) -> None:
        # Two with one name would be taken for each other by whoever has both.
        name = f"nbtwisted {x509.random_serial_number():x}"[:26]
        self._root = _issue(f"{name} root", None)
        self._intermediate = _issue(f"{name} intermediate", self._root)
        (root,) = self._root.chain
        self.pem = root.public_bytes(Encoding.PEM).decode()

    def credentials(self, kind: str, host: str) -> Credentials:
        """New credentials for a port of a kind that has TLS.

        But for its fault, the certificate is right for localhost, its addresses, and
        the address `host`.
        """
        hosts = _names(host)
        if kind == "tls-self-signed":
            return _issue("localhost", None, hosts=hosts)
        if kind == "tls-wrong-host":
            hosts = [x509.DNSName(WRONG_HOST)]
        days = {"tls-expired": EXPIRED, "tls-not-yet": NOT_YET}.get(kind, VALID)
        name = hosts[0].value
        signed = _issue(name, self._intermediate, days=days, hosts=hosts)
        if kind == "tls-no-intermediate":
            return Credentials(signed.key, signed.chain[:1])
        return signed


def _names(host: str) -> list[x509.GeneralName]:
    # Without the zone that an address of one link has.
    addresses = dict.fromkeys(("127.0.0.1", "::1", host.partition("%")[0]))
    return [
        x509.DNSName("localhost"),
        *(x509.IPAddress(ip_address(address)) for address in addresses),
    ]


def _issue(
    name: str,
    by: Credentials | None,
    *,
    days: tuple[int, int] = VALID,
    hosts: list[x509.GeneralName] | None = None,
) -> Credentials:
    """A new key and its certificate, signed `by` another or by itself.

    It is a server's if it has `hosts`, and an authority's if not. Its chain ends below
    the root.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, issuer = (key, subject) if by is None else (by.key, by.chain[0].subject)
    now, day = datetime.now(timezone.utc), timedelta(days=1)
    is_authority = hosts is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * day)
        .not_valid_after(now + days[1] * day)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(_usage(is_authority), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    if hosts is not None:
        for_servers = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        names = x509.SubjectAlternativeName(hosts)
        builder = builder.add_extension(for_servers, critical=False)
        builder = builder.add_extension(names, critical=False)
    above = by.chain if by is not None and _is_intermediate(by) else ()
    return Credentials(key, (builder.sign(signer, SHA256()), *above))


def _is_intermediate(credentials: Credentials) -> bool:
    own = credentials.chain[0]
    return own.issuer != own.subject


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
