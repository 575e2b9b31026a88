"""The fixtures, in the sessions of people who use them, and with their clients."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import import_module
from typing import Any

import pytest
from treq.testing import StubTreq
from twisted.web.server import Site

from nbtwisted.testing import server_beside
from nbtwisted.testing.slow_app import SlowApp
from tests.clock_that_steps import BACK, BY_STEPS
from tests.guard import ClockCase
from tests.server.in_memory import Visit

CLIENTS = """
    import asyncio
    import urllib.error
    import urllib.request

    import aiohttp
    import httpx
    import pytest
    import requests

    def by_requests(url):
        return requests.get(url).status_code

    def by_httpx(url):
        return httpx.get(url).status_code

    def by_urllib(url):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def by_aiohttp(url):
        async def get():
            async with aiohttp.ClientSession() as session:
                async with session.get(url) as answer:
                    return answer.status
        return asyncio.run(get())

    CLIENTS = [by_requests, by_httpx, by_urllib, by_aiohttp]

    @pytest.mark.parametrize("get", CLIENTS)
    def test_retries(slow_server, get):
        url = slow_server.url + "/get?_seq=503,200&_key=a"
        assert [get(url), get(url), get(url)] == [503, 200, 200]
        asked = slow_server.requests(key="a")
        assert [request["status"] for request in asked] == [503, 200, 200]
        assert slow_server.requests(key="b") == []

    def test_a_timeout(slow_server):
        with pytest.raises(requests.Timeout):
            requests.get(slow_server.url + "/delay/300", timeout=0.05)

    def test_a_reset(slow_server):
        with pytest.raises(requests.ConnectionError):
            requests.get(slow_server.url + "/get?_fault=reset")
"""


# Most of a session's time would go into these plugins' imports.
WITHOUT_OTHERS = [
    *("-p", "no:cacheprovider", "-p", "no:hypothesispytest"),
    *("-p", "no:anyio", "-p", "no:twisted"),
]


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*WITHOUT_OTHERS, *arguments)


def run_here(pytester: pytest.Pytester) -> pytest.RunResult:
    """The same in this process, where another session has pytest-twisted's reactor."""
    return pytester.runpytest_inprocess(*WITHOUT_OTHERS, "-W", "default")


def test_with_any_client(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLIENTS)
    run(pytester).assert_outcomes(passed=6)


def test_under_xdist(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLIENTS)
    run(pytester, "-n", "2").assert_outcomes(passed=6)


def test_each_test_has_a_server_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket
        import pytest
        from http.client import HTTPConnection

        kept = []

        def test_first(slow_server):
            connection = HTTPConnection("127.0.0.1", slow_server.port)
            connection.request("GET", "/get?_key=a")
            assert connection.getresponse().read()
            assert len(slow_server.requests()) == 1
            kept.extend([slow_server, connection])

        def test_second(slow_server):
            first, connection = kept
            assert slow_server.requests() == []
            assert slow_server.seed != first.seed
            # The first is gone, and so is the connection that was kept alive.
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", first.port))
            with pytest.raises(ConnectionError):
                connection.request("GET", "/get")
                connection.getresponse()
            connection.close()
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_stats_and_reset(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket

        def test_it(slow_server):
            with socket.create_connection(("127.0.0.1", slow_server.port)) as held:
                held.sendall(b"GET /delay/300 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
                while slow_server.stats()["in_flight"] == 0:
                    pass
                assert slow_server.requests()[0]["outcome"] == "in flight"
                assert slow_server.reset() == 1
                assert held.recv(15) == b"HTTP/1.1 200 OK"
            assert slow_server.requests() == []
            assert slow_server.reset() == 0
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_marks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import http.client
        import pytest

        def get(server, target):
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.request("GET", target)
            status = connection.getresponse().status
            connection.close()
            return status

        pytestmark = pytest.mark.slow_server(seed=7, max_delay=1)

        @pytest.mark.slow_server(seed=8)
        def test_the_nearest_mark_wins(slow_server):
            assert slow_server.seed == 8
            assert get(slow_server, "/delay/2") == 400

        def test_the_module_s(slow_server, slow_app):
            assert slow_server.seed == slow_app.seed == 7
            assert get(slow_server, "/get?_fualt=reset") == 400

        @pytest.mark.slow_server(lenient=True)
        def test_lenient(slow_server):
            assert get(slow_server, "/get?_fualt=reset") == 200

        @pytest.mark.slow_server(lenient="no")
        def test_no_truth_value(slow_server):
            pass

        @pytest.mark.slow_server(sed=7)
        def test_misspelt(slow_server):
            pass

        @pytest.mark.slow_server(max_delay="1s")
        def test_text(slow_server):
            pass

        @pytest.mark.slow_server(max_in_flight=None)
        def test_none(slow_app):
            pass
        """
    )
    result = run(pytester, "--strict-markers")
    result.assert_outcomes(passed=3, errors=4)
    result.stdout.fnmatch_lines(
        ["*slow_server: 'sed': expected seed, max_delay, max_in_flight*"]
    )
    result.stdout.fnmatch_lines(["*slow_server: lenient='no': expected True or False*"])
    result.stdout.fnmatch_lines(["*slow_server: max_delay='1s': expected a number*"])


def test_the_seed_is_the_same_each_time(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_it(slow_server, number):
            print("seed", slow_server.seed)
        """
    )
    seeds = [
        re.findall(r"seed (\d+)", run(pytester, "-s").stdout.str()) for _ in range(2)
    ]
    assert len(set(seeds[0])) == 3
    assert seeds[0] == seeds[1]


def test_fault_ports(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import contextlib
        import socket
        import ssl

        import pytest
        import requests

        ports = []

        @pytest.mark.parametrize("time", range(2))
        def test_kinds(slow_server, time):
            opened = [slow_server.fault_port(kind) for kind in (
                "no-accept", "refuse", "silent", "tls-expired", "tls-good"
            )]
            full, refusing, silent, expired, good = opened
            with pytest.raises(TimeoutError):
                socket.create_connection((full.host, full.port), timeout=0.05)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((refusing.host, refusing.port))
            ports.append((silent, socket.create_connection((silent.host, silent.port))))
            assert (silent.kind, silent.ca_pem) == ("silent", None)
            assert silent.url == f"http://127.0.0.1:{silent.port}"
            assert good.url == f"https://127.0.0.1:{good.port}"
            assert good.ca_pem == expired.ca_pem
            assert requests.get(slow_server.url + "/ca.pem").text == good.ca_pem
            context = ssl.create_default_context(cadata=good.ca_pem)
            for port in (expired, good):
                with contextlib.ExitStack() as refused:
                    if port is expired:
                        refused.enter_context(pytest.raises(ssl.SSLError))
                    with (
                        socket.create_connection((port.host, port.port)) as plain,
                        context.wrap_socket(plain, server_hostname=port.host) as tls,
                    ):
                        tls.sendall(b"GET /ip HTTP/1.0\\r\\n\\r\\n")
                        assert tls.recv(15) == b"HTTP/1.1 200 OK"

        def test_they_are_closed_with_the_server(slow_server):
            assert requests.get(slow_server.url + "/ca.pem").status_code == 404
            for silent, held in ports:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((silent.host, silent.port))
                with held, contextlib.suppress(ConnectionResetError):
                    assert held.recv(1) == b""

        def test_a_kind_that_is_none(slow_server):
            expected = "'no-acept': expected no-accept, or another one of no-accept, "
            with pytest.raises(ValueError, match=expected):
                slow_server.fault_port("no-acept")

        def test_outside_its_time(slow_server_factory):
            from nbtwisted.testing.server_beside import ServerProcessDied

            kept = slow_server_factory()
            kept._process.close(kept)
            with pytest.raises(ServerProcessDied, match="has ended"):
                kept.fault_port("silent")
        """
    )
    run(pytester).assert_outcomes(passed=5)


def test_a_session_that_does_not_use_it_starts_nothing(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert not [name for name in sys.modules if name.startswith("twisted")]
        """
    )
    result = run(pytester, "-p", "no:twisted")
    result.assert_outcomes(passed=1)


FACTORY = """
    import http.client
    import pytest

    @pytest.fixture(scope="module")
    def payments(slow_server_factory):
        return slow_server_factory(max_delay=1)

    def get(server, target):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", target)
        status = connection.getresponse().status
        connection.close()
        return status

    def test_first(payments):
        assert get(payments, "/delay/2") == 400

    def test_second(payments, slow_server, slow_server_factory):
        assert get(payments, "/get") == 200
        assert len(payments.requests()) == 2
        assert slow_server.requests() == []
        other = slow_server_factory(seed=7)
        assert (payments.seed, other.seed) == (0, 7)
        assert payments.port != other.port
"""


@pytest.mark.parametrize("arguments", [(), ("-n", "2", "--dist", "loadfile")])
def test_servers_of_a_session(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    pytester.makepyfile(FACTORY)
    run(pytester, *arguments).assert_outcomes(passed=2)


def test_a_factory_refuses(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_it(slow_server_factory):
            with pytest.raises(ValueError, match="'sed': expected seed, max_delay, "):
                slow_server_factory(sed=7)
            with pytest.raises(ValueError, match="seed=-1: expected a whole number"):
                slow_server_factory(seed=-1)
        """
    )
    run_here(pytester).assert_outcomes(passed=1)


def test_rules(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        import requests

        @pytest.fixture
        def get(slow_server):
            def get(path, **how):
                return requests.get(slow_server.url + path, **how)
            return get

        def test_in_a_block(slow_server, get):
            with slow_server.rule(
                path="/orders/*", delay="50ms", fault="reset"
            ) as rule:
                with pytest.raises(requests.ConnectionError):
                    get("/orders/1")
                assert get("/get").status_code == 200
            assert get("/orders/1").status_code == 404
            (request,) = rule.requests()
            assert request["target"] == "/orders/1"
            assert request["fault"] == "reset"
            assert request["asked"] == 0.05
            assert request["rule"] == rule.name
            assert slow_server.requests(rule=rule.name) == rule.requests()
            assert slow_server.rules() == []

        def test_without_a_block(slow_server, get):
            first = slow_server.rule(path="/a", status=503, for_="60m")
            second = slow_server.rule(path="/a", body="b", name="a/b c")
            assert get("/a").text == "b"
            assert [
                (each["name"], each["requests"]) for each in slow_server.rules()
            ] == [("a/b c", 1), (first.name, 0)]
            assert 3500 < slow_server.rules()[1]["expires_in"] <= 3600
            second.remove()
            second.remove()
            assert get("/a").status_code == 503
            slow_server.reset()
            assert get("/a").status_code == 503
            assert len(first.requests()) == 1
            first.remove()
            third = slow_server.rule(path="/a", status=418)
            assert get("/a").status_code == 418
            assert len(first.requests()) == len(third.requests()) == 1

        def test_conditions(slow_server, get):
            slow_server.rule(
                method=["GET", "PUT"],
                path="/get",
                query={"page": 2},
                match={"header": {"X-A": "*b*"}},
                status=503,
            )
            assert get("/get?page=2", headers={"X-A": "abc"}).status_code == 503
            assert get("/get?page=3", headers={"X-A": "abc"}).status_code == 200
            assert get("/get?page=2").status_code == 200

        def test_gaps(slow_server, get):
            rule = slow_server.rule(path="/a", steps=[{"status": 503}, {}])
            get("/a")
            get("/get")
            get("/a")
            assert len(rule.gaps()) == len(slow_server.gaps(rule=rule)) == 1
            assert len(slow_server.gaps()) == 2

        @pytest.mark.parametrize(
            ("wrong", "expected"),
            [
                ({"delay": "soon"}, "bad value for delay .'soon'.: expected seconds"),
                ({"dealy": 1}, "no field dealy .'1'.: expected delay"),
                ({"path": "orders"}, "match.path .'orders'.: expected a path that be"),
                ({"path": "/a", "match": {"path": "/b"}}, "expected it not in match"),
                ({"match": "/a"}, "match='/a': expected a table of path, method"),
                ({"json": {1, 2}}, "set is not JSON ser.*: expected texts, numbers"),
                ({"name": "taken"}, "rule of this name .'taken'.: expected another"),
                ({"body": "a" * 2000000}, "too large: expected a body of at"),
            ],
        )
        def test_wrong(slow_server, slow_app, wrong, expected):
            for server in (slow_server, slow_app):
                server.rule(name="taken")
                if "body" in wrong and server is slow_app:
                    continue
                with pytest.raises(ValueError, match=expected):
                    server.rule(**wrong)
                assert [rule["name"] for rule in server.rules()] == ["taken"]
        """
    )
    run(pytester).assert_outcomes(passed=12)


def test_rules_from_the_beginning(pytester: pytest.Pytester) -> None:
    pytester.mkdir("a")
    (pytester.path / "a" / "rules.toml").write_text(
        '[[rule]]\nmatch = { path = "/a" }\nbody_file = "body.txt"\n'
    )
    (pytester.path / "a" / "body.txt").write_text("by a file")
    (pytester.path / "wrong.toml").write_text("[[rule]]\ndelay = true\n")
    pytester.makepyfile(
        """
        import os
        import pathlib
        import pytest
        import requests
        from treq.testing import StubTreq

        mark = pytest.mark.slow_server

        def get(server, path):
            return requests.get(server.url + path)

        def status(app, path):
            asked = StubTreq(app).get("http://test" + path)
            app.clock.advance(5)
            codes = []
            asked.addCallback(lambda answer: codes.append(answer.code))
            return codes[0]

        @mark(rules="a/rules.toml", default="_status=503")
        def test_a_file(slow_server, slow_app):
            assert get(slow_server, "/a").text == "by a file"
            assert get(slow_server, "/get").status_code == 503
            assert [(status(slow_app, p)) for p in ("/a", "/get")] == [200, 503]
            names = [rule["origin"] for rule in slow_server.rules()]
            assert names == ["file", "default"]

        class TestMarks:
            pytestmark = mark(rules=[{"match": {"path": "/a"}, "status": 503}])

            def test_a_list(self, slow_server):
                assert get(slow_server, "/a").status_code == 503
                with slow_server.rule(path="/a", status=418):
                    assert get(slow_server, "/a").status_code == 418
                assert get(slow_server, "/a").status_code == 503

            @mark(seed=7)
            def test_another_mark(self, slow_server):
                assert get(slow_server, "/a").status_code == 503

            @mark(rules=())
            def test_none(self, slow_server, slow_app):
                assert slow_server.rules() == slow_app.rules() == []

        def test_a_factory(slow_server_factory, monkeypatch):
            monkeypatch.chdir("a")
            server = slow_server_factory(rules=pathlib.Path("rules.toml"))
            assert get(server, "/a").text == "by a file"
            with pytest.raises(ValueError, match="/other.toml: .*be read .No such"):
                slow_server_factory(rules="other.toml")
            with pytest.raises(ValueError, match="rules=5: expected a list of rules"):
                slow_server_factory(rules=5)
            with pytest.raises(ValueError, match="is not JSON seri.*: expected texts"):
                slow_server_factory(rules=[{"json": {1}}])

        @mark(rules="wrong.toml")
        def test_wrong(slow_server):
            pass

        @mark(default="_delay=soon")
        def test_a_wrong_default(slow_app):
            pass

        @mark(default=5)
        def test_no_text(slow_server):
            pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=5, errors=3)
    result.stdout.fnmatch_lines(
        ["*slow_server: */wrong.toml: line 2: rule 'rule 1': bad value for delay *"]
    )
    result.stdout.fnmatch_lines(["*slow_server: rule *'soon'*: expected seconds*"])
    result.stdout.fnmatch_lines(
        ["*slow_server: default=5: expected controls such as *"]
    )


def test_gaps(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import time
        import pytest
        import requests

        def test_it(slow_server):
            url = slow_server.url + "/get?_seq=503,503,200&_key=a"
            asked, answered = [], []
            for pause in (0.2, 0.1, 0):
                asked.append(time.monotonic())
                requests.get(url + "&_delay=0.5")
                answered.append(time.monotonic())
                time.sleep(pause)
            gaps = slow_server.gaps(key="a")
            # A request ends before its client has the last byte.
            assert gaps[0] >= 0.2 and gaps[1] >= 0.1
            # What an answer takes is not part of them.
            assert gaps[0] < answered[1] - asked[0] - 2 * 0.5 + 0.01
            assert gaps[1] < answered[2] - asked[1] - 2 * 0.5 + 0.01
            assert slow_server.gaps(key="b") == []
            assert len(slow_server.gaps()) == 2
        """
    )
    run(pytester).assert_outcomes(passed=1)


THE_SERVER_S_PROCESS = """
    import glob
    import os
    import signal

    def the_server():
        for folder in glob.glob("/proc/[0-9]*"):
            try:
                with open(folder + "/cmdline") as file, open(folder + "/stat") as more:
                    command, status = file.read(), more.read()
            except (FileNotFoundError, ProcessLookupError):
                continue  # one that has just ended
            parent = status.rpartition(")")[2].split()[1]
            is_ours = "nbtwisted.testing.server_process" in command
            if is_ours and int(parent) == os.getpid():
                return int(os.path.basename(folder))
"""


def test_a_server_that_dies_is_started_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        THE_SERVER_S_PROCESS
        + """
    def test_it_dies(slow_server):
        with open(f"/proc/{the_server()}/fd/2", "a") as stderr:
            stderr.write("MemoryError: it was all too much")
        os.kill(the_server(), signal.SIGKILL)

    def test_after_that(slow_server):
        assert slow_server.stats()["in_flight"] == 0

    def test_it_dies_between_two_tests():
        os.kill(the_server(), signal.SIGTERM)

    def test_after_that_as_well(slow_server):
        assert slow_server.requests() == []

    def test_it_dies_for_nobody(slow_server):
        os.kill(the_server(), signal.SIGKILL)
    """
    )
    result = run_here(pytester)
    result.assert_outcomes(passed=5, warnings=3)
    result.stdout.fnmatch_lines(
        [
            "*the slow server died: killed by SIGKILL",
            "*MemoryError: it was all too much",
            "*It is started again for the next test.",
        ]
    )
    result.stdout.fnmatch_lines(["*the slow server died: *"])


def test_a_process_that_dies_takes_all_of_its_servers(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        THE_SERVER_S_PROCESS
        + """
    def test_it_dies(slow_server_factory, slow_server):
        slow_server_factory()
        os.kill(the_server(), signal.SIGKILL)

    def test_after_that(slow_server_factory, slow_server):
        # The first one's port is not closed again, by a process that never had it.
        assert slow_server_factory().stats()["in_flight"] == 0
    """
    )
    run_here(pytester).assert_outcomes(passed=2, warnings=1)


def test_a_server_that_hangs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_beside, "SECONDS_TO_ANSWER", 1)
    pytester.makepyfile(
        THE_SERVER_S_PROCESS
        + """
    import pytest

    def test_it_is_stopped(slow_server):
        os.kill(the_server(), signal.SIGSTOP)
        with pytest.raises(ConnectionError, match="does not answer: timed out"):
            slow_server.stats()

    def test_after_that(slow_server):
        assert the_server()
        assert slow_server.stats()["in_flight"] == 0
    """
    )
    result = run_here(pytester)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        ["*the slow server did not answer within 1 s, and was killed"]
    )


def test_a_server_that_cannot_be(pytester: pytest.Pytester) -> None:
    pytester.mkpydir("twisted")
    pytester.makepyfile("def test_it(slow_server): pass")
    result = run_here(pytester)
    result.assert_outcomes(errors=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*the slow server died: exit code 1",
            "*ModuleNotFoundError: *",
            "So did the *",
        ]
    )


@pytest.mark.parametrize("arguments", [(), ("-n", "1")])
def test_pytest_is_killed(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        """
        import os

        def test_it(slow_server):
            # This child has the other end of what the server's process reads.
            if os.fork() != 0:
                with open("port.new", "w") as file:
                    file.write(str(slow_server.port))
                os.rename("port.new", "port")
            # Until somebody writes to it, which nobody does before the end.
            with open("fifo"):
                os._exit(0)
        """
    )
    fifo, port = pytester.path / "fifo", pytester.path / "port"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "pytest", *WITHOUT_OTHERS, *arguments]
    session = subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.DEVNULL)
    while not port.exists():
        assert session.poll() is None
    try:
        address = ("127.0.0.1", int(port.read_text()))
        with socket.create_connection(address, timeout=20) as connection:
            session.kill()
            session.wait()
            began = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
            assert time.monotonic() - began < 2
    finally:
        # The child may have yet to begin to wait for this.
        os.close(os.open(fifo, os.O_WRONLY))


def test_a_child_that_a_test_leaves_behind(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        def test_it(slow_server):
            if os.fork() == 0:
                # It has the other end of what the server's process reads.
                with open("fifo"):
                    os._exit(0)
        """
    )
    fifo = pytester.path / "fifo"
    os.mkfifo(fifo)
    run(pytester).assert_outcomes(passed=1)
    # The child still waits for this, or is about to.
    os.close(os.open(fifo, os.O_WRONLY))


def test_the_process_ends_with_its_stdin() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "nbtwisted.testing.server_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print('{"open": {"seed": 1}}', file=process.stdin, flush=True)
        assert process.stdout.readline().startswith('{"port": ')
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0


def test_a_clock_that_is_set() -> None:
    with subprocess.Popen(
        [*BY_STEPS, "nbtwisted.testing.server_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print('{"open": {"seed": 1}}', file=process.stdin, flush=True)
        port = json.loads(process.stdout.readline())["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=5) as held:
            held.sendall(b"GET /delay/300ms HTTP/1.0\r\n\r\n")
            # Answered only after all that was sent before it is being held.
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz"):
                pass
            process.send_signal(BACK)
            assert b"asked;dur=300" in held.recv(65536)
        process.stdin.close()


class SlowAppTests(ClockCase):
    def test_its_earlier_name_is_known(self) -> None:
        earlier = import_module("nbtwisted.server.testing.slow_app")
        self.assertIs(SlowApp, earlier.SlowApp)

    def test_an_hour_in_no_time(self) -> None:
        app = SlowApp(seed=7)
        treq: Any = StubTreq(app)
        asked = treq.get("http://test/delay/60m")
        treq.flush()
        self.assertNoResult(asked)
        app.clock.advance(3599)
        treq.flush()
        self.assertNoResult(asked)
        app.clock.advance(1)
        treq.flush()
        self.assertEqual(self.successResultOf(asked).code, 200)
        (request,) = app.requests()
        self.assertEqual((request["asked"], request["held"]), (3600, 3600))

    def test_is_a_resource_for_any_site(self) -> None:
        app = SlowApp(seed=7, max_delay=2.0)
        visit = Visit(self.clock, site=Site(app, reactor=self.clock))
        visit.get("/delay/1?_key=a")
        app.clock.advance(1)
        self.assertEqual(visit.reply().status, 200)
        self.assertEqual(len(app.requests(key="a")), 1)
        self.assertEqual(app.requests(key="b"), [])
        refused = Visit(self.clock, site=visit.site)
        refused.get("/delay/3")
        self.assertEqual(refused.reply().status, 400)
        visit.leave()
        refused.leave()

    def test_an_outage_passes_in_no_time(self) -> None:
        app = SlowApp(seed=7)
        treq: Any = StubTreq(app)

        def status() -> int:
            asked = treq.get("http://test/payments/1")
            treq.flush()
            answer: int = self.successResultOf(asked).code
            return answer

        outage = {"from": "5s", "until": "10m", "status": 503}
        with app.rule(path="/payments/*", during=[outage]) as rule:
            self.assertEqual(status(), 200)
            app.clock.advance(5)
            self.assertEqual(status(), 503)
            app.clock.advance(594)
            self.assertEqual(status(), 503)
            app.clock.advance(1)
            self.assertEqual(status(), 200)
        self.assertEqual(status(), 404)
        statuses = [request["status"] for request in rule.requests()]
        self.assertEqual(statuses, [200, 503, 503, 200])
        self.assertEqual(rule.gaps(), [5, 594, 1])

    def test_rules(self) -> None:
        app = SlowApp(seed=7)
        first = app.rule(path="/a", status=503, for_="30s")
        second = app.rule(name="b", match={"target": "/b"}, steps=({"status": 204},))
        rules = [(rule["name"], rule["expires_in"]) for rule in app.rules()]
        self.assertEqual(rules, [("b", None), (first.name, 30)])
        self.assertEqual(repr(second), "<RuleInForce 'b'>")
        app.clock.advance(30)
        self.assertEqual([rule["name"] for rule in app.rules()], ["b"])
        first.remove()
        second.remove()
        self.assertEqual(app.rules(), [])

    def test_gaps_are_from_an_end_to_a_start(self) -> None:
        app = SlowApp(seed=7)
        treq: Any = StubTreq(app)

        def ask(delay: str) -> Any:
            asked = treq.get(f"http://test/get?_delay={delay}&_key=a")
            treq.flush()
            return asked

        def answer(asked: Any) -> None:
            treq.flush()
            self.assertEqual(self.successResultOf(asked).code, 200)

        first = ask("5")
        app.clock.advance(5)
        answer(first)
        app.clock.advance(600)
        second = ask("2")
        app.clock.advance(1)
        third = ask("3")
        self.assertEqual(app.gaps(), [600, 0])
        app.clock.advance(3)
        answer(second)
        answer(third)
        app.clock.advance(0.25)
        answer(ask("0"))
        self.assertEqual(app.gaps(key="a"), [600, 0, 0.25])
        self.assertEqual(app.gaps(key="b"), [])

    def test_reset(self) -> None:
        app = SlowApp(seed=7)
        treq: Any = StubTreq(app)
        asked = treq.get("http://test/delay/60m")
        treq.flush()
        self.assertEqual(app.reset(), 1)
        treq.flush()
        self.assertEqual(self.successResultOf(asked).code, 200)
        self.assertEqual(app.requests(), [])
        self.assertEqual(app.clock.getDelayedCalls(), [])
