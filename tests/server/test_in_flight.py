"""The requests in flight: who is let in, who is told, and dates."""

from __future__ import annotations

from itertools import repeat
from typing import Any

from twisted.internet.task import Clock

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.engine import in_flight as module
from nbtwisted.server.engine.in_flight import LONG, InFlightRequests
from nbtwisted.server.engine.journal import Entry
from nbtwisted.server.model.behaviour import NO_BODY, Behaviour
from nbtwisted.server.model.body import Body, Endless, Whole
from nbtwisted.server.model.delay import Delay
from nbtwisted.server.model.request import (
    NO_ADDRESSES,
    NO_HEADERS,
    Request,
    not_a_request,
)
from nbtwisted.server.routes.delay_app import DelayApp
from tests.guard import ClockCase
from tests.server.in_memory import Visit
from tests.server.test_exchange import Kept

MANY = 10


APP = DelayApp(DelayServer(clock=Clock()))


class InFlightTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.ended: list[Entry] = []
        self.quiet = 0
        self.patch(module, "MANY", MANY)

    def requests(self, **more: Any) -> InFlightRequests:
        def on_quiet() -> None:
            self.quiet += 1

        return InFlightRequests(
            *(self.clock, self.clock.seconds, 7),
            **{"on_end": self.ended.append, "on_quiet": on_quiet, **more},
        )

    def begin(
        self,
        in_flight: InFlightRequests,
        target: bytes = b"/get",
        *,
        delay: float = 1.0,
        key: str | None = None,
        body: Body = NO_BODY,
    ) -> Kept:
        behaviour = Behaviour(body, delay=Delay((delay,)), key=key)
        if isinstance(body, Endless):
            behaviour = behaviour._replace(interval=1.0)
        request = Request(*(b"GET", target, b"HTTP/1.1", NO_HEADERS, b"", NO_ADDRESSES))
        connection = Kept(is_persistent=True)
        exchange, behaviour = in_flight.open(connection, request, behaviour, APP)
        exchange.begin(behaviour)
        return connection

    def test_no_more_than_may_be(self) -> None:
        in_flight = self.requests(max_in_flight=2)
        held = [self.begin(in_flight) for _ in range(2)]
        refused = self.begin(in_flight, key="k")
        self.assertTrue(refused.data.startswith(b"HTTP/1.1 503 "))
        self.assertIn(b"\r\nRetry-After: 1\r\n", refused.head)
        self.assertEqual(refused.ended, "finish")
        # It is in the journal under its own key, and waited for nothing.
        (entry,) = self.ended
        self.assertEqual((entry.key, entry.status, entry.asked), ("k", 503, 0))
        self.assertEqual(self.begin(in_flight, b"/healthz", delay=0).data[9:12], b"200")
        self.clock.advance(1)
        self.assertEqual([each.data[9:12] for each in held], [b"200"] * 2)
        again = self.begin(in_flight, delay=0)
        self.assertEqual(again.data[9:12], b"200")

    def test_a_refused_request_takes_no_step_of_its_key(self) -> None:
        site = Visit(self.clock, max_in_flight=1, channel="ours").site
        statuses = []
        held = Visit(self.clock, site=site)
        held.get("/delay/1")
        for _ in range(2):
            visit = Visit(self.clock, site=site)
            visit.get("/get?_seq=500,501&_key=k")
            statuses.append(visit.reply().status)
            visit.leave()
            self.clock.advance(1)
        held.leave()
        self.assertEqual(statuses, [503, 500])

    def test_what_is_no_request_is_answered_as_it_is(self) -> None:
        in_flight = self.requests(max_in_flight=0)
        in_flight.is_draining = True
        connection = Kept(is_persistent=False)
        bad = Behaviour(Whole(b"bad"))
        exchange, behaviour = in_flight.open(
            connection, not_a_request(NO_ADDRESSES), bad, APP
        )
        self.assertIs(behaviour, bad)
        exchange.begin(behaviour)
        self.assertEqual((connection.body, connection.ended), (b"bad", "close"))

    def test_each_that_is_over_is_told_of(self) -> None:
        in_flight = self.requests()
        self.begin(in_flight, b"/get?1", delay=2)
        self.begin(in_flight, b"/get?2", delay=1)
        self.begin(in_flight, b"/healthz", delay=0)
        self.clock.pump([1, 1])
        self.assertEqual([e.target for e in self.ended], [b"/get?2", b"/get?1"])
        self.assertEqual([e.outcome for e in self.ended], ["answered"] * 2)

    def test_operators_are_no_part_of_it(self) -> None:
        in_flight = self.requests()
        self.begin(
            in_flight, b"/__admin/events", delay=0, body=Endless(lambda: repeat(b"x"))
        )
        self.assertEqual(in_flight.viewers, 1)
        self.begin(in_flight, b"/healthz", delay=1)
        self.assertEqual(in_flight.viewers, 1)
        self.assertEqual(in_flight.journal.in_flight, 0)
        self.assertEqual(in_flight.reset(), 0)
        self.clock.advance(1)
        self.assertEqual(in_flight.viewers, 1)
        viewer = next(iter(in_flight._of_operators))
        viewer.client_left()
        self.assertEqual(in_flight.viewers, 0)

    def many(self, in_flight: InFlightRequests, number: int, delay: float) -> None:
        for _ in range(number):
            self.begin(in_flight, delay=delay)
        self.clock.advance(delay)

    def test_quiet_after_many_that_were_held_for_long(self) -> None:
        in_flight = self.requests()
        self.many(in_flight, MANY - 1, LONG)
        self.many(in_flight, MANY, LONG - 0.01)
        self.assertEqual(self.quiet, 0)
        self.begin(in_flight, delay=LONG)
        waits = self.begin(in_flight, delay=LONG + 1)
        self.clock.advance(LONG)
        # Not while another one waits.
        self.assertEqual(self.quiet, 0)
        self.clock.advance(1)
        self.assertEqual((self.quiet, waits.ended), (1, "finish"))
        # It begins anew.
        self.many(in_flight, MANY - 1, LONG)
        self.assertEqual(self.quiet, 1)
        self.many(in_flight, 1, LONG)
        self.assertEqual(self.quiet, 2)

    def test_those_that_left_were_held_for_long(self) -> None:
        in_flight = self.requests()
        for _ in range(MANY):
            self.begin(in_flight, delay=60)
        for exchange in list(in_flight._exchanges):
            exchange.client_left()
        self.assertEqual(self.quiet, 1)

    def test_nobody_has_to_be_told(self) -> None:
        in_flight = self.requests(on_end=None, on_quiet=None)
        self.many(in_flight, MANY, LONG)
        self.assertEqual(in_flight.journal.in_flight, 0)

    def test_the_date_follows_the_time(self) -> None:
        now = 0.0
        in_flight = self.requests(unix_time=lambda: now)
        for now, date in [  # noqa: B007 - the function above reads it
            (2.5, b"Thu, 01 Jan 1970 00:00:02 GMT"),
            (1.99, b"Thu, 01 Jan 1970 00:00:01 GMT"),
            (1e9, b"Sun, 09 Sep 2001 01:46:40 GMT"),
            (86400, b"Fri, 02 Jan 1970 00:00:00 GMT"),
        ]:
            self.assertEqual(in_flight.date(), date)
