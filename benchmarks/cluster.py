"""Runs load and get on a cluster of machines whose network is slow and loses packets.

`python -m benchmarks.cluster`, or `make cluster`. A Dask scheduler and the command are
on one machine, workers on two others, and the server is on a fourth; each is a network
namespace (`benchmarks/machines.py`). The clock of a worker is an hour ahead, if there
is libfaketime. Exits with 1 unless

- a load test sends exactly what it was to send, and so its server has it;
- at a rate, the requests of both workers come evenly by turns, as the server has it;
- the report has a row for each worker, with what its clock shows and when it began;
- `get`, one of whose workers is killed in the middle, has a record for each URL, once,
  in order; and nothing goes on running where that was.

Exits with 2 where there can be no such network: it needs root.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.cluster_faults import (
    faults_of_clocks,
    faults_of_load,
    faults_of_records,
    faults_of_turns,
)
from benchmarks.machines import Impossible, Link, Machine, network

NAMES = ("driver", "one", "two", "server")
PORTS = range(8001, 8009)
DASK = 8786
AHEAD = 3600.0
"""Seconds by which a clock is wrong."""
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"

SECONDS_TO_START = 30.0
SECONDS_TO_RUN = 90.0
SECONDS_TO_VANISH = 5.0
"""For what a killed worker has left: it notices that nobody is there."""
MOST_SHOWN = 20
AT_A_RATE = 600
"""Requests: the server's journal has the last 1,000."""
RATE = 100.0

JOINED = """
import sys, distributed
with distributed.Client(sys.argv[1], timeout=30) as client:
    client.wait_for_workers(2, timeout=30)
"""
ASK = """
import sys, urllib.request as r
data = b"" if sys.argv[1].endswith("/reset") else None
answer = r.build_opener(r.ProxyHandler({})).open(sys.argv[1], data, timeout=10)
sys.stdout.write(answer.read().decode())
"""


class Bench:
    """The programs that run, and what was wrong with them."""

    def __init__(self, machines: Sequence[Machine], folder: Path) -> None:
        self.wrong: list[str] = []
        self._driver, self._one, self._two, self._server = machines
        self._folder = folder
        self._scheduler = f"tcp://{self._driver.address}:{DASK}"
        self._ahead = {"one": 0.0, "two": 0.0}
        self._worker_one = 0

    def start(self) -> None:
        """Start all; raises `RuntimeError` if that does not begin."""
        python = [sys.executable, "-m"]
        here = ["--dashboard-address", "127.0.0.1:0", "--host"]
        command = [*python, "distributed.cli.dask_scheduler", "--port", str(DASK)]
        self._driver.start([*command, *here, self._driver.address])
        for machine, name, wrong in (
            (self._one, "one", {}),
            (self._two, "two", self._wrong_clock()),
        ):
            command = [*python, "distributed.cli.dask_worker", self._scheduler]
            command += [*here, machine.address, "--name", name, "--no-nanny"]
            command += ["--nthreads", "1", "--local-directory"]
            command += [str(self._folder / f"dask-{name}")]
            started = machine.start(command, environment=wrong)
            if name == "one":
                self._worker_one = started.pid
        command = [*python, "nbtwisted", "serve"]
        for port in PORTS:
            command += ["--listen", f"tcp:{port}"]
        self._server.start(command)
        until = time.monotonic() + SECONDS_TO_START
        while self._server.said().count("serving on") < len(PORTS):
            if time.monotonic() > until:
                raise RuntimeError(f"no server: {self._server.said()}")
            time.sleep(0.05)  # noqa: TID251 - nothing here is non-blocking
        command = [sys.executable, "-c", JOINED, self._scheduler]
        code, _ = self._driver.run(command, SECONDS_TO_START)
        if code != 0:
            said = [each.said() for each in (self._driver, self._one, self._two)]
            raise RuntimeError("no cluster: " + "\n".join(said))

    def _wrong_clock(self) -> Mapping[str, str]:
        """The environment of programs whose clock is wrong."""
        libraries = glob.glob(FAKETIME)
        if not libraries:
            print("no libfaketime (apt-get install faketime): all clocks are right")
            return {}
        self._ahead["two"] = AHEAD
        return {
            "LD_PRELOAD": libraries[0],
            "FAKETIME": f"+{AHEAD:g}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Else its processes tell each other by shared memory, which they leave.
            "FAKETIME_NO_CACHE": "1",
        }

    def load(self, number: int) -> None:
        """As many requests as fast as they go."""
        began = time.monotonic()
        self._load(number, "-c", "100")
        self._tell(f"load -n {number:,}", began)

    def load_at_a_rate(self, number: int, rate: float) -> None:
        """As many requests at a rate."""
        began = time.monotonic()
        self._load(number, "-c", "50", "-q", f"{rate:g}")
        came: dict[str, list[float]] = {}
        for entry in json.loads(self._ask_server("requests"))["requests"]:
            moment = datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
            came.setdefault(entry["peer"], []).append(moment.timestamp())
        self.wrong += faults_of_turns(came, number, rate)
        self._tell(f"load -n {number:,} -q {rate:g}", began)

    def _load(self, number: int, *options: str) -> None:
        self._ask_server("reset")
        url = f"http://{self._server.address}:{PORTS[0]}/?_delay=0"
        command = [sys.executable, "-m", "nbtwisted", "load", "-n", str(number)]
        command += ["--cluster", self._scheduler, "--json", "-", *options, url]
        code, printed = self._driver.run(command, SECONDS_TO_RUN)
        if code != 0:
            self.wrong.append(f"load: exit code {code}: {self._driver.said()}")
            return
        report = json.loads(printed)
        self.wrong += faults_of_load(report, number)
        self.wrong += faults_of_clocks(report, self._ahead)
        for row in report["workers"]:
            print(
                f"  worker {row['name']}: {row['answered']:,} answered, its clock "
                f"{row['clock']:+.4f} s, it began {row['skew'] * 1000:+.1f} ms late"
            )
        stats = json.loads(self._ask_server("stats"))
        if stats["requests"] != number:
            self.wrong.append(f"the server has had {stats['requests']}, not {number}")

    def get(self, number: int) -> None:
        """As many URLs of all origins; a worker is killed in the middle."""
        origins = [f"http://{self._server.address}:{port}" for port in PORTS]
        urls = [
            f"{origins[n % len(origins)]}/get?n={n}&_size=100" for n in range(number)
        ]
        asked = self._folder / "urls"
        asked.write_text("".join(f"{url}\n" for url in urls))
        file = self._folder / "records.jsonl"
        command = [sys.executable, "-m", "nbtwisted", "get", "--no-progress"]
        command += ["--cluster", self._scheduler, "-i", str(asked), "-c", "200"]
        command += ["--format", "jsonl", "-o", str(file)]
        began = time.monotonic()
        program = self._driver.start(command)
        until = began + SECONDS_TO_RUN
        had = 0
        while had < number // 3 and program.poll() is None:
            if time.monotonic() > until:
                self.wrong.append(f"get: {had} records in {SECONDS_TO_RUN:g} s")
                program.kill()
            time.sleep(0.1)  # noqa: TID251 - nothing here is non-blocking
            had = _whole_lines(file)
        if program.poll() is not None:
            self.wrong.append(f"get ended before a worker was killed: {had} records")
        os.killpg(self._worker_one, signal.SIGKILL)
        print(f"  worker one is killed after {had:,} records", flush=True)
        try:
            code = program.wait(max(until - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            program.kill()
            code = program.wait()
        if code != 0:
            self.wrong.append(f"get: exit code {code}: {self._driver.said()}")
        lines = file.read_text().splitlines() if file.exists() else []
        records = [json.loads(line) for line in lines]
        self.wrong += faults_of_records(urls, records)
        until = time.monotonic() + SECONDS_TO_VANISH
        while self._one.processes() and time.monotonic() < until:
            time.sleep(0.1)  # noqa: TID251 - nothing here is non-blocking
        if left := self._one.processes():
            self.wrong.append(f"on the killed worker's machine, {left} go on running")
        self._tell(f"get of {number:,} URLs of {len(PORTS)} origins", began)

    def _ask_server(self, path: str) -> str:
        """What an operator's path answers, on the server's machine."""
        url = f"http://127.0.0.1:{PORTS[0]}/__admin/"
        code, printed = self._server.run([sys.executable, "-c", ASK, url + path], 20)
        if code != 0:
            raise RuntimeError(f"no answer of the server: {self._server.said()}")
        return printed

    def _tell(self, what: str, began: float) -> None:
        print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


def _whole_lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def main() -> None:
    """Raises `SystemExit`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=20_000, help="of URLs to get")
    parser.add_argument("--load", type=int, default=10_000, help="requests of a test")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds, each way")
    parser.add_argument("--loss", type=float, default=0.01, help="share of packets")
    parser.add_argument("--seed", type=int, default=1, help="of what is lost")
    args = parser.parse_args()
    # Whatever ends this, what it has begun ends first.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    began = time.monotonic()
    link = Link(args.delay, args.loss, args.seed)
    try:
        with (
            tempfile.TemporaryDirectory() as name,
            network(NAMES, link, Path(name)) as machines,
        ):
            bench = Bench(machines, Path(name))
            bench.start()
            bench.load(args.load)
            bench.load_at_a_rate(AT_A_RATE, RATE)
            bench.get(args.number)
    except Impossible as error:
        print(f"cluster: {error}", file=sys.stderr)
        sys.exit(2)
    for line in bench.wrong[:MOST_SHOWN]:
        print(line)
    seconds = time.monotonic() - began
    print(f"{seconds:.0f} s: {len(bench.wrong) or 'nothing'} wrong")
    sys.exit(1 if bench.wrong else 0)


if __name__ == "__main__":
    main()
