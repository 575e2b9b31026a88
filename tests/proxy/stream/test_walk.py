"""docs/architecture.md says which functions a link goes through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from nbtwisted.proxy.stream.stage import Break, Direction, Latency, Placed
from nbtwisted.server.model.delay import Delay
from tests.guard import ClockCase
from tests.proxy.stream.in_memory import End, Proxied
from tests.walking import calls_of, walks


class WalkTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = MemoryReactorClock()

    def proxied(self, *stages: Any) -> Proxied:
        placed: Sequence[Placed] = [Placed("s", Direction.DOWN, s) for s in stages]
        made = Proxied(self.clock, stages=placed)
        self.addCleanup(made.stop)
        return made

    def pair(self, *stages: Any) -> tuple[End, End]:
        return self.proxied(*stages).pair()

    def plain(self) -> None:
        client, _ = self.pair()
        client.send(b"ask")

    def delayed(self) -> None:
        _, upstream = self.pair(Latency(Delay((0.5,))))
        upstream.send(b"answer")
        self.clock.advance(0.6)

    def full(self) -> None:
        client, upstream = self.pair()
        upstream.send(bytes(100_000))
        client.take()

    def ended(self) -> None:
        ends = self.pair()
        for end in ends:
            end.end()
        for end in ends:
            end.finish()

    def reset(self) -> None:
        client, _ = self.pair()
        client.reset()

    def broken(self) -> None:
        _, upstream = self.pair(Break("reset"))
        upstream.send(b"answer")

    def refused(self) -> None:
        proxied = self.proxied()
        proxied.connect()
        proxied.refuse()

    def test_a_link_of_each_kind_goes_the_way_that_the_page_shows(self) -> None:
        kinds = walks("link")
        self.assertEqual(len(kinds), 7)
        for kind, _, stops in kinds:
            with self.subTest(kind):
                calls = calls_of("", getattr(self, kind))
                at = -1
                for file, functions in stops:
                    for name in functions:
                        # Some are called more than once on the way.
                        self.assertIn((file, name), calls[at + 1 :], kind)
                        at = calls.index((file, name), at + 1)
