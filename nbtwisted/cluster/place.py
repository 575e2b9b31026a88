"""Where a cluster is: `local`, `local:4`, or the address of a scheduler. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbtwisted.numeral import parse_whole_number

__all__ = ["EXPECTED", "Place"]

MOST = 1000
"""Workers on one machine: each is a process."""

EXPECTED = (
    f"local, local:N with 1 to {MOST:,} workers, or the address of a Dask scheduler, "
    "such as tcp://127.0.0.1:8786 or tls://10.0.0.1:8786"
)
"""What to tell someone whose place could not be read."""

_ADDRESS = re.compile(
    r"(?:tcp|tls)://(?:\[[0-9a-fA-F:.]+\]|[^\s/:@?#\[\]]+):([0-9]{1,5})"
)


@dataclass(frozen=True)
class Place:
    """Where the workers are: `number` of them here, or those of a scheduler's address.

    Where both are None, they are here, and as many as this process may use cores.
    """

    address: str | None = None
    number: int | None = None

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read a place; raises `ValueError`, whose text says what was expected."""
        if text == "local":
            return cls()
        name, _, number = text.partition(":")
        if name == "local":
            return cls(number=_number(number, MOST))
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise ValueError(f"expected {EXPECTED}")
        _number(match[1], 65535)
        return cls(address=text)


def _number(text: str, most: int) -> int:
    try:
        number = parse_whole_number(text)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise ValueError(f"expected {EXPECTED}")
    return number
