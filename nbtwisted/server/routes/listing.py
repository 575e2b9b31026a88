"""Lists in JSON that are written while they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import Generated

__all__ = ["listed"]


def listed(name: str, items: Callable[[], Iterable[Any]]) -> Behaviour:
    """Answer with an object that has one list, whose items are JSON values."""

    def pieces() -> Iterator[bytes]:
        # Ten thousand entries at once would take most of a second.
        yield b'{"%b": [' % name.encode()
        separator = b"\n"
        for item in items():
            yield separator + json.dumps(item, sort_keys=True).encode()
            separator = b",\n"
        yield b"\n]}\n"

    return Behaviour(Generated(pieces))
