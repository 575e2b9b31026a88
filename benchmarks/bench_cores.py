"""What a second core gives: all of a run on one core, and on two.

A core is given to client and server together, because a client on a core of its own
would leave half of the other idle.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from benchmarks.bench_figures import Figures
from benchmarks.bench_page import (
    CORES_URLS,
    GET_ON_ONE,
    GET_ON_TWO,
    LOAD_SECONDS,
    ON_ONE,
    ON_TWO,
)
from benchmarks.bench_programs import BIN, Server, cpu_of, run, running

__all__ = ["COMPARED", "CORES_GROUPS", "on_all_cores"]

CORES_GROUPS = ("cores",)
COMPARED = (ON_ONE, ON_TWO, GET_ON_ONE, GET_ON_TWO)
HOSTS = 8
CONNECTIONS = 50


def on_all_cores(name: str, server: Server, port: int, place: Path) -> Figures:
    """Ask nginx, which has as many workers as there are cores for both."""
    if len(os.sched_getaffinity(0)) < 2:
        raise OSError("there is one core")
    number = 2 if name in (ON_TWO, GET_ON_TWO) else 1
    config = (place / "nginx.conf").read_text()
    config = config.replace("worker_processes 1", f"worker_processes {number}")
    # So that each worker has its share of the connections.
    config = re.sub(r"listen .*(?=;)", r"\g<0> reuseport", config)
    path = place / "cores.conf"
    path.write_text(config)
    server = Server(server.name, ("nginx", "-c", str(path)))
    many = ["--cluster", "local:2"] if number == 2 else []
    asking = _loading if name in (ON_ONE, ON_TWO) else _getting
    with running(server, port, range(number)) as process:
        return asking(port, place, many, process)


def _loading(port: int, _: Path, many: list[str], nginx: int) -> Figures:
    command = [
        *(str(BIN / "nbtwisted"), "load", "--json", "-", *many),
        *("-z", str(LOAD_SECONDS), "-c", str(CONNECTIONS)),
        f"http://127.0.0.1:{port}/",
    ]
    before = cpu_of(nginx)
    found = json.loads(run(command, range(2 if many else 1)).printed)
    spent = cpu_of(nginx) - before
    answered = found["statuses"]["200"]
    shares = [each["cpu"] for each in found["workers"]] or [found["client"]["cpu"]]
    spent += sum(shares) * found["seconds"]
    return {"us": spent / answered * 1e6, "rps": found["rps"]}


def _getting(port: int, place: Path, many: list[str], nginx: int) -> Figures:
    cpu, wall = [], []
    for number in (HOSTS, CORES_URLS):
        path = place / f"{number}.hosts"
        path.write_text(
            "".join(
                f"http://h{each % HOSTS}.example:{port}/?n={each:010d}\n"
                for each in range(number)
            )
        )
        before = cpu_of(nginx)
        done = run(
            [
                *(str(BIN / "nbtwisted"), "get", "-i", str(path), *many),
                *("-c", str(2 * CONNECTIONS), "--resolve", f"*:{port}:127.0.0.1"),
            ],
            range(2 if many else 1),
        )
        cpu.append(done.cpu + cpu_of(nginx) - before)
        wall.append(done.wall)
    number = CORES_URLS - HOSTS
    return {
        "us": (cpu[1] - cpu[0]) / number * 1e6,
        "rps": number / (wall[1] - wall[0]),
    }
