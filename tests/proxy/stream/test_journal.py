"""The journal of links, and their bytes over time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.proxy.stream.journal import LinkEntry, LinkJournal
from nbtwisted.proxy.stream.link_line import link_line
from nbtwisted.proxy.stream.samples import MOST_SAMPLES, Samples


class SamplesTests(SynchronousTestCase):
    def test_bytes_of_one_interval_are_one_sample(self) -> None:
        samples = Samples()
        for offset, up, down in [(0.0, 1, 0), (0.05, 2, 5), (0.31, 0, 7)]:
            samples.add(offset, up, down)
        self.assertEqual(samples.since(0.0), [(0.0, 3, 5), (0.3, 0, 7)])
        self.assertEqual(samples.since(0.2), [(0.3, 0, 7)])

    @given(
        st.lists(
            st.tuples(st.floats(0, 5), st.integers(0, 99), st.integers(0, 99)),
            max_size=600,
        )
    )
    def test_they_are_bounded_and_lose_no_byte(
        self, added: list[tuple[float, int, int]]
    ) -> None:
        samples = Samples()
        now = 0.0
        for later, up, down in added:
            now += later
            samples.add(now, up, down)
        found = samples.since(-1.0)
        self.assertLessEqual(len(found), MOST_SAMPLES)
        self.assertEqual(sum(up for _, up, _ in found), sum(up for _, up, _ in added))
        self.assertEqual(sum(d for *_, d in found), sum(d for *_, d in added))
        begins = [begin for begin, *_ in found]
        self.assertEqual(begins, sorted(set(begins)))

    def test_a_long_life_has_longer_intervals(self) -> None:
        samples = Samples()
        for tenth in range(10 * MOST_SAMPLES):
            samples.add(tenth / 10 + 0.05, 1, 2)
        self.assertEqual(samples.interval, 1.6)
        self.assertEqual(samples.since(0.0)[0], (0.0, 16, 32))


class JournalTests(SynchronousTestCase):
    def journal(self, open_links: int, over: int, size: int = 5) -> LinkJournal:
        journal = LinkJournal(size)
        for number in range(1, over + open_links + 1):
            entry = LinkEntry(number, 100.0 + number, "127.0.0.1:4")
            journal.begin(entry)
            if number <= over:
                entry.took, entry.outcome, entry.up = 0.5, "reset", 3
                journal.end(entry)
        return journal

    def test_it_keeps_the_last_that_are_over_and_all_that_are_open(self) -> None:
        journal = self.journal(open_links=2, over=7)
        self.assertEqual([e.number for e in journal.entries()], [3, 4, 5, 6, 7, 8, 9])
        self.assertEqual([e.number for e in journal.entries(since=7)], [8, 9])
        self.assertEqual(dict(journal.outcomes), {"reset": 7})
        self.assertEqual(journal.bytes_up, 21)
        journal.reset()
        self.assertEqual([e.number for e in journal.entries()], [8, 9])
        self.assertEqual((dict(journal.outcomes), journal.bytes_up), ({}, 0))

    def test_an_entry_is_json(self) -> None:
        entry = LinkEntry(3, 1_800_000_000.5, "127.0.0.1:4", up=1, down=2, took=0.5)
        entry.acting = {"up": (), "down": ("slow",)}
        entry.upstream_error, entry.outcome = "connect: no", "upstream failed"
        self.assertEqual(
            entry.as_json(),
            {
                "id": 3,
                "time": "2027-01-15T08:00:00.500000Z",
                "peer": "127.0.0.1:4",
                "state": "upstream failed",
                "up": 1,
                "down": 2,
                "took": 0.5,
                "stages": {"up": [], "down": ["slow"]},
                "upstream_error": "connect: no",
            },
        )

    def test_an_entry_is_a_line_of_the_access_log(self) -> None:
        entry = LinkEntry(3, 1_800_000_000.5, "127.0.0.1:4", up=1, down=2, took=0.5)
        entry.acting = {"up": ("slow",), "down": ("slow", 'a "b"')}
        entry.outcome = "reset"
        line = (
            "127.0.0.1:4 - - [15/Jan/2027:08:00:00 +0000] "
            '"tcp://db:5432" up=1 down=2 took=0.500 stages="slow, a \\"b\\"" '
            'outcome="reset"'
        )
        self.assertEqual(link_line(entry, "tcp://db:5432"), line)
        entry.upstream_error = "connect: refused"
        self.assertEqual(
            link_line(entry, "tcp://db:5432"), f'{line} error="connect: refused"'
        )
