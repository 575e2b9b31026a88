"""Lists of jobs as text, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.many import job_lines
from nbtwisted.client.many.job_lines import (
    LONGEST_JSON,
    Line,
    LineReader,
    read_job,
    read_line,
    write_job,
)
from nbtwisted.client.target import LONGEST_URL
from tests.guard import ClockCase

PLAIN = JobTemplate()
POSTED = JobTemplate(None, b"a=1", (("Content-Type", "x/form"),))


def lines_of(pieces: Iterable[bytes]) -> list[Line]:
    reader = LineReader()
    found = [line for piece in pieces for line in reader.feed(piece)]
    return found + list(reader.end())


def job_of(line: bytes | str, template: JobTemplate = PLAIN) -> Job | BadJob:
    content = line if isinstance(line, bytes) else line.encode()
    return read_line(Line(3, content), template)


class JobLinesCase(ClockCase):
    def is_job(self, entry: Job | BadJob, **expected: Any) -> None:
        self.assertEqual(entry, Job(**{"url": "http://a/", **expected}))

    def is_bad(self, entry: Job | BadJob, message: str, shown: str = "{...}") -> None:
        assert isinstance(entry, BadJob), entry
        self.assertEqual((str(entry), entry.shown), (message, shown))

    def asked(self, template: JobTemplate = PLAIN, /, **keys: Any) -> Job | BadJob:
        """The job of a line with these keys, and a URL."""
        return job_of(json.dumps({"url": "http://a/", **keys}), template)

    def refused(self, message: str, /, **keys: Any) -> None:
        self.is_bad(self.asked(**keys), f"line 3: {message}", "http://a/")

    def unreadable(self, line: bytes | str, message: str) -> None:
        self.is_bad(job_of(line), f"line 3: {message}")


class LineTests(ClockCase):
    def test_all_are_counted_and_some_are_passed_over(self) -> None:
        found = lines_of([b"a\r\n\n # no\n \t{}\t \n#\nb"])
        self.assertEqual(found, [Line(1, b"a"), Line(4, b"{}"), Line(6, b"b")])

    def test_nothing(self) -> None:
        self.assertEqual(lines_of([]), [])
        self.assertEqual(lines_of([b"  ", b" \n\n", b" "]), [])

    def test_of_what_is_too_long_a_byte_too_much_is_kept(self) -> None:
        for begin, longest in ((b"h", LONGEST_URL), (b"{", LONGEST_JSON)):
            fits = begin + b"x" * (longest - 1)
            for cut in (1, len(fits) // 2):
                pieces = [b"  ", fits[:cut], fits[cut:], b"\n"]
                self.assertEqual(lines_of(pieces), [Line(1, fits)])
                self.assertEqual(lines_of([b"".join(pieces)]), [Line(1, fits)])
                pieces.insert(3, b"yy")
                self.assertEqual(lines_of(pieces), [Line(1, fits + b"y")])
                self.assertEqual(lines_of([b"".join(pieces)]), [Line(1, fits + b"y")])

    def test_nor_does_it_grow(self) -> None:
        reader = LineReader()
        for _ in range(10):
            list(reader.feed(b"x" * LONGEST_URL))
            list(reader.feed(b" " * LONGEST_URL))
        self.assertEqual(len(reader._begun), LONGEST_URL + 1)
        reader = LineReader()
        list(reader.feed(b" " * LONGEST_URL))
        self.assertEqual(len(reader._begun), 0)

    @given(
        st.lists(
            st.binary(max_size=9)
            | st.sampled_from([b"\n", b" ", b"\r\n", b"{", b"#", b"\xef\xbb\xbf"])
            | st.just(b"x" * LONGEST_URL)
        )
    )
    def test_wherever_it_is_cut(self, pieces: list[bytes]) -> None:
        whole = b"".join(pieces)
        found = lines_of(pieces)
        self.assertEqual(found, lines_of([whole]))
        expected = [
            number
            for number, line in enumerate(whole.split(b"\n"), start=1)
            if line.strip(b" \t\r") and not line.lstrip(b" \t\r").startswith(b"#")
        ]
        self.assertEqual([line.number for line in found], expected)


class URLTests(JobLinesCase):
    def test_a_url_alone(self) -> None:
        self.is_job(job_of("http://a/"))
        self.is_job(job_of("http://a/ü"), url="http://a/ü")
        self.is_job(job_of(b"a\xff"), url="a\udcff")

    def test_what_is_too_long_stays_too_long(self) -> None:
        # Though it has half as many characters as bytes.
        job = job_of(("x" + "ü" * LONGEST_URL).encode()[: LONGEST_URL + 1])
        assert isinstance(job, Job)
        self.assertEqual(len(job.url), LONGEST_URL + 1)

    def test_with_a_body_for_all(self) -> None:
        self.is_job(
            job_of("http://a/", POSTED),
            method="POST",
            headers=(("Content-Type", "x/form"),),
            body=b"a=1",
        )


class ObjectTests(JobLinesCase):
    def test_all_that_it_can_say(self) -> None:
        self.is_job(self.asked())
        self.is_job(
            self.asked(method="PUT", headers={"X-A": " b "}, body="ü€", max_time=2),
            method="PUT",
            headers=(("X-A", "b"),),
            body="ü€".encode(),
            max_time=2.0,
        )
        self.is_job(self.asked(max_time="200ms"), max_time=0.2)
        self.is_job(
            self.asked(body_base64="/wA=", method="PATCH"),
            method="PATCH",
            body=b"\xff\0",
        )

    def test_json(self) -> None:
        kind = ("Content-Type", "application/json")
        for value, body in (
            ({"b": [1, 2.5, True], "a": "ü"}, '{"b":[1,2.5,true],"a":"ü"}'),
            (None, "null"),
            (10**299, "1" + "0" * 299),
        ):
            self.is_job(
                self.asked(json=value),
                method="POST",
                headers=(kind,),
                body=body.encode(),
            )
        own = [["content-type", "x/y"], ["X-A", ""]]
        self.is_job(
            self.asked(json=[], headers=own),
            method="POST",
            headers=(("content-type", "x/y"), ("X-A", "")),
            body=b"[]",
        )

    def test_header_values_beyond_a_byte_are_utf_8(self) -> None:
        for value, sent in (("é", "é"), ("€", "â\x82¬"), ("é€", "Ã©â\x82¬")):
            self.is_job(self.asked(headers={"X": value}), headers=(("X", sent),))

    def test_what_all_have_and_what_it_says_itself(self) -> None:
        form = (("Content-Type", "x/form"),)
        asked = self.asked
        posted = {"method": "POST", "headers": form, "body": b"a=1"}
        self.is_job(asked(POSTED), **posted)
        self.is_job(asked(POSTED, method="PUT"), **{**posted, "method": "PUT"})
        self.is_job(
            asked(POSTED, headers={"content-type": "b", "C": "d"}),
            **{**posted, "headers": (("content-type", "b"), ("C", "d"))},
        )
        self.is_job(asked(POSTED, body="x"), method="POST", body=b"x")
        self.is_job(asked(POSTED, body="", method="HEAD"), method="HEAD")
        put = JobTemplate("PUT")
        self.is_job(asked(put), method="PUT")
        self.is_job(asked(put, body="x"), method="PUT", body=b"x")
        self.is_job(asked(put, method="GET"))

    def test_a_body_for_all_and_a_method_that_has_none(self) -> None:
        for method in ("GET", "HEAD"):
            self.is_bad(
                self.asked(POSTED, method=method),
                f"line 3: a body from -d with method {method}: "
                "expected a body of its own, or another method",
                "http://a/",
            )


class BadTests(JobLinesCase):
    def test_keys(self) -> None:
        self.refused(
            "unknown key 'metod': expected url, method, headers, body, body_base64, "
            "json, max_time, label or weight",
            metod="PUT",
        )
        self.refused("body and json: expected one of them", json=1, body="")
        self.unreadable(
            "{}", 'no url: expected one, as in {"url": "http://localhost/"}'
        )
        for line in (
            '{"url": "b", "url": "c"}',
            '{"url": "b", "json": {"url":1,"url":2}}',
        ):
            self.unreadable(line, "key 'url' more than once: expected it once")

    def test_kinds(self) -> None:
        self.unreadable('{"url": 1}', "url is a number: expected a text")
        self.refused("method is null: expected a text", method=None)
        self.refused("body is an object: expected a text", body={})
        self.refused("body_base64 is a list: expected a text", body_base64=[])
        self.refused(
            "max_time is true or false: expected seconds, or a text such as 2s",
            max_time=True,
        )
        self.refused(
            "headers is a text: expected an object, or a list of pairs", headers="X: y"
        )
        for pair in ("ab", ["a"], ["a", "b", "c"], {"a": "b"}):
            self.refused(
                'a header is no pair: expected ["Name", "value"]', headers=[pair]
            )
        self.refused("a header's name is null: expected a text", headers=[[None, ""]])
        self.refused("header 'X' is a number: expected a text", headers={"X": 1.5})
        self.refused("label is a number: expected a text", label=5)
        for weight, kind in (
            (1.5, "a number"),
            ("3", "a text"),
            (True, "true or false"),
        ):
            self.refused(
                f"weight is {kind}: expected a whole number such as 3", weight=weight
            )

    def test_values(self) -> None:
        self.refused(
            "method 'GET\\r\\n': expected a name such as POST", method="GET\r\n"
        )
        self.refused("method '': expected a name such as POST", method="")
        self.refused("a body with HEAD: expected none", method="HEAD", body="x")
        for text in ("?", "abc", "ü", "YWJj\n"):
            self.refused("body_base64 is not base64: expected base64", body_base64=text)
        self.refused(
            "header 'X': expected a value without control characters",
            headers={"X": "a\r\nY: b"},
        )
        self.refused(
            "header 'Connection': expected a header that does not frame the request",
            headers={"Connection": "close"},
        )
        self.refused(
            "max_time '2 fortnights': expected seconds such as 1.5, 200ms, 2s or 1m",
            max_time="2 fortnights",
        )
        self.refused("0.0 seconds: expected a time above 0", max_time=0)
        self.refused("-1.5 seconds: expected a time above 0", max_time=-1.5)
        for weight in (0, -1, 10_001, 10**40):
            self.refused(
                f"weight {weight}: expected a whole number from 1 to 10000",
                weight=weight,
            )
        for label, shown in (("a\nb", "'a\\nb'"), ("a" * 101, f"'{'a' * 100}'")):
            self.refused(
                f"label {shown}: expected at most 100 characters that can be printed",
                label=label,
            )

    def test_what_is_no_unicode(self) -> None:
        half = "has half of a character (a surrogate): expected both halves"
        self.refused(f"body {half}", body="\ud800")
        self.refused(f"json {half}", json=["\ud800"])
        self.refused(f"header 'X' {half}", headers={"X": "\ud800"})

    def test_numbers(self) -> None:
        def unreadable(number: str, message: str) -> None:
            self.unreadable(f'{{"url": "x", "json": [{number}]}}', message)

        unreadable("NaN", "NaN: expected a number that JSON has")
        unreadable("-Infinity", "-Infinity: expected a number that JSON has")
        self.is_bad(
            job_of('{"url": "http://a/", "json": [1e999]}'),
            "line 3: a number that no float holds: expected a smaller one",
            "http://a/",
        )
        self.is_bad(
            job_of('{"url": "http://a/", "max_time": 1e999}'),
            "line 3: inf seconds: expected a time above 0",
            "http://a/",
        )
        unreadable("1" * 301, "a number of 301 digits: expected a smaller one")
        self.is_job(self.asked(max_time=10**299), max_time=1e299)

    def test_what_is_no_json(self) -> None:
        cut = "it is cut short: expected a JSON object on one line"
        for line in ("{", '{"url', '{"url": "http://a/', '{"url": "b"', '{"url": "b",'):
            self.unreadable(line, cut)
        self.unreadable('{"url" "b"}', "column 8: expecting ':' delimiter")
        self.unreadable(
            '{"url": "b"} c', "column 14: expected nothing behind the object"
        )
        self.unreadable('{"url": "a\tb"}', "column 11: invalid control character at")
        self.unreadable(b'{"url": "\xff"}', "byte 10 is not UTF-8: expected UTF-8")
        deep = "nested too deeply: expected less"
        self.unreadable('{"json": ' + "[" * 200_000, deep)
        self.unreadable(
            b"{" + b"x" * LONGEST_JSON,
            "longer than 16777216 bytes: expected a shorter line",
        )

    def test_what_can_be_read_but_not_written(self) -> None:
        deep: Any = []
        for _ in range(200_000):
            deep = [deep]
        with self.assertRaises(ValueError) as caught:
            job_lines._compact(deep)
        self.assertEqual(str(caught.exception), "nested too deeply: expected less")

    def test_secrets_of_a_url_are_not_shown(self) -> None:
        bad = job_of('{"url": "http://me:secret@a/", "x": 1}')
        assert isinstance(bad, BadJob)
        self.assertEqual(bad.shown, "http://a/")

    @given(st.binary(), st.sampled_from([PLAIN, POSTED, JobTemplate("HEAD")]))
    def test_any_line(self, line: bytes, template: JobTemplate) -> None:
        for content in (line, b"{" + line, b'{"url":"x",' + line):
            self.assertIsInstance(job_of(content, template), (Job, BadJob))

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=3,
    )

    @given(
        st.dictionaries(st.sampled_from(job_lines._KEYS) | st.text(), JSON, max_size=4)
    )
    def test_any_object(self, given: dict[str, object]) -> None:
        for value in (given, {"url": "http://a/", **given}):
            entry = job_of(json.dumps(value), POSTED)
            self.assertIsInstance(entry, (Job, BadJob))


TOKENS = st.text("GETPOShx-1", min_size=1)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF)).filter(
    lambda text: "\x7f" not in text
)
JOBS = st.builds(
    Job,
    # What is no UTF-8 in a list is half of a character in its URL.
    url=st.text(st.characters()),
    method=TOKENS.filter(lambda method: method not in ("HEAD", "CONNECT")),
    headers=st.lists(st.tuples(TOKENS, VALUES | st.just(" a "))).map(tuple),
    body=st.binary() | st.text().map(str.encode),
    max_time=st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    label=st.text(st.characters(categories=["L", "N", "S"]), max_size=100),
    weight=st.integers(1, 10_000),
)


class WrittenTests(JobLinesCase):
    def read_back(self, job: Job | BadJob) -> Job | BadJob:
        return read_job(json.loads(json.dumps(write_job(job))))

    @given(JOBS | st.builds(Job, st.text(st.characters())))
    def test_any_job(self, job: Job) -> None:
        self.assertEqual(self.read_back(job), job)

    def test_a_plain_one_is_its_url(self) -> None:
        job = Job("http://a/")
        self.assertEqual(write_job(job), "http://a/")
        self.assertEqual(self.read_back(job), job)

    def test_it_says_what_a_line_does(self) -> None:
        for keys in (
            {"method": "PUT", "body": "é"},
            {"method": "PUT", "body_base64": "/w=="},
            {"headers": [["A", "1"], ["A", "2"]], "max_time": 0.1},
        ):
            written = json.loads(json.dumps(write_job(self.asked(**keys))))
            self.assertEqual(written, {"url": "http://a/", **keys})

    @given(st.text(), st.text())
    def test_what_is_no_job(self, message: str, shown: str) -> None:
        bad = self.read_back(BadJob(f"line 7: {message}", shown=shown))
        self.is_bad(bad, f"line 7: {message}", shown)
