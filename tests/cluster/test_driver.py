"""The driver, as a part has it: what it hears, and when it is full."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.cluster import driver
from nbtwisted.cluster.driver import StandardDriver, hello
from nbtwisted.cluster.frame import Frame, FrameReader, write_frame


class Stdio:
    """Stdin and stdout, of which nothing is read or written."""

    def __init__(self, protocol: Any, reactor: Any) -> None:
        self.protocol = protocol
        self.written: list[Frame] = []
        self.producer: Any = None
        self._reader = FrameReader()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """As Twisted has it."""
        self.producer = producer

    def write(self, data: bytes) -> None:
        """As Twisted has it."""
        self.written += self._reader.feed(data)

    def loseConnection(self) -> None:
        """As Twisted has it."""
        self.protocol.connectionLost()


class StandardDriverTests(SynchronousTestCase):
    """Drivers."""

    def setUp(self) -> None:
        self.patch(driver, "StandardIO", Stdio)
        self.said: list[object] = []
        self.driver = StandardDriver(None, self)
        self.stdio: Any = self.driver._stdio

    def frame_received(self, frame: Frame) -> None:
        """As drivers have it."""
        self.said.append(frame)

    def driver_ready(self) -> None:
        """As drivers have it."""
        self.said.append(f"ready: {not self.driver.is_full}")

    def driver_gone(self) -> None:
        """As drivers have it."""
        self.said.append("gone")

    def test_is_told_hello_and_its_pings_are_answered(self) -> None:
        """Other frames are for the listener."""
        self.driver.dataReceived(write_frame({"ping": 7}) + write_frame({"a": 1}, b"x"))
        first, pong = self.stdio.written
        self.assertEqual((first.head, pong.head["pong"]), (hello(), 7))
        self.assertEqual(self.said, [Frame({"a": 1}, b"x")])

    def test_is_full_while_it_does_not_read(self) -> None:
        """And says when there is room again."""
        self.assertFalse(self.driver.is_full)
        self.stdio.producer.pauseProducing()
        self.assertTrue(self.driver.is_full)
        self.stdio.producer.resumeProducing()
        self.assertEqual(self.said, ["ready: True"])

    def test_what_is_no_frame_ends_it(self) -> None:
        """Once, whatever else is closed."""
        self.driver.dataReceived(b"GET / HTTP/1.1\n")
        self.assertEqual(self.said, ["gone"])
        self.driver.connectionLost()
        self.assertEqual(self.said, ["gone"])
