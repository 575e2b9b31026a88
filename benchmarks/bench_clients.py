"""The clients of `benchmarks.bench`: ours and their peers, asking the same nginx.

Each is a process of its own, on the core that the server does not have. CPU time is
user and system time as the kernel says when the process has ended, its start included
unless said otherwise.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from benchmarks.bench_figures import Figures, Table
from benchmarks.bench_page import (
    ANEW,
    COMMAND,
    KEPT,
    LOAD_SECONDS,
    MIXED,
    OURS,
    TO_WORKERS,
)
from benchmarks.bench_programs import BIN, PEERS, PEERS_BIN, run

__all__ = ["AT_ONCE", "CLIENT_GROUPS", "CONNECTIONS", "asking"]

CLIENT_GROUPS = ("urls", "load", "many", "growth", "memory", "mixed", "start")
CONNECTIONS = 50
AT_ONCE = 10_000
URLS = 20_000
STARTS = 15
"""How often a program is started for one median."""

LONG_LIST = 1_000_000
PYTHON = str(BIN / "python")
PEERS_PYTHON = str(PEERS_BIN / "python")
NBTWISTED = str(BIN / "nbtwisted")


def list_urls(folder: Path, url: str, number: int) -> Path:
    """Make a file of different URLs, one a line, unless it is there; give its path."""
    path = folder / f"{number}.urls"
    if not path.exists():
        with path.open("w") as file:
            file.writelines(f"{url}?n={each:010d}\n" for each in range(number))
    return path


def listed(folder: Path, url: str, name: str) -> Figures:
    """CPU microseconds for each URL of a list, by a program that keeps 50 in flight."""
    urls = list_urls(folder, url, URLS)
    if name.startswith("curl"):
        config = folder / "curl.conf"
        lines = urls.read_text().splitlines()
        config.write_text("".join(f'url = "{line}"\n' for line in lines))
        at_once = ("--parallel", "--parallel-max", str(CONNECTIONS))
        # Its output is a file, as that of each program that is run here.
        done = run(["curl", "-sS", *at_once, "--config", str(config)])
        answered = done.printed.count("wait time")
    elif name.startswith(OURS):
        found = folder / "found.jsonl"
        done = run([*list_command(urls), "-o", str(found)])
        with found.open() as file:
            answered = sum('"status": 200' in line for line in file)
    else:
        script = str(PEERS / "aiohttp_urls.py")
        done = run([PEERS_PYTHON, script, str(urls), str(CONNECTIONS)])
        answered = int(done.printed)
    if answered != URLS:
        raise ValueError(f"{answered} of {URLS} were answered")
    return {"us": done.cpu / URLS * 1e6}


def list_command(urls: Path) -> list[str]:
    """Give our command that gets the URLs of a file as JSON lines."""
    at_once = str(CONNECTIONS)
    return [NBTWISTED, "get", "-i", str(urls), "-c", at_once, "--format", "jsonl"]


def remembering(folder: Path, url: str, number: int) -> Figures:
    """Megabytes at most resident while our command gets a list of URLs."""
    urls = list_urls(folder, url, number)
    return {"mb": run([*list_command(urls), "-o", "/dev/null"]).most_kb / 1024}


def driving(number: int) -> Figures:
    """Megabytes at most resident while the driver of a cluster gets a list of URLs."""
    printed = run([PYTHON, "-m", "benchmarks.many_urls", str(number)]).printed
    return {"mb": json.loads(printed)["megabytes"]}


def list_mixed(folder: Path, url: str, number: int) -> Path:
    """The same as JSON lines: a GET, a HEAD and a POST take turns."""
    path = folder / f"{number}.jsonl"
    if not path.exists():
        with path.open("w") as file:
            for each in range(number):
                line: dict[str, object] = {"url": f"{url}?n={each:010d}"}
                if each % 3 == 1:
                    line["method"] = "HEAD"
                elif each % 3 == 2:
                    line["json"] = {"number": each, "name": "one of many", "tags": []}
                file.write(f"{json.dumps(line)}\n")
    return path


def mixing(folder: Path, url: str, number: int, name: str) -> Figures:
    """CPU microseconds for each line of a list, and megabytes at most resident."""
    make = list_mixed if name.endswith(MIXED) else list_urls
    command = list_command(make(folder, url, number))
    # With -f, an answer of 400 or above ends it with 22.
    done = run([*command, "-f", "-o", "/dev/null"])
    return {"us": done.cpu / number * 1e6, "mb": done.most_kb / 1024}


def loading(url: str, name: str) -> Figures:
    """Requests for each second that the load program computed."""
    connections = str(CONNECTIONS)
    seconds = str(LOAD_SECONDS)
    if name == "wrk":
        done = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", url])
        answered = int(re.findall(r"(\d+) requests in", done.printed)[0])
    elif name == "hey":
        done = run(["hey", "-z", f"{seconds}s", "-c", connections, url])
        answered = int(re.findall(r"\[200\]\s+(\d+)", done.printed)[0])
    elif name.startswith(OURS):
        ours = [NBTWISTED, "load", "--json", "-"]
        done = run([*ours, "-z", seconds, "-c", connections, url])
        answered = json.loads(done.printed)["statuses"]["200"]
    else:
        script = str(PEERS / "aiohttp_load.py")
        done = run([PEERS_PYTHON, script, url, seconds, connections])
        answered = int(done.printed)
    return {"per_cpu": answered / done.cpu}


def getting(url: str, command: Sequence[str], number: int, *more: str) -> Figures:
    """Microseconds of computing for each answer, less what starting takes."""
    start = run([*command, url, "0", *more]).cpu
    done = run([*command, url, str(number), *more])
    if int(done.printed) < number:
        raise ValueError(f"{done.printed.strip()} of {number} were answered")
    return {"us": (done.cpu - start) / number * 1e6}


def starting(command: Sequence[str]) -> Figures:
    """Seconds from the start of a program to its end, and of computing; medians."""
    runs = [run(command) for _ in range(STARTS)]
    return {
        "wall": statistics.median(done.wall for done in runs),
        "cpu": statistics.median(done.cpu for done in runs),
    }


def asking(
    table: Table,
    groups: Collection[str],
    port: int,
    folder: Path,
    with_peers: bool = True,
    with_long_list: bool = False,
) -> None:
    """Measure, once, the programs that ask nginx; `folder` is for lists of URLs."""
    url = f"http://127.0.0.1:{port}/"

    def measure(
        group: str, name: str, what: Callable[..., Figures], *args: object
    ) -> None:
        is_ours = name.startswith(OURS) or group in ("growth", "memory", "mixed")
        if group in groups and (is_ours or with_peers):
            table.measure(group, name, what, *args)

    for name in (COMMAND, "aiohttp + uvloop, bodies only", "curl -Z, bodies only"):
        measure("urls", name, listed, folder, url, name)
    for name in ("nbtwisted load", "wrk", "hey", "aiohttp"):
        measure("load", name, loading, url, name)
    seldom = str(PEERS / "seldom.py")
    get_all = str(PEERS / "get_all_many.py")
    aiohttp = str(PEERS / "aiohttp_many.py")
    many = {
        "nbtwisted get_all": [PYTHON, get_all],
        "aiohttp": [PEERS_PYTHON, aiohttp],
        "nbtwisted get_all, collecting seldom": [PYTHON, seldom, get_all],
        "aiohttp, collecting seldom": [PEERS_PYTHON, seldom, aiohttp],
        "treq": [PEERS_PYTHON, str(PEERS / "treq_many.py")],
    }
    for name, command in many.items():
        more = [str(AT_ONCE)] if name.startswith(OURS) else []
        measure("many", name, getting, url, command, AT_ONCE, *more)
    for path, how, in_flight in (
        ("", KEPT, (10, 100, 1000)),
        ("anew", ANEW, (10, 100, 1000, AT_ONCE)),
    ):
        for number in in_flight:
            measure(
                *("growth", f"{number:,} at once, {how}", getting),
                *(url + path, [PYTHON, get_all], AT_ONCE, str(number)),
            )
    for number in (1000, 200_000, *([LONG_LIST] if with_long_list else [])):
        measure("memory", f"{number:,} URLs", remembering, folder, url, number)
    for number in (LONG_LIST, *([10 * LONG_LIST] if with_long_list else [])):
        measure("memory", f"{number:,} {TO_WORKERS}", driving, number)
    for number in (100_000, *([LONG_LIST] if with_long_list else [])):
        for name in (f"{number:,} URLs", f"{number:,} {MIXED}"):
            measure("mixed", name, mixing, folder, url, number, name)
    for name, command in {
        "nbtwisted get -n 1": [NBTWISTED, "get", "-n", "1", url],
        "python -c 'import twisted.internet.reactor'": [
            *(PYTHON, "-c", "import twisted.internet.reactor"),
        ],
        "curl": ["curl", "-sS", url],
    }.items():
        measure("start", name, starting, command)
