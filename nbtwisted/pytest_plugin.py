"""Fixtures for pytest: a slow, broken server beside a test, or in its hands.

    def test_retries(slow_server):
        answer = requests.get(slow_server.url + "/get?_seq=503,200&_key=a")

`slow_server` runs in a process of its own, whatever HTTP client a test uses, and has a
port, a journal and a memory of keys for each test. `slow_app` is the same app on a
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
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from nbtwisted.server.slow_app import SlowApp

__all__ = ["SlowServer", "slow_app", "slow_server"]

SETTINGS = ("seed", "max_delay", "max_in_flight", "lenient")

SECONDS_TO_ANSWER = 10
"""After which the server's process is taken for dead."""

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
        `asked` and `held` (seconds), `status`, `fault`, `sent` (bytes) and `outcome`:
        `in flight`, `answered`, `broken`, `cancelled` or `released`.
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
        finally:
            connection.close()


class _Process:
    """The process of the servers, which starts while tests are still collected."""

    def __init__(self) -> None:
        # A file, because nobody reads a pipe while the tests run.
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nbtwisted.server.for_tests"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            # Ctrl-C is for the tests; the end of stdin is for this.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._told, self._answers = self._process.stdin, self._process.stdout

    def tell(self, what: dict[str, Any]) -> dict[str, Any]:
        """Have something done; returns what was answered."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(what), file=self._told, flush=True)
        line = self._answers.readline()
        if not line:
            pytest.fail(f"the slow server has died:\n{self._complained()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> str:
        """End the process; returns what it complained of."""
        with contextlib.suppress(BrokenPipeError):
            self._told.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            # A test has forked, and its child holds the other end of stdin too.
            self._process.kill()
            self._process.wait()
        self._answers.close()
        with self._complaints:
            return self._complained()

    def _complained(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read()


_PROCESS = pytest.StashKey[_Process]()


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
        stash[_PROCESS] = _Process()


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
        stash[_PROCESS] = _Process()
    process = stash[_PROCESS]
    port = process.tell({"open": settings})["port"]
    yield SlowServer(port, settings["seed"])
    process.tell({"close": port})


@pytest.fixture
def slow_app(request: pytest.FixtureRequest) -> SlowApp:
    """The same app as a twisted.web resource; its `clock` is a `task.Clock`."""
    # Not before a test wants it: this picks Twisted's reactor.
    from nbtwisted.server.slow_app import SlowApp

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
