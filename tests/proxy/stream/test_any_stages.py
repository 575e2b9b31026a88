"""Nothing is lost, invented or reordered, whatever the stages, cuts and changes."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.proxy.stream.stage import (
    Break,
    Latency,
    Rate,
    Slices,
    SlowClose,
    Stage,
    Timeout,
)
from nbtwisted.proxy.stream.steps import Signal
from nbtwisted.server.model.delay import Delay
from tests.proxy.stream.timed import (
    Timed,
    drain,
    joined,
    pipeline,
    placed,
    signals,
    through,
)

seconds = st.floats(0, 3).map(lambda value: round(value, 3))
sizes = st.integers(0, 60)

DELAYING: st.SearchStrategy[Stage] = st.one_of(
    st.builds(lambda a, b: Latency(Delay((a, b))), seconds, seconds),
    st.builds(Rate, st.floats(1, 1000)),
    st.builds(Slices, st.integers(1, 20), st.integers(0, 20), seconds),
    st.builds(SlowClose, seconds),
)
BREAKING: st.SearchStrategy[Stage] = st.one_of(
    st.builds(
        Break,
        st.sampled_from(["reset", "stall", "close"]),
        st.none() | seconds,
        st.none() | sizes,
        st.just(0.0) | seconds,
    ),
    st.builds(Timeout, st.none() | seconds),
)


@st.composite
def fed_bytes(draw: st.DrawFn) -> list[Timed]:
    """Chunks of numbered bytes, each after the one before."""
    at, number = 0.0, 0
    fed: list[Timed] = []
    for size in draw(st.lists(st.integers(1, 30), max_size=6)):
        at += draw(seconds)
        fed.append((at, bytes(n % 256 for n in range(number, number + size))))
        number += size
    return fed


class AnyStages(SynchronousTestCase):
    @given(st.lists(DELAYING, max_size=4), fed_bytes(), seconds)
    def test_all_bytes_and_then_the_end_pass(
        self, stages: list[Stage], fed: list[Timed], later: float
    ) -> None:
        ended = fed[-1][0] + later if fed else later
        of = pipeline(*stages)
        out = through(of, *fed, (ended, Signal.END))
        self.assertEqual(joined(out), joined(fed))
        self.assertEqual(out[-1][1], Signal.END)
        self.assertEqual(signals(out), [Signal.END])
        times = [at for at, _ in out]
        self.assertEqual(times, sorted(times))
        self.assertEqual((of.held, of.due), (0, math.inf))

    @given(st.lists(DELAYING | BREAKING, max_size=4), fed_bytes(), seconds)
    def test_what_passes_is_the_beginning(
        self, stages: list[Stage], fed: list[Timed], later: float
    ) -> None:
        ended = fed[-1][0] + later if fed else later
        of = pipeline(*stages)
        out = through(of, *fed, (ended, Signal.END))
        self.assertTrue(joined(fed).startswith(joined(out)))
        self.assertLessEqual(len(signals(out)), 1)
        if not signals(out):
            self.assertTrue(of.is_stuck)
        most = [s.after_bytes for s in stages if isinstance(s, Break)]
        for limit in most:
            if limit is not None:
                self.assertLessEqual(len(joined(out)), limit)

    @given(
        st.lists(st.lists(DELAYING, max_size=3), min_size=2, max_size=4),
        fed_bytes(),
        st.data(),
    )
    def test_changes_lose_nothing(
        self, plans: list[list[Stage]], fed: list[Timed], data: st.DataObject
    ) -> None:
        of = pipeline(*plans[0])
        now = 0.0
        out: list[Timed] = []
        for at, item in [*fed, (fed[-1][0] + 1.0 if fed else 1.0, Signal.END)]:
            now = max(now, at)
            out += drain(of, now)
            of.feed(item, now)
            if data.draw(st.booleans()):
                now += data.draw(seconds)
                out += drain(of, now)
                chosen = placed(*data.draw(st.sampled_from(plans)))
                of.set_stages(data.draw(st.permutations(chosen)), now)
        out += drain(of)
        self.assertEqual(joined(out), joined(fed))
        self.assertEqual(signals(out), [Signal.END])

    @given(st.lists(DELAYING, max_size=4), fed_bytes(), st.floats(0.001, 5))
    def test_late_looks_lose_nothing(
        self, stages: list[Stage], fed: list[Timed], between: float
    ) -> None:
        of = pipeline(*stages)
        out = b""
        now = 0.0
        left = list(fed)
        while left or of.due < math.inf:
            now += between
            while left and left[0][0] <= now:
                of.feed(left.pop(0)[1], now)
            while (item := of.take(now)) is not None:
                assert isinstance(item, bytes)
                out += item
        self.assertEqual(out, joined(fed))
