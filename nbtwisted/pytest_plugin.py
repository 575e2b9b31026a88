"""Fixtures for pytest: a slow, broken server beside a test, or in its hands.

    def test_retries(slow_server):
        answer = requests.get(slow_server.url + "/get?_seq=503,200&_key=a")

`slow_server` runs in a process of its own, whatever HTTP client a test uses: it shares
no reactor, lock or patched clock with the code under test. One process serves a whole
session, because a new one takes 0.3 s and a new port milliseconds; each test has a
port, a journal and a memory of keys of its own. `slow_app` is the same app on a
`twisted.internet.task.Clock`, for tests of Twisted programs.

The mark `slow_server` tells either how it is to be, as `DelayServer` takes it:

    @pytest.mark.slow_server(seed=7, max_delay=10, max_in_flight=2, lenient=True)

Unless a seed is given, a test has its own, made from its name: so that what is left to
chance is the same each time that it runs.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from nbtwisted.server.testing.slow_app import SlowApp

__all__ = ["SlowServer", "SlowServerWarning", "slow_app", "slow_server"]

SETTINGS = ("seed", "max_delay", "max_in_flight", "lenient")

SECONDS_TO_ANSWER = 10
"""After which the server's process is taken for one that hangs."""

SECONDS_TO_START = 30
"""The same for the first answer: it has yet to import what it needs."""

LINES_SHOWN = 10
"""Of what a process that died has said on stderr."""

SECONDS_TO_END = 2
"""That it has when nobody wants it any more."""


class SlowServer:
    """A server beside a test. `url` has no slash at its end."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.seed = seed
        self.url = f"http://127.0.0.1:{port}"

    def __repr__(self) -> str:
        return f"<SlowServer {self.url} seed={self.seed}>"

    def requests(self, key: str | None = None) -> list[dict[str, Any]]:
        """What was asked, oldest first; of one key, if it is given.

        Each request has `id`, `time`, `peer`, `method`, `target`, `headers`, `key`,
        `asked`, `held` and `took` (seconds), `status`, `fault`, `sent` (bytes) and
        `outcome`: `in flight`, `answered`, `broken`, `cancelled` or `released`.
        """
        query = "" if key is None else "?" + urlencode({"key": key})
        answer = self._ask("GET", f"/__admin/requests{query}")
        requests: list[dict[str, Any]] = answer["requests"]
        return requests

    def stats(self) -> dict[str, Any]:
        """Totals: `in_flight`, `requests`, `outcomes`, `by_status` and so on."""
        stats: dict[str, Any] = self._ask("GET", "/__admin/stats")
        return stats

    def reset(self) -> int:
        """Forget what was asked, and let go of what is held; returns how many."""
        released: int = self._ask("POST", "/__admin/reset")["released"]
        return released

    def _ask(self, method: str, target: str) -> Any:
        # Without a proxy, whatever the environment says.
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=SECONDS_TO_ANSWER
        )
        try:
            connection.request(method, target)
            return json.load(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise ConnectionError(f"{self!r} does not answer: {reason}") from error
        finally:
            connection.close()


class SlowServerWarning(pytest.PytestWarning):
    """The process of the servers has died or hung; the next test gets a new one."""


class _Died(Exception):
    """The process of the servers has died, or had to be killed; says why."""


class _Process:
    """The process of the servers, which starts while tests are still collected.

    A new one takes its place when it has died. `outlived_by` are the PIDs of those,
    besides us, who end after it.
    """

    def __init__(self, *outlived_by: int) -> None:
        self._outlived_by = outlived_by
        self._is_over = False
        self._start()

    def open(self, settings: dict[str, Any]) -> int:
        """Have a server opened; returns its port."""
        try:
            answer = self._tell({"open": settings})
        except _Died as died:
            _warn(died)
            try:
                answer = self._tell({"open": settings})
            except _Died as again:
                pytest.fail(f"{again}\nSo did the one before.", pytrace=False)
        port: int = answer["port"]
        return port

    def close(self, port: int) -> None:
        """Have a server closed."""
        try:
            self._tell({"close": port})
        except _Died as died:
            # And took all of its servers along.
            _warn(died)

    def stop(self) -> str:
        """End the process; returns what it complained of."""
        if self._is_over:
            return ""
        self._is_over = True
        with contextlib.suppress(BrokenPipeError):
            self._told.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            # It hangs.
            self._process.kill()
            self._process.wait()
        self._answers.close()
        with self._complaints:
            self._complaints.seek(0)
            return self._complaints.read()

    def _start(self) -> None:
        # A file, because nobody reads a pipe while the tests run.
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115
        parents = map(str, (os.getpid(), *self._outlived_by))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nbtwisted.server.testing.server_process", *parents],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            bufsize=0,
            # Ctrl-C is for the tests; the end of stdin is for this.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._told, self._answers = self._process.stdin, self._process.stdout
        self._patience = SECONDS_TO_START
        self._is_over = False

    def _tell(self, what: dict[str, Any]) -> dict[str, Any]:
        """Have something done; returns what was answered, or raises `_Died`."""
        if self._is_over:
            self._start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self._told.write(json.dumps(what).encode() + b"\n")
            line = _line(self._answers, self._patience)
        except TimeoutError:
            self._process.kill()
            complaints = self.stop()
            why = f"did not answer within {self._patience} s, and was killed"
        except BaseException:
            # Ctrl-C, or a test's own timeout: by the next time, the answer to this
            # would be taken for that one's.
            self._process.kill()
            self.stop()
            raise
        else:
            if line:
                self._patience = SECONDS_TO_ANSWER
                answer: dict[str, Any] = json.loads(line)
                return answer
            complaints = self.stop()
            why = f"died: {_how(self._process.returncode)}"
        last = complaints.splitlines()[-LINES_SHOWN:]
        raise _Died("\n".join([f"the slow server {why}", *last]))


def _line(stream: IO[bytes], seconds: float) -> bytes:
    """The next line, or nothing at the stream's end; raises `TimeoutError`."""
    line = b""
    give_up = time.monotonic() + seconds
    ready = select.poll()
    ready.register(stream, select.POLLIN)
    while not line.endswith(b"\n"):
        left = give_up - time.monotonic()
        if left <= 0 or not ready.poll(left * 1000):
            raise TimeoutError
        some = os.read(stream.fileno(), 4096)
        if not some:
            return b""
        line += some
    return line


def _how(exit_code: int) -> str:
    """How a process has ended."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"killed by signal {-exit_code}"


def _warn(died: _Died) -> None:
    warnings.warn(
        SlowServerWarning(f"{died}\nIt is started again for the next test."),
        stacklevel=2,
    )


_PROCESS = pytest.StashKey[_Process]()


def _new_process(config: pytest.Config) -> _Process:
    # A worker of pytest-xdist may go on for a while when its controller was killed.
    is_worker = hasattr(config, "workerinput")
    return _Process(*([os.getppid()] if is_worker else []))


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of our mark."""
    config.addinivalue_line(
        "markers",
        f"slow_server({', '.join(SETTINGS)}): "
        "how the fixtures slow_server and slow_app are to be",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Start the process for the first test that wants it, and for nobody else."""
    stash = item.config.stash
    if (
        "slow_server" in getattr(item, "fixturenames", ())
        and _PROCESS not in stash
        and not item.config.option.collectonly
    ):
        stash[_PROCESS] = _new_process(item.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process, if there is one, and show what it complained of."""
    if _PROCESS in config.stash:
        complaints = config.stash[_PROCESS].stop()
        del config.stash[_PROCESS]
        if complaints:
            print(
                f"nbtwisted: the slow server complained:\n{complaints}", file=sys.stderr
            )


@pytest.fixture
def slow_server(request: pytest.FixtureRequest) -> Iterator[SlowServer]:
    """A slow, broken HTTP server of this test's own, in a process beside it."""
    settings = _settings(request)
    stash = request.config.stash
    if _PROCESS not in stash:  # asked for by name, with getfixturevalue()
        stash[_PROCESS] = _new_process(request.config)
    process = stash[_PROCESS]
    port = process.open(settings)
    yield SlowServer(port, settings["seed"])
    process.close(port)


@pytest.fixture
def slow_app(request: pytest.FixtureRequest) -> SlowApp:
    """The same app as a twisted.web resource; its `clock` is a `task.Clock`."""
    # Not before a test wants it: this picks Twisted's reactor.
    from nbtwisted.server.testing.slow_app import SlowApp

    return SlowApp(**_settings(request))


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    settings: dict[str, Any] = {"seed": zlib.crc32(request.node.nodeid.encode())}
    for mark in reversed(list(request.node.iter_markers("slow_server"))):
        unknown = [*mark.args, *(set(mark.kwargs) - set(SETTINGS))]
        if unknown:
            raise pytest.UsageError(
                f"slow_server: {unknown[0]!r}: expected " + ", ".join(SETTINGS)
            )
        for name, value in mark.kwargs.items():
            expected = _expected(name, value)
            if expected is not None:
                raise pytest.UsageError(
                    f"slow_server: {name}={value!r}: expected {expected}"
                )
        settings.update(mark.kwargs)
    return settings


def _expected(name: str, value: Any) -> str | None:
    """What a setting should have been; None if it is right."""
    if name == "lenient":
        return None if isinstance(value, bool) else "True or False"
    kinds = (int, float) if name == "max_delay" else (int,)
    lowest = {"seed": 0, "max_delay": 1e-9, "max_in_flight": 1}[name]
    if isinstance(value, kinds) and not isinstance(value, bool) and value >= lowest:
        return None
    number = "a number" if name == "max_delay" else "a whole number"
    return f"{number}, not negative"
