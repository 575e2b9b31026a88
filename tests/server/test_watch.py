"""One timer for the deadlines of all connections."""

from __future__ import annotations

from nbtwisted.server.http1.watch import Watch
from tests.guard import ClockCase


class Connection:
    def __init__(self, watch: Watch | None = None) -> None:
        self.looks: list[float] = []
        self._watch = watch

    def look(self, now: float) -> None:
        self.looks.append(now)
        if self._watch is not None:
            self._watch.discard(self)


class WatchTests(ClockCase):
    def test_each_looks_once_a_second(self) -> None:
        watch = Watch(self.clock)
        one, other = Connection(), Connection()
        watch.add(one)
        self.clock.advance(0.5)
        watch.add(other)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([0.5] * 3)
        self.assertEqual((one.looks, other.looks), ([1, 2], [1, 2]))
        watch.discard(one)
        self.clock.advance(1)
        self.assertEqual((one.looks, other.looks), ([1, 2], [1, 2, 3]))
        watch.discard(other)
        # One that was not looked after is none the worse for it.
        watch.discard(other)

    def test_one_that_ends_when_it_looks(self) -> None:
        watch = Watch(self.clock)
        ends, stays = Connection(watch), Connection()
        for connection in (ends, stays):
            watch.add(connection)
        self.clock.pump([1, 1])
        self.assertEqual((ends.looks, stays.looks), ([1], [1, 2]))
        watch.discard(stays)
        last = Connection(watch)
        watch.add(last)
        self.clock.advance(1)
        self.assertEqual(last.looks, [3])
