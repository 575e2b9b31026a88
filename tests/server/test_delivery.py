"""What the kernel says of bytes on their way to a client, on real sockets."""

from __future__ import annotations

import select
import socket
import struct
from typing import Any

from nbtwisted.server.http1.delivery import Delivery, has_left
from tests.guard import ClockCase

RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)


class Transport:
    """As much of Twisted's as is looked at."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.dataBuffer = b""
        self.offset = 0
        self._tempDataLen = 0


class Wrapper:
    """A transport around another, such as that of TLS."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport


class SocketCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.client = socket.socket()
            self.addCleanup(self.client.close)
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.client.connect(listening.getsockname())
            connection, _ = listening.accept()
        self.addCleanup(connection.close)
        connection.setblocking(False)
        self.connection = connection
        self.transport = Transport(connection)


class DeliveryTests(SocketCase):
    def setUp(self) -> None:
        super().setUp()
        self.delivery = Delivery()

    def send_until_it_is_full(self) -> None:
        try:
            while True:
                self.delivery.written += self.connection.send(b"x" * 65536)
        except BlockingIOError:
            pass

    def read(self) -> None:
        """Take everything, at the other end."""
        left = self.delivery.written
        self.client.settimeout(10)
        while left:
            left -= len(self.client.recv(left))

    def test_nothing_was_sent(self) -> None:
        for now in (0, 100):
            self.assertEqual(self.delivery.look(self.transport, now), 0)
        self.assertTrue(self.delivery.is_complete)

    def test_a_client_that_reads(self) -> None:
        self.delivery.look(self.transport, 100)
        self.delivery.written += self.connection.send(b"abc")
        self.assertFalse(self.delivery.is_complete)
        self.read()
        self.assertEqual(self.delivery.look(self.transport, 109), 0)
        self.assertTrue(self.delivery.is_complete)

    def test_a_client_that_does_not(self) -> None:
        self.delivery.look(self.transport, 100)
        self.send_until_it_is_full()
        # Its machine has some of it.
        self.assertEqual(self.delivery.look(self.transport, 103), 0)
        self.assertFalse(self.delivery.is_complete)
        self.assertEqual(self.delivery.look(self.transport, 110), 7)
        self.read()
        select.select([], [self.connection], [], 10)
        self.assertEqual(self.delivery.look(self.transport, 112), 0)

    def test_the_time_begins_when_something_waits(self) -> None:
        self.delivery.look(self.transport, 100)
        self.delivery.look(self.transport, 150)
        self.delivery.written += 10
        self.transport.dataBuffer = b"x" * 10
        self.assertEqual(self.delivery.look(self.transport, 152), 2)

    def test_the_time_begins_with_the_first_look(self) -> None:
        # A clock may say anything by then, and the first byte still be on its way. Of
        # a UNIX socket, the kernel counts more than was written.
        for waiting in (10, 700):
            delivery = Delivery()
            delivery.written = 10
            self.transport.dataBuffer = b"x" * waiting
            self.assertEqual(delivery.look(self.transport, 5000), 0)
            self.assertEqual(delivery.look(self.transport, 5007), 7)

    def test_what_waits_in_the_transport(self) -> None:
        self.delivery.written = 10
        for buffer, offset, more, delivered in [
            *((b"x" * 8, 0, 2, 0), (b"x" * 8, 3, 2, 3)),
            *((b"x" * 8, 3, 0, 5), (b"x" * 8, 8, 0, 10)),
        ]:
            self.transport.dataBuffer = buffer
            self.transport.offset, self.transport._tempDataLen = offset, more
            for transport in (self.transport, Wrapper(Wrapper(self.transport))):
                delivery = Delivery()
                delivery.look(transport, 0)
                delivery.written = 10
                stuck = delivery.look(transport, 1)
                self.assertEqual(delivery.is_complete, delivered == 10)
                # Some of it is progress.
                self.assertEqual(stuck, 0 if delivered else 1)
        self.connection.close()
        self.transport.offset = 5
        delivery.look(self.transport, 1)

    def test_more_waits_than_was_written(self) -> None:
        # TLS adds bytes of its own; that is no progress, nor are they missed for ever.
        self.delivery.written = 10
        self.transport.dataBuffer = b"x" * 5
        self.assertEqual(self.delivery.look(self.transport, 1), 0)
        self.transport.dataBuffer = b"x" * 20
        self.assertEqual(self.delivery.look(self.transport, 3), 2)
        self.transport.dataBuffer = b"x" * 15
        self.assertEqual(self.delivery.look(self.transport, 4), 0)

    def test_what_the_kernel_does_not_tell(self) -> None:
        self.connection.close()
        self.delivery.look(self.transport, 0)
        self.transport.dataBuffer = b"x" * 10
        self.delivery.written = 10
        self.assertEqual(self.delivery.look(self.transport, 5), 5)
        self.transport.dataBuffer = b""
        self.delivery.look(self.transport, 6)
        self.assertTrue(self.delivery.is_complete)

    def test_without_a_socket(self) -> None:
        self.delivery.written = 10
        self.assertEqual(self.delivery.look(object(), 5), 0)
        self.assertTrue(self.delivery.is_complete)


class HasLeftTests(SocketCase):
    def test_a_client_that_stays(self) -> None:
        self.assertFalse(has_left(self.transport))
        self.client.send(b"something")
        self.assertFalse(has_left(self.transport))

    def test_one_that_closes_behind_what_it_sent(self) -> None:
        self.client.send(b"something")
        self.client.shutdown(socket.SHUT_WR)
        self.assertTrue(has_left(Wrapper(self.transport)))

    def test_one_that_resets(self) -> None:
        self.client.send(b"something")
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_WHEN_CLOSED)
        self.client.close()
        self.assertTrue(has_left(self.transport))

    def test_without_a_socket(self) -> None:
        self.assertFalse(has_left(object()))
