"""The list of all files that the parts of a run have written to a place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from typing import Any

from twisted.internet.defer import Deferred

from nbtwisted import __version__
from nbtwisted.client.places.claim import MANIFEST, claim, release
from nbtwisted.client.places.part_files import PartFiles, PlaceSpec, WrittenFile
from nbtwisted.client.places.places import Place, in_thread, open_place

__all__ = ["Manifest"]

_PIECE = 1024 * 1024


class Manifest:
    """Keeps which files are whole, on the disk, and writes their list in the end.

    `spec` is for the parts. What no part has an answer to is `put` here.
    """

    def __init__(self, reactor: Any, place: Place, spec: PlaceSpec) -> None:
        self.spec = spec
        self._reactor = reactor
        self._place = place
        # There may be millions.
        self._files = TemporaryFile()  # noqa: SIM115
        self._answers = 0
        self._own = PartFiles(reactor, place, spec, self.add, self._fail)
        self._error: OSError | None = None

    @classmethod
    def begin(
        cls, reactor: Any, url: str, form: str, *, is_file_each: bool
    ) -> Deferred[Manifest]:
        """That of a run; fails with `OSError` if it cannot write there."""

        def begin() -> tuple[Place, str]:
            place = open_place(url)
            return place, claim(place)

        def began(opened: tuple[Place, str]) -> Manifest:
            place, name = opened
            spec: PlaceSpec = {
                "url": url,
                "claim": name,
                "form": form,
                "is_file_each": is_file_each,
            }
            return cls(reactor, place, spec)

        return in_thread(reactor, url, begin).addCallback(began)

    def add(self, files: Iterable[WrittenFile]) -> None:
        """Take files whose answers are delivered by that, and were not before.

        Where the disk here has no room for that, `write` fails.
        """
        for file in files:
            comma = b",\n" if self._answers else b"\n"
            try:
                self._files.write(comma + json.dumps(file).encode())
            except OSError as error:
                self._fail(error)
            self._answers += sum(last - first + 1 for first, last in file["records"])

    def put(self, index: int, answer: bytes) -> None:
        """Have an answer written from here."""
        self._own.write(index, answer)

    def _fail(self, error: OSError) -> None:
        self._error = self._error or error

    def write(self, *, is_complete: bool) -> Deferred[None]:
        """Write it where no more files come; fails with `OSError`.

        It is complete if all that was asked for is in the files.
        """

        def write() -> None:
            try:
                if self._error is not None:
                    raise self._error
                self._place.put_whole(MANIFEST, self._pieces(is_complete))
            finally:
                release(self._place, self.spec["claim"])

        return self._own.close().addCallback(
            lambda _: in_thread(self._reactor, self._place.url, write)
        )

    def abandon(self) -> Deferred[None]:
        """Leave nothing there, where nothing was sent; fires also if that fails."""
        self._own.abandon()
        self._files.close()
        return in_thread(
            self._reactor,
            self._place.url,
            lambda: release(self._place, self.spec["claim"]),
        ).addErrback(lambda _: None)

    def _pieces(self, is_complete: bool) -> Iterator[bytes]:
        head = {
            "version": 1,
            "made_by": f"nbtwisted {__version__}",
            "format": self.spec["form"],
            "is_complete": is_complete,
            "number": self._answers,
        }
        yield json.dumps(head)[:-1].encode() + b', "files": ['
        with self._files as files:
            files.seek(0)
            while piece := files.read(_PIECE):
                yield piece
        yield b"\n]}\n"
