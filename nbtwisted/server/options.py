"""The server's options, by arguments or by `NBTWISTED_…` in the environment."""

from __future__ import annotations

import argparse
import ipaddress
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from twisted.internet.endpoints import quoteStringArgument

from nbtwisted import __version__
from nbtwisted.command_line import (
    Once,
    OneLineParser,
    count,
    duration,
    positive_duration,
    whole_number,
)
from nbtwisted.reactor.choosing import add_option
from nbtwisted.server.http1.delivery import DEFAULT_SEND_TIMEOUT
from nbtwisted.server.model.delay import DEFAULT_MAX_DELAY

__all__ = ["Options", "read_options"]

T = TypeVar("T")

DEFAULT_PORT = 8000
DEFAULT_HOST = "127.0.0.1"
SWITCHES = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
DEFAULT_DRAIN = 30.0
"""Seconds; Kubernetes' default for a container."""


@dataclass(frozen=True)
class Options:
    """The server's options.

    listen               Twisted endpoint strings, at least one
    listen_named_by      the option or variable that named them
    access_log_named_by  the option or variable that named the access log
    max_delay            seconds: the longest delay that a request may ask for
    lenient              leaves unknown parameters that begin with `_` to the path
    seed                 decides what is left to chance
    max_in_flight        requests, above which others are refused
    drain                seconds that a SIGTERM waits
    send_timeout         seconds for which a client may take nothing of a response
    admin_token          operators have to show it
    access_log           a path, or `-` for stdout
    """

    listen: tuple[str, ...]
    listen_named_by: str
    access_log_named_by: str
    max_delay: float
    lenient: bool
    seed: int | None
    max_in_flight: float
    drain: float
    send_timeout: float
    admin_token: str | None
    access_log: str | None


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
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ENDPOINT",
        help="where to listen, as a Twisted endpoint such as tcp:8000 (every "
        "interface), ssl:8443:privateKey=key.pem:certKey=cert.pem or "
        "unix:/tmp/slow.sock; may be given more than once",
    )
    parser.add_argument(
        "--port",
        type=port,
        metavar="N",
        help="the TCP port to listen on, in place of --listen; 0 is any free one "
        f"(default: {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--host",
        type=host,
        metavar="ADDRESS",
        help="the address to listen on, in place of --listen; 0.0.0.0 is every "
        f"interface (default: {DEFAULT_HOST})",
    )
    parser.add_argument(
        "--max-delay",
        type=positive_duration,
        metavar="DURATION",
        help="the longest delay that a request may ask for "
        f"(default: {DEFAULT_MAX_DELAY:g})",
    )
    parser.add_argument(
        "--lenient",
        action="store_const",
        const=True,
        help="leave parameters that begin with _ and are no controls to the path, "
        "and do not refuse them",
    )
    parser.add_argument(
        "--seed",
        type=whole_number,
        metavar="N",
        help="draw the same for the same requests, each time the server is started "
        "(default: another one each time)",
    )
    parser.add_argument(
        "--max-in-flight",
        type=count,
        metavar="N",
        help="refuse requests with 503 while N are in flight (default: no limit)",
    )
    parser.add_argument(
        "--drain",
        type=duration,
        metavar="DURATION",
        help="how long a SIGTERM waits for the responses that are held "
        f"(default: {DEFAULT_DRAIN:g})",
    )
    parser.add_argument(
        "--send-timeout",
        type=positive_duration,
        metavar="DURATION",
        help="reset the connection of a client that takes nothing of a response for so "
        f"long (default: {DEFAULT_SEND_TIMEOUT:g})",
    )
    parser.add_argument(
        "--admin-token",
        type=admin_token,
        metavar="TOKEN",
        help="let 'Authorization: Bearer TOKEN' use /__admin, and nobody else "
        "(others can see a command's arguments: NBTWISTED_ADMIN_TOKEN hides it)",
    )
    parser.add_argument(
        "--access-log",
        action=Once,
        metavar="FILE",
        help="write a line for each request to FILE, or to stdout if that is -",
    )
    add_option(parser)
    parser.add_argument(
        "--version", action="version", version=f"nbtwisted {__version__}"
    )
    args = parser.parse_args(parser.with_values(arguments))
    if args.listen and (args.port is not None or args.host is not None):
        parser.error("--listen: expected neither --port nor --host beside it")
    listen: Sequence[str] = args.listen or []
    named_by = "--listen"
    if not listen and args.port is None and args.host is None:
        listen = os.environ.get("NBTWISTED_LISTEN", "").split()
        named_by = "NBTWISTED_LISTEN"

    def read(name: str, parse: Callable[[str], T]) -> T | None:
        return _from_environment(parser, name.upper(), getattr(args, name), parse)

    if not listen:
        number = read("port", port)
        is_of_environment = args.port is None and number is not None
        named_by = "NBTWISTED_PORT" if is_of_environment else "--port"
        listen = [
            _tcp_endpoint(
                read("host", host) or DEFAULT_HOST,
                DEFAULT_PORT if number is None else number,
            )
        ]
    drain = read("drain", duration)
    return Options(
        listen=tuple(listen),
        listen_named_by=named_by,
        access_log_named_by="NBTWISTED_ACCESS_LOG"
        if args.access_log is None
        else "--access-log",
        max_delay=read("max_delay", positive_duration) or DEFAULT_MAX_DELAY,
        lenient=read("lenient", switch) or False,
        seed=read("seed", whole_number),
        max_in_flight=read("max_in_flight", count) or math.inf,
        drain=DEFAULT_DRAIN if drain is None else drain,
        send_timeout=read("send_timeout", positive_duration) or DEFAULT_SEND_TIMEOUT,
        admin_token=read("admin_token", admin_token),
        access_log=read("access_log", str),
    )


def switch(text: str) -> bool:
    """Read an option without a value; raises `argparse.ArgumentTypeError`."""
    if text.lower() not in SWITCHES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(SWITCHES)}")
    return SWITCHES[text.lower()]


def port(text: str) -> int:
    """Read the number of a port; raises `argparse.ArgumentTypeError`."""
    number = whole_number(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a port up to 65535")
    return number


def host(text: str) -> str:
    """Read an address to listen on; raises `argparse.ArgumentTypeError`."""
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected an address such as 127.0.0.1, 0.0.0.0 or ::1"
        ) from None


def _tcp_endpoint(address: str, number: int) -> str:
    """Twisted's endpoint string for an address and a port."""
    kind = "tcp6" if ":" in address else "tcp"
    return f"{kind}:{number}:interface={quoteStringArgument(address)}"


def admin_token(text: str) -> str:
    """Read a token; raises `argparse.ArgumentTypeError`."""
    if not re.fullmatch(r"[!-~]+", text):
        # Not repeated: it is a secret, though not yet a good one.
        raise argparse.ArgumentTypeError("expected ASCII without spaces")
    return text


def _from_environment(
    parser: OneLineParser, name: str, given: T | None, read: Callable[[str], T]
) -> T | None:
    """The value that was given for an option, or else that of `NBTWISTED_…`."""
    text = os.environ.get(f"NBTWISTED_{name}")
    if given is not None or not text:
        return given
    try:
        return read(text)
    except argparse.ArgumentTypeError as error:
        parser.error(f"NBTWISTED_{name}: {error}")
