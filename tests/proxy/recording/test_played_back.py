"""What was recorded, as `nbtwisted serve --har` plays it."""

from __future__ import annotations

import gzip
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlinePassed,
    EmptyResponse,
    FirstByteTimeout,
    Interrupted,
    MalformedResponse,
    RequestError,
    ResponseCutShort,
)
from nbtwisted.client.result import Head
from nbtwisted.proxy.recording.entry import Passed, entry_of
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.recordings.har_file import read_har
from nbtwisted.server.recordings.recording import Recording
from nbtwisted.server.rules.in_force import Origin
from tests.client.test_har import VALIDATOR
from tests.proxy.recording.archives import TEXT, URL, RecordingCase, head, request
from tests.server.in_memory import Reply, Visit, site_of

TARGET = "/orders?page=1"
LENGTH_9 = ("Content-Length", "9")


class PlayedBackTests(RecordingCase):
    def play(self) -> None:
        """Begin to serve what was recorded."""
        self.entries()
        rules, self.remarks = read_har(self.path, with_times=True, max_delay=300.0)
        server = DelayServer(clock=self.clock, now=self.clock.seconds, seed=7)
        server.rules.set_origin(Origin.HAR, rules)
        self.site = site_of(server, self.clock, "ours")

    def visit(self, target: str = TARGET, method: str = "GET") -> Visit:
        visit = Visit(self.clock, site=self.site, peer="127.0.0.1")
        self.addCleanup(visit.leave)
        visit.get(target, method=method)
        return visit

    def get(self, target: str = TARGET, method: str = "GET") -> Reply:
        visit = self.visit(target, method)
        for _ in range(100):
            self.clock.advance(0.05)
        reply = visit.reply(method)
        visit.leave()
        return reply

    def test_an_answer(self) -> None:
        self.passes(b"bo", b"dy", answer=head(TEXT, ("X", "1"), status=201))
        self.play()
        reply = self.get()
        self.assertEqual((reply.status, reply.body), (201, b"body"))
        self.assertEqual(reply.headers["content-type"], "text/plain")
        self.assertEqual(reply.headers["x"], "1")
        self.assertEqual(self.remarks, [])

    def test_its_time(self) -> None:
        self.passes(b"body", answer=head(TEXT), wait=1.0, receive=0.5)
        self.play()
        visit = self.visit()
        self.clock.advance(0.9)
        self.assertEqual(visit.received, b"")
        self.clock.advance(0.1)
        self.assertIn(b"200 OK", visit.received)
        for _ in range(9):
            self.clock.advance(0.05)
        self.assertFalse(visit.received.endswith(b"body"))
        self.clock.advance(0.06)
        self.assertTrue(visit.received.endswith(b"body"))

    def test_answers_in_the_order_in_which_they_were_asked_for(self) -> None:
        first = self.recorder.begin(request(), URL)
        first.asked()
        self.clock.advance(1)
        self.passes(answer=head(status=202))
        first.head(head(status=201))
        first.end(None)
        self.play()
        self.assertEqual([self.get().status for _ in range(2)], [201, 202])

    def test_methods_and_targets(self) -> None:
        self.passes(b"put", answer=head(), asked=request(method=b"PUT"), sent=(b"a",))
        self.passes(b"other", answer=head(), url="http://upstream.test/other")
        self.passes(answer=head(("Content-Length", "7")), asked=request(method=b"HEAD"))
        self.play()
        self.assertEqual(self.get(method="PUT").body, b"put")
        self.assertEqual(self.get("/other").body, b"other")
        self.assertEqual(self.get(method="HEAD").headers["content-length"], "7")

    def test_a_body_that_was_cut(self) -> None:
        self.make(most=3)
        self.passes(b"a" * 100_000, answer=head(TEXT))
        self.play()
        self.assertEqual(self.get().body, b"aaa" + b"*" * 99_997)
        (remark,) = self.remarks
        self.assertIn("only the beginning in it (1)", remark)

    def test_a_body_that_was_not_kept(self) -> None:
        self.make(most=0)
        self.passes(b"abc", answer=head(TEXT))
        self.play()
        self.assertEqual(self.get().body, b"***")
        self.assertIn("a body is not in it (1)", self.remarks[0])

    def test_a_compressed_body(self) -> None:
        packed = gzip.compress(b"hello" * 90)
        self.passes(packed, answer=head(TEXT, ("Content-Encoding", "gzip")))
        self.play()
        reply = self.get()
        self.assertEqual(reply.body, b"hello" * 90)
        self.assertNotIn("content-encoding", reply.headers)

    def test_cookies(self) -> None:
        for with_secrets in (False, True):
            self.make(with_secrets=with_secrets)
            self.passes(answer=head(("Set-Cookie", "a=b")))
            self.play()
            cookie = self.get().headers.get("set-cookie")
            self.assertEqual(cookie, "a=b" if with_secrets else None)
            self.assertEqual(len(self.remarks), 0 if with_secrets else 1)

    def test_without_an_answer(self) -> None:
        for error, is_aborted, is_closed in (
            (ConnectFailed("refused"), True, True),
            (ConnectionLost("reset"), True, True),
            (EmptyResponse("nothing came"), False, True),
            (FirstByteTimeout("too late"), False, False),
            (Interrupted("the client left"), False, False),
        ):
            self.make()
            self.passes(error=error, wait=0.5)
            self.play()
            visit = self.visit()
            self.clock.advance(0.5)
            self.assertEqual(visit.received, b"", error)
            self.assertEqual(visit.is_aborted, is_aborted, error)
            self.assertEqual(visit.is_closed, is_closed, error)
        self.make()
        self.passes(error=MalformedResponse("garbage"))
        self.play()
        visit = self.visit()
        self.assertTrue(visit.received.startswith(b"\xff"))

    def test_answers_that_broke_off(self) -> None:
        for error, headers, body, is_closed in (
            # Half of what was announced.
            (ResponseCutShort("it ended"), (LENGTH_9,), b"abcd", True),
            (ConnectionLost("it broke"), (LENGTH_9,), b"abcd", True),
            # As much as came.
            (ResponseCutShort("it ended"), (), b"abcdef", True),
            (Interrupted("the client left"), (), b"abcdef", False),
            (DeadlinePassed("no more came"), (), b"abcdef", False),
        ):
            found = self.broken(error, *headers)
            self.assertEqual(found.received.partition(b"\r\n\r\n")[2], body, error)
            self.assertEqual(found.is_closed, is_closed, error)
        found = self.broken(MalformedResponse("no chunk"))
        body = b"6\r\nabcdef\r\nthis is no chunk size\r\n"
        self.assertEqual(found.received.partition(b"\r\n\r\n")[2], body)

    def broken(self, error: RequestError, *headers: tuple[str, str]) -> Visit:
        self.make()
        self.passes(b"abc", b"def", answer=head(TEXT, *headers), error=error)
        self.play()
        visit = self.visit()
        self.clock.advance(1)
        return visit


FIELD = st.tuples(
    st.sampled_from([b"X", b"x-y", b"Cookie", b"Content-Type", b"Content-Encoding"]),
    st.binary(max_size=20) | st.sampled_from([b"gzip", b"text/plain; charset=cp932"]),
)
FAULTS = [ConnectionLost, ResponseCutShort, MalformedResponse, Interrupted]


class AnythingTests(RecordingCase):
    @given(
        st.lists(FIELD, max_size=4),
        st.lists(FIELD, max_size=4),
        st.lists(st.binary(max_size=30), max_size=4),
        st.integers(0, 60),
        st.sampled_from(["GET", "POST", "HEAD"]),
        st.sampled_from([None, *FAULTS]),
    )
    def test_bytes(
        self,
        asked: list[tuple[bytes, bytes]],
        answered: list[tuple[bytes, bytes]],
        pieces: list[bytes],
        most: int,
        method: str,
        error: type[RequestError] | None,
    ) -> None:
        passed = Passed(
            *(method.encode(), URL, b"HTTP/1.1"), request(*asked).headers, 1.0
        )
        headers = tuple((n.decode(), v.decode("latin-1")) for n, v in answered)
        passed.head, passed.head_at, passed.ended_at = head(*headers), 2.0, 3.0
        body = b"".join(pieces)
        for part in (passed.sent, passed.received):
            part.size, part.content = len(body), bytearray(body[:most])
        if error is not None:
            passed.fail(error("it broke"))
        found = entry_of(passed, most=most, with_secrets=False)
        VALIDATOR.validate(_archive(found))
        content = found["response"]["content"]
        if error is None and "text" in content and "encoding" not in content:
            cut = content.get("_cut", content["size"])
            self.assertEqual(len(content["text"].encode()), cut)
        self.played(found, body, most, method, passed.head, error)

    def played(
        self,
        found: dict[str, Any],
        body: bytes,
        most: int,
        method: str,
        answer: Head,
        error: type[RequestError] | None,
    ) -> None:
        """An answer that is whole has its bytes, and as many as there were."""
        recording = Recording(with_times=False, max_delay=1.0)
        recording.add(found)
        server = DelayServer(clock=self.clock, now=self.clock.seconds, seed=7)
        rules = server.rules.parse({"rule": list(recording.rules())})
        server.rules.set_origin(Origin.HAR, rules)
        visit = Visit(
            self.clock, site=site_of(server, self.clock, "ours"), peer="127.0.0.1"
        )
        visit.get(TARGET, method=method)
        if error is None:
            reply = visit.reply(method)
            is_coded = any(n.lower() == "content-encoding" for n, _ in answer.headers)
            if method != "HEAD" and not is_coded:
                self.assertEqual(len(reply.body), len(body))
                kept = found["response"]["content"].get("_cut", min(most, len(body)))
                self.assertEqual(reply.body[:kept], body[:kept])
        visit.leave()


def _archive(*entries: dict[str, Any]) -> dict[str, Any]:
    creator = {"name": "nbtwisted", "version": "0"}
    return {"log": {"version": "1.2", "creator": creator, "entries": list(entries)}}
