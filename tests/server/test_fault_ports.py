"""Fault ports in memory and in this process: options, connections, ports."""

from __future__ import annotations

import contextlib
import io
import os
import select
import socket
import struct
import tempfile
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.free_port import free_port
from nbtwisted.client import get
from nbtwisted.client.errors import CertificateRefused
from nbtwisted.client.request.getting import TLSOptions
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1 import watch
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.model.fault_port import KINDS, FaultPort
from nbtwisted.server.options import read_options
from nbtwisted.server.ports import binding, held
from nbtwisted.server.ports.fault_ports import CannotOpen, FaultPorts
from nbtwisted.server.ports.held import HeldConnections, Resets, Silent, StallsHandshake
from tests.guard import TIMEOUT, ClockCase, ReactorCase, open_sockets
from tests.server.in_memory import Visit


class OptionTests(SynchronousTestCase):
    def test_kinds_and_ports(self) -> None:
        self.patch(os, "environ", {})
        self.assertEqual(read_options([]).fault_port, ())
        read = read_options(["--fault-port", "silent", "--fault-port", "refuse:9"])
        self.assertEqual(read.fault_port, (("silent", 0), ("refuse", 9)))

    def test_the_environment(self) -> None:
        self.patch(os, "environ", {"NBTWISTED_FAULT_PORT": "silent  refuse:9"})
        self.assertEqual(read_options([]).fault_port, (("silent", 0), ("refuse", 9)))
        read = read_options(["--fault-port", "tls-old"])
        self.assertEqual(read.fault_port, (("tls-old", 0),))

    def test_what_is_none(self) -> None:
        for given, expected in {
            "tls_expird": "'tls_expird': expected tls-expired, or another one of no-",
            "what": "'what': expected one of no-accept, refuse, reset-on-accept, ",
            "silent:": "expected a whole number",
            "silent:x": "'x': expected a whole number",
            "silent:65536": "'65536': expected a port up to 65535",
        }.items():
            for arguments, environment in (
                ([f"--fault-port={given}"], {}),
                ([], {"NBTWISTED_FAULT_PORT": given}),
            ):
                self.patch(os, "environ", environment)
                said = io.StringIO()
                with (
                    contextlib.redirect_stderr(said),
                    self.assertRaises(SystemExit) as caught,
                ):
                    read_options(arguments)
                self.assertEqual(caught.exception.code, 2)
                self.assertIn(expected, said.getvalue())
                self.assertEqual(said.getvalue().count("\n"), 1)


class PortTests(ClockCase):
    def test_urls(self) -> None:
        for port, url in {
            FaultPort("silent", "127.0.0.1", 9): "http://127.0.0.1:9",
            FaultPort("tls-good", "::1", 9): "https://[::1]:9",
        }.items():
            self.assertEqual(port.url, url)
            self.assertEqual(port.as_json()["url"], url)

    def ask(self, server: DelayServer, target: str) -> Any:
        site = DelaySite(server, Clock())
        visit = Visit(self.clock, site=site, peer="127.0.0.1")
        visit.get(target)
        reply = visit.reply()
        visit.leave()
        return reply

    def test_on_the_server(self) -> None:
        server = DelayServer(clock=self.clock, seed=7)
        self.assertEqual(self.ask(server, "/__admin/ports").json(), {"ports": []})
        reply = self.ask(server, "/ca.pem")
        self.assertEqual(reply.status, 404)
        self.assertIn("--fault-port tls-good", reply.json()["expected"])
        silent = FaultPort("silent", "127.0.0.1", 9)
        server.fault_ports += [silent, FaultPort("tls-good", "::1", 10, "PEM")]
        self.assertEqual(self.ask(server, "/ca.pem").body, b"PEM")
        listed = {"kind": "silent", "host": "127.0.0.1", "port": 9, "url": silent.url}
        reply = self.ask(server, "/__admin/ports")
        self.assertEqual(reply.json()["ports"][0], listed)
        self.assertNotIn(b"PEM", reply.body)


class _Port:
    """Stands in for a port of Twisted's."""

    is_reading = True

    def startReading(self) -> None:
        self.is_reading = True

    def stopReading(self) -> None:
        self.is_reading = False

    def stopListening(self) -> None:
        self.is_reading = False


class HeldTests(ClockCase):
    def connections(self, protocol: type[Silent]) -> HeldConnections:
        connections = HeldConnections(protocol, self.clock)
        connections.port = _Port()
        return connections

    def connect(self, connections: HeldConnections) -> tuple[Any, StringTransport]:
        connection, transport = connections.buildProtocol(None), StringTransport()
        connection.makeConnection(transport)
        return connection, transport

    def test_silence(self) -> None:
        connection, transport = self.connect(self.connections(Silent))
        self.assertEqual(transport.producerState, "paused")
        self.clock.advance(3600)
        self.assertEqual((transport.value(), transport.disconnected), (b"", False))
        connection.connectionLost()

    def test_a_handshake_that_stalls(self) -> None:
        hello = b"\x16\x03\x01\x00\x04hell"
        connection, transport = self.connect(self.connections(StallsHandshake))
        for byte in hello:
            self.assertEqual(transport.value(), b"")
            connection.dataReceived(bytes([byte]))
        kind, version, size, kind_of_message = struct.unpack_from(
            ">BHHB", transport.value()
        )
        self.assertEqual((kind, version, kind_of_message), (22, 0x303, 2))
        self.assertGreater(size, len(transport.value()) - 5)
        self.assertEqual(transport.producerState, "paused")
        connection.connectionLost()

    def test_what_begins_no_handshake(self) -> None:
        for sent in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff"):
            connection, transport = self.connect(self.connections(StallsHandshake))
            connection.dataReceived(sent)
            self.assertEqual(transport.value(), b"")
            self.assertEqual(transport.producerState, "paused")
            connection.connectionLost()

    def test_a_reset(self) -> None:
        connections = self.connections(Resets)
        first, transport = self.connect(connections)
        first.dataReceived(b"G")
        self.assertTrue(transport.disconnected)
        first.connectionLost()
        second, transport = self.connect(connections)
        self.clock.advance(0.09)
        self.assertFalse(transport.disconnected)
        self.clock.advance(0.02)
        self.assertTrue(transport.disconnected)
        second.connectionLost()

    def test_no_more_than_so_many(self) -> None:
        self.patch(held, "MOST_HELD", 2)
        connections = self.connections(Silent)
        first, _ = self.connect(connections)
        self.assertTrue(connections.port.is_reading)
        second, _ = self.connect(connections)
        # Twisted accepted a third before it stopped.
        third, _ = self.connect(connections)
        self.assertFalse(connections.port.is_reading)
        first.connectionLost()
        self.assertFalse(connections.port.is_reading)
        second.connectionLost()
        self.assertTrue(connections.port.is_reading)
        port = connections.port
        connections.close()
        third.connectionLost()
        self.assertFalse(port.is_reading)


def connect(port: FaultPort, *, wait: float = 5) -> socket.socket:
    return socket.create_connection((port.host, port.port), timeout=wait)


class OpeningTests(ReactorCase):
    """On the real reactor, which does not run while a socket is waited for here."""

    def setUp(self) -> None:
        super().setUp()
        self.server = DelayServer(clock=self.reactor, seed=7)
        self.site = DelaySite(self.server, self.reactor)
        self.ports = FaultPorts(self.reactor, self.site, self.server.fault_ports)
        self.addCleanup(self.close)

    async def _close(self) -> None:
        self.site.abort_connections()
        await self.ports.close()

    def close(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close())

    async def get(self, port: FaultPort) -> Any:
        assert port.ca_pem is not None
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(port.ca_pem)
            file.flush()
            tls: TLSOptions = {"authorities": file.name}
            return await get(f"{port.url}/get", reactor=self.reactor, tls=tls)

    def test_no_answer_to_a_syn(self) -> None:
        for host in ("127.0.0.1", "::1", "0.0.0.0", "::"):
            port = self.ports.open("no-accept", host)
            # It stays so, also when clients have come and gone.
            for _ in range(3):
                with self.assertRaises(TimeoutError):
                    connect(port, wait=0.05)

    def test_many_clients_get_no_answer(self) -> None:
        port = self.ports.open("no-accept")
        with contextlib.ExitStack() as clients:
            poll = select.poll()
            for _ in range(200):
                client = clients.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex((port.host, port.port))
                poll.register(client)
            # One whose SYN was answered, whichever way, would be ready.
            self.assertEqual(poll.poll(50), [])

    def test_refused(self) -> None:
        for host in ("127.0.0.1", "::1"):
            port = self.ports.open("refuse", host)
            for _ in range(3):
                with self.assertRaises(ConnectionRefusedError):
                    connect(port)
            # It is nobody else's meanwhile.
            with socket.socket(
                socket.AF_INET6 if ":" in host else socket.AF_INET
            ) as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with self.assertRaises(OSError):
                    other.bind((host, port.port))

    async def test_clients_that_left_before_they_were_accepted(self) -> None:
        # Nothing waits for the next look: it comes when this test has been given up.
        self.patch(watch, "SECONDS_BETWEEN_LOOKS", 2 * TIMEOUT)
        gone: list[Silent] = []
        discard = HeldConnections.discard

        def note(connections: HeldConnections, connection: Silent) -> None:
            gone.append(connection)
            discard(connections, connection)

        self.patch(HeldConnections, "discard", note)
        port = self.ports.open("silent")
        before = open_sockets()
        for _ in range(10):
            connect(port).close()
        while len(gone) < 10:
            await deferLater(self.reactor, 0)
        self.assertEqual(open_sockets(), before)

    async def test_certificates(self) -> None:
        for kind, host, reason in [
            ("tls-expired", "127.0.0.1", "date: it has expired"),
            ("tls-not-yet", "127.0.0.1", "date: it is not valid yet"),
            ("tls-wrong-host", "127.0.0.1", "it is not for 127.0.0.1 but for wrong.ho"),
            ("tls-self-signed", "127.0.0.1", "authority: it is signed by itself"),
            ("tls-unknown-ca", "::1", "authority: nobody knows who signed it"),
            ("tls-no-intermediate", "::1", "authority: nobody knows who signed it"),
        ]:
            with self.assertRaises(CertificateRefused) as caught:
                await self.get(self.ports.open(kind, host))
            self.assertIn(reason, str(caught.exception))

    async def test_nothing_is_wrong(self) -> None:
        for host in ("127.0.0.1", "::1", "127.0.0.2"):
            answer = await self.get(self.ports.open("tls-good", host))
            self.assertEqual(answer.status, 200)
            self.assertIn(b'"url": "https://', answer.body)

    def test_a_port_that_is_taken(self) -> None:
        for taken in ("refuse", "no-accept", "silent", "tls-good"):
            number = self.ports.open(taken).port
            for kind in KINDS:
                with self.assertRaises(CannotOpen) as caught:
                    self.ports.open(kind, number=number)
                self.assertEqual(
                    str(caught.exception),
                    f"cannot open {kind} on 127.0.0.1:{number}: Address already in "
                    "use: expected a free port (0 is any that is free)",
                )

    def test_what_cannot_be(self) -> None:
        with self.assertRaisesRegex(ValueError, "expected no-accept, or another"):
            self.ports.open("no_accept")
        with self.assertRaisesRegex(CannotOpen, r"silent on 192.0.2.1:0: Cannot assi"):
            self.ports.open("silent", "192.0.2.1")
        with self.assertRaisesRegex(CannotOpen, r"refuse on \[2001:db8::1\]:0: Cannot"):
            self.ports.open("refuse", "2001:db8::1")

    def test_a_backlog_that_does_not_fill(self) -> None:
        self.patch(binding, "MILLISECONDS_TO_FILL", 0)
        self.patch(socket.socket, "connect_ex", lambda *_: 0)
        with self.assertRaisesRegex(CannotOpen, "its backlog does not fill"):
            self.ports.open("no-accept")

    async def test_again_and_again(self) -> None:
        numbers: dict[str, int] = {}
        for _ in range(5):
            with contextlib.ExitStack() as clients:
                for kind in KINDS:
                    # None that the kernel hands out to others while it is closed.
                    if kind not in numbers:
                        numbers[kind] = free_port()
                    port = self.ports.open(kind, number=numbers[kind])
                    if kind not in ("no-accept", "refuse"):
                        clients.enter_context(connect(port)).sendall(b"\x16")
                self.assertEqual(
                    [port.kind for port in self.server.fault_ports], list(KINDS)
                )
                # Some are accepted now, and others never.
                await deferLater(self.reactor, 0)
                await self._close()
            self.assertEqual(self.server.fault_ports, [])
            # A turn for what was aborted, to end.
            await deferLater(self.reactor, 0)
        with self.assertRaises(ConnectionRefusedError):
            connect(FaultPort("silent", "127.0.0.1", numbers["silent"]))
