from __future__ import annotations

import math
from typing import Any

from nbtwisted.client.header import check_header, merged
from nbtwisted.client.job import Job, JobTemplate, is_idempotent
from nbtwisted.client.target import Target
from nbtwisted.client.writing import write_message
from tests.guard import ClockCase


class JobTests(ClockCase):
    def test_what_cannot_be_sent(self) -> None:
        refused: list[tuple[dict[str, Any], str]] = [
            (
                {"method": "GET\r\n"},
                "method 'GET\\\\r\\\\n': expected a name such as POST",
            ),
            ({"method": ""}, "method '': expected a name"),
            ({"method": "G T"}, "expected a name"),
            ({"method": "CONNECT"}, "expected one that asks for a response"),
            ({"method": "HEAD", "body": b"x"}, "a body with HEAD: expected none"),
            ({"headers": [("A", "b\r\nC: d")]}, "header 'A': expected a value without"),
            ({"headers": [("A:", "b")]}, "header 'A:': expected 'Name: value'"),
            ({"headers": [("Content-Length", "3")]}, "does not frame the request"),
            ({"max_time": 0.0}, "0.0 seconds: expected a time above 0"),
            ({"max_time": math.inf}, "expected a time above 0"),
            ({"max_time": math.nan}, "expected a time above 0"),
        ]
        for told, expected in refused:
            with self.assertRaisesRegex(ValueError, expected):
                Job("http://h/", **told)

    def test_what_may_be_made_twice(self) -> None:
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"):
            self.assertTrue(is_idempotent(method))
        for method in ("POST", "PATCH", "get", "FETCH"):
            self.assertFalse(is_idempotent(method))

    def test_what_becomes_of_a_url(self) -> None:
        self.assertEqual(JobTemplate().job("u"), Job("u"))
        self.assertEqual(JobTemplate("PUT").job("u"), Job("u", "PUT"))
        form = (("Content-Type", "x"),)
        self.assertEqual(
            JobTemplate(None, b"", form).job("u"), Job("u", "POST", form, b"")
        )
        self.assertEqual(
            JobTemplate("GET", b"x", form).job("u"), Job("u", "GET", form, b"x")
        )
        with self.assertRaisesRegex(ValueError, "a body with HEAD"):
            JobTemplate("HEAD", b"x")

    def test_headers_of_its_own(self) -> None:
        common = (("A", "1"), ("B", "2"))
        self.assertIs(merged(common, ()), common)
        own = (("b", "3"), ("b", "4"))
        self.assertEqual(merged(common, own), (("A", "1"), *own))
        self.assertIs(merged((), own), own)

    def test_no_header_frames_the_request(self) -> None:
        for name in ("Transfer-Encoding", "connection"):
            with self.assertRaises(ValueError):
                check_header(name, "x")

    def test_as_bytes(self) -> None:
        target = Target.parse("http://h/a?b")
        plain = write_message(target, keep_alive=True)
        self.assertEqual(plain.head[:16], b"GET /a?b HTTP/1.")
        self.assertNotIn(b"Content-Length", plain.head)
        self.assertEqual((plain.method, plain.is_head), ("GET", False))
        for method, body, length in [
            ("POST", b"", b"Content-Length: 0\r\n\r\n"),
            ("PUT", b"abc", b"Content-Length: 3\r\n\r\n"),
            ("DELETE", b"abc", b"Content-Length: 3\r\n\r\n"),
        ]:
            message = write_message(target, method, [("A", "b")], body)
            self.assertTrue(message.head.startswith(method.encode() + b" /a?b "))
            self.assertTrue(message.head.endswith(b"\r\nA: b\r\n" + length))
            self.assertEqual((message.body, message.method), (body, method))
        head = write_message(target, "HEAD")
        self.assertTrue(head.is_head)
        self.assertNotIn(b"Content-Length", head.head)
