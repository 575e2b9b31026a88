"""`nbtwisted get --resume` as people run it, stopped and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import warm_start
from tests.client.test_command import CLIENT, run, start
from tests.server.running import RunningServer


class RunCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "out.jsonl"
        self.list = self.folder / "list"

    def write_list(self, *entries: str) -> None:
        self.list.write_text("".join(f"{entry}\n" for entry in entries))

    def resume(
        self, *arguments: str, code: int = 0, **how: Any
    ) -> subprocess.CompletedProcess[str]:
        ran = run("-i", str(self.list), "--resume", str(self.path), *arguments, **how)
        self.assertEqual((ran.returncode, ran.stdout), (code, ""), ran.stderr)
        return ran

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """One that is to read the list from the test, and goes on while it does."""
        return warm_start.Popen(
            [*CLIENT, "-i", "-", "--resume", str(self.path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def give(self, client: subprocess.Popen[str], number: int) -> None:
        """Let it read so many entries of the list."""
        assert client.stdin is not None
        entries = self.list.read_text().splitlines(keepends=True)
        client.stdin.write("".join(entries[:number]))
        client.stdin.flush()

    def resumed(self, before: int, now: int) -> str:
        """What the end of a run says of its file."""
        return (
            f"nbtwisted get: resumed {self.path}: {before} were answered, "
            f"{now} asked now\n"
        )

    def records(self, path: Path | None = None) -> list[dict[str, Any]]:
        lines = (path or self.path).read_text().splitlines()
        return [json.loads(line) for line in lines]

    def indices(self, path: Path | None = None) -> list[int]:
        return [record["index"] for record in self.records(path)]


def asked(server: RunningServer) -> Counter[str]:
    """How often each target was asked for."""
    answer = server.ask(b"GET /__admin/requests HTTP/1.0\r\n\r\n")
    journal = json.loads(answer.partition(b"\r\n\r\n")[2])["requests"]
    return Counter(f"{entry['method']} {entry['target']}" for entry in journal)


def wait_for_lines(path: Path, number: int) -> None:
    """Wait until another process has written so many."""
    while not path.exists() or path.read_bytes().count(b"\n") < number:
        os.sched_yield()


class StoppedTests(RunCase):
    NUMBER = 300

    def stop_and_resume(self, by: int, *, after: int, code: int) -> None:
        """What was answered is not asked again, and the file becomes whole."""
        with RunningServer() as server:
            urls = [
                f"{server.url}anything?n={n}&_delay=5ms" for n in range(self.NUMBER)
            ]
            methods = [("GET", "HEAD", "POST")[n % 3] for n in range(self.NUMBER)]
            more: Sequence[dict[str, str]] = ({}, {"method": "HEAD"}, {"json": "x"})
            self.write_list(
                *(json.dumps({"url": url, **more[n % 3]}) for n, url in enumerate(urls))
            )
            with self.start("-c", "20") as client:
                # Without the last: it waits for its line.
                self.give(client, self.NUMBER - 1)
                wait_for_lines(self.path, after)
                client.send_signal(by)
                _, said = client.communicate()
            self.assertEqual(client.returncode, code, said)
            left = self.path.read_bytes()
            there = [json.loads(line) for line in left.split(b"\n")[:-1]]
            self.assertTrue(all(record["error"] is None for record in there))
            self.assertLess(len(there), self.NUMBER)
            before = asked(server)
            ran = self.resume("-c", "20")
            now = asked(server) - before
        answered = {record["index"] for record in there}
        self.assertEqual(
            now,
            Counter(
                f"{methods[n]} /anything?n={n}&_delay=5ms"
                for n in range(self.NUMBER)
                if n not in answered
            ),
        )
        self.assertEqual(
            ran.stderr, self.resumed(len(answered), self.NUMBER - len(answered))
        )
        self.assertEqual(self.indices(), list(range(self.NUMBER)))
        self.assertEqual([record["url"] for record in self.records()], urls)
        self.assertEqual([record["method"] for record in self.records()], methods)
        self.assertEqual({record["status"] for record in self.records()}, {200})
        self.assertEqual(
            sorted(os.listdir(self.folder)), [self.list.name, self.path.name]
        )

    def test_by_sigterm(self) -> None:
        self.stop_and_resume(signal.SIGTERM, after=37, code=143)

    def test_by_sigkill(self) -> None:
        for after in (1, 120):
            self.path.unlink(missing_ok=True)
            self.stop_and_resume(signal.SIGKILL, after=after, code=-signal.SIGKILL)

    def test_twice_interrupted(self) -> None:
        with RunningServer() as server:
            held = [f"{server.url}delay/60"] * 2
            flaky = f"{server.url}?_seq=empty,200&_delay=0"
            self.write_list(f"{server.url}get", *held, flaky)
            arguments = ("-i", str(self.list), "--resume", str(self.path))
            said = []
            for lines in (2, 3):
                with start(*arguments) as client:
                    wait_for_lines(self.path, lines)
                    client.send_signal(signal.SIGINT)
                    said += client.communicate()[1].splitlines(keepends=True)
                self.assertEqual(client.returncode, 130)
        self.assertEqual(
            said[1:],
            [
                "nbtwisted get: interrupted: 1 answered, 2 not\n",
                self.resumed(1, 1),
                "nbtwisted get: interrupted: 2 answered, 2 not\n",
            ],
        )
        # Of what was begun again, both records are there.
        self.assertEqual(sorted(self.indices()), [0, 3, 3])

    def test_counted_where_the_number_is_known(self) -> None:
        with RunningServer() as server:
            url = f"{server.url}?_seq=200,stall&_delay=0"
            with start("-n", "3", "-c", "1", "--resume", str(self.path), url) as client:
                wait_for_lines(self.path, 1)
                client.send_signal(signal.SIGINT)
                said = client.communicate()[1]
        self.assertEqual(said, "nbtwisted get: interrupted: 1 answered, 2 not\n")


class GoingOnTests(RunCase):
    def test_what_failed(self) -> None:
        with RunningServer() as server:
            urls = [
                f"{server.url}?_seq=empty,200&_delay=0",
                "ftp://x",
                f"{server.url}?_seq=404,200&_delay=0",
            ]
            self.write_list(*urls)
            first = self.resume(code=52)
            self.assertIn("first byte: ", first.stderr)
            self.assertEqual(self.indices(), [0, 1, 2])
            again = self.resume(code=3)
            self.assertEqual(again.stderr.splitlines()[-1:], [self.resumed(1, 2)[:-1]])
            third = self.resume("-f", code=3)
            self.assertEqual(third.stderr.splitlines()[-1:], [self.resumed(1, 2)[:-1]])
        statuses = [record["status"] for record in self.records()]
        self.assertEqual(statuses, [200, None, 200])

    def test_a_failure_that_stays_one(self) -> None:
        with RunningServer() as server:
            self.write_list(f"{server.url}status/404", f"{server.url}get")
            self.resume()
            ran = self.resume("-f", code=22)
        self.assertEqual(ran.stderr, self.resumed(1, 1))
        self.assertEqual(self.indices(), [0, 1])

    def test_the_first_failure_ends_it(self) -> None:
        with RunningServer() as server:
            self.write_list(f"{server.url}?_fault=empty", f"{server.url}delay/60")
            ran = self.resume("-c1", "--fail-early", code=52)
        self.assertIn("interrupted: 0 answered, 1 not", ran.stderr)
        self.assertEqual(self.indices(), [0])

    def test_what_another_format_began(self) -> None:
        with RunningServer() as server:
            self.write_list(*(f"{server.url}get?n={n}" for n in range(4)))
            arguments = ("-i", str(self.list), "--format", "jsonl")
            ran = run(*arguments)
            # Cut in the middle of its third line.
            self.path.write_text(ran.stdout[: 2 * len(ran.stdout) // 3])
            ran = self.resume()
        self.assertEqual(ran.stderr, self.resumed(2, 2))
        self.assertEqual(self.indices(), [0, 1, 2, 3])

    def test_to_another_file(self) -> None:
        other = self.folder / "other.jsonl"
        with RunningServer() as server:
            self.write_list(*(f"{server.url}get?n={n}" for n in range(3)))
            self.resume()
            _, second, third = self.path.read_text().splitlines(keepends=True)
            self.path.write_text(third + second[:-30])
            ran = self.resume("-o", str(other))
            self.assertEqual(ran.stderr, self.resumed(1, 2))
            self.assertEqual(self.path.read_text(), third + second[:-30])
            self.assertEqual(self.indices(other), [0, 1, 2])
            # By another name it is the same file.
            ran = self.resume("-o", f"{self.folder}/../{self.folder.name}/out.jsonl")
        self.assertEqual(self.indices(), [0, 1, 2])

    def test_urls_and_copies(self) -> None:
        with RunningServer() as server:
            urls = [f"{server.url}get?a", f"{server.url}get?b"]
            resume = ("--resume", str(self.path), "-n", "3", "--format", "jsonl")
            self.assertEqual(run(*resume, *urls).stderr, "")
            lines = self.path.read_text().splitlines(keepends=True)
            self.path.write_text("".join(lines[1:5]))
            before = asked(server)
            ran = run(*resume, "--order", "input", *urls)
            now = asked(server) - before
        self.assertEqual((ran.returncode, ran.stderr), (0, self.resumed(4, 2)))
        self.assertEqual(now, Counter({"GET /get?a": 1, "GET /get?b": 1}))
        self.assertEqual(self.indices(), list(range(6)))

    def test_pictures_have_what_was_asked_now(self) -> None:
        har = self.folder / "a.har"
        with RunningServer() as server:
            self.write_list(*(f"{server.url}get?n={n}" for n in range(3)))
            self.resume()
            lines = self.path.read_text().splitlines(keepends=True)
            self.path.write_text(lines[0] + lines[2])
            ran = self.resume("--timeline", "--har", str(har), "--progress")
        (entry,) = json.loads(har.read_text())["log"]["entries"]
        self.assertEqual(entry["_index"], 1)
        self.assertIn("\n2 ", ran.stderr)
        self.assertIn("1 answer in", ran.stderr)

    def test_progress_counts_what_was_answered(self) -> None:
        with RunningServer() as server:
            urls = [f"{server.url}?_delay=0"] + [f"{server.url}?_delay=500ms"] * 2
            resume = ("--resume", str(self.path))
            run(*resume, urls[0])
            ran = run(*resume, "--progress", "-c1", *urls)
        self.assertIn("3/3 done", ran.stderr)

    def test_a_long_list_of_which_all_is_answered(self) -> None:
        with RunningServer() as server:
            url = f"{server.url}get"
            run("--resume", str(self.path), url)
            (line,) = self.path.read_text().splitlines()
            lines = [
                line.replace('"index": 0', f'"index": {index}') for index in range(3000)
            ]
            self.path.write_text("\n".join(lines))
            self.write_list(*[url] * 3001)
            ran = self.resume()
        self.assertEqual(ran.stderr, self.resumed(3000, 1).replace("3000", "3,000"))
        self.assertEqual(self.indices(), list(range(3001)))


class RefusedTests(RunCase):
    def refused(self, *arguments: str, code: int = 26) -> str:
        """The one line that is said; the file stays as it is."""
        before = self.path.read_bytes() if self.path.is_file() else None
        ran = self.resume(*arguments, code=code)
        if before is not None:
            self.assertEqual(self.path.read_bytes(), before)
        self.assertRegex(ran.stderr, r"\Anbtwisted get: .*\n\Z")
        return ran.stderr

    def test_no_records(self) -> None:
        self.write_list("ftp://x")
        self.path.write_text("http://x/\n")
        self.assertIn(
            f"error: cannot resume {self.path}: line 1: expected a record of "
            "'nbtwisted get --format jsonl'\n",
            self.refused(),
        )
        other = self.folder / "other"
        other.write_text("kept")
        self.refused("-o", str(other))
        self.assertEqual(other.read_text(), "kept")

    def test_another_list(self) -> None:
        with RunningServer() as server:
            urls = [f"{server.url}get?n={n}" for n in range(3)]
            self.write_list(*urls)
            self.resume()
            self.write_list(urls[0], urls[2], urls[1])
            self.assertIn(
                f"line 2 is of GET {urls[1]} at index 1, where the list has GET "
                f"{urls[2]}: expected the list that it was made with",
                self.refused(),
            )
            self.write_list(*urls[:2])
            self.assertIn(
                f"line 3 is of GET {urls[2]} at index 2, where the list has "
                "2 requests: expected",
                self.refused(),
            )
            # What was under way is not lost.
            lines = self.path.read_text().splitlines(keepends=True)
            self.path.write_text(lines[2])
            self.write_list(urls[0], urls[1], urls[0])
            self.resume(code=26)
        self.assertEqual(self.indices(), [2, 0, 1])

    def test_what_is_no_file(self) -> None:
        self.write_list("ftp://x")
        self.path.mkdir()
        self.assertIn(f"cannot resume {self.path}: Is a directory", self.refused())
        self.path.rmdir()
        os.mkfifo(self.path)
        self.assertIn("expected a file, and no pipe or device", self.refused())
        self.path.unlink()
        self.path.symlink_to("/nowhere/x")
        self.assertIn("No such file or directory", self.refused())
        self.path.unlink()
        self.assertIn(
            "output: cannot write /nowhere/x: No such file",
            self.refused("-o", "/nowhere/x", code=23),
        )

    def test_one_that_is_being_written(self) -> None:
        with RunningServer() as server:
            self.write_list(f"{server.url}get", f"{server.url}delay/60")
            listed = ("-i", str(self.list))
            for arguments in [
                ("--format", "jsonl"),
                ("--format", "jsonl", "-o", str(self.path)),
                ("--resume", str(self.path)),
            ]:
                with (
                    open(self.path, "w") as file,
                    warm_start.Popen(
                        [*CLIENT, *listed, *arguments],
                        stdout=file,
                        stderr=subprocess.DEVNULL,
                    ) as client,
                ):
                    wait_for_lines(self.path, 1)
                    self.assertIn(
                        f"{self.path}: it is being written by another process",
                        self.refused(),
                    )
                    client.kill()

    def test_what_cannot_be_put_in_order(self) -> None:
        with RunningServer() as server:
            self.write_list(f"{server.url}delay/500ms", f"{server.url}get")
            with self.start() as client:
                self.give(client, 2)
                wait_for_lines(self.path, 2)
                (self.folder / ".out.jsonl.new").mkdir()
                # It waits for the end of its list.
                _, said = client.communicate()
        self.assertEqual(client.returncode, 23)
        self.assertEqual(
            said,
            f"nbtwisted get: output: cannot write {self.path}: Is a directory\n",
        )
        self.assertEqual(self.indices(), [1, 0])
