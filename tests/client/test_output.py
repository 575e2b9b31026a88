from __future__ import annotations

import csv as csv_format
import json
from base64 import b64decode
from datetime import datetime, timezone
from hashlib import sha256
from io import StringIO
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from nbtwisted.client.errors import (
    BadJob,
    BadURL,
    ConnectionLost,
    Interrupted,
    NameNotResolved,
    RequestError,
)
from nbtwisted.client.job import Job
from nbtwisted.client.message import Message
from nbtwisted.client.result import Result
from nbtwisted.client.results.output import (
    CSV_HEADER,
    InOrder,
    body,
    csv,
    error_line,
    jsonl,
    raw,
)
from tests.client.results import URL, attempt, lost, result
from tests.guard import ClockCase

DIGEST = "request_body_sha256"
TIMES: dict[str, Any] = {
    "dns": 0.001,
    "connect": 0.0020000001,
    "send": 0.0,
    "wait": 1.0,
    "receive": 0.0,
}
FIELDS = {
    "index": 3,
    "url": "http://h/",
    "method": "GET",
    "attempts": 1,
    "resent": 0,
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
        "paced": 0.0,
        "dns": 0.001,
        "connect": 0.002,
        "proxy": None,
        "tls": None,
        "wait": 1.0,
        "receive": 0.0,
        "total": 1.003,
    },
    "started": "2027-01-15T08:00:00.250000+00:00",
}


def answered(sent: bytes, url: str = "http://h/", **more: Any) -> Result:
    received = b"HTTP/1.1 200 OK\r\nA: b\r\nA: \xfc\r\n\r\n" + sent
    headers = more.pop("headers", (("A", "b"), ("A", "ü")))
    more = {**TIMES, **more}
    return result(attempt(*headers, url=url, body=sent, raw=received, **more))


def refused(error: RequestError, url: str) -> Result:
    return Result(url, error=error)


class RawTests(ClockCase):
    def test_answer(self) -> None:
        self.assertEqual(
            raw(0, answered(b"body\xff")),
            b"fileno:7\nHTTP/1.1 200 OK\r\nA: b\r\nA: \xfc\r\n\r\nbody\xff\n",
        )

    def test_error_in_its_place_with_what_was_received(self) -> None:
        self.assertEqual(
            raw(0, lost(url="http://h/\u202e", fileno=8)),
            b"fileno:8\nHTTP/1.1 200\nerror: body: http://h/\\u202e: it broke\n",
        )

    def test_error_before_there_was_a_connection(self) -> None:
        bad = refused(BadURL("no such thing"), "x")
        self.assertEqual(raw(0, bad), b"fileno:-\nerror: url: x: no such thing\n")
        self.assertEqual(error_line(bad), "url: x: no such thing")

    def test_a_long_url_is_cut(self) -> None:
        bad = refused(BadURL("too long"), "x" * 201)
        self.assertEqual(error_line(bad), f"url: {'x' * 197}...: too long")


class BodyTests(ClockCase):
    def test_nothing_of_an_error(self) -> None:
        self.assertEqual(body(0, answered(b"body")), b"body")
        self.assertEqual(body(0, lost(status=200)), b"")


class JSONLTests(ClockCase):
    def test_the_label_of_a_list(self) -> None:
        for label, said in (("", {}), ('a "b" é', {"label": 'a "b" é'})):
            ended = answered(b"body")
            ended.job = Job("http://h/", label=label)
            record = json.loads(jsonl(3, ended))
            self.assertEqual(record, {**FIELDS, **said})

    def test_attempts_before_the_last(self) -> None:
        ended = result(
            attempt(url="http://h/a", status=302, fileno=6, then="redirect", **TIMES),
            attempt(url="http://h/b", status=None, fileno=None, then="resend"),
            attempt(
                url="http://h/b",
                status=None,
                error=NameNotResolved("no"),
                then="retry",
                waited=1.5,
            ),
            attempt(url="http://h/b"),
            url="http://h/",
        )
        line = jsonl(0, ended)
        record = json.loads(line)
        self.assertEqual(list(record), [*FIELDS, "effective_url", "history"])
        self.assertEqual((record["url"], record["attempts"]), ("http://h/", 2))
        self.assertEqual(record["resent"], 1)
        self.assertEqual(record["effective_url"], "http://h/b")
        first, second, third = record["history"]
        self.assertEqual(first["timing"]["wait"], 1.0)
        self.assertEqual(first["timing"]["queued"], 0.0)
        self.assertEqual(first["started"], "2027-01-15T08:00:00.250000+00:00")
        del first["timing"], first["started"]
        self.assertEqual(
            first,
            {
                "url": "http://h/a",
                "method": "GET",
                "fileno": 6,
                "status": 302,
                "error": None,
                "then": "redirect",
                "waited": 0.0,
            },
        )
        self.assertEqual((second["then"], second["fileno"]), ("resend", None))
        self.assertEqual(third["error"], {"phase": "dns", "message": "no"})
        self.assertEqual((third["then"], third["waited"]), ("retry", 1.5))
        self.assertEqual(third["status"], None)
        (row,) = csv_format.DictReader(StringIO((CSV_HEADER + csv(0, ended)).decode()))
        self.assertEqual((row["attempts"], row["resent"]), ("2", "1"))
        self.as_json_writes_it(line)

    def test_a_pace_and_a_tunnel(self) -> None:
        ended = result(
            attempt(paced=0.25, then="retry", status=503),
            attempt(paced=1.5, proxy=0.75),
        )
        record = json.loads(jsonl(0, ended))
        timing = record["timing"]
        self.assertEqual((timing["paced"], timing["proxy"]), (1.5, 0.75))
        timing = record["history"][0]["timing"]
        self.assertEqual((timing["paced"], timing["proxy"]), (0.25, None))
        (row,) = csv_format.DictReader(StringIO((CSV_HEADER + csv(0, ended)).decode()))
        self.assertEqual((row["paced"], row["proxy"]), ("1.5", "0.75"))

    def test_a_method_and_a_body(self) -> None:
        job = Job("http://h/", "POST", body=b"a=b")
        moved = Message(b"POST /a HTTP/1.1\r\n\r\n", b"a=b")
        past = attempt(status=303, then="redirect", message=moved)
        for _ in range(2):
            line = jsonl(0, result(past, attempt(url="http://h/c"), job=job))
            record = json.loads(line)
            self.assertEqual(list(record)[1:4], ["url", "method", DIGEST])
            self.assertEqual(record["method"], "POST")
            self.assertEqual(record[DIGEST], sha256(b"a=b").hexdigest())
            # What was asked in the end is another matter.
            self.assertEqual(record["history"][0]["method"], "POST")
            # The next body is another.
            other = Job("http://h/", "PUT", body=b"\xff")
            record = json.loads(jsonl(1, result(attempt(), job=other)))
            self.assertEqual(record["method"], "PUT")
            self.assertEqual(record[DIGEST], sha256(b"\xff").hexdigest())
        self.assertNotIn(DIGEST, json.loads(jsonl(0, answered(b""))))
        (row,) = csv_format.DictReader(
            StringIO((CSV_HEADER + csv(0, result(attempt(), job=job))).decode())
        )
        self.assertEqual(row["method"], "POST")
        self.as_json_writes_it(line)

    def test_any_method(self) -> None:
        method = "!#$%&'*+-.^_`|~a0"
        line = jsonl(0, result(attempt(), job=Job(URL, method)))
        self.assertEqual(json.loads(line)["method"], method)
        self.as_json_writes_it(line)

    def test_what_could_not_be_read_has_no_method(self) -> None:
        bad = refused(BadJob("line 3: no URL", shown="{}"), "{}")
        record = json.loads(jsonl(0, bad))
        self.assertEqual(list(record), list(FIELDS))
        self.assertEqual((record["url"], record["method"]), ("{}", None))
        (row,) = csv_format.DictReader(StringIO((CSV_HEADER + csv(0, bad)).decode()))
        self.assertEqual((row["method"], row["paced"]), ("", ""))

    def test_ended_between_two_attempts(self) -> None:
        ended = result(
            attempt(url="http://h/b", then="retry", status=503, waited=1.5),
            url="http://h/a",
            error=Interrupted("cancelled while waiting to try again"),
        )
        record = json.loads(jsonl(0, ended))
        self.assertEqual((record["fileno"], record["attempts"]), (None, 2))
        self.assertEqual(record["effective_url"], "http://h/b")
        self.assertEqual(record["timing"]["wait"], None)
        self.assertEqual(record["timing"]["total"], 4.5)
        self.assertEqual(len(record["history"]), 1)

    def test_never_sent(self) -> None:
        never = refused(Interrupted("cancelled before it was sent"), "http://h/")
        record = json.loads(jsonl(0, never))
        self.assertEqual(list(record), list(FIELDS))
        self.assertEqual((record["timing"], record["started"]), (None, None))

    def test_answer(self) -> None:
        line = jsonl(3, answered(b"body"))
        record = json.loads(line)
        self.assertEqual(record, FIELDS)
        self.assertEqual(list(record), list(FIELDS))
        self.as_json_writes_it(line)

    def as_json_writes_it(self, line: bytes) -> None:
        text = line.decode()
        self.assertEqual(text, json.dumps(json.loads(line), ensure_ascii=False) + "\n")

    def test_error(self) -> None:
        line = jsonl(0, lost(url="http://h/", **TIMES))
        record = json.loads(line)
        self.assertEqual(
            record["error"],
            {"type": "ConnectionLost", "phase": "body", "message": "it broke"},
        )
        self.assertEqual((record["status"], record["body"]), (None, None))
        self.assertEqual(record["timing"]["total"], 1.003)
        self.assertEqual(list(record), list(FIELDS))
        self.as_json_writes_it(line)

    def test_when_it_began(self) -> None:
        for began, started in (
            (0.0, "1970-01-01T00:00:00.000000+00:00"),
            (1.0000004, "1970-01-01T00:00:01.000000+00:00"),
            (59.9999996, "1970-01-01T00:01:00.000000+00:00"),
            (1_709_210_096.000_001, "2024-02-29T12:34:56.000001+00:00"),
        ):
            record = json.loads(jsonl(0, answered(b"", began=began)))
            self.assertEqual(record["started"], started)

    @given(st.floats(0, 4e9))
    def test_any_time(self, began: float) -> None:
        record = json.loads(jsonl(0, answered(b"", began=began)))
        date = datetime.fromtimestamp(began, timezone.utc)
        self.assertEqual(record["started"], date.isoformat(timespec="microseconds"))

    @given(st.floats(0, 1e5))
    def test_any_number_of_seconds(self, seconds: float) -> None:
        ended = answered(b"")
        ended.queued = seconds
        line = jsonl(0, ended)
        queued = json.loads(line)["timing"]["queued"]
        self.assertLess(abs(queued - seconds), 0.51e-6)
        self.assertEqual(queued, round(queued, 6))
        self.as_json_writes_it(line)

    def test_what_would_act_on_a_terminal_is_escaped(self) -> None:
        acting = (
            "\x1b[31m\x7f\x9b31m\u061c\u200b\u202e\u2028\u2029\u2066\ufeff\U000e0001"
        )
        ended = answered(
            f"日本語 👍 {acting}".encode(),
            url=f"http://h/{acting}",
            reason="\x9bOK",
            headers=[("A", "\x9d\x7f")],
        )
        line = jsonl(0, ended).decode()
        self.assertTrue(line.removesuffix("\n").isprintable(), line)
        self.assertIn("日本語 👍", line)
        record = json.loads(line)
        self.assertEqual(record["body"], f"日本語 👍 {acting}")
        self.assertEqual(record["url"], f"http://h/{acting}")
        self.assertEqual((record["reason"]), "\x9bOK")
        self.assertEqual(record["headers"], [["A", "\x9d\x7f"]])

    @given(st.text(st.characters()), st.text(st.characters(max_codepoint=255)))
    @example("\x7f", "\x7f")
    @example("\udc80", '"')
    def test_any_text(self, text: str, received: str) -> None:
        headers = [(received, ""), ("", received)]
        ended = answered(b"", url=text, reason=received, headers=headers)
        failed = lost(url=text, error=ConnectionLost(text))
        for line in (jsonl(0, ended), jsonl(0, failed)):
            self.assertTrue(line.decode().removesuffix("\n").isprintable())
        record = json.loads(jsonl(0, ended))
        self.assertEqual((record["url"], record["reason"]), (text, received))
        self.assertEqual(record["headers"], [[received, ""], ["", received]])
        record = json.loads(jsonl(0, failed))
        self.assertEqual((record["url"], record["error"]["message"]), (text, text))

    @given(st.binary())
    @example(b"\xff")
    def test_any_body(self, body: bytes) -> None:
        line = jsonl(0, answered(body))
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
        bad = refused(BadURL(url), url)
        (row,) = csv_format.DictReader(
            StringIO((CSV_HEADER + csv(0, bad)).decode()), strict=True
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
        ended = answered(b"body")
        ended.queued = -0.5
        self.assertEqual(
            csv(3, ended).decode(),
            "3,http://h/,1,7,200,4,,,-0.5,0.001,0.002,,1.0,0.0,1.003,"
            "2027-01-15T08:00:00.250000+00:00,0,GET,0.0,\r\n",
        )

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
