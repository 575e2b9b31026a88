"""What the commands share: how options are read, and how a process starts."""

from __future__ import annotations

import argparse
import gc
from typing import NoReturn

from nbtwisted.duration import EXPECTED, parse_duration

__all__ = ["OneLineParser", "count", "leave_startup_to_itself", "positive_duration"]


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as the errors of the runs are."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def positive_duration(text: str) -> float:
    """Read a duration that is more than nothing; returns seconds.

    Raises `argparse.ArgumentTypeError`.
    """
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {EXPECTED}, above 0")
    return seconds


def count(text: str) -> int:
    """Read a whole number of at least 1.

    Raises `argparse.ArgumentTypeError`.
    """
    # Not int() alone: it also takes "1_000", " 5" and digits of other scripts.
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 18 and int(text)):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a whole number, 1 or more"
        )
    return int(text)


def leave_startup_to_itself() -> None:
    """Take all that was made until now out of the garbage collector's rounds.

    For a command to call when its imports are done: modules live as long as the
    process. Collections have less to walk while requests run, and the process ends in
    15 ms where it took 78 (the server, Python 3.11).
    """
    gc.freeze()
