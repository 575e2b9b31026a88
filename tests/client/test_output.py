from __future__ import annotations

import csv as csv_format
import json
from base64 import b64decode
from dataclasses import replace
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import BadURL, ConnectionLost, Interrupted
from nbtwisted.client.response import Answer, Head, PastAttempt, Timing
from nbtwisted.client.results.output import (
    CSV_HEADER,
    InOrder,
    csv,
    error_line,
    jsonl,
    raw,
)
from tests.guard import ClockCase

TIMING = Timing(
    started=1_800_000_000.25,
    queued=0.5,
    dns=0.001,
    connect=0.0020000001,
    tls=None,
    wait=1.0,
    receive=0.0,
    total=1.003,
)


def answer(body: bytes) -> Answer:
    head = Head("1.1", 200, "OK", (("A", "b"), ("A", "ü")))
    received = b"HTTP/1.1 200 OK\r\nA: b\r\nA: \xfc\r\n\r\n" + body
    return Answer("http://h/", 7, head, received, body, TIMING)


def lost() -> ConnectionLost:
    error = ConnectionLost("it broke")
    error.url, error.fileno, error.timing = "http://h/\u202e", 8, TIMING
    error.received = b"HTTP/1.1 200"
    return error


class RawTests(ClockCase):
    def test_answer(self) -> None:
        self.assertEqual(
            raw(0, answer(b"body\xff")),
            b"fileno:7\nHTTP/1.1 200 OK\r\nA: b\r\nA: \xfc\r\n\r\nbody\xff\n",
        )

    def test_error_in_its_place_with_what_was_received(self) -> None:
        self.assertEqual(
            raw(0, lost()),
            b"fileno:8\nHTTP/1.1 200\nerror: body: http://h/\\u202e: it broke\n",
        )

    def test_error_before_there_was_a_connection(self) -> None:
        error = BadURL("no such thing")
        error.url = "x"
        self.assertEqual(raw(0, error), b"fileno:-\nerror: url: x: no such thing\n")
        self.assertEqual(error_line(error), "url: x: no such thing")


class JSONLTests(ClockCase):
    def test_attempts_before_the_last(self) -> None:
        head = Head("1.1", 302, "Found", ())
        past = PastAttempt(
            *("http://h/a", 6, head, None, None),
            *(TIMING, b"GET /a HTTP/1.1\r\n\r\n", 30, "redirect", 0.0),
        )
        broken = PastAttempt(
            *("http://h/b", 7, None, "no", "dns"),
            *(TIMING, b"GET /b HTTP/1.1\r\n\r\n", 0, "retry", 1.5),
        )
        last = replace(answer(b""), effective_url="http://h/b", history=(past, broken))
        record = json.loads(jsonl(0, last))
        self.assertEqual((record["url"], record["attempts"]), ("http://h/", 2))
        self.assertEqual(record["effective_url"], "http://h/b")
        first, second = record["history"]
        self.assertEqual(first["timing"]["wait"], 1.0)
        self.assertEqual(first["started"], "2027-01-15T08:00:00.250000+00:00")
        for each in (first, second):
            del each["timing"], each["started"]
        self.assertEqual(
            first,
            {
                "url": "http://h/a",
                "fileno": 6,
                "status": 302,
                "error": None,
                "then": "redirect",
                "waited": 0.0,
            },
        )
        self.assertEqual(second["error"], {"phase": "dns", "message": "no"})
        self.assertEqual((second["then"], second["waited"]), ("retry", 1.5))
        self.assertIn(",2,", csv(0, last).decode())

    def test_never_sent(self) -> None:
        error = Interrupted("cancelled before it was sent")
        error.url = "http://h/"
        record = json.loads(jsonl(0, error))
        self.assertEqual((record["timing"], record["started"]), (None, None))

    def test_answer(self) -> None:
        line = jsonl(3, answer(b"body"))
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(
            json.loads(line),
            {
                "index": 3,
                "url": "http://h/",
                "attempts": 1,
                "fileno": 7,
                "status": 200,
                "reason": "OK",
                "http_version": "1.1",
                "headers": [["A", "b"], ["A", "ü"]],
                "body": "body",
                "bytes": 4,
                "error": None,
                "timing": {
                    "queued": 0.5,
                    "dns": 0.001,
                    "connect": 0.002,
                    "tls": None,
                    "wait": 1.0,
                    "receive": 0.0,
                    "total": 1.003,
                },
                "started": "2027-01-15T08:00:00.250000+00:00",
            },
        )

    def test_error(self) -> None:
        record = json.loads(jsonl(0, lost()))
        self.assertEqual(
            record["error"],
            {"type": "ConnectionLost", "phase": "body", "message": "it broke"},
        )
        self.assertEqual((record["status"], record["body"]), (None, None))
        self.assertEqual(record["timing"]["total"], 1.003)

    def test_what_would_act_on_a_terminal_is_escaped(self) -> None:
        acting = (
            "\x1b[31m\x7f\x9b31m\u061c\u200b\u202e\u2028\u2029\u2066\ufeff\U000e0001"
        )
        head = Head("1.1", 200, "\x9bOK", (("A", "\x9d\x7f"),))
        whole = replace(answer(f"日本語 👍 {acting}".encode()), head=head)
        line = jsonl(0, replace(whole, url=f"http://h/{acting}")).decode()
        self.assertTrue(line.removesuffix("\n").isprintable(), line)
        self.assertIn("日本語 👍", line)
        record = json.loads(line)
        self.assertEqual(record["body"], f"日本語 👍 {acting}")
        self.assertEqual(record["url"], f"http://h/{acting}")
        self.assertEqual(record["headers"], [["A", "\x9d\x7f"]])

    def test_lone_surrogates(self) -> None:
        record = json.loads(jsonl(0, replace(answer(b""), url="http://h/\udc80")))
        self.assertEqual(record["url"], "http://h/\udc80")

    @given(st.binary())
    def test_any_body(self, body: bytes) -> None:
        line = jsonl(0, answer(body))
        self.assertEqual(line.count(b"\n"), 1)
        record = json.loads(line)
        if "body_base64" in record:
            self.assertNotIn("body", record)
            got = b64decode(record["body_base64"])
        else:
            got = record["body"].encode()
        self.assertEqual((got, record["bytes"]), (body, len(body)))


class CSVTests(ClockCase):
    def cell(self, url: str) -> str:
        error = BadURL(url)
        error.url = url
        (row,) = csv_format.DictReader(
            StringIO((CSV_HEADER + csv(0, error)).decode()), strict=True
        )
        self.assertEqual(row["url"], row["message"])
        return row["url"]

    def test_no_cell_is_a_formula(self) -> None:
        for url, cell in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("  =1", "'  =1"),
            ("\t=1", "\\t=1"),
            ("\r=1", "\\r=1"),
            ("\n=1", "\\n=1"),
            ("\ufeff=1", "\\ufeff=1"),
            ("\u200b=1", "\\u200b=1"),
            ("＝1", "'＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠1", "'＠1"),
            ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
            ("http://h/=1", "http://h/=1"),
            ("", ""),
        ]:
            self.assertEqual(self.cell(url), cell)

    def test_numbers_stay_numbers(self) -> None:
        row = csv(0, replace(answer(b""), timing=replace(TIMING, wait=-0.5))).decode()
        self.assertIn(",-0.5,", row)

    @given(st.text(st.characters()))
    def test_any_cell_is_one_line_that_is_safe(self, url: str) -> None:
        cell = self.cell(url)
        self.assertTrue(cell.isprintable())
        self.assertNotIn(cell.strip()[:1] or "x", "=+-@＝＋－＠\t\r\n")


class InOrderTests(ClockCase):
    @given(st.permutations(range(8)))
    def test_each_as_soon_as_its_turn_comes(self, order: list[int]) -> None:
        passed: list[tuple[int, str]] = []
        in_order: InOrder[str] = InOrder(lambda *what: passed.append(what))
        come: set[int] = set()
        for index in order:
            in_order.deliver(index, f"thing {index}")
            come.add(index)
            turn = next(n for n in range(9) if n not in come)
            self.assertEqual(passed, [(n, f"thing {n}") for n in range(turn)])
