"""The memos of the server: they change nothing but the speed."""

from __future__ import annotations

import re
import sys
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from nbtwisted.memo import Memo
from tests import examples
from tests.guard import ClockCase
from tests.server.in_memory import Visit, asking


def memos() -> list[Memo[Any, Any]]:
    """Those that all servers share."""
    found = {
        id(value): value
        for name, module in list(sys.modules.items())
        if name.startswith("nbtwisted.server.")
        for value in vars(module).values()
        if isinstance(value, Memo)
    }
    assert len(found) >= 4
    return list(found.values())


METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "get"])
TARGETS = st.sampled_from(
    [
        *("/?_delay=0", "/", "/get", "/get?a=1&a=2;b", "/ip", "/anything/%FF?_size=9"),
        *("/delay/1", "/delay/1?_delay=0", "/delay/x", "/delay/400", "/nowhere"),
        *("/get?_delay=2", "/get?_delay=uniform(0,1)&_key=k", "/get?_unknown=1"),
        *("/get?_seq=500,200", "/status/200,500", "/status/204", "/status/426"),
        *("/get?_limit=1/5s", "/get?_header=A:b&_header=Server:c", "/get?_fault=empty"),
        *("/get?_fault=truncate:0.5", "/get?_json=1&_rate=1kB", "/bytes/20"),
        *("/bytes/20?seed=1", "/stream/2", "/drip?numbytes=3&duration=1", "/range/7"),
        *(
            "http://other/get",
            "*",
            "/healthz",
            "/readyz",
            "/__admin/stats",
            "/get?_x=%",
        ),
        *(
            "/get?_x=%",
            "/post",
            "/headers",
            "/response-headers?Connection=close",
            "/redirect/1",
        ),
    ]
)
HEADERS = st.lists(
    st.sampled_from(
        [
            *("X-A: b", "X-Nbtwisted-Delay: 1", "X-Nbtwisted-Status: 201", "Host: u"),
            *("Connection: close", "Cookie: c", "Range: bytes=1-2", "Origin: http://o"),
            *("Expect: 100-continue", "Content-Length: 1", "X-Forwarded-For: 10.9.9.9"),
            *("Accept: text/html", "Sec-Fetch-Mode: navigate", "If-None-Match: *"),
        ]
    ),
    max_size=2,
    unique=True,
)
BODIES = st.sampled_from([b"", b"", b"a=1&b", b'{"a": [1]}'])
REQUESTS = st.builds(
    lambda method, target, headers, body: asking(
        target, *headers, method=method, body=body
    ),
    *(METHODS, TARGETS, HEADERS, BODIES),
)
CLIENTS = [
    ("10.0.0.1", "10.0.0.9"),
    ("10.0.0.2", "10.0.0.9"),
    ("127.0.0.1", "127.0.0.1"),
    ("unix", "unix"),
]
"""Where each comes from, and where it leads."""

MESSAGES = st.lists(
    st.tuples(
        st.lists(REQUESTS, min_size=1, max_size=3),
        st.integers(1, 4),
        st.lists(st.integers(0, len(CLIENTS) - 1), min_size=1, max_size=4),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)
"""Requests that are sent at once; how often; by whom, in turn; and whether each time
on a new connection."""

Message = tuple[list[bytes], int, list[int], bool]


class AllMemosTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.forget()
        self.addCleanup(self.forget)

    def forget(self) -> None:
        for memo in memos():
            memo._results.clear()
            memo._came.clear()

    def visit(self, **more: Any) -> Visit:
        visit = Visit(self.clock, site_clock=Clock(), **{"channel": "ours", **more})
        self.addCleanup(visit.leave)
        return visit

    def responses(self, messages: list[Message]) -> tuple[list[bytes], list[Any]]:
        """What each connection received but for the time, and the journal."""
        self.forget()
        clock = Clock()
        site = Visit(clock, channel="ours", max_in_flight=2).site
        visits: list[Visit] = []
        latest: dict[int, Visit] = {}
        for requests, times, clients, is_anew in messages:
            for client in clients * times:
                visit = latest.get(client)
                if visit is None or is_anew or visit.is_closed:
                    peer, here = CLIENTS[client]
                    visit = Visit(clock, site=site, peer=peer, here=here)
                    visits.append(visit)
                    latest[client] = visit
                visit.send(b"".join(requests))
                clock.advance(0.5)
        clock.pump([0.5] * 20)
        journal = [entry.as_json() for entry in site.in_flight.journal.entries()]
        for visit in visits:
            visit.leave()
        self.remembered = len(site.requests) + sum(map(len, memos()))
        return (
            [re.sub(rb"Date: [^\r]*", b"", visit.received) for visit in visits],
            [{**entry, "time": None} for entry in journal],
        )

    @settings(max_examples=examples(60))
    @given(MESSAGES)
    @example([([asking("/get?_delay=2")], 4, [0], True)])
    def test_they_change_nothing(self, messages: list[Message]) -> None:
        self.patch(Memo, "is_on", True)
        expected = self.responses(messages)
        self.patch(Memo, "is_on", False)
        self.assertEqual(self.responses(messages), expected)
        self.assertEqual(self.remembered, 0)

    def test_they_are_used(self) -> None:
        self.patch(Memo, "is_on", True)
        self.responses([([asking("/get?_delay=1")], 3, [0], False)])
        # The request, its header block, its route, its control, and its head.
        self.assertEqual(self.remembered, 5)

    def test_limits_are_a_server_s_own(self) -> None:
        for _ in range(3):
            for longest, status in [(300, 200), (1, 400)]:
                visit = self.visit(max_delay=longest)
                visit.get("/get?_delay=2")
                self.clock.advance(2)
                self.assertEqual(visit.reply().status, status)

    def test_what_is_remembered_is_answered_as_it_was(self) -> None:
        for target in [
            "/?_delay=0",
            "/get?a=b&a=c",
            "/status/418",
            "/status/204",
            "/delay/2",
            "/get?_size=5000&_header=A:b&_header=A:c",
            "/bytes/100?seed=3",
            "/redirect/3",
            "/ip",
            "/get?_delay=x",
        ]:
            for method in ("GET", "HEAD"):
                replies, received = [], set()
                ours = self.visit().site
                for site in (self.visit(channel="twisted").site, ours, ours):
                    visit = self.visit(site=site)
                    visit.get(target, method=method)
                    self.clock.advance(2)
                    reply = visit.reply(method)
                    reply.headers.pop("date")
                    replies.append(reply)
                    if site is ours:
                        received.add(re.sub(rb"Date: .*", b"", visit.received))
                self.assertEqual(len(received), 1, received)
                self.assertEqual(replies[0], replies[1], target)
                self.assertEqual(replies[1], replies[2], target)

    def test_what_is_remembered_is_drawn_anew(self) -> None:
        site = self.visit().site
        statuses = []
        for _ in range(4):
            visit = self.visit(site=site)
            visit.get("/get?_seq=503,503,200")
            statuses.append(visit.reply().status)
        self.assertEqual(statuses, [503, 503, 200, 200])

    def test_who_asks_is_part_of_what_is_remembered(self) -> None:
        here = self.visit(peer="10.0.0.1")
        for peer in ("10.0.0.1", "10.0.0.2", "10.0.0.1"):
            visit = self.visit(site=here.site, peer=peer)
            visit.get("/ip")
            self.assertEqual(visit.reply().json(), {"origin": peer})

    def test_where_it_was_asked_is_part_of_what_is_remembered(self) -> None:
        site = self.visit().site
        for here in ("10.0.0.1", "10.0.0.2", "::1", "unix", "10.0.0.1"):
            shown = {"unix": "localhost", "::1": "[::1]:12345"}
            visit = self.visit(site=site, here=here)
            visit.get("/get", "Host:")
            url = f"http://{shown.get(here, f'{here}:12345')}/get"
            self.assertEqual(visit.reply().json()["url"], url)

    def test_what_operators_ask_is_never_remembered(self) -> None:
        visit = self.visit(peer="127.0.0.1")
        for number in range(3):
            operator = self.visit(site=visit.site, peer="127.0.0.1")
            operator.get("/__admin/stats")
            self.assertEqual(operator.reply().json()["requests"], number)
            self.visit(site=visit.site).get("/?_delay=0")

    def test_no_more_is_remembered_than_may_be(self) -> None:
        visit = self.visit()
        for number in range(Memo.MOST + 50):
            visit.send(asking(f"/?_delay=0&n={number}"))
            self.assertLessEqual(len(visit.site.requests), Memo.MOST)
        before = len(visit.site.requests)
        visit.send(asking("/?_delay=0&n=" + "x" * 3000))
        self.assertEqual(len(visit.site.requests), before)
