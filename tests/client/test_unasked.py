"""Over TLS, as over TCP, a response that nobody asked for is nobody's response."""

from __future__ import annotations

from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import ContextFactory
from twisted.python.failure import Failure

from nbtwisted.client import Response, get_all
from nbtwisted.load.run import Run
from tests.guard import ReactorCase
from tests.load.in_memory import plan_of

RECORD = 16 * 1024
"""Bytes, the most that a record of TLS may have: what is behind is in the next."""

UNASKED = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunasked"


def filling_a_record(number: int) -> bytes:
    """A response that says which it is, as long as a record."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    length = RECORD - len(head % RECORD)
    response = head % length + (b"%d " % number).ljust(length, b".")
    assert len(response) == RECORD
    return response


class Generous(Protocol):
    """Answers a request twice, in two records that come together."""

    transport: Any

    def __init__(self, requests: list[bytes], *, only_once: bool) -> None:
        self._requests = requests
        self._only_once = only_once
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self._requests.append(data)
        again = b"" if self._only_once else UNASKED
        self.transport.write(filling_a_record(len(self._requests)) + again)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.gone.callback(None)


class _Contexts(ContextFactory):
    def __init__(self) -> None:
        self._context = SSL.Context(SSL.TLS_METHOD)
        trustme.CA().issue_cert("localhost").configure_cert(self._context)

    def getContext(self) -> SSL.Context:
        return self._context


class UnaskedTests(ReactorCase):
    def serve(self, *, only_once: bool = False) -> str:
        """Begin to; the server's URL."""
        self.requests: list[bytes] = []
        self.accepted: list[Generous] = []

        def accept() -> Generous:
            self.accepted.append(Generous(self.requests, only_once=only_once))
            return self.accepted[-1]

        port = self.reactor.listenSSL(
            0, Factory.forProtocol(accept), _Contexts(), interface="127.0.0.1"
        )
        self.addCleanup(self._end)
        self.addCleanup(port.stopListening)
        return f"https://127.0.0.1:{port.getHost().port}/"

    def _end(self) -> Deferred[Any]:
        for connection in self.accepted:
            if not connection.gone.called:
                connection.transport.abortConnection()
        return DeferredList([connection.gone for connection in self.accepted])

    async def get(self, url: str) -> list[int]:
        """Get it five times; how often each was sent again."""
        results = await get_all(
            [f"{url}{number}" for number in range(5)],
            reactor=self.reactor,
            concurrency=1,
            tls={"verify": False},
        )
        resent = []
        for number, (_, response) in enumerate(results, 1):
            assert isinstance(response, Response), response
            self.assertEqual(response.raw, filling_a_record(number))
            resent.append(response.result.resent)
        return resent

    async def load(self, url: str) -> Run:
        """Load it with six requests, two at once."""
        plan = plan_of(url, connections=2, number=6, timeout=10, verify=False)
        run = Run(self.reactor, plan)
        await run.start()
        self.assertEqual(run.tally.errors, {})
        body = filling_a_record(1).partition(b"\r\n\r\n")[2]
        self.assertEqual((run.tally.answered, run.tally.bytes), (6, 6 * len(body)))
        return run

    async def test_get(self) -> None:
        url = self.serve()
        self.assertEqual(await self.get(url), [0] * 5)
        asked = [request.split(b" ", 2)[1] for request in self.requests]
        self.assertEqual(asked, [b"/%d" % number for number in range(5)])
        # What it costs is a connection.
        self.assertEqual(len(self.accepted), 5)

    async def test_load(self) -> None:
        run = await self.load(self.serve())
        self.assertEqual(run.tally.resent, 0)
        self.assertEqual((len(self.requests), len(self.accepted)), (6, 6))

    async def test_what_was_asked_for_costs_nothing(self) -> None:
        self.assertEqual(await self.get(self.serve(only_once=True)), [0] * 5)
        self.assertEqual(len(self.accepted), 1)
        await self.load(self.serve(only_once=True))
        self.assertEqual(len(self.accepted), 2)
