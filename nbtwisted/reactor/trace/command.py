"""`nbtwisted trace`: runs a Twisted program on its own reactor, traced."""

from __future__ import annotations

import argparse
import atexit
import math
import os
import resource
import signal
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from twisted.internet.error import ReactorAlreadyInstalledError

from nbtwisted.command_line import (
    CANNOT_WRITE,
    Once,
    OneLineParser,
    expect_different_files,
    expect_open_files,
    reading,
    say,
)
from nbtwisted.duration import parse_limit
from nbtwisted.reactor import timers
from nbtwisted.reactor.adopting import CannotTrace, trace_whichever_comes
from nbtwisted.reactor.installing import installed_reactor
from nbtwisted.reactor.stderr_lines import to_stderr
from nbtwisted.reactor.thread_check import OtherThreads, as_told
from nbtwisted.reactor.trace.program import Program
from nbtwisted.reactor.traced import stall_from
from nbtwisted.reactor.tracing.traced_reactor import (
    NOTHING_RAN,
    STALL,
    Settings,
    Tracing,
)
from nbtwisted.reactor.tracing.verdict import BLOCKED, Verdict
from nbtwisted.trace_file import TraceFile

__all__ = ["main"]


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the program that the arguments name.

    Raises what that raises, or `SystemExit`.
    """
    parser = OneLineParser(
        prog="nbtwisted trace",
        usage="nbtwisted trace [--out FILE] [--stall-ms N] [--fail-on-stall TIME] "
        "[--] SCRIPT [ARGUMENT …] | -m MODULE [ARGUMENT …]",
        description="Run a Twisted program, whose reactor then says on stderr what its "
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
        metavar="N",
        help=f"milliseconds from which a callback is a stall (default: that of "
        f"--fail-on-stall, or {STALL * 1000:g})",
    )
    parser.add_argument(
        "--fail-on-stall",
        action=Once,
        type=reading(parse_limit),
        metavar="TIME",
        help=f"exit with {BLOCKED} if a callback takes so long, such as 100ms, unless "
        "the program has an exit code of its own",
    )
    own, named = _split(arguments)
    told = parser.parse_args(parser.with_values(own))
    # How many there may be is the program's to change.
    expect_open_files("nbtwisted trace", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    try:
        other_threads = as_told(OtherThreads.REPORTED)
        is_steady = timers.is_steady_asked_for()
        program = Program(named)
    except ValueError as error:
        parser.error(str(error))
    expect_different_files(parser, [("the program", program.path), ("--out", told.out)])
    try:
        file = None if told.out is None else TraceFile(told.out)
    except OSError as error:
        say(f"nbtwisted trace: error: cannot write {told.out}: {error.strerror}")
        raise SystemExit(CANNOT_WRITE) from None
    verdict = Verdict(told.fail_on_stall or math.inf)
    stall = min(told.stall_ms or min(STALL, verdict.limit), verdict.limit)
    trace_whichever_comes(
        Settings(
            stall=stall,
            file=file,
            on_stall=verdict.note,
            other_threads=other_threads,
        ),
        timers.run_on_steady_clock if is_steady else lambda reactor: None,
    )
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        # As the program would have it: from here on Ctrl-C is its own.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # From here on, `nbtwisted ps` can ask it, and its Deferreds know who made them.
    import_module("nbtwisted.reactor.inspect")
    atexit.register(_say_if_nothing_ran, file, os.getpid())
    try:
        program.run()
    except (ReactorAlreadyInstalledError, CannotTrace) as error:
        say(f"nbtwisted trace: error: {error}")
        raise SystemExit(1) from None
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    finally:
        if verdict.count:
            # The program may have put something else into the place of `sys.stderr`.
            to_stderr(os.getpid(), verdict.told())
    reactor = installed_reactor()
    is_whole = reactor.flush() if isinstance(reactor, Tracing) else True
    if verdict.count:
        raise SystemExit(BLOCKED)
    raise SystemExit(0 if is_whole else CANNOT_WRITE)


def _say_if_nothing_ran(file: TraceFile | None, process: int) -> None:
    """Say so of a program that has asked for no reactor of Twisted's."""
    if installed_reactor() is None and os.getpid() == process:
        to_stderr(process, NOTHING_RAN)
        if file is not None:
            with suppress(OSError):
                file.close()


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what begins with the program, which has options of its own."""
    ours: list[str] = []
    rest = list(arguments)
    while rest and rest[0][:1] == "-" and rest[0][:2] != "-m" and rest[0] != "--":
        option = rest.pop(0)
        ours.append(option)
        if option in ("--out", "--stall-ms", "--fail-on-stall") and rest:
            ours.append(rest.pop(0))
    return ours, rest[1:] if rest[:1] == ["--"] else rest


def _stall(text: str) -> float:
    try:
        return stall_from(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
