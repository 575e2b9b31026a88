"""Compares with peers, side by side in one run: `make bench`.

Server and load have a core each, where there are two. Each figure is the median of its
rounds, and rounds of all that is compared take turns. What a program computed for is
what the kernel says when it has ended (getrusage). A peer that cannot be started is a
row that says so. Writes docs/benchmarks.md, and a JSON file beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import twisted
from benchmarks.bench_page import Figures, Table, page
from nbtwisted import __version__

HERE = Path(__file__).parent
PEERS = HERE / "peers"
DOCS = HERE.parent / "docs"
BIN = Path(sys.executable).parent
PEERS_BIN = BIN / ".." / "peers" / "bin"
CONNECTIONS = 50
AT_ONCE = 10_000


@dataclass(frozen=True)
class Server:
    """A server, and where it answers at once and after three seconds."""

    name: str
    command: tuple[str, ...]
    at_once: str = "/"
    held: str = "/held"
    are_different: bool = False
    """Whether no request comes again."""


@dataclass(frozen=True)
class Done:
    """What a program that has ended printed, and the seconds that it computed for."""

    printed: str
    cpu: float


def servers(place: str, port: int) -> list[Server]:
    """All that are compared, ours first; `place` is a folder for what they write."""
    (Path(place) / "nginx.conf").write_text(
        (PEERS / "nginx.conf")
        .read_text()
        .replace("PLACE", place)
        .replace("PORT", str(port))
    )
    ours = (str(BIN / "python"), "-m", "nbtwisted.server")
    listen = ("--listen", f"tcp:{port}:interface=127.0.0.1")
    ways = ("/?_delay=0", "/?_delay=3")
    peer = str(PEERS_BIN)
    uvicorn = (f"{peer}/uvicorn", "--app-dir", str(PEERS), "--port", str(port))
    granian = (f"{peer}/granian", "--interface", "asgi", "--loop", "uvloop")
    return [
        Server("nbtwisted", (*ours, *listen), *ways),
        Server("nbtwisted, all different", (*ours, *listen), *ways, are_different=True),
        Server("nbtwisted, twisted", (*ours, *listen, "--channel", "twisted"), *ways),
        Server(
            "FastAPI + uvicorn",
            (*uvicorn, "--no-access-log", "--backlog", "8192", "fastapi_app:app"),
        ),
        Server(
            "aiohttp + uvloop",
            (f"{peer}/python", str(PEERS / "aiohttp_app.py"), str(port)),
        ),
        Server(
            "granian + bare ASGI",
            (
                *granian,
                *("--port", str(port), "--workers", "1", "--backlog", "8192"),
                *("--working-dir", str(PEERS), "asgi_app:app"),
            ),
        ),
        Server("nginx + echo", ("nginx", "-c", f"{place}/nginx.conf")),
    ]


def on_core(number: int) -> list[str]:
    """What begins a command that is to have a core to itself."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[number])] if len(cores) > 1 else []


@contextmanager
def running(server: Server, port: int) -> Iterator[int]:
    """The server, listening; gives its process. Raises `OSError` if there is none."""
    with subprocess.Popen(
        [*on_core(0), *server.command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait_for(port, process)
            yield process.pid
        finally:
            # Some have processes of their own.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise OSError("it does not start")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)  # noqa: TID251 - nothing here is non-blocking
            continue
        return
    raise OSError("it does not listen")


def run(command: Sequence[str]) -> Done:
    """Run a program on the load's core, to its end; raises `OSError` if it fails."""
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [*on_core(1), *command], stdout=printed, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        if process.returncode:
            raise OSError(f"{command[0]} ended with {process.returncode}")
        return Done(printed.read(), usage.ru_utime + usage.ru_stime)


def memory_of(process: int) -> float:
    """KB resident, of a process and of those that it started."""
    found = 0.0
    text = Path(f"/proc/{process}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+)", text)
    if match:
        found += float(match[1])
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return found + sum(memory_of(int(child)) for child in children)


def serving(server: Server, port: int, seconds: float) -> Figures:
    """Requests a second, asked by wrk."""
    with running(server, port):
        url = f"http://127.0.0.1:{port}{server.at_once}"
        load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}", url]
        # Once, for what is done at the first request.
        run([*load[:3], "-d1", url])
        if server.are_different:
            load[1:1] = ["-s", str(PEERS / "different.lua")]
        printed = run(load).printed
    if "Non-2xx" in printed:
        raise ValueError("other answers than 200")
    return {"rps": float(re.findall(r"Requests/sec:\s+([\d.]+)", printed)[0])}


def holding(server: Server, port: int) -> Figures:
    """Ten thousand answers, each held for three seconds, at once."""
    client = [sys.executable, str(PEERS / "held.py"), str(port), server.held]
    with running(server, port) as process:
        # What the first requests take is not for those that are held.
        run([*client[:3], server.at_once, "10", "0"])
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


def loading(url: str, name: str, seconds: float) -> Figures:
    """Requests for each second that the load program computed."""
    connections = str(CONNECTIONS)
    if name == "wrk":
        done = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}", url])
        answered = int(re.findall(r"(\d+) requests in", done.printed)[0])
    elif name == "hey":
        done = run(["hey", "-z", f"{seconds:.0f}s", "-c", connections, url])
        answered = int(re.findall(r"\[200\]\s+(\d+)", done.printed)[0])
    elif name == "nbtwisted load":
        ours = [str(BIN / "nbtwisted"), "load", "--json", "-"]
        done = run([*ours, "-z", f"{seconds:g}", "-c", connections, url])
        answered = json.loads(done.printed)["statuses"]["200"]
    else:
        script = str(PEERS / "aiohttp_load.py")
        python = str(PEERS_BIN / "python")
        done = run([python, script, url, f"{seconds:g}", connections])
        answered = int(done.printed)
    return {"per_cpu": answered / done.cpu}


def getting(url: str, command: Sequence[str], number: int, *more: str) -> Figures:
    """Microseconds of computing for each answer, less what starting takes."""
    start = run([*command, url, "0", *more]).cpu
    done = run([*command, url, str(number), *more])
    if int(done.printed) < number:
        raise ValueError(f"{done.printed.strip()} of {number} were answered")
    return {"us": (done.cpu - start) / number * 1e6}


def measure(table: Table, rounds: int, seconds: float, place: str, port: int) -> None:
    """Every figure, so many times."""
    all_servers = servers(place, port)
    nginx = all_servers[-1]
    url = f"http://127.0.0.1:{port}/"
    theirs = str(PEERS_BIN / "python")
    many: dict[str, list[str]] = {
        "nbtwisted get_all": [str(BIN / "python"), str(PEERS / "get_all_many.py")],
        "aiohttp": [theirs, str(PEERS / "aiohttp_many.py")],
        "nbtwisted get_all, collecting seldom": [
            *(str(BIN / "python"), str(PEERS / "seldom.py")),
            str(PEERS / "get_all_many.py"),
        ],
        "aiohttp, collecting seldom": [
            *(theirs, str(PEERS / "seldom.py")),
            str(PEERS / "aiohttp_many.py"),
        ],
        "treq": [theirs, str(PEERS / "treq_many.py")],
    }
    for _ in range(rounds):
        for server in all_servers:
            table.measure("server", server.name, serving, server, port, seconds)
        for server in all_servers:
            if not server.are_different:
                table.measure("held", server.name, holding, server, port)
        try:
            with running(nginx, port):
                for name in ("nbtwisted load", "wrk", "hey", "aiohttp"):
                    table.measure("load", name, loading, url, name, seconds)
                for name, command in many.items():
                    more = [str(AT_ONCE)] if name.startswith("nbtwisted") else []
                    table.measure("many", name, getting, url, command, AT_ONCE, *more)
                for flight in (10, 100, 1000, AT_ONCE):
                    table.measure(
                        "growth",
                        f"{flight:,}",
                        getting,
                        url,
                        many["nbtwisted get_all"],
                        AT_ONCE,
                        str(flight),
                    )
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
    for program, option in (("wrk", "-v"), ("nginx", "-v")):
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


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=DOCS)
    told = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("bench: expected wrk on the PATH (Debian has it)")
    table = Table()
    with tempfile.TemporaryDirectory() as place, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        measure(table, told.rounds, told.seconds, place, port)
    given = " ".join(sys.argv[1:])
    command = f"make bench BENCH='{given}'" if given else "make bench"
    about = (
        f"Written by `{command}` on {date.today()}: {machine()}; {versions()}. Medians "
        f"of {told.rounds} rounds, in which all take turns, of {told.seconds:g} s "
        "each; ratios are medians of each round's. Absolute figures are this "
        "machine's, ratios carry over."
    )
    written = page(table, about)
    (told.out / "benchmarks.md").write_text(written)
    kept: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "rounds": table.rounds,
        "failures": table.failures,
    }
    (told.out / "benchmarks.json").write_text(json.dumps(kept, indent=1) + "\n")
    print()
    print(written)


if __name__ == "__main__":
    main()
