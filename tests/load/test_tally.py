"""Tallies of parts of a run: merged they are the whole, and they travel as JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import ConnectFailed, DeadlinePassed
from nbtwisted.load.figures.series import Series
from nbtwisted.load.figures.tallies import Tallies
from nbtwisted.load.figures.tally import MOST_ERRORS, Tally
from nbtwisted.load.figures.tally_json import read_tally, write_tally
from tests.guard import ClockCase

EVENTS = st.lists(
    st.tuples(
        # How long after the one before it ended, how long it took, and what came.
        st.one_of(st.floats(0, 0.05), st.floats(0, 500)),
        # Sums of these are exact, however they are added.
        st.integers(0, 2**20).map(lambda number: number / 2**14),
        st.sampled_from([200, 200, 200, 204, 503, "refused", "late"]),
        # Which part of the run saw it.
        st.integers(0, 2),
    ),
    max_size=60,
)


class Part:
    """A part of a run, with its tally."""

    def __init__(self) -> None:
        self.tallies = Tallies(Tally(Series()), [""])
        self.ended = 0.0

    def add(self, moment: float, took: float, what: int | str) -> None:
        """A request has ended, that was due so long before."""
        tally = self.tallies.by_label[""]
        self.tallies.look_at_series(moment)
        self.ended = moment
        if what == "refused":
            tally.fail(ConnectFailed("Connection refused"))
            tally.resent += 1
            return
        tally.latencies.add(took)
        tally.service.add(took / 2)
        tally.lateness.add(0.0)
        if what == "late":
            tally.fail(DeadlinePassed("no answer within 3 s"), within=took)
            tally.not_sent += 1
            return
        assert isinstance(what, int)
        tally.responses[what, 10] += 1
        tally.connecting.add(took)
        if what == 204:
            tally.receiving.add(took)
            tally.waited_for_connection += 1

    def end(self) -> Tally:
        self.tallies.look_at_series(self.ended, is_end=True)
        return self.tallies.total()


def parts_of(events: list[Any], number: int) -> list[Tally]:
    """The tallies of so many parts, by what each of them saw."""
    parts = [Part() for _ in range(number)]
    moment = 0.0
    for wait, took, what, part in events:
        moment += wait
        parts[part % number].add(moment, took, what)
    return [part.end() for part in parts]


def merged(tallies: list[Tally]) -> Tally:
    whole = Tally(Series())
    for tally in tallies:
        whole.merge(tally)
    return whole


def figures(tally: Tally) -> Any:
    """All of a tally that can be compared."""
    written = write_tally(tally)
    # The order in which they came says nothing.
    written["errors"].sort()
    written["statuses"] = dict(sorted(written["statuses"].items()))
    return written


class MergeTests(ClockCase):
    @given(EVENTS)
    def test_parts_are_the_whole(self, events: list[Any]) -> None:
        (whole,) = parts_of(events, 1)
        self.assertEqual(figures(merged(parts_of(events, 3))), figures(whole))

    @given(EVENTS)
    def test_as_json_and_back(self, events: list[Any]) -> None:
        (tally,) = parts_of(events, 1)
        written = json.dumps(write_tally(tally), allow_nan=False)
        again = read_tally(json.loads(written))
        self.assertEqual(json.dumps(write_tally(again)), written)
        self.assertEqual(again.sent, tally.sent)
        for percent in (50, 99, 100):
            self.assertEqual(
                again.latencies.percentile(percent),
                tally.latencies.percentile(percent),
            )
        # What was read can be merged as what was counted.
        self.assertEqual(figures(merged([again])), figures(merged([tally])))

    def test_parts_of_any_length(self) -> None:
        events = [(5.0, 0.5, 200, 0)] * 3
        hours = [(60.0, 0.5, 200, 1)] * 1000
        for order in (events + hours, hours + events):
            (whole,) = parts_of(order, 1)
            parts = parts_of(order, 2)
            for some in (parts, parts[::-1]):
                self.assertEqual(figures(merged(some)), figures(whole))

    def test_what_was_not_folded_counts(self) -> None:
        one, other = Tally(), Tally()
        for tally in (one, other):
            tally.responses[200, 7] += 1
            tally.latencies.add(0.25)
        one.merge(other)
        self.assertEqual((one.answered, one.bytes, one.latencies.count), (2, 14, 2))
        self.assertIsNone(one.series)

    def test_kinds_of_errors_are_bounded(self) -> None:
        whole = Tally()
        for part in range(5):
            tally = Tally()
            for number in range(MOST_ERRORS):
                tally.fail(DeadlinePassed(f"number {part} {number}"))
            whole.merge(tally)
        self.assertLessEqual(len(whole.errors), MOST_ERRORS + 1)
        self.assertEqual(whole.failed, 5 * MOST_ERRORS)
        self.assertEqual(whole.timed_out, 5 * MOST_ERRORS)


class ReadTests(ClockCase):
    def test_what_is_no_tally_is_refused(self) -> None:
        (tally,) = parts_of(
            [(0.05, 0.01, 200, 0), (0.05, 0.01, "refused", 0), (0.3, 1.0, "late", 0)], 1
        )
        good = json.loads(json.dumps(write_tally(tally)))
        read_tally(good)
        places = [*leaves(good)]
        self.assertGreater(len(places), 60)
        bad: Any
        for place in places:
            # Which say nothing that is not said elsewhere.
            if place[-1] in ("answered", "failed"):
                continue
            for value in (-1, float("nan"), True):
                bad = where = json.loads(json.dumps(good))
                for key in place[:-1]:
                    where = where[key]
                where[place[-1]] = value
                with self.subTest(place=place, value=value):
                    self.assertRaises(ValueError, read_tally, bad)
        for bad in (None, [], "x", 5, {}):
            self.assertRaises(ValueError, read_tally, bad)


def leaves(value: Any) -> Any:
    """The places of all values that are in this one, as keys behind keys."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield [key]
        for place in leaves(item):
            yield [key, *place]
