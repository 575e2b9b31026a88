"""The options of whatever listens: places, rules, limits, and its end."""

from __future__ import annotations

import argparse
import ipaddress
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from twisted.internet.endpoints import quoteStringArgument

from nbtwisted.command_line import (
    Once,
    OneLineParser,
    count,
    duration,
    positive_duration,
    whole_number,
)
from nbtwisted.option_fields import WithOptions, option, read_fields
from nbtwisted.server.engine.connection import DEFAULT_SEND_TIMEOUT
from nbtwisted.server.model.delay import DEFAULT_MAX_DELAY
from nbtwisted.server.rules.reading import Reading, parse_default
from nbtwisted.server.rules.rule import UnreadableRule

__all__ = [
    "ServiceOptions",
    "check_default",
    "drain_option",
    "in_flight_option",
    "parse_port",
    "port_option",
    "read_service_options",
    "tcp_endpoint",
]


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


def parse_admin_token(text: str) -> str:
    """Read a token; raises `argparse.ArgumentTypeError`."""
    if not re.fullmatch(r"[!-~]+", text):
        # Not repeated: it is a secret, though not yet a good one.
        raise argparse.ArgumentTypeError("expected ASCII without spaces")
    return text


def tcp_endpoint(address: str, number: int) -> str:
    """Twisted's endpoint string for an address and a port."""
    kind = "tcp6" if ":" in address else "tcp"
    return f"{kind}:{number}:interface={quoteStringArgument(address)}"


def port_option(default: int) -> Any:
    """The field of the port, whose default is a command's own."""
    return option(
        default,
        parse_port,
        "the TCP port to listen on, in place of --listen; 0 is any free one",
        outdone_by=("listen",),
        metavar="N",
    )


def in_flight_option(refuse: str) -> Any:
    """The field of the most that may be in flight, and what is done about more."""
    return option(
        math.inf,
        count,
        f"{refuse} while N are in flight (default: no limit)",
        metavar="N",
    )


def drain_option(what: str) -> Any:
    """The field of the time to drain, and what of."""
    # Kubernetes' default for a container.
    return option(
        30.0, duration, f"how long a SIGTERM waits for {what}", metavar="DURATION"
    )


@dataclass(frozen=True)
class ServiceOptions(WithOptions):
    """Options of all that listens. Durations are in seconds."""

    listen: tuple[str, ...] = option(
        (),
        lambda text: tuple(text.split()),
        "where to listen, as a Twisted endpoint such as tcp:8000 (every "
        "interface), ssl:8443:privateKey=key.pem:certKey=cert.pem or "
        "unix:/tmp/slow.sock; may be given more than once",
        outdone_by=("port", "host"),
        action="append",
        metavar="ENDPOINT",
    )
    port: int = port_option(8000)
    host: str = option(
        "127.0.0.1",
        parse_host,
        "the address to listen on, in place of --listen; 0.0.0.0 is every interface",
        outdone_by=("listen",),
        metavar="ADDRESS",
    )
    rules: str | None = option(
        None,
        str,
        "the rules of FILE (TOML or JSON), read again when it changes and on SIGHUP",
        action=Once,
        metavar="FILE",
    )
    default: str | None = option(
        None,
        str,
        "a rule for all requests, of controls such as '_delay=50ms&_fault=reset:0.01'",
        action=Once,
        metavar="CONTROLS",
    )
    allow_files: str | None = option(
        None,
        str,
        "let rules send the files in DIR, and not only those in their own folder",
        action=Once,
        metavar="DIR",
    )
    max_delay: float = option(
        DEFAULT_MAX_DELAY,
        positive_duration,
        "the longest delay that a request may ask for",
        metavar="DURATION",
    )
    seed: int | None = option(
        None,
        whole_number,
        "draw the same for the same requests, each time the server is started "
        "(default: another one each time)",
        metavar="N",
    )
    max_in_flight: float = in_flight_option("refuse requests with 503")
    drain: float = drain_option("the responses that are held")
    send_timeout: float = option(
        DEFAULT_SEND_TIMEOUT,
        positive_duration,
        "reset the connection of a client that takes nothing of a response for so long",
        metavar="DURATION",
    )
    admin_token: str | None = option(
        None,
        parse_admin_token,
        "let 'Authorization: Bearer TOKEN' use /__admin, and nobody else "
        "(others can see a command's arguments: NBTWISTED_ADMIN_TOKEN hides it)",
        metavar="TOKEN",
    )
    access_log: str | None = option(
        None,
        str,
        "write a line for each request to FILE, or to stdout if that is -",
        action=Once,
        metavar="FILE",
    )


T = TypeVar("T", bound=ServiceOptions)


def read_service_options(
    kind: type[T], parser: OneLineParser, arguments: Sequence[str]
) -> T:
    """Read a command's arguments, and the environment for those not given.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    options, typed = read_fields(kind, parser, arguments)
    if "listen" in typed and typed & {"port", "host"}:
        parser.error("--listen: expected neither --port nor --host beside it")
    if options.listen:
        return options
    named_by = {**options.named_by, "listen": options.named_by["port"]}
    listen = (tcp_endpoint(options.host, options.port),)
    return replace(options, named_by=named_by, listen=listen)


def check_default(
    options: ServiceOptions, parser: OneLineParser, reading: Reading
) -> None:
    """Have the parser complain of a default rule that cannot be read."""
    if options.default is None:
        return
    try:
        parse_default(options.default, reading)
    except UnreadableRule as error:
        parser.error(f"{options.named_by['default']}: {error}")
