"""Where a cluster is, as people say it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.cluster.place import EXPECTED, Place


class PlaceTests(SynchronousTestCase):
    """Places."""

    def test_are_here_or_a_schedulers(self) -> None:
        """And nothing else."""
        for text, place in (
            ("local", Place()),
            ("local:4", Place(number=4)),
            ("local:1000", Place(number=1000)),
            ("tcp://127.0.0.1:8786", Place("tcp://127.0.0.1:8786")),
            ("tls://[::1]:8786", Place("tls://[::1]:8786")),
            (
                "tcp://dask-scheduler.name:65535",
                Place("tcp://dask-scheduler.name:65535"),
            ),
        ):
            with self.subTest(text=text):
                self.assertEqual(Place.parse(text), place)

    def test_what_is_none_is_told_what_was_expected(self) -> None:
        """In one sentence."""
        for text in (
            *(
                "",
                "local:",
                "local:0",
                "local:x",
                "local:1001",
                "local:-1",
                "localhost",
            ),
            *("tcp://", "tcp://a", "tcp://a:0", "tcp://a:65536", "tcp://a:8786/x"),
            *(
                "http://a:8786",
                "tcp://a b:1",
                "127.0.0.1:8786",
                "tcp://u@a:1",
                "local:1 ",
            ),
        ):
            with self.subTest(text=text):
                error = self.assertRaises(ValueError, Place.parse, text)
                self.assertEqual(str(error), f"expected {EXPECTED}")


class ClockDifferenceTests(SynchronousTestCase):
    """Differences of clocks."""

    def test_are_those_of_the_fastest_ping(self) -> None:
        """The one that leaves least in doubt."""
        slow, fast = (10.0, 3612.0, 12.0), (20.0, 3620.25, 20.5)
        found = ClockDifference.measured([slow, fast, slow])
        self.assertEqual(found, ClockDifference(3600.0, 0.25))
