"""How many cores there are."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.cores import usable_cores


class UsableCoresTests(SynchronousTestCase):
    """Cores."""

    def test_are_those_that_this_process_may_use(self) -> None:
        """`taskset` gives fewer than there are."""
        self.patch(os, "sched_getaffinity", lambda _: {0, 1, 5})
        self.assertEqual(usable_cores(), 3)

    def test_are_all_where_that_is_not_known(self) -> None:
        """As on macOS, and by whatever number it has."""
        for known, number in ((4, 4), (None, 1)):
            patch = self.patch(os, "cpu_count", lambda known=known: known)
            affinity = os.sched_getaffinity
            del os.sched_getaffinity
            try:
                self.assertEqual(usable_cores(), number)
            finally:
                os.sched_getaffinity = affinity
                patch.restore()
