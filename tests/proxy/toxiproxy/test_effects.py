"""What each toxic does to a link, to the millisecond: in memory, on a clock."""

from __future__ import annotations

import itertools
import json
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from nbtwisted.proxy.toxiproxy.document import parse_object
from nbtwisted.proxy.toxiproxy.toxics import Toxic, read_toxic, updated
from tests.guard import ClockCase
from tests.proxy.stream.in_memory import End, Proxied


def toxic(kind: str, stream: str = "downstream", **attributes: int) -> Toxic:
    fields = {"type": kind, "stream": stream, "attributes": attributes}
    return read_toxic(parse_object(json.dumps(fields).encode(), "{}"))


class EffectCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = MemoryReactorClock()

    def pair(self, *toxics: Toxic) -> tuple[End, End]:
        """A client and an upstream with these between them."""
        self.proxied = Proxied(self.clock)
        self.addCleanup(self.proxied.stop)
        self.have(*toxics)
        ends = self.proxied.pair()
        self.began = self.clock.seconds()
        return ends

    def have(self, *toxics: Toxic) -> None:
        self.proxied.proxy.set_stages(
            [placed for toxic in toxics for placed in toxic.placed()]
        )

    def watch(self, end: End, milliseconds: int) -> list[tuple[int, Any]]:
        """What comes out of an end, and when: bytes, or what becomes of it."""
        seen: list[tuple[int, Any]] = []
        before = (end.is_shut, end.state)
        for _ in range(milliseconds):
            self.clock.advance(0.001)
            now = round((self.clock.seconds() - self.began) * 1000)
            if data := end.take():
                seen.append((now, data))
            after = (end.is_shut, end.state)
            if after != before:
                seen.append((now, "end" if after[1] == "open" else after[1]))
            before = after
        return seen


class EffectTests(EffectCase):
    def test_none(self) -> None:
        client, upstream = self.pair(toxic("noop"))
        client.send(b"a")
        self.assertEqual(upstream.take(), b"a")

    def test_latency(self) -> None:
        client, upstream = self.pair(
            toxic("latency", latency=50), toxic("latency", "upstream", latency=20)
        )
        client.send(b"ask")
        upstream.send(b"answer")
        self.assertEqual(self.watch(upstream, 30), [(20, b"ask")])
        self.assertEqual(self.watch(client, 30), [(50, b"answer")])

    def test_jitter(self) -> None:
        client, upstream = self.pair(toxic("latency", latency=50, jitter=10))
        times = []
        for _ in range(100):
            self.began = self.clock.seconds()
            upstream.send(b"answer")
            ((came, _),) = self.watch(client, 70)
            times.append(came)
        self.assertGreaterEqual(min(times), 40)
        self.assertLessEqual(max(times), 60)
        self.assertGreater(len(set(times)), 10)

    def test_bandwidth(self) -> None:
        # 10,000 bytes a second.
        client, upstream = self.pair(toxic("bandwidth", rate=10))
        upstream.send(bytes(1000))
        came = self.watch(client, 150)
        self.assertEqual(sum(len(data) for _, data in came), 1000)
        for when, passed in zip(
            (when for when, _ in came),
            (sum(len(data) for _, data in came[:n]) for n in range(1, len(came) + 1)),
            strict=True,
        ):
            self.assertAlmostEqual(passed / 10, when, delta=1)

    def test_slow_close(self) -> None:
        client, upstream = self.pair(toxic("slow_close", delay=80))
        upstream.send(b"last")
        upstream.end()
        self.assertEqual(self.watch(client, 100), [(1, b"last"), (80, "end")])

    def test_timeout(self) -> None:
        client, upstream = self.pair(toxic("timeout", timeout=60))
        upstream.send(b"lost")
        client.send(b"passes")
        self.assertEqual(upstream.take(), b"passes")
        ((when, what),) = self.watch(client, 100)
        self.assertEqual((when, what), (60, "end"))

    def test_a_timeout_of_0_is_over_when_it_is_removed(self) -> None:
        client, upstream = self.pair(toxic("timeout"))
        upstream.send(b"lost")
        self.assertEqual(self.watch(client, 5000), [])
        self.have()
        self.assertTrue(client.is_shut)
        self.assertEqual(client.take(), b"")

    def test_reset_peer(self) -> None:
        for timeout in (0, 70):
            client, upstream = self.pair(toxic("reset_peer", timeout=timeout))
            # Its time begins with the first byte.
            self.assertEqual(self.watch(client, 100), [])
            upstream.send(b"lost")
            self.assertEqual(
                self.watch(client, 100),
                [(100 + timeout, "aborting")] if timeout else [],
            )
            self.assertEqual((client.state, upstream.state), ("aborting", "aborting"))
            self.assertEqual(client.take(), b"")

    def test_slicer(self) -> None:
        client, upstream = self.pair(
            toxic("slicer", average_size=100, size_variation=20, delay=10_000)
        )
        upstream.send(bytes(1000))
        came = self.watch(client, 200)
        self.assertEqual(sum(len(data) for _, data in came), 1000)
        for _, data in came[:-1]:
            self.assertTrue(80 <= len(data) <= 120, len(data))
        times = [when for when, _ in came]
        pauses = [after - when for when, after in itertools.pairwise(times)]
        # The first passes at once, and is seen a millisecond later.
        self.assertEqual(pauses, [9] + [10] * (len(pauses) - 1))

    def test_limit_data(self) -> None:
        client, upstream = self.pair(toxic("limit_data", bytes=10))
        upstream.send(b"12345")
        upstream.send(b"67890123")
        self.assertEqual(client.take(), b"1234567890")
        self.assertTrue(client.is_shut)
        client, upstream = self.pair(toxic("limit_data", bytes=0))
        self.assertEqual(self.watch(client, 100), [])
        upstream.send(b"1")
        self.assertEqual(client.take(), b"")
        self.assertTrue(client.is_shut)

    def test_a_change_acts_at_once(self) -> None:
        slow = toxic("latency", latency=1000)
        client, upstream = self.pair(slow)
        upstream.send(b"answer")
        fields = parse_object(b'{"attributes": {"latency": 40}}', "{}")
        self.have(updated(slow, fields))
        self.assertEqual(self.watch(client, 50), [(40, b"answer")])
        upstream.send(b"late")
        self.have()
        self.assertEqual(client.take(), b"late")

    def test_a_change_of_what_has_lost_bytes_goes_on_losing(self) -> None:
        silent = toxic("timeout")
        client, upstream = self.pair(silent)
        upstream.send(b"lost")
        self.assertEqual(self.watch(client, 100), [])
        fields = parse_object(b'{"attributes": {"timeout": 60}}', "{}")
        self.have(updated(silent, fields))
        upstream.send(b"lost, too")
        self.assertEqual(self.watch(client, 100), [(160, "end")])

    def test_bytes_that_passed_count_for_a_limit_that_is_changed(self) -> None:
        limit = toxic("limit_data", bytes=10)
        client, upstream = self.pair(limit)
        upstream.send(b"123456")
        self.assertEqual(client.take(), b"123456")
        fields = parse_object(b'{"attributes": {"bytes": 8}, "toxicity": 7}', "{}")
        self.have(updated(limit, fields))
        upstream.send(b"7890")
        self.assertEqual(client.take(), b"78")
        self.assertTrue(client.is_shut)

    def test_another_toxicity_leaves_what_is_under_way(self) -> None:
        slow = toxic("latency", latency=50)
        client, upstream = self.pair(slow)
        upstream.send(b"answer")
        self.have(updated(slow, parse_object(b'{"toxicity": 7}', "{}")))
        self.assertEqual(self.watch(client, 60), [(50, b"answer")])

    def test_they_act_one_after_another(self) -> None:
        client, upstream = self.pair(
            toxic("latency", latency=30), toxic("limit_data", bytes=2)
        )
        upstream.send(b"abc")
        self.assertEqual(self.watch(client, 50), [(30, b"ab"), (30, "end")])
