"""Recorders on a clock, and the archives that they write."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from nbtwisted.client.errors import RequestError
from nbtwisted.client.result import Head
from nbtwisted.proxy.http.recorder import Recorder
from nbtwisted.proxy.recording.recorder import HARRecorder
from nbtwisted.server.model.headers import RequestHeaders
from nbtwisted.server.model.request import NO_ADDRESSES, Request
from tests.client.test_har import VALIDATOR
from tests.guard import ClockCase

__all__ = ["BEGAN", "TEXT", "URL", "RecordingCase", "head", "request"]

BEGAN = 1_800_000_000.25
URL = "http://upstream.test:8080/orders?page=1"
TEXT = ("Content-Type", "text/plain")


def request(*fields: tuple[bytes, bytes], method: bytes = b"GET") -> Request:
    """A request of a client of the proxy."""
    headers = RequestHeaders(((b"Host", b"proxy.test"), *fields))
    return Request(method, b"/orders?page=1", b"HTTP/1.1", headers, b"", NO_ADDRESSES)


def head(*headers: tuple[str, str], status: int = 200) -> Head:
    """The head of an upstream's answer."""
    return Head("1.1", status, "OK", headers)


class RecordingCase(ClockCase):
    """Has a recorder, whose file is read when it is closed."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "passed.har")
        self.told: list[str] = []
        self.recorder = self.make()

    def make(self, **options: Any) -> HARRecorder:
        """Another recorder in place of the first."""
        self.recorder = recorder = HARRecorder(
            options.pop("path", self.path),
            tell=self.told.append,
            now=lambda: BEGAN + self.clock.seconds(),
            **options,
        )
        self.addCleanup(recorder.close)
        return recorder

    def passes(
        self,
        *pieces: bytes,
        answer: Head | None = None,
        sent: tuple[bytes, ...] = (),
        asked: Request | None = None,
        url: str = URL,
        error: RequestError | None = None,
        wait: float = 0.0,
        receive: float = 0.0,
    ) -> None:
        """Tell the recorder of an exchange, whose answer has these pieces."""
        recorder: Recorder = self.recorder
        exchange = recorder.begin(asked or request(), url)
        exchange.asked()
        for piece in sent:
            exchange.request_piece(piece)
        self.clock.advance(wait)
        if answer is not None:
            exchange.head(answer)
        for piece in pieces:
            exchange.piece(piece)
        self.clock.advance(receive)
        exchange.end(error)

    def wait_until_written(self, number: int) -> None:
        """Wait for the thread, which has written so many entries in all then."""
        writer = self.recorder._writer
        with writer._changed:
            writer._changed.wait_for(lambda: writer.written == number, 10)

    def entries(self) -> list[dict[str, Any]]:
        """What was recorded, in an archive that is valid."""
        self.recorder.close()
        self.assertEqual(self.recorder._memory.held, 0)
        archive = json.loads(Path(self.path).read_bytes())
        VALIDATOR.validate(archive)
        found: list[dict[str, Any]] = archive["log"]["entries"]
        return found

    def entry(self) -> dict[str, Any]:
        """The only one."""
        (only,) = self.entries()
        return only
