"""Tests of what `make stopped` takes for a fault."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.stopped import Asked, Sent, faults, make_list


def record_of(asked: Asked) -> dict[str, Any]:
    echo = {"url": asked.url, "json": json.loads(asked.line).get("json")}
    return {
        "index": asked.number,
        "url": asked.url,
        "method": asked.method,
        "status": 200,
        "error": None,
        "body": "" if asked.method == "HEAD" else json.dumps(echo),
        "bytes": 0 if asked.method == "HEAD" else 100,
    }


class FaultsTest(SynchronousTestCase):
    """A list of 9 requests: run 0 was stopped after 4, and run 1 has done the rest."""

    def setUp(self) -> None:
        self.asked = make_list(9, ["http://a/", "http://b/", "http://c/"], 10)
        self.records = [record_of(each) for each in self.asked]
        self.sent = [
            Sent(each.number, each.method, "200", int(each.number >= 4))
            for each in self.asked
        ]
        self.had = {0: {}, 1: {n: record_of(self.asked[n]) for n in range(4)}}

    def assert_found(self, *expected: str) -> None:
        found = faults(self.asked, self.records, self.sent, self.had)
        self.assertEqual([line.partition(": {")[0] for line in found], [*expected])

    def test_all_is_well(self) -> None:
        self.assert_found()

    def test_one_is_sent_that_was_under_way_when_the_run_was_stopped(self) -> None:
        self.sent.append(Sent(5, self.asked[5].method, "-", 0))
        self.assert_found()

    def test_one_is_sent_that_was_answered(self) -> None:
        self.sent.append(Sent(3, "HEAD", "200", 1))
        self.assert_found("request 3: answered, and sent by run 1")

    def test_one_is_sent_twice_by_one_run(self) -> None:
        self.sent.append(Sent(8, "POST", "200", 1))
        self.assert_found("request 8: sent by the runs [1, 1]")

    def test_one_was_never_sent(self) -> None:
        del self.sent[8]
        self.assert_found("request 8: sent by the runs []")

    def test_one_was_sent_by_another_method(self) -> None:
        self.sent[8] = Sent(8, "GET", "200", 1)
        self.assert_found("request 8: sent as GET")

    def test_the_limit_was_passed(self) -> None:
        self.sent[8] = Sent(8, "POST", "429", 1)
        self.assert_found("request 8: answered with 429")

    def test_a_record_has_changed(self) -> None:
        self.records[3]["bytes"] = 1
        self.assert_found(
            "request 3: bytes 1, not 0",
            "request 3: its record of before run 1 has changed",
        )

    def test_a_record_is_missing(self) -> None:
        del self.records[8]
        self.assert_found("8 records for 9 requests")

    def test_records_are_not_in_order(self) -> None:
        self.records[7:] = self.records[:6:-1]
        self.assert_found(
            "request 7: index 8, not 7",
            "request 8: index 7, not 8",
        )

    def test_a_record_is_of_another_body(self) -> None:
        echo = {"url": self.asked[8].url, "json": {"number": 9}}
        self.records[8]["body"] = json.dumps(echo)
        self.assert_found("request 8: echoed body {'number': 9}, not {'number': 8}")

    def test_a_record_is_of_a_failure(self) -> None:
        self.records[8] |= {"error": "refused", "status": None, "body": None}
        self.assert_found("request 8: error 'refused', not None")
