"""What a viewer is told of links, frame by frame."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nbtwisted.server.routes.viewing_links import (
    FEW,
    MOST_LANES,
    MOST_OPEN,
    SECONDS_AFTER_END,
    SECONDS_BETWEEN_SUMS,
    SECONDS_OF_BYTES,
    LinksViewer,
    PlacedLink,
)
from tests.guard import ClockCase

START = 1_800_000_000.0


@dataclass
class Samples:
    interval: float = 0.1
    asked: list[float] = field(default_factory=list)

    def since(self, offset: float) -> list[tuple[float, int, int]]:
        self.asked.append(offset)
        return [(0.5, 10, 20)]


@dataclass(eq=False)
class Link:
    number: int
    came: float
    peer: str = "127.0.0.1:9"
    up: int = 0
    down: int = 0
    took: float | None = None
    outcome: str = "open"
    upstream_error: str | None = None
    acting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    samples: Samples = field(default_factory=Samples)


class Links:
    """Links in lists."""

    def __init__(self) -> None:
        self.opened: list[PlacedLink] = []
        self.over: list[PlacedLink] = []
        self.outcomes: Counter[str] = Counter()
        self.up = self.down = self.looked = 0

    @property
    def open(self) -> int:
        return len(self.opened)

    @property
    def came(self) -> int:
        return len(self.opened) + self.outcomes.total()

    def newest_open(self) -> Iterator[PlacedLink]:
        for placed in reversed(self.opened):
            self.looked += 1
            yield placed

    def latest_over(self) -> Iterator[PlacedLink]:
        return reversed(self.over)


class LinksCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.links = Links()
        self.now = START
        self.viewer = LinksViewer(self.links)
        self.rows: dict[int, dict[str, Any]] = {}

    def begin(self, port: str = "", **more: Any) -> Link:
        link = Link(self.links.came + 1, self.now, **more)
        self.links.opened.append(PlacedLink(port, link))
        return link

    def end(self, link: Link, outcome: str = "closed by client") -> None:
        (placed,) = (each for each in self.links.opened if each.link is link)
        self.links.opened.remove(placed)
        self.links.over.append(placed)
        link.outcome, link.took = outcome, self.now - link.came
        self.links.outcomes[outcome] += 1
        self.links.up += link.up
        self.links.down += link.down

    def frame(self, after: float = 0.25) -> dict[str, Any]:
        """The next frame, which the page could make sense of."""
        self.now += after
        frame: dict[str, Any] = json.loads(json.dumps(self.viewer.frame(self.now)))
        for change in frame["changes"]:
            self.rows[change["id"]].update(change)
        for each in frame["gone"]:
            del self.rows[each]
        for row in frame["rows"]:
            self.assertNotIn(row["id"], self.rows)
            self.rows[row["id"]] = row
        self.assertLessEqual(len(self.rows), MOST_LANES)
        still_open = sum(row["took"] is None for row in self.rows.values())
        self.assertEqual(frame["shown"], still_open)
        self.assertLessEqual(still_open, MOST_OPEN)
        return frame


class LinksViewerTests(LinksCase):
    def test_one_that_opens_carries_bytes_and_ends(self) -> None:
        link = self.begin(outcome="opening")
        frame = self.frame()
        self.assertEqual(
            frame["rows"],
            [
                {
                    "id": 1,
                    "port": "",
                    "number": 1,
                    "peer": "127.0.0.1:9",
                    "came": START,
                    "up": 0,
                    "down": 0,
                    "outcome": "opening",
                    "took": None,
                    "upstream_error": None,
                    "acting": {},
                    "interval": 0.1,
                    "samples": [[0.5, 10, 20]],
                }
            ],
        )
        self.assertEqual(link.samples.asked, [0.25 - SECONDS_OF_BYTES])
        link.outcome, link.up, link.down = "open", 5, 7
        frame = self.frame()
        (change,) = frame["changes"]
        self.assertEqual(
            (change["up"], change["down"], change["outcome"]), (5, 7, "open")
        )
        self.assertEqual((frame["open"], frame["up"], frame["down"]), (1, 5, 7))
        self.assertEqual(self.frame()["changes"], [])
        self.end(link, "reset by upstream")
        frame = self.frame()
        (change,) = frame["changes"]
        self.assertEqual(
            (change["outcome"], change["took"]), ("reset by upstream", 0.75)
        )
        self.assertEqual((frame["open"], frame["came"]), (0, 1))
        self.assertEqual((frame["up"], frame["down"]), (5, 7))
        self.assertEqual(frame["outcomes"], {"reset by upstream": 1})
        # It can be read for a while.
        self.assertEqual(self.frame(SECONDS_AFTER_END - 0.5)["gone"], [])
        self.assertEqual(self.frame(0.5)["gone"], [1])

    def test_what_came_and_ended_between_two_frames(self) -> None:
        self.end(self.begin())
        self.frame()
        self.assertEqual(self.rows, {}, "it was over before")
        self.end(self.begin(), "upstream failed")
        self.frame()
        self.assertEqual(
            [row["outcome"] for row in self.rows.values()], ["upstream failed"]
        )
        self.assertEqual(self.frame()["rows"], [])

    def test_a_clock_that_is_set_back_keeps_nobody(self) -> None:
        link = self.begin()
        self.frame()
        self.end(link)
        self.frame()
        self.assertEqual(self.frame(-3600)["gone"], [1])

    def test_links_of_several_ports_may_have_the_same_number(self) -> None:
        self.links.opened += [
            PlacedLink("redis", Link(1, START)),
            PlacedLink("mail\x1b", Link(1, START)),
        ]
        rows = self.frame()["rows"]
        self.assertEqual(
            [(row["port"], row["number"]) for row in rows],
            [("mail\\x1b", 1), ("redis", 1)],
        )
        self.assertEqual(self.frame()["rows"], [])

    def test_what_acts_on_it(self) -> None:
        link = self.begin(acting={"up": (), "down": ("slow",)})
        (row,) = self.frame()["rows"]
        self.assertEqual(row["acting"], {"down": ["slow"]})
        self.assertEqual(self.frame()["changes"], [])
        link.acting["up"] = tuple(f"stage {number}" for number in range(100))
        (change,) = self.frame()["changes"]
        self.assertEqual(change["acting"]["down"], ["slow"])
        self.assertEqual(change["acting"]["up"][-2:], ["stage 9", "and 90 more"])
        self.assertEqual(len(change["acting"]["up"]), 11)

    def test_a_port_that_is_opened_again_begins_to_count_anew(self) -> None:
        link = self.begin("redis")
        self.frame()
        self.end(link)
        self.links.opened.append(PlacedLink("redis", Link(1, self.now)))
        self.assertEqual([row["number"] for row in self.frame()["rows"]], [1])

    def test_of_an_error_little_is_shown_and_nothing_acts(self) -> None:
        self.begin(upstream_error="connect: \x1b[2J" + "x" * 5000, peer="p" * 5000)
        (row,) = self.frame()["rows"]
        self.assertTrue(row["upstream_error"].startswith("connect: \\x1b[2J"))
        self.assertLess(len(json.dumps(row)), 1000)

    def test_ten_thousand_are_a_sample(self) -> None:
        many = [self.begin() for _ in range(10_000)]
        frame = self.frame()
        self.assertEqual((frame["shown"], frame["open"]), (MOST_OPEN, 10_000))
        newest = {link.number for link in many[-MOST_OPEN:]}
        self.assertEqual({row["number"] for row in self.rows.values()}, newest)
        # There is room for what comes and ends meanwhile, and it is used.
        for _ in range(50):
            self.end(self.begin())
        self.frame()
        self.assertEqual(len(self.rows), MOST_LANES)
        # Those that are open take it when there are more of them.
        for link in many[:-5]:
            self.end(link)
        self.frame()
        for _ in range(MOST_OPEN):
            self.begin()
        self.frame()
        still_open = [row for row in self.rows.values() if row["took"] is None]
        self.assertEqual(len(still_open), MOST_OPEN)

    def test_it_looks_at_all_once_a_second_if_they_are_many(self) -> None:
        many = [self.begin(up=1) for _ in range(FEW + 1)]
        self.assertEqual(self.frame()["up"], FEW + 1)
        many[0].up = 1000
        self.links.looked = 0
        self.assertEqual(self.frame()["up"], FEW + 1)
        self.assertEqual(self.links.looked, 0)
        self.assertEqual(self.frame(SECONDS_BETWEEN_SUMS)["up"], FEW + 1000)
        # Fewer are counted in each frame.
        self.end(many[1])
        many[0].up = 2000
        self.assertEqual(self.frame()["up"], FEW + 2000)
