"""Checks values of the header Host: a host, and perhaps a port. Pure."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from nbtwisted.memo import Memo

__all__ = ["is_host"]

# RFC 3986, 3.2.2, without user information and without addresses of the future.
_HOST = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|((?:[!$&-.0-9;=A-Z_a-z~]|%[0-9A-Fa-f]{2})+))"
    rb"(?::([0-9]{0,5}))?"
)
_LONGEST_LABEL = 63
_LONGEST_NAME = 253
"""Characters, in DNS."""


@lru_cache(256 if Memo.is_on else 0)
def is_host(raw: bytes) -> bool:
    """Whether this is a host as RFC 9110, 7.2, has it, or empty.

    A name's labels must be neither empty nor longer than DNS allows.
    """
    match = _HOST.fullmatch(raw)
    if match is None:
        return not raw
    address, name, port = match.groups()
    if port and int(port) > 65535:
        return False
    if address is not None:
        try:
            ipaddress.IPv6Address(address.decode())
        except ValueError:
            return False
        return True
    labels = name.removesuffix(b".").split(b".")
    return len(name) <= _LONGEST_NAME and all(
        0 < len(label) <= _LONGEST_LABEL for label in labels
    )
