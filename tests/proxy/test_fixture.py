"""The fixture `fault_proxy`, in the sessions of people who use it."""

from __future__ import annotations

import pathlib

import pytest

# What it opens is there before a test is looked at.
from tests.proxy import running  # noqa: F401
from tests.test_pytest_plugin import run, run_here

IMPORTS = """
    import socket

    import pytest
    import requests

    from tests.proxy.running import Echo, received

    @pytest.fixture
    def echo():
        upstream = Echo()
        yield upstream
        upstream.close()

    def linked(proxy):
        client = socket.create_connection((proxy.host, proxy.port), timeout=10)
        client.sendall(b"here")
        assert received(client, 4) == b"here"
        return client
"""


@pytest.fixture(autouse=True)
def tests_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sessions are elsewhere, and the package may be installed from an archive."""
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).parents[2]))


def test_in_front_of_http(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        IMPORTS
        + """
    def test_its_rules(slow_server, fault_proxy):
        proxy = fault_proxy(slow_server)
        assert proxy.upstream == slow_server.url
        with proxy.rule(path="/get", status=503) as rule:
            assert requests.get(proxy.url + "/get").status_code == 503
            assert requests.get(proxy.url + "/anything").status_code == 200
        assert requests.get(proxy.url + "/get").status_code == 200
        assert [it["status"] for it in rule.requests()] == [503]
        assert [it["upstream"] is None for it in proxy.requests()] == [
            True, False, False
        ]
        assert len(proxy.gaps()) == 2
        assert proxy.stats()["requests"] == 3
        # The other side's journal has those that passed.
        assert len(slow_server.requests()) == 2
        assert proxy.rules() == []
        proxy.reset()
        assert proxy.requests() == []
        assert repr(proxy).startswith(f"<FaultProxy {proxy.url} of {slow_server.url} ")
        with pytest.raises(ValueError, match="there are no links"):
            proxy.links()

    def test_its_faults(slow_server, fault_proxy):
        proxy = fault_proxy(slow_server.url + "/")
        with proxy.rule(fault="reset"), pytest.raises(requests.ConnectionError):
            requests.get(proxy.url + "/get")

    @pytest.mark.fault_proxy(default="_header=X-A: b", seed=3, controls="all")
    def test_its_settings(slow_server, fault_proxy):
        proxy = fault_proxy(slow_server, upstream_errors="pass")
        assert proxy.seed == proxy.stats()["seed"] == 3
        answer = requests.get(proxy.url + "/get?_status=418")
        assert (answer.status_code, answer.headers["X-A"]) == (418, "b")
        assert slow_server.requests() == []
        other = fault_proxy(slow_server, seed=4)
        assert other.seed == 4

    def test_nobody_is_there(fault_proxy):
        assert requests.get(fault_proxy("http://127.0.0.1:1").url).status_code == 502
        proxy = fault_proxy("http://127.0.0.1:1", upstream_errors="pass")
        with pytest.raises(requests.ConnectionError):
            requests.get(proxy.url)
        (asked,) = proxy.requests()
        assert asked["outcome"] == "upstream failed"

    def test_several(slow_server, fault_proxy):
        proxies = [fault_proxy(slow_server) for _ in range(3)]
        # What is left to chance is not the same for all, and always the same for each.
        assert len({proxy.seed for proxy in proxies}) == 3
        proxies[0].rule(status=503)
        statuses = [requests.get(it.url + "/get").status_code for it in proxies]
        assert statuses == [503, 200, 200]
        behind = fault_proxy(proxies[0])
        assert requests.get(behind.url + "/get").status_code == 503
    """
    )
    # In a process of its own: requests leaves connections to the collector.
    run(pytester).assert_outcomes(passed=5)


def test_in_front_of_streams(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        IMPORTS
        + """
    def test_its_links(echo, fault_proxy):
        proxy = fault_proxy(("127.0.0.1", echo.port))
        assert proxy.url == f"tcp://127.0.0.1:{proxy.port}"
        with linked(proxy):
            (link,) = proxy.links()
            assert (link["up"], link["down"], link["state"]) == (4, 4, "open")
            assert proxy.stats()["open"] == 1
            assert proxy.reset() == 1

    def test_its_rules(echo, fault_proxy):
        proxy = fault_proxy(echo.url)
        with linked(proxy) as client:
            with proxy.rule(fault="reset", after="2B") as rule:
                client.sendall(b"12345")
                with pytest.raises(ConnectionResetError):
                    received(client, 5)
            assert [link["state"] for link in rule.requests()] == ["reset"]
        with linked(proxy):
            assert len(proxy.links()) == len(proxy.requests()) == 2
            assert len(proxy.gaps()) == 1
            assert len(rule.requests()) == 1

    @pytest.mark.fault_proxy(rules=[{"name": "a", "fault": "close"}])
    def test_its_settings(echo, fault_proxy):
        proxy = fault_proxy(echo.url, max_in_flight=1)
        assert [rule["name"] for rule in proxy.rules()] == ["a"]
        with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
            client.sendall(b"lost")
            assert client.recv(4) == b""

    def test_it_is_refused(fault_proxy, tmp_path):
        for upstream, settings, expected in [
            ("tcp://127.0.0.1", {}, "there is no port"),
            ("http://127.0.0.1/api", {}, "there is a path"),
            ("127.0.0.1:80", {}, "there is no scheme"),
            (80, {}, "80: expected a URL such as"),
            (("a", "b"), {}, "a pair of a host and a port"),
            ("tcp://a:1", {"controls": "all"}, "expected http:// or https://"),
            ("http://a", {"controls": "some"}, "'headers' or 'all' or 'none'"),
            ("http://a", {"lenient": True}, "'lenient': expected seed, "),
            ("http://a", {"insecure": 1}, "expected True or False"),
            ("http://a", {"upstream_timeout": 0}, "expected a number, not negative"),
            ("https://a", {"cacert": tmp_path / "no"}, "cannot read "),
            ("tcp://a:1", {"default": "_status=503"}, "there is no field status"),
        ]:
            with pytest.raises(ValueError) as refused:
                fault_proxy(upstream, **settings)
            assert expected in str(refused.value), upstream
        proxy = fault_proxy("tcp://127.0.0.1:1")
        with pytest.raises(ValueError, match="no field match"):
            proxy.rule(path="/a", fault="reset")
    """
    )
    run_here(pytester).assert_outcomes(passed=4)


def test_it_is_closed_when_the_test_ends(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        IMPORTS
        + """
    kept = []

    def test_first(echo, slow_server, fault_proxy):
        kept.append(fault_proxy(slow_server))
        assert requests.get(kept[0].url + "/get").status_code == 200
        kept.append(fault_proxy(echo.url))
        kept.append(linked(kept[1]))

    def test_second(fault_proxy):
        http, stream, client = kept
        for proxy in (http, stream):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((proxy.host, proxy.port))
            with pytest.raises(ConnectionError):
                proxy.stats()
        client.settimeout(10)
        assert client.recv(1) == b""
        client.close()

    @pytest.mark.fault_proxy(retries=3)
    def test_third(fault_proxy):
        pass
    """
    )
    result = run_here(pytester)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["*UsageError: fault_proxy: 'retries': expected seed, max_delay, *"]
    )


def test_its_mark_is_known(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.fault_proxy(seed, max_delay, *): how *"])
