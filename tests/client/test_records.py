"""Records read back, and the table of where they are."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import BadJob, BadURL, Interrupted
from nbtwisted.client.job import Job
from nbtwisted.client.result import Result
from nbtwisted.client.results import records
from nbtwisted.client.results.output import body_sha256, jsonl
from nbtwisted.client.results.records import (
    NO_REQUEST,
    Record,
    RecordTable,
    describe,
    identity,
    read_record,
)
from tests.client.results import attempt, lost, result


def record(**changes: Any) -> bytes:
    """A record that somebody else has written, in JSON of another make."""
    document = {"index": 7, "url": "http://h/", "status": 200, "error": None, **changes}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


class ReadRecordTests(SynchronousTestCase):
    def test_the_fast_way_and_json_agree(self) -> None:
        job = Job("http://10.0.0.1/a", "POST", body=b"body")
        of = identity("http://10.0.0.1/a", "POST", body_sha256(b"body"))
        answered = result(attempt())
        answered.job = job
        failed = lost()
        failed.job = job
        for how_it_ended, expected in [
            (answered, Record(3, of, 200)),
            (failed, Record(3, of, None)),
            # A URL with a letter that JSON quotes has to take the slow way.
            (
                Result('a"\\', error=Interrupted("no"), job=Job('a"\\')),
                Record(3, identity('a"\\'), None),
            ),
            (
                Result("http://ü/", error=BadURL("no"), job=Job("http://ü/")),
                Record(3, NO_REQUEST, None),
            ),
            (
                Result("http://ü/", error=Interrupted("no"), job=Job("http://ü/")),
                Record(3, identity("http://ü/"), None),
            ),
            (
                Result("{}", error=BadJob("no", shown="{}")),
                Record(3, NO_REQUEST, None),
            ),
        ]:
            line = jsonl(3, how_it_ended)
            self.assertEqual(read_record(line), expected)
            self.assertEqual(records._read_json(line), expected)

    def test_our_own_are_read_fast(self) -> None:
        self.patch(records, "_read_json", None)
        line = jsonl(0, result(attempt()))
        self.assertEqual(read_record(line).status, 200)
        self.assertIsNone(read_record(jsonl(0, lost())).status)

    def test_older_ones(self) -> None:
        older = (
            b'{"index": 4, "url": "http://h/", "attempts": 1, "resent": 0, '
            b'"fileno": 7, "status": 404, "reason": "", "error": null}\n'
        )
        self.assertEqual(read_record(older), Record(4, identity("http://h/"), 404))
        self.assertEqual(read_record(record()), Record(7, identity("http://h/"), 200))

    def test_what_is_none(self) -> None:
        whole = jsonl(0, result(attempt()))
        for line in [
            *(
                b"\n",
                b"null\n",
                b"[]\n",
                b"{}\n",
                b"\xff\n",
                b"x\n",
                whole[:-2] + b"\n",
            ),
            # Somebody has appended to a line that was cut.
            *(whole[:150] + whole, whole[:-1] + whole, b"[" * 100_000 + b"\n"),
            record(index=-1),
            record(index=True),
            record(index=1.0),
            record(index=None),
            record(url=None),
            record(method=1),
            record(request_body_sha256=1),
            record(status=None),
            record(status="200"),
            record(error="x"),
            record().replace(b',"error":null', b""),
        ]:
            with self.assertRaises(ValueError) as caught:
                read_record(line)
            self.assertEqual(str(caught.exception), records.EXPECTED, line)

    @given(st.text(max_size=20), st.sampled_from(("GET", "M~")), st.binary(max_size=2))
    def test_any_request(self, url: str, method: str, body: bytes) -> None:
        job = Job(url, method, body=body)
        ended = Result(url, error=Interrupted("no"), job=job)
        line = jsonl(0, ended)
        of = identity(url, method, body_sha256(body) if body else None)
        self.assertEqual(read_record(line).identity, of)

    def test_for_people(self) -> None:
        self.assertEqual(describe(record()), "GET http://h/")
        self.assertEqual(
            describe(
                record(url="\x1b", method="PUT", request_body_sha256="0123456789")
            ),
            "PUT \\x1b with a body of SHA-256 01234567",
        )


class RecordTableTests(SynchronousTestCase):
    def test_the_last_counts_but_no_failure_in_place_of_an_answer(self) -> None:
        table = RecordTable()
        for begin, status in enumerate((None, None, 200, 404, None)):
            table.add(Record(5, 1, status), begin)
            self.assertEqual(table.begin_of(5), min(begin, 3))
            self.assertEqual(table.find(5), (1, begin >= 2))
        self.assertEqual((table.answered, table.length), (1, 6))

    def test_a_status_that_is_a_failure(self) -> None:
        table = RecordTable(fail=True)
        table.add(Record(0, 1, 399), 0)
        table.add(Record(1, 1, 400), 1)
        self.assertEqual((table.find(0), table.find(1)), ((1, True), (1, False)))
        self.assertEqual(table.answered, 1)

    def test_two_requests_of_one_position(self) -> None:
        table = RecordTable()
        table.add(Record(0, 1, None), 0)
        with self.assertRaises(ValueError):
            table.add(Record(0, 2, 200), 1)
        self.assertEqual(table.find(0), (1, False))

    def test_a_request_in_place_of_what_was_none(self) -> None:
        for first, second in [(NO_REQUEST, 1), (1, NO_REQUEST)]:
            table = RecordTable()
            table.add(Record(0, first, None), 0)
            table.add(Record(0, second, None), 1)
            self.assertEqual(table.find(0), (second, False))

    def test_order(self) -> None:
        for order, is_in_order in [
            ([], True),
            ([0, 1, 2], True),
            ([0, 2, 1], False),
            ([1], False),
            ([0, 0], False),
        ]:
            table = RecordTable()
            for begin, position in enumerate(order):
                table.add(Record(position, 1, None), begin)
            self.assertEqual(table.is_in_order, is_in_order, order)

    def test_positions_far_apart_take_no_room(self) -> None:
        table = RecordTable()
        far = 10**17
        for begin, position in enumerate((far, 0, 5000)):
            table.add(Record(position, 1, 200), begin)
        self.assertEqual(list(table.begins()), [1, 2, 0])
        self.assertIsNone(table.find(far - 1))
        self.assertIsNone(table.find(9999))
        self.assertEqual(table.length, far + 1)
