"""The tables of states, of what only a proxy does."""

from __future__ import annotations

import unittest
from typing import Any

from nbtwisted.proxy.http.asking import Asking
from nbtwisted.proxy.http.asking import State as AskingState
from nbtwisted.server.engine import exchange
from nbtwisted.server.http1 import channel
from tests.client.state_table import moves_in, named
from tests.proxy.http.in_memory import ProxyCase, answer


class LifeTests(ProxyCase):
    """Together they make every move of the tables."""

    def test_stopped_in_each_state(self) -> None:
        self.proxy()
        connecting = self.visit()
        connecting.get("/", "X-Nbtwisted-Ask-Delay: 1s")
        self.clock.advance(1)
        connecting.leave()
        sending = self.visit()
        sending.send(b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\na")
        self.network.accept(1)
        sending.leave()
        waiting = self.visit()
        waiting.get("/")
        self.accepted = [None, None]  # type: ignore[list-item]
        self.upstream()
        waiting.leave()
        receiving = self.visit()
        receiving.get("/")
        self.upstream().answer(answer(b"hello")[:-1])
        receiving.leave()
        del self.accepted[:2]

    def test_an_answer_to_a_part_of_the_request(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.send(b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\na")
        upstream = self.upstream()
        upstream.answer(answer(b"hello")[:-1])
        self.assertTrue(visit.received.endswith(b"hell"))
        upstream.answer(b"o")
        upstream.finish()
        self.assertTrue(visit.received.endswith(b"hello"))
        self.assertTrue(visit.is_closed)

    def test_delays_on_both_sides_of_asking(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/", "X-Nbtwisted-Ask-Delay: 1s", "X-Nbtwisted-Delay: 1s")
        self.clock.advance(1)
        self.upstream().answer(answer())
        self.clock.advance(1)
        self.assertEqual(visit.reply().body, b"hello")

    def test_sent_again(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/1")
        upstream = self.upstream()
        upstream.answer(answer())
        visit.get("/2")
        upstream.reset()
        again = self.upstream()
        again.answer(answer())
        visit.get("/3")
        self.take(again)
        again.reset()
        self.upstream().answer(answer())
        self.assertEqual(visit.received.count(b"hello"), 3)

    def switch(self, *fields: str) -> None:
        self.visit_, head = self.visit(), b"HTTP/1.1 101 Switching Protocols\r\n"
        self.visit_.get("/", "Connection: Upgrade", "Upgrade: websocket", *fields)
        self.upstream().answer(
            head + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )

    def test_tunnels(self) -> None:
        self.proxy()
        self.switch()
        self.visit_.leave()
        self.switch()
        self.accepted[-1].reset()
        self.assertTrue(self.visit_.is_aborted)
        self.switch()
        self.accepted[-1].close()
        self.assertTrue(self.visit_.is_closed)
        self.switch("X-Nbtwisted-Delay: 1s")
        self.assertEqual(self.visit_.received, b"")
        self.accepted[-1].close()
        self.clock.advance(1)
        self.assertTrue(self.visit_.is_closed)

    def test_a_tunnel_does_not_keep_the_server(self) -> None:
        self.proxy()
        self.switch()
        for each in list(self.server.in_flight._exchanges):
            each.make_last()
        self.assertTrue(self.visit_.is_aborted)


class StateTests(ProxyCase):
    def test_of_asking(self) -> None:
        self.proxy()
        moves = moves_in(LifeTests, Asking, "_state")
        self.assertEqual(sorted(moves - named(AskingState)), [])
        self.assertEqual(sorted(named(AskingState) - moves), [])

    def test_of_exchanges_and_channels(self) -> None:
        self.proxy()
        for module, owner, states in [
            (exchange, exchange.Exchange, {"ASKING", "TUNNELLING"}),
            (channel, channel.Channel, {"TUNNELLING"}),
        ]:
            seen: set[Any] = set()
            go: Any = vars(owner)["_go"]

            def noted(it: Any, event: Any, go: Any = go, seen: Any = seen) -> None:
                seen.add((it._state, event))
                go(it, event)

            self.patch(owner, "_go", noted)
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(LifeTests).run(result)
            self.assertTrue(result.wasSuccessful(), result.failures)
            for move, after in vars(module)["_TRANSITIONS"].items():
                if {move[0].name, after.name} & states:
                    self.assertIn(move, seen)
