"""`nbtwisted ps`: shows what a Twisted program waits for."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from nbtwisted.command_line import (
    OneLineParser,
    can_encode,
    positive_duration,
    reading,
    say,
    show,
)
from nbtwisted.numeral import parse_whole_number
from nbtwisted.printable import escaped_json
from nbtwisted.reactor.ps.asking import ask
from nbtwisted.reactor.ps.errors import CannotLook, Gone
from nbtwisted.reactor.ps.target import Target
from nbtwisted.reactor.ps.tree import Style, report
from nbtwisted.screen_size import screen_size

__all__ = ["main"]

PROGRAM = "nbtwisted ps"

EVERY = 2.0
"""Seconds between two looks with --watch."""

_CLEAR = "\x1b[H\x1b[J"
_DIGITS = 9
"""Of a PID: the kernel has at most 2 to the 22 of them."""


def main(
    arguments: Sequence[str], *, sleep: Callable[[float], None] = time.sleep
) -> NoReturn:
    """Show what the process waits for whose PID is among the arguments.

    Raises `SystemExit`: 0 if it was shown, 1 if the process cannot be looked into, and
    2 for other arguments.
    """
    args = _arguments(arguments)
    try:
        with Target(args.pid) as target:
            shown = 0
            while True:
                try:
                    snapshot = ask(target)
                except Gone as gone:
                    if not shown:
                        raise
                    # That is how it ends.
                    say(f"{PROGRAM}: {gone}")
                    raise SystemExit(0) from None
                _show(snapshot, args, is_first=not shown)
                shown += 1
                if args.watch is None:
                    raise SystemExit(0)
                sleep(args.watch)
    except CannotLook as error:
        say(f"{PROGRAM}: error: {error}")
        raise SystemExit(1) from None


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = OneLineParser(
        prog=PROGRAM,
        usage="nbtwisted ps [--json] [--watch [SECONDS]] PID",
        description="Show what a Twisted program waits for: its coroutines, the "
        "Deferreds that these wait for, and who will fire them. The program was "
        "started with `nbtwisted trace`, imports nbtwisted.reactor.inspect, or runs on "
        "a reactor of nbtwisted.reactor; on Python 3.14 or newer, it may be any. It "
        "goes on meanwhile: what is looked at is a copy.",
    )
    parser.add_argument("pid", nargs="?", metavar="PID", type=reading(_pid))
    parser.add_argument(
        "--json", action="store_true", help="print all that is known, as JSON"
    )
    parser.add_argument(
        "--watch",
        nargs="?",
        const=EVERY,
        metavar="SECONDS",
        help=f"look again and again (default: every {EVERY:g} s)",
    )
    args = parser.parse_args(arguments)
    if args.pid is None and isinstance(args.watch, str):
        # nbtwisted ps --watch PID
        args.pid, args.watch = args.watch, EVERY
        try:
            args.pid = _pid(args.pid)
        except ValueError as error:
            parser.error(f"PID: {args.pid!r}: {error}")
    if args.pid is None:
        parser.error("expected a PID")
    if isinstance(args.watch, str):
        try:
            args.watch = positive_duration(args.watch)
        except argparse.ArgumentTypeError as error:
            parser.error(f"--watch: {error}")
    return args


def _pid(text: str) -> int:
    try:
        pid = parse_whole_number(text, digits=_DIGITS)
    except ValueError:
        pid = 0
    if pid == 0:
        raise ValueError("expected the number of a process")
    return pid


def _show(
    snapshot: dict[str, Any], args: argparse.Namespace, *, is_first: bool
) -> None:
    if args.json:
        indent = 2 if args.watch is None else None
        _print(escaped_json(json.dumps(snapshot, indent=indent)))
        return
    if sys.stdout is None:
        # It was closed, and nobody reads.
        return
    is_screen = sys.stdout.isatty()
    size = screen_size(sys.stdout)
    make = Style if can_encode(sys.stdout, "├└│─") else Style.ascii
    lines = report(snapshot, make(size.columns if is_screen else None, _place))
    if args.watch is not None and is_screen:
        if len(lines) >= size.lines:
            rest = len(lines) - size.lines + 2
            lines[size.lines - 2 :] = [f"({rest} more lines)"]
        lines[0] = _CLEAR + lines[0]
    elif not is_first:
        lines.insert(0, "")
    _print("\n".join(lines))


def _print(text: str) -> None:
    """Print a text; names in it may have characters that the stream has not."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    show(f"{text}\n", program=PROGRAM)


def _place(file: str) -> str:
    """A file's path as short as it stays clear."""
    for folder in ("/site-packages/", "/dist-packages/"):
        _, found, within = file.rpartition(folder)
        if found:
            return within
    here = os.getcwd()
    return os.path.relpath(file, here) if file.startswith(here + os.sep) else file
