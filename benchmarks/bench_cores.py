"""What a second core gives: all of a load run on one core, and on two.

A core is given to client and server together, because a client on a core of its own
would leave half of the other idle.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from benchmarks.bench_page import LOAD_SECONDS, ON_ONE, ON_TWO, Figures
from benchmarks.bench_programs import BIN, Server, cpu_of, run, running

__all__ = ["COMPARED", "CORES_GROUPS", "on_all_cores"]

CORES_GROUPS = ("cores",)
COMPARED = (ON_ONE, ON_TWO)
CONNECTIONS = 50


def on_all_cores(name: str, server: Server, port: int, place: Path) -> Figures:
    """Load nginx, which has as many workers as there are cores for both."""
    if len(os.sched_getaffinity(0)) < 2:
        raise OSError("there is one core")
    number = 2 if name == ON_TWO else 1
    config = (place / "nginx.conf").read_text()
    config = config.replace("worker_processes 1", f"worker_processes {number}")
    # So that each worker has its share of the connections.
    config = re.sub(r"listen .*(?=;)", r"\g<0> reuseport", config)
    path = place / "cores.conf"
    path.write_text(config)
    server = Server(server.name, ("nginx", "-c", str(path)))
    many = ["--cluster", "local:2"] if number == 2 else []
    command = [
        *(str(BIN / "nbtwisted"), "load", "--json", "-", *many),
        *("-z", str(LOAD_SECONDS), "-c", str(CONNECTIONS)),
        f"http://127.0.0.1:{port}/",
    ]
    cores = range(number)
    with running(server, port, cores) as process:
        before = cpu_of(process)
        found = json.loads(run(command, cores).printed)
        spent = cpu_of(process) - before
    answered = found["statuses"]["200"]
    shares = [each["cpu"] for each in found["workers"]] or [found["client"]["cpu"]]
    spent += sum(shares) * found["seconds"]
    return {"us": spent / answered * 1e6, "rps": found["rps"]}
