"""Keys: the names of requests for draws, steps and limits. Pure."""

from __future__ import annotations

from hashlib import blake2b

from nbtwisted.server.model.controls import LONGEST_KEY

__all__ = ["default_key", "shortened"]


def default_key(method: bytes, target: bytes) -> str:
    """The name of a request that has no key of its own."""
    return shortened(method + b" " + target).decode("latin-1")


def shortened(key: bytes) -> bytes:
    """The key, of at most `LONGEST_KEY` bytes: a hash stands for the rest."""
    if len(key) <= LONGEST_KEY:
        return key
    # Ten thousand keys are remembered, and a target may have 16 KiB.
    rest = blake2b(key, digest_size=16).hexdigest().encode()
    return key[: LONGEST_KEY - len(rest)] + rest
