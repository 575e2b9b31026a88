"""Requests of HTTP Archives."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.many import har_jobs as room
from nbtwisted.client.many.har_jobs import har_jobs, is_har, read_entry
from nbtwisted.client.results import har_entry
from tests.guard import ClockCase

PLAIN = JobTemplate()
REQUEST = ("method", "url", "headers", "postData", "request")


def headers(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


class HARTests(ClockCase):
    def read(self, template: JobTemplate = PLAIN, /, **request: object) -> Any:
        whole = {"method": "GET", "url": "http://a/", **request}
        return read_entry(3, {"request": whole}, template)

    def is_bad(self, entry: Job | BadJob | None, message: str, shown: str) -> None:
        assert isinstance(entry, BadJob), entry
        self.assertEqual((str(entry), entry.shown), (f"entry 3: {message}", shown))

    def refused(self, message: str, **request: object) -> None:
        self.is_bad(self.read(**request), message, "http://a/")

    def test_told_by_how_it_begins(self) -> None:
        for begin in (b'{"log":', b'\xef\xbb\xbf\n {\n\t"log" :\r{', b'{"log": 1}'):
            self.assertIs(is_har(begin), True)
            for end in range(begin.index(b":")):
                self.assertIs(is_har(begin[:end]), None)
        for begin in (b"h", b"{u", b'{"lo"', b'{"logs":', b"\xef\xbbx", b'"log":'):
            self.assertIs(is_har(begin), False)

    def test_it_is_not_looked_for_without_end(self) -> None:
        self.assertIs(is_har(b" " * 65_535), None)
        self.assertIs(is_har(b" " * 65_536), False)
        self.assertIs(is_har(b" " * 65_536 + b'{"log":'), False)

    def test_one_after_another(self) -> None:
        entries = [{"request": {"method": "GET", "url": "data:,"}}, {}]
        entries.append({"request": {"method": "PUT", "url": "b"}})
        file = io.BytesIO(json.dumps({"log": {"entries": entries}}).encode())
        (second, bad), (third, job) = har_jobs(file, PLAIN)
        self.assertEqual((second, third), (2, 3))
        self.assertEqual(str(bad), "entry 2: request is null: expected an object")
        self.assertEqual(job, Job("b", "PUT"))

    def test_a_plain_one(self) -> None:
        self.assertEqual(self.read(), Job("http://a/"))
        for size in (-1, 0):
            self.assertEqual(self.read(headers=None, bodySize=size), Job("http://a/"))

    def test_headers(self) -> None:
        job = self.read(
            headers=headers(
                (":method", "GET"),
                ("Host", "b"),
                ("Content-Length", "1"),
                ("connection", "keep-alive"),
                ("Transfer-Encoding", "chunked"),
                ("Accept-Encoding", "br"),
                ("Upgrade", "h2c"),
                ("Authorization", "(not written)"),
                ("X-A", "é"),
                ("X-A", "€"),
            )
        )
        self.assertEqual(job.headers, (("X-A", "é"), ("X-A", "â\x82¬")))

    def test_what_our_archives_leave_out(self) -> None:
        self.assertEqual(room._NOT_WRITTEN, har_entry.NOT_WRITTEN)

    def test_what_nobody_can_ask_for(self) -> None:
        for url in (
            *("data:,x", "blob:http://a/1", "about:blank", "WS://a/", "wss://a/"),
            *("chrome-extension://a/b.js", "moz-extension://a/"),
        ):
            self.assertIsNone(self.read(url=url))
        self.assertIsNone(self.read(headers=headers(("Upgrade", "WebSocket"))))

    def test_attempts_after_the_first(self) -> None:
        entry = {"request": {"method": "GET", "url": "http://a/"}}
        self.assertIsNone(read_entry(3, {**entry, "_attempt": 1}, PLAIN))
        first = read_entry(3, {**entry, "_attempt": 0}, PLAIN)
        self.assertEqual(first, Job("http://a/"))

    def test_bodies(self) -> None:
        for posted, body in (
            ({"text": "ü"}, "ü".encode()),
            ({"text": "/wA=", "encoding": "base64"}, b"\xff\0"),
            ({"text": "/wA=", "_encoding": "base64"}, b"\xff\0"),
            ({"text": "a=1", "params": headers(("a", "2"))}, b"a=1"),
            (
                {"text": "", "params": headers(("a b", "1&"), ("c", "ü"))},
                b"a+b=1%26&c=%C3%BC",
            ),
            ({"mimeType": "", "text": ""}, b""),
            ({}, b""),
        ):
            job = self.read(method="POST", postData=posted)
            self.assertEqual(job, Job("http://a/", "POST", body=body))

    def test_a_body_for_those_without(self) -> None:
        template = JobTemplate(None, b"x")
        self.assertEqual(self.read(template, method="PUT").body, b"x")
        own = self.read(template, method="PUT", postData={"text": "y"})
        self.assertEqual(own.body, b"y")
        self.is_bad(
            self.read(template),
            "a body from -d with method GET: expected a body of its own, or another "
            "method",
            "http://a/",
        )

    def test_mistakes(self) -> None:
        for wrong in (None, 1, "x"):
            bad = read_entry(3, wrong, PLAIN)
            assert isinstance(bad, BadJob)
            self.assertIn("entry 3: it is", str(bad))
        self.is_bad(self.read(url=1), "url is a number: expected a text", "{...}")
        self.refused("method is null: expected a text", method=None)
        self.refused("method 'a b': expected a name such as POST", method="a b")
        self.refused("headers is an object: expected a list", headers={})
        self.refused("one of headers is a text: expected an object", headers=["x"])
        self.refused(
            "a value in headers is null: expected a text", headers=[{"name": "X"}]
        )
        self.refused(
            "header 'X': expected a value without control characters",
            headers=headers(("X", "a\nb")),
        )
        self.refused(
            "a body with HEAD: expected none", method="HEAD", postData={"text": "x"}
        )
        self.refused("its body of 5 bytes is not in the archive", bodySize=5)
        self.refused(
            "of its body there is only the beginning in the archive",
            postData={"text": "a", "_cut": 1},
        )
        self.refused("postData is a text: expected an object", postData="x")
        self.refused("postData.text is a number: expected a text", postData={"text": 1})
        self.refused(
            "postData.text is not base64: expected base64",
            postData={"text": "?", "encoding": "base64"},
        )
        half = "has half of a character (a surrogate): expected both halves"
        self.refused(f"postData.text {half}", postData={"text": "\ud800"})
        self.refused(
            f"postData.params {half}", postData={"params": headers(("a", "\ud800"))}
        )
        self.refused(
            "of its multipart body there are only fields: expected a text",
            postData={"mimeType": "multipart/form-data", "params": headers(("a", "b"))},
        )

    VALUES = st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.just("http://a/"),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from((*REQUEST, "text", "params", "name", "value")),
                inner,
            )
        ),
        max_leaves=15,
    )

    @given(VALUES)
    def test_any_entry(self, entry: Any) -> None:
        for value in (entry, {"request": entry}):
            job = read_entry(3, value, PLAIN)
            self.assertIsInstance(job, (Job, BadJob, type(None)))
