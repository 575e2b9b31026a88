"""`nbtwisted load --cluster` as people run it, with Dask and a server that are real."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.free_port import free_port
from tests.load.test_command import LOAD, STATS
from tests.server.running import RunningServer

JOURNAL = STATS.replace(b"/stats", b"/requests").replace(b"1.1", b"1.0")


class ClusterCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = RunningServer()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.url = self.server.url + "?_delay=0"

    def load(self, *arguments: str) -> subprocess.Popen[str]:
        return self.start(*LOAD, "--json", "-", *arguments, self.url)

    def start(self, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def asked(self) -> int:
        """How many requests the server has had."""
        stats = json.loads(self.server.ask(STATS).partition(b"\r\n\r\n")[2])
        return int(stats["requests"])

    def test_two_parts_are_one(self) -> None:
        load = self.load(
            *("--cluster", "local:2", "-q", "40", "-n", "40", "-c", "21"),
            *("--fail-if", "errors>0"),
        )
        printed, complaint = load.communicate(timeout=30)
        self.assertEqual((load.returncode, complaint), (0, ""))
        found: dict[str, Any] = json.loads(printed)
        self.assertEqual((found["answered"], found["statuses"]), (40, {"200": 40}))
        self.assertLessEqual(found["phases"]["connect"]["count"], 21)
        self.assertEqual([each["answered"] for each in found["workers"]], [20, 20])
        self.assertIsNone(found["partial"])
        for worker in found["workers"]:
            self.assertLess(abs(worker["clock"]), 0.1)
            self.assertGreater(worker["skew"], 0)
        self.assertEqual(self.asked(), 40)
        self.look_at_times()

    def look_at_times(self) -> None:
        """They came evenly, and not two at a time."""
        answer = self.server.ask(JOURNAL)
        journal = json.loads(answer.partition(b"\r\n\r\n")[2])["requests"]
        times = sorted(
            datetime.fromisoformat(each["time"].replace("Z", "+00:00")).timestamp()
            for each in journal
        )
        # However late some are, none comes before it is due. If they did not take
        # turns, two would be due at once, each 50 ms.
        late = [moment - n / 40 for n, moment in enumerate(times)]
        self.assertLess(abs(min(late[::2]) - min(late[1::2])), 0.017, late)

    def test_a_worker_that_is_killed(self) -> None:
        """The others go on, until Ctrl-C."""
        port = free_port()
        address = f"tcp://127.0.0.1:{port}"
        loopback = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
        self.dask("scheduler", "--port", str(port), *loopback)
        workers = {
            name: self.dask("worker", address, "--no-nanny", *loopback, "--name", name)
            for name in ("ann", "bob")
        }
        for worker in workers.values():
            assert worker.stderr is not None
            for line in worker.stderr:
                if "Registered to" in line:
                    break
        load = self.load("--cluster", address, "-q", "200", "-z", "50", "-c", "4")
        self.wait_for(200)
        workers["bob"].send_signal(signal.SIGKILL)
        self.wait_for(400)
        load.send_signal(signal.SIGINT)
        printed, complaint = load.communicate(timeout=30)
        self.assertEqual(load.returncode, 130)
        found = json.loads(printed)
        lost = {each["name"]: each["lost"] for each in found["workers"]}
        self.assertIn("its worker is lost", lost["bob"])
        self.assertIsNone(lost["ann"])
        self.assertEqual(found["partial"]["workers"], ["bob"])
        self.assertRegex(
            complaint,
            r"\Anbtwisted: partial: [\d.]+% was lost with worker bob: its worker .*\n"
            r"nbtwisted: interrupted: \d+ answered\n\Z",
        )
        # What bob had told counts, which is all but the last half second.
        answered = sum(each["answered"] for each in found["workers"])
        self.assertEqual(found["answered"], answered)
        self.assertGreater(answered, 250)

    def dask(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        module = f"distributed.cli.dask_{program}"
        return self.start(sys.executable, "-m", module, *arguments)

    def wait_for(self, more: int) -> None:
        """Until the server has had so many requests more."""
        until = self.asked() + more
        while self.asked() < until:
            pass
