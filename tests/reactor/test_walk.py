"""docs/architecture.md says which functions what was written goes through."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from twisted.internet import tcp

from nbtwisted.reactor import EagerAsyncioReactor, EagerEPollReactor
from nbtwisted.reactor.traced import TracedReactor
from nbtwisted.reactor.tracing.traced_reactor import Settings
from tests.reactor.connected import ReactorTestCase, Served
from tests.walking import calls_of, walks

MORE_THAN_A_SOCKET_TAKES = 20_000_000


class WalkTests(ReactorTestCase):
    def written(self, data: bytes) -> tuple[socket.socket, Served]:
        """A connection on which something was written, and its other end."""
        client, served = self.connect()
        served.transport.write(data)
        return client, served

    def sent(self) -> None:
        self.written(b"answer")
        self.turns()

    def more(self) -> None:
        client, served = self.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        served.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
        served.transport.write(bytes(tcp.Connection.SEND_LIMIT + 1))
        self.turns(2)

    def full(self) -> None:
        client, _ = self.written(bytes(MORE_THAN_A_SOCKET_TAKES))
        self.turns(MORE_THAN_A_SOCKET_TAKES // tcp.Connection.SEND_LIMIT)

        def take_all() -> bool:
            with contextlib.suppress(BlockingIOError):
                client.recv(2**22)
            return not self.reactor.getWriters()

        self.until(take_all)

    def full_on_asyncio(self) -> None:
        self.full()

    def ended(self) -> None:
        _, served = self.written(b"answer")
        served.transport.loseConnection()
        self.until(lambda: served.lost)

    def broken(self) -> None:
        client, served = self.connect()
        # To close is to reset.
        no_linger = struct.pack("ii", 1, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        client.close()
        served.transport.write(b"answer")
        self.until(lambda: served.lost)

    def traced(self) -> None:
        self.sent()

    def test_what_was_written_goes_the_way_that_the_page_shows(self) -> None:
        kinds = walks("reactor")
        self.assertEqual(len(kinds), 7)
        for kind, _, stops in kinds:
            with self.subTest(kind):
                if kind == "traced":
                    quiet = Settings(report=lambda _: None, summary=False)
                    self.run_on(TracedReactor(settings=quiet))
                elif kind.endswith("asyncio"):
                    loop = asyncio.new_event_loop()
                    self.run_on(EagerAsyncioReactor(loop))
                else:
                    self.run_on(EagerEPollReactor())
                calls = calls_of("", getattr(self, kind.replace(" ", "_")))
                at = -1
                for file, functions in stops:
                    for name in functions:
                        # Some are called more than once on the way.
                        self.assertIn((file, name), calls[at + 1 :], kind)
                        at = calls.index((file, name), at + 1)
