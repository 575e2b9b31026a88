"""Patterns of paths, and globs: what they match, and which covers which."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbtwisted.server.rules.pattern import Glob, PathPattern
from tests.guard import ClockCase

GLOBS = st.text("ab*", max_size=8)
PATTERNS = st.lists(
    st.sampled_from(["", "a", "b", "ab", "*", "a*", "*b", "{x}", "**"]), min_size=1
).map(lambda parts: "/" + "/".join(parts))
PATHS = st.lists(st.sampled_from(["", "a", "b", "ab", "aab", "c"]), min_size=1).map(
    lambda parts: "/" + "/".join(parts)
)


def match(pattern: str, path: str) -> Mapping[str, str] | None:
    return PathPattern.parse(pattern).match(path[1:].split("/"))


def parsed(pattern: str) -> PathPattern | None:
    try:
        return PathPattern.parse(pattern)
    except ValueError:
        return None


def as_regex(pattern: str) -> re.Pattern[str]:
    """The pattern in the slow language that people know."""
    parts = []
    for part in pattern[1:].split("/"):
        if part == "**":
            parts.append("(?:/[^/]*)*")
        else:
            wild = re.escape(part).replace(r"\*", "[^/]+")
            parts.append("/" + re.sub(r"\\\{\w+\\\}", "[^/]+", wild))
    return re.compile("".join(parts))


class GlobTests(ClockCase):
    def test_matches(self) -> None:
        for glob, value in [
            ("a", "a"),
            ("", ""),
            ("*", ""),
            ("*json*", "application/json; charset=utf-8"),
            ("a*b*c", "abbbc"),
            ("a*b*c", "abc"),
        ]:
            self.assertTrue(Glob(glob).matches(value), (glob, value))
        for glob, value in [("a", "ab"), ("", "a"), ("a*a", "a"), ("*b*", "aca")]:
            self.assertFalse(Glob(glob).matches(value), (glob, value))

    @given(GLOBS, st.text("ab", max_size=8))
    @example("a*a", "a")
    def test_as_a_regex(self, glob: str, value: str) -> None:
        expected = re.fullmatch(glob.replace("*", ".*"), value) is not None
        self.assertEqual(Glob(glob).matches(value), expected)

    @given(GLOBS, GLOBS, st.text("ab", max_size=8))
    def test_what_is_covered_is_matched(self, one: str, other: str, value: str) -> None:
        if Glob(one).covers(Glob(other)) and Glob(other).matches(value):
            self.assertTrue(Glob(one).matches(value))


class PathTests(ClockCase):
    def test_matches(self) -> None:
        for pattern, path, captures in [
            ("/", "/", {}),
            ("/orders/{id}", "/orders/7", {"id": "7"}),
            ("/orders/{id}.json", "/orders/7.json", {"id": "7"}),
            ("/{a}/{b}", "/x/y", {"a": "x", "b": "y"}),
            ("/img/*.png", "/img/a.png", {}),
            ("/payments/**", "/payments", {}),
            ("/payments/**", "/payments/", {}),
            ("/payments/**", "/payments/1/refund", {}),
            ("/**/{last}", "/a/b/c", {"last": "c"}),
            ("/**/a/{x}/**", "/b/a/1/a/2", {"x": "1"}),
            ("/**/a/**/b", "/a/a/b/b", {}),
        ]:
            self.assertEqual(match(pattern, path), captures, (pattern, path))
        for pattern, path in [
            ("/orders/{id}", "/orders/"),
            ("/orders/{id}", "/orders"),
            ("/orders/{id}", "/orders/7/"),
            ("/orders/*", "/orders/7/8"),
            ("/v*", "/v"),
            ("/img/*.png", "/img/.png"),
            ("/Orders", "/orders"),
            ("/**/a/**/b", "/b/a"),
        ]:
            self.assertIsNone(match(pattern, path), (pattern, path))

    @given(PATTERNS, PATHS)
    @example("/a/**/a", "/a")
    @example("/**/**", "/a")
    def test_as_a_regex(self, pattern: str, path: str) -> None:
        if parsed(pattern) is not None:
            expected = as_regex(pattern).fullmatch(path) is not None
            self.assertEqual(match(pattern, path) is not None, expected)

    @given(PATTERNS, PATTERNS, PATHS)
    def test_what_is_covered_is_matched(self, one: str, other: str, path: str) -> None:
        first, second = parsed(one), parsed(other)
        segments = path[1:].split("/")
        if (
            first is not None
            and second is not None
            and first.covers(second)
            and second.match(segments) is not None
        ):
            self.assertIsNotNone(first.match(segments))

    def test_covers(self) -> None:
        for one, other in [
            ("/a", "/a"),
            ("/{x}", "/a"),
            ("/*", "/{x}"),
            ("/**", "/a/{x}/b"),
            ("/**", "/"),
            ("/a/**", "/a/b/**"),
            ("/*.png", "/a*.png"),
        ]:
            self.assertTrue(
                PathPattern.parse(one).covers(PathPattern.parse(other)), (one, other)
            )
        for one, other in [
            ("/a", "/{x}"),
            ("/a/*", "/a/**"),
            ("/a*", "/*"),
            ("/a", "/b"),
        ]:
            self.assertFalse(
                PathPattern.parse(one).covers(PathPattern.parse(other)), (one, other)
            )

    def test_no_pattern_is_slow(self) -> None:
        # A regex with as many wildcards would not end within a lifetime.
        pattern = "/" + "/".join(["**", "a"] * 30) + "/b"
        self.assertIsNone(match(pattern, "/a" * 250))

    def test_refused(self) -> None:
        for pattern, words in [
            ("orders", "begins with /"),
            ("", "begins with /"),
            ("/a?b=1", "without ?"),
            ("/orders/{id", "a } for each {"),
            ("/orders/id}", "a } for each {"),
            ("/{a{b}}", "a } for each {"),
            ("/{}", "letters"),
            ("/{a b}", "letters"),
            ("/{now}", "other than n and now"),
            ("/{a}/{a}", "another name"),
            ("/a**", "** between slashes"),
            ("/***", "** between slashes"),
            ("/{a}-{b}", "one * or"),
            ("/" + "a" * 1024, "at most 1024"),
            ("/a" * 65, "at most 64"),
        ]:
            with pytest.raises(ValueError, match=re.escape(words)):
                PathPattern.parse(pattern)
