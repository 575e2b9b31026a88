"""`nbtwisted load -i`: lists, which are read to their end before anything is sent."""

from __future__ import annotations

import json
import pathlib
import subprocess
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.load.options import Options, read_options
from tests.load.test_command import LOAD, run
from tests.server.running import RunningServer


class ListTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/list"

    def options(self, content: str, *more: str) -> Options:
        pathlib.Path(self.path).write_text(content)
        return read_options([*more, "-i", self.path])

    def test_requests(self) -> None:
        options = self.options(
            "# a comment\n\nhttp://me:secret@x/1\n"
            '{"url": "http://x/2", "method": "HEAD", "max_time": "200ms"}\n'
            '{"url": "http://x/3", "json": {"a": [1]}, "headers": {"X-A": "b"}}\n'
            '{"url": "http://x/4", "body_base64": "AAE="}',
            *("-H", "X-A: a", "-t", "3"),
        )
        self.assertEqual(options.urls, [f"http://x/{n}" for n in (1, 2, 3, 4)])
        requests = options.plan.requests
        messages = [request.message for request in requests]
        self.assertEqual(
            [message.method for message in messages], ["GET", "HEAD", "POST", "POST"]
        )
        self.assertEqual(
            [message.body for message in messages], [b"", b"", b'{"a":[1]}', b"\0\1"]
        )
        sent = [b"X-A: a", b"X-A: a", b"X-A: b", b"X-A: a"]
        for message, line in zip(messages, sent, strict=True):
            self.assertIn(b"\r\n%b\r\n" % line, message.head)
        self.assertIn(b"\r\nAuthorization: Basic ", messages[0].head)
        times = [request.common.timeout for request in requests]
        self.assertEqual(times, [3, 0.2, 3, 3])
        self.assertEqual(
            [request.common.is_idempotent for request in requests],
            [True, True, False, False],
        )

    def test_what_the_options_say_is_for_all(self) -> None:
        options = self.options(
            'http://x/1\n{"url": "http://x/2"}\n{"url": "http://x/3", "body": "own"}\n',
            *("-d", "told"),
        )
        self.assertEqual(
            [request.message.body for request in options.plan.requests],
            [b"told", b"told", b"own"],
        )

    def test_a_har(self) -> None:
        request = {"method": "PUT", "url": "http://x/", "postData": {"text": "t"}}
        options = self.options(json.dumps({"log": {"entries": [{"request": request}]}}))
        (prepared,) = options.plan.requests
        self.assertEqual((prepared.message.method, prepared.body), ("PUT", b"t"))

    def test_so_many_unless_told(self) -> None:
        for lines, number in ((3, 200), (200, 200), (201, 201)):
            options = self.options("http://x/\n" * lines)
            self.assertEqual(
                (options.plan.number, options.plan.connections), (number, 50)
            )
        options = self.options("http://x/\n" * 300, "-n", "7")
        self.assertEqual(options.plan.number, 7)
        options = self.options("http://x/\n" * 300, "-z", "7")
        self.assertEqual(options.plan.number, float("inf"))
        self.assertEqual(len(options.urls), 100)

    def test_the_heavier_ones_have_more_turns(self) -> None:
        lines = [
            {"url": "http://x/1", "weight": 4, "label": "read"},
            {"url": "http://x/2", "weight": 2, "label": "write"},
            {"url": "http://x/3", "weight": 2, "label": "read"},
        ]
        options = self.options("\n".join(map(json.dumps, lines)))
        requests = options.plan.requests
        turns = [request.line.split()[1].decode() for request in requests]
        self.assertEqual(turns, ["/1", "/2", "/1", "/3"])
        self.assertIs(requests[0], requests[2])
        labels = [request.common.label for request in requests]
        self.assertEqual(labels, ["read", "write", "read", "read"])
        self.assertEqual(options.weights, {"read": 6, "write": 2})
        self.assertEqual((len(options.urls), options.urls_left_out), (3, 0))

    def test_lists_without_labels(self) -> None:
        options = self.options('http://x/\n{"url": "http://x/", "weight": 300}\n')
        self.assertEqual(options.weights, {})
        # Each is sent once.
        self.assertEqual((options.plan.number, len(options.urls)), (301, 2))
        options = self.options("http://x/\n" * 103)
        self.assertEqual((len(options.urls), options.urls_left_out), (100, 3))

    def test_a_condition_on_a_label_that_there_is_not(self) -> None:
        pathlib.Path(self.path).write_text('{"url": "http://x/", "label": "read"}\n')
        for arguments, expected in (
            (["-i", self.path], "one of the list: read"),
            (["http://x/"], "a list (-i) with labels"),
        ):
            ended = run("--fail-if", "p99[raed]>1s", *arguments)
            self.assertEqual((ended.returncode, ended.stdout), (2, ""))
            self.assertIn(
                "--fail-if p99[raed]>1s: no request has the label 'raed': "
                f"expected {expected} (see ",
                ended.stderr,
            )

    def test_what_they_have_in_common_is_kept_once(self) -> None:
        lines = [
            {"url": f"http://x/{number}", "method": ("GET", "HEAD")[number % 2]}
            for number in range(100)
        ]
        options = self.options("\n".join(map(json.dumps, lines)))
        kept = {id(request.common) for request in options.plan.requests}
        self.assertEqual(len(kept), 2)

    def test_what_cannot_be_read(self) -> None:
        for content, expected in [
            (
                'http://x/\n# a comment\n{"url": "http://x/", "metod": "GET"}\n',
                "line 3: unknown key 'metod': expected url, method, headers, ",
            ),
            ('{"url": "http://x/"', "line 1: "),
            ("http://x/\nftp://x/\n", "line 2: 'ftp://x/': scheme 'ftp': expected "),
            (
                "http://x/\n\nhttp://me:secret@h:x/\n",
                "line 3: 'http://h:x/': the port cannot be read",
            ),
            (
                '{"url": "http://x/", "method": "HEAD", "body": "x"}',
                "line 1: a body with HEAD: expected none",
            ),
            (
                '{"url": "http://x/", "method": "GET\\r\\n"}',
                "line 1: method 'GET\\r\\n': expected a name such as POST",
            ),
            (
                "".join(
                    json.dumps({"url": "http://x/", "weight": weight}) + "\n"
                    for weight in [10_000] * 99 + [9_999, 9_998]
                ),
                "weights that make 1,009,997 turns in a round: expected at most ",
            ),
            (
                "".join(
                    json.dumps({"url": "http://x/", "label": f"kind {number}"}) + "\n"
                    for number in range(101)
                ),
                "line 101: label 'kind 100': expected at most 100 different ones",
            ),
            ("", "nothing to ask for: expected a URL or an object of JSON a line"),
            ("# one\n\n#two", "nothing to ask for: expected a URL or"),
            ('{"log": {"entries": []}}', "nothing to ask for: "),
            (
                '{"log": {"entries": [{"request": {"method": "GET", "url": "http://"}}]}}',
                "entry 1: 'http://': no host: expected http://host[:port]/path",
            ),
        ]:
            pathlib.Path(self.path).write_text(content)
            ended = run("-n", "5", "-i", self.path)
            self.assertEqual((ended.returncode, ended.stdout), (26, ""), content)
            start = f"nbtwisted load: error: {self.path}: {expected}"
            self.assertTrue(ended.stderr.startswith(start), ended.stderr)
            self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)
            self.assertNotIn("secret", ended.stderr)

    def test_files_that_cannot_be_read(self) -> None:
        pathlib.Path(self.path).write_text('{"log": {}}')
        for path, expected in (
            (
                "/nowhere/at/all",
                "cannot read /nowhere/at/all: No such file or directory",
            ),
            ("/", "cannot read /: Is a directory"),
            (self.path, f"cannot read {self.path}: there is no 'entries' in it"),
        ):
            ended = run("-i", path)
            self.assertEqual((ended.returncode, ended.stdout), (26, ""))
            self.assertEqual(ended.stderr, f"nbtwisted load: error: {expected}\n")

    def test_stdin(self) -> None:
        with RunningServer() as server:
            for content, code, printed in (
                (f"{server.url}?_delay=0\n" * 3, 0, "3 = 3 answered + 0 failed"),
                ("http://x/\n{}\n", 26, "load: error: stdin: line 2: no url: "),
            ):
                ended = subprocess.run(
                    [*LOAD, "-n", "3", "-i", "-"],
                    input=content,
                    capture_output=True,
                    text=True,
                    timeout=30,
                    check=False,
                )
                self.assertEqual(ended.returncode, code, ended.stderr)
                self.assertIn(printed, ended.stdout + ended.stderr)
        ended = subprocess.run(
            f"{' '.join(LOAD)} -i - <&-",
            shell=True,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        self.assertEqual(
            (ended.returncode, ended.stderr),
            (
                26,
                "nbtwisted load: error: cannot read stdin: standard input is closed\n",
            ),
        )

    def test_what_does_not_go_together(self) -> None:
        pathlib.Path(self.path).write_text("http://127.0.0.1:9/\n")
        for arguments, expected in (
            (["http://x/", "-i", self.path], "-i: expected no URLs beside it"),
            ([], "URL: expected one or more, or a list (-i)"),
            (["-i", "-", "-d", "@-"], "-i -: expected no body from stdin beside it"),
            (["-i", self.path, "-i", self.path], "-i/--input: expected only one"),
            (["-i", self.path, "--json", self.path], "another file than -i's"),
            (["-i", self.path, "-I", "-d", "x"], "-I: expected no --data beside it"),
        ):
            ended = run(*arguments)
            self.assertEqual((ended.returncode, ended.stdout), (2, ""), arguments)
            self.assertIn(expected, ended.stderr)
            self.assertEqual(ended.stderr.count("\n"), 1)

    def test_they_take_turns(self) -> None:
        with RunningServer() as server:
            lines = [
                {"url": server.url + "get"},
                {"url": server.url + "get", "method": "HEAD"},
                {"url": server.url + "post", "json": {"user": "ann"}},
                {"url": server.url + "delay/5s", "max_time": 0.1},
            ]
            content = "".join(f"{json.dumps(line)}\n" for line in lines)
            pathlib.Path(self.path).write_text(content)
            ended = run("-n", "42", "-c", "4", "--json", "-", "-i", self.path)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        found = json.loads(ended.stdout)
        self.assertEqual((found["answered"], found["timed_out"]), (32, 10))
        self.assertEqual(found["methods"], {"GET": 21, "HEAD": 11, "POST": 10})
        self.assertEqual((found["timeout"], found["cut_off_at"]), (20, 0.1))
        (error,) = found["errors"]
        self.assertEqual(error["message"], "no answer within 0.1 s")
