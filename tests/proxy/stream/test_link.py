"""Links in memory: what passes, what is held back, and how they end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.proxy.stream.link import Link, LinkState
from nbtwisted.proxy.stream.pipeline import MOST_HELD, MOST_ITEMS
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.proxy.stream.side import LONGEST_FAREWELL
from nbtwisted.proxy.stream.stage import (
    Break,
    Direction,
    Latency,
    Placed,
    Rate,
    Slices,
    SlowClose,
    Stage,
    Timeout,
)
from nbtwisted.server.model.delay import Delay
from tests.client.state_table import moves_in, named
from tests.guard import ClockCase
from tests.proxy.stream.in_memory import End, Proxied

PIECE = bytes(2**16)


def down(*stages: Stage) -> Sequence[Placed]:
    return [Placed(f"s{n}", Direction.DOWN, stage) for n, stage in enumerate(stages)]


def up(*stages: Stage) -> Sequence[Placed]:
    return [Placed(f"s{n}", Direction.UP, stage) for n, stage in enumerate(stages)]


class LinkCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = MemoryReactorClock()

    def proxied(self, *stages: Placed, **options: Any) -> Proxied:
        made = Proxied(self.clock, stages=stages, **options)
        self.addCleanup(made.stop)
        return made

    def advance(self, seconds: float) -> None:
        """Let time pass, in steps in which a timer may be due."""
        for _ in range(round(seconds * 100)):
            self.clock.advance(0.01)

    def assert_over(self, of: Proxied, outcome: str) -> None:
        self.assertEqual([entry.outcome for entry in of.reports], [outcome])
        self.assertEqual(of.links, [])
        self.assertEqual([end.state for end in of.ends], ["gone"] * len(of.ends))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PassingTests(LinkCase):
    def test_bytes_pass_both_ways_at_once(self) -> None:
        proxied = self.proxied()
        client, upstream = proxied.pair()
        client.send(b"ask")
        self.assertEqual(upstream.take(), b"ask")
        upstream.send(b"answer")
        self.assertEqual(client.take(), b"answer")
        (link,) = proxied.links
        self.assertEqual((link.bytes_up, link.bytes_down), (3, 6))
        self.assertEqual((link.number, link.peer), (1, "127.0.0.1:40001"))

    def test_what_comes_before_the_upstream_is_there_waits(self) -> None:
        proxied = self.proxied()
        client = proxied.connect()
        client.send(b"early")
        client.end()
        upstream = proxied.answer()
        self.assertEqual(upstream.take(), b"early")
        self.assertTrue(upstream.is_shut)

    def test_a_client_that_sends_on_is_not_read_while_it_is_not_there(self) -> None:
        proxied = self.proxied()
        client = proxied.connect()
        for _ in range(MOST_HELD // len(PIECE)):
            client.send(PIECE)
        self.assertFalse(client.is_read)
        upstream = proxied.answer()
        passed = 0
        while data := upstream.take():
            passed += len(data)
        self.assertEqual(passed, MOST_HELD)
        self.assertTrue(client.is_read)

    def test_who_does_not_take_is_waited_for(self) -> None:
        proxied = self.proxied()
        client, upstream = proxied.pair()
        upstream.send(PIECE)
        self.assertTrue(upstream.is_read)
        upstream.send(b"a")
        self.assertFalse(upstream.is_read)
        # The other direction has nothing to do with that.
        self.assertTrue(client.is_read)
        self.assertEqual(client.take(), PIECE + b"a")
        self.assertTrue(upstream.is_read)

    def test_a_direction_holds_a_mebibyte_and_no_more(self) -> None:
        proxied = self.proxied(*down(Latency(Delay((5.0,)))))
        client, upstream = proxied.pair()
        sent = 0
        while upstream.is_read:
            upstream.send(PIECE)
            sent += len(PIECE)
        self.assertEqual(sent, MOST_HELD)
        self.advance(5.01)
        taken = 0
        while data := client.take():
            taken += len(data)
        self.assertEqual(taken, MOST_HELD)
        self.assertTrue(upstream.is_read)


class StageTests(LinkCase):
    def test_a_delay_is_of_its_direction_alone(self) -> None:
        client, upstream = self.proxied(*down(Latency(Delay((0.5,))))).pair()
        client.send(b"ask")
        self.assertEqual(upstream.take(), b"ask")
        upstream.send(b"answer")
        self.advance(0.49)
        self.assertEqual(client.take(), b"")
        self.advance(0.02)
        self.assertEqual(client.take(), b"answer")

    def test_a_rate_has_one_timer(self) -> None:
        client, upstream = self.proxied(*down(Rate(1000))).pair()
        upstream.send(bytes(2000))
        self.advance(1.0)
        self.assertAlmostEqual(len(client.take()), 1000, delta=51)
        # It, and the look that is for all links.
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)
        self.advance(1.1)
        self.assertAlmostEqual(len(client.take()), 1000, delta=51)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_pieces_that_are_due_at_once_are_sent_in_many_turns(self) -> None:
        client, upstream = self.proxied(*down(Slices(1))).pair()
        upstream.send(bytes(1000))
        self.assertEqual(len(client.take()), 256)
        self.clock.advance(0)
        self.assertEqual(len(client.take()), 744)

    def test_stages_change_at_once_on_open_links(self) -> None:
        proxied = self.proxied(*down(Latency(Delay((9.0,)))))
        client, upstream = proxied.pair()
        upstream.send(b"a")
        proxied.proxy.set_stages(())
        self.assertEqual(client.take(), b"a")
        proxied.proxy.set_stages(up(Latency(Delay((0.1,)))))
        client.send(b"b")
        self.assertEqual(upstream.take(), b"")
        self.advance(0.11)
        self.assertEqual(upstream.take(), b"b")
        self.assertEqual(proxied.links[0].entry.acting, {"up": ("s0",), "down": ()})

    def test_two_stages_of_one_name_are_refused(self) -> None:
        same = [*down(Rate(1)), *down(Rate(2))]
        error = self.assertRaises(ValueError, self.proxied().proxy.set_stages, same)
        self.assertIn("expected a name that no other has", str(error))

    def test_whether_a_stage_acts_is_drawn_by_seed_and_number(self) -> None:
        def drawn(seed: int) -> list[bool]:
            stage = Placed("s", Direction.DOWN, Latency(Delay((1.0,))), 0.5)
            proxied = self.proxied(stage, seed=seed)
            for _ in range(50):
                proxied.pair()
            return [bool(link.entry.acting["down"]) for link in proxied.links]

        first = drawn(1)
        self.assertEqual(drawn(1), first)
        self.assertNotEqual(drawn(2), first)
        self.assertTrue(10 < sum(first) < 40)


class EndTests(LinkCase):
    def finish_all(self, *ends: End) -> list[str]:
        return [end.finish() for end in ends]

    def test_half_of_it_is_kept(self) -> None:
        for first, second in [(0, 1), (1, 0)]:
            with self.subTest(first):
                proxied = self.proxied()
                ends = proxied.pair()
                ends[first].send(b"all")
                ends[first].end()
                self.assertEqual(ends[second].take(), b"all")
                self.assertTrue(ends[second].is_shut)
                self.assertFalse(ends[first].is_shut)
                self.assertIs(proxied.links[0].state, LinkState.ENDING)
                ends[second].flush()
                ends[second].send(b"later")
                self.assertEqual(ends[first].take(), b"later")
                ends[second].end()
                self.assertTrue(ends[first].is_shut)
                self.assertEqual(self.finish_all(*ends), ["closing", "closing"])
                name = ("client", "upstream")[first]
                self.assert_over(proxied, f"closed by {name}")

    def test_the_end_comes_behind_what_is_held(self) -> None:
        proxied = self.proxied(*down(Latency(Delay((1.0,))), SlowClose(2.0)))
        client, upstream = proxied.pair()
        upstream.send(b"last")
        upstream.end()
        self.advance(1.01)
        self.assertEqual(client.take(), b"last")
        self.assertFalse(client.is_shut)
        self.advance(2.0)
        self.assertTrue(client.is_shut)

    def test_a_side_that_has_ended_is_not_read_on(self) -> None:
        proxied = self.proxied(*down(Latency(Delay((1.0,)))))
        client, upstream = proxied.pair()
        for _ in range(MOST_ITEMS - 1):
            upstream.send(b"a")
        self.assertTrue(upstream.is_read)
        # That is one too many.
        upstream.end()
        self.assertFalse(upstream.is_read)
        self.advance(1.5)
        self.assertEqual(client.take(), b"a" * (MOST_ITEMS - 1))
        self.assertTrue(client.is_shut)

    def test_a_reset_is_passed_on(self) -> None:
        for first, name in [(0, "client"), (1, "upstream")]:
            with self.subTest(name):
                proxied = self.proxied()
                ends = proxied.pair()
                ends[first].reset()
                self.assertEqual(ends[1 - first].finish(), "aborting")
                self.assert_over(proxied, f"reset by {name}")

    def test_a_stage_resets_both(self) -> None:
        proxied = self.proxied(*down(Break("reset", after_bytes=3)))
        client, upstream = proxied.pair()
        upstream.send(b"abcdef")
        self.assertEqual(client.value(), b"abc")
        self.assertEqual(self.finish_all(client, upstream), ["aborting", "aborting"])
        self.assert_over(proxied, "reset")

    def test_a_stage_closes_both(self) -> None:
        proxied = self.proxied(*down(Break("close", after_seconds=2.0)))
        client, upstream = proxied.pair()
        self.advance(2.01)
        for end in (client, upstream):
            self.assertTrue(end.is_shut)
            end.flush()
            end.end()
        self.assertEqual(self.finish_all(client, upstream), ["closing", "closing"])
        self.assert_over(proxied, "closed")

    def test_who_does_not_close_as_well_is_reset(self) -> None:
        proxied = self.proxied(*down(Break("close", after_seconds=2.0)))
        client, upstream = proxied.pair()
        self.advance(2.01)
        # What they still send is lost.
        client.send(b"a")
        self.advance(LONGEST_FAREWELL + 2)
        self.assertEqual(self.finish_all(client, upstream), ["aborting", "aborting"])
        self.assert_over(proxied, "closed")

    def test_who_was_not_read_is_read_until_it_closes_as_well(self) -> None:
        proxied = self.proxied(*down(Break("close", after_seconds=2.0)))
        client, upstream = proxied.pair()
        while upstream.is_read:
            upstream.send(PIECE)
        self.advance(2.01)
        self.assertTrue(upstream.is_read)
        self.assertTrue(client.is_shut)

    def test_a_time_is_kept_while_nobody_takes_anything(self) -> None:
        proxied = self.proxied(*down(Break("reset", after_seconds=2.0)))
        client, upstream = proxied.pair()
        upstream.send(PIECE + PIECE)
        self.advance(2.01)
        self.assertEqual(self.finish_all(client, upstream), ["aborting", "aborting"])

    def test_a_time_of_zero_resets_at_once(self) -> None:
        proxied = self.proxied(*down(Break("reset", after_seconds=0.0)))
        client = proxied.connect()
        self.assertEqual(client.finish(), "aborting")
        self.assertEqual(self.clock.tcpClients, [])
        self.assert_over(proxied, "reset")

    def test_a_stall_lasts_until_both_have_ended(self) -> None:
        proxied = self.proxied(*down(Break("stall", after_bytes=1)))
        client, upstream = proxied.pair()
        upstream.send(b"abc")
        self.assertEqual(client.take(), b"a")
        self.assertEqual(proxied.links[0].entry.outcome, "stalled")
        client.send(b"still asking")
        self.assertEqual(upstream.take(), b"still asking")
        upstream.end()
        self.assertFalse(client.is_shut)
        self.advance(100)
        self.assertFalse(client.is_shut)
        client.end()
        # It is too late for that.
        proxied.proxy.set_stages(())
        for end in (client, upstream):
            end.flush()
        self.assertEqual(self.finish_all(client, upstream), ["closing", "closing"])
        self.assert_over(proxied, "stalled")

    def test_a_stall_that_is_full_is_over_when_its_receiver_has_ended(self) -> None:
        proxied = self.proxied(*down(Break("stall")))
        client, upstream = proxied.pair()
        while upstream.is_read:
            upstream.send(PIECE)
        self.assertIs(proxied.links[0].state, LinkState.OPEN)
        client.end()
        # Nobody would read the other end.
        self.assertTrue(upstream.is_read)
        self.assertIs(proxied.links[0].state, LinkState.CLOSING)

    def test_a_stall_is_over_when_its_stage_is_gone(self) -> None:
        proxied = self.proxied(*down(Break("stall")))
        client, upstream = proxied.pair()
        upstream.send(b"abc")
        self.assertEqual(client.take(), b"")
        proxied.proxy.set_stages(())
        self.assertEqual(client.take(), b"abc")
        self.assertEqual(proxied.links[0].entry.outcome, "open")

    def test_a_timeout_closes_in_its_time(self) -> None:
        proxied = self.proxied(*down(Timeout(3.0)))
        client, upstream = proxied.pair()
        upstream.send(b"lost")
        self.advance(2.9)
        self.assertFalse(client.is_shut)
        self.advance(0.2)
        self.assertTrue(client.is_shut)
        self.assertEqual(client.take(), b"")

    def test_an_upstream_that_refuses_resets_the_client(self) -> None:
        proxied = self.proxied()
        client = proxied.connect()
        proxied.refuse()
        self.assertEqual(client.finish(), "aborting")
        self.assert_over(proxied, "upstream failed")
        self.assertEqual(
            proxied.reports[0].upstream_error,
            "connect: 127.0.0.1 port 5432: Connection refused",
        )

    def test_an_upstream_that_does_not_answer_is_given_up(self) -> None:
        proxied = self.proxied(connect_timeout=5.0)
        client = proxied.connect()
        self.advance(5.1)
        self.assertTrue(self.clock.connectors[-1].stoppedConnecting)
        self.assertEqual(client.finish(), "aborting")
        self.assert_over(proxied, "upstream failed")
        self.assertEqual(
            proxied.reports[0].upstream_error, "connect: no connection within 5 s"
        )

    def test_a_client_that_breaks_is_not_connected_for(self) -> None:
        proxied = self.proxied()
        proxied.connect().reset()
        self.assertTrue(self.clock.connectors[-1].stoppedConnecting)
        self.assert_over(proxied, "reset by client")

    def test_the_proxy_stops_and_all_links_end(self) -> None:
        proxied = self.proxied()
        opening = proxied.connect()
        client, upstream = proxied.pair()
        half, other = proxied.pair()
        half.end()
        proxied.stop()
        self.assertEqual([end.state for end in proxied.ends], ["gone"] * 5)
        self.assertEqual([e.outcome for e in proxied.reports], ["stopped"] * 3)
        self.assertEqual(proxied.links, [])
        del opening, client, upstream, other

    def test_who_does_not_take_what_it_is_sent_is_not_waited_for(self) -> None:
        proxied = self.proxied()
        client, upstream = proxied.pair()
        upstream.send(PIECE + PIECE)
        proxied.proxy.stop()
        self.assertEqual((client.state, upstream.state), ("aborting", "closing"))

    def test_one_too_many_is_reset(self) -> None:
        proxied = self.proxied(most_links=1)
        proxied.pair()
        self.assertEqual(proxied.connect().finish(), "aborting")
        self.assertEqual([e.outcome for e in proxied.reports], ["refused"])

    def test_a_proxy_that_drains_takes_no_more_links(self) -> None:
        proxied = self.proxied()
        client, upstream = proxied.pair()
        drained: list[None] = []
        given_up: list[object] = []
        proxied.proxy.drain().addCallback(drained.append)
        waiting = proxied.proxy.drain()
        waiting.addErrback(given_up.append)
        waiting.cancel()
        self.assertEqual(proxied.connect().finish(), "aborting")
        upstream.send(b"as before")
        self.assertEqual(client.take(), b"as before")
        self.assertEqual(drained, [])
        for end in (client, upstream):
            end.end()
        for end in (client, upstream):
            end.finish()
        self.assertEqual((drained, len(given_up)), ([None], 1))
        proxied.proxy.drain().addCallback(drained.append)
        self.assertEqual(drained, [None, None])

    def test_a_loop_is_found_whichever_end_is_heard_of_first(self) -> None:
        for client_first in (True, False):
            with self.subTest(client_first):
                proxied = self.proxied(upstream=Upstream("127.0.0.1", 9000))
                first = proxied.connect()
                if client_first:
                    second = proxied.connect(peer=50_000, turn=False)
                    made = proxied.answer(-1, host=50_000)
                else:
                    made = proxied.answer(-1, host=50_000)
                    second = proxied.connect(peer=50_000)
                self.assertEqual(self.finish_all(first, made, second), ["aborting"] * 3)
                self.assertEqual([e.outcome for e in proxied.reports], ["loop"] * 2)
                self.assertEqual(
                    proxied.reports[0].upstream_error,
                    "connect: the upstream is this proxy itself",
                )

    def test_a_connection_that_is_over_is_no_loop(self) -> None:
        proxied = self.proxied(upstream=Upstream("127.0.0.1", 9000))
        client, upstream = proxied.connect(), proxied.answer(-1, host=50_000)
        client.reset()
        upstream.finish()
        proxied.connect(peer=50_000)
        self.assertEqual([link.state for link in proxied.links], [LinkState.OPENING])

    def test_one_port_of_two_connections_is_no_loop(self) -> None:
        proxied = self.proxied(upstream=Upstream("127.0.0.1", 9001))
        proxied.connect(peer=50_000)
        proxied.answer(-1, host=50_000)
        self.assertEqual([link.state for link in proxied.links], [LinkState.OPEN])


class MoveTests(SynchronousTestCase):
    def test_the_table_has_the_moves_that_are_made(self) -> None:
        made: set[tuple[str, str]] = set()
        for cases in (PassingTests, StageTests, EndTests):
            made |= moves_in(cases, Link, "state")
        self.assertEqual(made, named(LinkState))
