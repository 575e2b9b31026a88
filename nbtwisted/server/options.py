"""The server's options, by arguments or by `NBTWISTED_…` in the environment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from nbtwisted.command_line import Once, OneLineParser
from nbtwisted.option_fields import option, parse_switch
from nbtwisted.server.model.fault_port import KINDS, check_kind
from nbtwisted.server.rules.reading import Reading, no_file
from nbtwisted.server.service.options import (
    ServiceOptions,
    check_default,
    parse_port,
    read_service_options,
)

__all__ = ["Options", "read_options"]

TIMINGS = ("none", "recorded")


def parse_fault_port(text: str) -> tuple[str, int]:
    """Read the kind of a fault port and its number, 0 for any that is free.

    Raises `argparse.ArgumentTypeError`.
    """
    kind, colon, number = text.partition(":")
    try:
        check_kind(kind)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return kind, parse_port(number) if colon else 0


def parse_timing(text: str) -> str:
    """Read the time that recorded answers take; raises `argparse.ArgumentTypeError`."""
    if text not in TIMINGS:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {' or '.join(TIMINGS)}")
    return text


@dataclass(frozen=True)
class Options(ServiceOptions):
    """The server's options."""

    fault_port: tuple[tuple[str, int], ...] = option(
        (),
        lambda text: tuple(map(parse_fault_port, text.split())),
        "open another port, at --host, whose connections fail: "
        f"{', '.join(KINDS)}; any free one unless told; may be given more than once",
        type=parse_fault_port,
        action="append",
        metavar="KIND[:PORT]",
    )
    har: str | None = option(
        None,
        str,
        "the answers recorded in FILE, a HAR as 'nbtwisted get --har' or a browser "
        "writes it",
        action=Once,
        metavar="FILE",
    )
    timing: str = option(
        "none",
        parse_timing,
        "the time that answers of --har take: none, or as recorded",
        metavar="none|recorded",
    )
    lenient: bool = option(
        False,
        parse_switch,
        "leave parameters that begin with _ and are no controls to the path, "
        "and do not refuse them",
        action="store_const",
        const=True,
    )


def read_options(arguments: Sequence[str], program: str = "nbtwisted serve") -> Options:
    """Read the command's arguments, and the environment for those not given.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    parser = OneLineParser(
        prog=program,
        description="Serve HTTP responses that wait as long as each request asks.",
        epilog="Each option can also be set in the environment: "
        "NBTWISTED_LISTEN (several with spaces between), NBTWISTED_MAX_DELAY, "
        "NBTWISTED_SEED and so on.",
    )
    options = read_service_options(Options, parser, arguments)
    check_default(options, parser, Reading(options.max_delay, no_file))
    if options.timing != "none" and options.har is None:
        parser.error(f"{options.named_by['timing']}: expected --har FILE beside it")
    return options
