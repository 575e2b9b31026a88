"""What the commands share: how they read options, start, and complain."""

from __future__ import annotations

import argparse
import io
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TextIO, TypeVar

from nbtwisted.duration import EXPECTED, parse_duration
from nbtwisted.numeral import parse_whole_number
from nbtwisted.printable import escaped, printable_ends
from nbtwisted.screen_size import screen_size

__all__ = [
    "CANNOT_WRITE",
    "Once",
    "OneLineParser",
    "abandon",
    "can_encode",
    "count",
    "duration",
    "end_quietly_when_interrupted",
    "end_when_told",
    "expect_different_files",
    "expect_open_files",
    "open_files_left",
    "positive_duration",
    "raise_open_files",
    "reading",
    "say",
    "show",
    "whole_number",
    "write_all_of",
]

T = TypeVar("T")


CANNOT_WRITE = 23
"""curl's exit code for output that cannot be written."""

LONGEST_MESSAGE = 500
"""Characters: what cannot be read may be of any length."""

FEWEST_OPEN_FILES = 16
"""Fewer are no use: three streams, the reactor's three, a look-up and its files."""

_SPARE_FILES = 8
"""Besides connections: the reactor's, those of a look-up, that of an answer."""


_IN_OUR_WORDS = (
    (r"expected one argument$", "expected a value"),
    (r"ignored explicit argument ('.*')$", r"\1: expected no value"),
    (r"invalid choice: ('.*') \(choose from (.*)\)$", r"\1: expected one of \2"),
)


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as the errors of the runs are.

    What an option is given is some text, unless it has a type of its own.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Of abbreviations, --re is --reactor for who looks for that alone.
        super().__init__(
            *args, **{"formatter_class": _formatter, "allow_abbrev": False, **kwargs}
        )
        # What argparse calls for options without a type.
        self.register("type", None, some_text)

    def with_values(self, arguments: Sequence[str]) -> list[str]:
        """The arguments, those joined of which the second is the first's value.

        argparse takes whatever begins with `-` for an option; curl, and all that reads
        options as POSIX has it, takes it for the value of an option that needs one.
        Here it is one unless it is an option of ours: then the value was forgotten.
        """
        takes_value = {
            name: action.nargs is None
            for action in self._actions
            for name in action.option_strings
        }
        rest, joined = list(arguments), []
        while rest and rest[0] != "--":
            argument = rest.pop(0)
            value = rest[0] if rest and rest[0] not in ("-", "--") else ""
            if (
                takes_value.get(argument)
                and value.startswith("-")
                and value.partition("=")[0] not in takes_value
            ):
                argument += ("=" if argument.startswith("--") else "") + rest.pop(0)
            joined.append(argument)
        return joined + rest

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and exit with 2."""
        message = message.removeprefix("argument ")
        for of_argparse, ours in _IN_OUR_WORDS:
            message = re.sub(of_argparse, ours, message)
        message = printable_ends(message, longest=LONGEST_MESSAGE)
        say(f"{self.prog}: error: {message} (see {self.prog} --help)")
        self.exit(2)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print the help or the version: argparse lets the end of Python complain."""
        if file is sys.stdout:
            show(message, program=self.prog)
        else:
            super()._print_message(message, file)


def _formatter(prog: str) -> argparse.HelpFormatter:
    # As argparse has it, which leaves two columns free.
    return argparse.HelpFormatter(prog, width=screen_size(sys.stdout).columns - 2)


class Once(argparse.Action):
    """Takes a value, and refuses a second.

    For files: one of two would not be read, or not be written. Of other options the
    last counts, as with curl.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Take what the option was given."""
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{'/'.join(self.option_strings)}: expected only one")
        setattr(namespace, self.dest, values)


def some_text(text: str) -> str:
    """Read a text that is not empty.

    Raises `argparse.ArgumentTypeError`.
    """
    if not text:
        raise argparse.ArgumentTypeError("'': expected a value that is not empty")
    return text


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
    return _at_least(1, text)


def whole_number(text: str) -> int:
    """Read a whole number of 0 or more.

    Raises `argparse.ArgumentTypeError`.
    """
    return _at_least(0, text)


def _at_least(fewest: int, text: str) -> int:
    try:
        number = parse_whole_number(text)
    except ValueError as error:
        if text.isdecimal():
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
        number = -1
    if number < fewest:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a whole number, {fewest} or more"
        )
    return number


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


def say(line: str) -> None:
    """Say a line on stderr, if there is one, and if it can be written to.

    What would act on a terminal is escaped: parts of it may come from anywhere.
    """
    if sys.stderr is not None:
        try:
            print(escaped(line), file=sys.stderr, flush=True)
        except OSError:
            abandon(sys.stderr)


def show(text: str, *, program: str) -> None:
    """Print a text on stdout, if there is one.

    Where it cannot be written, exits with `CANNOT_WRITE` after a line on stderr.
    """
    try:
        print(text, end="", flush=True)
    except OSError as error:
        abandon(sys.stdout)
        say(f"{program}: error: cannot write: {error.strerror}")
        raise SystemExit(CANNOT_WRITE) from None


def write_all_of(stream: TextIO) -> TextIO:
    """A stream to the same file that writes all of what it is given.

    An unbuffered one, as with PYTHONUNBUFFERED, loses what a signal left unwritten.
    """
    buffer: object = stream.buffer
    if not isinstance(buffer, io.RawIOBase):
        return stream
    return open(
        stream.fileno(),
        "w",
        encoding=stream.encoding,
        errors=stream.errors,
        closefd=False,
    )


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


def end_when_told(handler: Callable[[int, Any], None]) -> None:
    """Have the signals handled that ask a process to end, unless they are ignored.

    SIGHUP is one of them: it comes when a terminal closes. `nohup` has it ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def raise_open_files() -> int:
    """Raise the soft limit of open files as far as it goes; returns it.

    Most systems start processes with 1,024, for programs that use select(), and allow
    many more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where there is no limit, as on macOS, the kernel has one of its own, above this.
    most = max(soft, 10_240) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def expect_open_files(program: str, most: int) -> None:
    """Exit with 2, after a line on stderr, where `most` files are too few."""
    if most < FEWEST_OPEN_FILES:
        say(
            f"{program}: error: this process may open {most} files: expected at least "
            f"{FEWEST_OPEN_FILES} (ulimit -n)"
        )
        raise SystemExit(2)


def open_files_left() -> int:
    """How many connections this process may open, besides the files that it has open.

    At least 1.
    """
    try:
        # One of those listed is the listing.
        open_now = len(os.listdir("/dev/fd")) - 1
    # Where there is no such folder: about as many as a command has.
    except OSError:
        open_now = _SPARE_FILES
    return max(raise_open_files() - open_now - _SPARE_FILES, 1)
