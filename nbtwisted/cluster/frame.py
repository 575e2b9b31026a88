"""What a driver and its parts tell each other: a line of JSON, and bytes. Pure.

A frame is an object of JSON on a line. If that has a `payload`, which is a number, as
many bytes come after it: what is only passed on is neither quoted nor read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Frame", "FrameReader", "write_frame"]

LONGEST_SHOWN = 100
"""Bytes that are shown of what is no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """JSON values, and bytes that belong to them."""

    head: dict[str, Any]
    payload: bytes = b""


def write_frame(head: dict[str, Any], payload: bytes = b"") -> bytes:
    """The bytes of a frame; the head has no `payload` of its own."""
    if payload:
        head = {**head, "payload": len(payload)}
    line = json.dumps(head, separators=(",", ":"), allow_nan=False)
    return b"".join((line.encode(), b"\n", payload))


class FrameReader:
    """Finds the frames in bytes that come piece by piece."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Where there is no line's end before.
        self._searched = 0
        self._head: dict[str, Any] | None = None
        self._missing = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take a piece; returns the frames that are whole now.

        Raises `ValueError` for what is no frame.
        """
        self._buffer += data
        frames = []
        while (frame := self._take()) is not None:
            frames.append(frame)
        return frames

    def _take(self) -> Frame | None:
        buffer = self._buffer
        if self._head is None:
            end = buffer.find(b"\n", self._searched)
            if end < 0:
                self._searched = len(buffer)
                return None
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            self._searched = 0
            self._head = _read_head(line)
            self._missing = self._head.pop("payload", 0)
        if len(buffer) < self._missing:
            return None
        payload = bytes(buffer[: self._missing])
        del buffer[: self._missing]
        head, self._head = self._head, None
        return Frame(head, payload)


def _read_head(line: bytes) -> dict[str, Any]:
    try:
        head = json.loads(line)
    # Of deeply nested JSON, too.
    except (ValueError, RecursionError):
        head = None
    if isinstance(head, dict):
        size = head.get("payload", 0)
        if type(size) is int and size >= 0:
            return head
    shown = line[:LONGEST_SHOWN].decode("utf-8", "replace")
    raise ValueError(f"expected a frame, which begins with a line of JSON: {shown!r}")
