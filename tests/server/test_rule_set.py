"""Which rule is for a request: the index finds the one that a look at all finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from nbtwisted.server.model.control_text import STREAMED
from nbtwisted.server.model.headers import RequestHeaders
from nbtwisted.server.model.request import NO_ADDRESSES, Request
from nbtwisted.server.rules.in_force import Rules
from nbtwisted.server.rules.match import Match
from nbtwisted.server.rules.reading import Reading, no_file, parse_rules
from nbtwisted.server.rules.rule import Rule
from nbtwisted.server.rules.rule_set import MOST_COMPARED, RuleSet
from tests.guard import ClockCase

SEGMENTS = ["", "a", "b", "ab", "*", "a*", "*b", "{x}", "**"]
PATHS = (
    st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4)
    .filter(lambda segments: segments.count("{x}") < 2)
    .map("/".join)
)
CONDITIONS = st.dictionaries(
    st.sampled_from("pq"), st.sampled_from(["", "a", "b", "*", "a*", True, False])
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "path": PATHS.map("/{}".format),
        "method": st.sampled_from(["GET", "PUT"]),
        "query": CONDITIONS,
        "header": CONDITIONS,
    },
)
TARGETS = st.builds(
    "/{}?{}".format,
    st.lists(st.sampled_from(["", "a", "b", "ab", "aab"]), min_size=1, max_size=4).map(
        "/".join
    ),
    st.lists(st.sampled_from(["p=a", "q=b", "p=", "p=ab", "q"]), max_size=3).map(
        "&".join
    ),
)
REQUESTS = st.tuples(
    st.sampled_from([b"GET", b"PUT"]),
    TARGETS,
    st.lists(
        st.tuples(st.sampled_from([b"P", b"q"]), st.sampled_from([b"a", b"b", b"ab"])),
        max_size=2,
    ),
)
RULES = st.lists(
    st.one_of(MATCHES, TARGETS.map(lambda target: {"target": target})), max_size=8
)


def parsed(*matches: Mapping[str, Any], **fields: Any) -> list[Rule]:
    rules = [{"match": match, **fields} for match in matches]
    return parse_rules(rules, Reading(300.0, no_file))


def request(
    target: str, method: bytes = b"GET", headers: Any = (), version: bytes = b"HTTP/1.1"
) -> Request:
    lines = RequestHeaders(tuple(headers))
    return Request(method, target.encode(), version, lines, b"", NO_ADDRESSES)


def by_looking_at_all(rules: list[Rule], asked: Request) -> tuple[str, Any] | None:
    path = asked.path.decode()[1:].split("/")
    for rule in rules:
        match = rule.match
        if match.target not in (None, asked.target) or not match.holds(asked):
            continue
        captures = {} if match.path is None else match.path.match(path)
        if captures is not None:
            return rule.name, captures
    return None


class FindingTests(ClockCase):
    @given(RULES, REQUESTS)
    @example([{"path": "/**/b"}, {"path": "/a/**/b"}, {}], (b"GET", "/a/a/b?", []))
    @example([{"query": {"p": "a"}}, {"query": {"p": "b"}}], (b"GET", "/?p=b&p=a", []))
    def test_as_by_looking_at_all(
        self, matches: list[dict[str, Any]], asked: tuple[bytes, str, Any]
    ) -> None:
        method, target, headers = asked
        # Captures are only there for rules that have placeholders.
        rules = parsed(*matches, body="{n}")
        rule_set = RuleSet(rules)
        # Once more, by the memo.
        for _ in range(3):
            found = rule_set.find(request(target, method, headers))
            shown = found and (found[0].name, dict(found[1]))
            self.assertEqual(
                shown, by_looking_at_all(rules, request(target, method, headers))
            )

    @given(RULES, REQUESTS)
    @example([{}, {"path": "/a"}], (b"GET", "/a?", []))
    @example([{"method": "GET"}, {"path": "/a"}], (b"PUT", "/a?", []))
    @example([{"target": "/a?"}, {"path": "/a"}], (b"GET", "/a?p=a", []))
    @example([{"path": "/a"}, {"target": "/a?"}], (b"GET", "/a?", []))
    @example([{"query": {"p": True}}, {"query": {"p": ""}}], (b"GET", "/?p", []))
    @example([{"query": {"p": False}}, {"query": {"q": ""}}], (b"GET", "/?p&q", []))
    @example([{"header": {"p": "a"}}, {"query": {"p": "a"}}], (b"GET", "/?p=a", []))
    def test_what_can_never_act_does_not(
        self, matches: list[dict[str, Any]], asked: tuple[bytes, str, Any]
    ) -> None:
        method, target, headers = asked
        rule_set = RuleSet(parsed(*matches))
        found = rule_set.find(request(target, method, headers))
        if found is not None:
            warning = f"rule '{found[0].name}' can never act"
            self.assertFalse([w for w in rule_set.warnings if warning in w])

    def test_what_can_never_act(self) -> None:
        pairs: list[tuple[dict[str, Any], dict[str, Any]]] = [
            ({}, {"path": "/a"}),
            ({}, {"target": "/a"}),
            ({"target": "/a"}, {"target": "/a", "method": "PUT"}),
            ({"method": ["PUT", "GET"]}, {"method": "HEAD"}),
            ({"path": "/**"}, {"path": "/a/{x}/**"}),
            ({"path": "/a*"}, {"path": "/ab*c"}),
            ({"query": {"p": True}}, {"query": {"p": "a*", "q": "b"}}),
            ({"query": {"p": "*"}}, {"query": {"p": "a"}}),
            ({"query": {"p": "**"}}, {"query": {"p": "a*"}}),
            ({"query": {"p": "a*"}}, {"query": {"p": "ab"}}),
            ({"header": {"P": False}}, {"header": {"p": False}, "path": "/"}),
        ]
        for first, second in pairs:
            for matches, count in [((first, second), 1), ((second, first), 0)]:
                warnings = RuleSet(parsed(*matches)).warnings
                self.assertEqual(len(warnings), count, matches)
        twice = RuleSet(parsed({"path": "/a"}, {"path": "/a"}))
        self.assertEqual(len(twice.warnings), 1)

    def test_none_is_in_the_way_where_all_act(self) -> None:
        rules = Rules(lambda: 0.0, Reading(300.0, no_file, STREAMED))
        for name in ("a", "b"):
            [rule] = parse_rules([{"name": name, "delay": "1s"}], rules.reading)
            rules.add(rule)
        self.assertEqual(rules.current.warnings, [])

    def test_no_more_is_compared_than_may_be(self) -> None:
        alike = "/".join(["", *["**", "a"] * 30])
        many = ({"path": f"{alike}/{n}"} for n in range(900))
        rule_set = RuleSet(parsed(*many, {"path": f"{alike}/899"}))
        compared = 0
        covers = Match.covers

        def count(ours: Match, theirs: Match) -> bool:
            nonlocal compared
            compared += 1
            return covers(ours, theirs)

        self.patch(Match, "covers", count)
        self.assertEqual(rule_set.warnings, [])
        self.assertEqual(compared, MOST_COMPARED // 61**2)

    def test_segments_without_end(self) -> None:
        both = RuleSet(parsed({"path": "/a/**/a"}))
        self.assertIsNotNone(both.find(request("/a" * 256)))
        self.assertIsNone(both.find(request("/a" * 257)))
        long = request("/" + "/".join("a" * 300))
        self.assertIsNone(RuleSet(parsed({"path": "/a/**/b"})).find(long))
        for match in ({}, {"path": "/**"}):
            self.assertIsNotNone(RuleSet(parsed(match)).find(long))

    def test_many_that_are_alike_but_for_a_value(self) -> None:
        rules = parsed(*({"path": "/a", "query": {"x": str(n)}} for n in range(5_000)))
        found = RuleSet(rules).find(request("/a?x=4999"))
        assert found is not None
        self.assertEqual(found[0].name, "rule 5000")

    def test_empty(self) -> None:
        self.assertFalse(RuleSet(parsed({"path": "/a"}, enabled=False)))
        self.assertTrue(RuleSet(parsed({"path": "/a"})))
