"""Every request ends in time, whatever the server does, and leaves nothing behind."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from nbtwisted.client.many.gathering import gather
from nbtwisted.client.many.job_list import Given
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Result
from tests import examples
from tests.client.in_memory import A_TURN, Addresses, Connection, Network
from tests.guard import ClockCase

HOSTS = ["10.0.0.1", "10.0.0.2", "both", "never"]
URLS = [f"http://{host}/{n}" for host in HOSTS for n in range(3)] + ["ftp://x"]
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CLOSING = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD = [WHOLE, WHOLE, WHOLE, WHOLE, CLOSING, BUSY, CHUNKED + b"0\r\n\r\n"]
GOOD += [FOUND % to for to in (b"/x", b"http://10.0.0.2/", b"http://both/")]
BAD = [WHOLE + b"x", WHOLE[:20], WHOLE[20:], WHOLE[:-2], b"h", b"\r\n\r\n", CHUNKED]
BAD += [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 100 Go\r\n\r\n", b"SSH-2.0\r\n"]
BAD += [b"5\r\nhello\r\n", b"0\r\n\r\n", b"fffffffffffff\r\n", FOUND % b"x:"]


class Misbehaving:
    """A network on which anything may happen at any time."""

    def __init__(self, chance: random.Random) -> None:
        self.network = Network()
        self.connections: list[Connection] = []
        self._chance = chance
        self._attempts_seen: set[int] = set()

    def pending(self) -> list[int]:
        """The attempts to connect that have neither succeeded nor failed."""
        return [
            number
            for number, given_up in enumerate(self.network.given_up)
            if not given_up and number not in self._attempts_seen
        ]

    def open(self) -> list[Connection]:
        return [each for each in self.connections if each.state == "open"]

    def step(self) -> None:
        """Let something happen."""
        happening = self._chance.random()
        pending, connections = self.pending(), self.open()
        if pending and happening < 0.4:
            number = self._chance.choice(pending)
            self._attempts_seen.add(number)
            if self._chance.random() < 0.8:
                self.connections.append(self.network.accept(number))
            else:
                self.network.refuse(ConnectionRefusedError(111), number)
        elif connections and happening < 0.95:
            self._do_to(self._chance.choice(connections))
        else:
            for _ in range(self._chance.choice([1, 2, 8, 30, 70])):
                self.turn()
        self.settle()

    def turn(self) -> None:
        """Let some time pass, but no more than a deadline may be late."""
        self.network.advance(self._chance.choice([A_TURN, 0.04]))
        self.settle()

    def settle(self) -> None:
        """What is to be closed is closed, in the same turn: kernels do that."""
        while closing := [c for c in self.connections if c.state.endswith("ing")]:
            for connection in closing:
                connection.finish()

    def _do_to(self, connection: Connection) -> None:
        what = self._chance.random()
        if connection.has_something_to_send and what < 0.8:
            connection.take_request()
        elif what < 0.7:
            connection.answer(self._chance.choice(GOOD))
        elif what < 0.9:
            connection.answer(self._chance.choice(BAD))
        elif what < 0.95:
            connection.close()
        else:
            connection.reset()


class InvariantTests(ClockCase):
    @settings(max_examples=examples(600))
    @given(
        st.lists(st.sampled_from(URLS), min_size=1, max_size=12),
        st.integers(1, 6),
        st.none() | st.integers(1, 3),
        st.fixed_dictionaries(
            {"more_to_come": st.booleans()},
            optional={
                "connect_timeout": st.sampled_from([0.5, 3.0]),
                "first_byte_timeout": st.sampled_from([0.5, 3.0]),
                "max_redirects": st.integers(0, 3),
                "retries": st.builds(Retries, st.integers(0, 3)),
            },
        ),
        st.integers(0, 2**64),
        st.booleans(),
    )
    def test_every_request_ends(
        self,
        urls: list[str],
        concurrency: int,
        per_host: int | None,
        options: dict[str, Any],
        seed: int,
        is_cancelled: bool,
    ) -> None:
        chance = random.Random(seed)
        world = Misbehaving(chance)
        network = world.network
        getter = network.getter(
            max_time=5.0,
            connections=concurrency,
            draw=chance.random,
            resolver=Addresses(both=("::1", "10.0.0.1"), never=Deferred),
            **options,
        )
        ended: dict[int, tuple[float, Result]] = {}
        gathered = gather(
            getter,
            Given(urls),
            concurrency=concurrency,
            per_host=per_host,
            deliver=lambda index, result: ended.__setitem__(
                index, (network.seconds(), result)
            ),
        )
        for _ in range(chance.randrange(150)):
            world.step()
        if is_cancelled:
            gathered.cancel()
            world.settle()
            self.successResultOf(gathered)
        # From here on nothing comes any more; only time passes.
        for _ in range(1000 * (len(urls) + 1)):
            if gathered.called:
                break
            world.turn()
        self.successResultOf(gathered)
        self.assertEqual(sorted(ended), list(range(len(urls))))
        for at, result in ended.values():
            if result.timing is not None:
                self.assertLessEqual(at - result.timing.started, 5.1)
        self.assertEqual(network.getDelayedCalls(), [])
        self.assertEqual(world.open(), [])
        self.assertEqual(world.pending(), [])
