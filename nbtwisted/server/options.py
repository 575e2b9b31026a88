"""The server's options, by arguments or by `NBTWISTED_…` in the environment."""

from __future__ import annotations

import argparse
import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

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
from nbtwisted.server.engine.connection import DEFAULT_SEND_TIMEOUT
from nbtwisted.server.model.delay import DEFAULT_MAX_DELAY
from nbtwisted.server.model.fault_port import KINDS, check_kind
from nbtwisted.server.rules.reading import Reading, no_file, parse_default
from nbtwisted.server.rules.rule import UnreadableRule

__all__ = ["Options", "read_options"]

SWITCHES = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


TIMINGS = ("none", "recorded")


def parse_switch(text: str) -> bool:
    """Read an option without a value; raises `argparse.ArgumentTypeError`."""
    if text.lower() not in SWITCHES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(SWITCHES)}")
    return SWITCHES[text.lower()]


def parse_port(text: str) -> int:
    """Read the number of a port; raises `argparse.ArgumentTypeError`."""
    number = whole_number(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a port up to 65535")
    return number


def parse_host(text: str) -> str:
    """Read an address to listen on; raises `argparse.ArgumentTypeError`."""
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected an address such as 127.0.0.1, 0.0.0.0 or ::1"
        ) from None


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


def _tcp_endpoint(address: str, number: int) -> str:
    """Twisted's endpoint string for an address and a port."""
    kind = "tcp6" if ":" in address else "tcp"
    return f"{kind}:{number}:interface={quoteStringArgument(address)}"


def parse_timing(text: str) -> str:
    """Read the time that recorded answers take; raises `argparse.ArgumentTypeError`."""
    if text not in TIMINGS:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {' or '.join(TIMINGS)}")
    return text


def parse_admin_token(text: str) -> str:
    """Read a token; raises `argparse.ArgumentTypeError`."""
    if not re.fullmatch(r"[!-~]+", text):
        # Not repeated: it is a secret, though not yet a good one.
        raise argparse.ArgumentTypeError("expected ASCII without spaces")
    return text


def _option(
    default: Any, parse: Callable[[str], Any], help: str, **argument: Any
) -> Any:
    """A field of `Options`, and what argparse is told of it."""
    if "action" not in argument:
        argument["type"] = parse
    if default not in (None, (), False, math.inf):
        help += f" (default: {str(default).removesuffix('.0')})"
    argument["help"] = help
    return field(default=default, metadata={"parse": parse, "argument": argument})


@dataclass(frozen=True)
class Options:
    """The server's options: `--max-delay`, or `NBTWISTED_MAX_DELAY`, is `max_delay`.

    Durations are in seconds. `named_by` has the argument or the variable that named
    each option that was given.
    """

    named_by: Mapping[str, str]
    listen: tuple[str, ...] = _option(
        (),
        lambda text: tuple(text.split()),
        "where to listen, as a Twisted endpoint such as tcp:8000 (every "
        "interface), ssl:8443:privateKey=key.pem:certKey=cert.pem or "
        "unix:/tmp/slow.sock; may be given more than once",
        action="append",
        metavar="ENDPOINT",
    )
    port: int = _option(
        8000,
        parse_port,
        "the TCP port to listen on, in place of --listen; 0 is any free one",
        metavar="N",
    )
    host: str = _option(
        "127.0.0.1",
        parse_host,
        "the address to listen on, in place of --listen; 0.0.0.0 is every interface",
        metavar="ADDRESS",
    )
    fault_port: tuple[tuple[str, int], ...] = _option(
        (),
        lambda text: tuple(map(parse_fault_port, text.split())),
        "open another port, at --host, whose connections fail: "
        f"{', '.join(KINDS)}; any free one unless told; may be given more than once",
        type=parse_fault_port,
        action="append",
        metavar="KIND[:PORT]",
    )
    rules: str | None = _option(
        None,
        str,
        "the rules of FILE (TOML or JSON), read again when it changes and on SIGHUP",
        action=Once,
        metavar="FILE",
    )
    default: str | None = _option(
        None,
        str,
        "a rule for all requests, of controls such as '_delay=50ms&_fault=reset:0.01'",
        action=Once,
        metavar="CONTROLS",
    )
    allow_files: str | None = _option(
        None,
        str,
        "let rules send the files in DIR, and not only those in their own folder",
        action=Once,
        metavar="DIR",
    )
    har: str | None = _option(
        None,
        str,
        "the answers recorded in FILE, a HAR as 'nbtwisted get --har' or a browser "
        "writes it",
        action=Once,
        metavar="FILE",
    )
    timing: str = _option(
        "none",
        parse_timing,
        "the time that answers of --har take: none, or as recorded",
        metavar="none|recorded",
    )
    max_delay: float = _option(
        DEFAULT_MAX_DELAY,
        positive_duration,
        "the longest delay that a request may ask for",
        metavar="DURATION",
    )
    lenient: bool = _option(
        False,
        parse_switch,
        "leave parameters that begin with _ and are no controls to the path, "
        "and do not refuse them",
        action="store_const",
        const=True,
    )
    seed: int | None = _option(
        None,
        whole_number,
        "draw the same for the same requests, each time the server is started "
        "(default: another one each time)",
        metavar="N",
    )
    max_in_flight: float = _option(
        math.inf,
        count,
        "refuse requests with 503 while N are in flight (default: no limit)",
        metavar="N",
    )
    # Kubernetes' default for a container.
    drain: float = _option(
        30.0,
        duration,
        "how long a SIGTERM waits for the responses that are held",
        metavar="DURATION",
    )
    send_timeout: float = _option(
        DEFAULT_SEND_TIMEOUT,
        positive_duration,
        "reset the connection of a client that takes nothing of a response for so long",
        metavar="DURATION",
    )
    admin_token: str | None = _option(
        None,
        parse_admin_token,
        "let 'Authorization: Bearer TOKEN' use /__admin, and nobody else "
        "(others can see a command's arguments: NBTWISTED_ADMIN_TOKEN hides it)",
        metavar="TOKEN",
    )
    access_log: str | None = _option(
        None,
        str,
        "write a line for each request to FILE, or to stdout if that is -",
        action=Once,
        metavar="FILE",
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
    options = [option for option in fields(Options) if option.metadata]
    for option in options:
        name = "--" + option.name.replace("_", "-")
        parser.add_argument(name, **option.metadata["argument"])
    add_option(parser)
    parser.add_argument(
        "--version", action="version", version=f"nbtwisted {__version__}"
    )
    args = vars(parser.parse_args(parser.with_values(arguments)))
    is_by_port = args["port"] is not None or args["host"] is not None
    if args["listen"] and is_by_port:
        parser.error("--listen: expected neither --port nor --host beside it")
    values: dict[str, Any] = {}
    named_by: dict[str, str] = {}
    for option in options:
        name, variable = option.name, f"NBTWISTED_{option.name.upper()}"
        values[name], named_by[name] = args[name], "--" + name.replace("_", "-")
        text = os.environ.get(variable)
        if args[name] is not None:
            continue
        values[name] = option.default
        is_in_vain = is_by_port if name == "listen" else values["listen"]
        if not text or (is_in_vain and name in ("listen", "port", "host")):
            continue
        named_by[name] = variable
        try:
            values[name] = option.metadata["parse"](text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{variable}: {error}")
    if values["default"] is not None:
        try:
            parse_default(values["default"], Reading(values["max_delay"], no_file))
        except UnreadableRule as error:
            parser.error(f"{named_by['default']}: {error}")
    if values["timing"] != "none" and values["har"] is None:
        parser.error(f"{named_by['timing']}: expected --har FILE beside it")
    if not values["listen"]:
        named_by["listen"] = named_by["port"]
        values["listen"] = (_tcp_endpoint(values["host"], values["port"]),)
    repeated = {name: tuple(values[name]) for name in ("listen", "fault_port")}
    return Options(named_by, **{**values, **repeated})
