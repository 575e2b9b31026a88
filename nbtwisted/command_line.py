"""What the commands share: how they read options, start, and complain."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn, TextIO, TypeVar

from nbtwisted.duration import EXPECTED, parse_duration
from nbtwisted.numeral import parse_whole_number

__all__ = [
    "OneLineParser",
    "abandon",
    "can_encode",
    "count",
    "duration",
    "end_quietly_when_interrupted",
    "expect_different_files",
    "open_files_allowed",
    "positive_duration",
    "reading",
    "say",
    "whole_number",
]

T = TypeVar("T")


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as the errors of the runs are."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def duration(text: str) -> float:
    """Read a duration; returns seconds.

    Raises `argparse.ArgumentTypeError`.
    """
    try:
        return parse_duration(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {EXPECTED}") from None


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
    if whole_number(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of 1 or more")
    return int(text)


def whole_number(text: str) -> int:
    """Read a whole number of 0 or more.

    Raises `argparse.ArgumentTypeError`.
    """
    try:
        return parse_whole_number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number") from None


def reading(parse: Callable[[str], T]) -> Callable[[str], T]:
    """What reads an argument as `parse` does, whose `ValueError` says what is wrong."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None

    return read


def expect_different_files(
    parser: argparse.ArgumentParser, named: Iterable[tuple[str, str | None]]
) -> None:
    """Have the parser complain of a file that two options name, however it is spelled.

    Devices and pipes are none.
    """
    taken: dict[str, str] = {}
    for option, path in named:
        if path is None or (os.path.exists(path) and not os.path.isfile(path)):
            continue
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            parser.error(f"{option} {path}: expected another file than {other}'s")


def say(text: str) -> None:
    """Say something on stderr, if there is one, and if it can be written to."""
    if sys.stderr is not None:
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:
            abandon(sys.stderr)


def abandon(stream: TextIO) -> None:
    """Let go of what cannot be written, which Python would complain of at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def can_encode(stream: TextIO, characters: str) -> bool:
    """Whether a stream can show these."""
    try:
        # One that is no file takes any.
        characters.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def end_quietly_when_interrupted() -> None:
    """Let Ctrl-C end the process without a traceback while it still starts."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def open_files_allowed() -> int:
    """Raise the soft limit of open files as far as it goes; returns it.

    Most systems start processes with 1,024, for programs that use select(), and allow
    many more.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return sys.maxsize
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
