"""A real Redis behind a proxy, used by redis-py with its retries: `make real`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry

from tests.proxy.real_servers import RealServer, missing, redis, until
from tests.proxy.ruled_proxy import RuledProxy

ABSENT = missing("redis-server")
pytestmark = pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")


@pytest.fixture(scope="module")
def store() -> Iterator[RealServer]:
    with redis() as server:
        yield server


@pytest.fixture
def proxy(store: RealServer) -> Iterator[RuledProxy]:
    with RuledProxy(f"tcp://{store.address}") as running:
        yield running


@contextmanager
def client(port: int, *, retries: int = 0, timeout: float = 10) -> Iterator[Any]:
    """A client of one connection; its retries, and its timeout in seconds."""
    made: Any = Redis(
        port=port,
        socket_timeout=timeout,
        retry=Retry(ConstantBackoff(0.1), retries),
        retry_on_error=[ConnectionError, TimeoutError],
        single_connection_client=False,
        max_connections=1,
    )
    try:
        yield made
    finally:
        made.close()


def seconds(made: Any) -> float:
    """How long a PING takes."""
    began = time.monotonic()
    assert made.ping()
    return time.monotonic() - began


def test_passes_through(proxy: RuledProxy) -> None:
    big = bytes(range(256)) * 20_000
    with client(proxy.port) as made:
        assert made.set("big", big)
        assert made.get("big") == big
        pipeline = made.pipeline(transaction=False)
        for number in range(5000):
            pipeline.set(f"key {number}", number)
        assert pipeline.execute() == [True] * 5000
        assert made.get("key 4999") == b"4999"


def test_slow_and_again_as_it_was(proxy: RuledProxy) -> None:
    with client(proxy.port) as made:
        made.ping()
        proxy.rule("slow", delay="300ms")
        # On the connection that was open before.
        assert seconds(made) >= 0.3
        proxy.remove("slow")
        until(lambda: seconds(made) < 0.3)


def test_a_delay_that_is_longer_than_the_client_waits(proxy: RuledProxy) -> None:
    proxy.rule("slow", delay="30s")
    with client(proxy.port, timeout=0.2) as impatient, pytest.raises(TimeoutError):
        impatient.ping()
    proxy.rule("slow", delay="30s", expires="1s")
    with client(proxy.port, retries=50, timeout=0.2) as patient:
        assert patient.ping()


def test_a_reset_is_retried_and_succeeds(proxy: RuledProxy) -> None:
    proxy.rule("flaky", steps=[{"fault": "reset"}] * 3 + [{}])
    with client(proxy.port) as fragile, pytest.raises(ConnectionError):
        fragile.set("a", "b")
    with client(proxy.port, retries=2) as made:
        assert made.set("a", "b")
        assert made.get("a") == b"b"


def test_reset_in_the_middle_of_an_answer(store: RealServer, proxy: RuledProxy) -> None:
    big = b"x" * 5_000_000
    with client(store.port) as direct:
        direct.set("big", big)
    with client(proxy.port, retries=20) as made:
        made.ping()
        proxy.rule("cut", fault="reset", after="1MB", expires="700ms")
        # Again and again, until the rule's time is over.
        assert made.get("big") == big


def test_reset_in_the_middle_of_a_command(store: RealServer, proxy: RuledProxy) -> None:
    proxy.rule("cut", fault="reset", after="1MB", direction="up")
    with client(store.port) as direct, client(proxy.port) as made:
        direct.delete("half")
        with pytest.raises(ConnectionError):
            made.set("half", b"x" * 5_000_000)
        # What came of it is no command.
        assert direct.get("half") is None
        proxy.remove("cut")
        assert made.set("half", b"x" * 5_000_000)
        assert direct.strlen("half") == 5_000_000


def test_what_stalls_is_given_up_and_retried(proxy: RuledProxy) -> None:
    proxy.rule("stuck", steps=[{"fault": "stall", "after": "1B"}, {}])
    # A busy machine may be as slow, and is asked again, too.
    with client(proxy.port, retries=20, timeout=0.5) as made:
        began = time.monotonic()
        assert made.ping()
        assert time.monotonic() - began >= 0.5
    links = proxy.operators("GET", "/__admin/links")["links"]
    assert [link["down"] for link in links].count(1) == 1


def test_answers_in_slices(proxy: RuledProxy) -> None:
    proxy.rule("sliced", slice="3,2,1ms")
    with client(proxy.port) as made:
        assert made.set("a", "b" * 100)
        assert made.get("a") == b"b" * 100


def test_subscribers_keep_their_half(store: RealServer, proxy: RuledProxy) -> None:
    with client(proxy.port) as made, client(store.port) as direct:
        heard = made.pubsub(ignore_subscribe_messages=True)
        heard.subscribe("news")
        heard.get_message(timeout=5)
        until(lambda: direct.publish("news", "1") == 1)
        message: Any = None

        def has_come() -> bool:
            nonlocal message
            message = message or heard.get_message(timeout=0.1)
            return message is not None

        until(has_come)
        assert message["data"] == b"1"
        heard.close()
        until(lambda: direct.publish("news", "2") == 0)


def test_redis_in_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    pems = {
        "cert": certificate.cert_chain_pems[0].bytes(),
        "key": certificate.private_key_pem.bytes(),
        "ca_cert": authority.cert_pem.bytes(),
    }
    with redis(**pems) as server:
        upstream = f"tls+tcp://{server.address}"
        with (
            RuledProxy(upstream, "--cacert", str(trusted)) as proxy,
            client(proxy.port, retries=3) as made,
        ):
            assert made.set("a", "b")
            proxy.rule("cut", steps=[{"fault": "reset"}, {}])
            assert made.get("a") == b"b"
