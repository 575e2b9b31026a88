"""The work that wrk gives to a server of `benchmarks.bench`, and what it takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection

from benchmarks.bench_clients import CONNECTIONS
from benchmarks.bench_figures import Figures
from benchmarks.bench_programs import PEERS, cpu_of, memory_of, on_core, run

__all__ = ["Work", "answer", "held", "loading"]


@dataclass(frozen=True)
class Work:
    """The requests of a group, as wrk sends them.

    path: the target, less the number that makes it different from all others.
    posted: JSON to post, with a %010d for that number; a GET without it.
    is_different: whether no request comes twice.
    is_random: whether the bodies of two responses have only their length in common.
    """

    path: str
    posted: str = ""
    is_different: bool = True
    is_random: bool = False

    def target(self, number: int) -> str:
        """Give one request's target, as different.lua makes it."""
        if not self.is_different:
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}n={number:010d}"


def answer(port: int, work: Work) -> bytes:
    """Ask for one response, and give its body; raises `ValueError` unless it is 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        if work.posted:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", work.target(0), work.posted % 0, headers)
        else:
            connection.request("GET", work.target(0))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError(f"it answers {response.status}")
    return body


def loading(
    process: int, port: int, seconds: float, work: Work, bodies: dict[Work, bytes]
) -> Figures:
    """Load a server that runs by wrk; `bodies` has what was first answered to `work`.

    Raises `ValueError` if this server's response is another, or is not a 200.
    """
    url = f"http://127.0.0.1:{port}{work.path}"
    script = ["-s", str(PEERS / "different.lua")] if work.is_different else []

    def load(seconds: float, first: int) -> str:
        given = ["--", str(first), *filter(None, [work.posted])] if script else []
        many = ["-t1", f"-c{CONNECTIONS}", f"-d{max(seconds, 1):.0f}"]
        return run(["wrk", *many, *script, url, *given]).printed

    body = answer(port, work)
    expected = bodies.setdefault(work, body)
    if len(body) != len(expected) or not (work.is_random or body == expected):
        raise ValueError(f"it answers {body[:200]!r} and not {expected[:200]!r}")
    # For what is done at the first requests; none of them comes again.
    load(1, 5_000_000_000)
    before = cpu_of(process)
    printed = load(seconds, 0)
    spent = cpu_of(process) - before
    if "Non-2xx" in printed:
        raise ValueError("other answers than 200")
    if lost := re.search(r"Socket errors:.* (connect|read|write) [1-9].*", printed):
        raise ValueError(lost[0])
    answered = int(re.findall(r"(\d+) requests in", printed)[0])
    return {
        "us": spent / answered * 1e6,
        "rps": float(re.findall(r"Requests/sec:\s+([\d.]+)", printed)[0]),
    }


def held(process: int, port: int, target: str, number: int, seconds: float) -> Figures:
    """So many answers at once, which a server that runs holds for so many seconds.

    Raises `ValueError` if not all of them come.
    """
    client = [sys.executable, str(PEERS / "held.py"), str(port)]
    # What the first requests take is not for those that are held.
    run([*client, "/?_delay=0", "10", "0"])
    before = memory_of(process)
    with subprocess.Popen(
        [*on_core(1), *client, target, str(number), f"{seconds:g}"],
        stdout=subprocess.PIPE,
        text=True,
    ) as asking:
        most = before
        while asking.poll() is None:
            most = max(most, memory_of(process))
            time.sleep(0.1)  # noqa: TID251 - nothing here is non-blocking
        assert asking.stdout is not None
        found = json.loads(asking.stdout.read())
    if found["answered"] < number:
        raise ValueError(f"{number - found['answered']} of {number} were lost")
    return {
        "past": found["past"],
        "p99": found["p99"],
        "kb": (most - before) / number,
    }
