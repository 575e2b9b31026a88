"""Requests as entries of an HTTP Archive."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft6Validator
from referencing import Registry
from referencing.jsonschema import DRAFT6

from nbtwisted.client.errors import BadURL, ConnectFailed, Interrupted
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.many.har_jobs import read_entry
from nbtwisted.client.message import Message
from nbtwisted.client.result import LONGEST_PAST, Result
from nbtwisted.client.results.har import HEAD, LARGEST_BODY, TAIL, entries
from nbtwisted.client.target import Target
from nbtwisted.client.writing import write_message
from tests.client.results import BEGAN, REQUEST, attempt, lost, result
from tests.guard import ClockCase

URL = "https://h/a?b=c&d=%20e&f"
TIMES: dict[str, Any] = {
    "dns": 0.001,
    "connect": 0.002,
    "tls": 0.004,
    "send": 0.043,
    "wait": 1.0,
    "receive": 0.25,
}


def answered(*headers: tuple[str, str], url: str = URL, **more: Any) -> Result:
    return result(attempt(*headers, url=url, **{**TIMES, **more}))


def _validator() -> Draft6Validator:
    """That of HAR 1.2, as the people of har-schema wrote it down."""
    folder = Path(__file__).parent / "har_schema"
    schemas = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], DRAFT6.create_resource(schema)) for schema in schemas
    )
    whole = next(schema for schema in schemas if schema["$id"] == "har.json#")
    return Draft6Validator(whole, registry=registry)


VALIDATOR = _validator()


def archive(*results: Result) -> list[dict[str, Any]]:
    """The entries, of an archive that is valid."""
    lines = [json.dumps(e) for i, r in enumerate(results) for e in entries(i, r)]
    whole = json.loads(HEAD + ",".join(lines) + TAIL)
    VALIDATOR.validate(whole)
    found: list[dict[str, Any]] = whole["log"]["entries"]
    return found


def entry(ended: Result) -> dict[str, Any]:
    (only,) = archive(ended)
    return only


class EntryTests(ClockCase):
    def test_the_schema_can_refuse(self) -> None:
        self.assertFalse(VALIDATOR.is_valid({"log": {"version": "1.2"}}))
        bad = next(iter(entries(0, answered())))
        del bad["timings"]["wait"]
        log = {**json.loads(HEAD + TAIL)["log"], "entries": [bad]}
        self.assertFalse(VALIDATOR.is_valid({"log": log}))

    def test_an_answer(self) -> None:
        found = entry(answered(("Content-Type", "text/plain"), ("X", "\xff")))
        # From when it was asked for. Requests at once are some microseconds apart.
        self.assertEqual(found["startedDateTime"], "2027-01-15T07:59:59.750000+00:00")
        self.assertEqual(found["time"], 1800.0)
        request, response = found["request"], found["response"]
        self.assertEqual(
            (request["method"], request["url"], request["httpVersion"]),
            ("GET", URL, "HTTP/1.1"),
        )
        self.assertEqual(
            request["queryString"],
            [
                {"name": "b", "value": "c"},
                {"name": "d", "value": " e"},
                {"name": "f", "value": ""},
            ],
        )
        self.assertEqual(request["headersSize"], len(REQUEST))
        self.assertEqual((response["status"], response["statusText"]), (200, "OK"))
        self.assertEqual(response["headers"][1], {"name": "X", "value": "\xff"})
        self.assertEqual(
            response["content"], {"size": 4, "mimeType": "text/plain", "text": "body"}
        )
        self.assertEqual((response["headersSize"], response["bodySize"]), (19, 4))
        self.assertEqual((found["_index"], found["_fileno"]), (0, 7))

    def test_urls_as_sent(self) -> None:
        for asked, sent in [
            ("https://h/#here", "https://h/"),
            ("https://h?#", "https://h/?"),
            ("http://h:80/a/../ü?q=ü+1&;x#y", "http://h/%C3%BC?q=%C3%BC+1&;x"),
            ("https://bücher.test/#", "https://xn--bcher-kva.test/"),
        ]:
            request = entry(answered(url=asked))["request"]
            self.assertEqual(request["url"], sent)
            query = {each["name"]: each["value"] for each in request["queryString"]}
            self.assertEqual(query, {"q": "ü 1", ";x": ""} if "q=" in asked else {})
        ended = result(
            attempt(url="https://h/a#b", status=302, then="redirect"),
            attempt(url="https://h/c#b"),
        )
        urls = [each["request"]["url"] for each in archive(ended)]
        self.assertEqual(urls, ["https://h/a", "https://h/c"])

    def test_timings(self) -> None:
        found = entry(answered())
        self.assertEqual(
            found["timings"],
            {
                "blocked": 500.0,
                "dns": 1.0,
                "connect": 6.0,
                "ssl": 4.0,
                "send": 43.0,
                "wait": 1000.0,
                "receive": 250.0,
                "_paced": -1,
                "_proxy": -1,
            },
        )
        # TLS is a part of connecting, and -1 is no time.
        parts = {**found["timings"], "ssl": 0}
        self.assertAlmostEqual(sum(max(part, 0) for part in parts.values()), 1800.0)

    def test_what_was_sent(self) -> None:
        head = b"PUT /a HTTP/1.1\r\nContent-Type: text/x\r\n\r\n"
        for body, posted in [
            (b"", None),
            ("aü\0".encode(), {"mimeType": "text/x", "text": "aü\0"}),
            (
                b"\xff\x00",
                {"mimeType": "text/x", "text": "/wA=", "encoding": "base64"},
            ),
        ]:
            request = entry(answered(message=Message(head, body)))["request"]
            self.assertEqual(
                (request["method"], request.get("postData")), ("PUT", posted)
            )
            self.assertEqual(request["headersSize"], len(head))
            self.assertEqual(request["bodySize"], len(body))
        untyped = Message(b"PUT /a HTTP/1.1\r\n\r\n", b"a")
        posted = entry(answered(message=untyped))["request"]["postData"]
        self.assertEqual(posted, {"mimeType": "", "text": "a"})

    def test_what_was_sent_is_read_back(self) -> None:
        for job in (
            Job(URL, "POST", (("Content-Type", "text/x"),), "aü\0\r\n".encode()),
            Job(URL, "PUT", (("X", "\xff"), ("X", "y")), b"\xff\x00"),
            Job(URL, "HEAD"),
            Job(URL, "PURGE"),
        ):
            sent = self.message(job)
            read = read_entry(1, entry(answered(message=sent)), JobTemplate())
            assert isinstance(read, Job)
            again = self.message(read)
            lines = sorted(again.head.split(b"\r\n"))
            self.assertEqual(lines, sorted(sent.head.split(b"\r\n")))
            self.assertEqual((again.body, read.url), (job.body, job.url))

    def message(self, job: Job) -> Message:
        target = Target.parse(job.url)
        return write_message(target, job.method, job.headers, job.body)

    def test_what_was_sent_and_is_large(self) -> None:
        head = b"PUT /a HTTP/1.1\r\n\r\n"
        largest = Message(head, b"x" * LARGEST_BODY)
        request = entry(answered(message=largest))["request"]
        self.assertEqual(request["postData"]["text"], "x" * LARGEST_BODY)
        self.assertNotIn("comment", request)
        large = Message(head, b"x" * (LARGEST_BODY + 1))
        request = entry(answered(message=large))["request"]
        self.assertNotIn("postData", request)
        self.assertEqual(request["bodySize"], LARGEST_BODY + 1)
        self.assertIn("a body of more than 1048576 bytes", request["comment"])

    def test_a_pace_and_a_tunnel(self) -> None:
        past: dict[str, Any] = {"status": 503, "then": "retry", "waited": 1.0, **TIMES}
        first, second = archive(
            result(
                attempt(url=URL, paced=0.125, **past),
                attempt(url=URL, began=BEGAN + 10, paced=2.0, proxy=0.5, **TIMES),
            )
        )
        # In the queue, it waited for its pace, too.
        self.assertEqual((first["time"], first["timings"]["blocked"]), (1800.0, 500.0))
        self.assertEqual(first["timings"]["_paced"], 125.0)
        self.assertEqual(second["startedDateTime"], "2027-01-15T08:00:08.250000+00:00")
        timings = second["timings"]
        self.assertEqual((timings["blocked"], timings["_paced"]), (2000.0, 2000.0))
        self.assertEqual((timings["connect"], timings["ssl"]), (506.0, 4.0))
        self.assertEqual(timings["_proxy"], 500.0)
        parts = {**timings, "ssl": 0, "_paced": 0, "_proxy": 0}
        whole = sum(max(part, 0) for part in parts.values())
        self.assertAlmostEqual(second["time"], whole)

    def test_a_connection_that_was_there(self) -> None:
        ended = answered(is_reused=True)
        ended.queued = 0.0
        timings = entry(ended)["timings"]
        for name in ("blocked", "dns", "connect", "ssl"):
            self.assertEqual(timings[name], -1)

    def test_secrets_stay_out(self) -> None:
        ended = answered(("Set-Cookie", "session=secret"), ("ETag", "shown"))
        text = json.dumps(archive(ended))
        self.assertNotIn("c2VjcmV0", text)
        self.assertNotIn("session", text)
        self.assertIn("shown", text)
        self.assertIn('{"name": "Authorization", "value": "(not written)"}', text)
        for name in ("Proxy-Authorization", "COOKIE", "Set-Cookie2"):
            text = json.dumps(archive(answered((name, "secret"))))
            self.assertNotIn("secret", text)

    def test_bodies(self) -> None:
        content = entry(answered(body=b"\xff\x00"))["response"]["content"]
        self.assertEqual(content["encoding"], "base64")
        self.assertEqual(b64decode(content["text"]), b"\xff\x00")
        largest = entry(answered(body=b"x" * LARGEST_BODY))["response"]["content"]
        self.assertEqual(largest["text"], "x" * LARGEST_BODY)
        large = entry(answered(body=b"x" * (LARGEST_BODY + 1)))["response"]["content"]
        self.assertNotIn("text", large)
        self.assertEqual(large["size"], LARGEST_BODY + 1)
        self.assertEqual(
            large["comment"], "a body of more than 1048576 bytes is not in here"
        )
        zipped = entry(answered(("Content-Encoding", "gzip")))
        self.assertIn("compressed", zipped["response"]["content"]["comment"])

    def test_a_body_that_was_unpacked(self) -> None:
        coding = ("Content-Encoding", "gzip")
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        ended = answered(coding, body=b"hello" * 9, raw=head + b"x" * 7)
        ended.attempts[0].packed_size = 7
        response = entry(ended)["response"]
        self.assertEqual(
            response["content"],
            {"size": 45, "compression": 38, "mimeType": "", "text": "hello" * 9},
        )
        self.assertEqual(
            (response["headersSize"], response["bodySize"]), (len(head), 7)
        )

    def test_sizes_where_a_body_was_framed(self) -> None:
        for received in (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody",
            b"HTTP/1.1 200 OK\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ):
            response = entry(answered(raw=received))["response"]
            self.assertEqual((response["headersSize"], response["bodySize"]), (-1, -1))
            self.assertEqual(response["_transferSize"], len(received))

    def test_what_the_server_says_of_its_time(self) -> None:
        timing = ("Server-Timing", "asked;dur=100, held;dur=100.5, db;dur=3")
        found = entry(answered(timing))
        self.assertEqual((found["_asked"], found["_held"]), (100.0, 100.5))
        self.assertNotIn("_db", found)
        self.assertNotIn("_upstream", found)
        found = entry(answered(("Server-Timing", "upstream;dur=70, held;dur=3")))
        self.assertEqual((found["_upstream"], found["_held"]), (70.0, 3.0))

    def test_an_error(self) -> None:
        found = entry(lost())
        self.assertEqual(found["response"]["status"], 0)
        self.assertEqual(found["response"]["_transferSize"], 12)
        said = {"type": "ConnectionLost", "phase": "body", "message": "it broke"}
        self.assertEqual(found["_error"], said)
        self.assertEqual(found["response"]["_error"], "body: it broke")

    def test_an_error_behind_a_head(self) -> None:
        ended = result(
            attempt(
                *(("Content-Type", "text/plain"), ("Location", "/a")),
                status=206,
                reason="Part",
                error=ConnectFailed("it broke"),
            )
        )
        response = entry(ended)["response"]
        self.assertEqual((response["status"], response["statusText"]), (206, "Part"))
        self.assertEqual(response["httpVersion"], "HTTP/1.1")
        self.assertEqual(response["content"], {"size": 0, "mimeType": "text/plain"})
        self.assertEqual((response["headersSize"], response["bodySize"]), (-1, -1))
        self.assertEqual(response["redirectURL"], "/a")
        self.assertIn("it broke", response["_error"])

    def test_where_an_unfinished_phase_stands(self) -> None:
        reached: dict[str, float] = {}
        for name, unfinished in (
            ("dns", "dns"),
            ("connect", "connect"),
            ("tls", "ssl"),
            ("wait", "wait"),
        ):
            nothing = dict.fromkeys(TIMES)
            ended = lost(url=URL, rest=1.5, **{**nothing, **reached})
            timings = entry(ended)["timings"]
            self.assertGreater(timings[unfinished], 1490, name)
            reached[name] = 0.001

    def test_an_entry_for_each_attempt(self) -> None:
        past: dict[str, Any] = {"url": "https://h/old", "fileno": 6, **TIMES}
        moved = ("Location", "/a")
        ended = result(
            attempt(moved, status=302, then="redirect", **past),
            attempt(
                status=None,
                error=ConnectFailed("refused"),
                then="retry",
                waited=1.5,
                **past,
            ),
            attempt(status=None, then="resend", error=ConnectFailed("reset"), **past),
            attempt(**{**past, "url": "https://h/new", "began": BEGAN + 0.3}),
        )
        first, second, third, fourth = archive(ended)
        self.assertEqual(first["response"]["redirectURL"], "/a")
        self.assertEqual((first["_then"], first["_attempt"]), ("redirect", 0))
        # The time in the queue was before the first of them.
        self.assertEqual(first["timings"]["blocked"], 500.0)
        self.assertEqual(second["timings"]["blocked"], -1)
        self.assertEqual((second["response"]["status"], second["_waited"]), (0, 1500.0))
        self.assertEqual(second["_error"]["phase"], "connect")
        self.assertEqual((third["_then"], third["_waited"]), ("resend", 0.0))
        self.assertEqual(fourth["request"]["url"], "https://h/new")
        self.assertEqual(fourth["startedDateTime"], "2027-01-15T08:00:00.550000+00:00")
        self.assertEqual((fourth["_attempt"], fourth["time"]), (3, 1300.0))
        self.assertNotIn("_then", fourth)
        # Of the last alone there is a body.
        self.assertNotIn("text", first["response"]["content"])
        self.assertEqual(fourth["response"]["content"]["text"], "body")

    def test_stopped_between_two_attempts(self) -> None:
        ended = result(
            attempt(status=503, then="retry", waited=1.5), error=Interrupted("told to")
        )
        found = entry(ended)
        self.assertEqual((found["_then"], found["response"]["status"]), ("retry", 503))
        self.assertNotIn("_error", found)

    def test_long_heads_that_were_not_kept(self) -> None:
        for size, said in ((LONGEST_PAST, False), (LONGEST_PAST + 1, True)):
            ended = result(
                attempt(status=302, raw=b"x" * size, then="redirect"),
                attempt(raw=b"x" * size),
            )
            past, last = (each["response"] for each in archive(ended))
            self.assertEqual(("comment" in past, "comment" in last), (said, False))
            self.assertEqual(past["_transferSize"], size)

    def test_what_was_no_request_has_no_entry(self) -> None:
        never = Result(URL, error=Interrupted("cancelled before it was sent"))
        self.assertEqual(archive(never), [])
        bad = Result("x", error=BadURL("no host"), began=BEGAN, ended_at=BEGAN)
        self.assertEqual(archive(bad), [])

    @given(st.binary(max_size=60), st.text(st.characters(codec="latin-1")))
    def test_any_body_and_header(self, body: bytes, value: str) -> None:
        found = entry(answered(("X", value), ("Content-Type", value), body=body))
        content = found["response"]["content"]
        text = content["text"]
        back = b64decode(text) if "encoding" in content else text.encode()
        self.assertEqual(back, body)
