"""Certificates of fault ports: each is refused for its fault, and for nothing else."""

from __future__ import annotations

import contextlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.ports import tls
from nbtwisted.server.ports.authority import WRONG_HOST, Authority, Credentials
from nbtwisted.server.ports.tls import Handshakes

NO_CHECK_OF_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""

PARTIAL_CHAIN = 0x80000
"""The same of X509_V_FLAG_PARTIAL_CHAIN, which Python 3.10 has no name for."""


class CertificateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority()

    def show(self, kind: str) -> Credentials:
        return self.authority.credentials(kind, "192.0.2.1")

    def trusting(self, *others: x509.Certificate) -> ssl.SSLContext:
        trusted = [self.authority.pem]
        trusted += [other.public_bytes(Encoding.PEM).decode() for other in others]
        context = ssl.create_default_context(cadata="".join(trusted))
        # What Python sets from 3.13 on.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def shake_hands(
        self,
        shown: Credentials,
        client: ssl.SSLContext,
        host: str = "localhost",
        *,
        is_old: bool = False,
    ) -> str | None:
        """Shake hands in memory; the version of TLS. Raises `ssl.SSLError`."""
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname=host)
        handshakes = Handshakes(shown, is_old=is_old)
        far = handshakes.serverConnectionForTLS(None)
        far.set_accept_state()
        for _ in range(3):
            with contextlib.suppress(ssl.SSLWantReadError):
                near.do_handshake()
            if to_server.pending:
                far.bio_write(to_server.read())
            with contextlib.suppress(SSL.WantReadError, SSL.Error):
                far.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                to_client.write(far.bio_read(2**16))
        near.do_handshake()
        return near.version()

    def refusal(self, kind: str, host: str = "localhost") -> str:
        with self.assertRaises(ssl.SSLCertVerificationError) as caught:
            self.shake_hands(self.show(kind), self.trusting(), host)
        return str(caught.exception.verify_message)

    def test_nothing_is_wrong(self) -> None:
        shown = self.show("tls-good")
        for host in ("localhost", "127.0.0.1", "::1", "192.0.2.1"):
            self.assertEqual(self.shake_hands(shown, self.trusting(), host), "TLSv1.3")
        # Nobody else trusts it.
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.shake_hands(shown, ssl.create_default_context())

    def test_dates(self) -> None:
        anytime = self.trusting()
        anytime.verify_flags |= ssl.VerifyFlags(NO_CHECK_OF_TIME)
        for kind, words in {
            "tls-expired": "certificate has expired",
            "tls-not-yet": "certificate is not yet valid",
        }.items():
            self.assertEqual(self.refusal(kind), words)
            self.assertIsNotNone(self.shake_hands(self.show(kind), anytime))

    def test_the_host(self) -> None:
        for host in ("localhost", "127.0.0.1", "::1"):
            self.assertIn("mismatch", self.refusal("tls-wrong-host", host))
        shown = self.show("tls-wrong-host")
        self.assertIsNotNone(self.shake_hands(shown, self.trusting(), WRONG_HOST))

    def test_signed_by_itself(self) -> None:
        self.assertIn("self", self.refusal("tls-self-signed"))
        shown = self.show("tls-self-signed")
        knowing = self.trusting(shown.chain[0])
        knowing.verify_flags |= ssl.VerifyFlags(PARTIAL_CHAIN)
        self.assertIsNotNone(self.shake_hands(shown, knowing))

    def test_nobody_knows_the_authority(self) -> None:
        other = Authority()
        shown = other.credentials("tls-unknown-ca", "127.0.0.1")
        with self.assertRaises(ssl.SSLCertVerificationError) as caught:
            self.shake_hands(shown, self.trusting())
        self.assertIn("unable to get", str(caught.exception))
        knowing = ssl.create_default_context(cadata=other.pem)
        self.assertIsNotNone(self.shake_hands(shown, knowing))

    def test_no_intermediate(self) -> None:
        self.assertIn("unable to get", self.refusal("tls-no-intermediate"))
        _, intermediate = self.show("tls-good").chain
        shown = self.show("tls-no-intermediate")
        self.assertIsNotNone(self.shake_hands(shown, self.trusting(intermediate)))

    def test_old_tls(self) -> None:
        shown = self.show("tls-old")
        with self.assertRaises(ssl.SSLError):
            self.shake_hands(shown, self.trusting(), is_old=True)
        old = self.trusting()
        old.set_ciphers("ALL:@SECLEVEL=0")
        # By another name, because Python warns of the versions' own.
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        self.assertEqual(self.shake_hands(shown, old, is_old=True), "TLSv1.1")

    def test_where_openssl_speaks_no_old_tls(self) -> None:
        def refuse(*_: object) -> None:
            raise SSL.Error([])

        self.patch(tls, "_shake_hands", refuse)
        with self.assertRaisesRegex(ValueError, "OpenSSL .* speaks no TLS 1.0 and 1.1"):
            Handshakes(self.show("tls-old"), is_old=True)

    def test_no_key_is_in_the_authority(self) -> None:
        self.assertEqual(self.authority.pem.count("-----BEGIN"), 1)
        self.assertIn("-----BEGIN CERTIFICATE-----", self.authority.pem)
