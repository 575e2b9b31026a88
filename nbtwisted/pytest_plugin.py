"""Fixtures for pytest: a slow, broken server beside a test, or a proxy of a real one.

    def test_retries(slow_server):
        answer = requests.get(slow_server.url + "/get?_seq=503,200&_key=a")

    def test_reads_orders(slow_server):
        with slow_server.rule(path="/orders/*", delay="2s", fault="reset") as rule:
            assert not shop.has_orders(slow_server.url)
        assert len(rule.requests()) == 3

    def test_gives_up_connecting(slow_server):
        assert not shop.has_orders(slow_server.fault_port("no-accept").url)

    def test_waits_for_the_database(fault_proxy, database):
        proxy = fault_proxy(("127.0.0.1", database.port))
        with proxy.rule(delay="2s", fault="reset", after="10kB"):
            assert not shop.has_stock(proxy.host, proxy.port)

`slow_server` runs in a process of its own, whatever HTTP client a test uses: it shares
no reactor, lock or patched clock with the code under test. One process serves a whole
session, because a new one takes 0.3 s and a new port milliseconds; each test has a
port, a journal and a memory of keys of its own. `slow_app` is the same app on a
`twisted.internet.task.Clock`, for tests of Twisted programs. `slow_server_factory`
makes servers that live until the session ends:

    @pytest.fixture(scope="module")
    def payments(slow_server_factory):
        return slow_server_factory(rules="payments.toml", default="_delay=50ms")

`fault_proxy` makes proxies, in the same process. Each is in front of an upstream: a URL
(`http://…`, `https://…`, `tcp://host:port` or `tls+tcp://host:port`), a pair of a host
and a port, or a server of ours. It is closed when the test ends.

The mark `slow_server` tells either server how it is to be, and `fault_proxy` a proxy:

    @pytest.mark.slow_server(seed=7, max_delay=10, max_in_flight=2, lenient=True)
    @pytest.mark.slow_server(rules=[{"match": {"path": "/a"}, "status": 503}])
    @pytest.mark.fault_proxy(default="_delay=1s", upstream_timeout=5, insecure=True)

`rules` is a list, or the path of a file as `nbtwisted serve --rules` takes it; a
relative one begins where pytest was started.

Unless a seed is given, a test has its own, made from its name: so that what is left to
chance is the same each time that it runs.

`--fail-on-stall 50ms` is another thing: a test fails that blocks Twisted's reactor for
so long (see `nbtwisted.testing.stalls.options`).
"""

from __future__ import annotations

import os
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from nbtwisted.testing.fault_proxy import FaultProxy, place_of
from nbtwisted.testing.rules import RuleInForce, TakesRules, as_in_json
from nbtwisted.testing.server_beside import (
    ServerProcess,
    ServerProcessDied,
    SlowServer,
)
from nbtwisted.testing.stalls import options as stall_options

if TYPE_CHECKING:
    from nbtwisted.testing.slow_app import SlowApp

__all__ = [
    "FaultProxy",
    "FaultProxyFactory",
    "RuleInForce",
    "SlowServer",
    "SlowServerFactory",
    "SlowServerWarning",
    "TakesRules",
    "fault_proxy",
    "slow_app",
    "slow_server",
    "slow_server_factory",
]

T = TypeVar("T")

_OF_BOTH = ("seed", "max_delay", "max_in_flight", "rules", "default")

SETTINGS = {
    "slow_server": (*_OF_BOTH, "lenient"),
    "fault_proxy": (
        *(*_OF_BOTH, "controls", "upstream_errors"),
        *("upstream_timeout", "insecure", "cacert"),
    ),
}
"""By the mark that has them."""

WITH_A_PROCESS = {"slow_server", "slow_server_factory", "fault_proxy"}
"""The fixtures that need the process of the servers."""


class SlowServerWarning(pytest.PytestWarning):
    """The process of the servers has died or hung; the next test gets a new one."""


class _Servers(ServerProcess):
    """The process of the servers, which starts while tests are still collected.

    A new one takes its place when it has died.
    """

    def open(self, **settings: Any) -> SlowServer:
        """Have a server opened."""
        return self._patiently(partial(super().open, **settings))

    def open_proxy(self, upstream: str, **settings: Any) -> FaultProxy:
        """Have a proxy opened."""
        return self._patiently(partial(super().open_proxy, upstream, **settings))

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask again if the process has died."""
        try:
            return ask()
        except ServerProcessDied as died:
            _warn(died)
            try:
                return ask()
            except ServerProcessDied as again:
                pytest.fail(f"{again}\nSo did the one before.", pytrace=False)

    def close(self, server: SlowServer | FaultProxy) -> None:
        """Have a server or a proxy closed."""
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


class SlowServerFactory:
    """Makes servers that live until the session ends, each on a port of its own.

    Call it with the settings that the mark `slow_server` takes; the seed is 0 unless
    given. Raises `ValueError` for a setting that cannot be.
    """

    def __init__(self, process: _Servers) -> None:
        self._process = process
        self._servers: list[SlowServer] = []

    def __call__(self, **settings: Any) -> SlowServer:
        """Make a server."""
        checked = _checked("slow_server", settings)
        server = self._process.open(**{"seed": 0, **checked})
        self._servers.append(server)
        return server

    def _close(self) -> None:
        for server in self._servers:
            self._process.close(server)


class FaultProxyFactory:
    """Makes proxies that live until the test ends, each on a port of its own.

    Call it with an upstream, and with settings that the mark `fault_proxy` takes.
    Raises `ValueError` for one that cannot be.
    """

    def __init__(self, process: _Servers, name: str, settings: dict[str, Any]) -> None:
        self._process = process
        self._name = name
        self._settings = settings
        self._proxies: list[FaultProxy] = []

    def __call__(self, upstream: object, **settings: Any) -> FaultProxy:
        """Make a proxy in front of an upstream: a URL, a pair, or a server of ours."""
        place, checked = place_of(upstream), _checked("fault_proxy", settings)
        # Two of one test do not fail in the same way.
        seed = _seed(
            f"{self._name} {len(self._proxies)}" if self._proxies else self._name
        )
        settings = {"seed": seed, **self._settings, **checked}
        proxy = self._process.open_proxy(place, **settings)
        self._proxies.append(proxy)
        return proxy

    def _close(self) -> None:
        for proxy in self._proxies:
            self._process.close(proxy)


_PROCESS = pytest.StashKey[_Servers]()
_STALLS = "nbtwisted-stalls"


def _new_process(config: pytest.Config) -> _Servers:
    # A worker of pytest-xdist may go on for a while when its controller was killed.
    is_worker = hasattr(config, "workerinput")
    return _Servers(*([os.getppid()] if is_worker else []))


def _process_of(config: pytest.Config) -> _Servers:
    stash = config.stash
    if _PROCESS not in stash:
        stash[_PROCESS] = _new_process(config)
    return stash[_PROCESS]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tell pytest of our options."""
    stall_options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of our marks."""
    for mark, what in (
        ("slow_server", "the fixtures slow_server and slow_app are"),
        ("fault_proxy", "what the fixture fault_proxy makes is"),
    ):
        settings = ", ".join(SETTINGS[mark])
        config.addinivalue_line("markers", f"{mark}({settings}): how {what} to be")
    if stall_options.configure(config):
        _fail_on_stall(config)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Start the process for the first test that wants it, and for nobody else."""
    if (
        WITH_A_PROCESS & set(getattr(item, "fixturenames", ()))
        and not item.config.option.collectonly
    ):
        _process_of(item.config)


def pytest_collection_finish(session: pytest.Session) -> None:
    """See whether a test asks by a mark that stalls fail it."""
    # Each mark is read, to complain of those that are wrong.
    if [item for item in session.items if stall_options.has_mark(item)]:
        _fail_on_stall(session.config)


def _fail_on_stall(config: pytest.Config) -> None:
    """Have tests fail that block the reactor, whichever there will be."""
    if not config.pluginmanager.has_plugin(_STALLS):
        # It takes Twisted.
        from nbtwisted.testing.stalls.in_pytest import StallFails

        plugin = StallFails(stall_options.limit_of_all(config))
        config.pluginmanager.register(plugin, _STALLS)


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
    process = _process_of(request.config)
    with _usage_errors("slow_server"):
        server = process.open(**_settings(request))
    yield server
    process.close(server)


@pytest.fixture(scope="session")
def slow_server_factory(request: pytest.FixtureRequest) -> Iterator[SlowServerFactory]:
    """Makes servers that live until the session ends, for fixtures of your own."""
    factory = SlowServerFactory(_process_of(request.config))
    yield factory
    factory._close()


@pytest.fixture
def fault_proxy(request: pytest.FixtureRequest) -> Iterator[FaultProxyFactory]:
    """Makes proxies in front of real servers, in the process of `slow_server`."""
    with _usage_errors("fault_proxy"):
        settings = _marked(request, "fault_proxy")
    process = _process_of(request.config)
    factory = FaultProxyFactory(process, request.node.nodeid, settings)
    yield factory
    factory._close()


@pytest.fixture
def slow_app(request: pytest.FixtureRequest) -> SlowApp:
    """The same app as a twisted.web resource; its `clock` is a `task.Clock`."""
    # Not before a test wants it: this picks Twisted's reactor.
    from nbtwisted.testing.slow_app import SlowApp

    with _usage_errors("slow_server"):
        return SlowApp(**_settings(request))


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of a test's slow server; raises `ValueError`."""
    return {"seed": _seed(request.node.nodeid), **_marked(request, "slow_server")}


def _marked(request: pytest.FixtureRequest, mark: str) -> dict[str, Any]:
    """The settings of a test's marks of this name; raises `ValueError`."""
    settings: dict[str, Any] = {}
    for each in reversed(list(request.node.iter_markers(mark))):
        settings.update(_checked(mark, each.kwargs, *each.args))
    return settings


@contextmanager
def _usage_errors(mark: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise pytest.UsageError(f"{mark}: {error}") from None


def _checked(mark: str, given: Mapping[str, Any], *nameless: object) -> dict[str, Any]:
    """Settings as the server takes them; raises `ValueError`."""
    for name in (*nameless, *given):
        if name not in SETTINGS[mark]:
            raise ValueError(f"{name!r}: expected " + ", ".join(SETTINGS[mark]))
    for name, value in given.items():
        expected = _expected(name, value)
        if expected is not None:
            raise ValueError(f"{name}={value!r}: expected {expected}")
    settings = dict(given)
    for name in ("rules", "cacert"):
        value = given.get(name)
        if isinstance(value, (str, os.PathLike)):
            # A test may change the folder, and the server's process has its own.
            settings[name] = os.path.abspath(value)
        elif value is not None:
            settings[name] = as_in_json(value)
    return settings


_WORDS = {
    "controls": ("headers", "all", "none"),
    "upstream_errors": ("status", "pass"),
}


def _expected(name: str, value: Any) -> str | None:
    """What a setting should have been; None if it is right."""
    if name in ("lenient", "insecure"):
        return None if isinstance(value, bool) else "True or False"
    if name in _WORDS:
        words = _WORDS[name]
        return None if value in words else " or ".join(map(repr, words))
    if name == "cacert":
        is_right = isinstance(value, (str, os.PathLike))
        return None if is_right else "the path of a file"
    if name == "rules":
        is_right = isinstance(value, (str, os.PathLike, list, tuple))
        return None if is_right else "a list of rules, or the path of a file of them"
    if name == "default":
        is_right = isinstance(value, str)
        return None if is_right else "controls such as _delay=50ms&_fault=reset:0.01"
    is_time = name in ("max_delay", "upstream_timeout")
    kinds = (int, float) if is_time else (int,)
    lowest = {"seed": 0, "max_in_flight": 1}.get(name, 1e-9)
    if isinstance(value, kinds) and not isinstance(value, bool) and value >= lowest:
        return None
    number = "a number" if is_time else "a whole number"
    return f"{number}, not negative"
