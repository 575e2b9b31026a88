"""`python -m nbtwisted.client` as people run it, against a real server."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import trustme
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.options.get import read_options
from nbtwisted.client.target import Origin
from tests import warm_start
from tests.server.running import BY_MODULE, RunningServer

CLIENT = [sys.executable, "-m", "nbtwisted.client"]

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **options.pop("environment", {})}
    return warm_start.run([*CLIENT, *arguments], timeout=30, env=environment, **options)


def urls(*arguments: str) -> list[str]:
    return [job.url for job in read_options(arguments).each_job()]


def without_coverage() -> dict[str, str]:
    """The environment, for processes in which coverage cannot write its files."""
    return {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}


def start(*arguments: str) -> subprocess.Popen[str]:
    """A client that goes on while the test does."""
    return warm_start.Popen(
        [*CLIENT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """A port at which the test itself is the server; no client keeps it waiting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}/"


def drawn_meanwhile(pictures: list[str], *arguments: str, **options: Any) -> str:
    """All that is drawn on a terminal during as many requests, one after another.

    Each is answered when the terminal has shown its picture.
    """
    drawn = b""
    ours, theirs = pty.openpty()
    environment = {**os.environ, **options.pop("environment", {})}
    with listening() as server, os.fdopen(ours, "rb"):
        many = ["-n", f"{len(pictures)}", "-c", "1", *arguments, url_of(server)]
        with warm_start.Popen(
            [*CLIENT, *many],
            **{"stdout": theirs, "stderr": theirs, "env": environment, **options},
        ):
            os.close(theirs)
            for picture in pictures:
                with server.accept()[0] as connection:
                    connection.recv(65536)
                    while picture.encode() not in drawn:
                        drawn += os.read(ours, 65536)
                    connection.sendall(WHOLE)
            drawn += b"".join(iter(lambda: _read(ours), b""))
    return drawn.decode()


def wait_until_full(pipe: int) -> None:
    """Wait until whoever writes to a pipe has to wait for its reader."""
    waiting = bytearray(4)
    while int.from_bytes(waiting, sys.byteorder) < 60_000:
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)


def wait_until_taken(process: int, number: int) -> None:
    """Wait until a signal that was sent to a process does not wait for it any more."""
    waiting = 1 << (number - 1)
    while waiting & (1 << (number - 1)):
        with open(f"/proc/{process}/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        waiting = int(lines["ShdPnd"], 16)


def rows(printed: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed)))


class OptionsTests(SynchronousTestCase):
    def test_with_no_url_five_of_the_environments(self) -> None:
        self.patch(os, "environ", {"NBTWISTED_URL": "http://x/"})
        self.assertEqual(urls(), ["http://x/"] * 5)
        self.assertEqual(urls("-n", "2"), ["http://x/"] * 2)
        self.assertEqual(urls("http://y/"), ["http://y/"])

    def test_with_no_url_and_no_environment(self) -> None:
        self.patch(os, "environ", {})
        self.assertEqual(urls(), ["http://127.0.0.1:8000/"] * 5)

    def test_each_url_n_times(self) -> None:
        self.assertEqual(urls("-n", "2", "a", "b"), ["a", "a", "b", "b"])

    def test_a_value_may_begin_with_a_hyphen(self) -> None:
        resolved = ["--resolve", "a:80:1.1.1.1", "--resolve", "-a:80", "x"]
        self.assertEqual(read_options(resolved).how["overrides"], {})
        self.assertEqual(read_options(["-o", "-z", "y"]).output, "-z")
        self.assertEqual(urls("-o", "-z", "-n", "2", "y"), ["y", "y"])

    def test_rates(self) -> None:
        how = read_options(["--rate", "120/m", "--rate-per-host", "0.5", "a"]).how
        self.assertEqual((how["rate"], how["rate_per_host"]), (2.0, 0.5))
        how = read_options(["a"]).how
        self.assertEqual((how["rate"], how["rate_per_host"]), (None, None))

    def test_options_between_urls(self) -> None:
        self.assertEqual(urls("a", "-c", "2", "b"), ["a", "b"])

    def test_where_tls_may_be_needed(self) -> None:
        for arguments, may in [
            (["http://a/", "b"], False),
            (["http://a/", "HTTPS://b/"], True),
            (["-L", "http://a/"], True),
            (["-k", "http://a/"], True),
            (["-i", "a"], True),
        ]:
            self.assertIs(read_options(arguments).may_need_tls, may, arguments)

    def test_a_great_many_take_no_memory(self) -> None:
        told = read_options(["-n", "9" * 18, "a"])
        self.assertEqual(told.number, 10**18 - 1)
        self.assertEqual(next(told.each_job()).url, "a")


class ProxyOptionsTests(SynchronousTestCase):
    def proxies(self, *arguments: str, **environment: str) -> list[str | None] | None:
        """Those for http and for https to `h`."""
        self.patch(os, "environ", environment)
        found = read_options([*arguments, "http://h/"]).how["proxies"]
        if found is None:
            return None
        origins = [Origin(is_tls, "h", 1) for is_tls in (False, True)]
        proxies = [found.proxy_for(origin) for origin in origins]
        return [None if proxy is None else str(proxy) for proxy in proxies]

    def test_told_or_of_the_environment(self) -> None:
        for arguments, environment, expected in [
            ([], {}, None),
            ([], {"HTTP_PROXY": "p"}, None),
            ([], {"http_proxy": "p"}, ["http://p:1080", None]),
            (["--noproxy", "h"], {"http_proxy": "p"}, [None, None]),
            (
                ["--noproxy", ""],
                {"no_proxy": "*", "http_proxy": "p"},
                ["http://p:1080", None],
            ),
            (["-x", ""], {"http_proxy": "p"}, None),
            (["-x", "q:1"], {"http_proxy": "p"}, ["http://q:1", "http://q:1"]),
            (["--proxy=socks5://q"], {}, ["socks5://q:1080"] * 2),
            (["--unix-socket", "x", "-x", ""], {"http_proxy": "p"}, None),
            (["--unix-socket", "x"], {"http_proxy": "p"}, ["http://p:1080", None]),
        ]:
            proxies = self.proxies(*arguments, **environment)
            self.assertEqual(proxies, expected, (arguments, environment))

    def test_a_variable_that_cannot_be_read(self) -> None:
        stderr = io.StringIO()
        self.patch(sys, "stderr", stderr)
        with self.assertRaises(SystemExit) as caught:
            self.proxies(https_proxy="ftp://me:secret@p")
        self.assertEqual(caught.exception.code, 2)
        self.assertIn("error: https_proxy: a proxy by 'ftp'", stderr.getvalue())
        self.assertNotIn("secret", stderr.getvalue())


class ResolveTests(SynchronousTestCase):
    def overrides(self, *entries: str) -> Any:
        arguments = [f"--resolve={entry}" for entry in entries]
        return read_options(arguments).how["overrides"]

    def test_as_curl_has_them(self) -> None:
        self.assertEqual(
            self.overrides(
                *("EXAMPLE.com:80:10.0.0.1", "b:080:10.0.0.2,[::1],::2"),
                *("*:81:10.0.0.3", "bücher.test:80:10.0.0.4", "0x7f.1:80:10.0.0.5"),
                "[::0001]:80:[::2]",
            ),
            {
                ("example.com", 80): ("10.0.0.1",),
                ("b", 80): ("10.0.0.2", "::1", "::2"),
                ("*", 81): ("10.0.0.3",),
                ("xn--bcher-kva.test", 80): ("10.0.0.4",),
                ("127.0.0.1", 80): ("10.0.0.5",),
                ("::1", 80): ("::2",),
            },
        )

    def test_the_last_counts_and_one_is_taken_back(self) -> None:
        many = ("a:80:10.0.0.1", "b:80:10.0.0.2", "a:80:10.0.0.3", "-b:80", "-c:80")
        self.assertEqual(self.overrides(*many), {("a", 80): ("10.0.0.3",)})


class RefusedOptionsTests(SynchronousTestCase):
    def test_one_line_and_exit_2(self) -> None:
        for arguments, words in [
            (["-c", "0"], "'0': expected a whole number, 1 or more"),
            (["-c", "1e3"], "expected a whole number"),
            (["-n", "x"], "expected a whole number"),
            (["--max-time=-1"], "'-1': expected seconds such as"),
            (["--max-time", "0"], "above 0"),
            (["--connect-timeout", "soon"], "expected seconds such as"),
            (["--order", "random"], "--order: 'random': expected one of 'input', "),
            (["--rate", "0"], "--rate: '0': expected requests a second such as 50"),
            (["--rate", "1e9"], "3600/h or 2/d: above 0, at most 10,000,000/s"),
            (["--rate-per-host", "2/fortnight"], "'2/fortnight': expected requests"),
            (["--rate-per-host=-1/s"], "'-1/s': expected requests a second"),
            (["--rate", "nan"], "'nan': expected requests a second"),
            (["--max-t", "1"], "unrecognized arguments: --max-t"),
            (["--first-byte-timeout", "0"], "above 0"),
            (["-H", "no colon"], "expected 'Name: value'"),
            (["-H", "A: b\r\nC: d"], "without control characters"),
            (["-H", "Content-Length: 5"], "does not frame"),
            (["--resolve", "a:80"], "as in example.com:80:127.0.0.1"),
            (["--resolve", "a:80:b"], "as in example.com:80:127.0.0.1"),
            (["--resolve", "a:99999:1.1.1.1"], "from 1 to 65535"),
            (["--resolve", "a:0:1.1.1.1"], "from 1 to 65535"),
            (["--resolve", "a:" + "0" * 5000 + "1:1.1.1.1"], "from 1 to 65535"),
            (["--resolve", "a:80:"], "as in example.com:80:127.0.0.1"),
            (["--resolve", "a:80:1.1.1.1,"], "as in example.com:80:127.0.0.1"),
            (["--resolve", ":80:1.1.1.1"], "as in example.com:80:127.0.0.1"),
            (["--resolve", "a..b:80:1.1.1.1"], "a name such as"),
            (["--resolve=-a:80:1.1.1.1"], "or -HOST:PORT"),
            (["--resolve", "+a:80:1.1.1.1"], "expected no +"),
            (["--unix-socket", "x", "--resolve", "a:80:1.1.1.1"], "no --resolve"),
            (["--unix-socket", "x", "-6"], "no --resolve, -4 or -6 beside it"),
            (
                ["--unix-socket", "x", "-x", "p"],
                "--unix-socket: expected no -x",
            ),
            (
                ["-x", "https://me:secret@p"],
                "error: -x: a proxy by 'https': ",
            ),
            (["-x", "me:secret@p:x"], "error: -x: the proxy: the port cannot be read"),
            (["--cacert", "x", "-k"], "expected no -k beside it"),
            (["-H", "A: b\0"], "without control characters"),
            (["-H", "A: b\x0bc"], "without control characters"),
            (["-H", "Ä: b"], "expected 'Name: value'"),
            (["-4", "-6"], "not allowed with"),
            (["--key", "x"], "expected --cert as well"),
            (["-i", "x", "http://a/"], "expected no URLs beside it"),
            (["--output-dir", "x", "-o", "y"], "expected no -o beside it"),
            (["--resume", ""], "--resume: '': expected a value"),
            (["--resume", "-"], "--resume -: expected a file"),
            (
                ["--resume", "s3://key:secret@b/a"],
                "--resume s3://b/a: expected a file on this machine",
            ),
            (["--resume", "x", "--resume", "y"], "--resume: expected only one"),
            (["--resume", "x", "--format", "csv"], "expected no --format but jsonl"),
            (["--resume", "x", "--output-dir", "y"], "expected no --output-dir"),
            (["--resume", "x", "-o", "-"], "-o -: expected a file, or nothing, beside"),
            (["--resume", "x", "--har", "x"], "--har x: expected another file than"),
            (["--unix-socket", "x" * 108, "http://a/"], "1 to 107 bytes"),
            (["--format", "xml"], "jsonl"),
            (["--what"], "--what"),
            (["--what\x1b[31m"], "--what\\x1b[31m"),
            (["-i", ""], "-i/--input: '': expected a value"),
            (["-i", "x", "-i", "y"], "-i/--input: expected only one"),
            (["-o", ""], "-o/--output: '': expected a value"),
            (["-o", "x", "-o", "y"], "-o/--output: expected only one"),
            (["--output-dir", ""], "--output-dir: '': expected a value"),
            (["--har", ""], "--har: '': expected a value"),
            (["--har", "x", "--har", "y"], "--har: expected only one"),
            (["--report", ""], "--report: '': expected a value"),
            (["--trace", ""], "--trace: '': expected a value"),
            (["--cacert", ""], "--cacert: '': expected a value"),
            (["--cert", ""], "--cert: '': expected a value"),
            (["--unix-socket", ""], "--unix-socket: '': expected a path"),
            (["-n"], "-n: expected a value"),
            (["-n", "-1"], "-n: '-1': expected a whole number"),
            (["-c", "-z"], "-c: '-z': expected a whole number"),
            (["--max-time", "-1s"], "--max-time: '-1s': expected seconds"),
            (["-H", "-z"], "-H/--header: '-z': expected 'Name: value'"),
            (["-o", "-L"], "-o/--output: expected a value"),
            (["-o", "--har=x"], "-o/--output: expected a value"),
            (["-o", "--", "x"], "-o/--output: expected a value"),
            (["-n", "9" * 100_000], "expected a whole number"),
            (["-f=z"], "-f/--fail: 'z': expected no value"),
        ]:
            said = self.refused(*arguments)
            self.assertRegex(said, r"\Anbtwisted get: error: .*\n\Z")
            self.assertIn(words, said, arguments)
            self.assertLess(len(said), 700)
            self.assertNotIn("secret", said)

    def refused(self, *arguments: str) -> str:
        """What is said on stderr of arguments that cannot be read."""
        stderr = io.StringIO()
        self.patch(sys, "stderr", stderr)
        with self.assertRaises(SystemExit) as caught:
            read_options(arguments)
        self.assertEqual(caught.exception.code, 2)
        return stderr.getvalue()


class AnswersTests(SynchronousTestCase):
    def test_five_raw_answers_and_the_picture(self) -> None:
        with RunningServer() as server:
            url = f"{server.url}?_delay=10ms"
            ran = run("--timeline", environment={"NBTWISTED_URL": url})
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        answers, picture = ran.stdout.split("\n\n1 ", 1)
        one = (
            r"fileno:\d+\nHTTP/1\.1 200 OK\n(?:[\w-]+: .+\n)+"
            r'\n\["wait time: 0.01sec"\]\n'
        )
        self.assertRegex(answers + "\n", f"^(?:{one}){{5}}$")
        self.assertRegex(
            picture,
            r"5 answers in [\d.]+ m?s; one after another: [\d.]+ m?s \([\d.]+x\)\n$",
        )
        self.assertNotIn("\x1b", picture)

    def test_in_the_order_asked_or_as_they_complete(self) -> None:
        for order, printed in (("input", [0, 1, 2]), ("completed", [1, 2, 0])):
            with listening() as server:
                urls = [f"{url_of(server)}{number}" for number in range(3)]
                with start("--format", "jsonl", "--order", order, *urls) as client:
                    asked = [server.accept()[0] for _ in urls]
                    by_target = {each.recv(65536).split()[1]: each for each in asked}
                    for target in (b"/1", b"/2", b"/0"):
                        with by_target[target] as connection:
                            connection.sendall(WHOLE)
                    answers, said = client.communicate(timeout=30)
            self.assertEqual((client.returncode, said), (0, ""))
            records = [json.loads(line) for line in answers.splitlines()]
            self.assertEqual([each["index"] for each in records], printed)
            for record in records:
                self.assertEqual(record["url"], urls[record["index"]])

    def test_a_thousand_at_once(self) -> None:
        with RunningServer() as server:
            before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            many = ["-n", "1000", "-c", "1000", "--format", "jsonl"]
            ran = run(*many, f"{server.url}delay/1")
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))
            records = [json.loads(line) for line in ran.stdout.splitlines()]
            self.assertEqual([each["index"] for each in records], list(range(1000)))
            self.assertEqual({each["status"] for each in records}, {200})
            # When it answers this, it has seen that all the others have left.
            server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
            after = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            # At most what this one has not let go of yet.
            self.assertLessEqual(after, before + 1)

    def test_the_picture_of_json_goes_to_stderr(self) -> None:
        with RunningServer() as server:
            ran = run("--format", "jsonl", "--timeline", f"{server.url}delay/0")
        self.assertEqual(len(ran.stdout.splitlines()), 1)
        json.loads(ran.stdout)
        self.assertIn("1 answer in", ran.stderr)

    def test_colour_only_on_a_terminal_and_without_no_color(self) -> None:
        def on_terminal(**environment: str) -> str:
            ours, theirs = pty.openpty()
            run(
                *("--timeline", "ftp://x"),
                stdout=theirs,
                environment={"COLUMNS": "60", "TERM": "xterm", **environment},
            )
            os.close(theirs)
            with os.fdopen(ours, "rb") as terminal:
                # The end of a pty reads as an I/O error.
                return b"".join(iter(lambda: _read(terminal.fileno()), b"")).decode()

        self.assertIn("\x1b[31m", on_terminal(NO_COLOR=""))
        self.assertNotIn("\x1b", on_terminal(NO_COLOR="1"))
        self.assertNotIn("\x1b", on_terminal(TERM="dumb"))

    def test_ascii_where_nothing_else_can_be_encoded(self) -> None:
        ran = run("--timeline", "ftp://x", environment={"PYTHONIOENCODING": "ascii"})
        self.assertRegex(ran.stdout, r"\n1 ftp://x  url  \.*x  ")
        self.assertTrue(ran.stdout.isascii())


class WaysTests(SynchronousTestCase):
    def test_headers_of_ones_own(self) -> None:
        with RunningServer() as server:
            ran = run(
                *("-H", "X-A: 1", "-H", "x-a: 2", "-H", "Host: other", "-H", "Accept:"),
                *("--format", "body", f"{server.url}headers"),
            )
        self.assertEqual(
            json.loads(ran.stdout)["headers"],
            {
                "Connection": "close",
                "Host": "other",
                "User-Agent": "nbtwisted/0.1.0",
                "X-A": "1,2",
            },
        )

    def test_bytes_of_headers_in_any_locale(self) -> None:
        value = "ü ☃"
        with RunningServer() as server:
            for locale in ({"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C"}):
                plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
                ran = subprocess.run(
                    [
                        *CLIENT,
                        "--format=body",
                        "-H",
                        f"X: {value}".encode(),
                        server.url + "get",
                    ],
                    stdout=subprocess.PIPE,
                    check=True,
                    env={**os.environ, **plain, **locale},
                )
                headers = json.loads(ran.stdout)["headers"]
                self.assertEqual(headers["X"], value)

    def test_where_to_connect(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with RunningServer([*BY_MODULE, "--listen", f"unix:{path}"]) as server:
                by_socket = run(
                    "--format=body", "--unix-socket", path, "http://any.invalid/get"
                )
                port = server.port
                by_name = run(
                    *("--format=body", "-4"),
                    *("--resolve", f"some.invalid:{port}:127.0.0.1"),
                    f"http://some.invalid:{port}/get",
                )
        echo = json.loads(by_socket.stdout)
        self.assertEqual(
            (echo["url"], echo["origin"]), ("http://any.invalid/get", "unix")
        )
        echo = json.loads(by_name.stdout)
        self.assertEqual(echo["url"], f"http://some.invalid:{port}/get")

    def test_limits(self) -> None:
        with RunningServer() as server:
            url = f"{server.url}get?_size=100"
            ran = run("--max-filesize", "99", url)
            self.assertEqual(ran.returncode, 63, ran.stderr)
            self.assertEqual(run("--max-filesize", "100", url).returncode, 0)
            ran = run("--max-header-size", "10", url)
            self.assertEqual(ran.returncode, 56, ran.stderr)
            ran = run("--first-byte-timeout", "100ms", f"{server.url}delay/10")
            self.assertIn("0.1 s passed while waiting for the first byte", ran.stderr)
            self.assertEqual(ran.returncode, 28)

    def test_csv(self) -> None:
        with RunningServer() as server:
            ran = run("--format", "csv", f"{server.url}bytes/7", "ftp://x,y")
            late = run(
                *("--format", "csv", "--order", "completed"),
                *(f"{server.url}delay/500ms", f"{server.url}get"),
            )
        first, second = csv.DictReader(io.StringIO(late.stdout))
        self.assertEqual((first["index"], second["index"]), ("1", "0"))
        answer, error = csv.DictReader(io.StringIO(ran.stdout))
        self.assertEqual((answer["status"], answer["bytes"]), ("200", "7"))
        self.assertEqual((answer["index"], answer["error"]), ("0", ""))
        self.assertGreater(float(answer["total"]), 0)
        self.assertEqual((error["url"], error["error"]), ("ftp://x,y", "url"))
        self.assertIn("expected http://", error["message"])

    def test_into_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            ran = run(
                "-o", f"{folder}/out", "--format", "body", f"{server.url}bytes/9?seed=1"
            )
            self.assertEqual((ran.stdout, ran.stderr, ran.returncode), ("", "", 0))
            with open(f"{folder}/out", "rb") as file:
                self.assertEqual(len(file.read()), 9)

    def test_a_file_each(self) -> None:
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            to = f"{folder}/new"
            url = f"{server.url}get?_size=9"
            ran = run("--output-dir", to, "--format=body", "-n", "3", url, "ftp://x")
            self.assertEqual((ran.stdout, ran.returncode), ("", 3))
            sizes = {name: os.path.getsize(f"{to}/{name}") for name in os.listdir(to)}
            os.symlink(f"{folder}/outside", f"{to}/0.raw")
            refused = run("--output-dir", to, url)
            self.assertFalse(os.path.exists(f"{folder}/outside"))
        self.assertEqual(refused.returncode, 23)
        self.assertEqual(
            refused.stderr,
            f"nbtwisted get: output: cannot write {to}/0.raw: it is a symbolic link\n",
        )
        self.assertEqual(sizes["0.body"], 9)
        self.assertEqual(sorted(sizes), [f"{number}.body" for number in range(6)])

    def test_ending_at_the_first_failure(self) -> None:
        with RunningServer() as server:
            held = [f"{server.url}delay/30"] * 3
            ran = run("--fail-early", *held, "ftp://x", *held)
            self.assertEqual(ran.returncode, 3)
            self.assertIn("interrupted: 0 answered, 6 not", ran.stderr)
            ran = run("--fail-early", "-f", "-c1", f"{server.url}status/500", *held)
            self.assertEqual(ran.returncode, 22)

    def test_a_reader_that_has_enough_ends_it_for_every_worker(self) -> None:
        with RunningServer() as server:
            listed = f"{server.url}get\n" * 3000
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(listed)
                file.flush()
                command = f"{' '.join(CLIENT)} -c 1 -i {file.name} | head -n 1"
                subprocess.run(
                    command, shell=True, check=False, capture_output=True, timeout=30
                )
            answer = server.ask(b"GET /__admin/stats HTTP/1.0\r\n\r\n")
        asked = json.loads(answer.partition(b"\r\n\r\n")[2])["requests"]
        self.assertLess(asked, 1000)

    def test_a_list(self) -> None:
        with RunningServer() as server:
            listed = f"\n# no\n{server.url}get?a=1\r\nftp://x\na b\n{server.url}get?a=2"
            by_pipe = run("-i", "-", "--format", "csv", input=listed)
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(f"{server.url}get?a=1\n" * 3000)
                file.flush()
                by_file = run("-i", file.name, "--format", "csv", "-n", "2")
        found = list(csv.DictReader(io.StringIO(by_pipe.stdout)))
        self.assertEqual([each["status"] for each in found], ["200", "", "", "200"])
        self.assertEqual([each["error"] for each in found], ["", "url", "url", ""])
        self.assertEqual(by_pipe.returncode, 3)
        found = list(csv.DictReader(io.StringIO(by_file.stdout)))
        self.assertEqual([int(each["index"]) for each in found], list(range(6000)))
        self.assertEqual({each["status"] for each in found}, {"200"})
        self.assertEqual((by_file.returncode, by_file.stderr), (0, ""))

    def test_a_list_of_requests_and_the_archive_of_them(self) -> None:
        with RunningServer() as server, tempfile.TemporaryDirectory() as folder:
            # Once: where there is no such deadline, it ends at once.
            stalled = f"{server.url}get?_seq=stall,empty,empty&_delay=0"
            asked: list[dict[str, object]] = [
                {"url": f"{server.url}anything", "json": {"a": "ü"}},
                {"url": f"{server.url}anything", "metod": "PUT"},
                {"url": stalled, "method": "GET", "max_time": "100ms"},
            ]
            lines = "".join(f"{json.dumps(keys)}\n" for keys in asked)
            listed = f"{server.url}anything?b\n" + lines
            har = f"{folder}/x.har"
            # The archive has them in the order in which they end.
            first = ("-i", "-", "-c", "1", "--format", "jsonl", "--har", har)
            ran = run(*first, input=listed)
            archive = Path(har).read_text()
            by_file = run("-i", har, "--format", "jsonl")
            by_pipe = run("-i", "-", "--format", "jsonl", input=archive)
            cut = run("-i", "-", "--format", "jsonl", input=archive[:-20])
            made = run(
                "-i", "-", "-X", "PUT", "-d", "x", "--format", "body", input=listed
            )
        records = [json.loads(line) for line in ran.stdout.splitlines()]
        self.assertEqual(
            [(each["method"], each["status"]) for each in records],
            [("GET", 200), ("POST", 200), (None, None), ("GET", None)],
        )
        self.assertEqual(json.loads(records[1]["body"])["json"], {"a": "ü"})
        self.assertEqual(records[2]["error"]["phase"], "input")
        self.assertEqual(ran.returncode, 26)
        self.assertIn(f"input: {server.url}anything: line 3: unknown key", ran.stderr)
        for again in (by_file, by_pipe):
            records = [json.loads(line) for line in again.stdout.splitlines()]
            self.assertEqual([each["status"] for each in records], [200, 200, None])
            self.assertEqual(json.loads(records[1]["body"])["json"], {"a": "ü"})
            self.assertEqual(again.returncode, 52)
        self.assertEqual(cut.returncode, 26)
        self.assertIn("cannot read -: it is cut short", cut.stderr)
        self.assertIn("line 4: a body from -d with method GET", made.stderr)
        bodies = re.findall('"data": "(.*)"', made.stdout)
        self.assertEqual(bodies, ["", r"{\"a\":\"\u00fc\"}"])

    def test_redirects(self) -> None:
        with RunningServer() as server:
            here = f"{server.url}redirect/2"
            asked = ["-L", "--format", "jsonl", here, f"{server.url}redirect/4"]
            ran = run(*asked, "--max-redirs", "3")
            off = run("--format", "jsonl", here)
        self.assertEqual(ran.returncode, 47)
        self.assertIn("redirect: ", ran.stderr)
        self.assertIn("more than 3 redirects", ran.stderr)
        first, second = (json.loads(line) for line in ran.stdout.splitlines())
        self.assertEqual((first["status"], first["url"]), (200, here))
        self.assertEqual(first["effective_url"], f"{server.url}get")
        self.assertEqual([hop["status"] for hop in first["history"]], [302, 302])
        self.assertEqual(len(second["history"]), 3)
        self.assertEqual(second["error"]["phase"], "redirect")
        record = json.loads(off.stdout)
        self.assertEqual(record["status"], 302)
        self.assertNotIn("history", record)

    def test_retries(self) -> None:
        again = ["--retry", "2", "--retry-delay", "10ms", "--format", "jsonl"]
        with RunningServer() as server:
            script = f"{server.url}get?_seq=503,429,200&_key="
            ran = run(*again, f"{script}a")
            enough = run("--retry", "1", *again[2:], f"{script}b")
            late = run(*again, "--retry-max-time", "0.1ms", f"{script}c&_delay=5ms")
        record = json.loads(ran.stdout)
        self.assertEqual((record["status"], record["attempts"]), (200, 3))
        self.assertEqual([each["status"] for each in record["history"]], [503, 429])
        self.assertEqual({each["then"] for each in record["history"]}, {"retry"})
        # What the server asks for comes before what chance does.
        record = json.loads(enough.stdout)
        self.assertEqual((record["status"], record["attempts"]), (429, 2))
        self.assertEqual(json.loads(late.stdout)["attempts"], 1)

    def test_no_more_of_one_host_than_it_may_have(self) -> None:
        with RunningServer() as server, RunningServer() as other:
            asked = [f"{server.url}delay/50ms"] * 6 + [f"{other.url}delay/0"]
            ran = run("--per-host", "2", "--format", "jsonl", *asked)
        records = [json.loads(line) for line in ran.stdout.splitlines()]
        self.assertEqual({each["status"] for each in records}, {200})
        # Two connections, which all six went over; and nobody waited for the other.
        of_one = {each["fileno"] for each in records if each["index"] < 6}
        self.assertEqual(len(of_one), 2)
        queued = [each["timing"]["queued"] for each in records]
        self.assertLess(queued[6], min(queued[2:6]))

    def test_below_the_limit_of_a_server_nothing_is_refused(self) -> None:
        with RunningServer() as server:
            statuses: dict[Any, list[str]] = {}
            for option in ((), ("--rate", "40/s"), ("--rate-per-host", "40/s")):
                # Fifty a second, of which five may come at once. Paced ones come one by
                # one: of those under way, a server that is late finds many at once.
                asked = f"{server.url}get?_limit=5/100ms&_key={len(statuses)}"
                many = ("-n", "25", "-c", "1" if option else "25", "--format", "csv")
                ran = run(*many, *option, asked)
                statuses[option] = [row["status"] for row in rows(ran.stdout)]
                began = [row["started"] for row in rows(ran.stdout)]
                self.assertEqual(began, sorted(began))
        unpaced, *paced = statuses.values()
        self.assertIn("429", unpaced)
        self.assertEqual(paced, [["200"] * 25] * 2)

    def test_refused_requests_come_back_in_turn(self) -> None:
        refusal = WHOLE.replace(b"200 OK", b"429 No\r\nRetry-After: 1")
        with listening() as server, tempfile.TemporaryDirectory() as folder:
            har = f"{folder}/x.har"
            asked = ("--retry", "5", "-n", "6", "--har", har, url_of(server))
            with start("--format", "jsonl", *asked) as client:
                for answer in (WHOLE, refusal, WHOLE):
                    for connection in [server.accept()[0] for _ in range(3)]:
                        with connection:
                            connection.recv(65536)
                            connection.sendall(answer)
                answers, _ = client.communicate(timeout=30)
            entries = json.loads(Path(har).read_text())["log"]["entries"]
        records = [json.loads(line) for line in answers.splitlines()]
        self.assertEqual({each["status"] for each in records}, {200})
        self.assertEqual(
            sorted(each["attempts"] for each in records), [1] * 3 + [2] * 3
        )
        began, ended = {}, {}
        for entry in entries:
            place = entry["_index"], entry["_attempt"]
            asked_at = datetime.fromisoformat(
                entry["startedDateTime"].replace("Z", "+00:00")
            ).timestamp()
            began[place] = asked_at + entry["timings"]["blocked"] / 1000
            ended[place] = asked_at + entry["time"] / 1000
        again = [place for place in began if place[1]]
        for index, _ in again:
            self.assertGreater(began[index, 1] - ended[index, 0], 0.9)
        for one, other in pairwise(sorted(began[place] for place in again)):
            self.assertGreater(other - one, 0.02)

    def test_progress(self) -> None:
        with RunningServer() as server:
            many = ["-n", "3", "-c", "1", f"{server.url}delay/150ms"]
            asked = run("--progress", *many)
            not_asked = run(*many)
        drawn = drawn_meanwhile(
            ["0/3", "1/3", "2/3"], "--format", "body", stdout=subprocess.DEVNULL
        )
        self.assertRegex(asked.stderr, r"^3/3 done .* 0:00:00 0:00:\d\d\n$")
        self.assertEqual((asked.returncode, not_asked.stderr), (0, ""))
        self.assertIn("1/3", drawn)
        self.assertIn("done", drawn)

    def test_progress_where_the_answers_are(self) -> None:
        def on_terminal(*options: str) -> str:
            ours, theirs = pty.openpty()
            many = ["-n", "3", "-c", "1", f"{server.url}?_delay=250ms"]
            run(*many, *options, stdout=theirs, stderr=theirs)
            os.close(theirs)
            with os.fdopen(ours, "rb") as terminal:
                return b"".join(iter(lambda: _read(terminal.fileno()), b"")).decode()

        # What is drawn anew hides the cursor first; what is wiped was 1/3 already.
        anew = [f"\x1b[?25l{number}/3" for number in range(3)]
        drawn = drawn_meanwhile(anew)
        # Each answer begins where its line was wiped.
        self.assertEqual(drawn.count("\x1b[2Kfileno:"), 3, drawn)
        with RunningServer() as server:
            self.assertNotIn("done", on_terminal("--format", "body"))
            self.assertNotIn("done", on_terminal("--no-progress"))

    def test_bars_that_grow_on_a_terminal(self) -> None:
        size = {"COLUMNS": "60", "LINES": "20", "TERM": "xterm"}
        pictures = [f"1 in flight, {number} of 3 answered" for number in range(3)]
        with tempfile.TemporaryFile("w+") as answers:
            drawn = drawn_meanwhile(
                pictures, "--timeline", stdout=answers, environment=size
            )
            answers.seek(0)
            printed = answers.read()
        with RunningServer() as server:
            ours, theirs = pty.openpty()
            many = ["-n", "3", "-c", "1", f"{server.url}?_delay=250ms"]
            # At the other end of a pipe may be a program that writes to the terminal.
            os.write(theirs, b"<pipe>")
            piped = run("--timeline", *many, stderr=theirs, environment=size)
            os.write(theirs, b"</pipe>")
            os.close(theirs)
            with os.fdopen(ours, "rb") as terminal:
                beside = b"".join(iter(lambda: _read(terminal.fileno()), b"")).decode()
        self.assertEqual(beside, "<pipe></pipe>")
        self.assertIn("3 answers in", piped.stdout)
        # The picture that stays is where the answers are.
        self.assertRegex(printed, r"\n3 answers in [\d.]+ s; one after another")
        self.assertNotIn("\x1b", printed)
        self.assertNotIn("one after another", drawn)

    def test_pictures_in_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            paths = [f"{folder}/{name}" for name in ("a.html", "b.har", "c.json")]
            options = zip(("--report", "--har", "--trace"), paths, strict=True)
            url = f"{server.url}get?_delay=50ms"
            ran = run(*(word for pair in options for word in pair), url, "ftp://x")
            report, har, trace = (Path(path).read_text() for path in paths)
        self.assertEqual(ran.returncode, 3)
        said = ran.stderr.splitlines()[1:]
        self.assertEqual(said, [f"nbtwisted get: wrote {path}" for path in paths])
        self.assertIn("2 requests in", report)
        (entry,) = json.loads(har)["log"]["entries"]
        self.assertEqual(entry["_asked"], 50)
        self.assertGreaterEqual(entry["_held"], 50)
        events = json.loads(trace)["traceEvents"]
        self.assertIn("held", [event["name"] for event in events])

    def test_pictures_that_cannot_be_written(self) -> None:
        for option in ("--report", "--har", "--trace"):
            ran = run(option, "/nowhere/x", "http://127.0.0.1:1/")
            # Before anything is sent: nothing else went wrong.
            self.assertEqual(
                (ran.returncode, ran.stdout, ran.stderr),
                (
                    *(23, ""),
                    "nbtwisted get: output: cannot write /nowhere/x: "
                    "No such file or directory\n",
                ),
            )
        both = run("--report", "/tmp/x", "--har", "/tmp/../tmp/x", "ftp://x")
        self.assertEqual(both.returncode, 2)
        self.assertIn("--har /tmp/../tmp/x: expected another file", both.stderr)
        self.assertEqual(run("--har", "-", "ftp://x").returncode, 2)
        # What cannot be overwritten can be named twice.
        nothing = ["-o", "/dev/null", "--har", "/dev/null"]
        self.assertEqual(run(*nothing, "ftp://x").returncode, 3)

    def test_the_list_is_not_overwritten(self) -> None:
        with tempfile.NamedTemporaryFile("w+") as urls:
            urls.write("ftp://x\n")
            urls.flush()
            ran = run("-i", urls.name, "--har", urls.name)
            self.assertEqual(Path(urls.name).read_text(), "ftp://x\n")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("expected another file than -i's", ran.stderr)

    def test_an_archive_for_which_there_is_no_room(self) -> None:
        with RunningServer() as server:
            large = f"{server.url}bytes/100000"
            ran = run("--har", "/dev/full", "--format", "csv", large, large)
        self.assertEqual(ran.returncode, 23)
        self.assertIn("output: cannot write /dev/full: No space", ran.stderr)

    def test_a_report_for_which_there_is_no_room(self) -> None:
        ran = run("--report", "/dev/full", "ftp://x")
        self.assertEqual(ran.returncode, 23)
        last = ran.stderr.splitlines()[-1]
        self.assertIn("output: cannot write /dev/full: No space", last)
        # What was answered is still there.
        self.assertIn("error: url", ran.stdout)

    def test_a_picture_of_nothing(self) -> None:
        ran = run("--timeline", "-i", "/dev/null")
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))

    def test_a_report_of_what_was_interrupted(self) -> None:
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            report = f"{folder}/report.html"
            urls = [f"{server.url}delay/0", f"{server.url}delay/60"]
            with start("--report", report, "--order", "completed", *urls) as client:
                assert client.stdout is not None
                client.stdout.readline()
                client.send_signal(signal.SIGINT)
                _, said = client.communicate()
            written = Path(report).read_text()
        self.assertEqual(client.returncode, 130)
        self.assertIn('"outcome":"interrupted"', written)
        # The last line is still that of the counts.
        self.assertEqual(
            said.splitlines()[-1], "nbtwisted get: interrupted: 1 answered, 1 not"
        )

    def test_ascii_when_told_so(self) -> None:
        ran = run("--timeline", "--ascii", "ftp://x")
        self.assertTrue(ran.stdout.isascii(), ran.stdout)

    def test_https(self) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        with tempfile.TemporaryDirectory() as folder:
            issued.private_key_and_cert_chain_pem.write_to_path(f"{folder}/both.pem")
            authority.cert_pem.write_to_path(f"{folder}/authority.pem")
            where = f"ssl:0:interface=127.0.0.1:privateKey={folder}/both.pem"
            with RunningServer([*BY_MODULE, "--listen", where]) as server:
                url = server.next_line().split()[-1] + "get"
                refused = run(url)
                trusted = run(
                    "--format=jsonl", "--cacert", f"{folder}/authority.pem", url
                )
                insecure = run("-k", "--format=body", url)
        self.assertEqual(refused.returncode, 60)
        self.assertIn("tls: ", refused.stderr)
        self.assertIn("the certificate was refused for its authority", refused.stderr)
        record = json.loads(trusted.stdout)
        self.assertEqual(record["status"], 200)
        self.assertGreater(record["timing"]["tls"], 0)
        self.assertEqual(json.loads(insecure.stdout)["url"], url)


class FailuresTests(SynchronousTestCase):
    def one_line(self, ran: subprocess.CompletedProcess[str], code: int) -> str:
        self.assertEqual(ran.returncode, code, ran.stderr)
        self.assertEqual(ran.stderr.count("\n"), 1, ran.stderr)
        self.assertTrue(ran.stderr.startswith("nbtwisted get: "), ran.stderr)
        return ran.stderr

    def test_bad_input(self) -> None:
        self.assertIn("'1e3': expected", self.one_line(run("-c", "1e3"), 2))
        for arguments, code, words in [
            (["ftp://x"], 3, "url: ftp://x: scheme 'ftp': expected http://"),
            (["http://"], 3, "no host: expected http://"),
            (["http://host:99999/"], 3, "from 1 to 65535"),
            (["http://a b/"], 3, "no spaces"),
            (["http://a/\r\nX: y"], 3, "no control characters"),
            (["--cacert", "/nowhere"], 58, "cannot read /nowhere: No such file"),
            (["--cacert", "/"], 58, "cannot read /: Is a directory"),
            (["--cacert", os.devnull], 58, "expected certificates"),
            (["-i", "/nowhere"], 26, "cannot read /nowhere: No such file"),
            (["-i", "/"], 26, "cannot read /: Is a directory"),
            (["--output-dir", "/dev/null/x"], 23, "cannot write /dev/null/x"),
            (["-o", "/nowhere/x"], 23, "cannot write /nowhere/x: No such file"),
            (["-6", "http://127.0.0.1/"], 6, "expected an IPv6 address"),
            (["-6", "127.1"], 6, "expected an IPv6 address"),
            (["-4", "[::1]:1"], 6, "expected an IPv4 address"),
            (["--unix-socket", "/nowhere", "http://a/"], 7, "/nowhere: No such file"),
        ]:
            ran = run(*arguments)
            self.assertIn(words, self.one_line(ran, code), arguments)

    def test_a_status_that_is_a_failure(self) -> None:
        with RunningServer() as server:
            good, bad = f"{server.url}status/399", f"{server.url}status/400"
            self.assertEqual(run("-f", good).returncode, 0)
            self.assertEqual(run(bad.removeprefix("http://")).returncode, 0)
            ran = run("-f", good, bad)
        self.assertEqual((ran.returncode, ran.stderr), (22, ""))
        self.assertEqual(ran.stdout.count("fileno:"), 2)

    def test_nobody_there(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            ran = run(f"http://127.0.0.1:{taken.getsockname()[1]}/")
        self.assertIn("Connection refused", self.one_line(ran, 7))

    def test_no_proxy_there_and_no_url_named(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            proxy = f"127.0.0.1:{taken.getsockname()[1]}"
            environment = {"NBTWISTED_URL": f"http://{proxy}/", "http_proxy": proxy}
            ran = run("-n", "1", environment=environment)
            self.assertEqual(ran.returncode, 7)
            self.assertIn(f": the proxy http://{proxy}: ", ran.stderr)
            self.assertNotIn("nobody answers", ran.stderr)
            # It has nothing to do with it here.
            ran = run("-n", "1", "--noproxy", "127.0.0.1", environment=environment)
            self.assertIn("nobody answers", ran.stderr)

    def test_nobody_there_and_no_url_named(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            ran = run("-n", "1", environment={"NBTWISTED_URL": url})
        self.assertEqual(ran.returncode, 7)
        self.assertRegex(
            ran.stderr,
            rf"nobody answers at {url} \(NBTWISTED_URL\): start a server with "
            r"'nbtwisted serve', or name a URL\n$",
        )
        ran = run("-n", "1", environment={"NBTWISTED_URL": "ftp://x"})
        self.assertEqual(ran.returncode, 3)
        self.assertTrue(
            ran.stderr.endswith("URL in NBTWISTED_URL, or as an argument\n")
        )
        # Somebody is there.
        with RunningServer() as server:
            broken = {"NBTWISTED_URL": f"{server.url}?_delay=0&_fault=empty"}
            ran = run("-n", "1", environment=broken)
        self.assertEqual(ran.returncode, 52)
        self.assertNotIn("nbtwisted serve", ran.stderr)

    def test_unknown_host(self) -> None:
        ran = run("http://nothing.invalid/")
        self.assertIn("'nothing.invalid'", self.one_line(ran, 6))

    def test_too_slow(self) -> None:
        with RunningServer() as server:
            late = ["--max-time", "100ms", f"{server.url}delay/10"]
            ran = run(*late)
            drawn = run("--timeline", *late).stdout
        self.assertIn("0.1 s passed while waiting", self.one_line(ran, 28))
        self.assertRegex(drawn, r"deadline  [·╌─]+╳  [\d.]+ m?s")

    def test_in_its_place_among_the_answers_and_once_more_on_stderr(self) -> None:
        with RunningServer() as server:
            good = f"{server.url}?_delay=0"
            apart = run(good, "ftp://x", "http://", good)
            together = run(good, "ftp://x", good, stderr=subprocess.STDOUT)
        self.assertEqual(apart.returncode, 3)
        firsts = [line.split(" ")[0] for line in apart.stdout.split("\n")]
        self.assertEqual(
            [each for each in firsts if each in ("error:", "HTTP/1.1")],
            ["HTTP/1.1", "error:", "error:", "HTTP/1.1"],
        )
        self.assertIn("\nfileno:-\nerror: url: ftp://x: scheme", apart.stdout)
        self.assertEqual(apart.stderr.count("\n"), 2)
        # Where both streams are one, once is enough.
        self.assertEqual(together.stdout.count("ftp://x"), 1)

    def test_the_exit_code_is_that_of_the_first_failure_asked_for(self) -> None:
        with RunningServer() as server:
            slow = f"{server.url}delay/10"
            ran = run("--max-time", "200ms", f"{server.url}delay/0", slow, "ftp://x")
        self.assertEqual(ran.returncode, 28)

    def test_the_server_dies_in_the_middle_of_five_waits(self) -> None:
        with (
            RunningServer() as server,
            start("-n", "5", f"{server.url}delay/30") as client,
        ):
            wait_until_held(server, 5)
            server.stop(signal.SIGKILL)
            _, said = client.communicate(timeout=30)
        self.assertIn(client.returncode, (52, 56))
        self.assertEqual(said.count("\n"), 5, said)
        self.assertEqual(len(re.findall("first byte: http://", said)), 5, said)


class InterruptionTests(SynchronousTestCase):
    def test_what_was_answered_is_printed_and_both_are_counted(self) -> None:
        with RunningServer() as server:
            urls = [f"{server.url}?_delay=0", *[f"{server.url}delay/30"] * 3]
            with start("-c", "3", *urls) as client:
                wait_until_held(server, 3)
                client.send_signal(signal.SIGINT)
                answers, said = client.communicate(timeout=30)
        self.assertEqual(client.returncode, 130)
        self.assertIn('["wait time: 0sec"]', answers)
        self.assertEqual(answers.count("error: interrupted: "), 3, answers)
        self.assertEqual(said, "nbtwisted get: interrupted: 1 answered, 3 not\n")

    def test_of_a_list_that_has_not_come_to_its_end(self) -> None:
        with (
            RunningServer() as server,
            warm_start.Popen(
                [*CLIENT, "-i", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as client,
        ):
            assert client.stdin is not None
            client.stdin.write(f"{server.url}delay/30\n" * 2)
            client.stdin.flush()
            wait_until_held(server, 2)
            client.terminate()
            _, said = client.communicate(timeout=30)
        self.assertEqual(client.returncode, 128 + signal.SIGTERM)
        self.assertEqual(said, "nbtwisted get: interrupted: 0 answered, 2 not\n")

    def test_where_it_was_told_to_ignore_that(self) -> None:
        with listening() as server:
            command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *CLIENT]
            with subprocess.Popen(
                [*command, url_of(server)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as client:
                with server.accept()[0] as connection:
                    connection.recv(65536)
                    client.send_signal(signal.SIGINT)
                    connection.sendall(WHOLE)
                answers, said = client.communicate(timeout=30)
        self.assertEqual((client.returncode, said), (0, ""))
        self.assertIn("200 OK", answers)

    def test_a_terminal_that_closes(self) -> None:
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            files = ("--har", f"{folder}/har", "--trace", f"{folder}/trace")
            urls = (f"{server.url}get", f"{server.url}delay/30")
            with start(*files, "--report", f"{folder}/report", *urls) as client:
                assert client.stdout is not None
                client.stdout.readline()
                wait_until_held(server, 1)
                client.send_signal(signal.SIGHUP)
                answers, said = client.communicate(timeout=30)
            self.assertEqual(client.returncode, 128 + signal.SIGHUP)
            self.assertIn("nbtwisted get: interrupted: 1 answered, 1 not\n", said)
            self.assertIn("error: interrupted: ", answers)
            self.assert_complete(folder)

    def test_a_terminal_that_is_gone(self) -> None:
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            files = ("--har", f"{folder}/har", "--trace", f"{folder}/trace")
            urls = (f"{server.url}get", f"{server.url}delay/30")
            ours, theirs = pty.openpty()
            client = warm_start.Popen(
                [*CLIENT, *files, "--report", f"{folder}/report", *urls],
                stdout=theirs,
                stderr=theirs,
            )
            os.close(theirs)
            # Of a machine that is slow, the line of how far it is comes first.
            said = b""
            while b"fileno:" not in said:
                said += os.read(ours, 10)
            wait_until_held(server, 1)
            os.close(ours)
            client.send_signal(signal.SIGHUP)
            self.assertEqual(client.wait(30), 128 + signal.SIGHUP)
            self.assert_complete(folder)

    def test_nobody_is_late_while_it_waits_for_who_reads_its_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            os.mkfifo(f"{folder}/har")
            reading = os.open(f"{folder}/har", os.O_RDONLY | os.O_NONBLOCK)
            self.addCleanup(os.close, reading)
            urls = (f"{server.url}bytes/300000", f"{server.url}delay/1300ms")
            told = ("--har", f"{folder}/har", "--max-time", "1s", "--format", "csv")
            with start(*told, *urls) as client:
                wait_until_full(reading)
                # Until the other is answered, which is later than it may be.
                wait_until_held(server, 0)
                os.set_blocking(reading, True)
                while os.read(reading, 1_000_000):
                    pass
                answers, _ = client.communicate(timeout=30)
        self.assertEqual([row["status"] for row in rows(answers)], ["200", "200"])

    def test_a_second_signal_completes_the_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            files = ("--har", f"{folder}/har", "--trace", f"{folder}/trace")
            # Nobody reads this, and so it hangs in what it writes.
            urls = (f"{server.url}get", f"{server.url}bytes/1000000")
            with start(*files, "--report", f"{folder}/report", *urls) as client:
                assert client.stdout is not None
                wait_until_full(client.stdout.fileno())
                client.send_signal(signal.SIGINT)
                client.send_signal(signal.SIGTERM)
                self.assertEqual(client.wait(30), -signal.SIGTERM)
            self.assert_complete(folder)

    def test_what_a_signal_interrupts_is_written_whole(self) -> None:
        with RunningServer() as server:
            # Python's own stream would leave out the rest.
            environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
            with subprocess.Popen(
                [*CLIENT, "--format", "body", f"{server.url}bytes/1000000"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            ) as client:
                assert client.stdout is not None
                wait_until_full(client.stdout.fileno())
                client.send_signal(signal.SIGINT)
                wait_until_taken(client.pid, signal.SIGINT)
                answer, _ = client.communicate(timeout=30)
        self.assertEqual(len(answer), 1_000_000)

    def assert_complete(self, folder: str) -> None:
        with open(f"{folder}/har") as har, open(f"{folder}/trace") as trace:
            urls = [
                entry["request"]["url"] for entry in json.load(har)["log"]["entries"]
            ]
            self.assertTrue(urls[0].endswith("/get"), urls)
            self.assertTrue(json.load(trace)["traceEvents"])
        with open(f"{folder}/report") as report:
            self.assertTrue(report.read().endswith("</html>\n"))

    def test_those_not_sent_yet_are_marked_as_well(self) -> None:
        with (
            RunningServer() as server,
            start("-c", "1", "-n", "4", f"{server.url}delay/30") as client,
        ):
            wait_until_held(server, 1)
            client.send_signal(signal.SIGINT)
            answers, said = client.communicate(timeout=30)
        self.assertEqual(answers.count("error: interrupted: "), 4, answers)
        self.assertEqual(said, "nbtwisted get: interrupted: 0 answered, 4 not\n")

    def test_sigterm_is_the_same_but_for_the_exit_code(self) -> None:
        with (
            RunningServer() as server,
            start("-c", "2", "-n", "4", f"{server.url}delay/30") as client,
        ):
            wait_until_held(server, 2)
            client.terminate()
            answers, said = client.communicate(timeout=30)
        self.assertEqual(client.returncode, 128 + signal.SIGTERM)
        self.assertEqual(answers.count("error: interrupted: "), 4, answers)
        self.assertEqual(said, "nbtwisted get: interrupted: 0 answered, 4 not\n")

    def test_each_answer_is_printed_as_soon_as_its_turn_comes(self) -> None:
        with (
            RunningServer() as server,
            start(f"{server.url}?_delay=0", f"{server.url}delay/30") as client,
        ):
            assert client.stdout is not None
            self.assertRegex(client.stdout.readline(), "fileno:")
            self.assertIsNone(client.poll())
            client.terminate()
            client.communicate(timeout=30)


class OutputTests(SynchronousTestCase):
    def test_where_complaints_cannot_go_answers_still_do(self) -> None:
        with RunningServer() as server:
            urls = ["ftp://x", f"{server.url}?_delay=0", f"{server.url}?_delay=10ms"]
            with open("/dev/full", "wb") as full:
                ran = run(*urls, stderr=full)
            closed = subprocess.run(
                ["sh", "-c", 'exec "$@" 2>&-', "sh", *CLIENT, "--format=jsonl", *urls],
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
        self.assertEqual(ran.returncode, 3)
        self.assertEqual(ran.stdout.count('["wait time: '), 2)
        self.assertEqual(closed.returncode, 3)
        records = [json.loads(line) for line in closed.stdout.splitlines()]
        self.assertEqual([each["status"] for each in records], [None, 200, 200])

    def test_a_slow_reader_makes_no_answer_late(self) -> None:
        # More than a pipe holds, and more than one turn of the reactor reads.
        body = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 400_000
        with socket.create_server(("127.0.0.1", 0)) as listening, RunningServer() as it:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            with subprocess.Popen(
                [*CLIENT, "--max-time", "2", "-n", "2", url],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as client:
                connections = [listening.accept()[0] for _ in range(2)]
                for connection in connections:
                    connection.recv(65536)
                # The one is printed, to nobody, before the other has come.
                for connection in connections:
                    connection.sendall(body)
                    connection.close()
                    it.ask(b"GET /delay/300ms HTTP/1.0\r\n\r\n")
                # Read nothing until the other is overdue.
                it.ask(b"GET /delay/2 HTTP/1.0\r\n\r\n")
                answers, said = client.communicate(timeout=30)
        self.assertEqual((client.returncode, said), (0, b""))
        self.assertEqual(answers.count(b"200 OK"), 2)

    def test_more_at_once_than_files_may_be_open(self) -> None:
        def with_files(number: int) -> subprocess.CompletedProcess[str]:
            command = f'ulimit -n {number}; exec "$@"'
            many = [*CLIENT, "-n", "50", "-c", "50", "--format=jsonl"]
            return subprocess.run(
                ["bash", "-c", command, "bash", *many, f"{server.url}?_delay=10ms"],
                capture_output=True,
                text=True,
                check=False,
                # It would hold some of them.
                env=without_coverage(),
            )

        with RunningServer() as server:
            some, few, too_few = with_files(40), with_files(16), with_files(8)
        for ran in (some, few):
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertEqual(ran.stdout.count('"status": 200'), 50)
            self.assertRegex(
                ran.stderr,
                r"^nbtwisted get: -c 50: this process may open no more than for "
                r"-c [1-9]\d*\n$",
            )
        self.assertEqual(too_few.returncode, 2)
        self.assertEqual(
            too_few.stderr,
            "nbtwisted: error: this process may open 8 files: expected at least 16 "
            "(ulimit -n)\n",
        )

    def test_nowhere_to_read(self) -> None:
        ran = subprocess.run(
            ["sh", "-c", 'exec "$@" <&-', "sh", *CLIENT, "-i", "-"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ran.returncode, 26)
        self.assertIn("standard input is closed", ran.stderr)

    def test_nobody_who_writes_the_list_yet(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.mkfifo(f"{folder}/list")
            with start("-i", f"{folder}/list", "-o", f"{folder}/made") as client:
                # By then it is about to wait for the other end.
                while not os.path.exists(f"{folder}/made"):
                    self.assertIsNone(client.poll())
                client.terminate()
                client.communicate(timeout=30)
        self.assertEqual(client.returncode, -signal.SIGTERM)

    def test_nowhere_to_write(self) -> None:
        ran = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *CLIENT, "ftp://x"],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        self.assertEqual(ran.returncode, 23)
        self.assertIn("standard output is closed", ran.stderr)

    def test_no_room_for_the_picture(self) -> None:
        urls = ["ftp://x"] * 9
        with open("/dev/full", "wb") as full:
            aside = run("--timeline", "--format", "jsonl", *urls, stderr=full)
        self.assertEqual((aside.returncode, len(aside.stdout.splitlines())), (3, 9))
        # Nine errors take less than 1 KiB, and nine bars take more.
        command = 'ulimit -f 1; exec "$@"'
        with tempfile.TemporaryDirectory() as folder:
            into = ["-o", f"{folder}/all"]
            ran = subprocess.run(
                ["bash", "-c", command, "bash", *CLIENT, "--timeline", *into, *urls],
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env={**without_coverage(), "COLUMNS": "200"},
            )
        self.assertEqual(ran.returncode, 23)
        self.assertIn("cannot write: File too large", ran.stderr)

    def test_a_full_disk(self) -> None:
        with open("/dev/full", "wb") as full:
            ran = run("ftp://x", "ftp://y", stdout=full)
        self.assertEqual(ran.returncode, 23)
        self.assertEqual(
            ran.stderr,
            "nbtwisted get: output: cannot write: No space left on device\n",
        )

    def test_an_archive_that_fills_its_disk(self) -> None:
        # Room for what coverage notes, and not for these bodies.
        command = 'ulimit -f 512; exec "$@"'
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            har = f"{folder}/x.har"
            get = [*CLIENT, "--har", har, "-n", "10", f"{server.url}bytes/100000"]
            ran = subprocess.run(
                ["bash", "-c", command, "bash", *get],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            with open(har, encoding="utf-8") as file:
                kept = len(json.load(file)["log"]["entries"])
        self.assertEqual(ran.returncode, 23)
        self.assertIn(f"cannot write {har}: File too large\n", ran.stderr)
        self.assertIn(kept, range(1, 10))

    def test_a_disk_that_fills(self) -> None:
        # What a quota does, as far as this process may be told: no file over 1 KiB.
        command = 'ulimit -f 1; exec "$@"'
        with tempfile.TemporaryDirectory() as folder, RunningServer() as server:
            for option, named in [
                (["-o", f"{folder}/all"], ""),
                (["--output-dir", f"{folder}/each"], f" {folder}/each/1.raw"),
            ]:
                small, large = f"{server.url}get", f"{server.url}bytes/5000"
                ran = subprocess.run(
                    [*("bash", "-c", command, "bash"), *CLIENT, *option, small, large],
                    capture_output=True,
                    text=True,
                    check=False,
                    env=without_coverage(),
                )
                self.assertEqual(ran.returncode, 23)
                self.assertEqual(
                    ran.stderr,
                    f"nbtwisted get: output: cannot write{named}: File too large\n",
                )

    def test_a_reader_that_leaves(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        ran = run("ftp://x", stdout=writing)
        os.close(writing)
        self.assertEqual(ran.returncode, 23)
        self.assertEqual(
            ran.stderr, "nbtwisted get: output: cannot write: Broken pipe\n"
        )


def wait_until_held(server: RunningServer, number: int) -> None:
    """Return when the server holds that many answers."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        answer = server.ask(b"GET /__admin/stats HTTP/1.0\r\n\r\n")
        stats = json.loads(answer.partition(b"\r\n\r\n")[2])
        if stats["in_flight"] == number:
            return
    raise AssertionError(f"never {number} requests at once")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
