"""The attempt to reach the upstream at the start, in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.connection.tls import TLS, Handshake
from nbtwisted.client.errors import CertificateRefused, RequestError
from nbtwisted.proxy.probe import Probe


class ProbeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.said: list[RequestError] = []
        self.probe = Probe(
            *(self.clock, "127.0.0.1", 80), seconds=60.0, complain=self.said.append
        )
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def test_it_can_be_reached(self) -> None:
        (attempt,) = self.clock.tcpClients
        self.assertEqual(attempt[:2], ("127.0.0.1", 80))
        transport = StringTransport()
        made: Any = attempt[2].buildProtocol(None)
        made.makeConnection(transport)
        self.assertTrue(transport.disconnecting)
        self.clock.advance(60)
        self.probe.stop()
        self.assertEqual(self.said, [])

    def test_it_is_refused(self) -> None:
        refused = Failure(ConnectionRefusedError(osError=111))
        (attempt,) = self.clock.tcpClients
        attempt[2].clientConnectionFailed(self.clock.connectors[0], refused)
        self.assertEqual(
            list(map(str, self.said)), ["127.0.0.1 port 80: Connection refused"]
        )

    def test_it_is_silent(self) -> None:
        self.clock.advance(59.9)
        self.assertEqual(self.said, [])
        self.clock.advance(0.1)
        self.assertEqual(list(map(str, self.said)), ["no connection within 60 s"])
        self.assertTrue(self.clock.connectors[0].stoppedConnecting)
        self.probe.stop()

    def test_the_proxy_stops_meanwhile(self) -> None:
        self.probe.stop()
        self.assertTrue(self.clock.connectors[0].stoppedConnecting)
        self.assertEqual(self.said, [])


class Judged(Handshake):
    """A handshake with a certificate whose name is taken, or not."""

    def __init__(self) -> None:
        super().__init__(TLS(verify=False), "127.0.0.1")
        self.is_for_host = True

    def check_name(self, connection: object) -> None:
        if not self.is_for_host:
            raise CertificateRefused("it is for another")


class Transport(StringTransport):
    """A connection on which TLS can be begun."""

    began: object = None

    def startTLS(self, handshake: object) -> None:
        self.began = handshake

    def getHandle(self) -> object:
        return self


class TLSProbeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.said: list[RequestError] = []
        self.handshake = Judged()
        self.probe = Probe(
            *(self.clock, "127.0.0.1", 443),
            handshake=self.handshake,
            seconds=60.0,
            complain=self.said.append,
        )
        self.transport = Transport()
        made: Any = self.clock.tcpClients[0][2].buildProtocol(None)
        made.makeConnection(self.transport)
        self.assertIs(self.transport.began, self.handshake)
        self.assertFalse(self.transport.disconnecting)

    def tearDown(self) -> None:
        # Whatever comes later, nothing is said twice.
        said = list(self.said)
        self.probe.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.said, said)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_can_be_trusted(self) -> None:
        self.probe.handshakeCompleted()
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.said, [])

    def test_it_says_no_goodbye(self) -> None:
        self.probe.handshakeCompleted()
        self.assertFalse(self.transport.disconnected)
        self.clock.advance(60)
        self.assertTrue(self.transport.disconnected)
        self.assertEqual(self.said, [])

    def test_it_is_for_another_host(self) -> None:
        self.handshake.is_for_host = False
        self.probe.handshakeCompleted()
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(list(map(str, self.said)), ["it is for another"])

    def test_the_handshake_fails(self) -> None:
        self.probe.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(
            list(map(str, self.said)), ["the connection ended in the TLS handshake"]
        )

    def test_it_is_silent(self) -> None:
        self.clock.advance(60)
        self.assertEqual(list(map(str, self.said)), ["no handshake of TLS within 60 s"])
        self.assertTrue(self.transport.disconnected)

    def test_the_proxy_stops_meanwhile(self) -> None:
        self.probe.stop()
        self.assertTrue(self.transport.disconnected)
        self.assertEqual(self.said, [])
