"""Which workers of a cluster reach nothing that they were to ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nbtwisted.client.errors import BadJob, BadURL
from nbtwisted.client.results.ended import Ended

__all__ = ["Reach"]

FEWEST = 10
"""Failures, below which it may as well be the host: a host is one worker's."""

_NEVER_SENT = (BadJob.exit_code, BadURL.exit_code)


class Reach:
    """Counts answers and failures of workers, which have these names."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._answered = [0] * len(names)
        self._failed = [0] * len(names)
        self._first = [""] * len(names)

    def count(self, number: int, ended: Ended) -> None:
        """A request of this worker has ended so."""
        if not ended.error:
            self._answered[number] += not ended.is_interrupted
        elif ended.exit_code not in _NEVER_SENT:
            self._failed[number] += 1
            self._first[number] = self._first[number] or ended.error

    def complaints(self) -> Iterator[str]:
        """What to say of workers without answers, if others had some."""
        if any(self._answered):
            for name, answered, failed, first in zip(
                self._names, self._answered, self._failed, self._first, strict=True
            ):
                if failed >= FEWEST and not answered:
                    yield (
                        f"worker {name}: all of its {failed:,} requests failed, and "
                        f"others' did not: {first}"
                    )
