"""Queries, forms and JSON, as they come by every channel."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Field,
    File,
    MultipartEncoder,
    Preamble,
)

from nbtwisted.server.model.behaviour import json_body
from nbtwisted.server.model.multipart import parse_parts
from nbtwisted.server.model.query import parse_fields
from tests.server.every_channel import EveryChannelCase
from tests.server.in_memory import Reply

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
        for count, status in [(1000, 200), (1001, 400)]:
            fields = "&".join(["a"] * count)
            for reply in [
                self.ask(f"/get?{fields}"),
                self.ask("/post", FORM, method="POST", body=fields.encode()),
            ]:
                self.assertEqual(reply.status, status)
                if status == 400:
                    self.assertIn("at most 1000 fields", reply.json()["expected"])

    def test_too_many_escapes(self) -> None:
        for escapes, value in [
            (b"%41" * 20_000, "A" * 20_000),
            (b"%" * 20_000, "%" * 20_000),
            (b"%41" * 20_001, None),
            (b"%" * 20_001, None),
        ]:
            reply = self.ask("/post", FORM, method="POST", body=b"a=" + escapes)
            if value is not None:
                self.assertEqual(reply.json()["form"], {"a": value})
            else:
                self.assertEqual(reply.status, 400)
                self.assertIn("at most 20000 escapes", reply.json()["expected"])


class MultipartTests(EveryChannelCase):
    PART = b'--x\r\nContent-Disposition: form-data; name="a"%b\r\n\r\n%b\r\n'

    def posted(self, body: bytes) -> Reply:
        # Under twistd, twisted.web has read the form before, with caps of its own.
        channels = ("ours",)
        return self.ask("/post", PARTS, method="POST", body=body, channels=channels)

    def test_too_many_parts(self) -> None:
        for count, status in [(250, 200), (251, 400)]:
            reply = self.posted(self.PART % (b"", b"b") * count + b"--x--")
            self.assertEqual(reply.status, status)
            if status == 200:
                self.assertEqual(reply.json()["form"], {"a": ["b"] * count})
            else:
                self.assertIn("at most 250 parts", reply.json()["expected"])

    def test_lines_may_end_with_lf(self) -> None:
        body = self.PART % (b'; filename="f"', b"\r\n\n--y") * 2 + b"--x--"
        body = body.replace(b"\r\n", b"\n").replace(b"\n\n--y", b"\r\n\n--y")
        echo = self.posted(body).json()
        self.assertEqual(echo["files"], {"a": ["\r\n\n--y"] * 2})

    def test_what_surrounds_it_is_passed_over(self) -> None:
        body = b"before\r\n" + self.PART % (b"", b"b") + b"--x-- \r\nbehind --x"
        self.assertEqual(self.posted(body).json()["form"], {"a": "b"})

    def test_the_end_of_a_delimiter_may_have_spaces(self) -> None:
        body = (self.PART % (b"", b"b")).replace(b"--x", b"--x \t") * 2 + b"--x--"
        self.assertEqual(self.posted(body).json()["form"], {"a": ["b", "b"]})

    def test_charsets(self) -> None:
        kind = b"\r\nContent-Type: text/plain; charset=%b"
        for charset, text in [
            (b"iso-8859-1", "\xe9"),
            (b"ISO-8859-1", "\xe9"),
            (b"utf-8", "\ufffd"),
            (b"ascii", "\ufffd"),
            # Only those that are safe.
            (b"utf-7", "\ufffd"),
            (b"rot13", "\ufffd"),
        ]:
            body = self.PART % (kind % charset, b"\xe9") + b"--x--"
            self.assertEqual(self.posted(body).json()["form"], {"a": text}, charset)

    def test_what_is_no_form(self) -> None:
        part = self.PART % (b"", b"b")
        for body in [
            part,
            part * 2,
            part + b"--y--",
            b"--x\r\nX: y\r\n\r\nb\r\n--x--",
            b"--x\r\n\r\nb\r\n--x--",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n--x--',
            b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nb\r\n--x--',
            self.PART % (b"", b"\r\n--xy") + b"--x--",
            part + part.replace(b"--x", b"--xy") + b"--x--",
            b"--x--",
            b"--x",
            b"",
        ]:
            reply = self.posted(body or b" ")
            self.assertEqual((reply.status, reply.json()["form"]), (200, {}), body)
            self.assertEqual(reply.json()["files"], {}, body)
        kind = "Content-Type: multipart/form-data"
        body = part.replace(b"--x", b"--") + b"----"
        reply = self.ask("/post", kind, method="POST", body=body, channels=("ours",))
        self.assertEqual((reply.status, reply.json()["form"]), (200, {}))

    def test_what_comes_back_as_werkzeug_reads_it(self) -> None:
        names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1)
        part = st.tuples(names, st.booleans(), st.binary())

        @given(st.lists(part, min_size=1, max_size=9))
        def check(given_parts: list[tuple[str, bool, bytes]]) -> None:
            boundary = "b" * 30
            encoder = MultipartEncoder(boundary.encode())
            body = encoder.send_event(Preamble(b""))
            for name, is_file, content in given_parts:
                headers = Headers([("Content-Type", "a/b")])
                event = File(name, "f", headers) if is_file else Field(name, headers)
                body += encoder.send_event(event)
                body += encoder.send_event(Data(content, False))
            body += encoder.send_event(Epilogue(b""))
            self.assertEqual(
                [(p.name, p.filename, p.content) for p in parse_parts(body, b"b" * 30)],
                [(n, "f" if is_file else None, c) for n, is_file, c in given_parts],
            )

        check()

    def test_too_large_heads(self) -> None:
        own = len(b'\r\nContent-Disposition: form-data; name="a"\r\nX: ')
        for parts in (1, 2):
            each = 16 * 1024 // parts - own
            for more, status in [(b"", 200), (b"!", 400)]:
                first = self.PART % (b"\r\nX: " + b"y" * each + more, b"b")
                others = self.PART % (b"\r\nX: " + b"y" * each, b"b")
                body = first + others * (parts - 1) + b"--x--"
                self.assertEqual(self.posted(body).status, status, (parts, more))
        reply = self.posted(b"--x\r\n" + b"a: b\r\n" * 5000 + b"\r\n--x--")
        self.assertEqual(reply.status, 400)
        self.assertIn("at most 16384 bytes", reply.json()["expected"])

    def test_large_files_come_back(self) -> None:
        for content, shown in [
            (b"a" * 1_000_000, "a" * 1_000_000),
            (b"\r\n-- \n" * 100_000, "\r\n-- \n" * 100_000),
            (b"\0" * 500_000, "\0" * 500_000),
        ]:
            body = self.PART % (b'; filename="f"', content) + b"--x--"
            self.assertEqual(self.posted(body).json()["files"], {"a": shown})

    def test_a_content_type_that_is_too_long_is_none(self) -> None:
        body = self.PART % (b"", b"b") + b"--x--"
        for length, form in [(1024, {"a": "b"}), (1025, {})]:
            kind = "multipart/form-data; boundary=x; a="
            kind += "b" * (length - len(kind))
            header = f"Content-Type: {kind}"
            echo = self.ask("/post", header, method="POST", body=body).json()
            self.assertEqual(echo["form"], form)
            self.assertEqual(echo["data"], "" if form else body.decode())


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
            b"9" * 309: 10**309 - 1,
            b"-" + b"9" * 309: 1 - 10**309,
        }.items():
            self.assertEqual(self.posted(body), value, body)

    def test_what_is_none(self) -> None:
        for body in [
            *(b"NaN", b"Infinity", b"[-Infinity]", b'{"a": NaN}'),
            *(b"1e999", b"[-1e999]", b'{"a": {"b": 1E400}}', b"9" * 310),
            *(b"\xef\xbb\xbf1", '"a"'.encode("utf-16"), b'"\xff"', b"'a'", b"01"),
            b'"a\nb"',
        ]:
            self.assertIsNone(self.posted(body), body)

    def test_too_many_values(self) -> None:
        for body, is_read in [
            (json.dumps([0] * 10_000), True),
            (json.dumps([0] * 10_001), False),
            (json.dumps([[]] * 5000), True),
            (json.dumps([[]] * 5001), False),
            (json.dumps([{"a": 0}] * 5000), True),
            (json.dumps([0.5] * 5000), True),
            (json.dumps([0.5] * 5001), False),
            (json.dumps([{"a": 0}] * 5001), False),
            # Those in strings count, too.
            (json.dumps("," * 10_000), True),
            (json.dumps("," * 10_001), False),
            (json.dumps("a" * (512 * 1024 - 2)), True),
            (json.dumps("a" * (512 * 1024 - 1)), False),
        ]:
            reply = self.ask("/post", method="POST", body=body.encode())
            self.assertEqual(reply.json()["data"], body)
            value = json.loads(body) if is_read else None
            self.assertEqual(reply.json()["json"], value)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.floats(0, 9),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )
    def test_it_is_laid_out_as_python_does(self, value: Any) -> None:
        expected = json.dumps(value, indent=2, sort_keys=True) + "\n"
        self.assertEqual(json_body(value).content.decode(), expected)

    def test_it_is_laid_out_unless_it_is_long_or_deep(self) -> None:
        for body, lines in [
            (b"[" * 20 + b"0" + b"]" * 19 + b"]", None),
            (b"[" * 19 + b"0" + b"]" * 19, 40),
            (b'{"a":' * 19 + b"0" + b"}" * 19, 40),
            (b'{"a":' * 20 + b"0" + b"}" * 20, None),
            (b"x" * 10_000, 1),
            (b"x" * 10_001, None),
        ]:
            answer = self.ask("/post", method="POST", body=body).body
            if lines is None:
                self.assertEqual(answer.count(b"\n"), 1, body)
            else:
                self.assertGreater(answer.count(b"\n"), lines, body)
        form = b"a=" + b"x" * 10_000
        answer = self.ask("/post", FORM, method="POST", body=form).body
        self.assertEqual(answer.count(b"\n"), 1)

    def test_nested_as_deep_as_can_be_and_deeper(self) -> None:
        depth, value = 0, self.posted(b"[" * 90 + b"]" * 90)
        while value:
            depth, value = depth + 1, value[0]
        self.assertEqual(depth, 89)
        for depth in (320, 490, 900, 970, 990, 1100):
            body = b"[" * depth + b"]" * depth
            reply = self.ask("/put", method="PUT", body=body, channels=("ours",))
            self.assertEqual(reply.status, 200)
