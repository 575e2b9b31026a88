"""Starts `python -m MODULE …` in 20 ms, where a new interpreter takes 300.

One process, the warm one, imports what the commands need, but makes no reactor. Each
command is a fork of it that goes on as a new interpreter would with `-m`: a process of
its own, with its own streams, environment, reactor, signals and exit code.

The suite starts some 500 commands, so this halves its time. `Popen` and `run` stand in
for those of `subprocess`, to which they leave what only a new interpreter can do.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from select import POLLIN, poll
from types import ModuleType
from typing import IO, Any, TextIO, cast

__all__ = ["Popen", "run"]

# Everything that takes long to import and does not take the global reactor, which each
# command chooses for itself. Klein takes it, and uses it only for a site of its own: in
# the warm process, it gets what loads it when it is used.
_IMPORTED = (
    # Not all of the proxy: it gives paths to the application that a server has not.
    *("klein", "nbtwisted.server.serving", "nbtwisted.proxy.http"),
    *("nbtwisted.proxy.recording", "nbtwisted.proxy.stream.opener"),
    *("nbtwisted.client.running", "nbtwisted.load.running", "nbtwisted.load.outputs"),
    *("hdrh.histogram", "prometheus_client", "rich.live", "werkzeug.routing"),
    *("twisted.application.app", "twisted.internet.epollreactor"),
    *("twisted.internet.endpoints", "twisted.web.server", "twisted.web.static"),
    *("nbtwisted.client.many.gathering", "nbtwisted.client.request.getting"),
    *("nbtwisted.client.terminal.meanwhile", "nbtwisted.client.options.get"),
    *("nbtwisted.client.results.recording", "nbtwisted.client.many.job_list"),
    *("nbtwisted.client.connection.tls", "nbtwisted.reactor.traced"),
    *(
        "nbtwisted.load.options",
        "nbtwisted.load.reporting.report",
        "nbtwisted.load.local",
    ),
    *("nbtwisted.proxy.options", "nbtwisted.proxy.stream.rules"),
    *("nbtwisted.server.access_log", "nbtwisted.server.engine.in_flight"),
    *("nbtwisted.server.http1.framing", "nbtwisted.server.http1.watch"),
    *("nbtwisted.server.options", "nbtwisted.server.routes.conditional"),
    *("nbtwisted.server.routes.echo", "nbtwisted.server.routes.metrics"),
    *("nbtwisted.server.routes.viewing", "nbtwisted.study.command"),
)
# Variables that an interpreter reads as it starts, and coverage's.
_READ_AT_THE_START = ("PYTHON", "LANG", "LC_", "COVERAGE")
_LENGTH_BYTES = 4
_REACTOR = "twisted.internet.reactor"


class Popen(subprocess.Popen[str]):
    """A process like `subprocess.Popen`'s, of text, that starts warm where it can.

    It is no child of this process, so `_status` says how it ends: a pipe on which the
    warm process writes a line with its PID, and later one with its exit code.
    """

    _status: IO[bytes] | None = None

    def __init__(self, command: Any, **options: Any) -> None:
        super().__init__(command, text=True, **options)

    # The one private method of subprocess' that is replaced; from Python 3.8 to 3.14
    # these are its arguments. Everything else that it does with pipes stays.
    def _execute_child(self, *told: Any) -> None:
        args, executable, preexec_fn, _, pass_fds, cwd, env, _, _, shell = told[:10]
        pipes, rest = told[10:16], told[16:]
        environment = dict(os.environ if env is None else env)
        # What is left of the arguments, unless somebody asked for more.
        plain = (True, None, None, None, -1, False, -1)
        if (
            list(args[:2]) != [sys.executable, "-m"]
            or any((executable, preexec_fn, pass_fds, shell))
            or rest != plain[: len(rest)]
            or _settings(environment) != _settings(os.environ)
        ):
            super()._execute_child(*told)  # type: ignore[misc]
            return
        streams = [
            standard if ours == -1 else ours
            for standard, ours in enumerate((pipes[0], pipes[3], pipes[5]))
        ]
        what = [list(args[2:]), environment, os.fspath(cwd or os.getcwd())]
        self._status = _warm.start(what, streams)
        self.pid = int(self._status.readline())
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        if self._status is None:
            return super().poll()
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; raises `subprocess.TimeoutExpired`."""
        if self._status is None:
            return super().wait(timeout)
        if self.returncode is None:
            ended = poll()
            ended.register(self._status, POLLIN)
            if not ended.poll(None if timeout is None else max(timeout, 0) * 1000):
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
            with self._status as status:
                self.returncode = int(status.readline())
        return self.returncode


def run(
    command: Any, *, timeout: float, input: str | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does; its output is kept."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        streams["stdin"] = subprocess.PIPE
    with Popen(command, **{**streams, **options}) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess(command, process.wait(), out, err)


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith(_READ_AT_THE_START)}


class _WarmProcess:
    """The warm process as this one sees it: started when it is first needed."""

    def __init__(self) -> None:
        # Made before any test begins, whose guard would take it for the test's.
        self._ours, self._theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self._end)

    def start(self, what: list[Any], streams: list[int]) -> IO[bytes]:
        """Start a command; returns its status pipe."""
        message = json.dumps(what).encode()
        length = len(message).to_bytes(_LENGTH_BYTES, "big")
        status, theirs = os.pipe()
        with self._lock:
            if self._process is None:
                self._process = self._start()
            socket.send_fds(self._ours, [length], [*streams, theirs])
            self._ours.sendall(message)
        os.close(theirs)
        return open(status, "rb", buffering=0)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._theirs as theirs:
            return subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def _end(self) -> None:
        # It ends when this process' end of the socket closes, as it also does when
        # this process is killed.
        self._ours.close()
        self._theirs.close()
        if self._process is not None:
            self._process.wait()


if __name__ != "__main__":
    _warm = _WarmProcess()


class _ReactorInTime(ModuleType):
    """The global reactor, for whoever takes it in the warm process and keeps it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(_REACTOR), name)


def _import_all() -> None:
    # As `nbtwisted.reactor.choosing` imports it.
    with importlib.import_module("nbtwisted.reactor.stand_ins").stand_ins():
        importlib.import_module("nbtwisted.reactor.eager")
    in_time = sys.modules[_REACTOR] = _ReactorInTime(_REACTOR)
    for name in _IMPORTED:
        importlib.import_module(name)
    del sys.modules[_REACTOR]
    keepers = [
        name
        for name, loaded in sys.modules.items()
        if any(value is in_time for value in vars(loaded).values())
    ]
    assert keepers == ["klein._app"], keepers


def _run(module: str) -> None:
    """Run it, and end: as the interpreter does, but for taking its modules apart.

    That is half of what a short command costs: what the fork has in common with the
    warm process it would have to copy. Whatever is not a plain end is left to the
    interpreter.
    """
    code: Any = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code or 0
        if not isinstance(code, int):
            raise
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    # An error that nobody has taken is told of when what had it goes.
    gc.collect()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code & 0xFF)


def _fork_on_demand(control: socket.socket) -> tuple[list[str], list[int]] | None:
    """Fork a command for each message; returns in a fork with what it is to be.

    Returns nothing in the warm process, when whoever wants commands has gone.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:
                    process, status = key.data
                    _, ended = os.waitpid(process, 0)
                    _tell(status, os.waitstatus_to_exitcode(ended))
                    selector.unregister(key.fileobj)
                    os.close(key.fd)
                    os.close(status)
                    continue
                length, files, _, _ = socket.recv_fds(control, _LENGTH_BYTES, 4)
                if not length:
                    _kill_all(selector)
                    return None
                size = int.from_bytes(length, "big")
                message = control.recv(size, socket.MSG_WAITALL)
                *streams, status = files
                process = os.fork()
                if process == 0:
                    return json.loads(message), streams
                for stream in streams:
                    os.close(stream)
                _tell(status, process)
                data = process, status
                selector.register(os.pidfd_open(process), selectors.EVENT_READ, data)


def _kill_all(selector: selectors.BaseSelector) -> None:
    """End the commands that nobody waits for any more."""
    for key in selector.get_map().values():
        if key.data is not None:
            os.kill(key.data[0], signal.SIGKILL)


def _tell(status: int, number: int) -> None:
    # A test need not wait for its process.
    with contextlib.suppress(BrokenPipeError):
        os.write(status, b"%d\n" % number)


def _become(what: Any, streams: list[int]) -> str:
    """Make this fork what a new interpreter would be; returns the module to run."""
    (module, *arguments), environment, folder = what
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv = ["-m", *arguments]
    for number, name in enumerate(["stdin", "stdout", "stderr"]):
        standard_stream = _as_at_the_start(number, getattr(sys, name))
        setattr(sys, name, standard_stream)
        setattr(sys, f"__{name}__", standard_stream)
    signal.signal(signal.SIGINT, _interrupted)
    return str(module)


def _as_at_the_start(number: int, warm: TextIO) -> TextIO:
    """A standard stream as CPython's `create_stdio()` makes it (pylifecycle.c)."""
    assert isinstance(warm, io.TextIOWrapper)
    unbuffered = warm.write_through  # PYTHONUNBUFFERED
    buffering = 0 if unbuffered and number > 0 else -1
    file: Any = open(  # noqa: SIM115 - it stays open
        number, f"{warm.mode}b", buffering, closefd=False
    )
    (file.raw if buffering else file).name = warm.name
    stream: Any = io.TextIOWrapper(
        file,
        encoding=warm.encoding,
        errors=warm.errors,
        newline="\n",
        line_buffering=not unbuffered and (number == 2 or file.isatty()),
        write_through=unbuffered,
    )
    stream.mode = warm.mode
    return cast(TextIO, stream)


if __name__ == "__main__":
    # A Ctrl-C is for the commands, which take it as this process would have.
    _interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[0] = os.getcwd()
    _import_all()
    assert _REACTOR not in sys.modules
    # A fork that ends need not look at any of this.
    gc.freeze()
    _told = _fork_on_demand(socket.socket(fileno=int(sys.argv[1])))
    if _told is not None:
        _run(_become(*_told))
