"""What operators see of links: the server of a proxy of streams, in memory."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.proxy.link_metrics import LinkCollector
from nbtwisted.proxy.link_totals import totals_of
from nbtwisted.proxy.operators import StreamServer
from nbtwisted.server.model.control_text import STREAMED
from nbtwisted.server.routes.metrics import exposition
from nbtwisted.server.routes.rules import as_json
from nbtwisted.server.routes.viewing_rules import RulesViewer
from tests.proxy.stream.in_memory import Proxied


class OperatorsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.server = StreamServer(
            clock=self.clock, now=self.clock.seconds, seed=4, vocabulary=STREAMED
        )
        self.proxied = self.named("", self.clock)
        self.server.rule(self.proxied.proxy)
        self.addCleanup(self.server.stop)

    def named(self, name: str, clock: MemoryReactorClock) -> Proxied:
        """A proxy on a reactor of its own, as its helper wants it."""
        proxied = Proxied(clock)
        self.server.add(name, proxied.proxy)
        return proxied

    def passed(self, proxied: Proxied, down: bytes) -> bytes:
        """What a new client gets of what the upstream sends."""
        client, upstream = proxied.pair()
        upstream.send(down)
        return client.take()

    def test_links_of_all_ports(self) -> None:
        other = self.named("redis", MemoryReactorClock())
        self.passed(self.proxied, b"123")
        self.passed(other, b"12")
        self.passed(other, b"1")
        listed = [
            (link.get("port"), link["id"], link["down"])
            for link in self.server.entries(0, None)
        ]
        self.assertEqual(listed, [(None, 1, 3), ("redis", 1, 2), ("redis", 2, 1)])
        listed = [link["down"] for link in self.server.entries(1, None)]
        self.assertEqual(listed, [1])
        stats = self.server.stats()
        self.assertEqual((stats["links"], stats["open"], stats["down"]), (3, 3, 6))
        # One that is closed has none to show.
        other.stop()
        self.assertEqual(self.server.stats()["links"], 1)
        self.assertEqual(list(self.server.proxies), [""])

    def test_links_of_a_rule(self) -> None:
        self.passed(self.proxied, b"1")
        rules = self.server.rules
        rules.add(*rules.parse({"name": "slow", "delay": "1s"}))
        self.assertEqual(self.passed(self.proxied, b"2"), b"")
        rules.remove("slow")
        self.passed(self.proxied, b"3")
        self.assertEqual(list(self.server.entries(0, "slow")), [])
        rules.add(*rules.parse({"name": "slow", "delay": "1s"}))
        listed = [link["id"] for link in self.server.entries(0, "slow")]
        self.assertEqual(listed, [1, 2, 3])
        self.assertEqual(list(self.server.entries(0, "slo")), [])

    def test_how_many_links_a_rule_acted_on(self) -> None:
        rules = self.server.rules
        self.passed(self.proxied, b"1")
        self.assertEqual(self.acted(), {})
        rules.add(*rules.parse({"name": "slow", "delay": "1s", "direction": "both"}))
        rules.add(*rules.parse({"name": "first", "steps": [{"rate": 9}, {}]}))
        rules.add(*rules.parse({"name": "never", "fault": "reset:0"}))
        self.assertEqual(self.acted(), {"never": 0, "first": 0, "slow": 1})
        self.passed(self.proxied, b"2")
        self.passed(self.proxied, b"3")
        self.assertEqual(self.acted(), {"never": 0, "first": 1, "slow": 3})
        # It is counted once for each link, whatever becomes of the rule and the link.
        for is_enabled in (False, True):
            rules.switch("slow", is_enabled)
        self.proxied.ends[0].reset()
        self.assertEqual(self.acted()["slow"], 3)
        self.assertEqual(
            RulesViewer(rules, self.server.in_flight.journal).changes()["acted"],
            [0, 1, 3],
        )
        self.server.reset()
        self.assertEqual(self.acted(), {"never": 0, "first": 0, "slow": 0})
        self.passed(self.proxied, b"4")
        self.assertEqual(self.acted(), {"never": 0, "first": 1, "slow": 1})

    def acted(self) -> dict[str, int]:
        """Count the links on which each rule acted, as operators see it."""
        listed = [as_json(self.server, each) for each in self.server.rules.standing]
        return {rule["name"]: rule["requests"] for rule in listed}

    def test_reset(self) -> None:
        client, upstream = self.proxied.pair()
        client.reset()
        upstream.finish()
        rules = self.server.rules
        rules.add(*rules.parse({"steps": [{"delay": "9s"}, {}]}))
        steps = [self.passed(self.proxied, b"1") for _ in range(3)]
        self.assertEqual(steps, [b"", b"1", b"1"])
        first = self.proxied.ends[2]
        self.assertEqual(self.server.reset(), 3)
        self.assertNotEqual(first.state, "open")
        for end in self.proxied.ends:
            if end.state in ("closing", "aborting"):
                end.finish()
        stats = self.server.stats()
        self.assertEqual((stats["open"], stats["outcomes"]), (0, {"stopped": 3}))
        # Steps begin anew.
        steps = [self.passed(self.proxied, b"1") for _ in range(2)]
        self.assertEqual(steps, [b"", b"1"])

    def test_metrics(self) -> None:
        client, upstream = self.proxied.pair()
        upstream.send(b"12345")
        client.send(b"123")
        self.passed(self.proxied, b"1")
        client.reset()
        upstream.finish()
        totals = LinkCollector(lambda: totals_of(self.server.proxies.values()), None)
        text = exposition([totals], "")[0].decode()
        for line in (
            'nbtwisted_links_total{end="reset by client"} 1.0',
            "nbtwisted_links_open 1.0",
            'nbtwisted_link_bytes_total{direction="up"} 3.0',
            'nbtwisted_link_bytes_total{direction="down"} 6.0',
        ):
            self.assertIn(line, text.splitlines())
        self.assertNotIn("access_log", text)
