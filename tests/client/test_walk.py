"""docs/architecture.md says which functions a request of each kind goes through."""

from __future__ import annotations

import gzip

from twisted.internet.defer import Deferred

from nbtwisted.client.errors import DeadlinePassed, Interrupted
from nbtwisted.client.many.gathering import gather
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Result
from tests.client.in_memory import Network
from tests.guard import ClockCase
from tests.walking import calls_of, walks

URL = "http://10.0.0.1/"
HELLO = gzip.compress(b"hello")
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
PACKED = (
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Encoding: gzip\r\n\r\n%b"
    % (len(HELLO), HELLO)
)
FOUND = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


class Walk:
    """A request of one kind, on a network in memory."""

    def __init__(self, kind: str) -> None:
        self.result: Result
        self._kind = kind
        self._network = Network()
        self._getter = self._network.getter(
            more_to_come=True,
            max_redirects=1,
            retries=Retries(1, delay=1.0),
            compressed=True,
            # Longer than the pace of the host.
            draw=lambda: 1.0,
        )
        if kind in ("kept", "stale"):
            self._getter.get(URL)
            self._accept()
            self._connection.answer(WHOLE)

    def make_it(self) -> None:
        """Make the request; `result` is how it ended."""
        kind, network = self._kind, self._network
        done = self._gather()
        if kind in ("kept", "stale"):
            self._connection.take_request()
        else:
            self._accept()
        if kind == "stale":
            self._connection.close()
            self._accept()
        elif kind == "redirected":
            self._connection.answer(FOUND)
            self._connection.take_request()
        elif kind == "tried again":
            self._connection.answer(BUSY)
            network.advance(1)
            self._connection.take_request()
        elif kind == "too late":
            network.advance(30)
            network.advance(1)
        elif kind == "cancelled":
            done.cancel()
        if self._connection.state == "open":
            self._connection.answer(PACKED if kind == "compressed" else WHOLE)
            self._getter.close()
        self._connection.finish()

    def _accept(self) -> None:
        self._connection = self._network.accept()
        self._connection.take_request()

    def _gather(self) -> Deferred[None]:
        def deliver(_: int, result: Result) -> None:
            self.result = result

        return gather(self._getter, Given([URL]), concurrency=1, deliver=deliver)


class WalkTests(ClockCase):
    def test_a_request_of_each_kind_goes_the_way_that_the_page_shows(self) -> None:
        for kind, _, stops in walks("client"):
            with self.subTest(kind):
                self.assertEqual(len(stops), 6)
                calls = iter(calls_of("client", Walk(kind).make_it))
                for file, functions in stops:
                    for name in functions:
                        # Looks on behind the call that was found last.
                        self.assertIn((file, name), calls)

    def test_each_kind_ends_as_it_should(self) -> None:
        ends = {}
        for kind, _, _ in walks("client"):
            walk = Walk(kind)
            walk.make_it()
            thens = [attempt.then for attempt in walk.result.attempts]
            ends[kind] = (thens, type(walk.result.error))
        nothing = type(None)
        self.assertEqual(
            ends,
            {
                "plain": ([None], nothing),
                "kept": ([None], nothing),
                "stale": (["resend", None], nothing),
                "compressed": ([None], nothing),
                "redirected": (["redirect", None], nothing),
                "tried again": (["retry", None], nothing),
                "too late": ([None], DeadlinePassed),
                "cancelled": ([None], Interrupted),
            },
        )
