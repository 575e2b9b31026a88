"""HTTPS on real sockets: which certificates are taken, and why others are not."""

from __future__ import annotations

import datetime
import ipaddress
import tempfile
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import ContextFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client import get
from nbtwisted.client.connection.tls import TLS
from nbtwisted.client.errors import (
    CertificateRefused,
    ConnectTimeout,
    RequestError,
    TLSFailed,
)
from nbtwisted.client.request.getting import TLSOptions
from nbtwisted.client.target import Target
from tests.guard import ReactorCase

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class _Contexts(ContextFactory):
    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def getContext(self) -> SSL.Context:
        return self._context


class Secret(Protocol):
    """Answers with the name of the certificate that the client showed, if any."""

    transport: Any

    def __init__(self, answer_and_stop: bool = False) -> None:
        self._stop = answer_and_stop
        self.gone: Deferred[None] = Deferred()
        self.asked = b""

    def dataReceived(self, data: bytes) -> None:
        self.asked += data
        shown = self.transport.getPeerCertificate()
        subject = shown.to_cryptography().subject.rfc4514_string() if shown else ""
        name = subject.encode() or b"nobody"
        self.transport.write(HEAD % len(name) + name)
        if self._stop:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.gone.callback(None)


class HTTPSTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = trustme.CA()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.trusted = str(self.folder / "authority.pem")
        self.authority.cert_pem.write_to_path(self.trusted)
        self.accepted: list[Secret] = []
        self.answer_and_stop = False

    def serve(
        self,
        *names: str,
        authority: trustme.CA | None = None,
        clients: trustme.CA | None = None,
        **when: Any,
    ) -> int:
        """Serve with a certificate for these names; the port."""
        context = SSL.Context(SSL.TLS_METHOD)
        issued = (authority or self.authority).issue_cert(*names, **when)
        issued.configure_cert(context)
        if clients is not None:
            clients.configure_trust(context)
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        return self.listen(context)

    def listen(self, context: SSL.Context) -> int:
        def accept() -> Secret:
            self.accepted.append(Secret(self.answer_and_stop))
            return self.accepted[-1]

        port: IListeningPort = self.reactor.listenSSL(
            0, Factory.forProtocol(accept), _Contexts(context), interface="127.0.0.1"
        )
        self.addCleanup(self.end, port)
        number: int = port.getHost().port  # type: ignore[attr-defined]
        return number

    async def _end(self, port: IListeningPort) -> None:
        stopped = port.stopListening()
        if stopped is not None:
            await stopped
        for connection in self.accepted:
            if not connection.gone.called:
                connection.transport.abortConnection()
                await connection.gone

    def end(self, port: IListeningPort) -> Deferred[None]:
        return Deferred.fromCoroutine(self._end(port))

    def get(
        self, port: int, host: str = "localhost", max_time: float = 10, **tls: Any
    ) -> Deferred[Any]:
        options: TLSOptions = {"authorities": self.trusted, **tls}  # type: ignore[typeddict-item]
        return get(
            f"https://{host}:{port}/",
            reactor=self.reactor,
            overrides={
                (Target.parse(f"http://{host}/").origin.host, port): ["127.0.0.1"]
            },
            tls=options,
            max_time=max_time,
        )

    async def refused(self, request: Deferred[Any], kind: type[RequestError]) -> str:
        with self.assertRaises(kind) as caught:
            await request
        self.assertEqual(caught.exception.phase, "tls")
        # Nothing that was to be secret was sent.
        self.assertFalse(any(connection.asked for connection in self.accepted))
        return str(caught.exception)

    async def test_answers(self) -> None:
        port = self.serve("localhost", "127.0.0.1", "xn--bcher-kva.example")
        for host in ["localhost", "127.0.0.1", "xn--bcher-kva.example"]:
            answer = await self.get(port, host)
            self.assertEqual(answer.body, b"nobody")
            self.assertIsNotNone(answer.timing.tls)
            self.assertGreaterEqual(answer.fileno, 0)

    async def test_a_server_that_does_not_read_on(self) -> None:
        port = self.serve("localhost")
        self.answer_and_stop = True
        # Had it to agree to the end of the connection, this would take a minute.
        answer = await self.get(port, max_time=60)
        self.assertEqual(answer.body, b"nobody")

    async def test_a_name_that_is_not_in_it(self) -> None:
        port = self.serve("other.example", "127.0.0.2")
        for host in ["localhost", "127.0.0.1"]:
            words = await self.refused(self.get(port, host), CertificateRefused)
            self.assertIn(f"name: it is not for {host}", words)

    def certified(
        self, *extensions: tuple[x509.ExtensionType, bool], **names: str
    ) -> int:
        """Serve with a certificate that has these and no other; the port."""
        signer = x509.load_pem_x509_certificate(self.authority.cert_pem.bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        common_name = names.get("common_name", "localhost")
        made = (
            x509.CertificateBuilder()
            .subject_name(
                x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
            )
            .issuer_name(signer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in extensions:
            made = made.add_extension(extension, critical)
        signed = made.sign(
            serialization.load_pem_private_key(  # type: ignore[arg-type]
                self.authority.private_key_pem.bytes(), None
            ),
            hashes.SHA256(),
        )
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate(signed)
        context.use_privatekey(key)
        return self.listen(context)

    async def test_certificates_with_names_that_are_none(self) -> None:
        # Above 32 KiB, Twisted's server would keep a part of the handshake to itself.
        many = [x509.DNSName(f"{number}.example") for number in range(1500)]
        nul = b"\x30\x19\x82\x17localhost\x00.evil.example"
        for names, reason in [
            (None, "it has no subjectAltName"),
            (
                [x509.RFC822Name("a@localhost")],
                "it is not for localhost but for no host",
            ),
            ([x509.DNSName("*")], "it is not for localhost but for *"),
            ([x509.DNSName("*.localhost")], "not for localhost but for *.localhost"),
            ([x509.DNSName("l*")], "it is not for localhost but for l*"),
            ([x509.DNSName("*.*.example")], "it is not for localhost but for *.*.ex"),
            ([x509.DNSName("")], "it is not for localhost but for "),
            ([x509.DNSName("127.0.0.1")], "it is not for localhost but for 127.0.0.1"),
            (many, "it is not for localhost but for 0.example, 1.example, "),
            (nul, r"it is not for localhost but for localhost\x00.evil.example"),
            (b"\x30\x00", "it is not for localhost but for no host"),
            (b"\x30\x05\x82\x03\xff\xfe\xfd", "extensions that cannot be read"),
            (b"\x30\x05\x87\x03\x01\x02\x03", "that cannot be read"),
        ]:
            extension: list[tuple[x509.ExtensionType, bool]] = []
            if isinstance(names, bytes):
                oid = x509.SubjectAlternativeName.oid
                extension = [(x509.UnrecognizedExtension(oid, names), False)]
            elif names is not None:
                extension = [(x509.SubjectAlternativeName(names), False)]
            port = self.certified(*extension)
            words = await self.refused(self.get(port), CertificateRefused)
            self.assertIn("the certificate was refused for its name: ", words)
            self.assertIn(reason, words)
            self.assertLess(len(words), 300)

    async def test_a_subject_alternative_name_that_is_no_der(self) -> None:
        for junk in [b"", b"no DER at all", b"\x30\x80", b"\x30\x7f\x82"]:
            oid = x509.SubjectAlternativeName.oid
            port = self.certified((x509.UnrecognizedExtension(oid, junk), False))
            # The authority, if OpenSSL gives up on the certificate before we do.
            words = await self.refused(self.get(port), CertificateRefused)
            self.assertRegex(words, "^the certificate was refused for its (name|auth)")

    async def test_one_name_that_is_right_is_enough(self) -> None:
        names = [
            x509.DNSName("*"),
            x509.UniformResourceIdentifier("https://localhost:443/"),
            x509.DNSName("*.host.example"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.DNSName("XN--bcher-kva.example"),
            x509.DNSName("dotted.example."),
        ]
        port = self.certified((x509.SubjectAlternativeName(names), False))
        for host in [
            "a.host.example",
            "☃.host.example",
            "my_name.host.example",
            "dotted.example",
            "127.0.0.1",
            "bücher.example",
            "A.HOST.example.",
        ]:
            self.assertEqual((await self.get(port, host)).body, b"nobody")
        # The last is the Kelvin sign's, which is a "k" in small letters.
        for host in [
            *("a.b.host.example", "host.example", "[::1]", "localhost", "k.example"),
        ]:
            await self.refused_name(self.get(port, host))

    async def refused_name(self, request: Deferred[Any]) -> None:
        with self.assertRaises(CertificateRefused) as caught:
            await request
        self.assertIn("name: it is not for", str(caught.exception))

    async def test_an_authority_that_nobody_knows(self) -> None:
        port = self.serve("localhost", authority=trustme.CA())
        words = await self.refused(self.get(port), CertificateRefused)
        self.assertIn("refused for its authority", words)
        # Nor does the system know ours.
        port = self.serve("localhost")
        ours = self.get(port, authorities=None)
        words = await self.refused(ours, CertificateRefused)
        self.assertIn("refused for its authority", words)

    async def test_dates(self) -> None:
        day = datetime.timedelta(days=1)
        now = datetime.datetime.now(datetime.timezone.utc)
        port = self.serve("localhost", not_after=now - day)
        words = await self.refused(self.get(port), CertificateRefused)
        self.assertIn("refused for its date: it has expired", words)

    async def test_none_of_this_matters_when_told_so(self) -> None:
        port = self.serve("other.example", authority=trustme.CA())
        answer = await self.get(port, verify=False)
        self.assertEqual(answer.body, b"nobody")

    async def test_a_certificate_of_our_own(self) -> None:
        ours = self.authority.issue_cert("me@example", organization_name="us")
        both = str(self.folder / "ours.pem")
        ours.private_key_and_cert_chain_pem.write_to_path(both)
        port = self.serve("localhost", clients=self.authority)
        answer = await self.get(port, certificate=both)
        self.assertIn(b"O=us", answer.body)

    async def test_no_tls_at_all(self) -> None:
        def answer_plainly() -> Protocol:
            protocol = Secret()
            protocol.dataReceived = lambda data: protocol.transport.write(  # type: ignore[method-assign]
                b"HTTP/1.1 400 Bad Request\r\n\r\n"
            )
            self.accepted.append(protocol)
            return protocol

        port = self.reactor.listenTCP(
            0, Factory.forProtocol(answer_plainly), interface="127.0.0.1"
        )
        self.addCleanup(self.end, port)
        words = await self.refused(self.get(port.getHost().port), TLSFailed)
        # The rest is in the words of whichever OpenSSL this is.
        self.assertRegex(words, "^the TLS handshake failed: [a-z ]+$")

    async def test_a_connection_that_ends_in_the_handshake(self) -> None:
        def leave() -> Protocol:
            protocol = Secret()
            protocol.dataReceived = (  # type: ignore[method-assign]
                lambda data: protocol.transport.abortConnection()
            )
            self.accepted.append(protocol)
            return protocol

        port = self.reactor.listenTCP(
            0, Factory.forProtocol(leave), interface="127.0.0.1"
        )
        self.addCleanup(self.end, port)
        words = await self.refused(self.get(port.getHost().port), TLSFailed)
        self.assertEqual(words, "the connection ended in the TLS handshake")

    async def test_a_handshake_that_never_ends(self) -> None:
        def say_nothing() -> Protocol:
            protocol = Secret()
            protocol.dataReceived = lambda data: None  # type: ignore[method-assign]
            self.accepted.append(protocol)
            return protocol

        port = self.reactor.listenTCP(
            0, Factory.forProtocol(say_nothing), interface="127.0.0.1"
        )
        self.addCleanup(self.end, port)
        try:
            await get(
                f"https://127.0.0.1:{port.getHost().port}/",
                reactor=self.reactor,
                connect_timeout=0.1,
            )
        except ConnectTimeout as error:
            self.assertEqual(str(error), "0.1 s passed while shaking hands in TLS")
        else:
            raise AssertionError("an answer")


class OfferTests(SynchronousTestCase):
    def hello(self, tls: TLS) -> bytes:
        """Begin a handshake, and return its first bytes."""
        connection = tls.handshake("localhost").clientConnectionForTLS(None)
        connection.set_connect_state()
        with self.assertRaises(SSL.WantReadError):
            connection.do_handshake()
        return connection.bio_read(16_384)

    def test_protocols(self) -> None:
        # RFC 7301, 3.1: the length of the list, and that of each name.
        self.assertIn(b"\x00\x09\x08http/1.1", self.hello(TLS()))
        two = self.hello(TLS(verify=False, protocols=[b"one", b"three"]))
        self.assertIn(b"\x00\x0a\x03one\x05three", two)

    def test_no_protocol(self) -> None:
        self.assertNotIn(b"http/1.1", self.hello(TLS(protocols=())))


class FilesTests(SynchronousTestCase):
    def test_the_key_of_another(self) -> None:
        authority = trustme.CA()
        with tempfile.TemporaryDirectory() as folder:
            ours, other = f"{folder}/ours.pem", f"{folder}/other.pem"
            authority.issue_cert("a").cert_chain_pems[0].write_to_path(ours)
            authority.issue_cert("b").private_key_pem.write_to_path(other)
            with self.assertRaisesRegex(ValueError, "expected the certificate's key"):
                TLS(certificate=ours, key=other)

    def test_files_that_are_something_else(self) -> None:
        with tempfile.NamedTemporaryFile() as empty:
            for options in [{"authorities": empty.name}, {"certificate": empty.name}]:
                with self.assertRaisesRegex(ValueError, "expected"):
                    TLS(**options)  # type: ignore[arg-type]

    def test_files_that_are_not_there(self) -> None:
        for options in [{"authorities": "/nowhere"}, {"certificate": "/nowhere"}]:
            with self.assertRaises(OSError):
                TLS(**options)  # type: ignore[arg-type]
