"""A body's source: its pieces in time, back-pressure, and turns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from twisted.python.failure import Failure

from nbtwisted.server.engine.source import SECONDS_A_TURN, PacedSource
from nbtwisted.server.model.body import PIECE
from nbtwisted.server.model.pace import Paced
from tests.guard import ClockCase


class Kept:
    """A sink that keeps what it is given, and may do something for each piece."""

    def __init__(self) -> None:
        self.taken: list[list[bytes]] = []
        self.is_whole = False
        self.errors: list[Failure] = []
        self.then = lambda: None

    def take(self, pieces: list[bytes], *, is_last: bool) -> None:
        assert not self.is_whole
        self.taken.append(pieces)
        self.is_whole = is_last
        self.then()

    def fail(self, why: Failure) -> None:
        self.errors.append(why)

    @property
    def data(self) -> bytes:
        return b"".join(map(b"".join, self.taken))


class PacedSourceTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.sink = Kept()

    def source(self, pieces: Paced) -> PacedSource:
        return PacedSource(pieces, self.clock, self.clock.seconds)

    def started(self, *pieces: tuple[bytes, float]) -> PacedSource:
        source = self.source(pieces)
        source.start(self.sink)
        return source

    def test_what_is_not_paced_is_given_at_once(self) -> None:
        self.started((b"a", 0), (b"", 0), (b"b", 0))
        self.assertEqual(self.sink.taken, [[b"a", b"b"]])
        self.assertTrue(self.sink.is_whole)

    def test_nothing(self) -> None:
        self.started()
        self.assertEqual((self.sink.taken, self.sink.is_whole), ([[]], True))

    def test_seconds_between_pieces(self) -> None:
        self.started((b"a", 1), (b"b", 2), (b"c", 5))
        for seconds, taken in [(0, 1), (0.9, 1), (0.1, 2), (1.9, 2), (0.1, 3)]:
            self.clock.advance(seconds)
            self.assertEqual(len(self.sink.taken), taken)
        self.assertEqual(self.sink.data, b"abc")
        # No interval follows the last.
        self.assertTrue(self.sink.is_whole)

    def test_a_late_timer_makes_no_other_late(self) -> None:
        self.started((b"a", 1), (b"b", 1), (b"c", 1), (b"d", 0))
        self.clock.advance(1.5)
        self.clock.advance(0.5)
        self.assertEqual(self.sink.data, b"abc")
        self.clock.advance(2)
        self.assertEqual(self.sink.data, b"abcd")

    def test_a_pause_before_the_start(self) -> None:
        source = self.source([(b"a", 0), (b"b", 0)])
        source.pause()
        source.start(self.sink)
        self.assertEqual(self.sink.taken, [])
        source.resume()
        self.assertEqual((self.sink.data, self.sink.is_whole), (b"ab", True))

    def test_to_go_on_before_the_start_gives_nothing(self) -> None:
        source = self.source([(b"a", 0)])
        source.resume()
        source.start(self.sink)
        self.assertEqual(self.sink.taken, [[b"a"]])

    def test_a_pause_in_the_middle(self) -> None:
        source = self.started((b"a", 1), (b"b", 1), (b"c", 1), (b"d", 0))
        source.pause()
        self.clock.advance(10)
        self.assertEqual(self.sink.data, b"a")
        source.resume()
        # What was missed is not made up for.
        self.assertEqual(self.sink.data, b"ab")
        self.clock.advance(0.9)
        self.assertEqual(self.sink.data, b"ab")
        self.clock.advance(0.1)
        self.assertEqual(self.sink.data, b"abc")
        self.clock.advance(1)
        self.assertEqual((self.sink.data, self.sink.is_whole), (b"abcd", True))

    def test_a_pause_that_ends_before_the_next_piece_is_due(self) -> None:
        source = self.started((b"a", 1), (b"b", 1), (b"c", 0))
        self.clock.advance(0.4)
        source.pause()
        source.resume()
        self.assertEqual(self.sink.data, b"a")
        self.clock.advance(0.6)
        self.assertEqual(self.sink.data, b"ab")
        self.clock.advance(1)

    def test_a_sink_that_pauses_it(self) -> None:
        source = self.source([(b"x" * PIECE, 0)] * 3)
        self.sink.then = source.pause
        source.start(self.sink)
        for number in (1, 2):
            self.assertEqual(len(self.sink.data), PIECE * number)
            source.resume()
        self.assertEqual(len(self.sink.data), PIECE * 3)
        self.assertTrue(self.sink.is_whole)
        source.resume()
        self.assertEqual(len(self.sink.taken), 3)

    def test_a_sink_that_stops_it(self) -> None:
        source = self.source([(b"a", 1), (b"b", 0)])
        self.sink.then = source.stop
        source.start(self.sink)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        source.resume()
        self.assertEqual((self.sink.data, self.sink.is_whole), (b"a", False))

    def test_stopped_it_leaves_no_timer_and_gives_nothing(self) -> None:
        source = self.started((b"a", 1), (b"b", 0))
        source.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        source.pause()
        source.resume()
        source.stop()
        self.assertEqual((self.sink.data, self.sink.is_whole), (b"a", False))

    def test_an_error(self) -> None:
        def broken() -> Iterator[tuple[bytes, float]]:
            yield b"a", 1
            yield b"b", 1
            raise ValueError("no more")

        source = self.source(broken())
        source.start(self.sink)
        self.assertEqual((self.sink.data, self.sink.errors), (b"a", []))
        self.clock.advance(1)
        (error,) = self.sink.errors
        self.assertIsInstance(error.value, ValueError)
        self.assertFalse(self.sink.is_whole)
        source.resume()
        self.assertEqual((len(self.sink.errors), self.sink.data), (1, b"a"))

    def test_no_more_than_a_piece_is_kept(self) -> None:
        self.started(*[(b"x" * (PIECE // 2 + 1), 0.0)] * 5)
        self.assertEqual([len(pieces) for pieces in self.sink.taken], [2, 2, 1])

    def test_tiny_pieces_take_turns(self) -> None:
        ticks = count()
        pieces = [(b"x", 0.0)] * 100
        source = PacedSource(
            pieces, self.clock, lambda: next(ticks) * SECONDS_A_TURN / 4
        )
        source.start(self.sink)
        self.assertEqual(len(self.sink.taken), 1)
        # Nothing but the turn of others is waited for.
        self.clock.advance(0)
        self.assertEqual((self.sink.data, self.sink.is_whole), (b"x" * 100, True))
        self.assertLessEqual(max(map(len, self.sink.taken)), 5)

    def test_a_turn_s_end_is_no_delay_of_what_is_paced(self) -> None:
        ticks = count()
        pieces = [*[(b"x", 0.0)] * 10, (b"y", 1.0), (b"z", 0.0)]
        source = PacedSource(pieces, self.clock, lambda: next(ticks) * SECONDS_A_TURN)
        source.start(self.sink)
        self.clock.pump([0] * 12)
        self.assertEqual(self.sink.data, b"x" * 10 + b"y")
        self.clock.advance(1)
        self.assertEqual((self.sink.data[-1:], self.sink.is_whole), (b"z", True))
