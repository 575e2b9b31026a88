"""One entry of a HAR, as the answer that it becomes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client import errors
from nbtwisted.server.model.control_text import FAULTS
from nbtwisted.server.recordings.entry import Recorded, read_entry
from nbtwisted.server.recordings.response import LeftOut
from tests.server.har_entries import ANYTHING, entry, failed

HTML = ("Content-Type", "text/html; charset=utf-8")


def read(given: object) -> Recorded:
    return read_entry(given, with_times=False)


def timed(given: object) -> dict[str, Any]:
    """The controls for the time of an answer."""
    controls = read_entry(given, with_times=True).controls
    return {name: controls[name] for name in ("delay", "drip") if name in controls}


class RequestTests(SynchronousTestCase):
    def why_not(self, given: object) -> str:
        return str(self.assertRaises(LeftOut, read, given))

    def test_an_answer(self) -> None:
        recorded = read(entry(HTML, ("X", "1"), ("X", "2"), status=201))
        self.assertEqual(recorded[:3], ("GET", "/orders?page=1", "api.test:8080"))
        self.assertEqual(recorded.controls, {"status": 201, "body": "body"})
        self.assertEqual(recorded.headers, (HTML, ("X", "1"), ("X", "2")))
        self.assertEqual((recorded.lacks, recorded.seconds), ((), 0.0))

    def test_targets(self) -> None:
        for url, host, target in (
            ("http://h", "h", "/"),
            ("HTTPS://u:p@H:1/a#b", "h:1", "/a"),
            ("http://h?a=b#c", "h", "/?a=b"),
            ("http://h//a/../b?%41", "h", "//a/../b?%41"),
            ("http://[::1]:8000/", "[::1]:8000", "/"),
            ("http://h/ü ?q=\n\u20ac", "h", "/%C3%BC%20?q=%0A%E2%82%AC"),
            ("http://h/\ud800", "h", "/%ED%A0%80"),
        ):
            self.assertEqual(read(entry(url=url))[1:3], (target, host), url)

    def test_what_is_no_http(self) -> None:
        for url in (
            *("data:text/plain,a", "blob:http://h/1", "ws://h/", "wss://h/", "about:"),
            *("chrome-extension://abc/a.js", "file:///etc/passwd", "", "http:/a"),
        ):
            self.assertIn("no HTTP", self.why_not(entry(url=url)))

    def test_what_is_no_answer(self) -> None:
        preflight = entry(method="OPTIONS")
        asked = {"name": "Access-Control-Request-Method", "value": "PUT"}
        preflight["request"]["headers"] = [asked]
        without = entry()
        del without["response"]
        for found, why in (
            (without, "no response"),
            (entry(status=0), "no response"),
            (entry(status=-1), "no response"),
            (failed("Interrupted"), "no response"),
            (entry(status=0, _error="net::ERR_ABORTED"), "no response"),
            ({**entry(), "_then": "resend"}, "sent again over another"),
            (entry(status=101), "a status that is not one of"),
            (entry(status=600), "a status that is not one of"),
            ({**entry(), "response": {"status": 2e2}}, "a status"),
            (entry(method="a b"), "a method that HTTP has not"),
            (entry(method="CONNECT"), "a method that HTTP has not"),
            (entry(url="http://h/%5f_admin/stats"), "a path of operators"),
            (entry(url="http://h/metrics?a"), "a path of operators"),
            (preflight, "a preflight"),
            (entry(content={"size": 10**10}), "a body of more than"),
        ):
            self.assertIn(why, self.why_not(found))

    @given(
        ANYTHING,
        st.booleans(),
    )
    def test_anything(self, given: Any, with_times: bool) -> None:
        base = entry(HTML)
        for name in (None, *base):
            mixed = given if name is None else {**base, name: given}
            self.check(mixed, with_times)
        for outer in ("request", "response"):
            for name in base[outer]:
                mixed = {**base, outer: {**base[outer], name: given}}
                self.check(mixed, with_times)
        for name in ("size", "text", "encoding", "mimeType"):
            content = {**base["response"]["content"], name: given}
            self.check(entry(content=content), with_times)
        for name in ("wait", "receive", "blocked"):
            timings = {**base["timings"], name: given}
            self.check(entry(timings=timings), with_times)

    def check(self, given: object, with_times: bool) -> None:
        try:
            recorded = read_entry(given, with_times=with_times)
        except LeftOut:
            return
        # What is shown to operators is JSON.
        json.dumps(recorded.controls, allow_nan=False)
        self.assertTrue(recorded.target.isascii() and recorded.target.isprintable())
        for name, value in recorded.headers:
            self.assertNotRegex(name + value, "[\r\n\0]")
            value.encode()


class HeaderTests(SynchronousTestCase):
    def sent(self, *headers: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        recorded = read(entry(*headers))
        self.assertEqual(recorded.lacks, ())
        return recorded.headers

    def test_what_frames_and_what_is_ours_anyway(self) -> None:
        dropped = [
            *(("Content-Length", "4"), ("transfer-encoding", "chunked")),
            *(("Content-Encoding", "br"), ("Connection", "close"), ("Date", "x")),
            *(("Keep-Alive", "timeout=5"), ("Trailer", "X"), ("Upgrade", "h2c")),
            *((":status", "200"), ("Server-Timing", "asked;dur=0, held;dur=0.1")),
            ("Content-Security-Policy", "sandbox"),
            ("Access-Control-Allow-Origin", "https://app.test"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        kept = (
            *(("Server", "nginx"), ("ETag", '"a"'), ("Server-Timing", "db;dur=3")),
            ("content-security-policy", "default-src 'self'"),
        )
        self.assertEqual(self.sent(*dropped, *kept), kept)

    def test_fields_that_a_browser_has_joined(self) -> None:
        sent = self.sent(("set-cookie", "a=1; Path=/\nb=2\r\n c=3"))
        self.assertEqual([v for _, v in sent], ["a=1; Path=/", "b=2", "c=3"])

    def test_bytes_that_were_taken_for_latin_1(self) -> None:
        for raw, said in (("Ã¼", "ü"), ("ü", "ü"), ("日", "日"), ("a", "a")):
            self.assertEqual(self.sent(("X", raw)), (("X", said),))

    def test_what_cannot_be_sent(self) -> None:
        for name, value in (
            *(("a b", "c"), ("", "c"), ("X", "a\0b"), ("X", "a\rb"), ("X", "\x7f")),
            *(("X", "\ud800"), ("X: y\r\nZ", "a"), ("ü", "a")),
        ):
            recorded = read(entry((name, value), HTML))
            self.assertEqual(recorded.headers, (HTML,))
            self.assertEqual(recorded.lacks, ("field",))

    def test_secrets_that_were_not_written(self) -> None:
        recorded = read(entry(("Set-Cookie", "(not written)"), HTML))
        self.assertEqual(recorded.headers, (HTML,))
        self.assertEqual(recorded.lacks, ("cookie",))


class BodyTests(SynchronousTestCase):
    def body(self, *headers: tuple[str, str], **content: Any) -> bytes:
        controls = read(entry(*headers, content=content)).controls
        if "body" in controls:
            return str(controls["body"]).encode()
        return b64decode(controls["body_base64"])

    def missing(self, recorded: Recorded) -> int:
        """The size of a body that is not there."""
        self.assertEqual(recorded.lacks, ("body",))
        size: int = recorded.controls["size"]
        return size

    def test_text(self) -> None:
        self.assertEqual(self.body(HTML, text="ü", size=2), "ü".encode())
        # A text alone would have a Content-Type.
        self.assertNotIn("body", read(entry(("X", "1"))).controls)
        self.assertEqual(self.body(text="ü", size=2), "ü".encode())
        self.assertEqual(self.body(HTML, text="\ud800", size=1), b"?")

    def test_base64(self) -> None:
        raw = bytes(range(256))
        text = b64encode(raw).decode()
        for wrapped in (text, "\n".join(text[i : i + 76] for i in range(0, 344, 76))):
            self.assertEqual(self.body(HTML, text=wrapped, encoding="base64"), raw)
        broken = entry(content={"text": "*", "encoding": "base64", "size": 9})
        self.assertEqual(self.missing(read(broken)), 9)

    def test_charsets(self) -> None:
        japanese = "日本"
        for charset in ("Shift_JIS", '"euc-jp"', "GB18030"):
            kind = ("Content-Type", f"text/html; charset={charset}")
            raw = japanese.encode(charset.strip('"'))
            # A browser has decoded it; nbtwisted has found it to be UTF-8.
            self.assertEqual(self.body(kind, text=japanese, size=len(raw)), raw)
            self.assertEqual(self.body(kind, text=japanese, size=6), japanese.encode())
        for charset in ("zlib", "idna", "nope", "unicode_escape", "ascii", "cp1252"):
            kind = ("Content-Type", f"text/html; charset={charset}")
            self.assertEqual(self.body(kind, text=japanese, size=1), japanese.encode())

    def test_bodies_that_are_not_there(self) -> None:
        self.assertEqual(self.missing(read(entry(content={"size": 9}))), 9)
        self.assertEqual(self.missing(read(entry(content={"size": 9, "text": ""}))), 9)
        length = ("Content-Length", "12")
        self.assertEqual(self.missing(read(entry(length, content={}))), 12)
        past = {**entry(length, content={"size": 0}), "_then": "retry"}
        self.assertEqual(self.missing(read(past)), 12)
        chunked = entry(("Transfer-Encoding", "chunked"), content={"size": 0})
        self.assertEqual(self.missing(read({**chunked, "_then": "retry"})), 0)

    def test_what_is_cut_is_filled_up(self) -> None:
        recorded = read(entry(HTML, content={"size": 9, "text": "aü", "_cut": 3}))
        self.assertEqual(recorded.controls, {"body": "aü", "body_size": 9})
        self.assertEqual(recorded.lacks, ("end",))
        # The text is UTF-8, whatever its type says: so many bytes were kept.
        kind = ("Content-Type", "text/html; charset=euc-jp")
        recorded = read(entry(kind, content={"size": 9, "text": "日本", "_cut": 6}))
        self.assertEqual(recorded.controls, {"body": "日本", "body_size": 9})
        content = {"size": 9, "text": "/wA=", "encoding": "base64", "_cut": 2}
        controls = read(entry(HTML, content=content)).controls
        self.assertEqual(controls, {"body_base64": "/wA=", "body_size": 9})
        # A text whose size is another for other reasons is whole.
        recorded = read(entry(HTML, content={"size": 9, "text": "a"}))
        self.assertEqual((recorded.controls, recorded.lacks), ({"body": "a"}, ()))
        for cut in ("x", None, -1, 1e300):
            read(entry(HTML, content={"size": 9, "text": "a", "_cut": cut}))

    def test_what_came_of_a_broken_body(self) -> None:
        def controls(*headers: tuple[str, str], **content: Any) -> dict[str, Any]:
            more: dict[str, Any] = {"status": 200, "content": content}
            given = failed("ConnectionLost", **more)
            given["response"]["headers"] = [
                {"name": name, "value": value} for name, value in (HTML, *headers)
            ]
            found = dict(read(given).controls)
            self.assertEqual(found.pop("fault"), "truncate")
            return found

        length = ("Content-Length", "9")
        # Half of it is sent: of what was announced, or else as much as came.
        filled = {"body": "abc", "body_size": 9}
        self.assertEqual(controls(length, size=3, text="abc"), filled)
        filled = {"body": "abc", "body_size": 6}
        self.assertEqual(controls(size=3, text="abc"), filled)
        self.assertEqual(controls(size=3), {"size": 6})
        self.assertEqual(controls(length, size=3), {"size": 9})
        self.assertEqual(controls(length, size=0, text=""), {"size": 9})
        # The length of what is packed is not that of what was unpacked.
        coded = (length, ("Content-Encoding", "gzip"))
        self.assertEqual(controls(*coded, size=5, text="abcde")["body_size"], 10)
        self.assertEqual(controls(*coded, size=5), {"size": 9})
        self.assertEqual(controls(size=90 * 1024 * 1024), {"size": 100 * 1024 * 1024})

    def test_bodies_that_there_are_none_of(self) -> None:
        for found in (
            entry(content={"size": 0}),
            entry(content={"size": 0, "text": ""}),
            entry(content={"size": -1}),
            entry(status=204),
            entry(("Content-Length", "9"), status=304, content={"size": 0}),
        ):
            recorded = read(found)
            self.assertEqual(recorded.lacks, ())
            self.assertEqual(recorded.controls["size"], 0)

    def test_to_a_head(self) -> None:
        recorded = read(entry(("Content-Length", "9"), method="HEAD", content={}))
        self.assertEqual((recorded.controls, recorded.lacks), ({"size": 9}, ()))

    def test_a_copy_that_a_browser_had(self) -> None:
        recorded = read(entry(("ETag", '"a"'), HTML, status=304))
        self.assertEqual(recorded.controls, {"body": "body"})

    def test_a_type_where_no_fields_were_kept(self) -> None:
        recorded = read(entry())
        self.assertEqual(recorded.headers, (("Content-Type", "text/plain"),))
        self.assertEqual(read(entry(("X", "1"))).headers, (("X", "1"),))
        for kind in ("x-unknown", "a/b\r\nX: y", 7, None):
            content = {"text": "a", "mimeType": kind}
            self.assertEqual(read(entry(content=content)).headers, ())


class TimeTests(SynchronousTestCase):
    def test_wait_and_receive(self) -> None:
        self.assertEqual(timed(entry()), {"delay": "100ms", "drip": "50ms/2"})
        self.assertEqual(read(entry()).controls.keys() & {"delay", "drip"}, set())
        for timings, expected in (
            ({"wait": 1.5, "receive": 1000}, {"delay": "1.5ms", "drip": "1000ms/21"}),
            ({"wait": 0, "receive": 4.9}, {}),
            ({"wait": -1, "receive": -1}, {}),
            ({"wait": 20}, {"delay": "20ms"}),
            ({"wait": 0, "receive": 1e7}, {"drip": "10000000ms/5000"}),
        ):
            self.assertEqual(timed(entry(timings=timings)), expected)

    def test_a_large_body_comes_in_small_pieces(self) -> None:
        large = entry(content={"size": 50_000_000}, timings={"wait": 0, "receive": 60})
        self.assertEqual(timed(large), {"drip": "60ms/192"})

    def test_what_cannot_be_dripped(self) -> None:
        for found in (entry(status=204), entry(content={"size": 1, "text": "a"})):
            self.assertEqual(timed(found), {"delay": "100ms"})

    def test_times_that_are_not_there(self) -> None:
        for timings in ({}, {"wait": None}, {"wait": "1"}, {"wait": float("nan")}):
            recorded = read_entry(entry(timings=timings), with_times=True)
            self.assertEqual(recorded.lacks, ("time",))
            self.assertEqual(read(entry(timings=timings)).lacks, ())

    def test_the_longest(self) -> None:
        for timings, longest in (
            ({"wait": 2000, "receive": 1000}, 2.0),
            ({"wait": 1000, "receive": 2000}, 2.0),
        ):
            recorded = read_entry(entry(timings=timings), with_times=True)
            self.assertEqual(recorded.seconds, longest)

    def test_when_it_was_sent(self) -> None:
        timings = {"blocked": 250, "dns": -1, "connect": 100, "send": 150, "wait": 1}
        for started, expected in (
            ("2026-11-27T06:00:00Z", 0.5),
            ("2026-11-27T06:00:00.250000+00:00", 0.75),
            ("2026-11-27T07:30:00.2500000+0130", 0.75),
            ("2026-11-27T04:30:00-01:30", 0.5),
            ("2026-11-27T06:00:00", None),
            ("2026-13-27T06:00:00Z", None),
            ("0001-01-01T00:00:00+99:99", None),
            ("yesterday", None),
        ):
            sent = read(entry(started=started, timings=timings)).sent
            if expected is None:
                self.assertIsNone(sent)
            else:
                assert sent is not None
                self.assertAlmostEqual(sent - 1795759200, expected, places=5)


class FaultTests(SynchronousTestCase):
    def fault(self, given: dict[str, Any]) -> Any:
        recorded = read(given)
        self.assertEqual(recorded.lacks, ())
        return recorded.controls.get("fault")

    def test_what_had_no_head(self) -> None:
        for error, fault in (
            ("ConnectionLost", "reset"),
            ("ConnectFailed", "reset"),
            ("EmptyResponse", "empty"),
            ("MalformedResponse", "garbage"),
            ("FirstByteTimeout", "stall"),
            ("DeadlinePassed", "stall"),
        ):
            self.assertEqual(self.fault(failed(error)), fault)
        # The route of the app, if there is one, has no part in it.
        self.assertEqual(read(failed("EmptyResponse")).controls["size"], 0)

    def test_what_had_one(self) -> None:
        for error, fault in (
            ("ResponseCutShort", "truncate"),
            ("ConnectionLost", "truncate"),
            ("MalformedResponse", "malformed-chunk"),
            ("DeadlinePassed", "stall-body"),
            ("ResponseTooLarge", None),
        ):
            length = ("Content-Length", "100")
            given = failed(error, status=503)
            given["response"]["headers"] = entry(length)["response"]["headers"]
            controls = read(given).controls
            self.assertEqual(controls.get("fault"), fault)
            self.assertEqual((controls["status"], controls["size"]), (503, 100))

    def test_every_error_of_the_client(self) -> None:
        for name in errors.__all__:
            for status in (0, 200):
                try:
                    fault = read(failed(name, status=status)).controls.get("fault")
                except LeftOut:
                    # What was never sent, what the user ended, and what has a head.
                    alone = ("BadJob", "BadURL", "Interrupted", "RequestError")
                    has_head = ("TooManyRedirects", "ResponseTooLarge", "CannotUnpack")
                    # No HAR is written on a cluster.
                    expected = (*alone, *has_head, "UnpacksTooLarge", "WorkerLost")
                    self.assertIn(name, expected)
                else:
                    self.assertIn(fault, (None, *FAULTS))

    def test_a_client_that_left_the_proxy(self) -> None:
        self.assertEqual(self.fault(failed("ClientLeft")), "stall")
        self.assertEqual(self.fault(failed("ClientLeft", status=200)), "stall-body")

    def test_errors_of_chrome(self) -> None:
        for error, status, fault in (
            ("net::ERR_CONNECTION_RESET", 0, "reset"),
            ("net::ERR_EMPTY_RESPONSE", 0, "empty"),
            ("net::ERR_CONTENT_LENGTH_MISMATCH", 200, "truncate"),
            ("", 200, None),
        ):
            content = {"size": 0}
            given = entry(status=status, content=content, _error=error)
            self.assertEqual(self.fault(given), fault)
            # By Playwright.
            given = entry(status=status or -1, content=content, _failureText=error)
            self.assertEqual(self.fault(given), fault)

    def test_their_times(self) -> None:
        # It was waited for until the client had enough.
        self.assertEqual(timed(failed("DeadlinePassed")), {})
        self.assertEqual(timed(failed("ConnectionLost")), {"delay": "100ms"})
        stalled = failed("DeadlinePassed", status=200, content={"size": 10})
        self.assertEqual(timed(stalled), {"delay": "100ms"})
        # Half of the body is sent: in half of the time.
        cut = failed("ResponseCutShort", status=200, content={"size": 10})
        self.assertEqual(timed(cut), {"delay": "100ms", "drip": "100ms/3"})
