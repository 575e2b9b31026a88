"""What passes, as entries of a HAR."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from typing import Any

from nbtwisted.client import errors
from nbtwisted.client.errors import (
    ConnectFailed,
    ConnectionLost,
    FirstByteTimeout,
    Interrupted,
    MalformedResponse,
    NameNotResolved,
    ResponseCutShort,
    TLSFailed,
)
from tests.proxy.recording.archives import TEXT, URL, RecordingCase, head, request


class EntryTests(RecordingCase):
    def test_an_exchange(self) -> None:
        self.clock.advance(1)
        recorded = self.recorder.begin(
            request((b"X", b"\xff"), (b"Content-Type", b"a/b"), method=b"POST"), URL
        )
        self.clock.advance(0.5)
        recorded.asked()
        self.clock.advance(0.125)
        recorded.request_piece(b"que")
        self.clock.advance(0.125)
        recorded.request_piece(b"stion")
        self.clock.advance(2)
        recorded.head(head(TEXT, ("Location", "/a"), ("X", "\xff"), status=201))
        self.clock.advance(0.25)
        recorded.piece(b"ans")
        recorded.piece(b"wer")
        self.clock.advance(0.5)
        recorded.end(None)
        found = self.entry()
        # In the upstream's time: from when it was asked.
        self.assertEqual(found["startedDateTime"], "2027-01-15T08:00:01.750000+00:00")
        self.assertEqual(found["time"], 3000.0)
        self.assertEqual(
            found["timings"],
            {
                "blocked": -1,
                "dns": -1,
                "connect": -1,
                "ssl": -1,
                "send": 250.0,
                "wait": 2000.0,
                "receive": 750.0,
            },
        )
        asked, response = found["request"], found["response"]
        self.assertEqual(
            (asked["method"], asked["url"], asked["httpVersion"]),
            ("POST", URL, "HTTP/1.1"),
        )
        self.assertIn({"name": "X", "value": "\xff"}, asked["headers"])
        self.assertEqual(asked["queryString"], [{"name": "page", "value": "1"}])
        self.assertEqual(asked["postData"], {"mimeType": "a/b", "text": "question"})
        self.assertEqual((asked["headersSize"], asked["bodySize"]), (-1, 8))
        self.assertEqual((response["status"], response["statusText"]), (201, "OK"))
        self.assertEqual(response["httpVersion"], "HTTP/1.1")
        self.assertEqual(
            response["content"], {"size": 6, "mimeType": "text/plain", "text": "answer"}
        )
        self.assertEqual((response["headersSize"], response["bodySize"]), (-1, 6))
        self.assertEqual(response["redirectURL"], "/a")
        self.assertNotIn("_error", found)
        self.assertEqual(self.told, [])

    def test_what_was_not_asked_is_not_recorded(self) -> None:
        self.recorder.begin(request(), URL).end(None)
        self.recorder.begin(request(), URL).end(Interrupted("it left"))
        self.assertEqual(self.entries(), [])
        self.assertEqual(self.recorder.lost, 0)

    def test_what_was_asked_again(self) -> None:
        recorded = self.recorder.begin(request(method=b"PUT"), URL)
        held = set()
        for second in (1, 2):
            self.clock.advance(1)
            recorded.asked()
            recorded.request_piece(b"piece %d" % second)
            held.add(self.recorder._memory.held)
        # What went over the first is not held any more.
        self.assertEqual(len(held), 1)
        recorded.head(head())
        recorded.end(None)
        found = self.entry()
        self.assertEqual(found["startedDateTime"][17:22], "02.25")
        self.assertEqual(found["request"]["postData"]["text"], "piece 2")
        self.assertEqual(found["request"]["bodySize"], 7)

    def test_an_answer_before_all_was_sent(self) -> None:
        recorded = self.recorder.begin(request(method=b"PUT"), URL)
        recorded.asked()
        recorded.request_piece(b"a")
        self.clock.advance(1)
        recorded.head(head())
        self.clock.advance(1)
        recorded.request_piece(b"b")
        self.clock.advance(1)
        recorded.end(None)
        found = self.entry()
        timings = found["timings"]
        times = (timings["send"], timings["wait"], timings["receive"])
        self.assertEqual(times, (1000.0, 0.0, 2000.0))
        self.assertEqual(found["request"]["postData"]["text"], "ab")

    def test_secrets(self) -> None:
        fields = (
            *((b"AUTHORIZATION", b"secret 1"), (b"Proxy-Authorization", b"secret 2")),
            (b"Cookie", b"secret 3"),
        )
        cookies = (("Set-Cookie", "secret 4"), ("ETag", "shown"))
        for with_secrets in (False, True):
            self.make(with_secrets=with_secrets)
            self.passes(asked=request(*fields), answer=head(*cookies))
            text = json.dumps(self.entry())
            self.assertIn("shown", text)
            self.assertEqual(text.count("secret"), 4 if with_secrets else 0)
            self.assertEqual(text.count("(not written)"), 0 if with_secrets else 4)

    def test_controls_are_not_the_upstreams(self) -> None:
        self.passes(asked=request((b"X-Nbtwisted-Delay", b"1s"), (b"X", b"1")))
        headers = self.entry()["request"]["headers"]
        self.assertEqual([each["name"] for each in headers], ["Host", "X"])

    def test_what_an_upstream_of_ours_says_of_its_time(self) -> None:
        timing = ("Server-Timing", "asked;dur=100, held;dur=100.5, db;dur=3")
        self.passes(answer=head(timing))
        found = self.entry()
        self.assertEqual((found["_asked"], found["_held"]), (100.0, 100.5))

    def test_dates_tell_which_was_first(self) -> None:
        first = self.recorder.begin(request(), f"{URL}&n=1")
        first.asked()
        self.clock.advance(1)
        self.passes(answer=head(), url=f"{URL}&n=2")
        first.end(ConnectionLost("it broke"))
        dates = {
            each["request"]["url"][-1]: each["startedDateTime"][17:19]
            for each in self.entries()
        }
        self.assertEqual(dates, {"1": "00", "2": "01"})


class BodyTests(RecordingCase):
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = self.entry()["response"]["content"]
        del content["mimeType"]
        return content

    def test_bytes(self) -> None:
        raw = bytes(range(256))
        self.passes(raw, answer=head(), sent=(raw,))
        found = self.entry()
        for body in (found["request"]["postData"], found["response"]["content"]):
            self.assertEqual(body["encoding"], "base64")
            self.assertEqual(b64decode(body["text"]), raw)
            self.assertNotIn("_cut", body)

    def test_none(self) -> None:
        self.passes(answer=head())
        found = self.entry()
        self.assertNotIn("postData", found["request"])
        content = {"size": 0, "mimeType": "", "text": ""}
        self.assertEqual(found["response"]["content"], content)

    def test_as_much_as_is_kept(self) -> None:
        self.make(most=4)
        self.passes(b"abc", b"d", answer=head(), sent=(b"efgh",))
        found = self.entry()
        self.assertEqual(found["response"]["content"]["text"], "abcd")
        self.assertNotIn("_cut", found["response"]["content"])
        self.assertEqual(found["request"]["postData"]["text"], "efgh")
        self.assertNotIn("_cut", found["request"]["postData"])

    def test_more_than_is_kept(self) -> None:
        self.make(most=4)
        self.passes(b"abc", b"def", b"g", answer=head(), sent=(b"h" * 9, b"i"))
        found = self.entry()
        cut = {"_cut": 4, "comment": "only its first 4 bytes are in here"}
        self.assertEqual(
            found["response"]["content"],
            {"size": 7, "mimeType": "", "text": "abcd", **cut},
        )
        self.assertEqual(found["response"]["bodySize"], 7)
        posted = {"mimeType": "", "text": "hhhh", **cut}
        self.assertEqual(found["request"]["postData"], posted)
        self.assertEqual(found["request"]["bodySize"], 10)

    def test_a_text_that_is_cut_in_a_character(self) -> None:
        for most, text in ((1, "a"), (2, "a"), (3, "aü"), (4, "aü"), (6, "aü")):
            self.make(most=most)
            self.passes("aü\U0001f600".encode(), answer=head())
            content = self.content()
            self.assertEqual(content["text"], text)
            self.assertEqual(
                (content["_cut"], content["size"]), (len(text.encode()), 7)
            )
        # What is no text stays as it is.
        self.make(most=5)
        self.passes(b"\xffabcdef", answer=head())
        content = self.content()
        self.assertEqual((content["encoding"], content["_cut"]), ("base64", 5))

    def test_none_are_kept(self) -> None:
        self.make(most=0)
        self.passes(b"abc", answer=head(), sent=(b"de",))
        found = self.entry()
        content = {"size": 3, "mimeType": "", "comment": "it is not in here"}
        self.assertEqual(found["response"]["content"], content)
        self.assertNotIn("postData", found["request"])
        self.assertEqual(found["request"]["bodySize"], 2)
        self.assertEqual(found["request"]["comment"], "it is not in here")

    def test_compressed(self) -> None:
        packed = gzip.compress(b"hello" * 90)
        self.passes(packed[:9], packed[9:], answer=head(("Content-Encoding", "gzip")))
        self.assertEqual(
            self.content(),
            {"size": 450, "compression": 450 - len(packed), "text": "hello" * 90},
        )

    def test_compressed_and_larger_than_what_is_kept(self) -> None:
        packed = gzip.compress(b"hello" * 90)
        self.make(most=len(packed))
        self.passes(packed, answer=head(("Content-Encoding", "gzip")))
        content = self.content()
        self.assertEqual((content["size"], content["_cut"]), (450, len(packed)))
        self.assertEqual(content["text"], ("hello" * 90)[: len(packed)])

    def test_compressed_and_not_to_be_unpacked(self) -> None:
        gzipped, packed = ("Content-Encoding", "gzip"), gzip.compress(b"hello" * 90)
        bomb = gzip.compress(bytes(17 * 1024 * 1024))
        for coding, body, most, error in (
            (gzipped, b"x" * 50, 1000, None),
            (gzipped, packed[:-1], 1000, None),
            (gzipped, packed, len(packed) - 1, None),
            # Its beginning alone could be unpacked.
            (gzipped, packed + packed, len(packed), None),
            (gzipped, packed[:20], 1000, ConnectionLost("it broke")),
            (gzipped, bomb, 1_000_000, None),
            (("Content-Encoding", "rot13"), b"uryyb", 1000, None),
        ):
            self.make(most=most)
            self.passes(body, answer=head(coding), error=error)
            content = self.content()
            self.assertEqual(content["size"], len(body))
            self.assertIn("compressed", content["comment"])
            self.assertNotIn("text", content)


class FailureTests(RecordingCase):
    def test_every_error(self) -> None:
        for name in errors.__all__:
            kind = getattr(errors, name)
            if not hasattr(kind, "phase"):
                continue
            error = kind("it broke", shown="") if name == "BadJob" else kind("it broke")
            self.make()
            self.passes(answer=head(TEXT), error=error)
            found = self.entry()
            self.assertEqual(
                found["_error"],
                {
                    "type": "ClientLeft" if name == "Interrupted" else name,
                    "phase": error.phase,
                    "message": "it broke",
                },
            )
            self.assertEqual(found["response"]["_error"], f"{error.phase}: it broke")

    def test_where_its_time_stands(self) -> None:
        for error, phases in (
            (NameNotResolved("it broke"), ["dns"]),
            (ConnectFailed("it broke"), ["connect"]),
            (TLSFailed("it broke"), ["connect", "ssl"]),
            (FirstByteTimeout("it broke"), ["wait"]),
            (MalformedResponse("it broke"), ["wait"]),
            (Interrupted("it left"), ["wait"]),
        ):
            self.make()
            self.passes(wait=1.5, error=error)
            found = self.entry()
            self.assertEqual(found["time"], 1500.0)
            spent = [name for name, ms in found["timings"].items() if ms == 1500.0]
            self.assertEqual(spent, phases)
            self.assertEqual(found["response"]["status"], 0)

    def test_behind_a_head(self) -> None:
        self.passes(
            *(b"abc", b"de"),
            answer=head(TEXT, ("Content-Length", "9")),
            error=ResponseCutShort("it ended"),
            wait=1.0,
            receive=0.5,
        )
        found = self.entry()
        self.assertEqual(found["_error"]["type"], "ResponseCutShort")
        self.assertEqual(found["response"]["status"], 200)
        content = {"size": 5, "mimeType": "text/plain", "text": "abcde"}
        self.assertEqual(found["response"]["content"], content)
        times = (found["timings"]["wait"], found["timings"]["receive"])
        self.assertEqual(times, (1000.0, 500.0))
