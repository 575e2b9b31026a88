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

import os
import sys
import warnings
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from nbtwisted.server.testing.server_beside import (
    ServerProcess,
    ServerProcessDied,
    SlowServer,
)

if TYPE_CHECKING:
    from nbtwisted.server.testing.slow_app import SlowApp

__all__ = ["SlowServer", "SlowServerWarning", "slow_app", "slow_server"]

SETTINGS = ("seed", "max_delay", "max_in_flight", "lenient")


class SlowServerWarning(pytest.PytestWarning):
    """The process of the servers has died or hung; the next test gets a new one."""


class _Servers(ServerProcess):
    """The process of the servers, which starts while tests are still collected.

    A new one takes its place when it has died.
    """

    def open(self, **settings: Any) -> SlowServer:
        """Have a server opened."""
        try:
            return super().open(**settings)
        except ServerProcessDied as died:
            _warn(died)
            try:
                return super().open(**settings)
            except ServerProcessDied as again:
                pytest.fail(f"{again}\nSo did the one before.", pytrace=False)

    def close(self, server: SlowServer) -> None:
        """Have a server closed."""
        try:
            super().close(server)
        except ServerProcessDied as died:
            # And took all of its servers along.
            _warn(died)


def _warn(died: ServerProcessDied) -> None:
    warnings.warn(
        SlowServerWarning(f"{died}\nIt is started again for the next test."),
        stacklevel=2,
    )


_PROCESS = pytest.StashKey[_Servers]()


def _new_process(config: pytest.Config) -> _Servers:
    # A worker of pytest-xdist may go on for a while when its controller was killed.
    is_worker = hasattr(config, "workerinput")
    return _Servers(*([os.getppid()] if is_worker else []))


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
    server = process.open(**settings)
    yield server
    process.close(server)


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
