"""Rules: which acts, what it makes of the answer, and how operators change them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.rules.in_force import FileState, Origin
from nbtwisted.server.rules.rule import UnreadableRule
from tests.guard import ClockCase
from tests.server.every_channel import CHANNELS
from tests.server.in_memory import Reply, Visit, site_of


class RulesCase(ClockCase):
    """A server with rules, and clients of it."""

    def setUp(self) -> None:
        super().setUp()
        self.serve()

    def serve(self, channel: str = "ours", **settings: Any) -> None:
        self.server = DelayServer(
            clock=self.clock,
            now=self.clock.seconds,
            seed=7,
            read_file=_FILES.get_content,
            **settings,
        )
        self.site = site_of(self.server, self.clock, channel)

    def rules(self, *rules: dict[str, Any]) -> None:
        self.server.rules.replace_all(self.server.rules.parse({"rule": list(rules)}))

    def visit(self, target: str, *headers: str, method: str = "GET") -> Visit:
        visit = Visit(self.clock, site=self.site, peer="127.0.0.1")
        self.addCleanup(visit.leave)
        visit.get(target, *headers, method=method)
        return visit

    def ask(
        self, target: str, *headers: str, method: str = "GET", body: object = None
    ) -> Reply:
        raw = b"" if body is None else json.dumps(body).encode()
        if raw:
            headers = (*headers, f"Content-Length: {len(raw)}")
        visit = self.visit(target, *headers, method=method)
        if raw:
            visit.send(raw)
        reply = visit.reply(method)
        visit.leave()
        return reply

    def statuses(self, target: str, times: int) -> list[int]:
        return [self.ask(target).status for _ in range(times)]


def _nested(depth: int) -> object:
    return [_nested(depth - 1)] if depth else "x"


class _Files:
    def get_content(self, path: str) -> bytes:
        if path not in ("order.json", "a.txt", "a.png", "a.tar.gz", "a"):
            raise ValueError("a file in the rules' folder")
        return b'{"id": "{id}"}'


_FILES = _Files()


class ActingTests(RulesCase):
    def test_what_keeps_rules_from_acting(self) -> None:
        match = {"path": "/orders/{id}", "method": "PUT"}
        self.rules(
            {"name": "put", "match": match},
            {"name": "page", "match": {**match, "query": {"page": "1"}}},
            {
                "name": "json",
                "match": {"path": "/orders/**", "header": {"Accept": "*json*"}},
            },
            {"name": "other", "match": {"path": "/other"}},
            {"name": "any", "match": {"query": {"x": "1"}}},
            {"name": "get", "match": {"path": "/get", "method": "POST"}},
        )
        reply = self.ask("/orders/7?page=2")
        self.assertEqual(reply.status, 404)
        self.assertEqual(
            reply.json()["rules"],
            {
                "put": ["method"],
                "page": ["method", "query page"],
                "json": ["header accept"],
            },
        )
        reply = self.ask("/get", method="PUT")
        self.assertEqual(
            (reply.status, reply.json()["rules"]), (405, {"get": ["method"]})
        )
        self.assertEqual(self.ask("/get", method="OPTIONS").body, b"")
        self.assertNotIn("rules", self.ask("/nowhere").json())

    def test_only_some_rules_are_named(self) -> None:
        match = {"path": "/a", "method": "PUT"}
        self.rules(
            *({"match": {**match, "header": {"X": f"{n}"}}} for n in range(9)),
            {"match": match},
        )
        told = self.ask("/a").json()["rules"]
        self.assertEqual(list(told), [f"rule {n}" for n in range(1, 6)])

    def test_a_path_that_the_app_does_not_have(self) -> None:
        self.rules({"match": {"path": "/orders/{id}"}, "body": "order {id}"})
        reply = self.ask("/orders/7%201")
        self.assertEqual((reply.status, reply.body), (200, b"order 7 1"))
        self.assertEqual(reply.headers["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(self.ask("/orders").status, 404)

    def test_bytes(self) -> None:
        self.rules({"match": {"path": "/a"}, "body_base64": "/wB7bn0="})
        reply = self.ask("/a")
        self.assertEqual(reply.body, b"\xff\0{n}")
        self.assertNotIn("content-type", reply.headers)

    def test_a_body_that_is_filled_up(self) -> None:
        for body in ({"body": "abc"}, {"body_base64": "YWJj"}):
            self.rules({"match": {"path": "/a"}, **body, "body_size": 100_000})
            reply = self.ask("/a")
            self.assertEqual(reply.body, b"abc" + b"*" * 99_997)
            self.assertEqual(reply.headers["content-length"], "100000")
        self.rules({"match": {"path": "/a"}, "body": "abc", "body_size": 3})
        self.assertEqual(self.ask("/a").body, b"abc")

    def test_texts_that_are_sent_as_they_are(self) -> None:
        text = "{n} {now} {query.a} {x}"
        self.rules(
            {
                "match": {"path": "/a"},
                "literal": True,
                "body": text,
                "header": f"X: {text}",
            }
        )
        self.assertEqual(self.server.rules.current.warnings, [])
        reply = self.ask("/a?a=b")
        self.assertEqual((reply.body.decode(), reply.headers["x"]), (text, text))

    def test_files_have_the_type_of_their_name(self) -> None:
        for path, kind in [
            ("order.json", "application/json"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.png", "image/png"),
            ("a.tar.gz", "application/octet-stream"),
            ("a", "application/octet-stream"),
        ]:
            self.rules({"match": {"path": "/a"}, "body_file": path})
            reply = self.ask("/a")
            self.assertEqual(reply.headers["content-type"], kind, path)
            self.assertEqual(reply.body, b'{"id": "{id}"}')

    def test_numbers_and_lists(self) -> None:
        self.rules(
            {
                "match": {"path": "/a"},
                "status": [201, 503],
                "header": ["A: 1", "A: 2", "B: 3"],
                "body": 1.5,
                "steps": [{"status": 404, "body": ["a", 1]}, {}],
            }
        )
        self.assertEqual(self.ask("/a").body, b"a,1")
        replies = [self.ask("/a") for _ in range(20)]
        self.assertEqual({reply.status for reply in replies}, {201, 503})
        self.assertEqual(replies[0].body, b"1.5")
        self.assertEqual(replies[0].headers["b"], "3")

    def test_over_a_route(self) -> None:
        self.rules({"match": {"path": "/get"}, "status": 418, "header": "X-A: b"})
        reply = self.ask("/get?a=1")
        self.assertEqual((reply.status, reply.headers["x-a"]), (418, "b"))
        self.assertEqual(reply.json()["args"], {"a": "1"})

    def test_a_path_without_a_body_is_empty(self) -> None:
        self.rules({"match": {"path": "/payments/**"}})
        reply = self.ask("/payments/1", method="POST")
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(reply.headers["content-length"], "0")

    def test_a_body_takes_the_place_of_the_route(self) -> None:
        self.rules({"match": {"path": "/{x}/abc"}, "json": {"a": "{x}"}, "status": 201})
        reply = self.ask("/status/abc")
        self.assertEqual((reply.status, reply.json()), (201, {"a": "status"}))
        self.assertEqual(reply.headers["content-type"], "application/json")

    def test_without_a_path_it_makes_no_route(self) -> None:
        self.rules({"delay": "2s", "header": "X-A: b"})
        visit = self.visit("/nope")
        self.assertEqual(visit.received, b"")
        self.clock.advance(2)
        self.assertEqual(visit.reply().status, 404)
        self.assertEqual(visit.reply().headers["x-a"], "b")

    def test_the_first_decides(self) -> None:
        self.rules(
            {"match": {"path": "/a/{x}"}, "body": "first"},
            {"match": {"path": "/a/1"}, "body": "second"},
            {"match": {"path": "/**"}, "body": "rest"},
        )
        for path, body in [("/a/1", b"first"), ("/a/1/2", b"rest"), ("/get", b"rest")]:
            self.assertEqual(self.ask(path).body, body, path)
        self.rules(
            {"match": {"path": "/a/1"}, "body": "second"},
            {"match": {"path": "/a/{x}"}, "body": "first"},
        )
        self.assertEqual(self.ask("/a/1").body, b"second")
        self.assertEqual(self.ask("/a/2").body, b"first")

    def test_conditions(self) -> None:
        cases: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
            ({"method": "GET"}, [("GET", "/a", ())], [("POST", "/a", ())]),
            ({"method": "GET"}, [("HEAD", "/a", ())], [("PUT", "/a", ())]),
            ({"method": ["PUT", "POST"]}, [("PUT", "/a", ())], [("GET", "/a", ())]),
            (
                {"query": {"page": "1"}},
                [("GET", "/a?page=1", ()), ("GET", "/a?page=2&page=1&x", ())],
                [
                    ("GET", "/a", ()),
                    ("GET", "/a?page=11", ()),
                    ("GET", "/a?Page=1", ()),
                ],
            ),
            (
                {"query": {"Page": 1.5}},
                [("GET", "/a?Page=1.5", ())],
                [("GET", "/a?page=1.5", ())],
            ),
            (
                {"query": {"page": True, "debug": False}},
                [("GET", "/a?page", ())],
                [("GET", "/a", ()), ("GET", "/a?page=&debug=", ())],
            ),
            (
                {"header": {"Accept": "*json*"}},
                [("GET", "/a", ("accept: text/html, application/json",))],
                [("GET", "/a", ()), ("GET", "/a", ("Accept: text/html",))],
            ),
            (
                {"target": "/a?x=%31"},
                [("GET", "/a?x=%31", ())],
                [("GET", "/a?x=1", ()), ("GET", "/a", ())],
            ),
        ]
        for match, yes, no in cases:
            path = {} if "target" in match else {"path": "/a"}
            self.rules({"match": {**path, **match}, "body": "x"})
            for method, target, headers in yes:
                reply = self.ask(target, *headers, method=method)
                self.assertEqual(reply.status, 200, (match, method, target))
            for method, target, headers in no:
                reply = self.ask(target, *headers, method=method)
                self.assertEqual(reply.status, 404, (match, method, target))

    def test_operators_paths_take_none(self) -> None:
        self.rules({"match": {"path": "/**"}, "body": "x"}, {"delay": "9s"})
        self.assertEqual(self.ask("/healthz").json(), {"status": "ok"})
        self.assertEqual(self.ask("/__admin/nope").status, 404)
        self.assertEqual(self.ask("/a").body, b"x")

    def test_switched_off(self) -> None:
        self.rules({"match": {"path": "/a"}, "body": "x", "enabled": False})
        self.assertEqual(self.ask("/a").status, 404)

    def test_the_same_request_before_and_after(self) -> None:
        for _ in range(3):
            self.assertEqual(self.ask("/get").status, 200)
        self.rules({"match": {"path": "/get"}, "status": 503})
        for _ in range(3):
            self.assertEqual(self.ask("/get").status, 503)
        self.rules()
        for _ in range(3):
            self.assertEqual(self.ask("/get").status, 200)

    def test_too_many_parameters(self) -> None:
        self.rules({"match": {"path": "/a", "query": {"x": "1"}}, "strict": True})
        self.assertEqual(self.ask("/a?" + "&".join(["a"] * 1001)).status, 400)


class OwnControlsTests(RulesCase):
    def test_they_go_over_the_rule(self) -> None:
        rule = {"match": {"path": "/a"}, "delay": "9s", "status": 503, "body": "x"}
        self.rules(rule)
        reply = self.ask("/a?_delay=0&_status=404&_body=mine")
        self.assertEqual((reply.status, reply.body), (404, b"mine"))
        self.rules({**rule, "strict": True})
        visit = self.visit("/a?_delay=0&_unknown=1")
        self.assertEqual(visit.received, b"")
        self.clock.advance(9)
        self.assertEqual((visit.reply().status, visit.reply().body), (503, b"x"))

    def test_they_go_over_its_steps(self) -> None:
        self.rules({"match": {"path": "/a"}, "seq": "503,502", "key": "k"})
        self.assertEqual(self.ask("/a?_status=404").status, 404)
        self.assertEqual(self.ask("/a").status, 502)
        for status in (401, 402):
            self.assertEqual(self.ask("/a?_seq=401,402&_key=own").status, status)

    def test_their_text_is_no_template(self) -> None:
        self.rules({"match": {"path": "/{x}"}, "header": "X-A: {x}"})
        reply = self.ask("/a?_body={x}&_header=X-B:{x}")
        self.assertEqual(reply.body, b"{x}")
        self.assertEqual((reply.headers["x-a"], reply.headers["x-b"]), ("a", "{x}"))


class StepsTests(RulesCase):
    def test_by_request_of_a_key(self) -> None:
        steps = [{"fault": "reset"}, {"status": 503, "delay": "2s"}, {}]
        self.rules({"match": {"path": "/pay/*"}, "steps": steps, "status": 201})
        for target in ("/pay/1", "/pay/2"):
            self.assertTrue(self.visit(target).is_aborted)
            visit = self.visit(target)
            self.clock.advance(2)
            self.assertEqual(visit.reply().status, 503)
            self.assertEqual(self.statuses(target, 3), [201, 201, 201])

    def test_one_key_for_all(self) -> None:
        steps = [{"status": 500}, {"status": 501}, {"status": 502}]
        self.rules({"match": {"path": "/pay/{who}"}, "steps": steps, "key": "pay"})
        self.assertEqual([self.ask(f"/pay/{n}").status for n in "123"], [500, 501, 502])
        self.rules({"match": {"path": "/pay/{who}/*"}, "steps": steps, "key": "{who}"})
        for who in ("a", "b"):
            for n, status in [("1", 500), ("2", 501)]:
                self.assertEqual(self.ask(f"/pay/{who}/{n}").status, status)

    def test_a_control_with_faults(self) -> None:
        target = "/get?_seq=503,reset,stall,200&_key=a"
        self.assertEqual(self.ask(target).status, 503)
        self.assertTrue(self.visit(target).is_aborted)
        stalled = self.visit(target)
        self.assertEqual((stalled.received, stalled.is_closed), (b"", False))
        self.assertEqual(self.statuses(target, 2), [200, 200])

    def test_bodies(self) -> None:
        steps = [{"body": "a"}, {"json": [1]}, {"body_file": "order.json"}, {"size": 3}]
        self.rules({"match": {"path": "/a"}, "steps": steps})
        replies = [self.ask("/a") for _ in steps]
        self.assertEqual(
            [(reply.body, reply.headers.get("content-type")) for reply in replies],
            [
                (b"a", "text/plain; charset=utf-8"),
                (b"[1]", "application/json"),
                (b'{"id": "{id}"}', "application/json"),
                (b"***", None),
            ],
        )

    def test_a_condition_does_not_hide_the_body_of_a_step(self) -> None:
        self.rules({"steps": [{}, {"body": "new"}]})
        for expected in ((206, b"ab"), (200, b"new")):
            reply = self.ask("/range/9", "Range: bytes=0-1")
            self.assertEqual((reply.status, reply.body), expected)


TWICE_DOWN = {"name": "a", "match": {"path": "/a"}, "seq": "503,502,200"}


class BeginningAnewTests(RulesCase):
    """Steps begin with the rule, and not with the key."""

    def test_what_came_before_the_rule_does_not_count(self) -> None:
        self.statuses("/a", 2)
        self.statuses("/a?_seq=201,202", 2)
        self.rules(TWICE_DOWN)
        self.assertEqual(self.statuses("/a", 2), [503, 502])

    def test_a_rule_that_is_removed_or_set_again(self) -> None:
        rules = self.server.rules
        (rule,) = rules.parse(TWICE_DOWN)
        for _ in range(2):
            rules.add(rule)
            self.assertEqual(self.statuses("/a", 2), [503, 502])
            rules.put(rule)
            self.assertEqual(self.statuses("/a", 2), [503, 502])
            rules.switch("a", False)
            rules.switch("a", True)
            self.assertEqual(self.statuses("/a", 1), [200])
            rules.remove("a")
        rules.add(rule)
        self.assertEqual(self.statuses("/a", 1), [503])
        rules.replace_all([rule])
        self.assertEqual(self.statuses("/a", 1), [503])

    def test_a_rule_whose_time_was_over(self) -> None:
        for _ in range(2):
            self.server.rules.add(*self.server.rules.parse({**TWICE_DOWN, "for": 9}))
            self.assertEqual(self.statuses("/a", 2), [503, 502])
            self.clock.advance(9)
            self.assertEqual(self.statuses("/a", 1), [404])

    def test_of_a_file_that_is_read_again_only_what_has_changed(self) -> None:
        rules = self.server.rules
        other = {"name": "b", "match": {"path": "/b"}, "seq": "401,402,403"}
        rules.set_origin(Origin.FILE, rules.parse({"rule": [TWICE_DOWN, other]}))
        self.statuses("/a", 1)
        self.statuses("/b", 1)
        changed = {**other, "seq": "501,502"}
        rules.set_origin(Origin.FILE, rules.parse({"rule": [changed, TWICE_DOWN]}))
        self.assertEqual(self.statuses("/a", 1), [502])
        self.assertEqual(self.statuses("/b", 1), [501])

    def test_two_rules_of_one_key_count_each_for_itself(self) -> None:
        other = {"name": "b", "match": {"path": "/b"}, "seq": "401,402", "key": "k"}
        self.rules({**TWICE_DOWN, "key": "k"}, other)
        self.statuses("/a", 2)
        self.assertEqual(self.statuses("/b", 1), [401])


class TimeTests(RulesCase):
    def test_during(self) -> None:
        phases = [{"from": "5s", "until": 20, "status": 503}, {"from": "1m", "size": 1}]
        self.rules({"match": {"path": "/a"}, "during": phases, "status": 201})
        for wait, expected in [
            (0, (201, 0)),
            (4.9, (201, 0)),
            (0.1, (503, 0)),
            (14.9, (503, 0)),
            (0.1, (201, 0)),
            (40, (201, 1)),
        ]:
            self.clock.advance(wait)
            reply = self.ask("/a")
            self.assertEqual((reply.status, len(reply.body)), expected)
        self.assertEqual(self.ask("/__admin/reset", method="POST").status, 200)
        self.assertEqual(len(self.ask("/a").body), 0)

    def test_an_outage_goes_over_steps(self) -> None:
        outage = {"until": "5s", "status": 503}
        self.rules({"match": {"path": "/a"}, "seq": "201,202", "during": [outage]})
        self.assertEqual(self.ask("/a").status, 503)
        self.clock.advance(5)
        self.assertEqual(self.ask("/a").status, 202)

    def test_it_expires_by_itself(self) -> None:
        self.rules({"name": "x", "match": {"path": "/a"}, "for": "30s"})
        self.clock.advance(29)
        self.assertEqual(self.ask("/a").status, 200)
        self.assertEqual(self.ask("/__admin/rules/x").json()["expires_in"], 1.0)
        self.clock.advance(1)
        self.assertEqual(self.ask("/a").status, 404)
        self.assertEqual(self.ask("/__admin/rules").json()["rules"], [])


class TemplateTests(RulesCase):
    def test_values(self) -> None:
        body = "{id} {query.x} {query.none}|{header.X-A} {n} {nope} {{id}} {"
        self.rules({"match": {"path": "/a/{id}"}, "body": body, "key": "k"})
        for n in range(3):
            reply = self.ask("/a/1?x=%C3%A4&x=2", "X-a: b")
            self.assertEqual(reply.body.decode(), f"1 ä |b {n} {{nope}} {{1}} {{")

    def test_the_time(self) -> None:
        self.rules({"match": {"path": "/a"}, "body": "{now}"})
        self.assertRegex(self.ask("/a").body.decode(), r"^\d{4}-\d\d-\d\dT[\d:.]{12}Z$")

    def test_in_json(self) -> None:
        self.rules({"match": {"path": "/a"}, "json": {"x": "{query.x}", "n": [1]}})
        text = '"},\n{"\\ü'
        reply = self.ask("/a?x=" + quote(text))
        self.assertEqual(reply.json(), {"x": text, "n": [1]})

    def test_a_header_with_two_values(self) -> None:
        self.rules({"match": {"path": "/a"}, "header": {"X-A": ["b", 2], "X-C": "d"}})
        received = self.visit("/a").received
        self.assertIn(b"X-A: b\r\nX-A: 2\r\nX-C: d\r\n", received)

    def test_no_line_end_gets_into_a_header(self) -> None:
        self.rules({"match": {"path": "/a/{x}"}, "header": {"X-A": "<{x}>"}})
        reply = self.ask("/a/1%0d%0aX-Evil:%201%00%c3%a4")
        self.assertEqual(reply.headers["x-a"], "<1%0D%0AX-Evil: 1%00%C3%A4>")
        self.assertNotIn("x-evil", reply.headers)

    def test_a_secret_key(self) -> None:
        names = ("authorization", "Cookie", "Proxy-Authorization")
        key = "".join(f"{{header.{name}}}" for name in names)
        self.rules({"match": {"path": "/a"}, "seq": "500,501", "key": f"{key}/{{n}}"})
        for secret in ("one", "two"):
            headers = [f"{name}: {secret}" for name in names]
            for status in (500, 501):
                self.assertEqual(self.ask("/a", *headers).status, status)
        shown = self.ask("/__admin/requests").body
        self.assertNotIn(b"one", shown)
        self.assertNotIn(b"two", shown)
        self.assertIn(b"/{n}", shown)

    def test_a_long_key(self) -> None:
        self.rules({"match": {"path": "/{x}"}, "key": "{x}", "seq": "500,501"})
        for end in "ab":
            self.assertEqual(self.statuses("/" + quote("ü" * 300) + end, 2), [500, 501])


class AdminTests(RulesCase):
    def test_by_http(self) -> None:
        rule = {"name": "slow one", "match": {"path": "/a"}, "status": 201}
        added = self.ask("/__admin/rules", method="POST", body=rule)
        self.assertEqual(added.status, 201)
        self.assertEqual(self.ask("/a").status, 201)
        (listed,) = self.ask("/__admin/rules").json()["rules"]
        expected = {
            "name": "slow one",
            "rule": rule,
            "origin": "admin",
            "requests": 1,
            "expires_in": None,
        }
        self.assertEqual(listed, expected)
        one = "/__admin/rules/slow%20one"
        self.assertEqual(self.ask(one).json(), expected)
        taken = self.ask("/__admin/rules", method="POST", body=rule)
        self.assertEqual((taken.status, taken.json()["value"]), (409, "slow one"))
        off = {**listed["rule"], "enabled": False}
        self.assertEqual(self.ask(one, method="PUT", body=off).status, 200)
        self.assertEqual(self.ask("/a").status, 404)
        self.assertEqual(self.ask(one, method="DELETE").json()["rule"], off)
        for method in ("GET", "DELETE"):
            self.assertEqual(self.ask(one, method=method).status, 404)
        self.assertEqual(self.ask(one, method="PUT", body={}).status, 201)
        self.ask("/__admin/rules", method="DELETE")
        self.assertEqual(self.ask("/__admin/rules").json()["rules"], [])

    def test_a_switch(self) -> None:
        self.rules(
            {"name": "a", "match": {"path": "/a"}, "status": 201, "for": "30s"},
            {"name": "b", "match": {"path": "/a"}, "status": 202},
        )
        self.clock.advance(10)
        for is_enabled, status in [(False, 202), (False, 202), (True, 201)]:
            body = {"enabled": is_enabled}
            told = self.ask("/__admin/rules/a", method="PATCH", body=body).json()
            self.assertEqual(told["rule"]["enabled"], is_enabled)
            self.assertEqual(told["expires_in"], 20)
            self.assertEqual(self.ask("/a").status, status)
        listed = self.ask("/__admin/rules").json()["rules"]
        self.assertEqual([rule["name"] for rule in listed], ["a", "b"])
        self.clock.advance(20)
        for name in ("a", "c"):
            one = f"/__admin/rules/{name}"
            reply = self.ask(one, method="PATCH", body={"enabled": True})
            self.assertEqual(reply.status, 404)
        for other in ({}, {"enabled": 1}, {"enabled": True, "delay": 1}, [True]):
            reply = self.ask("/__admin/rules/b", method="PATCH", body=other)
            self.assertEqual(reply.status, 400, other)
            self.assertIn('{"enabled": true}', reply.json()["expected"])

    def test_the_newest_is_the_first(self) -> None:
        for body in ("old", "new"):
            rule = {"match": {"path": "/a"}, "name": body, "body": body}
            self.ask("/__admin/rules", method="POST", body=rule)
        self.assertEqual(self.ask("/a").body, b"new")
        both = {"rule": [{"body": "1st", "match": {"path": "/a"}}, {"name": "2nd"}]}
        self.ask("/__admin/rules", method="PUT", body=both)
        names = [rule["name"] for rule in self.ask("/__admin/rules").json()["rules"]]
        self.assertEqual(names, ["rule 1", "2nd"])
        self.assertEqual(self.ask("/a").body, b"1st")

    def test_without_a_name(self) -> None:
        self.rules({}, {"name": "rule 3"})
        cases: list[tuple[dict[str, Any], list[str]]] = [
            ({}, ["rule 2"]),
            ({"rule": [{}, {"name": "a"}, {}]}, ["rule 4", "a", "rule 6"]),
            ({"rule": [{}] * 2}, ["rule 5", "rule 7"]),
        ]
        for rule, expected in cases:
            added = self.ask("/__admin/rules", method="POST", body=rule)
            names = [each["name"] for each in added.json()["rules"]]
            self.assertEqual(names, expected)

    def test_the_state_of_the_file(self) -> None:
        self.assertIsNone(self.ask("/__admin/rules").json()["file"])
        for error in (None, UnreadableRule("a", "delay", "x", "seconds", number=1)):
            self.server.rules.file = FileState("a.toml", error)
            told = self.ask("/__admin/rules").json()["file"]
            self.assertEqual(told["path"], "a.toml")
            self.assertEqual(told["error"], error and error.as_json())

    def test_the_journal(self) -> None:
        self.rules({"name": "a", "match": {"path": "/a"}, "fault": "stall"})
        self.visit("/a")
        self.ask("/get")
        entries = self.ask("/__admin/requests").json()["requests"]
        self.assertEqual([entry["rule"] for entry in entries], ["a", None])
        (entry,) = self.ask("/__admin/requests?rule=a").json()["requests"]
        self.assertEqual(entry["target"], "/a")
        self.assertEqual(self.ask("/__admin/rules/a").json()["requests"], 1)
        self.ask("/__admin/reset", method="POST")
        self.assertEqual(self.ask("/__admin/rules/a").json()["requests"], 0)

    def test_refused(self) -> None:
        for body, control, words in [
            ({"delay": "abc"}, "delay", "seconds such as"),
            ({"delay": 301}, "delay", "at most 300"),
            ({"dealy": "1s"}, "dealy", "delay, or another"),
            ({"_delay": "1s"}, "_delay", "delay, or another"),
            ({"match": {"paht": "/"}}, "match.paht", "path, or another"),
            ({"match": {"path": "/a/{"}}, "match.path", "a } for each {"),
            ({"match": {"path": "/__admin/x"}}, "match.path", "not for operators"),
            ({"match": {"path": "/%68ealthz"}}, "match.path", "not for operators"),
            ({"match": {"path": "/a", "target": "/a"}}, "match.target", "either"),
            ({"match": {"target": "a"}}, "match.target", "a path and a query"),
            ({"match": {"method": 1}}, "match.method", "such as GET"),
            ({"match": {"method": []}}, "match.method", "such as GET"),
            ({"match": {"method": ["GET", "A B"]}}, "match.method", "such as GET"),
            ({"match": {"path": 1}}, "match.path", "a path such as"),
            ({"match": {"target": 1}}, "match.target", "a path and a query"),
            ({"match": {"query": []}}, "match.query", "a table"),
            (
                {"match": {"query": dict.fromkeys("a" * n for n in range(33))}},
                "match.query",
                "of at most 32",
            ),
            ({"match": {"query": {"a": "b" * 1025}}}, "match.query.a", "a text"),
            ({"match": {"query": {"a": ["b"]}}}, "match.query.a", "a text"),
            ({"match": {"header": {"a b": "x"}}}, "match.header.a b", "the name"),
            ({"match": []}, "match", "a table"),
            ([], "rule", "a table"),
            ({"name": ""}, "name", "1 to 100"),
            ({"name": "a\nb"}, "name", "printable"),
            ({"name": ".."}, "name", "not . or .."),
            ({"rule": 1}, "rule", "a list"),
            ({"rule": [{"name": "a"}, {"name": "a"}]}, "name", "no other"),
            ({"steps": {}}, "steps", "a list"),
            ({"steps": [{"key": "a"}]}, "steps[1].key", "one of delay"),
            ({"steps": [{}, {"status": "x"}]}, "steps[2].status", "a status"),
            ({"steps": [], "seq": "200"}, "steps", "either"),
            ({"during": [{"from": "5s", "until": "5s"}]}, "during[1].until", "after"),
            ({"during": [{}, {"from": "x"}]}, "during[2].from", "seconds"),
            ({"during": [{}, {"from": 1}]}, "during[2].from", "controls in the same"),
            (
                {"status": 503, "during": [{"until": 2, "from": 1}]},
                "during[1].from",
                "controls in the same",
            ),
            ({"body_base64": "/wB"}, "body_base64", "bytes in base64"),
            ({"body_base64": 1}, "body_base64", "bytes in base64"),
            ({"body_base64": "AA==", "size": 1}, "body_base64", "one of body"),
            ({"body": "ab", "body_size": 1}, "body_size", "its body, 2, or more"),
            ({"body": "ab", "body_size": "x"}, "body_size", "a whole number"),
            ({"body": "ab", "body_size": [1]}, "body_size", "a whole number"),
            ({"body": "{n}", "body_size": 9}, "body_size", "without placeholders"),
            ({"size": 1, "body_size": 9}, "body_size", "a body beside it"),
            ({"steps": [{"body_size": 9}]}, "steps[1].body_size", "a body beside it"),
            ({"literal": 1}, "literal", "true or false"),
            ({"for": "x"}, "for", "seconds"),
            ({"for": "0s"}, "for", "more than 0"),
            ({"key": float("nan")}, "key", "a finite number"),
            ({"json": [10**400]}, "json", "a finite number"),
            ({"match": {"query": {"a": float("inf")}}}, "match", "a finite number"),
            ({"body": "\ud800{n}"}, "body", "half of a pair"),
            ({"\ud800": 1}, r"\ud800", "half of a pair"),
            ({"json": _nested(64)}, "json", "at most 64"),
            ({"match": {"query": {"\x1b": 1.5, "\x9b": []}}}, r"match.query.\x9b", ""),
            ({"strict": 1}, "strict", "true or false"),
            ({"body": "a", "size": 1}, "body", "one of size, body and json"),
            ({"body": "a", "body_file": "order.json"}, "body_file", "one of"),
            ({"body_file": "/etc/passwd"}, "body_file", "in the rules' folder"),
            ({"body_file": 1}, "body_file", "the path of a file"),
            ({"body_file": "a\0"}, "body_file", "the path of a file"),
            ({"name": "a" * 101}, "name", "1 to 100"),
            ({"during": [{}] * 101}, "during", "at most 100"),
            ({"for": True}, "for", "seconds"),
            ({"_DELAY": 1}, "_DELAY", "delay, or another"),
            ({"body": ["a", {}]}, "body", "a text or a number"),
            ({"status": True}, "status", "a text or a number"),
            ({"header": "A: b\r\nC: d"}, "header", "without CR, LF"),
            ({"header": {"A": True}}, "header", "a text or a number"),
            ({"header": {"A": {"B": "c"}}}, "header", "a text or a number"),
        ]:
            reply = self.ask("/__admin/rules", method="POST", body=body)
            self.assertEqual(reply.status, 400, body)
            told = reply.json()
            self.assertEqual(told["control"], control, (body, told))
            self.assertIn(words, told["expected"], body)
        self.assertEqual(self.ask("/__admin/rules").json()["rules"], [])
        visit = self.visit("/__admin/rules", "Content-Length: 1", method="PUT")
        visit.send(b"{")
        self.assertEqual(visit.reply().json()["error"], "not JSON")

    def test_just_about_taken(self) -> None:
        query = {"a" * n: "b" * 1024 for n in range(32)}
        rules: list[dict[str, Any]] = [
            {"json": _nested(63)},
            {"for": "0.0001ms"},
            {"json": 10**300},
            {"during": [{}] * 100},
            {"match": {"query": query, "path": "/" + "a" * 1023}},
        ]
        for rule in rules:
            added = self.ask("/__admin/rules", method="POST", body=rule)
            self.assertEqual(added.status, 201, added.body)
            self.assertEqual(added.json()["rules"][0]["rule"]["name"], "rule 1")
            self.clock.advance(1)
            self.ask("/__admin/rules", method="DELETE")

    def test_a_name_as_in_the_path(self) -> None:
        reply = self.ask("/__admin/rules/a", method="PUT", body={"name": "b"})
        self.assertEqual((reply.status, reply.json()["control"]), (400, "name"))

    def test_strangers_change_nothing(self) -> None:
        for headers in (["Origin: http://evil.test"], ["X-Forwarded-For: 1.1.1.1"]):
            for method in ("GET", "POST", "DELETE"):
                reply = self.ask("/__admin/rules", *headers, method=method)
                self.assertIn(reply.status, (401, 403))

    def test_warnings(self) -> None:
        self.rules(
            {"name": "all", "match": {"path": "/a/**"}},
            {
                "name": "one",
                "match": {"path": "/a/{x}", "method": "GET"},
                "body": "{y}",
            },
            {"name": "soon", "match": {"path": "/b"}, "for": "9s"},
            {"name": "never", "match": {"path": "/b"}, "enabled": False},
            {"name": "then", "match": {"path": "/b"}},
        )
        warnings = self.ask("/__admin/rules").json()["warnings"]
        self.assertEqual(len(warnings), 2)
        self.assertIn("'one': body has {y}", warnings[0])
        self.assertIn("expected one of x, now, n, query.NAME", warnings[0])
        self.assertIn("'one' can never act: rule 'all'", warnings[1])

    def test_a_name_of_two_origins(self) -> None:
        rules = self.server.rules
        for origin in (Origin.FILE, Origin.HAR):
            rules.set_origin(origin, rules.parse({"name": "a", "match": {"path": "/"}}))
        first, second = self.ask("/__admin/rules").json()["warnings"]
        self.assertIn("2 rules are called 'a'", first)
        self.assertIn("can never act", second)

    def test_an_escape_in_a_pattern(self) -> None:
        self.rules({"match": {"path": "/a%20b/{x}%2"}}, {"match": {"target": "/%20"}})
        (warning,) = self.ask("/__admin/rules").json()["warnings"]
        self.assertIn("has %20, but paths are compared without escapes", warning)
        self.assertIn("expected ' '", warning)

    def test_what_other_languages_have_in_a_path(self) -> None:
        for path, foreign in {
            "/orders/.*": ".*",
            "/orders/.+/x": ".+",
            r"/orders/\d+": r"\d",
            "/orders/[0-9]+": "[",
            "/(orders|stock)": "|",
            "/orders/1$": "$",
            "/orders/:id": ":id",
            "/orders/<int:id>": "<",
            "/orders#1": "#",
        }.items():
            self.rules({"match": {"path": path}})
            (warning,) = self.ask("/__admin/rules").json()["warnings"]
            self.assertIn(f"match.path has {foreign}, which stands for its", warning)
        for path in ("/report.*", "/$count", "/a:b", "/(1)", "/.well-known/*"):
            self.rules({"match": {"path": path}})
            self.assertEqual(self.ask("/__admin/rules").json()["warnings"], [])

    def test_methods_that_no_client_sends(self) -> None:
        for method in ("get", "*", "GET|POST", ["POST", "Get"]):
            self.rules({"match": {"method": method}})
            (warning,) = self.ask("/__admin/rules").json()["warnings"]
            self.assertIn("which is compared as it is: expected a method", warning)
        self.rules({"match": {"method": ["GET", "M-SEARCH"]}})
        self.assertEqual(self.ask("/__admin/rules").json()["warnings"], [])

    def test_placeholders_of_no_part_of_the_request(self) -> None:
        for text in ("{headers.X}", "{body.id}", "{header.X} {query.a} {path.id}"):
            self.rules({"json": {"a": text}})
            (warning,) = self.ask("/__admin/rules").json()["warnings"]
            self.assertIn("which stays as it is: expected one of now, n, qu", warning)

    def test_no_number_in_a_key(self) -> None:
        self.rules({"match": {"path": "/a"}, "key": "{n}{now}", "body": "{n}"})
        (warning,) = self.ask("/__admin/rules").json()["warnings"]
        self.assertIn("key has {n}, which stays as it is: expected one of now", warning)
        self.assertEqual(self.ask("/a").body, b"0")

    def test_too_many(self) -> None:
        alike = "1000 rules such as 'rule 1001', which only wildcards tell apart"
        for count, path, query, words in [
            (10_001, "/{}", "1", "at most 10000 rules"),
            (1001, "/a/*{}", "1", alike),
            (1001, "/**/*{}", "1", alike),
            (1001, "/a", "*{}", alike),
        ]:
            rules = [
                {"match": {"path": path.format(n), "query": {"x": query.format(n)}}}
                for n in range(count)
            ]
            parsed = self.server.rules.parse({"rule": rules})
            with self.assertRaises(ValueError) as caught:
                self.server.rules.replace_all(parsed)
            self.assertIn(words, str(caught.exception))


class EveryChannelTests(RulesCase):
    def test_rules_act_alike(self) -> None:
        for channel in CHANNELS:
            self.serve(channel)
            self.rules({"match": {"path": "/a"}, "json": [1], "seq": "200,503"})
            reply = self.ask("/a")
            self.assertEqual((reply.status, reply.json()), (200, [1]), channel)
            self.assertEqual(self.ask("/a").status, 503, channel)
