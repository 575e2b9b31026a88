"""What the server can be told, by options or by `NBTWISTED_…` in the environment."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass

from nbtwisted import __version__
from nbtwisted.command_line import OneLineParser, positive_duration
from nbtwisted.server.delay import DEFAULT_MAX_DELAY

__all__ = ["DEFAULT_LISTEN", "Options", "read_options"]

DEFAULT_LISTEN = "tcp:8000:interface=127.0.0.1"


@dataclass(frozen=True)
class Options:
    """What the server was told.

    `listen` are Twisted endpoint strings, at least one. `max_delay` is in seconds.
    """

    listen: tuple[str, ...]
    max_delay: float


def read_options(arguments: Sequence[str], program: str = "nbtwisted serve") -> Options:
    """Read the command's arguments, and the environment for those not given.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    parser = OneLineParser(
        prog=program,
        description="Serve HTTP answers that wait as long as each request asks.",
        epilog="Each option can also be set in the environment: "
        "NBTWISTED_LISTEN (several with spaces between), NBTWISTED_MAX_DELAY.",
    )
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ENDPOINT",
        help="where to listen, as a Twisted endpoint such as tcp:8000, "
        "tcp:8000:interface=0.0.0.0 or unix:/tmp/slow.sock; may be given more than "
        f"once (default: {DEFAULT_LISTEN})",
    )
    parser.add_argument(
        "--max-delay",
        type=positive_duration,
        metavar="DURATION",
        help="the longest delay that a request may ask for "
        f"(default: {DEFAULT_MAX_DELAY:g})",
    )
    parser.add_argument(
        "--version", action="version", version=f"nbtwisted {__version__}"
    )
    told = parser.parse_args(arguments)
    listen = told.listen or os.environ.get("NBTWISTED_LISTEN", "").split()
    max_delay = told.max_delay
    from_environment = os.environ.get("NBTWISTED_MAX_DELAY")
    if max_delay is None and from_environment:
        try:
            max_delay = positive_duration(from_environment)
        except argparse.ArgumentTypeError as error:
            parser.error(f"NBTWISTED_MAX_DELAY: {error}")
    return Options(tuple(listen) or (DEFAULT_LISTEN,), max_delay or DEFAULT_MAX_DELAY)
