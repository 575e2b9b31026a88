"""`nbtwisted trace`: runs a Twisted program on the traced reactor."""

from __future__ import annotations

import argparse
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from twisted.internet.error import ReactorAlreadyInstalledError

from nbtwisted.command_line import Once, OneLineParser, say
from nbtwisted.reactor import installing, timers
from nbtwisted.reactor.traced import STALL, TracedReactor, stall_from
from nbtwisted.trace_file import TraceFile

__all__ = ["main"]

_CANNOT_WRITE = 23
"""As `nbtwisted get` has it, and curl."""


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the program that the arguments name.

    Raises what that raises, or `SystemExit`.
    """
    parser = OneLineParser(
        prog="nbtwisted trace",
        usage="nbtwisted trace [--out FILE] [--stall-ms N] [--] "
        "SCRIPT [ARGUMENT …] | -m MODULE [ARGUMENT …]",
        description="Run a Twisted program on a reactor that says on stderr what its "
        "time goes into, and what blocks it while it does.",
    )
    parser.add_argument(
        "--out",
        action=Once,
        metavar="FILE",
        help="write Trace Event JSON, which Perfetto opens",
    )
    parser.add_argument(
        "--stall-ms",
        type=_stall,
        default=STALL,
        metavar="N",
        help=f"milliseconds from which a callback is a stall (default: "
        f"{STALL * 1000:g})",
    )
    own, program = _split(arguments)
    told = parser.parse_args(own)
    if not program or (program[0] == "-m" and len(program) < 2):
        parser.error("expected a script, or -m and a module")
    is_module = program[0] == "-m"
    if not is_module and not os.path.isfile(program[0]):
        parser.error(f"{program[0]!r}: expected a script that is there")
    try:
        file = TraceFile(told.out) if told.out else None
    except OSError as error:
        say(f"nbtwisted trace: error: cannot write {told.out}: {error.strerror}")
        raise SystemExit(_CANNOT_WRITE) from None
    reactor = TracedReactor(stall=told.stall_ms, file=file)
    try:
        timers.follow_environment(reactor)
    except ValueError as error:
        parser.error(str(error))
    installing.install(TracedReactor, lambda: reactor)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        # As the program would have it: from here on Ctrl-C is its own.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = program[1:] if is_module else program
    # As python has it for a module, and for a script.
    sys.path[0] = "" if is_module else os.path.dirname(os.path.abspath(program[0]))
    try:
        if is_module:
            runpy.run_module(program[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program[0], run_name="__main__")
    except ReactorAlreadyInstalledError as error:
        say(f"nbtwisted trace: error: {error}")
        raise SystemExit(1) from None
    raise SystemExit(0)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what begins with the program, which has options of its own."""
    ours: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "--"):
        option = rest.pop(0)
        ours.append(option)
        if option in ("--out", "--stall-ms") and rest:
            ours.append(rest.pop(0))
    return ours, rest[1:] if rest[:1] == ["--"] else rest


def _stall(text: str) -> float:
    try:
        return stall_from(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
