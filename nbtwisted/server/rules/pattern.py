"""Patterns of rules: globs of texts, and patterns of paths. Pure.

A pattern is compared piece by piece, from the left, and never tried in another way: no
pattern is slow for any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

__all__ = [
    "LONGEST_PATTERN",
    "MOST_SEGMENTS",
    "REST",
    "Glob",
    "PathPattern",
    "Segment",
    "foreign_syntax",
]

LONGEST_PATTERN = 1024
"""Characters of a path's pattern, and of a glob."""

MOST_SEGMENTS = 64
"""Segments of a pattern."""

_WILD = re.compile(r"\{([^{}]*)\}|\*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_FOREIGN = re.compile(
    r"\\.?|[<>[\]|^#]|\$$|(?<=/)(?:\.[*+](?=/|$)|:[A-Za-z_][A-Za-z0-9_]*)"
)
"""What regular expressions and routes of other programs have in a path. No client
sends most of it as it is; `$` and `.*` can be meant (`/$count`, `/report.*`), so they
count only where they seldom are."""

_RESERVED = ("n", "now")
"""Names that templates have already."""


@dataclass(frozen=True)
class Glob:
    """A text in which `*` stands for any characters, also for none."""

    text: str

    @cached_property
    def _parts(self) -> tuple[str, Sequence[str], str] | None:
        """The texts before, between and behind the `*`; None if there is none."""
        first, *between = self.text.split("*")
        return (first, between[:-1], between[-1]) if between else None

    def matches(self, value: str) -> bool:
        """Whether a value is as the text says."""
        if self._parts is None:
            return value == self.text
        first, between, last = self._parts
        if not (value.startswith(first) and value.endswith(last)):
            return False
        at, end = len(first), len(value) - len(last)
        if at > end:
            return False
        for part in between:
            at = value.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    def matches_one_of(self, values: Iterable[bytes]) -> bool:
        """Whether a value, in UTF-8, is as the text says."""
        matches = self.matches
        # A loop takes half of the time of any(): mostly there is one value, or none.
        for value in values:  # noqa: SIM110
            if matches(value.decode("utf-8", "replace")):
                return True
        return False

    def covers(self, other: Glob) -> bool:
        """Whether this surely matches all that the other one matches."""
        if "*" not in other.text:
            return self.matches(other.text)
        return self == other or set(self.text) == {"*"}


@dataclass(frozen=True)
class Segment:
    """A part of a path between slashes.

    before, after   its text, around the wildcard if it has one
    is_wild         whether it has one, which stands for at least one character
    name            of the capture, if the wildcard is one
    """

    before: str
    after: str = ""
    is_wild: bool = False
    name: str | None = None

    def matches(self, segment: str) -> bool:
        """Whether a part of a path is as this says."""
        if not self.is_wild:
            return segment == self.before
        return (
            len(segment) > len(self.before) + len(self.after)
            and segment.startswith(self.before)
            and segment.endswith(self.after)
        )

    def covers(self, other: Segment) -> bool:
        """Whether this matches all that the other one matches."""
        if not (self.is_wild and other.is_wild):
            return not other.is_wild and self.matches(other.before)
        return other.before.startswith(self.before) and other.after.endswith(self.after)

    def value(self, segment: str) -> str:
        """The text of a part of a path that the wildcard stands for."""
        return segment[len(self.before) : len(segment) - len(self.after)]


REST = Segment("**", is_wild=True)
"""Any number of segments, also none."""


@dataclass(frozen=True)
class PathPattern:
    """A path in which `{name}`, `*` and `**` are wildcards.

    `{name}` and `*` stand for at least one character of a segment, which has one of
    them at most; `**` is a segment of its own, and stands for any number of segments.
    """

    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Read a pattern; raises `ValueError` with what was expected."""
        if not text.startswith("/"):
            raise ValueError("a path that begins with /")
        if "?" in text:
            raise ValueError("a path without ?: match has query for parameters")
        if len(text) > LONGEST_PATTERN:
            raise ValueError(f"at most {LONGEST_PATTERN} characters")
        segments = tuple(map(_parse_segment, text[1:].split("/")))
        if len(segments) > MOST_SEGMENTS:
            raise ValueError(f"at most {MOST_SEGMENTS} segments")
        names = [segment.name for segment in segments if segment.name]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"another name for one of the two {{{name}}}")
        return cls(segments)

    @cached_property
    def _runs(self) -> list[list[Segment]]:
        """The segments between each two `**`; one list if there is none."""
        runs: list[list[Segment]] = [[]]
        for segment in self.segments:
            if segment is REST:
                runs.append([])
            else:
                runs[-1].append(segment)
        return runs

    @cached_property
    def prefix(self) -> tuple[str, ...]:
        """The segments before the first wildcard."""
        literal = []
        for segment in self.segments:
            if segment.is_wild:
                break
            literal.append(segment.before)
        return tuple(literal)

    @cached_property
    def names(self) -> Sequence[str]:
        """Those of its captures."""
        return [segment.name for segment in self.segments if segment.name]

    def match(self, path: Sequence[str]) -> Mapping[str, str] | None:
        """The captures, by their names; None if the path is another one.

        `path` has the segments of the path, unquoted.
        """
        first, *rest = self._runs
        if rest:
            return self._match_runs(path)
        if len(path) != len(first) or not _all_match(first, path, 0):
            return None
        return _captures(first, path, 0)

    def _match_runs(self, path: Sequence[str]) -> Mapping[str, str] | None:
        """Match the runs between each two `**`: each as far left as it can be."""
        first, *between, last = self._runs
        end = len(path) - len(last)
        if end < len(first):
            return None
        if not (_all_match(first, path, 0) and _all_match(last, path, end)):
            return None
        found = {**_captures(first, path, 0), **_captures(last, path, end)}
        at = len(first)
        for run in between:
            while at + len(run) <= end and not _all_match(run, path, at):
                at += 1
            if at + len(run) > end:
                return None
            found.update(_captures(run, path, at))
            at += len(run)
        return found

    def covers(self, other: PathPattern) -> bool:
        """Whether this surely matches all paths that the other one matches."""
        ours, theirs = self.segments, other.segments

        @cache
        def covers(i: int, j: int) -> bool:
            if i == len(ours):
                return j == len(theirs)
            if ours[i] is REST:
                return covers(i + 1, j) or (j < len(theirs) and covers(i, j + 1))
            if j == len(theirs) or theirs[j] is REST:
                return False
            return ours[i].covers(theirs[j]) and covers(i + 1, j + 1)

        return covers(0, 0)


def foreign_syntax(text: str) -> str | None:
    """The first part of a path's pattern that only other languages give a meaning."""
    found = _FOREIGN.search(text)
    return None if found is None else found[0]


def _parse_segment(text: str) -> Segment:
    if text == "**":
        return REST
    found = list(_WILD.finditer(text))
    rest = _WILD.sub("", text)
    if "{" in rest or "}" in rest:
        raise ValueError("a } for each {, as in /orders/{id}")
    if "**" in text:
        raise ValueError("** between slashes, as in /orders/**")
    if not found:
        return Segment(text)
    if len(found) > 1:
        raise ValueError("one * or {name} between two slashes")
    (wild,) = found
    name = wild[1]
    if name is not None and (not _NAME.fullmatch(name) or name in _RESERVED):
        raise ValueError("a name of letters, digits and _ in {}, other than n and now")
    return Segment(text[: wild.start()], text[wild.end() :], True, name)


def _all_match(run: Sequence[Segment], path: Sequence[str], at: int) -> bool:
    for segment in run:
        if not segment.matches(path[at]):
            return False
        at += 1
    return True


def _captures(
    run: Sequence[Segment], path: Sequence[str], at: int
) -> Mapping[str, str]:
    return {
        segment.name: segment.value(path[at + number])
        for number, segment in enumerate(run)
        if segment.name
    }
