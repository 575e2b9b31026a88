"""docs/architecture.md says which functions a request of each kind goes through."""

from __future__ import annotations

import pathlib
import re
import sys
from types import FrameType

from twisted.internet.task import Clock

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from tests.guard import ClockCase
from tests.server.in_memory import Visit

ROOT = pathlib.Path(__file__).parents[2]
SERVER = ROOT / "nbtwisted" / "server"

Stops = list[tuple[str, list[str]]]


def stops_of(text: str) -> Stops:
    """The files that a text names, and of each the functions: `file`: `f` → `g`."""
    return [
        (file, re.findall(r"`(\w+)`", functions))
        for file, functions in re.findall(r"`([\w/]+\.py)`: ((?:`\w+`(?: → )?)+)", text)
    ]


def walks() -> list[tuple[str, str, Stops]]:
    """Each kind of request, its request line, and the six stops on its way."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    beginning = stops_of("\n".join(re.findall(r"^[123]\. .*", page, re.M)))
    rows = re.findall(r"^\| ([\w ]+) \| `([A-Z]+ /[^`]*)` \| (.*) \|$", page, re.M)
    return [(kind, line, beginning + stops_of(rest)) for kind, line, rest in rows]


def calls_for(request_line: str, clock: Clock) -> list[tuple[str, str]]:
    """The functions of the server that a request calls, each with its file."""
    site = DelaySite(DelayServer(clock=clock, now=clock.seconds), clock)
    visit = Visit(clock, site=site, peer="127.0.0.1", channel="ours")
    body = "Content-Length: 3\r\n\r\nabc" if request_line.startswith("POST") else "\r\n"
    request = f"{request_line} HTTP/1.1\r\nHost: localhost\r\n{body}"
    calls = []

    def note(frame: FrameType, event: str, _: object) -> None:
        path = pathlib.Path(frame.f_code.co_filename)
        if event == "call" and SERVER in path.parents:
            calls.append((path.relative_to(SERVER).as_posix(), frame.f_code.co_name))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        visit.send(request.encode())
        for _ in range(20):
            clock.advance(0.1)
    finally:
        sys.setprofile(before)
        visit.leave()
    return calls


class WalkTests(ClockCase):
    def test_a_request_of_each_kind_goes_the_way_that_the_page_shows(self) -> None:
        for kind, request_line, stops in walks():
            with self.subTest(kind):
                self.assertEqual(len(stops), 6)
                calls = calls_for(request_line, self.clock)
                firsts = []
                for file, functions in stops:
                    positions = [calls.index((file, name)) for name in functions]
                    self.assertEqual(positions, sorted(positions), file)
                    firsts.append(positions[0])
                self.assertEqual(firsts, sorted(firsts))

    def test_there_are_eight_kinds(self) -> None:
        self.assertEqual(len(walks()), 8)
