"""Entries of a HAR as rules, and the answers that these give."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.server.recordings import recording as module
from nbtwisted.server.recordings.har_file import UnreadableHAR, read_har
from nbtwisted.server.recordings.recording import Recording, UnplayableRecording
from nbtwisted.server.rules.in_force import Origin
from tests.server.har_entries import ANYTHING, entry, failed
from tests.server.in_memory import Reply
from tests.server.test_rules import RulesCase

TYPE = ("Content-Type", "text/plain")


def at(second: int, *headers: tuple[str, str], **more: Any) -> dict[str, Any]:
    """An entry that was sent at a second."""
    return entry(*headers, started=f"2026-11-27T06:00:{second:02}Z", **more)


def rules_of(*entries: object, with_times: bool = False) -> list[dict[str, Any]]:
    recording = Recording(with_times=with_times, max_delay=300.0)
    for each in entries:
        recording.add(each)
    return list(recording.rules())


def remarks_of(*entries: object, with_times: bool = False) -> list[str]:
    recording = Recording(with_times=with_times, max_delay=300.0)
    for each in entries:
        recording.add(each)
    return list(recording.remarks())


class RulesOfTests(RulesCase):
    def steps(self, *entries: object, with_times: bool = False) -> Any:
        (rule,) = rules_of(*entries, with_times=with_times)
        return rule["steps"]

    def test_a_rule(self) -> None:
        (rule,) = rules_of(entry(TYPE, status=201))
        self.assertEqual(
            rule,
            {
                "name": "har 1: GET /orders?page=1",
                "match": {"method": "GET", "target": "/orders?page=1"},
                "strict": True,
                "literal": True,
                "status": 201,
                "body": "body",
                "header": ["Content-Type: text/plain"],
            },
        )

    def test_requests_are_told_apart_by_method_and_target(self) -> None:
        found = rules_of(
            *(
                entry(url="http://a/x"),
                entry(url="http://a/x?"),
                entry(url="http://a/y"),
            ),
            *(entry(url="http://a/x", method="POST"), entry(url="http://a/x")),
        )
        self.assertEqual(
            [rule["name"] for rule in found],
            ["har 1: GET /x", "har 2: GET /x?", "har 3: GET /y", "har 4: POST /x"],
        )

    def test_a_head_is_no_get(self) -> None:
        found = rules_of(entry(), entry(("Content-Length", "9"), method="HEAD"))
        methods = [rule["match"]["method"] for rule in found]
        self.assertEqual(methods, ["HEAD", "GET"])

    def test_in_the_order_of_their_times(self) -> None:
        steps = self.steps(at(3, status=203), at(1, status=201), at(2, status=202))
        self.assertEqual([step["status"] for step in steps], [201, 202, 203])
        # Without a date, behind the one before.
        steps = self.steps(
            at(1, status=201), entry(started="", status=202), at(3, status=203)
        )
        self.assertEqual([step["status"] for step in steps], [201, 202, 203])
        # Without dates, in that of the file.
        undated = [entry(started="", status=status) for status in (203, 201, 202)]
        steps = self.steps(*undated)
        self.assertEqual([step["status"] for step in steps], [203, 201, 202])

    def test_what_is_the_same_in_all_is_said_once(self) -> None:
        (rule,) = rules_of(at(1, TYPE), at(2, TYPE), at(3, TYPE))
        self.assertNotIn("steps", rule)
        slow = {"wait": 900, "receive": 0}
        found = (at(1, TYPE), at(2, TYPE, timings=slow), at(3, TYPE, timings=slow))
        (rule,) = rules_of(*found, with_times=True)
        self.assertEqual(rule["body"], "body")
        times = [{"delay": "100ms", "drip": "50ms/2"}, {"delay": "900ms"}]
        self.assertEqual(rule["steps"], times)
        steps = self.steps(at(1, TYPE), at(2, ("X", "1")), at(3, TYPE))
        self.assertEqual(len(steps), 3)

    def test_redirects_stay_here(self) -> None:
        for location, expected in (
            ("http://API.test:8080/a?b#c", "/a?b#c"),
            ("//api.test:8080", "/"),
            ("https://other.test/x", "/x"),
            ("https://u:p@other.test?x", "/?x"),
            ("https://elsewhere.test/x", "https://elsewhere.test/x"),
            ("/a", "/a"),
            ("a", "a"),
        ):
            found = rules_of(
                entry(("Location", location), status=302),
                entry(url="https://other.test/x"),
            )
            self.assertEqual(found[0]["header"], [f"Location: {expected}"])

    def test_names_of_long_urls(self) -> None:
        long = ["http://a/" + "x" * 200 + end for end in "abc"]
        names = [rule["name"] for rule in rules_of(*(entry(url=u) for u in long))]
        self.assertEqual({len(name) for name in names}, {100})
        self.assertEqual(len(set(names)), 3)
        self.server.rules.parse({"rule": rules_of(*(entry(url=u) for u in long))})

    def test_remarks(self) -> None:
        self.assertEqual(remarks_of(entry(TYPE)), [])
        (left_out,) = remarks_of(
            *(entry(TYPE), entry(url="data:,a"), entry(url="ws://a/")),
            *(entry(status=0), entry(status=101), 7),
        )
        self.assertEqual(
            left_out,
            "5 of 6 entries are left out: no HTTP, such as data:, blob: and ws: (3), "
            "no response (1), a status that is not one of 200 to 599 (1)",
        )
        (lacks,) = remarks_of(
            entry(TYPE, content={"size": 5}), entry(content={"size": 6})
        )
        self.assertIn("a body is not in it (2), and as many * are sent", lacks)
        self.assertIn("nbtwisted get --har", lacks)
        content = {"size": 9, "text": "a", "_cut": 1}
        (cut,) = remarks_of(entry(TYPE, content=content))
        self.assertIn("there is only the beginning in it (1), and * are sent", cut)
        (cookies,) = remarks_of(entry(("Set-Cookie", "(not written)")))
        self.assertIn("a value of Set-Cookie is not in it (1)", cookies)
        (fields,) = remarks_of(entry(("X", "a\0")))
        self.assertIn("a header field cannot be sent (1)", fields)
        self.assertEqual(remarks_of(entry(timings={})), [])
        (times,) = remarks_of(entry(timings={}), with_times=True)
        self.assertIn("a time is not in it (1)", times)
        (hosts,) = remarks_of(entry(url="http://a/"), entry(url="http://b/"))
        self.assertIn("a path was asked of several hosts (1)", hosts)

    def test_what_cannot_be_played(self) -> None:
        def why_not(*entries: object) -> str:
            found = self.assertRaises(
                UnplayableRecording, rules_of, *entries, with_times=True
            )
            return str(found)

        self.assertEqual(why_not(), "there is no entry in it")
        self.assertEqual(
            why_not(entry(status=0)),
            "there is no answer in it: no response (1)",
        )
        for timings in ({"wait": 301e3}, {"wait": 0, "receive": 301e3}):
            self.assertEqual(
                why_not(entry(), entry(timings=timings)),
                "entry 2 (GET /orders?page=1) takes 301 s: expected at most 300, this "
                "server's --max-delay",
            )
        self.patch(module, "MOST_STEPS", 2)
        self.assertEqual(
            why_not(entry(), entry(), entry()),
            "expected at most 2 answers of GET /orders?page=1",
        )
        self.patch(module, "MOST_RULES", 2)
        self.assertEqual(
            why_not(*(entry(url=f"http://a/{n}") for n in range(3))),
            "expected at most 2 URLs",
        )


class PlayingTests(RulesCase):
    """What clients get."""

    def play(self, *entries: object, with_times: bool = False) -> None:
        rules = self.server.rules.parse(
            {"rule": rules_of(*entries, with_times=with_times)}
        )
        self.assertEqual([rule.warnings for rule in rules], [()] * len(rules))
        self.server.rules.set_origin(Origin.HAR, rules)
        self.assertEqual(self.server.rules.current.warnings, [])

    def get(self, target: str = "/orders?page=1", method: str = "GET") -> Reply:
        return self.ask(target, method=method)

    def test_the_third_request_gets_the_third_answer(self) -> None:
        self.play(*(at(n, status=200 + n) for n in (1, 2, 3)))
        statuses = [self.get().status for _ in range(5)]
        self.assertEqual(statuses, [201, 202, 203, 203, 203])
        self.ask("/__admin/reset", method="POST")
        self.assertEqual(self.get().status, 201)

    def test_nothing_is_filled_in(self) -> None:
        text = "{n} {now} {query.page} {id}"
        content = {"size": 27, "text": text}
        self.play(entry(TYPE, ("X", text), content=content))
        reply = self.get()
        self.assertEqual((reply.body.decode(), reply.headers["x"]), (text, text))

    def test_bytes(self) -> None:
        content = {"size": 2, "text": "/wA=", "encoding": "base64"}
        self.play(entry(("Content-Type", "image/x"), content=content))
        self.assertEqual(self.get().body, b"\xff\x00")
        self.assertEqual(self.get().headers["content-type"], "image/x")

    def test_a_beginning(self) -> None:
        content = {"size": 9, "text": "abc", "_cut": 3}
        self.play(entry(TYPE, content=content))
        self.assertEqual(self.get().body, b"abc******")

    def test_no_type_where_there_was_none(self) -> None:
        self.play(entry(("X", "1")))
        self.assertEqual(self.get().body, b"body")
        self.assertNotIn("content-type", self.get().headers)

    def test_the_route_of_the_app_has_no_part_in_it(self) -> None:
        urls = [f"http://a{path}" for path in ("/", "/get?_delay=1&_no", "/status/503")]
        self.play(
            *(entry(url=url, content={"size": 0}) for url in urls),
            entry(method="DELETE", url="http://a/get", status=204),
            failed("EmptyResponse", url="http://a/delay/2"),
        )
        for target, method, status in (
            ("/", "GET", 200),
            ("/get?_delay=1&_no", "GET", 200),
            ("/status/503", "GET", 200),
            ("/get", "DELETE", 204),
        ):
            reply = self.get(target, method)
            self.assertEqual((reply.status, reply.body), (status, b""))
        broken = self.visit("/delay/2")
        self.assertTrue(broken.is_closed)
        self.assertEqual(broken.received, b"")

    def test_to_a_head(self) -> None:
        self.play(
            entry(TYPE), entry(("Content-Length", "9"), method="HEAD", status=203)
        )
        reply = self.get(method="HEAD")
        self.assertEqual((reply.status, reply.headers["content-length"]), (203, "9"))
        self.play(entry(TYPE))
        reply = self.get(method="HEAD")
        self.assertEqual((reply.status, reply.headers["content-length"]), (200, "4"))

    def test_a_copy_that_is_still_good(self) -> None:
        self.play(entry(("ETag", '"a"'), TYPE, status=304))
        self.assertEqual(self.get().body, b"body")
        kept = self.ask("/orders?page=1", 'If-None-Match: "a"')
        self.assertEqual((kept.status, kept.body), (304, b""))

    def test_its_time(self) -> None:
        timings = {"wait": 1000, "receive": 500}
        self.play(entry(TYPE, timings=timings), with_times=True)
        visit = self.visit("/orders?page=1")
        self.clock.advance(0.999)
        self.assertEqual(visit.received, b"")
        self.clock.advance(0.001)
        self.assertIn(b"\r\n\r\nb", visit.received)
        self.clock.pump([0.01] * 49)
        self.assertFalse(visit.received.endswith(b"body"))
        self.clock.advance(0.01)
        self.assertEqual(visit.reply().body, b"body")

    def test_what_is_shown_can_be_put_back(self) -> None:
        self.play(
            at(1, TYPE),
            *(at(2, TYPE, status=503), failed("ConnectionLost")),
            entry(url="http://a/b", content={"size": 1, "text": "\0"}),
            with_times=True,
        )
        before = self.server.rules.current.rules
        for shown in self.ask("/__admin/rules").json()["rules"]:
            self.assertEqual(shown["origin"], "har")
            place = "/__admin/rules/" + quote(shown["name"], safe="")
            reply = self.ask(place, method="PUT", body=shown["rule"])
            self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(self.server.rules.current.rules, before)
        off = {**shown["rule"], "enabled": False}
        self.assertEqual(self.ask(place, method="PUT", body=off).status, 200)
        self.assertEqual(self.ask("/b").status, 404)


class FileTests(RulesCase):
    def file(self, content: str | bytes) -> str:
        descriptor, path = tempfile.mkstemp(suffix=".har")
        self.addCleanup(os.unlink, path)
        with open(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    def test_a_file(self) -> None:
        har = {"log": {"creator": {}, "entries": [entry(TYPE), 7], "pages": []}}
        path = self.file(json.dumps(har))
        (rule,), (remark,) = read_har(path, with_times=False, max_delay=1)
        self.assertEqual(rule.name, "har 1: GET /orders?page=1")
        self.assertIn("1 of 2 entries are left out", remark)

    @given(
        st.lists(
            st.builds(
                lambda part, name, value: (
                    {**entry(), part: value}
                    if name is None
                    else {**entry(), part: {**entry()[part], name: value}}
                ),
                st.sampled_from(["request", "response", "timings"]),
                st.none()
                | st.sampled_from(
                    ["url", "method", "status", "headers", "content", "wait", "receive"]
                ),
                ANYTHING,
            )
        )
    )
    def test_whatever_is_in_it(self, entries: list[Any]) -> None:
        path = self.file(json.dumps({"log": {"entries": entries}}))
        try:
            read_har(path, with_times=True, max_delay=300)
        except UnreadableHAR as error:
            self.assertTrue(str(error).isprintable())

    def test_what_is_none(self) -> None:
        slow = json.dumps({"log": {"entries": [entry(timings={"wait": 2000})]}})
        for content, expected in (
            ("", "it is empty (expected a HAR"),
            ("<html>", "line 1, column 1: expected { (expected a HAR"),
            ("{}", "there is no 'log' in it (expected a HAR"),
            ('{"log": {"entries": [', "it is cut short"),
            (b'{"log": "\xff', "it is not UTF-8"),
            ('{"log": {"entries": []}}', "there is no entry in it"),
            ('{"log": {"entries": [1]}}', "there is no answer in it"),
            (slow, "entry 1 (GET /orders?page=1) takes 2 s: expected at most 1"),
        ):
            path = self.file(content)
            error = self.assertRaises(
                UnreadableHAR, read_har, path, with_times=True, max_delay=1
            )
            self.assertIn(expected, str(error))
