"""Endpoint descriptions: what ours add to Twisted's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.listening import completed, lets_others_in, listen, on_loopback

BACKLOG = ":backlog=8192"


class ForWhomTests(SynchronousTestCase):
    def test_this_machine_alone_unless_it_has_an_interface(self) -> None:
        for description, expected in {
            "tcp:8474": "tcp:8474:interface=127.0.0.1",
            "tcp6:8474": r"tcp6:8474:interface=\:\:1",
            "haproxy:tcp:8474": "haproxy:tcp:8474:interface=127.0.0.1",
            "tcp:8474:interface=0.0.0.0": "tcp:8474:interface=0.0.0.0",
            "tcp:8474:10.0.0.1": "tcp:8474:10.0.0.1",
            "unix:/tmp/a": "unix:/tmp/a",
            "systemd:domain=INET:index=0": "systemd:domain=INET:index=0",
        }.items():
            self.assertEqual(on_loopback(description), expected)
            self.assertEqual(on_loopback(expected), expected)

    def test_whether_other_machines_can_connect(self) -> None:
        for description, expected in {
            "tcp:1": True,
            "tcp:1:interface=": True,
            "tcp:1:interface=0.0.0.0": True,
            "tcp:1:interface=10.0.0.1": True,
            "tcp:1:interface=127.0.0.1": False,
            "tcp:1:127.0.0.2": False,
            r"tcp6:1:interface=\:\:": True,
            r"tcp6:1:interface=\:\:1": False,
            "haproxy:tcp:1": True,
            "ssl:1:privateKey=k:certKey=c": True,
            "unix:/tmp/a": False,
        }.items():
            self.assertIs(lets_others_in(description), expected, description)


class ByProxyTests(SynchronousTestCase):
    def test_headers_that_are_none_close_the_connection(self) -> None:
        for received, answered in self.answers(
            (b"PROXY TCP4 10.1.1.1 10.0.0.1 1 2\r\n", True),
            (b"PROXY UNKNOWN\r\n", True),
            (b"PROXY UNKNOWN ::1 ::1 1 2\r\n", True),
            (b"PROXY TCP4 a b c d\r\n", False),
            (b"PROXY TCP4 \xff b 1 2\r\n", False),
            (b"PROXY TCP4 10.1.1.1\r\n", False),
            (b"PROXY\r\n", False),
            (b"\r\n\r\n\x00\r\nQUIT\n\x21\x1f\x00\x0c" + b"x" * 12, False),
            (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x01x", False),
            (b"", False),
        ):
            self.assertEqual(received.startswith(b"HTTP/1.1 200 OK"), answered)
            self.assertEqual(received == b"", not answered)

    def answers(self, *heads: tuple[bytes, bool]) -> Iterator[tuple[bytes, bool]]:
        """What is answered behind each head, and what was expected."""
        reactor: Any = MemoryReactorClock()
        server = DelayServer(clock=reactor, now=reactor.seconds, seed=7)
        site = DelaySite(server, Clock())
        listening = listen(reactor, "haproxy:tcp:8000", site)
        self.successResultOf(Deferred.fromCoroutine(listening))
        ((port, factory, backlog, _),) = reactor.tcpServers
        self.assertEqual((port, backlog), (8000, 8192))
        for head, expected in heads:
            protocol = factory.buildProtocol(None)
            transport = StringTransport()
            protocol.makeConnection(transport)
            protocol.dataReceived(head + b"GET /ip HTTP/1.1\r\nHost: t\r\n\r\n")
            self.assertEqual(transport.disconnecting, not expected, head)
            yield transport.value(), expected
            protocol.connectionLost(Failure(ConnectionDone()))


class CompletedTests(SynchronousTestCase):
    def test_what_is_left_open(self) -> None:
        for description, added in [
            ("tcp:8000", BACKLOG),
            ("tcp:port=8000:interface=127.0.0.1", BACKLOG),
            ("tcp6:8000", BACKLOG),
            ("ssl:8443:key.pem:cert.pem", BACKLOG),
            ("unix:/tmp/x.sock", BACKLOG + ":mode=600"),
            ("unix:address=/tmp/x.sock", BACKLOG + ":mode=600"),
            (r"unix:/tmp/a\:mode\=666", BACKLOG + ":mode=600"),
            (r"unix:/tmp/a\\", BACKLOG + ":mode=600"),
            ("haproxy:tcp:8000", BACKLOG),
            ("haproxy:unix:/tmp/x.sock", BACKLOG + ":mode=600"),
        ]:
            self.assertEqual(completed(description), description + added)

    def test_what_is_given_stays(self) -> None:
        for description in [
            "tcp:8000:127.0.0.1:5",
            "tcp6:8000:5",
            "tcp:8000:backlog=5",
            "unix:/tmp/x.sock:mode=666:backlog=5",
            r"unix:/tmp/a\\:666:5",
            "haproxy:unix:/tmp/x.sock:660:backlog=5",
            "systemd:domain=INET:index=0",
            "bogus",
            "",
        ]:
            self.assertEqual(completed(description), description)
