"""Requests as entries of an HTTP Archive."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft6Validator
from referencing import Registry
from referencing.jsonschema import DRAFT6

from nbtwisted.client.errors import BadURL, ConnectionLost, Interrupted, Outcome
from nbtwisted.client.response import Answer, Head, PastAttempt, Timing
from nbtwisted.client.results.har import HEAD, LARGEST_BODY, TAIL, entries
from tests.guard import ClockCase

TIMING = Timing(
    started=1_800_000_000.25,
    queued=0.5,
    dns=0.001,
    connect=0.002,
    tls=0.004,
    wait=1.0,
    receive=0.25,
    total=1.3,
)
REQUEST = (
    b"GET /a?b=c&d=%20e&f HTTP/1.1\r\nHost: h\r\nAuthorization: Basic c2VjcmV0\r\n\r\n"
)
URL = "https://h/a?b=c&d=%20e&f"


def answer(
    body: bytes = b"body", *headers: tuple[str, str], received: bytes = b""
) -> Answer:
    head = Head("1.1", 200, "OK", headers)
    raw = received or b"HTTP/1.1 200 OK\r\n\r\n" + body
    return Answer(URL, 7, head, raw, body, TIMING, request=REQUEST)


def lost(**how: Any) -> ConnectionLost:
    error = ConnectionLost("it broke")
    error.url, error.fileno, error.timing = URL, 8, TIMING
    error.request, error.received = REQUEST, b"HTTP/1.1 200"
    for name, value in how.items():
        setattr(error, name, value)
    return error


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


def archive(*outcomes: Outcome) -> list[dict[str, Any]]:
    """The entries, of an archive that is valid."""
    lines = [json.dumps(e) for i, o in enumerate(outcomes) for e in entries(i, o)]
    whole = json.loads(HEAD + ",".join(lines) + TAIL)
    VALIDATOR.validate(whole)
    found: list[dict[str, Any]] = whole["log"]["entries"]
    return found


def entry(outcome: Outcome) -> dict[str, Any]:
    (only,) = archive(outcome)
    return only


class EntryTests(ClockCase):
    def test_the_schema_can_refuse(self) -> None:
        self.assertFalse(VALIDATOR.is_valid({"log": {"version": "1.2"}}))
        bad = next(iter(entries(0, answer())))
        del bad["timings"]["wait"]
        log = {**json.loads(HEAD + TAIL)["log"], "entries": [bad]}
        self.assertFalse(VALIDATOR.is_valid({"log": log}))

    def test_an_answer(self) -> None:
        found = entry(answer(b"body", ("Content-Type", "text/plain"), ("X", "\xff")))
        # From when it was asked for, in milliseconds.
        self.assertEqual(found["startedDateTime"], "2027-01-15T07:59:59.750+00:00")
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
            request = entry(replace(answer(), url=asked))["request"]
            self.assertEqual(request["url"], sent)
            query = {each["name"]: each["value"] for each in request["queryString"]}
            self.assertEqual(query, {"q": "ü 1", ";x": ""} if "q=" in asked else {})
        past = PastAttempt(
            *("https://h/a#b", 7, None, "no", "dns", TIMING, REQUEST, 0),
            then="redirect",
            waited=0.0,
        )
        last = replace(answer(), effective_url="https://h/c#b", history=(past,))
        urls = [each["request"]["url"] for each in archive(last)]
        self.assertEqual(urls, ["https://h/a", "https://h/c"])

    def test_timings(self) -> None:
        found = entry(answer())
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
            },
        )
        # TLS is a part of connecting, and -1 is no time.
        parts = {**found["timings"], "ssl": 0}
        self.assertAlmostEqual(sum(max(part, 0) for part in parts.values()), 1800.0)

    def test_a_connection_that_was_there(self) -> None:
        reused = replace(TIMING, dns=0.0, connect=0.0, tls=0.0, queued=0.0)
        timings = entry(replace(answer(), timing=reused))["timings"]
        for name in ("blocked", "dns", "connect", "ssl"):
            self.assertEqual(timings[name], -1)

    def test_secrets_stay_out(self) -> None:
        outcome = answer(b"", ("Set-Cookie", "session=secret"), ("ETag", "shown"))
        text = json.dumps(archive(outcome))
        self.assertNotIn("c2VjcmV0", text)
        self.assertNotIn("session", text)
        self.assertIn("shown", text)
        self.assertIn('{"name": "Authorization", "value": "(not written)"}', text)

    def test_bodies(self) -> None:
        content = entry(answer(b"\xff\x00"))["response"]["content"]
        self.assertEqual(content["encoding"], "base64")
        self.assertEqual(b64decode(content["text"]), b"\xff\x00")
        large = entry(answer(b"x" * (LARGEST_BODY + 1)))["response"]["content"]
        self.assertNotIn("text", large)
        self.assertEqual(large["size"], LARGEST_BODY + 1)
        zipped = entry(answer(b"zip", ("Content-Encoding", "gzip")))
        self.assertIn("compressed", zipped["response"]["content"]["comment"])

    def test_sizes_where_a_body_was_framed(self) -> None:
        for received in (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody",
            b"HTTP/1.1 200 OK\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ):
            response = entry(answer(received=received))["response"]
            self.assertEqual((response["headersSize"], response["bodySize"]), (-1, -1))
            self.assertEqual(response["_transferSize"], len(received))

    def test_what_the_server_says_of_its_time(self) -> None:
        timing = ("Server-Timing", "asked;dur=100, held;dur=100.5, db;dur=3")
        found = entry(answer(b"", timing))
        self.assertEqual((found["_asked"], found["_held"]), (100.0, 100.5))
        self.assertNotIn("_db", found)

    def test_an_error(self) -> None:
        found = entry(lost())
        self.assertEqual(found["response"]["status"], 0)
        self.assertEqual(found["response"]["_transferSize"], 12)
        self.assertEqual(found["_error"], {"phase": "body", "message": "it broke"})

    def test_an_error_behind_a_head(self) -> None:
        response = entry(lost(head=Head("1.1", 206, "Part", ())))["response"]
        self.assertEqual((response["status"], response["statusText"]), (206, "Part"))
        self.assertIn("it broke", response["_error"])

    def test_where_an_unfinished_phase_stands(self) -> None:
        nothing = replace(
            TIMING, dns=None, connect=None, tls=None, wait=None, receive=None
        )
        for timing, name in (
            (nothing, "dns"),
            (replace(nothing, dns=0.001), "connect"),
            (replace(nothing, dns=0.001, connect=0.001), "ssl"),
            (replace(nothing, dns=0.001, connect=0.001, tls=0.001), "wait"),
        ):
            timings = entry(lost(timing=timing))["timings"]
            self.assertGreater(timings[name], 1290, name)

    def test_an_entry_for_each_attempt(self) -> None:
        moved = PastAttempt(
            url="https://h/old",
            fileno=6,
            head=Head("1.1", 302, "Found", (("Location", "/a"),)),
            error=None,
            phase=None,
            timing=replace(TIMING, queued=0.0),
            request=REQUEST,
            received=100,
            then="redirect",
            waited=0.0,
        )
        refused = replace(
            moved, head=None, error="refused", phase="connect", then="retry", waited=1.5
        )
        outcome = replace(
            answer(),
            history=(moved, refused),
            timing=replace(TIMING, earlier=0.3),
            effective_url="https://h/new",
        )
        first, second, third = archive(outcome)
        self.assertEqual(first["response"]["redirectURL"], "/a")
        self.assertEqual((first["_then"], first["_attempt"]), ("redirect", 0))
        # The time in the queue was before the first of them.
        self.assertEqual(first["timings"]["blocked"], 500.0)
        self.assertEqual(second["timings"]["blocked"], -1)
        self.assertEqual((second["response"]["status"], second["_waited"]), (0, 1500.0))
        self.assertEqual(second["_error"]["phase"], "connect")
        self.assertEqual(third["request"]["url"], "https://h/new")
        self.assertEqual(third["startedDateTime"], "2027-01-15T08:00:00.550+00:00")
        self.assertEqual((third["_attempt"], third["time"]), (2, 1000.0))

    def test_what_was_no_request_has_no_entry(self) -> None:
        self.assertEqual(archive(Interrupted("cancelled before it was sent")), [])
        error = BadURL("no host")
        error.timing = TIMING
        self.assertEqual(archive(error), [])

    @given(st.binary(max_size=60), st.text(st.characters(codec="latin-1")))
    def test_any_body_and_header(self, body: bytes, value: str) -> None:
        found = entry(answer(body, ("X", value), ("Content-Type", value)))
        content = found["response"]["content"]
        text = content["text"]
        back = b64decode(text) if "encoding" in content else text.encode()
        self.assertEqual(back, body)
