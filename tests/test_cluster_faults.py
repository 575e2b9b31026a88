"""Tests of what `make cluster` takes for a fault, and of the link that it may use."""

import os
import random
import struct
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.cluster_faults import (
    faults_of_clocks,
    faults_of_load,
    faults_of_records,
    faults_of_turns,
)
from benchmarks.slow_link import SlowLink


def row_of(name: str, answered: int) -> dict[str, Any]:
    return {
        "name": name,
        "answered": answered,
        "lost": None,
        "clock": 0.001 if name == "one" else 3600.001,
        "skew": 0.01,
    }


class LoadTests(SynchronousTestCase):
    """A load test of 1,000 requests, which two workers have sent."""

    def setUp(self) -> None:
        self.report: dict[str, Any] = {
            "sent": 1000,
            "answered": 1000,
            "failed": 0,
            "errors": [],
            "statuses": {"200": 1000},
            "partial": None,
            "workers": [row_of("one", 490), row_of("two", 510)],
        }

    def assert_found(self, *expected: str) -> None:
        self.assertEqual([*faults_of_load(self.report, 1000)], [*expected])

    def test_all_is_well(self) -> None:
        self.assert_found()
        clocks = faults_of_clocks(self.report, {"one": 0.0, "two": 3600.0})
        self.assertEqual([*clocks], [])

    def test_one_request_too_many(self) -> None:
        self.report |= {"sent": 1001, "answered": 1001, "statuses": {"200": 1001}}
        self.report["workers"][0]["answered"] += 1
        self.assert_found(
            "1001 answered, not 1000",
            "1001 sent, not 1000",
            "1001 of status 200, not 1000",
            "the workers have 1001 together, not 1000",
        )

    def test_one_has_failed(self) -> None:
        self.report |= {"answered": 999, "failed": 1, "errors": ["refused"]}
        self.report["statuses"] = {"200": 999}
        self.report["workers"][0]["answered"] -= 1
        self.assert_found(
            "999 answered, not 1000",
            "999 of status 200, not 1000",
            "1 failed: ['refused']",
            "the workers have 999 together, not 1000",
        )

    def test_another_status(self) -> None:
        self.report["statuses"] = {"200": 999, "503": 1}
        self.assert_found("999 of status 200, not 1000")

    def test_a_worker_had_nearly_all(self) -> None:
        self.report["workers"] = [row_of("one", 900), row_of("two", 100)]
        self.assert_found(
            "worker one: 900 of 1000 are no fair share",
            "worker two: 100 of 1000 are no fair share",
        )

    def test_a_worker_is_missing(self) -> None:
        del self.report["workers"][1]
        self.assert_found(
            "rows for ['one'], not for the workers one and two",
            "the workers have 490 together, not 1000",
        )

    def test_a_worker_was_lost(self) -> None:
        self.report["partial"] = {"lost_share": 0.5}
        self.report["workers"][1]["lost"] = "killed"
        self.assert_found(
            "it is partial: {'lost_share': 0.5}", "worker two: lost: killed"
        )

    def test_a_worker_began_late(self) -> None:
        self.report["workers"][1]["skew"] = 0.3
        self.assert_found("worker two: it began 0.300 s late")

    def test_a_clock_is_taken_for_right(self) -> None:
        self.report["workers"][1]["clock"] = 0.0
        clocks = faults_of_clocks(self.report, {"one": 0.0, "two": 3600.0})
        self.assertEqual([*clocks], ["worker two: clock +0.000, not +3600"])


class TurnsTests(SynchronousTestCase):
    """600 requests at 100 a second, of two senders by turns; some came late."""

    def setUp(self) -> None:
        chance = random.Random(1)
        self.came: dict[str, list[float]] = {"a": [], "b": []}
        for n in range(600):
            late = chance.uniform(0.0, 0.002)
            if chance.random() < 0.1:
                late += 0.2
            self.came["ab"[n % 2]].append(1.8e9 + n / 100 + late)

    def assert_found(self, *expected: str) -> None:
        self.assertEqual([*faults_of_turns(self.came, 600, 100.0)], [*expected])

    def test_all_is_well(self) -> None:
        for moved in (0.0, 0.004, 0.0099, 0.015):
            for moments in self.came.values():
                moments[:] = [moment + moved for moment in moments]
            self.assert_found()

    def test_both_are_due_at_once(self) -> None:
        self.came["b"] = [moment + 0.01 for moment in self.came["b"]]
        (found,) = faults_of_turns(self.came, 600, 100.0)
        self.assertRegex(found, r"^the senders' turns are 0\.\d ms apart, not 10 ms$")

    def test_one_sends_when_it_likes(self) -> None:
        chance = random.Random(2)
        self.came["b"] = [moment + chance.random() for moment in self.came["b"]]
        found = [*faults_of_turns(self.came, 600, 100.0)]
        self.assertRegex(found[0], r"^b: \d+ of 300 requests come in its turns$")

    def test_another_rate(self) -> None:
        for moments in self.came.values():
            moments[:] = [moment * 1.01 for moment in moments]
        found = [*faults_of_turns(self.came, 600, 100.0)]
        self.assertRegex(found[0], r"^a: \d+ of 300 requests come in its turns$")

    def test_one_is_missing(self) -> None:
        self.came["a"].pop()
        self.assert_found("599 requests came of 2 senders, not 600 of 2")

    def test_one_sender_sends_all(self) -> None:
        self.came = {"a": self.came["a"] + self.came["b"]}
        self.assert_found("600 requests came of 1 senders, not 600 of 2")


class RecordsTests(SynchronousTestCase):
    """The records of three URLs."""

    def setUp(self) -> None:
        self.urls = ["http://a/", "http://b/", "http://c/"]
        self.records: list[dict[str, Any]] = [
            {"index": index, "url": url, "error": None, "status": 200}
            for index, url in enumerate(self.urls)
        ]

    def assert_found(self, *expected: str) -> None:
        self.assertEqual([*faults_of_records(self.urls, self.records)], [*expected])

    def test_all_is_well(self) -> None:
        self.assert_found()

    def test_one_is_missing(self) -> None:
        del self.records[2]
        self.assert_found("2 records for 3 URLs")

    def test_one_is_there_twice(self) -> None:
        self.records[2] = self.records[1]
        self.assert_found("URL 1 has 2 records", "record 2: index 1, not 2")

    def test_they_are_not_in_order(self) -> None:
        self.records.reverse()
        self.assert_found("record 0: index 2, not 0", "record 2: index 0, not 2")

    def test_one_is_another_urls(self) -> None:
        self.records[1]["url"] = "http://c/"
        self.assert_found("record 1: url 'http://c/', not 'http://b/'")

    def test_one_has_failed(self) -> None:
        self.records[1] |= {"error": "lost", "status": None}
        self.assert_found("record 1: error 'lost', not None")


class SlowLinkTests(SynchronousTestCase):
    """A link of two ends, whose devices are pipes."""

    def setUp(self) -> None:
        self.reads = []
        ends = {}
        for address in (b"\x0a\x13\0\1", b"\x0a\x13\0\2"):
            read, write = os.pipe()
            self.addCleanup(os.close, read)
            self.addCleanup(os.close, write)
            os.set_blocking(read, False)
            self.reads.append(read)
            ends[address] = write
        self.ends = ends

    def packet(self, to: int, number: int) -> bytes:
        return struct.pack("!B15x4BI", 0x45, 10, 19, 0, to, number)

    def test_a_packet_comes_late_to_whom_it_is_for(self) -> None:
        link = SlowLink(self.ends, delay=0.02, loss=0.0, seed=1)
        link.take(self.packet(2, 7), now=10.0)
        link.take(self.packet(3, 8), now=10.0)
        link.take(b"\x60" + bytes(39), now=10.0)
        self.assertAlmostEqual(link.seconds_left(10.005), 0.015)
        link.deliver(10.019)
        self.assertRaises(BlockingIOError, os.read, self.reads[1], 100)
        link.deliver(10.021)
        self.assertEqual(os.read(self.reads[1], 100), self.packet(2, 7))
        self.assertRaises(BlockingIOError, os.read, self.reads[0], 100)
        self.assertEqual(link.seconds_left(10.03), -1)

    def test_a_device_that_is_down_keeps_no_other_from_its_packets(self) -> None:
        link = SlowLink(
            {**self.ends, b"\x0a\x13\0\3": self.reads[0]}, delay=0.0, loss=0.0, seed=1
        )
        for to in (3, 2):
            link.take(self.packet(to, 7), now=0.0)
        link.deliver(1.0)
        self.assertEqual(os.read(self.reads[1], 100), self.packet(2, 7))

    def test_a_share_is_lost(self) -> None:
        link = SlowLink(self.ends, delay=0.0, loss=0.1, seed=1)
        for number in range(1000):
            link.take(self.packet(1, number), now=0.0)
        link.deliver(1.0)
        came = len(os.read(self.reads[0], 65536)) // len(self.packet(1, 0))
        self.assertTrue(850 < came < 950, came)
