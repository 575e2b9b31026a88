"""Keys: the names of requests for draws, steps and limits. Pure."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["LONGEST_KEY", "default_key", "hashed", "shortened"]

LONGEST_KEY = 200
"""Bytes; characters, where a request names its own."""


def default_key(method: bytes, target: bytes) -> str:
    """The name of a request that has no key of its own."""
    return shortened(method + b" " + target).decode("latin-1")


def hashed(text: bytes) -> str:
    """Stands for a text that is too long, or nobody's business."""
    return blake2b(text, digest_size=16).hexdigest()


def shortened(key: bytes) -> bytes:
    """The key, of at most `LONGEST_KEY` bytes: a hash stands for the rest."""
    if len(key) <= LONGEST_KEY:
        return key
    # Ten thousand keys are remembered, and a target may have 16 KiB.
    rest = hashed(key).encode()
    return key[: LONGEST_KEY - len(rest)] + rest
