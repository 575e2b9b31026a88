"""Compares with peers, side by side in one run: `make bench`.

Each figure is the median of its rounds, and rounds of all that is compared take turns.
A peer that cannot be started is a row that says so. Writes docs/benchmarks.md, and a
JSON file beside it; with --only or --without-peers, only prints, and with --add puts
the parts of --only beside those that these files have:
`python -m benchmarks.bench --rounds 1 --seconds 1 --only get`. Needs wrk; nginx, its
echo module, hey and curl are peers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import twisted
from benchmarks.bench_clients import AT_ONCE, CLIENT_GROUPS, CONNECTIONS, asking
from benchmarks.bench_cores import COMPARED, CORES_GROUPS, on_all_cores
from benchmarks.bench_merging import LOOPS, MERGING_GROUPS, merging
from benchmarks.bench_page import OURS, Figures, Table, page, summary
from benchmarks.bench_programs import (
    BIN,
    HERE,
    PEERS,
    PEERS_BIN,
    Server,
    cpu_of,
    memory_of,
    on_core,
    run,
    running,
)
from benchmarks.bench_rules import NO_RULES, NONE_ACTS, ONE_ACTS, rules_file
from benchmarks.bench_runs import BenchRun, about, added, read_run, write_run
from nbtwisted import __version__
from nbtwisted.command_line import raise_open_files

DOCS = HERE.parent / "docs"


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


POSTED = (
    '{"number": "%010d", "name": "one of many", "tags": ["slow", "broken", "late"], '
    '"owner": {"id": 7, "is_admin": false, "email": null}, "seconds": 1.5, '
    '"text": "as long as the usual body of an API"}'
)
WORK = {
    "delay": Work("/?_delay=0"),
    "get": Work("/get"),
    "bytes": Work("/bytes/1024", is_random=True),
    "stream": Work("/stream/10"),
    "anything": Work("/anything", POSTED),
    "twistd": Work("/?_delay=0"),
    "same": Work("/?_delay=0", is_different=False),
    "rules": Work("/get"),
}
PARTS: dict[str, tuple[str, ...]] = {
    "server": tuple(WORK),
    "different": ("delay", "get", "bytes", "stream", "anything"),
    "client": CLIENT_GROUPS,
    **{
        group: (group,)
        for group in (*WORK, "held", *CLIENT_GROUPS, *CORES_GROUPS, *MERGING_GROUPS)
    },
}


def servers(place: str, port: int) -> dict[str, list[Server]]:
    """Give the servers of each group, ours first; `place` is a folder for nginx."""
    (Path(place) / "nginx.conf").write_text(
        (PEERS / "nginx.conf")
        .read_text()
        .replace("PLACE", place)
        .replace("PORT", str(port))
    )
    listen = f"tcp:{port}:interface=127.0.0.1"
    twistd = (
        *(str(BIN / "twistd"), "-n", "--pidfile=", "web"),
        *("--listen", f"{listen}:backlog=8192"),
    )
    peer = str(PEERS_BIN)
    ours = Server(
        OURS, (str(BIN / "python"), "-m", "nbtwisted.server", "--listen", listen)
    )
    aiohttp = Server(
        "aiohttp + uvloop",
        (f"{peer}/python", str(PEERS / "aiohttp_app.py"), str(port)),
    )
    all_same = [
        ours,
        Server(
            "FastAPI + uvicorn",
            (
                *(f"{peer}/uvicorn", "--app-dir", str(PEERS), "--port", str(port)),
                *("--no-access-log", "--backlog", "8192", "fastapi_app:app"),
            ),
            "/held",
        ),
        aiohttp,
        Server(
            "granian + bare ASGI",
            (
                *(f"{peer}/granian", "--interface", "asgi", "--loop", "uvloop"),
                *("--port", str(port), "--workers", "1", "--backlog", "8192"),
                *("--working-dir", str(PEERS), "asgi_app:app"),
            ),
            "/held",
        ),
        Server("nginx + echo", ("nginx", "-c", f"{place}/nginx.conf"), "/held"),
    ]
    under_twistd = [
        Server(OURS, (*twistd, "--class=nbtwisted.server.resource")),
        Server("bare Klein", (*twistd, "--class=benchmarks.peers.klein_app.resource")),
    ]
    with_rules = [
        replace(ours, name=name, command=(*ours.command, *options))
        for name, options in (
            (NO_RULES, ()),
            (NONE_ACTS, ("--rules", rules_file(Path(place), one_acts=False))),
            (ONE_ACTS, ("--rules", rules_file(Path(place), one_acts=True))),
        )
    ]
    return {
        **{group: [ours, aiohttp] for group in PARTS["different"]},
        "twistd": under_twistd,
        "same": all_same,
        "rules": with_rules,
        "held": [
            *all_same,
            *(replace(each, name=f"{each.name}, twistd") for each in under_twistd),
        ],
    }


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


def serving(
    server: Server, port: int, seconds: float, work: Work, bodies: dict[Work, bytes]
) -> Figures:
    """Load a server by wrk; `bodies` has the first server's for the same request.

    Raises `ValueError` if this server's response is another, or is not a 200.
    """
    url = f"http://127.0.0.1:{port}{work.path}"
    script = ["-s", str(PEERS / "different.lua")] if work.is_different else []

    def load(seconds: float, first: int) -> str:
        given = ["--", str(first), *filter(None, [work.posted])] if script else []
        many = ["-t1", f"-c{CONNECTIONS}", f"-d{max(seconds, 1):.0f}"]
        return run(["wrk", *many, *script, url, *given]).printed

    with running(server, port) as process:
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
    answered = int(re.findall(r"(\d+) requests in", printed)[0])
    return {
        "us": spent / answered * 1e6,
        "rps": float(re.findall(r"Requests/sec:\s+([\d.]+)", printed)[0]),
    }


def holding(server: Server, port: int) -> Figures:
    """Ten thousand answers, each held for three seconds, at once."""
    client = [sys.executable, str(PEERS / "held.py"), str(port), server.held]
    with running(server, port) as process:
        # What the first requests take is not for those that are held.
        run([*client[:3], "/?_delay=0", "10", "0"])
        before = memory_of(process)
        with subprocess.Popen(
            [*on_core(1), *client, str(AT_ONCE), "3"],
            stdout=subprocess.PIPE,
            text=True,
        ) as asking:
            most = before
            while asking.poll() is None:
                most = max(most, memory_of(process))
                time.sleep(0.1)  # noqa: TID251 - nothing here is non-blocking
            assert asking.stdout is not None
            found = json.loads(asking.stdout.read())
    if found["answered"] < AT_ONCE:
        raise ValueError(f"{found['lost']} of {AT_ONCE} were lost")
    return {
        "past": found["past"],
        "p99": found["p99"],
        "kb": (most - before) / AT_ONCE,
    }


def measure(
    table: Table,
    groups: Set[str],
    rounds: int,
    seconds: float,
    place: str,
    port: int,
    with_peers: bool = True,
    with_long_list: bool = False,
) -> None:
    """Measure the groups, so many times."""
    bodies: dict[Work, bytes] = {}
    compared = servers(place, port)
    nginx = compared["same"][-1]
    for _ in range(rounds):
        for group, found in compared.items():
            if group not in groups:
                continue
            has_peers = group != "rules"
            for server in found if with_peers or not has_peers else found[:1]:
                if group == "held":
                    table.measure(group, server.name, holding, server, port)
                else:
                    table.measure(
                        *(group, server.name, serving),
                        *(server, port, seconds, WORK[group], bodies),
                    )
        for name in COMPARED if "cores" in groups else ():
            table.measure("cores", name, on_all_cores, name, nginx, port, Path(place))
        for name in LOOPS if "merging" in groups else ():
            table.measure("merging", name, merging, name)
        if not groups & set(CLIENT_GROUPS):
            continue
        try:
            with running(nginx, port):
                asking(table, groups, port, Path(place), with_peers, with_long_list)
        except OSError as error:
            print(f"nginx, which the load programs ask: {error}", flush=True)


def versions() -> str:
    """What was compared."""
    found = [f"nbtwisted {__version__}", f"Twisted {twisted.__version__}"]
    try:
        listed = subprocess.run(
            [str(PEERS_BIN / "pip"), "list", "--format", "json"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        wanted = ("aiohttp", "fastapi", "granian", "treq", "uvicorn", "uvloop")
        found += [
            f"{each['name']} {each['version']}"
            for each in json.loads(listed)
            if each["name"].lower() in wanted
        ]
    except (OSError, subprocess.CalledProcessError):
        found.append("no Python peers")
    for program, option in (("wrk", "-v"), ("nginx", "-v"), ("curl", "-V")):
        if shutil.which(program):
            said = subprocess.run(
                [program, option], capture_output=True, text=True, check=False
            )
            match = re.search(r"[\d.]*\d", said.stdout + said.stderr)
            found.append(f"{program} {match[0] if match else ''}")
    return ", ".join(found)


def machine() -> str:
    """Where."""
    cores = len(os.sched_getaffinity(0))
    return (
        f"Python {platform.python_version()}, Linux {platform.release()}, "
        f"{platform.machine()}, {cores} cores"
    )


def _read(folder: Path) -> tuple[Table, list[BenchRun]]:
    """Give what was measured before, and by which runs."""
    kept = json.loads((folder / "benchmarks.json").read_text())
    table = Table()
    table.rounds, table.failures = kept["rounds"], kept["failures"]
    return table, [read_run(each) for each in kept["runs"]]


def _write(folder: Path, table: Table, runs: list[BenchRun]) -> str:
    """Write the page and its figures; gives the page."""
    written = page(table, about(runs))
    (folder / "benchmarks.md").write_text(written)
    kept: dict[str, Any] = {
        "runs": [write_run(each) for each in runs],
        "rounds": table.rounds,
        "failures": table.failures,
    }
    (folder / "benchmarks.json").write_text(json.dumps(kept, indent=1) + "\n")
    return written


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often all is done")
    parser.add_argument(
        "--seconds",
        type=float,
        default=3.0,
        help="how long wrk asks each server, 1 or more",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        metavar="PART",
        help="measure these parts, print their tables and write no file: "
        + ", ".join(
            f"{name} ({' '.join(groups)})" if len(groups) > 1 else name
            for name, groups in PARTS.items()
        ),
    )
    parser.add_argument(
        "--add",
        action="store_true",
        help="with --only: write these parts to the files, which keep the others",
    )
    parser.add_argument(
        "--without-peers",
        action="store_true",
        help="measure ours alone, print the tables and write no file",
    )
    parser.add_argument(
        "--long",
        action="store_true",
        help="get lists of a million lines, too: some minutes a round",
    )
    parser.add_argument(
        "--out", type=Path, default=DOCS, help="the folder to write to (docs)"
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="measure nothing: write the page anew, from the JSON file beside it",
    )
    args = parser.parse_args()
    if args.page:
        _write(args.out, *_read(args.out))
        return
    if shutil.which("wrk") is None:
        sys.exit("bench: expected wrk on the PATH (Debian has it)")
    raise_open_files()
    groups = {group for part in args.only or PARTS for group in PARTS[part]}
    table = Table()
    with tempfile.TemporaryDirectory() as place, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        measure(
            *(table, groups, args.rounds, args.seconds, place, port),
            with_peers=not args.without_peers,
            with_long_list=args.long,
        )
    if (args.only and not args.add) or args.without_peers:
        print()
        print(summary(table))
        return
    given = " ".join(sys.argv[1:])
    latest = BenchRun(
        command=f"make bench BENCH='{given}'" if given else "make bench",
        day=str(date.today()),
        machine=machine(),
        versions=versions(),
        groups=tuple({**table.rounds, **table.failures}),
    )
    runs: list[BenchRun] = []
    if args.only:
        earlier, runs = _read(args.out)
        table.add_earlier(earlier)
    written = _write(args.out, table, added(runs, latest))
    print()
    print(written)


if __name__ == "__main__":
    main()
