"""Links of ports, as the live page sees them."""

from __future__ import annotations

from typing import Any

from nbtwisted.proxy.operators import StreamServer
from nbtwisted.proxy.stream.journal import LinkEntry, LinkJournal
from nbtwisted.proxy.stream.listener import State, StreamProxy
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.proxy.stream.viewed import ViewedLinks
from nbtwisted.server.routes.viewing_links import Links, LinksViewer
from tests.guard import ClockCase

START = 1_800_000_000.0


class ViewedLinksTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.ports: dict[str, LinkJournal] = {"": LinkJournal()}
        self.links: Links = ViewedLinks(lambda: self.ports.items())

    def begin(self, number: int, came: float, port: str = "", **more: Any) -> LinkEntry:
        entry = LinkEntry(number, START + came, "127.0.0.1:9", **more)
        self.ports[port].begin(entry)
        return entry

    def end(self, entry: LinkEntry, took: float, port: str = "") -> None:
        entry.took, entry.outcome = took, "closed by client"
        self.ports[port].end(entry)

    def test_of_one_port(self) -> None:
        first, second = self.begin(1, 0, up=3), self.begin(2, 1, down=4)
        third = self.begin(3, 2)
        self.end(second, 5)
        self.end(first, 7)
        self.assertEqual((self.links.open, self.links.came), (1, 3))
        self.assertEqual((self.links.up, self.links.down), (3, 4))
        self.assertEqual(self.links.outcomes, {"closed by client": 2})
        self.assertEqual([it.link for it in self.links.newest_open()], [third])
        self.assertEqual([it.link for it in self.links.latest_over()], [first, second])

    def test_of_several_ports_by_time(self) -> None:
        self.ports = {"a": LinkJournal(), "b": LinkJournal()}
        first, second = self.begin(1, 0, "a"), self.begin(1, 1, "b")
        third, fourth = self.begin(2, 2, "a"), self.begin(2, 3, "b")
        found = [(port, link.number) for port, link in self.links.newest_open()]
        self.assertEqual(found, [("b", 2), ("a", 2), ("b", 1), ("a", 1)])
        self.end(second, 2, "b")
        self.end(fourth, 0.5, "b")
        self.end(third, 2, "a")
        self.end(first, 9, "a")
        found = [(port, link.number) for port, link in self.links.latest_over()]
        self.assertEqual(found, [("a", 1), ("a", 2), ("b", 2), ("b", 1)])
        self.assertEqual((self.links.open, self.links.came), (0, 4))

    def test_a_viewer_is_told_when_bytes_passed(self) -> None:
        entry = self.begin(1, 0)
        entry.samples.add(2.5, 10, 0)
        entry.samples.add(70.0, 0, 20)
        (row,) = LinksViewer(self.links).frame(START + 75)["rows"]
        self.assertEqual(row["samples"], [(70.0, 0, 20)])
        self.assertEqual(row["interval"], 0.1)


class OperatorsTests(ClockCase):
    def test_they_see_the_links_of_ports_that_are_not_closed(self) -> None:
        server = StreamServer(clock=self.clock)
        upstream = Upstream("127.0.0.1", 6379)
        port = StreamProxy(self.clock, listen="tcp:0", upstream=upstream, seed=1)
        port.state = State.OPEN
        server.add("redis", port)
        entry = LinkEntry(1, START, "127.0.0.1:9")
        port.journal.begin(entry)
        assert server.links is not None
        self.assertEqual(list(server.links.newest_open()), [("redis", entry)])
        port.state = State.CLOSED
        self.assertEqual((list(server.links.newest_open()), server.links.open), ([], 0))
