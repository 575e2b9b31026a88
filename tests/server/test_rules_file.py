"""The file of rules: how it is read, watched, and complained of."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, maybeDeferred

from nbtwisted.server.body_files import BodyFiles
from nbtwisted.server.rules.in_force import Rules
from nbtwisted.server.rules.reading import Reading, no_file, parse_default
from nbtwisted.server.rules.rule import UnreadableRule
from nbtwisted.server.rules.text import parse_text
from nbtwisted.server.rules_file import LARGEST_FILE, SECONDS_BETWEEN_LOOKS, RulesFile
from tests import examples
from tests.guard import ClockCase

READING = Reading(300.0, no_file)

TWO = """\
# Rules of a test.
[[rule]]
name = "first"
match = { path = "/a" }

[[rule]]
match.path = "/b"
status = 503
"""


def names(text: str) -> list[str]:
    return [rule.name for rule in parse_text(text, READING)]


def refusal(text: str) -> UnreadableRule:
    with pytest.raises(UnreadableRule) as caught:
        parse_text(text, READING)
    return caught.value


class TextTests(ClockCase):
    def test_toml(self) -> None:
        self.assertEqual(names(TWO), ["first", "rule 2"])
        self.assertEqual(names(""), [])

    def test_json(self) -> None:
        self.assertEqual(names('\n{"rule": [{"name": "a"}, {}]}'), ["a", "rule 2"])

    def test_the_line_that_is_wrong(self) -> None:
        for old, new, line, words in [
            ("[[rule]]\nmatch", "[[rule]]\ndealy = 1\nmatch", 7, "delay, or another"),
            ("status = 503", "status = 99", 8, "a status from 200"),
            ("/b", "/b{", 7, "a } for each {"),
            ("match = {", "match = { methd = 1,", 4, "method, or another"),
            ("name", '"name"', 3, ""),
            ("status = 503", "[[rule.steps]]\ndelay = 1\nstatus = 1", 10, "a status"),
            ("status = 503", "status 503", 8, "after a key"),
            ("status = 503", "status = ", 8, "TOML: "),
            ("# Rules", 'name = "x"\n#', 1, "[[rule]] before"),
            ('/b"\nstatus = 503', '/b"\nname = "first"', 8, "no other rule has"),
            ("status = 503", "status = 2026-01-01", 8, "no dates"),
            ("status = 503", "[rule.json]\na = [nan]", 8, "a finite number"),
            ("status = 503", f"status = 0x{'f' * 5000}", 8, "a finite number"),
            ("# Rules", f"a = 0x{'f' * 5000}\n#", 1, "[[rule]] before"),
            ('"first"\n', '"first"\nsteps = [ {},\n{ name = 1 } ]\n', 5, "delay"),
            ("status = 503", 'steps = [\n{ status = "x" } ]', 9, "a status from 200"),
            ("status = 503", 'target = "/b"', 8, "match.target, or another one of"),
            ("status = 503", 'method = "GET"', 8, "match.method, or another one of"),
        ]:
            text = TWO.replace(old, new)
            if not words:
                self.assertEqual(names(text), ["first", "rule 2"])
                continue
            error = refusal(text)
            self.assertIn(words, error.expected, text)
            self.assertEqual(error.line, line, (text, str(error)))
            self.assertIn(f"line {line}: ", str(error))

    def test_the_line_within_the_table_that_is_wrong(self) -> None:
        for rule, line in [
            ("steps = [\n{ delay = 1 },\n{ delay = 2 },\n{ delay = 'x' } ]", 5),
            ("steps = [ {}, # {\n{ json = [{}, '{'] },\n{ delay = 'x' } ]", 4),
            ('steps = [{ body = "\\"{" }, { body = \'{\' },\n{ delay = "x" } ]', 3),
            ('steps = [{ body = """{"\n{""" },\n{ size = -1 }]', 4),
            ("steps = [{ body = '''{'\n{''' },\n{ size = -1 }]", 4),
            ("[[rule.steps]]\ndelay = 1\n[[rule.steps]]\ndelay = 'x'", 5),
            ("during = [\n{ from = 1, delay = 2 },\n{ from = -1 } ]", 4),
            ("during = [\n{ from = 1, delay = 2 },\n{ from = 1 } ]", 4),
            ("[[ rule.during ]]\nsize = 1\n[[rule.during]]\n\nfrom = 1", 6),
        ]:
            error = refusal(f"[[rule]]\n{rule}\n[[rule]]\ndelay = 1\n")
            self.assertEqual(error.line, line, (rule, str(error)))

    def test_the_line_of_a_field_that_is_not_found(self) -> None:
        for first, second, line in [
            (r'"na\u006de" = 1', 'name = "x"', 1),
            (r'name = "x"', r'"na\u006de" = 1', 3),
        ]:
            error = refusal(f"[[rule]]\n{first}\n[[rule]]\n{second}")
            self.assertEqual((error.field, error.line), ("name", line))

    def test_lines_are_those_that_editors_count(self) -> None:
        for end in ("\n", "\r\n"):
            for value in ("x", '"'):
                text = f"[[rule]]{end}name = '\u2028'{end}body = {value}{end}"
                error = refusal(text)
                self.assertEqual((error.line, error.value), (3, f"body = {value}"))
        unclosed = refusal("[[rule]]\nname = '\u2028'\nbody = [\n")
        self.assertEqual((unclosed.line, unclosed.value), (3, "body = ["))

    def test_numbers_and_lists_without_end(self) -> None:
        for value in ("9" * 5000, "[" * 5000):
            self.assertIn("", refusal(f"[[rule]]\nstatus = {value}").expected)
        dotted = ".".join("a" * 70)
        self.assertIn("at most 64", refusal(f"[[rule]]\njson.{dotted} = 1").expected)

    def test_json_that_is_wrong(self) -> None:
        self.assertEqual(refusal('{\n"rule": [,]}').line, 2)
        for text in ('[ {"name": "a"}]', '{"name": "a"}', '{"rules": []}'):
            self.assertIn('{"rule": [...]}', refusal(text).expected)
        self.assertIn("a list", refusal('{"rule": {}}').expected)
        self.assertIn("JSON: ", refusal('{"rule": [] ').expected)
        error = refusal('{"rule": [{}, {"delay": "x"}]}')
        self.assertEqual(
            (error.rule, error.field, error.line), ("rule 2", "delay", None)
        )

    def test_one_table_in_place_of_a_list(self) -> None:
        error = refusal("# Rules\n[rule]\ndelay = 1")
        self.assertIn("[[rule]]", error.expected)
        self.assertEqual(error.line, 2)

    def test_values_that_are_none_are_of_the_rule_by_its_name(self) -> None:
        self.assertEqual(refusal('[[rule]]\nname = "a"\ndelay = inf').rule, "a")

    @given(st.text("[]{}rule=\"'\n#,.1 \\", max_size=40))
    def test_any_text_is_rules_or_a_named_error(self, text: str) -> None:
        try:
            parse_text(text, READING)
        except UnreadableRule as error:
            self.assertTrue(error.expected and str(error))


class DefaultTests(ClockCase):
    def test_as_a_query(self) -> None:
        rule = parse_default(
            "_delay=50ms&_fault=reset:0.01&_header=A:b&_json=[1]", READING
        )
        self.assertEqual(
            rule.source,
            {
                "name": "--default",
                "delay": "50ms",
                "fault": "reset:0.01",
                "header": ["A:b"],
                "json": [1],
            },
        )

    def test_refused(self) -> None:
        for text, words in [
            ("delay=1", "controls such as"),
            ("_delay", "seconds such as"),
            ("_dealy=1", "delay, or another"),
            ("_json={", "JSON"),
            ("&" * 1001, "at most 1000"),
        ]:
            with pytest.raises(UnreadableRule) as caught:
                parse_default(text, READING)
            self.assertIn(words, caught.value.expected)

    def test_what_is_no_control_is_named(self) -> None:
        for text in ("delay=1", "delay", "_status=503&delay=1"):
            with pytest.raises(UnreadableRule) as caught:
                parse_default(text, READING)
            self.assertIn("'delay' is no control: expected", str(caught.value))


class FileCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.path /= "rules.toml"
        self.rules = Rules(self.clock.seconds, READING)
        self.said: list[str] = []
        self.waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def watch(
        self, in_thread: Callable[[Callable[[], Any]], Deferred[Any]] = maybeDeferred
    ) -> RulesFile:
        file = RulesFile(
            str(self.path), self.rules, self.clock, self.said.append, in_thread
        )
        file.begin()
        self.addCleanup(file.stop)
        return file

    def write(self, text: str) -> None:
        self.path.write_text(text)
        # Two versions within a tick of the file system's clock.
        self.time = getattr(self, "time", 1_000_000_000) + 1
        os.utime(self.path, ns=(self.time, self.time))

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(SECONDS_BETWEEN_LOOKS)

    @property
    def names(self) -> list[str]:
        return [rule.name for rule in self.rules.current.rules]

    @property
    def error(self) -> UnreadableRule | None:
        assert self.rules.file is not None
        return self.rules.file.error


class WatchingTests(FileCase):
    def test_a_change_is_taken_when_it_has_settled(self) -> None:
        self.write(TWO)
        self.watch()
        self.assertEqual(self.names, ["first", "rule 2"])
        self.write('[[rule]]\nname = "new"\n')
        self.look()
        self.assertEqual(self.names, ["first", "rule 2"])
        self.look()
        self.assertEqual(self.names, ["new"])
        self.assertEqual(
            self.said, [f"2 rules from {self.path}", f"1 rule from {self.path}"]
        )

    def test_not_while_it_is_written(self) -> None:
        self.write(TWO)
        self.watch()
        whole = TWO.replace("first", "new")
        for end in range(10, len(whole) + 1, 10):
            # Some of these beginnings are TOML.
            self.write(whole[:end])
            self.look()
            self.assertEqual(self.names, ["first", "rule 2"])
        self.write(whole)
        self.look(2)
        self.assertEqual(self.names, ["new", "rule 2"])

    def test_what_cannot_be_read_changes_nothing(self) -> None:
        self.write(TWO)
        self.watch()
        for text, words in [("[[rule]]\ndelay = 'x'\n", "line 2"), ("{", "JSON")]:
            self.write(text)
            self.look(5)
            self.assertEqual(self.names, ["first", "rule 2"])
            self.assertIn(words, str(self.error))
            self.assertIn("the rules stay as they were", self.said[-1])
        self.assertEqual(len(self.said), 3)
        self.path.unlink()
        self.look(5)
        self.assertIn("No such file", self.said[-1])
        self.write(TWO)
        self.look(2)
        self.assertIsNone(self.error)

    def test_at_once_when_told(self) -> None:
        self.write(TWO)
        file = self.watch()
        self.write("")
        file.read_again()
        self.assertEqual(self.names, [])

    def test_told_while_it_is_read(self) -> None:
        self.write(TWO)

        def later(function: Callable[[], Any]) -> Deferred[Any]:
            self.waiting.append((function, Deferred()))
            return self.waiting[-1][1]

        file = self.watch(later)
        self.write("")
        file.read_again()
        file.read_again()
        self.look(9)
        self.assertEqual(len(self.waiting), 1)
        self.write('[[rule]]\nname = "last"\n')
        for _ in range(2):
            function, deferred = self.waiting.pop(0)
            deferred.callback(function())
        self.assertEqual((self.names, self.waiting), (["last"], []))

    def test_too_many(self) -> None:
        self.write(TWO)
        self.watch()
        self.write(json.dumps({"rule": [{}] * 10_001}))
        self.look(2)
        self.assertIn("at most 10000 rules", self.said[-1])
        self.assertEqual(self.names, ["first", "rule 2"])

    def test_an_error_of_ours(self) -> None:
        self.write(TWO)
        file = self.watch(lambda function: maybeDeferred(lambda: 1 // 0))
        file.read_again()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("the rules stay as they were", self.said[-1])

    def test_not_to_be_read_at_all(self) -> None:
        for content, words in [
            (b"\xff", "UTF-8"),
            (b"#" * (LARGEST_FILE + 1), f"at most {LARGEST_FILE}"),
            (None, "No such file"),
        ]:
            self.assertFalse(self.rules.current)
            if content is not None:
                self.path.write_bytes(content)
            else:
                self.path.unlink()
            with pytest.raises(UnreadableRule) as caught:
                self.watch()
            self.assertIn(words, caught.value.expected)

    def test_no_regular_file(self) -> None:
        os.mkfifo(self.path)
        for path, words in [
            (self.path, "a regular file"),
            (Path("/dev/zero"), "a regular file"),
            (self.path.parent, "Is a directory"),
        ]:
            self.path = path
            with pytest.raises(UnreadableRule) as caught:
                self.watch()
            self.assertIn(words, caught.value.expected)

    def test_a_pipe_in_its_place(self) -> None:
        self.write(TWO)
        self.watch()
        self.path.unlink()
        os.mkfifo(self.path)
        self.look(2)
        self.assertIn("a regular file", self.said[-1])
        self.assertEqual(self.names, ["first", "rule 2"])

    def test_a_byte_order_mark(self) -> None:
        self.path.write_bytes(b"\xef\xbb\xbf" + TWO.encode())
        self.watch()
        self.assertEqual(self.names, ["first", "rule 2"])

    def test_warnings_are_said(self) -> None:
        self.write(TWO.replace("/a", "/**"))
        self.watch()
        self.assertIn("warning: rule 'rule 2' can never act", self.said[-1])


class AnyOrderTests(FileCase):
    @settings(max_examples=examples(60))
    @given(
        st.lists(
            st.sampled_from(["good", "bad", "gone", "look", "told", "read"]),
            max_size=15,
        )
    )
    @example(["told", "good", "told", "read", "read"])
    @example(["bad", "look", "look", "read", "gone", "good"])
    @example(["gone", "told", "good", "read", "gone"])
    def test_the_last_version_is_in_force(self, steps: list[str]) -> None:
        def later(function: Callable[[], Any]) -> Deferred[Any]:
            self.waiting.append((function, Deferred()))
            return self.waiting[-1][1]

        def read() -> None:
            if self.waiting:
                function, deferred = self.waiting.pop(0)
                maybeDeferred(function).chainDeferred(deferred)

        self.waiting.clear()
        self.write(TWO)
        file = self.watch(later)
        versions = [["first", "rule 2"]]
        is_good = True
        for number, step in enumerate(steps):
            if step == "good":
                versions.append([f"v{number}"])
                self.write(f"[[rule]]\nname = 'v{number}'\n")
                is_good = True
            elif step in ("bad", "gone"):
                self.write("[[rule]]\n?")
                if step == "gone":
                    self.path.unlink()
                is_good = False
            elif step == "look":
                self.look()
            elif step == "told":
                file.read_again()
            else:
                read()
            self.assertIn(self.names, versions)
            self.assertLessEqual(len(self.waiting), 1)
        while self.waiting:
            read()
        self.look(2)
        while self.waiting:
            read()
        file.stop()
        self.assertEqual(self.error is None, is_good)
        if is_good:
            self.assertEqual(self.names, versions[-1])


class BodyFilesTests(FileCase):
    def test_in_its_folder_and_nowhere_else(self) -> None:
        folder = self.path.parent
        other = Path(self.mktemp())
        other.mkdir()
        (folder / "a.json").write_bytes(b"[]")
        (other / "b").write_bytes(b"b")
        (folder / "link").symlink_to((other / "b").resolve())
        os.mkfifo(folder / "pipe")
        (folder / "round").symlink_to("round")
        files = BodyFiles([folder])
        self.assertEqual(files.read("a.json"), b"[]")
        self.assertEqual(files.read(str((folder / "a.json").resolve())), b"[]")
        for path, words in [
            (os.path.relpath(other / "b", folder), "a file in"),
            (str((other / "b").resolve()), "a file in"),
            ("link", "a file in"),
            ("pipe", "a regular file"),
            (".", "Is a directory"),
            ("round", "circle|symbolic links"),
            ("none", "No such file"),
        ]:
            with pytest.raises(ValueError, match=words):
                files.read(path)
        self.assertEqual(BodyFiles([folder, other]).read("link"), b"b")
        with pytest.raises(ValueError, match="--allow-files"):
            BodyFiles([]).read("a.json")
