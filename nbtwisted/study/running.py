"""Runs a program beside a delay server of its own, and tells what was observed."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from nbtwisted.cores import usable_cores
from nbtwisted.study.calls import counted, counting
from nbtwisted.study.process import watch
from nbtwisted.study.run import Calls, Request, Run
from nbtwisted.study.task import Task
from nbtwisted.testing.server_beside import (
    ServerProcess,
    ServerProcessDied,
    SlowServer,
)

__all__ = ["Runner"]


class Runner:
    """Runs programs; as a context, ends the process of its servers at its end."""

    def __init__(self) -> None:
        self._servers = ServerProcess()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.stop()

    def run(self, program: Path, task: Task) -> Run:
        """Run a Python program as a task wants it.

        A second copy runs at the same time, with a server of its own, and has its
        system calls counted; before the first, where there is one processor, or where
        the task wants the program to be alone.

        Raises `OSError` if the program cannot be started, and `ServerProcessDied` if
        the server cannot.
        """
        with (
            self._server(task) as server,
            self._server(task) as server_of_copy,
            ThreadPoolExecutor(1) as pool,
        ):
            calls: Future[dict[str, Calls] | None] | None = None
            stopped = Event()
            try:
                if task.traced:
                    calls = pool.submit(
                        _calls_of, program, task, server_of_copy, stopped
                    )
                    if task.alone or usable_cores() == 1:
                        wait([calls])
                return _observed(program, task, server, calls)
            except BaseException:
                # Ctrl-C: the pool waits for the copy.
                stopped.set()
                raise

    @contextmanager
    def _server(self, task: Task) -> Iterator[SlowServer]:
        server = self._servers.open(**task.server)
        try:
            yield server
        finally:
            # A program may have ended it.
            with suppress(ServerProcessDied):
                self._servers.close(server)


def _observed(
    program: Path,
    task: Task,
    server: SlowServer,
    calls: Future[dict[str, Calls] | None] | None,
) -> Run:
    watched = watch(
        [sys.executable, *_command(program, task, server)],
        seconds=task.seconds,
        environment=_environment(),
        folder=program.parent,
    )
    try:
        journal = server.requests()
        server_lives = True
    except ConnectionError:
        journal = []
        server_lives = False
    return Run(
        ending=watched.ending,
        stdout=watched.stdout,
        stderr=watched.stderr,
        requests=[
            Request.of_journal(entry, number, _unix_time(entry) - watched.began)
            for number, entry in enumerate(journal, 1)
        ],
        samples=watched.samples,
        calls=None if calls is None else calls.result(),
        server_lives=server_lives,
    )


def _calls_of(
    program: Path, task: Task, server: SlowServer, stopped: Event
) -> dict[str, Calls] | None:
    with tempfile.TemporaryDirectory(prefix="nbtwisted-") as folder:
        record = Path(folder, "calls")
        watch(
            counting(_command(program, task, server), record),
            seconds=task.seconds,
            environment=_environment(),
            folder=program.parent,
            stopped=stopped,
        )
        return counted(record)


def _command(program: Path, task: Task, server: SlowServer) -> list[str]:
    return [program.name, str(server.port), *task.arguments]


def _environment() -> dict[str, str]:
    # What a program has printed by its deadline is to be seen.
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _unix_time(entry: dict[str, Any]) -> float:
    return datetime.fromisoformat(entry["time"].replace("Z", "+00:00")).timestamp()
