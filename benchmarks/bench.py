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
import subprocess
import sys
import tempfile
from collections.abc import Set
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import twisted
from benchmarks.bench_clients import AT_ONCE, CLIENT_GROUPS, asking
from benchmarks.bench_cores import COMPARED, CORES_GROUPS, on_all_cores
from benchmarks.bench_figures import Figures, Table
from benchmarks.bench_merging import LOOPS, MERGING_GROUPS, merging
from benchmarks.bench_page import OURS, page, summary
from benchmarks.bench_programs import (
    BIN,
    HERE,
    PEERS,
    PEERS_BIN,
    Server,
    running,
)
from benchmarks.bench_proxy import MITMDUMP, PROXY_GROUPS, proxied
from benchmarks.bench_rules import NO_RULES, NONE_ACTS, ONE_ACTS, rules_file
from benchmarks.bench_runs import BenchRun, about, added, read_run, write_run
from benchmarks.bench_serving import Work, held, loading
from benchmarks.free_port import free_port
from nbtwisted import __version__
from nbtwisted.command_line import raise_open_files

DOCS = HERE.parent / "docs"


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
    "proxy": PROXY_GROUPS,
    **{
        group: (group,)
        for group in (
            *(*WORK, "held", *CLIENT_GROUPS, *CORES_GROUPS, *MERGING_GROUPS),
            *PROXY_GROUPS,
        )
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


def serving(
    server: Server, port: int, seconds: float, work: Work, bodies: dict[Work, bytes]
) -> Figures:
    """Load a server by wrk; `bodies` has the first server's for the same request.

    Raises `ValueError` if this server's response is another, or is not a 200.
    """
    with running(server, port) as process:
        return loading(process, port, seconds, work, bodies)


def holding(server: Server, port: int) -> Figures:
    """Ten thousand answers, each held for three seconds, at once."""
    with running(server, port) as process:
        return held(process, port, server.held, AT_ONCE, 3)


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
        if groups & set(PROXY_GROUPS):
            proxied(table, groups, seconds, Path(place), port, with_peers)
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
    for program, option in (
        *(("wrk", "-v"), ("nginx", "-v"), ("curl", "-V")),
        *((str(MITMDUMP), "--version"), ("toxiproxy-server", "-version")),
    ):
        if shutil.which(program):
            said = subprocess.run(
                [program, option], capture_output=True, text=True, check=False
            )
            match = re.search(r"[\d.]*\d", said.stdout + said.stderr)
            found.append(f"{Path(program).name} {match[0] if match else ''}")
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
    with tempfile.TemporaryDirectory() as place:
        measure(
            *(table, groups, args.rounds, args.seconds, place, free_port()),
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
