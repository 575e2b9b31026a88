"""The attempt to reach the upstream at the start, in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import RequestError
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
