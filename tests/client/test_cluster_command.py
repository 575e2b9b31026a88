"""`nbtwisted get --cluster` as people run it, on real clusters."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.free_port import free_port
from tests import warm_start
from tests.client.test_command import CLIENT, run, start, wait_until_held
from tests.client.test_resume_command import wait_for_lines
from tests.server.running import RunningServer

HOSTS = [f"h{number}.example" for number in range(8)]


class ClusterCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out"

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def resolved(self, server: RunningServer) -> list[str]:
        return ["--resolve", f"*:{server.port}:127.0.0.1"]


class LocalTests(ClusterCase):
    def test_the_same_as_without(self) -> None:
        with RunningServer() as server:
            urls = [
                f"http://{HOSTS[n % 8]}:{server.port}/status/{200 if n % 9 else 404}"
                for n in range(60)
            ]
            urls[30:33] = [
                "ftp://x",
                json.dumps({"url": urls[30], "json": {"a": 1}, "label": "b"}),
                json.dumps({"url": urls[31], "metod": "GET"}),
            ]
            given = "".join(f"{url}\n" for url in urls)
            arguments = ["-i", "-", "-o", str(self.out), "--format", "jsonl", "-f"]
            ran, told = [], []
            for more in ([], ["--cluster", "local:2", "--progress"]):
                ran.append(run(*arguments, *self.resolved(server), *more, input=given))
                told.append(
                    [
                        {
                            **record,
                            **dict.fromkeys(
                                ("headers", "fileno", "timing", "started", "resent")
                            ),
                        }
                        for record in self.records()
                    ]
                )
        self.assertEqual(told[0], told[1])
        self.assertEqual([each.returncode for each in ran], [22, 22])
        self.assertIn("60 done", ran[1].stderr)
        for line in ran[0].stderr.splitlines():
            self.assertIn(line, ran[1].stderr)

    def test_stopped_and_resumed(self) -> None:
        """Within two seconds, with what came in the file."""
        with RunningServer() as server:
            (self.folder / "list").write_text(
                "".join(
                    f"http://{HOSTS[n % 8]}:{server.port}/get?n={n}\n"
                    if n < 20
                    else f"http://{HOSTS[n % 8]}:{server.port}/get?n={n}&"
                    f"_seq=stall,200\n"
                    for n in range(40)
                )
            )
            arguments = ["-i", str(self.folder / "list"), "--resume", str(self.out)]
            arguments += [*self.resolved(server), "--cluster", "local:2"]
            with start(*arguments) as client:
                wait_for_lines(self.out, 20)
                # What is sent for the second time is answered.
                wait_until_held(server, 20)
                stopped = time.monotonic()
                client.send_signal(signal.SIGINT)
                _, said = client.communicate()
            self.assertLess(time.monotonic() - stopped, 3)
            self.assertEqual(client.returncode, 130)
            self.assertIn("interrupted: 20 answered, 20 not", said)
            ran = run(*arguments[:4], *self.resolved(server))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("20 were answered, 20 asked now", ran.stderr)
        self.assertEqual([each["index"] for each in self.records()], [*range(40)])

    def test_output_that_cannot_be_written(self) -> None:
        with RunningServer() as server:
            ran = run(
                *("--cluster", "local:1", "-n", "3", "--format", "body"),
                *("-o", "/dev/full", f"{server.url}bytes/10"),
            )
        self.assertEqual(ran.returncode, 23)
        self.assertIn("output: cannot write: No space left on device", ran.stderr)

    def test_a_place_that_workers_write_to(self) -> None:
        place = self.folder / "answers"
        with RunningServer() as server:
            urls = [f"http://{HOSTS[n]}:{server.port}/get?n={n}" for n in range(8)]
            arguments = [*urls, *self.resolved(server), "--cluster", "local:2"]
            arguments += ["--format", "jsonl", "-o", f"file://{place}"]
            ran = run(*arguments)
            again = run(*arguments)
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))
        listed = json.loads((place / "manifest.json").read_text())
        self.assertEqual((listed["number"], listed["is_complete"]), (8, True))
        names = [each["name"] for each in listed["files"]]
        lines = [x for name in names for x in (place / name).read_text().splitlines()]
        self.assertEqual(sorted(json.loads(x)["url"] for x in lines), urls)
        self.assertEqual(
            {each.name for each in place.iterdir()}, {*names, "manifest.json"}
        )
        self.assertEqual(again.returncode, 23)
        self.assertIn("it is there already", again.stderr)

    def test_a_part_whose_driver_has_gone(self) -> None:
        ran = warm_start.run([*CLIENT, "--part"], timeout=30, input="")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))


class KilledTests(ClusterCase):
    NUMBER = 2000

    def test_each_url_has_one_record(self) -> None:
        """Though a worker is killed in the middle."""
        port = free_port()
        here = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
        place = f"tcp://127.0.0.1:{port}"
        self.dask("scheduler", "--port", str(port), *here)
        workers = [
            self.dask("worker", place, "--no-nanny", "--name", name, *here)
            for name in ("a", "b")
        ]
        for worker in workers:
            assert worker.stderr is not None
            log = iter(worker.stderr.readline, b"")
            self.assertTrue(any(b"Registered to" in line for line in log))
        with RunningServer() as server:
            urls = [
                f"http://{HOSTS[n % 8]}:{server.port}/get?n={n}&_delay=2ms"
                for n in range(self.NUMBER)
            ]
            arguments = ["-i", "-", "-o", str(self.out), *self.resolved(server)]
            arguments += ["--format", "jsonl", "--cluster", place]
            with warm_start.Popen(
                [*CLIENT, *arguments], stdin=subprocess.PIPE, stderr=subprocess.PIPE
            ) as client:
                assert client.stdin is not None
                given = [f"{url}\n" for url in urls]
                client.stdin.write("".join(given[:-200]))
                client.stdin.flush()
                wait_for_lines(self.out, 500)
                workers[0].kill()
                # The rest it is given when one of the workers has gone.
                _, said = client.communicate("".join(given[-200:]))
        self.assertEqual(client.returncode, 0, said)
        self.assertIn("nbtwisted get: worker a is lost: ", said)
        records = self.records()
        self.assertEqual([each["url"] for each in records], urls)
        self.assertEqual({each["status"] for each in records}, {200})

    def dask(self, kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments],
            stderr=subprocess.PIPE,
        )

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process
