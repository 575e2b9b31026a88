"""Queries, forms and JSON, as they come by every channel."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.server.model.query import parse_fields
from tests.server.every_channel import EveryChannelCase

FORM = "Content-Type: application/x-www-form-urlencoded"
PARTS = "Content-Type: multipart/form-data; boundary=x"

FIELDS = {
    "flag": {"flag": ""},
    "flag&a=": {"flag": "", "a": ""},
    "a=1;b=2": {"a": "1;b=2"},
    "a=1&&b=2&": {"a": "1", "b": "2"},
    "a=b=c": {"a": "b=c"},
    "=x": {"": "x"},
    "a=1&a=2&a": {"a": ["1", "2", ""]},
    "a+b=c+d": {"a b": "c d"},
    "a=%2B%26%3d": {"a": "+&="},
    "a=%zz%4%": {"a": "%zz%4%"},
    "%61=%C3%A9": {"a": "é"},
    "%ff=1&%fe=2": {"\ufffd": ["1", "2"]},
    "a=%ff&b=%00": {"a": "\ufffd", "b": "\0"},
    "": {},
}


class FieldTests(EveryChannelCase):
    def test_queries(self) -> None:
        for query, fields in FIELDS.items():
            reply = self.ask(f"/get?{query}")
            self.assertEqual((reply.status, reply.json()["args"]), (200, fields), query)

    def test_forms_are_read_alike(self) -> None:
        for form, fields in FIELDS.items():
            for method, path in [("POST", "/post"), ("PUT", "/anything?x=1")]:
                reply = self.ask(path, FORM, method=method, body=form.encode())
                self.assertEqual(reply.json()["form"], fields, form)

    def test_what_is_escaped_comes_back(self) -> None:
        @given(st.dictionaries(st.binary(min_size=1), st.binary(), max_size=5))
        def check(fields: dict[bytes, bytes]) -> None:
            query = "&".join(
                f"{quote_from_bytes(name, '')}={quote_from_bytes(value, '')}"
                for name, value in fields.items()
            )
            expected = {name: [value] for name, value in fields.items()}
            self.assertEqual(parse_fields(query.encode()), expected)

        check()

    def test_a_control_may_have_a_semicolon(self) -> None:
        reply = self.ask("/get?_header=Set-Cookie:sid=1;Path=/")
        self.assertEqual(reply.headers["set-cookie"], "sid=1;Path=/")
        reply = self.ask("/response-headers?Set-Cookie=sid=1;Path=/")
        self.assertEqual(reply.headers["set-cookie"], "sid=1;Path=/")

    def test_too_many(self) -> None:
        part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
        for count, status in [(1000, 200), (1001, 400)]:
            fields = "&".join(["a"] * count)
            replies = [
                self.ask(f"/get?{fields}"),
                self.ask("/post", FORM, method="POST", body=fields.encode()),
                self.ask(
                    *("/post", PARTS),
                    method="POST",
                    body=part * count + b"--x--",
                    # By itself, twisted.web refuses so many parts.
                    channels=("ours", "twisted"),
                ),
            ]
            for reply in replies:
                self.assertEqual(reply.status, status)
                if status == 400:
                    self.assertIn("at most 1000 fields", reply.json()["expected"])


class UnknownControlTests(EveryChannelCase):
    def test_is_refused_with_the_nearest(self) -> None:
        for query, control, nearest in [
            ("_fualt=reset", "_fualt", "_fault"),
            ("_Delay=1", "_Delay", "_delay"),
            ("%5ffualt=1", "_fualt", "_fault"),
            ("_delay=1&_sttus=503", "_sttus", "_status"),
            ("_headers", "_headers", "_header"),
        ]:
            reply = self.ask(f"/get?{query}")
            self.assertEqual(reply.status, 400, query)
            problem = reply.json()
            self.assertEqual(problem["control"], control)
            self.assertTrue(problem["expected"].startswith(f"{nearest}, "), problem)

    def test_where_none_is_near(self) -> None:
        for query in ["_", "_=17", "__proto__=x", "_%ff=1", "_" + "x" * 9000]:
            reply = self.ask(f"/status/204?{query}")
            self.assertEqual(reply.status, 400, query)
            expected = reply.json()["expected"]
            self.assertTrue(expected.startswith("one of _delay, "), expected)
            self.assertLessEqual(len(reply.json()["control"]), 80)

    def test_header(self) -> None:
        for lenient in (False, True):
            reply = self.ask("/get", "X-Nbtwisted-Dealy: 1", lenient=lenient)
            self.assertEqual((reply.status, reply.json()["control"]), (400, "_dealy"))
            self.assertIn("_delay, ", reply.json()["expected"])

    def test_a_control_by_any_spelling_of_its_bytes(self) -> None:
        self.assertEqual(self.ask("/get?%5F%73tatus=503").status, 503)

    def test_lenient(self) -> None:
        reply = self.ask("/get?_fualt=reset&_=1&_status=201", lenient=True)
        self.assertEqual(reply.status, 201)
        args = {"_fualt": "reset", "_": "1", "_status": "201"}
        self.assertEqual(reply.json()["args"], args)
        reply = self.ask("/response-headers?_a=b&_status=201", lenient=True)
        self.assertEqual((reply.status, reply.headers["_a"]), (201, "b"))
        self.assertNotIn("_status", reply.headers)


class JsonTests(EveryChannelCase):
    def posted(self, body: bytes) -> Any:
        def no_constant(text: str) -> None:
            raise AssertionError(text)

        answer = self.ask("/post", method="POST", body=body).body
        return json.loads(answer, parse_constant=no_constant)["json"]

    def test_what_is_json(self) -> None:
        for body, value in {
            b"1e308": 1e308,
            b"-0.0": 0,
            b"1e-999": 0,
            b'"\\ud83d\\ude00\\u0000"': "\U0001f600\0",
            b' [1, "a", null]\n': [1, "a", None],
            b"9" * 300: 10**300 - 1,
        }.items():
            self.assertEqual(self.posted(body), value, body)

    def test_what_is_none(self) -> None:
        for body in [
            *(b"NaN", b"Infinity", b"[-Infinity]", b'{"a": NaN}'),
            *(b"1e999", b"[-1e999]", b'{"a": {"b": 1E400}}', b"9" * 5000),
            *(b"\xef\xbb\xbf1", '"a"'.encode("utf-16"), b'"\xff"', b"'a'", b"01"),
            b'"a\nb"',
        ]:
            self.assertIsNone(self.posted(body), body)

    def test_nested_as_deep_as_can_be_and_deeper(self) -> None:
        depth, value = 0, self.posted(b"[" * 90 + b"]" * 90)
        while value:
            depth, value = depth + 1, value[0]
        self.assertEqual(depth, 89)
        for depth in (320, 490, 900, 970, 990, 1100):
            body = b"[" * depth + b"]" * depth
            reply = self.ask("/put", method="PUT", body=body, channels=("ours",))
            self.assertEqual(reply.status, 200)
