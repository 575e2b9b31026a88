"""docs/architecture.md says which functions a request of each kind goes through."""

from __future__ import annotations

from twisted.internet.task import Clock

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from tests.guard import ClockCase
from tests.server.in_memory import Visit
from tests.walking import calls_of, walks


def calls_for(request_line: str, clock: Clock) -> list[tuple[str, str]]:
    """The functions of the server that a request calls, each with its file."""
    server = DelayServer(clock=clock, now=clock.seconds)
    server.rules.add(*server.rules.parse({"match": {"path": "/orders/{id}"}}))
    site = DelaySite(server, clock)
    visit = Visit(clock, site=site, peer="127.0.0.1", channel="ours")
    body = "Content-Length: 3\r\n\r\nabc" if request_line.startswith("POST") else "\r\n"
    request = f"{request_line} HTTP/1.1\r\nHost: localhost\r\n{body}"

    def make_it() -> None:
        visit.send(request.encode())
        for _ in range(20):
            clock.advance(0.1)

    try:
        return calls_of("server", make_it)
    finally:
        visit.leave()


class WalkTests(ClockCase):
    def test_a_request_of_each_kind_goes_the_way_that_the_page_shows(self) -> None:
        for kind, request_line, stops in walks("server"):
            with self.subTest(kind):
                self.assertEqual(len(stops), 6)
                calls = calls_for(request_line.strip("`"), self.clock)
                firsts = []
                for file, functions in stops:
                    positions = [calls.index((file, name)) for name in functions]
                    self.assertEqual(positions, sorted(positions), file)
                    firsts.append(positions[0])
                self.assertEqual(firsts, sorted(firsts))

    def test_there_are_nine_kinds(self) -> None:
        self.assertEqual(len(walks("server")), 9)
