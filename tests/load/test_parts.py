"""A plan that is divided is the same plan, and a plan that is written can be read."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import fields, replace
from itertools import islice, pairwise, takewhile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.target import Origin
from nbtwisted.load.fleet.parts import divide
from nbtwisted.load.fleet.spec import (
    read_requests,
    read_spec,
    write_requests,
    write_spec,
)
from nbtwisted.load.plan import Plan
from nbtwisted.load.requests.prepared import Common, Prepared
from nbtwisted.load.requests.turns import share_of_round
from nbtwisted.load.schedule.arrivals import Arrivals
from nbtwisted.load.schedule.pacing import Pace
from nbtwisted.load.schedule.profile import Profile, Stage
from tests.guard import ClockCase
from tests.load.in_memory import plan_of

RATES = st.floats(0, 50)
PROFILES = st.lists(
    st.builds(Stage, st.floats(0.01, 5), RATES, RATES), min_size=1, max_size=4
).map(Profile)
NUMBERS = st.one_of(st.integers(1, 200), st.just(math.inf))
PLANS = st.builds(
    plan_of,
    connections=st.integers(1, 50),
    number=NUMBERS,
    seconds=st.floats(0.01, 5),
    rate=st.floats(0.1, 100),
    warm_up=st.sampled_from([0.0, 0.3, 1.0]),
    profile=st.one_of(st.none(), PROFILES),
)


def dues(plan: Plan) -> list[float]:
    """When the requests of a plan are due that begins at 100."""
    pace = Pace(
        100.0, number=plan.number, warm_up=plan.warm_up, arrivals=plan.open_loop
    )
    found: list[float] = []
    while True:
        wait = pace.wait(100.0)
        if wait is None:
            return found
        due = pace.take(100.0 + wait + 1e-9)
        assert due is not None
        found.append(due)


class PartsTests(ClockCase):
    @given(PLANS, st.integers(1, 9))
    def test_parts_are_together_the_whole(self, plan: Plan, number: int) -> None:
        parts = divide(plan, number)
        self.assertEqual(len(parts), min(number, plan.connections))
        self.assertEqual(sum(part.connections for part in parts), plan.connections)
        self.assertGreaterEqual(min(part.connections for part in parts), 1)
        self.assertEqual(sum(part.number for part in parts), plan.number)
        # To the last bit.
        self.assertEqual(
            sorted(due for part in parts for due in dues(part)), dues(plan)
        )

    @given(PLANS, st.integers(1, 4), st.integers(1, 4))
    def test_parts_of_parts(self, plan: Plan, number: int, again: int) -> None:
        parts = [
            part
            for one in divide(replace(plan, connections=16), number)
            for part in divide(one, again)
        ]
        self.assertEqual(sum(part.number for part in parts), plan.number)
        self.assertEqual(
            sorted(due for part in parts for due in dues(part)), dues(plan)
        )

    @given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 60))
    def test_turns_of_parts(self, length: int, number: int, sent: int) -> None:
        asked: dict[int, Prepared] = {}
        requests = [
            Prepared(
                b"", b"", Common(Origin(False, "a", 80), b"", f"M{turn}", 1.0, True)
            )
            for turn in range(length)
        ]
        for part in divide(plan_of(connections=99, number=sent), number):
            share = share_of_round(requests, part.first, part.step)
            # Each part has all of them in a round, and so not all of the slow ones.
            self.assertEqual(len(share), length)
            self.assertEqual({*map(id, share)}, {*map(id, requests)})
            for turn in range(int(part.number)):
                asked[part.first + turn * part.step] = share[turn % length]
        self.assertEqual(len(asked), sent)
        # Whoever makes them, there are as many of each as if one did.
        counted = Counter(request.common.method for request in asked.values())
        for rounds in range(0, sent + 1, math.lcm(length, number)):
            begun = Counter(asked[turn].common.method for turn in range(rounds))
            self.assertLessEqual(len({*begun.values()}), 1)
            self.assertIn(len(begun), (0, length))
        self.assertLessEqual(
            max(counted.values(), default=0) * length, sent + 2 * length
        )

    @given(
        PLANS,
        st.sampled_from(["constant", "poisson"]),
        st.one_of(st.none(), st.integers(0, 2**32)),
        st.booleans(),
        st.integers(1, 5),
    )
    def test_a_plan_is_written_and_read(
        self, plan: Plan, arrivals: str, seed: int | None, flag: bool, number: int
    ) -> None:
        plan = replace(
            plan, arrivals=arrivals, seed=seed, keeps_alive=flag, verify=not flag
        )
        for part in divide(plan, number):
            spec = json.loads(json.dumps(write_spec(part), allow_nan=False))
            self.assertEqual(read_spec(spec, part.requests), part)

    def test_a_plan_without_an_end(self) -> None:
        plan = plan_of(profile=Profile.parse("1/1,5"))
        spec = json.loads(json.dumps(write_spec(plan), allow_nan=False))
        self.assertEqual(read_spec(spec, plan.requests), plan)

    COMMONS = st.builds(
        Common,
        st.builds(Origin, st.booleans(), st.text(), st.integers(0, 65535)),
        st.binary(),
        st.text(),
        st.floats(0, 1e9),
        st.booleans(),
        st.text(),
    )

    @given(st.data())
    def test_requests_are_written_and_read(self, data: Any) -> None:
        commons = data.draw(st.lists(self.COMMONS, min_size=1, max_size=3, unique=True))
        requests = data.draw(
            st.lists(
                st.builds(Prepared, st.binary(), st.binary(), st.sampled_from(commons)),
                max_size=20,
            )
        )
        found = read_requests(write_requests(requests))
        self.assertEqual([*map(_values, found)], [*map(_values, requests)])
        shared = {id(request.common) for request in found}
        self.assertEqual(len(shared), len({request.common for request in requests}))

    def test_what_requests_share_is_written_once(self) -> None:
        common = Common(
            Origin(False, "a", 80), b"\r\n" + b"x" * 500, "POST", 1.0, False
        )
        requests = [
            Prepared(b"POST /%d HTTP/1.1" % turn, b"y" * 500, common)
            for turn in range(1000)
        ]
        self.assertLess(len(write_requests(requests)), 30_000)
        # With many turns, a request is one, there and here.
        written = write_requests([requests[turn % 2] for turn in range(1000)])
        self.assertLess(len(written), 5_000)
        found = read_requests(written)
        self.assertEqual(len({id(request) for request in found}), 2)
        lines = [request.line for request in found[:3]]
        self.assertEqual(lines, [requests[turn].line for turn in (0, 1, 0)])


def _values(request: Prepared) -> list[Any]:
    return [getattr(request, field.name) for field in fields(request)]


class PoissonTests(ClockCase):
    def moments(self, text: str = "100/50", **told: Any) -> list[float]:
        arrivals = Arrivals(Profile.parse(text), "poisson", **told)
        return [*islice(arrivals.moments(0.0), 1_000_000)]

    def test_a_seed_draws_the_same_again(self) -> None:
        self.assertEqual(self.moments(seed=1), self.moments(seed=1))
        self.assertNotEqual(self.moments(seed=1), self.moments(seed=2))
        one, two = (self.moments(seed=1, first=first, step=2) for first in (0, 1))
        self.assertNotEqual(one, two)

    def test_many_parts_are_one_process(self) -> None:
        for step in (1, 4):
            moments = sorted(
                moment
                for first in range(step)
                for moment in self.moments(seed=5, first=first, step=step)
            )
            # 5,000 on average, with a deviation of 71.
            self.assertLess(abs(len(moments) - 5000), 300)
            # In each half second 50, and a variance of as much.
            counts = Counter(int(moment * 2) for moment in moments)
            mean = len(moments) / 100
            variance = sum((counts[half] - mean) ** 2 for half in range(100)) / 99
            self.assertTrue(0.6 < variance / mean < 1.5, variance / mean)
            # The times between them are exponential: 1/e of them are above the mean.
            gaps = [two - one for one, two in pairwise(moments)]
            above = sum(gap > 0.01 for gap in gaps) / len(gaps)
            self.assertLess(abs(above - math.exp(-1)), 0.03)

    def test_a_ramp(self) -> None:
        moments = self.moments("0..200/50", seed=3)
        half = sum(1 for _ in takewhile(lambda moment: moment < 25, moments))
        # A quarter of 5,000, and all.
        self.assertLess(abs(half - 1250), 150)
        self.assertLess(abs(len(moments) - 5000), 300)
