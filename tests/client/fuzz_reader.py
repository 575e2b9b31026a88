"""Throws bytes at the reader that libFuzzer makes up: `make fuzz`.

They are to be read or refused, the same however they are cut, and where two other
parsers find them malformed, so must ours.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["nbtwisted.client.connection"]):
    from tests.client.test_reader import (
        ENDING_WITH_THE_CONNECTION,
        MALFORMED,
        WHOLE,
        byte_by_byte,
        read,
    )
    from tests.client.test_reader_and_others import compare


def fuzz(data: bytes) -> None:
    """Raises whatever is not as it should be."""
    compare(data)
    whole = read([data])
    assert read(byte_by_byte(data)) == whole, data
    # The first byte says where to cut.
    cut = data[0] if data else 0
    assert read([data[:cut], data[cut:]]) == whole, (data, cut)


def main() -> None:
    """Takes libFuzzer's options, such as -max_total_time=60; ends the process."""
    with tempfile.TemporaryDirectory() as corpus:
        known = [*WHOLE.values(), *ENDING_WITH_THE_CONNECTION.values()]
        for number, data in enumerate([*known, *MALFORMED.values()]):
            (Path(corpus) / str(number)).write_bytes(data)
        atheris.Setup([*sys.argv, corpus], fuzz)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
