"""Stops a long run at random moments, resumes it, and says what was lost or sent twice.

`python -m benchmarks.stopped`, or `make stopped`. A list of GET, HEAD and POST is for
three servers, one of which limits its rate. `nbtwisted get --resume` works through it,
at the rate of that limit for each server. SIGTERM and SIGKILL stop it by turns, and it
is started again, until all is done. Exits with 1 unless

- every request has one record, in the order of the list, with an answer of its own;
- none was sent again whose record was in the file when the run was stopped, as the
  servers' logs have it, and its record has stayed as it was;
- no server has had to answer with 429;
- a run of which nothing is left to do sends nothing, and leaves the file as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS_TO_START = 20.0
SECONDS_TO_END = 20.0
"""From SIGTERM; and what a last run may take beside what the rate makes of it."""
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
METHODS = ("GET", "HEAD", "POST")
MOST_SHOWN = 20

Record = Mapping[str, Any]
LOGGED = re.compile(
    r'"(?P<method>[A-Z]+) /anything/(?P<number>\d+)\S* HTTP/1\.1" (?P<status>\S+) '
    r'.* "run-(?P<run>\d+)" '
)


@dataclass(frozen=True)
class Asked:
    """A request of the list."""

    number: int
    method: str
    url: str

    @property
    def line(self) -> str:
        """As the list has it."""
        job: dict[str, Any] = {"url": self.url, "method": self.method}
        if self.method == "POST":
            job["json"] = {"number": self.number}
        return json.dumps(job)


@dataclass(frozen=True)
class Sent:
    """A request that a server has logged."""

    number: int
    method: str
    status: str
    run: int


def make_list(number: int, servers: Sequence[str], rate: int) -> list[Asked]:
    """The requests; those for the last server name its limit."""
    asked = []
    for n in range(number):
        server = servers[n % len(servers)]
        controls = "_delay=uniform(0,100ms)"
        if server == servers[-1]:
            # Half a second is what a busy machine may be late by.
            controls += f"&_limit={rate // 2}/500ms&_key=limited"
        # Each server gets each method.
        method = METHODS[n // len(servers) % len(METHODS)]
        asked.append(Asked(n, method, f"{server}anything/{n}?{controls}"))
    return asked


@contextlib.contextmanager
def server(address: str, log: Path) -> Iterator[str]:
    """The URL of a server that runs, and has logged all when the context ends."""
    command = [sys.executable, "-m", "nbtwisted", "serve", "--host", address]
    command += ["--port", "0", "--access-log", str(log)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"serving on (\S+)", process.stderr.readline())
            assert found is not None, "the server did not start"
            yield found[1]
        finally:
            process.terminate()
            process.communicate()


class Runs:
    """Runs of the command, one after another, over one list and one file."""

    def __init__(self, folder: Path, asked: Sequence[Asked], rate: int) -> None:
        self.file = folder / "records.jsonl"
        self.had: dict[int, Mapping[int, Record]] = {}
        """The answers that were there when a run began, by its number."""
        self.wrong: list[str] = []
        self._list = folder / "list.jsonl"
        self._list.write_text("".join(each.line + "\n" for each in asked))
        self._rate = rate
        self._patience = len(asked) / rate + SECONDS_TO_END

    def run(self, stop: signal.Signals | None, seconds: float) -> int:
        """Start one, and stop it after so many seconds, if it is to be stopped.

        Returns its exit code, which is negative for the signal that ended it.
        """
        number = len(self.had)
        self.had[number] = answered(self.file)
        command = [sys.executable, "-m", "nbtwisted", "get", "-i", str(self._list)]
        command += ["--resume", str(self.file), "--rate-per-host", f"{self._rate}/s"]
        command += ["-A", f"run-{number}", "--no-progress"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                if stop is not None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(seconds)
                    process.send_signal(stop)
                until_end = SECONDS_TO_END if stop else self._patience
                _, printed = process.communicate(timeout=until_end)
            except subprocess.TimeoutExpired:
                process.kill()
                _, printed = process.communicate()
                self.wrong.append(f"run {number} did not end: {printed[-500:]}")
        code = process.returncode
        expected = {
            None: (0,),
            # It ends by the signal before it has begun to catch it.
            signal.SIGTERM: (0, 143, -signal.SIGTERM),
            signal.SIGKILL: (0, -signal.SIGKILL),
        }
        if code not in expected[stop]:
            self.wrong.append(f"run {number} exited with {code}: {printed[-500:]}")
        if "Traceback" in printed:
            self.wrong.append(f"run {number} printed {printed[-2000:]}")
        return code


def records(file: Path) -> Iterator[Record]:
    """The records of a file that may end in the middle of one."""
    if not file.exists():
        return
    for line in file.read_bytes().splitlines(keepends=True):
        # Of the last line, the end may be missing.
        if line.endswith(b"\n"):
            yield json.loads(line)


def answered(file: Path) -> Mapping[int, Record]:
    """Those of a response, by position."""
    return {
        record["index"]: record for record in records(file) if record["error"] is None
    }


def logged(log: Path) -> Iterator[Sent]:
    """What a server has been sent."""
    for line in log.read_text().splitlines():
        found = LOGGED.search(line)
        assert found is not None, line
        yield Sent(
            int(found["number"]), found["method"], found["status"], int(found["run"])
        )


def faults(
    asked: Sequence[Asked],
    records: Sequence[Record],
    sent: Sequence[Sent],
    had: Mapping[int, Mapping[int, Record]],
) -> Iterator[str]:
    """What is not as it should be, in words."""
    if len(records) != len(asked):
        yield f"{len(records)} records for {len(asked)} requests"
    for each, record in zip(asked, records, strict=False):
        fault = fault_of(each, record)
        if fault is not None:
            yield f"request {each.number}: {fault}: {str(record)[:300]}"
    for run, before in had.items():
        for index, record in before.items():
            if index >= len(records) or records[index] != record:
                yield f"request {index}: its record of before run {run} has changed"
    runs = defaultdict(list)
    for request in sent:
        runs[request.number].append(request.run)
        if request.method != asked[request.number].method:
            yield f"request {request.number}: sent as {request.method}"
        if request.number in had[request.run]:
            yield f"request {request.number}: answered, and sent by run {request.run}"
        # Where the run was killed, none may have been sent.
        if request.status not in ("200", "-"):
            yield f"request {request.number}: answered with {request.status}"
    for number in range(len(asked)):
        again = [run for run, times in Counter(runs[number]).items() if times > 1]
        if again or not runs[number]:
            yield f"request {number}: sent by the runs {runs[number]}"


def fault_of(asked: Asked, record: Record) -> str | None:
    """What is wrong with the record of a request, if something is."""
    found = {
        "index": (record["index"], asked.number),
        "url": (record["url"], asked.url),
        "method": (record["method"], asked.method),
        "error": (record["error"], None),
        "status": (record["status"], 200),
    }
    if asked.method == "HEAD":
        found["bytes"] = (record["bytes"], 0)
    elif record["status"] == 200:
        echo = json.loads(record["body"])
        found["echoed URL"] = (echo["url"], asked.url)
        body = {"number": asked.number} if asked.method == "POST" else None
        found["echoed body"] = (echo["json"], body)
    for name, (is_, should_be) in found.items():
        if is_ != should_be:
            return f"{name} {is_!r}, not {should_be!r}"
    return None


def stop_and_go(runs: Runs, stops: int, seconds: float, chance: random.Random) -> None:
    """Run, stop and resume until all is done, and once more.

    `seconds` are those that the whole takes if nothing stops it.
    """
    signals = [signal.SIGTERM, signal.SIGKILL] * (stops // 2)
    chance.shuffle(signals)
    stopped = Counter[signal.Signals]()
    for stop in signals:
        # Some are stopped while they begin, or read what there is.
        longest = 1.0 if chance.random() < 0.3 else 2 * seconds / stops
        moment = chance.uniform(0.0, longest)
        code = runs.run(stop, moment)
        stopped[stop] += code != 0
        print(
            f"{stop.name} after {moment:.2f} s: exit code {code}, "
            f"{len(answered(runs.file)):,} answered",
            flush=True,
        )
    for stop in {*signals}:
        if not stopped[stop]:
            runs.wrong.append(f"all was done before {stop.name} came")
    runs.run(None, 0.0)
    whole = runs.file.read_bytes() if runs.file.exists() else b""
    runs.run(None, 0.0)
    if runs.file.exists() and runs.file.read_bytes() != whole:
        runs.wrong.append("a run with nothing to do has changed the file")


def main() -> None:
    """Raises `SystemExit`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=10_000, help="requests to send")
    parser.add_argument("--rate", type=int, default=100, help="a second, to a server")
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    args = parser.parse_args()
    print(f"--seed {args.seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as servers:
        folder = Path(name)
        logs = [folder / f"{address}.log" for address in ADDRESSES]
        urls = [
            servers.enter_context(server(address, log))
            for address, log in zip(ADDRESSES, logs, strict=True)
        ]
        asked = make_list(args.number, urls, args.rate)
        runs = Runs(folder, asked, args.rate)
        seconds = args.number / len(urls) / args.rate
        stop_and_go(runs, args.stops, seconds, random.Random(args.seed))
        # They have logged all when they have ended.
        servers.close()
        sent = [each for log in logs for each in logged(log)]
        wrong = [*runs.wrong]
        wrong += faults(asked, [*records(runs.file)], sent, runs.had)
    for line in wrong[:MOST_SHOWN]:
        print(line)
    print(
        f"{len(asked):,} requests, {len(sent):,} sent in {time.monotonic() - began:.0f}"
        f" s, {len(runs.had)} runs: {len(wrong) or 'nothing'} wrong"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
