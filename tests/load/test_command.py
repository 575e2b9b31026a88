"""`nbtwisted load` as people run it, against a real server."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from math import inf
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.free_port import free_port
from nbtwisted.client.message import Message
from nbtwisted.load.figures.series import Series
from nbtwisted.load.options import read_options
from nbtwisted.load.schedule.profile import Profile
from tests import warm_start
from tests.load.test_compare import made, written
from tests.server.running import RunningServer

LOAD = [sys.executable, "-m", "nbtwisted.load"]


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return warm_start.run([*LOAD, *arguments], timeout=30, **more)


class OptionsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        options = read_options(["http://x/"])
        plan = options.plan
        self.assertEqual((plan.number, plan.connections), (200, 50))
        self.assertEqual((options.timeout, plan.rate), (20.0, None))
        for rate in ("1000", "1000/s", "60000/m"):
            self.assertEqual(read_options(["-q", rate, "http://x/"]).plan.rate, 1000)
        self.assertEqual(read_options(["-z", "1m", "http://x/"]).plan.seconds, 60)
        # Fewer requests than connections by default need no more connections.
        self.assertEqual(read_options(["-n", "3", "http://x/"]).plan.connections, 3)

    def test_a_rate_that_varies(self) -> None:
        plan = read_options(["--stages", "100..1000/1m,1000/5m,0", "http://x/"]).plan
        self.assertEqual(plan.profile, Profile.parse("100..1000/1m,1000/5m"))
        self.assertEqual((plan.rate, plan.number, plan.seconds), (None, inf, 360))
        plan = read_options(["--stages", "5/1,9", "-n", "500", "http://x/"]).plan
        self.assertEqual((plan.number, plan.seconds), (500, inf))
        self.assertEqual((plan.arrivals, plan.seed), ("constant", None))

    def test_arrivals(self) -> None:
        arguments = ["-q", "5", "--arrivals", "poisson", "http://x/"]
        plan = read_options([*arguments, "--seed", "7"]).plan
        self.assertEqual((plan.arrivals, plan.seed), ("poisson", 7))
        seeds = {read_options(arguments).plan.seed for _ in range(3)}
        # Others each time, and those that people can type.
        self.assertGreater(len(seeds), 1)
        self.assertTrue(all(seed is not None and seed < 10**9 for seed in seeds))
        plan = read_options(["-q", "5", "--arrivals", "constant", "http://x/"]).plan
        self.assertEqual((plan.arrivals, plan.seed), ("constant", None))

    def test_trials(self) -> None:
        options = read_options(
            ["--find-rate", "p99<1s", "--find-rate", "errors<1%", "http://x/"]
        )
        self.assertEqual([goal.text for goal in options.goals], ["p99<1s", "errors<1%"])
        self.assertEqual((options.plan.seconds, options.plan.warm_up), (5, 1))
        self.assertEqual((options.plan.rate, options.settle), (100, 0))
        told = ["-z", "2", "-q", "7", "--warmup", "3", "--settle", "1.5"]
        options = read_options([*told, "--find-rate", "p99<1s", "http://x/"])
        self.assertEqual((options.plan.seconds, options.plan.warm_up), (2, 3))
        self.assertEqual((options.plan.rate, options.settle), (7, 1.5))

    def messages(self, *arguments: str) -> list[Message]:
        plan = read_options([*arguments, "http://x/1", "http://x/2"]).plan
        return [request.message for request in plan.requests]

    def test_requests(self) -> None:
        for message in self.messages("-d", "a=1", "-d", "b", "-A", "me", "-H", "X: y"):
            self.assertTrue(message.head.startswith(b"POST /"), message)
            for line in (
                b"\r\nUser-Agent: me\r\n",
                b"\r\nX: y\r\n",
                b"\r\nContent-Type: application/x-www-form-urlencoded\r\n",
                b"\r\nContent-Length: 5\r\n",
            ):
                self.assertIn(line, message.head)
            self.assertEqual(message.body, b"a=1&b")
        for message in self.messages("-I", "-u", "me:secret"):
            self.assertTrue(message.is_head)
            self.assertIn(b"\r\nAuthorization: Basic bWU6c2VjcmV0\r\n", message.head)
        for message in self.messages("-X", "DELETE"):
            self.assertEqual((message.method, message.body), ("DELETE", b""))

    def test_json_is_a_body_or_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/body.json"
            pathlib.Path(path).write_text('{"a": 1}\n')
            for value, body in (
                ('{"a":1}', b'{"a":1}'),
                ("[1]", b"[1]"),
                ('"text"', b'"text"'),
                (f"@{path}", b'{"a": 1}\n'),
            ):
                options = read_options(
                    ["--json", value, "--json", "found.json", "http://x/"]
                )
                (request,) = options.plan.requests
                self.assertEqual(request.message.body, body)
                self.assertIn(b"\nContent-Type: application/json", request.message.head)
                self.assertEqual(options.json, "found.json")
                options = read_options(["--json", value, "http://x/"])
                self.assertIsNone(options.json)
        options = read_options(["--json", "-", "http://x/"])
        (request,) = options.plan.requests
        self.assertEqual((request.message.method, options.json), ("GET", "-"))

    def test_a_body_that_cannot_be_read(self) -> None:
        for option, path, why in (
            ("-d", "/nowhere/at/all", "No such file or directory"),
            ("--data-binary", "/", "Is a directory"),
            ("--json", "/nowhere/at/all", "No such file or directory"),
        ):
            ended = run(option, f"@{path}", "http://127.0.0.1:9/")
            self.assertEqual((ended.returncode, ended.stdout), (26, ""))
            self.assertRegex(
                ended.stderr,
                rf"\Anbtwisted load: error: -\S+: cannot read {path}: {why}\n\Z",
            )

    def test_what_cannot_be_read(self) -> None:
        for wrong, expected in [
            (["-c", "0"], "expected a whole number, 1 or more"),
            (["-c", "9" * 20], "expected a whole number of at most 18 digits"),
            (["-n", "5", "-c", "10"], "expected at least as many as -c 10"),
            (["-q", "0"], "expected requests a second such as 50"),
            (["-q", "-1"], "expected requests a second such as 50"),
            (["-q", "nan"], "expected requests a second such as 50"),
            (["-q", "9" * 5000], "expected requests a second such as 50"),
            (["-q", "0." + "0" * 5000 + "1"], "expected requests a second such as 50"),
            (
                ["-q", "2/fortnight"],
                "2/d: above 0, at most 10,000,000/s",
            ),
            (["--stages", "100/1x"], "'100/1x': expected stages such as 100..1000/1m"),
            (["--stages", "0/1m,0"], "no request is due: expected a rate above 0"),
            (["--stages", "5/1,5"], "the last has no end: expected -n, or a duration"),
            (["--stages", "5/1", "-q", "5"], "--stages: expected no -q beside it"),
            (["--stages", "5/1", "-z", "5"], "--stages: expected no -z beside it"),
            (
                ["--stages", "0..5/1", "--warmup", "1"],
                "--warmup: expected --stages that begin above 0",
            ),
            (["--arrivals", "poisson"], "expected -q, --stages or --find-rate"),
            (
                ["-q", "5", "--arrivals", "some"],
                "expected one of 'constant', 'poisson'",
            ),
            (["-q", "5", "--seed", "1"], "expected --arrivals poisson beside it"),
            (["-z", "soon"], "expected seconds such as 1.5"),
            (["-z", "0"], "above 0"),
            (["-t", "0"], "above 0"),
            (["--fail-if", "p99"], "expected one such as p99>500ms"),
            (["--fail-if", "p99>500"], "expected a unit, as in p99>500ms"),
            (["-H", "no colon"], "expected 'Name: value'"),
            (["ftp://x/"], "expected"),
            (["--json", "-", "--hdr", "-"], "expected another file than --json's"),
            (["--json", "x/y", "--plot", "x/./y"], "another file than --json's"),
            (["--hdr", "y", "--plot", "y"], "another file than --hdr's"),
            (["--plot", "-"], "expected a file, for a browser to open"),
            (["--json", ""], "--json: '': expected JSON to send, or a file to write"),
            (["--json", "a", "--json", "b"], "--json: expected only one file"),
            (["--json", "{}", "-d", "x"], "--json: expected no other body beside it"),
            (["-I", "-d", "x"], "-I: expected no --data beside it"),
            (["-X", "HEAD", "-d", "x"], "a body with HEAD: expected none"),
            (["-X", "GET\r\n"], "expected a method such as POST"),
            (["-X", "CONNECT"], "method CONNECT: expected one that asks for a"),
            (["--find-rate", "p99>1s"], "it is to hold where the rate is good"),
            (["--find-rate", "rps<9"], "rps is what is looked for"),
            (["--find-rate", "p99<1s", "-n", "9"], "--find-rate: expected no -n"),
            (["--find-rate", "p99<1s", "--stages", "1/1"], "expected no --stages"),
            (["--find-rate", "p99<1s", "--compare", "x"], "expected no --compare"),
            (["--fail-if", "p9 worse than 1%"], "expected one such as p99 worse than"),
            (["--fail-if", "p99 worse than 1%"], "expected --compare beside it"),
            (["--compare", "x", "--json", "x"], "--compare x: expected another file"),
            (["--settle", "1s"], "--settle: expected --find-rate beside it"),
            (["-c", "100000000", "-n", "100000000"], "files this process may open"),
        ]:
            ended = run(*wrong, "http://127.0.0.1:9/")
            self.assertEqual((ended.returncode, ended.stdout), (2, ""), wrong)
            self.assertIn(expected, ended.stderr)
            self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)
        self.assertEqual(run().returncode, 2)
        # With no password in it.
        self.assertIn(
            "error: URL: 'http://h:x/': the port cannot be read",
            run("http://me:secret@h:x/").stderr,
        )

    def test_what_cannot_be_compared(self) -> None:
        for path, why in (
            ("/nowhere/at/all", "No such file or directory"),
            ("/", "Is a directory"),
            ("/dev/null", "it is no report: expected what --json of nbtwisted load "),
            (sys.executable, "it is no text"),
        ):
            ended = run("--compare", path, "http://127.0.0.1:9/")
            self.assertEqual((ended.returncode, ended.stdout), (26, ""))
            self.assertTrue(
                ended.stderr.startswith(
                    f"nbtwisted load: error: --compare: cannot read {path}: {why}"
                ),
                ended.stderr,
            )
            self.assertEqual(ended.stderr.count("\n"), 1)

    def test_what_cannot_be_written(self) -> None:
        for option in ("--json", "--hdr", "--plot"):
            ended = run(option, "/nowhere/at/all", "http://127.0.0.1:9/")
            self.assertEqual(ended.returncode, 23)
            self.assertIn("cannot write /nowhere/at/all: No such file", ended.stderr)
            self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)


class CommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = RunningServer()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.url = self.server.url + "?_delay=0"

    def json(self, *arguments: str) -> dict[str, Any]:
        ended = run("--json", "-", *arguments)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def test_summary(self) -> None:
        ended = run("-n", "300", "-c", "20", self.url)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertIn("Sent:         300 = 300 answered + 0 failed", ended.stdout)
        self.assertIn("[200] 300 responses", ended.stdout)

    def test_json(self) -> None:
        found = self.json("-n", "100", self.url, self.server.url + "status/503")
        self.assertEqual(found["statuses"], {"200": 50, "503": 50})
        self.assertEqual(found["bytes"], 50 * 19)
        asked = json.loads(
            self.server.ask(
                b"GET /__admin/stats HTTP/1.1\r\nHost: localhost\r\n"
                b"Connection: close\r\n\r\n"
            ).partition(b"\r\n\r\n")[2]
        )
        self.assertEqual(asked["requests"], 100)

    def test_delays_and_bodies_in_chunks(self) -> None:
        found = self.json("-n", "20", "-c", "20", self.server.url + "delay/200ms")
        self.assertGreaterEqual(found["latency"]["min"], 0.199)
        found = self.json("-n", "20", "-c", "2", self.server.url + "stream-bytes/70000")
        self.assertEqual(found["bytes"], 20 * 70000)
        self.assertEqual(found["phases"]["connect"]["count"], 2)

    def test_at_a_rate(self) -> None:
        found = self.json("-n", "200", "-q", "200", "-c", "10", self.url)
        self.assertEqual(found["answered"], 200)
        self.assertEqual(found["rps"], 200 / found["seconds"])
        # When the last is due; and none ends later than the slowest would then.
        last, slowest = 199 / 200, found["latency"]["max"]
        self.assertTrue(last <= found["seconds"] <= last + slowest + 1e-6, found)
        self.assertIsNotNone(found["uncorrected"])

    def test_stages(self) -> None:
        stages = ("--stages", "0..200/500ms,200", "-n", "250")
        ended = run(*stages, "-c", "10", self.url)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertIn("Sent:         250 = 250 answered + 0 failed", ended.stdout)
        self.assertRegex(ended.stdout, r"Stages:\n +from .*\n +0 s +0..200 .*\n +0.5 s")

    def faults(self, *faults: str) -> str:
        """A list of requests, of which none but those that stall need -t."""
        lines = [{"url": f"{self.server.url}get?_fault={fault}"} for fault in faults]
        more = [{} if fault == "stall" else {"max_time": 20} for fault in faults]
        return "".join(
            json.dumps({**line, **own}) + "\n"
            for line, own in zip(lines, more, strict=True)
        )

    def test_faults(self) -> None:
        ended = run(
            *("--json", "-", "-n", "12", "-c", "3", "-t", "0.3", "-i", "-"),
            input=self.faults(*FAULTS),
        )
        self.assertEqual(ended.returncode, 0)
        found = json.loads(ended.stdout)
        self.assertEqual((found["answered"], found["failed"]), (2, 10))
        kinds = {error["type"]: error["count"] for error in found["errors"]}
        self.assertEqual(
            kinds,
            {
                "ConnectionLost": 2,
                "EmptyResponse": 2,
                "MalformedResponse": 2,
                "ResponseCutShort": 2,
                "DeadlinePassed": 2,
            },
        )

    def test_posts(self) -> None:
        body = '{"user": "ann"}'
        found = self.json("-n", "30", "--json", body, self.server.url + "post")
        self.assertEqual(found["statuses"], {"200": 30})
        self.assertEqual(found["methods"], {"POST": 30})
        # The server says what it was sent: four characters more of its own JSON.
        url = self.server.url + "anything?_delay=0"
        sizes = [
            self.json("-n", "1", "-d", data, url)["bytes"]
            for data in ("x=1", "x=12345")
        ]
        self.assertEqual(sizes[1] - sizes[0], 4)

    def test_heads(self) -> None:
        found = self.json("-n", "40", "-c", "4", "-I", self.url)
        self.assertEqual((found["answered"], found["bytes"]), (40, 0))
        self.assertEqual(found["phases"]["connect"]["count"], 4)

    def test_conditions(self) -> None:
        ended = run(
            *("--fail-if", "p50>10s", "--fail-if", "errors>0", "--fail-if", "rps<9e9"),
            self.url,
        )
        self.assertEqual(ended.returncode, 2)
        ended = run("--fail-if", "p50>10s", "--fail-if", "rps<9000000", self.url)
        self.assertEqual(ended.returncode, 99)
        self.assertRegex(
            ended.stderr, r"\Anbtwisted: failed: rps<9000000: it is [\d.]+\n"
        )
        ended = run("--fail-if", "errors>0", "--fail-if", "5xx>0", self.url)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertEqual(
            ended.stdout.splitlines()[0], "Passed: errors>0 (0), 5xx>0 (0)"
        )

    def test_all_broken(self) -> None:
        url = self.server.url + "status/500"
        for said in ("5xx>0", "non2xx>1%", "p99>10s"):
            ended = run("-n", "20", "--fail-if", said, url)
            self.assertEqual(ended.returncode, 99, said)
            self.assertTrue(ended.stdout.startswith(f"Failed: {said} ("), ended.stdout)
        self.assertEqual(run("-n", "20", url).returncode, 0)

    def test_conditions_see_what_ran_out_of_time(self) -> None:
        ended = run(
            *("-n", "10", "-c", "10", "-t", "0.3", "--json", "-", "-i", "-"),
            *("--fail-if", "p90>290ms"),
            input=self.faults("stall", "stall:0"),
        )
        self.assertEqual(ended.returncode, 99)
        found = json.loads(ended.stdout)
        self.assertEqual((found["answered"], found["timed_out"]), (5, 5))
        self.assertGreaterEqual(found["latency"]["p90"], 0.3)
        (condition,) = found["conditions"]
        self.assertEqual((condition["text"], condition["holds"]), ("p90>290ms", True))

    def test_requests_that_were_made_again(self) -> None:
        found = self.json(
            *("-n", "300", "-c", "5"), self.server.url + "get?_fault=reset:0.2"
        )
        journal = self.server.ask(
            b"GET /__admin/stats HTTP/1.1\r\nHost: localhost\r\n"
            b"Connection: close\r\n\r\n"
        )
        asked = json.loads(journal.partition(b"\r\n\r\n")[2])
        self.assertGreater(found["resent"], 10)
        self.assertEqual(asked["requests"], found["sent"] + found["resent"])

    def test_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            ended = run(
                "--json", f"{folder}/j", "--hdr", f"{folder}/h", "-n", "50", self.url
            )
            self.assertEqual(ended.returncode, 0)
            self.assertIn("Summary:", ended.stdout)
            with open(f"{folder}/j") as file:
                written = file.read()
            found = json.loads(written)
            self.assertEqual((found["sent"], found["labels"]), (50, []))
            series = Series.from_json(found["intervals"])
            answered = [each.statuses["2xx"] for each in series.intervals]
            self.assertEqual(sum(answered), 50)
            self.assertEqual(series.as_json(), found["intervals"])
            # A line each.
            self.assertEqual(written.count('\n    {"began": '), len(answered))
            with open(f"{folder}/h") as file:
                self.assertIn("Percentile TotalCount", file.read())

    def plot(self, *arguments: str, code: int = 0) -> tuple[dict[str, Any], str]:
        """Run with --plot; the data in the page, and the page."""
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/plot.html"
            ended = run("--plot", path, *arguments)
            self.assertEqual(ended.returncode, code, ended.stderr)
            self.assertIn(f"nbtwisted: wrote {path}\n", ended.stderr)
            self.assertIn("Summary:", ended.stdout)
            with open(path, encoding="utf-8") as file:
                page = file.read()
        data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
        assert data is not None

        def is_no_number(text: str) -> None:
            raise AssertionError(text)

        return json.loads(data[1], parse_constant=is_no_number), page

    def test_a_plot_of_a_closed_loop(self) -> None:
        data, page = self.plot("-n", "300", "-c", "20", self.url)
        self.assertEqual(data["report"]["answered"], 300)
        self.assertEqual(sum(part["answered"] for part in data["series"]), 300)
        self.assertEqual(
            data["series"][-1]["ended"], round(data["report"]["seconds"], 6)
        )
        self.assertIsNone(data["curves"]["uncorrected"])
        self.assertEqual(
            data["curves"]["latency"][-1][1], data["report"]["latency"]["max"]
        )
        self.assertIn("(a closed loop)", page)
        began = datetime.fromisoformat(data["began"])
        self.assertLess(datetime.now(timezone.utc) - began, timedelta(minutes=1))

    def test_a_plot_of_an_open_loop(self) -> None:
        data, page = self.plot(
            *("-z", "1", "-q", "200", "-c", "2", "--fail-if", "p50<60m"),
            self.server.url + "?_delay=20ms",
            code=99,
        )
        series = data["series"]
        self.assertEqual(
            sum(part["answered"] for part in series), data["report"]["answered"]
        )
        # Two at a time, 20 ms each, are half of what is due: those wait for longer and
        # longer, and who counts from when they were sent does not see it.
        last = series[-1]
        self.assertGreater(last["latency"]["p50"], last["uncorrected"]["p50"] * 2)
        self.assertEqual(
            len(data["curves"]["latency"]), len(data["curves"]["uncorrected"])
        )
        self.assertIn("what coordinated omission would have hidden", page)
        (condition,) = data["conditions"]
        self.assertEqual((condition["text"], condition["holds"]), ("p50<60m", True))

    def test_a_plot_beside_an_earlier_run(self) -> None:
        earlier = made()
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(written(earlier))
            file.flush()
            data, page = self.plot("-n", "20", "--compare", file.name, self.url)
        self.assertEqual(data["report"]["comparison"]["file"], file.name)
        # Its intervals are joined as those of this run are.
        answered = [part["answered"] for part in data["before"]]
        self.assertEqual(sum(answered), earlier[0]["answered"])
        self.assertTrue(">p90 before<" in page)

    def test_a_plot_of_nobody_there(self) -> None:
        data, page = self.plot(
            *("-n", "5", "-c", "5", "--fail-if", "p99>1s"),
            f"http://127.0.0.1:{free_port()}/<b>",
            code=1,
        )
        self.assertEqual(data["report"]["failed"], 5)
        self.assertIsNone(data["conditions"][0]["value"])
        self.assertIn("no request was answered", page)
        self.assertNotIn("<b>", page)

    def test_a_full_disk(self) -> None:
        for option in ("--json", "--hdr", "--plot"):
            ended = run(option, "/dev/full", "-n", "20", self.url)
            self.assertEqual(ended.returncode, 23)
            self.assertEqual(
                ended.stderr,
                "nbtwisted: error: cannot write: No space left on device\n",
            )

    def test_nobody_reads(self) -> None:
        for options in ([], ["--json", "-"], ["--hdr", "-"], ["--json", "/dev/stdout"]):
            reading, writing = os.pipe()
            os.close(reading)
            ended = run("-n", "20", *options, self.url, stdout=writing)
            os.close(writing)
            self.assertEqual(ended.returncode, 23, options)
            self.assertEqual(
                ended.stderr, "nbtwisted: error: cannot write: Broken pipe\n"
            )

    def test_stdout_is_closed(self) -> None:
        for options in ("", "--json -"):
            ended = subprocess.run(
                f"{' '.join(LOAD)} -n 20 {options} '{self.url}' >&-",
                shell=True,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            self.assertEqual(ended.returncode, 23, options)
            self.assertEqual(
                ended.stderr,
                "nbtwisted: error: cannot write: standard output is closed\n",
            )
        # Before anything is sent.
        self.assertIn(b'"requests": 0,', self.server.ask(STATS))

    def test_what_can_be_written_is(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            ended = run(
                *("-n", "20", "--hdr", "/dev/full", "--json", f"{folder}/j"),
                *("--plot", f"{folder}/p", self.url),
            )
            self.assertEqual(ended.returncode, 23)
            self.assertIn("Summary:", ended.stdout)
            self.assertIn("cannot write: No space left", ended.stderr)
            self.assertIn(f"wrote {folder}/p", ended.stderr)
            with open(f"{folder}/j") as file:
                self.assertEqual(json.load(file)["answered"], 20)

    def test_nobody_there(self) -> None:
        port = free_port()
        ended = run("-n", "20", "-c", "5", f"http://127.0.0.1:{port}/")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("20 = 0 answered + 20 failed", ended.stdout)
        self.assertEqual(
            ended.stderr,
            "nbtwisted: error: no request was answered: connect: "
            f"127.0.0.1 port {port}: Connection refused\n",
        )

    def test_no_such_host(self) -> None:
        ended = run("-n", "2", "http://nowhere.invalid/")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("no request was answered: dns: ", ended.stderr)

    def test_ctrl_c(self) -> None:
        with warm_start.Popen(
            [*LOAD, "-z", "60", self.server.url + "delay/10ms"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as load:
            # By then it has its handlers, and has answers.
            while b'"requests": 0,' in self.server.ask(STATS):
                pass
            load.send_signal(signal.SIGINT)
            printed, complaint = load.communicate(timeout=30)
        self.assertEqual(load.returncode, 130)
        self.assertIn("Summary:", printed)
        self.assertRegex(complaint, r"\Anbtwisted: interrupted: \d+ answered\n\Z")

    def test_a_terminal_that_closes(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            names = ("json", "hdr", "plot")
            files = [part for n in names for part in (f"--{n}", f"{folder}/{n}")]
            with subprocess.Popen(
                [*LOAD, "-z", "60", *files, self.server.url + "delay/10ms"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as load:
                while b'"requests": 0,' in self.server.ask(STATS):
                    pass
                load.send_signal(signal.SIGHUP)
                _, complaint = load.communicate(timeout=30)
            self.assertEqual(load.returncode, 128 + signal.SIGHUP)
            self.assertRegex(complaint, r"interrupted: \d+ answered")
            with open(f"{folder}/json") as file:
                self.assertTrue(json.load(file)["interrupted"])
            for name, end in (("hdr", "]\n"), ("plot", "</html>\n")):
                with open(f"{folder}/{name}") as file:
                    self.assertTrue(file.read().endswith(end), name)

    def test_beside_an_earlier_run(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            before, now = f"{folder}/before", f"{folder}/now"
            options = ("-z", "1.3", "-q", "100")
            ended = run(*options, self.url, "--json", before)
            self.assertEqual(ended.returncode, 0)
            ended = run(
                *(*options, "-c", "40", "--compare", before, "--json", now),
                *("--fail-if", "mean worse than 10%", "--fail-if", "errors>0"),
                *("--fail-if", "errors worse than 1%"),
                # More than the first run has on a machine that is busy.
                self.server.url + "?_delay=200ms",
            )
            self.assertEqual(ended.returncode, 99)
            self.assertRegex(
                ended.stderr,
                r"\Anbtwisted: failed: mean worse than 10%: it is \+\d+\.\d%, beyond "
                r"noise\n\Z",
            )
            self.assertRegex(
                ended.stdout,
                r"\AFailed: mean worse than 10% \(\S+ beyond noise\)\. Passed: "
                r"errors>0 \(0\), errors worse than 1% \(\+0\.00 points, within noise\)"
                rf"\n\nBefore \({before}\) and now:\n",
            )
            self.assertIn("\nWarning: this run is not like that of", ended.stdout)
            with open(now) as file:
                found = json.load(file)
        comparison = found["comparison"]
        self.assertEqual(comparison["file"], before)
        self.assertEqual(
            comparison["differences"], ["the URLs", "the connections (50, now 40)"]
        )
        mean = comparison["figures"][0]
        self.assertEqual(
            (mean["figure"], mean["now"]), ("mean", found["latency"]["mean"])
        )
        self.assertTrue(mean["is_beyond_noise"])
        self.assertEqual(len(found["conditions"]), 3)

    def test_no_rate_is_good(self) -> None:
        trial = ("-z", "0.1", "--warmup", "0.01", "-q", "1.5")
        url = self.server.url + "delay/30ms"
        ended = run(*trial, "--find-rate", "p50<20ms", url)
        self.assertEqual(ended.returncode, 99)
        self.assertRegex(
            ended.stderr,
            r"\Anbtwisted: failed: highest rate: none: p50<20ms did not hold at 1/s, "
            r"the lowest that was tried \(p50 \d+\.\d ms(; the client: .*)?\)\n\Z",
        )
        self.assertTrue(ended.stdout.startswith("Highest rate: none: "), ended.stdout)
        self.assertIn("\nSummary:\n", ended.stdout)

    def test_a_rate_of_nobody(self) -> None:
        url = f"http://127.0.0.1:{free_port()}/"
        ended = run("-z", "0.1", "--find-rate", "p50<20ms", "--json", "-", url)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("no request was answered: connect: ", ended.stderr)
        self.assertEqual(len(json.loads(ended.stdout)["found_rate"]["trials"]), 1)

    def test_a_search_that_is_interrupted(self) -> None:
        trial = ("-q", "10", "-z", "0.2", "--warmup", "0.01", "--settle", "0.1")
        with warm_start.Popen(
            [*LOAD, *trial, "--find-rate", "p99<10s", self.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as load:
            # The first trial has three, and is over when there is another.
            while re.search(rb'"requests": [0-3],', self.server.ask(STATS)):
                pass
            load.send_signal(signal.SIGINT)
            printed, complaint = load.communicate(timeout=30)
        self.assertEqual(load.returncode, 130)
        found = r"at least \d+/s with p99<10s \(interrupted after \d trials\)\n"
        self.assertRegex(
            complaint,
            rf"\Anbtwisted: interrupted: highest rate so far: {found}\Z",
        )
        self.assertRegex(printed, rf"\AHighest rate: {found}\nTrials:\n +10/s  held ")

    def test_the_live_line(self) -> None:
        terminal, theirs = pty.openpty()
        self.addCleanup(os.close, terminal)
        ended = run("-z", "1.2", "-q", "100", self.url, stderr=theirs)
        os.close(theirs)
        self.assertEqual(ended.returncode, 0)
        self.assertIn(b"answered, 0 failed", os.read(terminal, 65536))


STATS = b"GET /__admin/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
FAULTS = ("reset", "empty", "garbage", "truncate", "stall", "empty:0")
