"""What HTTP mode tells a recorder: both of them, in memory."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from nbtwisted.proxy.recording.recorder import HARRecorder
from tests.client.test_har import VALIDATOR
from tests.proxy.http.in_memory import ProxyCase, answer

UPSTREAM = "http://10.1.2.3:8000"


class RecordedCase(ProxyCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "passed.har")
        self.told: list[str] = []

    def record(self, **options: Any) -> None:
        """A proxy that records."""
        self.recorder = HARRecorder(
            self.path, tell=self.told.append, now=self.clock.seconds
        )
        self.addCleanup(self.recorder.close)
        self.proxy(recorder=self.recorder, **options)

    def entries(self) -> list[dict[str, Any]]:
        self.recorder.close()
        self.assertEqual(self.told, [])
        archive = json.loads(Path(self.path).read_bytes())
        VALIDATOR.validate(archive)
        found: list[dict[str, Any]] = archive["log"]["entries"]
        return found

    def entry(self, number: int = -1) -> dict[str, Any]:
        (only,) = self.entries()
        return only

    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = self.entry()["response"]["content"]
        return content


class PassingTests(RecordedCase):
    def test_there_and_back(self) -> None:
        self.record()
        visit = self.visit()
        visit.get("/orders?id=7", "X-Nbtwisted-Ask-Delay: 2s", "X-Nbtwisted-Delay: 1s")
        self.clock.advance(2)
        upstream = self.upstream()
        self.clock.advance(0.25)
        upstream.answer(answer(b"hello", "X-B: \xe8"))
        self.clock.advance(1)
        self.assertTrue(visit.received.endswith(b"hello"))
        found = self.entry()
        self.assertEqual(found["startedDateTime"][14:19], "00:02")
        self.assertEqual(found["request"]["url"], f"{UPSTREAM}/orders?id=7")
        self.assertEqual(found["response"]["content"]["text"], "hello")
        self.assertIn({"name": "X-B", "value": "\xe8"}, found["response"]["headers"])
        times = found["timings"]
        self.assertEqual((times["wait"], times["receive"]), (250.0, 0.0))

    def test_what_was_answered_instead_is_not_recorded(self) -> None:
        self.record()
        self.visit().get("/", "X-Nbtwisted-Status: 503")
        self.assertEqual(self.entries(), [])

    def test_what_was_done_to_an_answer_is_not_recorded(self) -> None:
        self.record()
        visit = self.visit()
        visit.get("/", "X-Nbtwisted-Rate: 10B", "X-Nbtwisted-Header: X-A: b")
        self.upstream().answer(answer(b"hello"))
        while not visit.received.endswith(b"hello"):
            self.clock.advance(0.05)
        found = self.entry()
        self.assertEqual(found["response"]["content"]["text"], "hello")
        self.assertNotIn("_error", found)
        self.assertEqual(found["timings"]["receive"], 0.0)
        self.assertNotIn("X-A", json.dumps(found["response"]))

    def test_a_long_answer(self) -> None:
        self.record()
        self.visit().get("/")
        upstream = self.upstream()
        upstream.answer(answer(b"x" * 300_000)[:-200_000])
        self.clock.advance(0.5)
        upstream.answer(b"x" * 200_000)
        found = self.entry()
        self.assertEqual(found["response"]["content"]["text"], "x" * 300_000)
        self.assertEqual(found["timings"]["receive"], 500.0)

    def test_chunks(self) -> None:
        self.record()
        self.visit().get("/")
        upstream = self.upstream()
        upstream.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        upstream.answer(b"5\r\nhello\r\n")
        upstream.answer(b"6\r\n world\r\n0\r\n\r\n")
        self.assertEqual(self.content()["text"], "hello world")

    def test_an_upstream_as_a_whole(self) -> None:
        self.record()
        self.visit().get("*", method="OPTIONS")
        self.upstream().answer(answer())
        self.assertEqual(self.entry()["request"]["url"], UPSTREAM)

    def test_a_head_alone(self) -> None:
        self.record()
        self.visit().get("/", method="HEAD")
        self.upstream().answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        self.assertEqual(self.content()["size"], 0)

    def test_an_upload(self) -> None:
        self.record()
        visit = self.visit()
        visit.send(b"PUT /a HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\n\r\nabc")
        upstream = self.upstream()
        upstream.take_request()
        self.clock.advance(1)
        visit.send(b"def")
        upstream.take_request()
        self.clock.advance(0.5)
        upstream.answer(answer(b"done"))
        found = self.entry()
        self.assertEqual(found["request"]["postData"]["text"], "abcdef")
        times = found["timings"]
        self.assertEqual((times["send"], times["wait"]), (1000.0, 500.0))

    def test_a_small_upload_that_came_with_its_head(self) -> None:
        self.record()
        self.visit().send(b"PUT /a HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc")
        self.upstream().answer(answer(b"done"))
        self.assertEqual(self.entry()["request"]["postData"]["text"], "abc")

    def test_a_kept_connection_that_was_closed(self) -> None:
        self.record()
        visit = self.visit()
        visit.get("/1")
        upstream = self.upstream()
        upstream.take_request()
        upstream.answer(answer())
        visit.get("/2")
        upstream.take_request()
        self.clock.advance(1)
        upstream.reset()
        again = self.upstream()
        again.take_request()
        self.clock.advance(0.5)
        again.answer(answer(b"two"))
        _, second = self.entries()
        self.assertEqual(second["response"]["content"]["text"], "two")
        # From when it was sent again.
        self.assertEqual((second["time"], second["timings"]["wait"]), (500.0, 500.0))
        self.assertNotIn("_error", second)

    def test_another_protocol(self) -> None:
        self.record()
        visit = self.visit()
        visit.get("/chat", "Connection: Upgrade", "Upgrade: websocket")
        upstream = self.upstream()
        upstream.take_request()
        upstream.answer(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n\r\nearly"
        )
        visit.send(b"there")
        upstream.answer(b"back")
        upstream.close()
        found = self.entry()
        self.assertEqual(found["response"]["status"], 101)
        self.assertEqual(found["response"]["content"]["size"], 0)


class FailingTests(RecordedCase):
    def error(self) -> str:
        found = self.entry()
        kind: str = found["_error"]["type"]
        return kind

    def test_without_an_answer(self) -> None:
        for does, error in [
            (lambda it: it.close(), "EmptyResponse"),
            (lambda it: it.reset(), "ConnectionLost"),
            (lambda it: it.answer(b"\xffgarbage"), "MalformedResponse"),
            (lambda it: it.answer(b"HTTP/1.1 200"), "ResponseCutShort"),
        ]:
            self.record()
            self.visit().get("/")
            upstream = self.upstream()
            does(upstream)
            if upstream.state == "open":
                upstream.close()
            elif upstream.state == "aborting":
                upstream.finish()
            self.assertEqual(self.error(), error)

    def test_too_late(self) -> None:
        self.record(timeout=8)
        self.visit().get("/")
        upstream = self.upstream()
        upstream.take_request()
        for _ in range(10):
            self.clock.advance(1)
        upstream.finish()
        self.assertEqual(self.error(), "FirstByteTimeout")

    def test_too_late_in_the_body(self) -> None:
        self.record(timeout=8)
        self.visit().get("/")
        upstream = self.upstream()
        upstream.take_request()
        upstream.answer(answer(b"hello")[:-1])
        for _ in range(10):
            self.clock.advance(1)
        upstream.finish()
        found = self.entry()
        self.assertEqual(found["_error"]["type"], "DeadlinePassed")
        self.assertEqual(found["response"]["content"]["text"], "hell")

    def test_in_the_middle(self) -> None:
        self.record()
        self.visit().get("/")
        upstream = self.upstream()
        upstream.answer(answer(b"hello world")[:-6])
        upstream.close()
        found = self.entry()
        self.assertEqual(found["_error"]["type"], "ResponseCutShort")
        self.assertEqual(found["response"]["content"]["text"], "hello")

    def test_what_breaks_with_its_head(self) -> None:
        self.record()
        self.visit().get("/")
        upstream = self.upstream()
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        upstream.answer(head + b"5\r\nhello\r\nno chunk\r\n")
        if upstream.state == "aborting":
            upstream.finish()
        found = self.entry()
        self.assertEqual(found["_error"]["type"], "MalformedResponse")
        self.assertEqual(found["response"]["status"], 200)
        self.assertEqual(found["response"]["content"]["text"], "hello")

    def test_what_breaks_with_some_of_its_body(self) -> None:
        self.record()
        self.visit().get("/")
        upstream = self.upstream()
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        upstream.answer(head + b"3\r\nabc\r\n")
        upstream.answer(b"5\r\nhello\r\nno chunk\r\n")
        if upstream.state == "aborting":
            upstream.finish()
        self.assertEqual(self.content()["text"], "abchello")

    def test_a_client_that_leaves(self) -> None:
        self.record()
        visit = self.visit()
        visit.get("/")
        upstream = self.upstream()
        upstream.answer(answer(b"hello")[:-1])
        visit.leave()
        found = self.entry()
        self.assertEqual(found["_error"]["type"], "ClientLeft")
        self.assertEqual(found["response"]["content"]["text"], "hell")

    def test_a_client_whose_upload_makes_no_sense(self) -> None:
        self.record()
        visit = self.visit()
        head = b"POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        visit.send(head + b"3\r\nabc\r\n")
        self.upstream()
        visit.send(b"nonsense\r\n")
        found = self.entry()
        self.assertEqual(found["request"]["postData"]["text"], "abc")
        self.assertEqual(found["_error"]["type"], "ClientLeft")
