"""What a part of a run writes to a place by itself."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, TypedDict

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from nbtwisted.client.places.claim import check_claim
from nbtwisted.client.places.places import Place, in_thread, open_place
from nbtwisted.client.results.output import CSV_HEADER

__all__ = [
    "LARGEST",
    "LONGEST",
    "MOST",
    "PartFiles",
    "PlaceSpec",
    "WrittenFile",
    "listed",
]

LARGEST = 32 * 1024 * 1024
"""Bytes of answers that are written when there are so many. They are in memory."""

MOST = 10_000
"""Answers in a file of many."""

MOST_FILES = 100
"""Answers with files of their own that are written at once."""

LONGEST = 10.0
"""Seconds that an answer may wait for others to be written with."""


class PlaceSpec(TypedDict):
    """What a part is told of the place that it writes to."""

    url: str
    claim: str
    """See `check_claim`."""
    form: str
    """As `--format` has it."""
    is_file_each: bool
    """Whether each answer has a file of its own."""


class WrittenFile(TypedDict):
    """A file that is whole, as the manifest has it."""

    name: str
    bytes: int
    sha256: str
    records: list[list[int]]
    """Which answers it has, in its order, by their positions in the list: the first and
    the last of each row of them."""


class PartFiles:
    """Writes the answers of one part of a run to a place, many at once.

    They are written as a file of many, in the order of the list, or as a file for each.

    `on_written` is told of files that are whole: until then, no answer is delivered.
    `on_failed` is told once why they cannot be written; nothing is, from then on.
    """

    def __init__(
        self,
        reactor: Any,
        place: Place,
        spec: PlaceSpec,
        on_written: Callable[[list[WrittenFile]], None],
        on_failed: Callable[[OSError], None],
    ) -> None:
        self._reactor = reactor
        self._place = place
        self._form = spec["form"]
        self._is_file_each = spec["is_file_each"]
        self._most = MOST_FILES if self._is_file_each else MOST
        self._on_written = on_written
        self._on_failed = on_failed
        # No other part has files of this name, and no earlier run.
        self._prefix = f"part-{secrets.token_hex(4)}"
        self._number = 0
        self._answers: dict[int, bytes] = {}
        self._size = 0
        self._timer: IDelayedCall | None = None
        self._waiting: deque[tuple[int, dict[int, bytes]]] = deque()
        self._is_writing = False
        self._has_failed = False
        self._closed: Deferred[None] | None = None

    @classmethod
    def open(
        cls,
        reactor: Any,
        spec: PlaceSpec,
        on_written: Callable[[list[WrittenFile]], None],
        on_failed: Callable[[OSError], None],
    ) -> Deferred[PartFiles]:
        """Those of a part; fails with `OSError` if it cannot write there."""

        def check() -> Place:
            place = open_place(spec["url"])
            check_claim(place, spec["claim"])
            return place

        return in_thread(reactor, spec["url"], check).addCallback(
            lambda place: cls(reactor, place, spec, on_written, on_failed)
        )

    @property
    def is_full(self) -> bool:
        """Whether the place takes longer than answers come: time to ask for no more."""
        return len(self._waiting) > 1

    def write(self, index: int, answer: bytes) -> None:
        """Have an answer written."""
        if self._has_failed:
            return
        self._answers[index] = answer
        self._size += len(answer)
        if len(self._answers) >= self._most or self._size >= LARGEST:
            self.flush()
        elif self._timer is None:
            self._timer = self._reactor.callLater(LONGEST, self._on_time)

    def flush(self) -> None:
        """Wait for no more answers before those that there are are written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._answers:
            self._number += 1
            self._waiting.append((self._number, self._answers))
            self._answers, self._size = {}, 0
            self._write_next()

    def abandon(self) -> None:
        """Write nothing more."""
        self._has_failed = True
        self._answers.clear()
        self._waiting.clear()
        self.flush()

    def close(self) -> Deferred[None]:
        """Write what there is; fires when there is nothing left to be written."""
        self.flush()
        if not self._is_writing:
            return succeed(None)
        self._closed = Deferred()
        return self._closed

    def _on_time(self) -> None:
        self._timer = None
        self.flush()

    def _write_next(self) -> None:
        if self._is_writing or not self._waiting:
            return
        self._is_writing = True
        number, answers = self._waiting.popleft()
        in_thread(
            self._reactor, self._place.url, lambda: self._put(number, answers)
        ).addCallbacks(self._written, self._failed).addCallback(self._go_on)

    def _put(self, number: int, answers: Mapping[int, bytes]) -> list[WrittenFile]:
        """Write these; not in the reactor's thread."""
        header = CSV_HEADER if self._form == "csv" else b""
        in_order = sorted(answers)
        if self._is_file_each:
            each = [(f"{index}.{self._form}", [index]) for index in in_order]
        else:
            each = [(f"{self._prefix}-{number}.{self._form}", in_order)]
        data = {
            name: header + b"".join(map(answers.__getitem__, indices))
            for name, indices in each
        }
        self._place.put(data)
        return [
            {
                "name": name,
                "bytes": len(data[name]),
                "sha256": sha256(data[name]).hexdigest(),
                "records": _rows(indices),
            }
            for name, indices in each
        ]

    def _written(self, files: list[WrittenFile]) -> None:
        if not self._has_failed:
            self._on_written(files)

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        assert isinstance(error, OSError), "as a place fails"
        self.abandon()
        self._on_failed(error)

    def _go_on(self, _: None) -> None:
        self._is_writing = False
        self._write_next()
        if self._closed is not None and not self._is_writing:
            self._closed.callback(None)


def listed(files: Iterable[WrittenFile]) -> Iterator[int]:
    """The answers that files have, by their positions in the list."""
    for file in files:
        for first, last in file["records"]:
            yield from range(first, last + 1)


def _rows(indices: Iterable[int]) -> list[list[int]]:
    rows: list[list[int]] = []
    for index in indices:
        if rows and rows[-1][1] == index - 1:
            rows[-1][1] = index
        else:
            rows.append([index, index])
    return rows
