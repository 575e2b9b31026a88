"""Rules in few words."""

from __future__ import annotations

from typing import Any
from unittest import TestCase

from nbtwisted.server.rules.summary import LONGEST_SUMMARY, does, matches


def summary(**rule: Any) -> str:
    return f"{matches(rule)} -> {does(rule)}"


class SummaryTests(TestCase):
    def test_what_it_matches(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({}, "every request"),
            ({"method": "POST"}, "every POST"),
            ({"path": "/orders/{id}"}, "/orders/{id}"),
            ({"method": "GET", "path": "/**"}, "GET /**"),
            ({"method": ["GET", "PUT"], "target": "/a?b=1"}, "GET|PUT /a?b=1"),
            (
                {"path": "/", "query": {"page": "1", "all": True, "debug": False}},
                "/, ?page=1, ?all=*, no ?debug",
            ),
            (
                {"header": {"Accept": "*json*", "X-A": True, "Cookie": False}},
                "every request, Accept: *json*, X-A: *, no Cookie:",
            ),
        ]
        for match, expected in cases:
            self.assertEqual(matches({"match": match}), expected)
        self.assertEqual(matches({"delay": "1s"}), "every request")

    def test_what_it_does(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            (
                {"delay": "lognormal(200ms,0.4)", "status": "200:9,503:1"},
                "delay lognormal(200ms,0.4), status 200:9,503:1",
            ),
            ({"status": 503, "delay": 1.5}, "status 503, delay 1.5"),
            (
                {"strict": True, "body": "a", "header": "A: b", "status": 1},
                "status 1, body a, header A: b, strict",
            ),
            ({"header": ["A: b", "C: d"]}, "header A: b, header C: d"),
            (
                {"header": {"A": "b", "C": ["d", 1]}},
                "header A: b, header C: d, header C: 1",
            ),
            ({"body": '{"order": "{id}"}\n'}, 'body {"order": "{id}"}\\n'),
            ({"json": {"é": [1, None, True]}}, 'json {"é": [1, null, true]}'),
            ({"json": False}, "json false"),
            ({"strict": True, "key": "{id}"}, "key {id}, strict"),
            ({"literal": True, "body_base64": "AA=="}, "body_base64 AA==, literal"),
            ({"strict": False}, "nothing"),
            ({"name": "a", "match": {}, "for": "3s", "enabled": False}, "nothing"),
            (
                {"steps": [{"fault": "reset"}, {"status": 503, "delay": "2s"}, {}]},
                "steps fault reset / status 503, delay 2s / nothing",
            ),
            (
                {"during": [{"from": "5s", "until": "20s", "status": 503}]},
                "from 5s to 20s: status 503",
            ),
            (
                {"delay": 1, "during": [{"from": 7, "fault": "stall"}, {"until": 2}]},
                "delay 1, from 7: fault stall, from 0s to 2: nothing",
            ),
        ]
        for rule, expected in cases:
            self.assertEqual(does(rule), expected)

    def test_long_ones_are_cut(self) -> None:
        long = "x" * 1000
        rules: list[dict[str, Any]] = [
            {"body": long},
            {"json": [long] * 1000},
            {"header": [long] * 1000},
            {"steps": [{"status": 200, "body": long}] * 1000},
            {"during": [{"from": 1, "body": long}] * 1000},
            {"match": {"method": [long] * 1000, "path": long}},
            {"match": {"query": {long: long}, "header": {long: long}}},
        ]
        for rule in rules:
            for text in (matches(rule), does(rule)):
                self.assertLessEqual(len(text), LONGEST_SUMMARY)
        self.assertEqual(does({"body": long}), "body " + "x" * 57 + "...")

    def test_no_more_is_made_of_a_large_one_than_is_shown(self) -> None:
        seen = []

        class Items(list[int]):
            def __iter__(self) -> Any:
                for item in range(10**9):
                    seen.append(item)
                    yield item

        text = does({"json": Items([1])})
        self.assertTrue(text.endswith("..."), text)
        self.assertLess(len(seen), 100)

    def test_nothing_of_a_stranger_acts_on_a_screen(self) -> None:
        rule = {
            "match": {"path": "/\u202e\x1b", "query": {"\n": "\x00"}},
            "body": "\ud800\u2028",
            "json": {"\u202e": "\u200f"},
            "steps": [{"body": "\r"}],
        }
        for text in (matches(rule), does(rule)):
            self.assertTrue(text.isprintable(), text)
