"""What holds for any rules, and for any order of changes to them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from nbtwisted.memo import Memo
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.rules.in_force import Origin
from tests import examples
from tests.guard import ClockCase
from tests.server.every_channel import CHANNELS
from tests.server.in_memory import Reply, Visit, site_of

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\ud800", "{x}", "{query.a}", "{n}", 10**400]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.just("from"), inner, max_size=3)
    ),
    max_leaves=6,
)


def mostly(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.sampled_from(values) | ANYTHING


PART: dict[str, st.SearchStrategy[Any]] = {
    "delay": mostly(0, "10ms", "uniform(0,1)", "1e9"),
    "status": mostly(503, "200:1,500:1", 204, 304, "599"),
    "drip": mostly("1s/3"),
    "rate": mostly("10kB"),
    "size": mostly(3, "7"),
    "header": mostly("X-A: {query.a}", ["X-A: b", "X-B: ü"], {"X-A": "{x}\r\n"}),
    "fault": mostly("reset", "empty:0.5", "garbage"),
    "body": mostly("x", "{n} {x} {query.a} {now"),
    "json": mostly({"a": "{x}"}, [1], "{header.Host}"),
    "body_file": mostly("none", "/etc/passwd"),
    "body_base64": mostly("AA==", "?"),
    "body_size": mostly(3, "1"),
    "idle": mostly("1s"),
}
MATCH = st.fixed_dictionaries(
    {},
    optional={
        "method": mostly("GET", ["GET", "PUT"]),
        "path": mostly("/get", "/{x}", "/a/**", "/**/{x}", "/healthz", "/%61"),
        "target": mostly("/get?a=1"),
        "query": mostly({"a": "1"}, {"a": True}, {"b": False}),
        "header": mostly({"Host": "*"}, {"X": False}),
    },
)
RULE = st.fixed_dictionaries(
    {},
    optional={
        **PART,
        "name": mostly("a", "a/b", "ü", ""),
        "match": MATCH | ANYTHING,
        "seq": mostly("503,reset,200"),
        "limit": mostly("2/1s"),
        "key": mostly("k", "{x}", "{header.Host}"),
        "read": mostly("10kB"),
        "steps": st.lists(st.fixed_dictionaries({}, optional=PART), max_size=2)
        | ANYTHING,
        "during": st.lists(
            st.fixed_dictionaries(
                {}, optional={**PART, "from": mostly(0, "1s"), "until": mostly("2s")}
            ),
            max_size=2,
        )
        | ANYTHING,
        "for": mostly("1s", 0, 30),
        "strict": mostly(True, False),
        "literal": mostly(True, False),
        "enabled": mostly(True, False),
    },
)


class Client:
    """Asks a server whose time is a clock of its own."""

    def __init__(self, channel: str = "ours", seed: int = 7) -> None:
        self.clock = Clock()
        self.server = DelayServer(clock=self.clock, now=self.clock.seconds, seed=seed)
        self.site = site_of(self.server, self.clock, channel)

    def ask(self, target: str, method: str = "GET", body: bytes = b"") -> Reply:
        visit = self.begin(target, method, body)
        reply = visit.reply(method)
        visit.leave()
        return reply

    def begin(self, target: str, method: str = "GET", body: bytes = b"") -> Visit:
        visit = Visit(self.clock, site=self.site, peer="127.0.0.1")
        visit.get(target, f"Content-Length: {len(body)}", method=method)
        visit.send(body)
        return visit

    def listed(self) -> list[Any]:
        rules: list[Any] = self.ask("/__admin/rules").json()["rules"]
        return rules

    def names(self) -> list[str]:
        return [each["name"] for each in self.listed()]


def strictly(body: bytes) -> Any:
    """What is in JSON that has no NaN in it."""
    return json.loads(body, parse_constant=lambda text: 1 // 0)


class AnyJsonTests(ClockCase):
    @settings(max_examples=examples(200))
    @given(RULE | st.fixed_dictionaries({"rule": st.lists(RULE)}) | ANYTHING)
    @example({"key": float("nan")})
    @example({"match": {"query": {"a": float("inf")}}})
    @example({"key": "\ud800{x}"})
    @example({"for": 0})
    def test_a_rule_or_an_error_that_says_what_was_expected(self, rule: Any) -> None:
        client = Client()
        reply = client.ask("/__admin/rules", "POST", json.dumps(rule).encode())
        told = strictly(reply.body)
        if reply.status == 400:
            self.assertTrue(told["expected"])
            self.assertTrue({"control", "rule", "value"} <= set(told))
            self.assertEqual(client.listed(), [])
            return
        self.assertEqual(reply.status, 201)
        listed = strictly(client.ask("/__admin/rules").body)
        self.assertEqual(listed["rules"], told["rules"])
        for target in ("/get?a=1", "/a/b", "/a%FF%0d%0a"):
            for _ in range(3):
                client.begin(target).leave()
            client.clock.advance(1)
        for each in told["rules"]:
            if each["expires_in"] is None:
                one = f"/__admin/rules/{quote(each['name'], safe='')}"
                given = json.dumps(each["rule"]).encode()
                before = client.listed()
                self.assertEqual(client.ask(one, "PUT", given).status, 200)
                self.assertEqual(client.listed(), before)

    @given(st.binary(max_size=40) | st.integers(900, 1000).map(lambda n: b"[" * n))
    def test_any_bytes(self, body: bytes) -> None:
        client = Client()
        for nested in (body, body + b"]" * body.count(b"["), b'{"json":%b}' % body):
            for method, target in (("POST", ""), ("PUT", ""), ("PUT", "/a")):
                reply = client.ask(f"/__admin/rules{target}", method, nested)
                if reply.status not in (200, 201):
                    self.assertEqual(reply.status, 400)
                    self.assertTrue(reply.json()["expected"])


NAMES = st.sampled_from("abcd")
CHANGES = st.one_of(
    st.tuples(st.just("add"), st.lists(NAMES, unique=True, max_size=3)),
    st.tuples(st.just("put"), NAMES),
    st.tuples(st.just("put for 2 s"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("replace all"), st.lists(NAMES, unique=True, max_size=3)),
    st.tuples(st.just("file"), st.lists(NAMES, unique=True, max_size=3)),
    st.tuples(st.just("wait"), st.just("")),
)


class AnyOrderTests(ClockCase):
    @settings(max_examples=examples(150))
    @given(st.lists(CHANGES, max_size=12))
    @example([("file", ["a"]), ("put for 2 s", "a"), ("wait", ""), ("wait", "")])
    def test_changes(self, changes: list[tuple[str, Any]]) -> None:
        client = Client()
        admin: list[tuple[str, float]] = []
        file: list[tuple[str, float]] = []
        never = float("inf")
        for change, given_names in changes:
            now = client.clock.seconds()
            admin = [each for each in admin if each[1] > now]
            file = [each for each in file if each[1] > now]
            taken = [name for name, _ in admin + file]
            rules = [{"name": name} for name in given_names]
            body = json.dumps({"rule": rules}).encode()
            if change == "add":
                reply = client.ask("/__admin/rules", "POST", body)
                is_new = not set(taken) & set(given_names)
                self.assertEqual(reply.status, 201 if is_new else 409)
                if is_new:
                    admin = [(name, never) for name in given_names] + admin
            elif change.startswith("put"):
                rule = {"for": 2} if change != "put" else {}
                reply = client.ask(
                    f"/__admin/rules/{given_names}", "PUT", json.dumps(rule).encode()
                )
                new = (given_names, now + 2 if rule else never)
                self.assertEqual(reply.status, 200 if given_names in taken else 201)
                for all_of in (admin, file):
                    names = [name for name, _ in all_of]
                    if given_names in names:
                        all_of[names.index(given_names)] = new
                        break
                else:
                    admin.insert(0, new)
            elif change == "delete":
                reply = client.ask(f"/__admin/rules/{given_names}", "DELETE")
                self.assertEqual(reply.status, 200 if given_names in taken else 404)
                for all_of in (admin, file):
                    names = [name for name, _ in all_of]
                    if given_names in names:
                        del all_of[names.index(given_names)]
                        break
            elif change == "replace all":
                client.ask("/__admin/rules", "PUT", body)
                admin, file = [(name, never) for name in given_names], []
            elif change == "file":
                parsed = client.server.rules.parse({"rule": rules})
                client.server.rules.set_origin(Origin.FILE, parsed)
                file = [(name, never) for name in given_names]
            else:
                client.clock.advance(1)
                now = client.clock.seconds()
                admin = [each for each in admin if each[1] > now]
                file = [each for each in file if each[1] > now]
            expected = [name for name, _ in admin + file]
            self.assertEqual(client.names(), expected)
            origins = ["admin"] * len(admin) + ["file"] * len(file)
            self.assertEqual([each["origin"] for each in client.listed()], origins)


KEYED = [
    {"match": {"path": "/a/{x}"}, "key": "{x}", "status": "200,500,503"},
    {"match": {"path": "/b/{x}"}, "key": "b{x}", "body": "{n}", "fault": "empty:0.5"},
    {"match": {"path": "/c/*"}, "steps": [{"status": "500,501"}, {"json": "{n}"}]},
]


class AnyInterleavingTests(ClockCase):
    @settings(max_examples=examples(50))
    @given(st.lists(st.sampled_from(["/a/1", "/a/2", "/b/1", "/c/1"])))
    def test_a_key_does_not_feel_the_others(self, targets: list[str]) -> None:
        def received(order: list[str]) -> dict[str, list[bytes]]:
            client = Client()
            body = json.dumps({"rule": KEYED}).encode()
            client.ask("/__admin/rules", "PUT", body)
            found = defaultdict(list)
            for target in order:
                visit = client.begin(target)
                found[target].append(re.sub(rb"Date: .*", b"", visit.received))
                visit.leave()
            return found

        self.assertEqual(received(targets), received(sorted(targets)))


LIVELY = [
    {"name": "a", "match": {"path": "/get"}, "status": "201"},
    {"name": "b", "match": {"query": {"a": "1"}}, "body": "{n} {query.a}"},
    {"name": "c", "during": [{"from": 1, "until": 2, "status": 503}], "strict": True},
    {"name": "d", "match": {"path": "/{x}"}, "json": "{x}", "for": "1500ms"},
    {"name": "e", "seq": "200,empty,404", "key": "e", "enabled": False},
    {"name": "e", "seq": "200,empty,404", "key": "e"},
    {"name": "f", "match": {"target": "/get?a=1"}, "limit": "2/1s"},
]
STEPS = st.lists(
    st.sampled_from(["/get", "/get?a=1", "/get?_delay=x", "/nowhere", "/get?_size=3"])
    | st.sampled_from(["/get", "/get?a=1"])
    | st.sampled_from(LIVELY)
    | st.sampled_from([0.5, 1.0])
    | st.just("reset")
    | st.sampled_from("abcdef"),
    max_size=25,
)
"""Requests, rules that come or change, seconds that pass, and rules that go."""


class AnyTimeTests(ClockCase):
    def received(self, steps: list[Any], channel: str) -> list[Any]:
        client = Client(channel)
        found: list[Any] = []
        for step in steps:
            if isinstance(step, float):
                client.clock.advance(step)
            elif isinstance(step, dict):
                one = f"/__admin/rules/{step['name']}"
                found.append(client.ask(one, "PUT", json.dumps(step).encode()).status)
            elif step == "reset":
                client.ask("/__admin/reset", "POST")
            elif step.startswith("/"):
                visit = client.begin(step)
                found.append(re.sub(rb"Date: [^\r]*", b"", visit.received))
                visit.leave()
            else:
                found.append(client.ask(f"/__admin/rules/{step}", "DELETE").status)
        journal = client.server.in_flight.journal
        by_rule = [entry.rule for entry in journal.entries()]
        return [*found, by_rule, dict(journal.totals.by_rule), client.listed()]

    @settings(max_examples=examples(150))
    @given(STEPS)
    @example(["/get", "/get", "/get", LIVELY[0], "/get", "/get", "a", "/get", "/get"])
    @example([LIVELY[3], "/get", "/get", "/get", 1.0, "/get", 0.5, "/get", "/get"])
    @example([LIVELY[2], 1.0, "/get", "/get", "/get", 1.0, "/get", "/get", "/get"])
    def test_memos_change_nothing(self, steps: list[Any]) -> None:
        self.patch(Memo, "is_on", True)
        expected = self.received(steps, "ours")
        self.patch(Memo, "is_on", False)
        self.assertEqual(self.received(steps, "ours"), expected)

    @settings(max_examples=examples(50))
    @given(STEPS)
    def test_channels_agree(self, steps: list[Any]) -> None:
        def split(received: list[Any]) -> list[Any]:
            """The lines of each response, in any order: channels have their own."""
            return [
                sorted(each.split(b"\r\n")) if isinstance(each, bytes) else each
                for each in received
            ]

        ours, twisted = (self.received(steps, channel) for channel in CHANNELS)
        self.assertEqual(split(ours), split(twisted))
