"""A real PostgreSQL behind a proxy, used by a real psql: `make real`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.proxy.real_servers import (
    PSQL_ENVIRONMENT,
    RealServer,
    missing,
    postgresql,
    psql,
    psql_command,
    until,
)
from tests.proxy.ruled_proxy import RuledProxy

ABSENT = missing("initdb", "postgres", "psql")
pytestmark = pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")

LOST = ("server closed the connection unexpectedly", "Connection reset by peer")
"""What psql says of a connection that was reset."""


@pytest.fixture(scope="module")
def database() -> Iterator[RealServer]:
    with postgresql() as server:
        assert psql(server, "CREATE TABLE t (number int)").returncode == 0
        yield server


@pytest.fixture
def proxy(database: RealServer) -> Iterator[RuledProxy]:
    psql(database, "TRUNCATE t")
    with RuledProxy(f"tcp://{database.address}") as running:
        yield running


class Session:
    """A psql that is told one line after another."""

    def __init__(self, address: str, name: str) -> None:
        self._process = subprocess.Popen(
            psql_command(address, name=name),
            env=PSQL_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def say(self, line: str) -> str:
        """What is printed first for a line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def end(self, line: str) -> tuple[int, str]:
        """The exit code, and what was complained of, after a last line."""
        with self._process:
            _, complaints = self._process.communicate(line + "\n", timeout=20)
        return self._process.returncode, complaints


def count(database: RealServer) -> int:
    """Rows that are there for others."""
    return int(psql(database, "SELECT count(*) FROM t").stdout)


def sessions(database: RealServer, name: str) -> int:
    """Sessions of this name that the server has."""
    query = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'"
    return int(psql(database, query).stdout)


def seconds(address: str, query: str = "SELECT 1") -> float:
    """How long psql takes for a query, from its start to its end."""
    began = time.monotonic()
    done = psql(address, query)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def cut(proxy: RuledProxy, name: str, **rule: object) -> tuple[int, str]:
    """Insert a row in a transaction whose COMMIT meets this rule; how psql ends."""
    session = Session(proxy.address, name)
    assert session.say("BEGIN; INSERT INTO t VALUES (7) RETURNING number;") == "7\n"
    proxy.rule("cut", **rule)
    return session.end("COMMIT;")


def test_passes_through(database: RealServer, proxy: RuledProxy) -> None:
    big = psql(proxy.address, "SELECT repeat('x', 3000000)")
    assert big.stdout == "x" * 3_000_000 + "\n"
    assert psql(proxy.address, "INSERT INTO t VALUES (1)").returncode == 0
    assert count(database) == 1
    wrong = psql(proxy.address, "SELECT 1/0")
    assert (wrong.returncode, "division by zero" in wrong.stderr) == (1, True)


def test_slow_and_again_as_it_was(proxy: RuledProxy) -> None:
    proxy.rule("slow", delay="400ms")
    # The greeting and the answer, at least.
    assert seconds(proxy.address) >= 0.8
    proxy.remove("slow")
    # Other programs run meanwhile: one of some is not held up.
    until(lambda: seconds(proxy.address) < 0.4)


def test_slow_only_in_one_direction_and_for_a_time(proxy: RuledProxy) -> None:
    proxy.rule("slow", delay="500ms", direction="up")
    assert seconds(proxy.address) >= 0.5
    proxy.rule("slow", delay="500ms", direction="up", expires="1s")
    until(lambda: seconds(proxy.address) < 0.5)


def test_a_rate(proxy: RuledProxy) -> None:
    proxy.rule("narrow", rate="200kB", slice="1000")
    assert seconds(proxy.address, "SELECT repeat('x', 200000)") >= 0.8


def test_a_transaction_that_is_reset_before_its_commit_arrives(
    database: RealServer, proxy: RuledProxy
) -> None:
    code, complaints = cut(proxy, "before", fault="reset", direction="up")
    assert code == 2
    assert any(each in complaints for each in LOST), complaints
    until(lambda: sessions(database, "before") == 0)
    # It was rolled back.
    assert count(database) == 0
    proxy.remove("cut")
    assert psql(proxy.address, "INSERT INTO t VALUES (1)").returncode == 0
    assert count(database) == 1


def test_a_transaction_that_is_reset_when_its_commit_has_arrived(
    database: RealServer, proxy: RuledProxy
) -> None:
    code, complaints = cut(proxy, "behind", fault="reset", direction="down")
    assert code == 2
    assert any(each in complaints for each in LOST), complaints
    until(lambda: sessions(database, "behind") == 0)
    # The client cannot tell, and it was committed.
    assert count(database) == 1


def test_a_session_that_is_closed(database: RealServer, proxy: RuledProxy) -> None:
    code, complaints = cut(proxy, "closed", fault="close", direction="up")
    assert code == 2
    assert LOST[0] in complaints, complaints
    until(lambda: sessions(database, "closed") == 0)
    assert count(database) == 0


def test_reset_in_the_middle_of_an_answer(
    database: RealServer, proxy: RuledProxy
) -> None:
    proxy.rule("cut", fault="reset", after="500kB")
    done = psql(proxy.address, "SELECT repeat('x', 3000000)")
    assert (done.returncode, done.stdout) == (2, "")
    assert any(each in done.stderr for each in LOST), done.stderr
    until(lambda: sessions(database, "psql") == 1)
    proxy.rule("cut", fault="reset", after="500kB", expires="2s")
    # The rule's time is over, and the proxy is the same.
    until(lambda: psql(proxy.address, "SELECT repeat('x', 3000000)").returncode == 0)


def test_the_tls_of_postgresql_itself(proxy: RuledProxy) -> None:
    # It begins in the clear: so it passes as bytes like others, and is cut like others.
    query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert psql(proxy.address, query, sslmode="require").stdout == "t\n"
    proxy.rule("cut", fault="reset", after="500kB")
    big = "SELECT repeat(md5(random()::text), 100000)"
    done = psql(proxy.address, big, sslmode="require")
    assert (done.returncode, done.stdout) == (2, "")
    proxy.remove("cut")
    assert psql(proxy.address, big, sslmode="require").returncode == 0


def test_one_connection_in_two(database: RealServer, proxy: RuledProxy) -> None:
    proxy.rule("flaky", steps=[{"fault": "reset"}, {}] * 3)
    codes = [
        psql(proxy.address, "INSERT INTO t VALUES (1)").returncode for _ in range(6)
    ]
    assert codes == [2, 0] * 3
    assert count(database) == 3
