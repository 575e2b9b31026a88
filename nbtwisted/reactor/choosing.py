"""Which reactor a command runs on: chosen before anything else takes Twisted's own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from twisted.internet.error import ReactorAlreadyInstalledError

from nbtwisted.command_line import (
    OneLineParser,
    expect_open_files,
    raise_open_files,
    say,
)
from nbtwisted.gc_tuning import without_collections
from nbtwisted.reactor.stand_ins import stand_ins
from nbtwisted.reactor.timers import run_on_steady_clock

__all__ = ["add_option", "choose"]

VARIABLE = "NBTWISTED_REACTOR"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let a parser know the option, which `choose` has read before it."""
    parser.add_argument(
        "--reactor",
        metavar="NAME",
        help="Twisted's reactor to run on: eager, epoll, poll, select, asyncio or "
        "another that twistd knows (default: eager where there is epoll; "
        f"environment: {VARIABLE})",
    )


def choose(arguments: Sequence[str]) -> None:
    """Install the reactor that the arguments name, or else the environment.

    With neither it is the eager one, or Twisted's choice where there is no epoll. Its
    timers run on a clock that never steps, whoever has chosen it.
    Raises `SystemExit` after a line on stderr for one that cannot be had, and where too
    few files may be open for any.
    """
    expect_open_files("nbtwisted", raise_open_files())
    _install(arguments)
    from twisted.internet import reactor

    run_on_steady_clock(reactor)


def _install(arguments: Sequence[str]) -> None:
    parser = OneLineParser(prog="nbtwisted", add_help=False)
    add_option(parser)
    told, _ = parser.parse_known_args(list(arguments))
    name = told.reactor or os.environ.get(VARIABLE)
    named_by = "--reactor" if told.reactor else VARIABLE
    if "twisted.internet.reactor" in sys.modules:
        # Somebody else has chosen, in whose process this is.
        return
    try:
        if name in (None, "", "eager"):
            with stand_ins(), without_collections():
                from nbtwisted.reactor.eager import install

            install()
            return
        # Looks for plugins, which takes a while.
        from twisted.application.reactors import (
            NoSuchReactor,
            getReactorTypes,
            installReactor,
        )

        try:
            installReactor(name)
        except NoSuchReactor:
            known = sorted(reactor.shortName for reactor in getReactorTypes())
            _refuse(named_by, name, f"expected one of {', '.join(known)}")
    except ImportError as error:
        # Without a name, what Twisted chooses will do.
        if name:
            _refuse(named_by, name, str(error))
    except (ValueError, OSError, ReactorAlreadyInstalledError) as error:
        # It says what is wrong with which of its variables, file or rival.
        say(f"nbtwisted: error: {error}")
        raise SystemExit(2) from None


def _refuse(named_by: str, name: str, reason: str) -> None:
    say(f"nbtwisted: error: {named_by} {name!r}: {reason}")
    raise SystemExit(2)
