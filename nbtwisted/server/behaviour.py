"""What one answer will be.

Klein decides, the wire performs: a route turns a request into a `Behaviour`, which is
only a value, and `answer` is the one place that carries a `Behaviour` out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbtwisted.server.delay import NO_DELAY, Delay

__all__ = ["Behaviour", "json_behaviour", "json_bytes", "refusal"]


@dataclass(frozen=True)
class Behaviour:
    """An answer, and how long to wait before it.

    `body` is the bytes to send, or makes them from the seconds that were drawn, for the
    answers that tell how long they waited.
    """

    body: bytes | Callable[[float], bytes]
    delay: Delay = NO_DELAY
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)

    def body_after(self, asked: float) -> bytes:
        """The body to send when `asked` seconds were drawn from the delay."""
        return self.body if isinstance(self.body, bytes) else self.body(asked)


def json_bytes(value: Any) -> bytes:
    """A JSON document as httpbin lays it out: indented, keys in order, one newline."""
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def json_behaviour(value: Any, *, delay: Delay = NO_DELAY) -> Behaviour:
    """Answer 200 with `value` as JSON."""
    return Behaviour(json_bytes(value), delay)


def refusal(
    status: int, error: str, *headers: tuple[str, str], **details: str
) -> Behaviour:
    """Answer at once that this cannot be done, with `error` and `details` as JSON."""
    return Behaviour(
        json.dumps({"error": error, **details}).encode() + b"\n",
        status=status,
        headers=(("Content-Type", "application/json"), *headers),
    )
