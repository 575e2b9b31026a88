"""The controls: what they read, and what they refuse."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.server.engine.keys import REMEMBERED_KEYS, Keys
from nbtwisted.server.model.body import Filler
from nbtwisted.server.model.control_text import (
    CONTROLS,
    FAULTS,
    LARGEST_BODY,
    UnreadableControl,
    read_controls,
)
from nbtwisted.server.model.controls import (
    Content,
    Controls,
    Drip,
    Fault,
    Limit,
    Statuses,
)
from tests.guard import ClockCase


def read(**given: str) -> Controls:
    return read_controls(
        {name: [value] for name, value in given.items()}, max_delay=300
    )


def refusal(**given: str) -> str:
    with pytest.raises(UnreadableControl) as caught:
        read(**given)
    ((name, value),) = given.items()
    assert (caught.value.control, caught.value.value) == (f"_{name}", value)
    return caught.value.expected


class ReadingTests(ClockCase):
    def test_nothing_asked(self) -> None:
        self.assertEqual(read_controls({}, max_delay=300), Controls())

    def test_all_of_them(self) -> None:
        self.assertEqual(
            read(
                status="503",
                drip="5s/10",
                rate="10kB",
                size="1000",
                header="X-A: b ",
                fault="reset:0.1",
                seq="503,503,200",
                limit="5/10s",
                key="job 1",
                read="1kB",
                idle="200ms",
            ),
            Controls(
                statuses=Statuses((503,), (1.0,)),
                drip=Drip(5.0, 10),
                rate=10_000.0,
                content=Content(Filler(1000)),
                headers=(("X-A", "b"),),
                fault=Fault("reset", 0.1),
                steps=tuple(Controls(statuses=Statuses((s,))) for s in (503, 503, 200)),
                limit=Limit(5, 10.0),
                key="job 1",
                read=1000.0,
                idle=0.2,
            ),
        )

    def test_statuses(self) -> None:
        drawn = [
            Statuses.parse("200:0.9,500:0.1").draw(Random(seed)) for seed in range(2000)
        ]
        self.assertApproximates(drawn.count(500) / 2000, 0.1, 0.03)
        self.assertEqual(Statuses.parse("200,500:0").draw(Random()), 200)

    def test_rates(self) -> None:
        for text, rate in {"1": 1, "500B": 500, "1.5kB": 1500, "2MiB": 2**21}.items():
            self.assertEqual(read(rate=text).rate, rate)

    def test_no_time_at_all_is_a_time(self) -> None:
        self.assertEqual(read(idle="0").changes, (("idle", 0.0),))
        self.assertEqual(read(status="200").changes[0][0], "statuses")
        self.assertEqual(len(read(status="200").changes), 1)

    def test_wiremocks_names(self) -> None:
        for ours, theirs in FAULTS.items():
            self.assertEqual(read(fault=ours).fault, Fault(ours))
            if theirs:
                self.assertEqual(read(fault=f"{theirs}:0.5").fault, Fault(ours, 0.5))

    def test_twice_the_same_is_once(self) -> None:
        given = {"status": ["503", "503"], "header": ["A:b", "A:b"]}
        controls = read_controls(given, max_delay=300)
        self.assertEqual(controls.statuses, Statuses((503,), (1.0,)))
        self.assertEqual(controls.headers, (("A", "b"), ("A", "b")))
        with self.assertRaises(UnreadableControl) as caught:
            read_controls({"status": ["503", "504"]}, max_delay=300)
        self.assertEqual(caught.exception.value, "503, 504")

    def test_refused(self) -> None:
        for name, values, words in [
            ("delay", ["", "abc", "-1", "1e309", "lognormal(1s"], "seconds such as"),
            ("delay", ["301"], "at most 300 seconds"),
            ("status", ["", "0", "99", "199", "600", "2000", "x", "200:x"], "status"),
            ("status", ["200:0", "200:0,500:0"], "not all 0"),
            ("status", [",".join(["200"] * 101)], "at most 100"),
            ("drip", ["", "1s", "1s/0", "1s/-1", "x/1", "/5", "1s/1.5"], "5s/10"),
            ("drip", ["1s/10001"], "at most 10000 chunks"),
            ("drip", ["301s/2"], "at most 300 seconds"),
            ("rate", ["", "0", "0.5", "-1", "1GB", "x", "1.2.3", "1e3"], "10kB"),
            ("rate", ["9" * 307 + "MB"], "10kB"),
            ("size", ["", "-1", "1e12", "x", "1.5"], "whole number of bytes"),
            ("size", [str(LARGEST_BODY + 1), "9" * 13], f"to {LARGEST_BODY}"),
            ("header", ["", "A", ":b", "A b:c", "Ä:b"], "Name:Value"),
            ("header", ["A:b\r\nC: d", "A:b\nc", "A:\0", "A:\x7f"], "without CR"),
            ("fault", ["", "unknown", "RESET"], "one of reset, empty"),
            ("fault", ["reset:1.1", "reset:2", "reset:"], "a probability from 0 to 1"),
            ("fault", ["reset:-1", "reset:x"], "a probability from 0 to 1"),
            ("seq", ["", "x", "503,", "503,99"], "503,reset,200"),
            ("seq", [",".join(["503"] * 1000)], "at most 100"),
            ("limit", ["", "5", "5/", "0/1s", "/1s", "5/0", "-1/1s", "x/1s"], "5/10s"),
            ("key", ["", "x" * 201], "1 to 200 characters"),
            ("read", ["", "0", "-1", "1GB", "10kB/s"], "10kB"),
            ("idle", ["", "-1", "x", "1h", "uniform(1s,2s)"], "seconds such as"),
            ("idle", ["301"], "at most 300 seconds"),
        ]:
            for value in values:
                self.assertIn(words, refusal(**{name: value}), (name, value))
        self.assertIn("one of _delay", refusal(dealy="1"))

    @given(st.dictionaries(st.sampled_from(CONTROLS), st.lists(st.text(max_size=20))))
    def test_anything_is_read_or_refused(self, given: dict[str, list[str]]) -> None:
        try:
            controls = read_controls(given, max_delay=300)
        except UnreadableControl as error:
            self.assertTrue(error.expected.isprintable())
            self.assertIn(error.control.removeprefix("_"), CONTROLS)
            return
        for name, value in controls.headers:
            self.assertFalse(set("\r\n\0") & set(name + value))


class KeysTests(ClockCase):
    def test_counts_each_key_by_itself(self) -> None:
        keys = Keys()
        self.assertEqual([keys.count(key) for key in "aabab"], [0, 1, 0, 2, 1])

    def test_a_full_bucket_that_refills(self) -> None:
        keys, limit = Keys(), Limit(2, 10.0)
        self.assertEqual(keys.seconds_to_wait("a", limit, 100), 0)
        self.assertEqual(keys.seconds_to_wait("a", limit, 100), 0)
        self.assertEqual(keys.seconds_to_wait("a", limit, 100), 5)
        self.assertEqual(keys.seconds_to_wait("b", limit, 100), 0)
        self.assertApproximates(keys.seconds_to_wait("a", limit, 104), 1, 1e-9)
        self.assertEqual(keys.seconds_to_wait("a", limit, 105), 0)
        # However long nobody asks, it holds no more than it can.
        for expected in (0, 0, 5):
            self.assertEqual(keys.seconds_to_wait("a", limit, 9999), expected)

    def test_the_key_used_longest_ago_is_forgotten_first(self) -> None:
        keys = Keys()
        keys.count("kept")
        keys.count("lost")
        for n in range(REMEMBERED_KEYS - 2):
            keys.count(str(n))
        keys.count("kept")
        keys.count("one more")
        self.assertEqual(len(keys), REMEMBERED_KEYS)
        self.assertEqual(keys.count("kept"), 2)
        self.assertEqual(keys.count("lost"), 0)
