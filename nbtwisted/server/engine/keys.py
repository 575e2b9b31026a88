"""Counters and token buckets, one of each for a key of a rule, or of none. Pure.

A stranger's keys cannot fill memory: the key that was not used for the longest time is
forgotten first, and begins anew when it comes again.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Set
from dataclasses import dataclass

from nbtwisted.server.model.controls import Limit

__all__ = ["REMEMBERED_KEYS", "Key", "Keys"]

REMEMBERED_KEYS = 10_000
"""Keys remembered at a time; each takes some 300 bytes and its own length."""


@dataclass(slots=True)
class _Memory:
    """The state of one key.

    came          requests so far
    tokens        in its bucket, when it was last refilled
    refilled_at   seconds
    """

    came: int = 0
    tokens: float = math.inf
    refilled_at: float = 0.0


Key = str | tuple[str, str]
"""The key of a request; if a rule acts, with the rule's name before it."""


class Keys:
    """The keys that were used lately."""

    def __init__(self) -> None:
        self._memories: OrderedDict[Key, _Memory] = OrderedDict()
        """The key used last is at the end."""

    def __len__(self) -> int:
        return len(self._memories)

    def count(self, key: Key) -> int:
        """Count a request of this key; returns how many came before it."""
        memory = self._recall(key)
        memory.came += 1
        return memory.came - 1

    def seconds_to_wait(self, key: Key, limit: Limit, now: float) -> float:
        """Take a token from the key's bucket, or return the seconds until there is one.

        `now` is a reading, in seconds, of a clock that never goes back.
        """
        memory = self._recall(key)
        # In this order, because requests a second may be infinitely many.
        passed = now - memory.refilled_at
        refilled = memory.tokens + passed * limit.requests / limit.seconds
        # A bucket that is new is full: its tokens are infinite until here.
        memory.tokens = min(refilled, limit.requests)
        memory.refilled_at = now
        # Seconds times a rate do not always make up a whole token to the last bit.
        if memory.tokens >= 1 - 1e-9:
            memory.tokens -= 1
            return 0.0
        return (1 - memory.tokens) * limit.seconds / limit.requests

    def forget(self, rules: Set[str]) -> None:
        """Forget the keys of these rules."""
        for key in list(self._memories):
            if isinstance(key, tuple) and key[0] in rules:
                del self._memories[key]

    def _recall(self, key: Key) -> _Memory:
        memory = self._memories.get(key)
        if memory is None:
            memory = self._memories[key] = _Memory()
            if len(self._memories) > REMEMBERED_KEYS:
                self._memories.popitem(last=False)
        else:
            self._memories.move_to_end(key)
        return memory
