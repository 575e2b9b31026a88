"""What commands can be told of the connections that they make, as curl is told it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable

from twisted.internet.abstract import isIPAddress, isIPv6Address

from nbtwisted.client.connection.pool import EVERY_HOST, TLSOptions, socket_path
from nbtwisted.client.host_name import parse_host
from nbtwisted.client.proxies import Proxies
from nbtwisted.client.request.getting import How
from nbtwisted.client.target import parse_port
from nbtwisted.command_line import OneLineParser, reading

__all__ = ["add_connection_options", "read_connection_options"]

_RESOLVE = re.compile(
    r"(?P<sign>-?)(?P<host>\*|\[[^\]]*\]|[^:\[\]]+):(?P<port>[^:]*)"
    r"(?::(?P<addresses>.*))?"
)
_RESOLVE_EXPECTED = (
    "expected HOST:PORT:ADDRESS, as in example.com:80:127.0.0.1, or -HOST:PORT"
)


def add_connection_options(parser: OneLineParser) -> None:
    """Have the parser read them, for `read_connection_options`."""
    where = parser.add_argument_group("where to connect")
    where.add_argument(
        "--resolve",
        type=reading(_resolved),
        action="append",
        default=[],
        metavar="HOST:PORT:ADDRESS[,ADDRESS]",
        help="the addresses that HOST has at PORT; * is every host that has none "
        "besides, and -HOST:PORT takes back what was given before",
    )
    where.add_argument(
        "--unix-socket",
        type=reading(socket_path),
        metavar="PATH",
        help="connect to this socket, whatever the host",
    )
    where.add_argument(
        "-x",
        "--proxy",
        # An empty one says that there is none.
        type=str,
        metavar="PROXY",
        help="go through this proxy, [KIND://][USER:PASSWORD@]HOST[:PORT], by http, "
        "socks5 or socks5h (which looks names up, too); '' is none (default: "
        "http_proxy, https_proxy and all_proxy in the environment)",
    )
    where.add_argument(
        "--noproxy",
        type=str,
        metavar="HOST[,HOST]",
        help="hosts to connect to directly, with all names below them, and addresses, "
        "with prefixes; * is every host (default: no_proxy in the environment)",
    )
    family = where.add_mutually_exclusive_group()
    family.add_argument(
        "-4", dest="family", action="store_const", const=4, help="by IPv4 only"
    )
    family.add_argument(
        "-6", dest="family", action="store_const", const=6, help="by IPv6 only"
    )
    tls = parser.add_argument_group("TLS")
    tls.add_argument(
        "-k", "--insecure", action="store_true", help="take any certificate"
    )
    tls.add_argument(
        "--cacert",
        metavar="FILE",
        help="trust the authorities in FILE (PEM) in place of the system's",
    )
    tls.add_argument("--cert", metavar="FILE", help="our own certificate (PEM)")
    tls.add_argument(
        "--key", metavar="FILE", help="its key (PEM; default: in the same file)"
    )


def read_connection_options(parser: OneLineParser, told: argparse.Namespace) -> How:
    """Read what they say of how to send requests.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    if told.unix_socket and (told.resolve or told.family):
        parser.error("--unix-socket: expected no --resolve, -4 or -6 beside it")
    if told.unix_socket and told.proxy:
        parser.error("--unix-socket: expected no -x beside it")
    return {
        "overrides": _overrides(told.resolve),
        "unix_socket": told.unix_socket,
        "family": told.family,
        "proxies": _proxies(parser, told),
        "tls": _tls(parser, told),
    }


def _proxies(parser: OneLineParser, told: argparse.Namespace) -> Proxies | None:
    try:
        proxies = Proxies.read(told.proxy, told.noproxy, os.environ)
    except ValueError as error:
        parser.error(f"-x: {error}" if told.proxy else str(error))
    return proxies if proxies.http or proxies.https else None


def _tls(parser: OneLineParser, told: argparse.Namespace) -> TLSOptions | None:
    if told.key and not told.cert:
        parser.error("--key: expected --cert as well")
    if told.insecure and told.cacert:
        parser.error("--cacert: expected no -k beside it, which asks no authority")
    options: TLSOptions = {
        "verify": not told.insecure,
        "authorities": told.cacert,
        "certificate": told.cert,
        "key": told.key,
    }
    # Made when it is first needed, where nobody said anything of it.
    said_nothing = not (told.insecure or told.cacert or told.cert)
    return None if said_nothing else options


def _resolved(text: str) -> tuple[tuple[str, int], tuple[str, ...]]:
    """A host and a port, and the addresses that they are to have; none to take away."""
    if text.startswith("+"):
        # In curl, such an address is forgotten when one that was looked up would be.
        raise ValueError("expected no +: what is given here is never forgotten")
    match = _RESOLVE.fullmatch(text)
    if match is None or (match["sign"] == "-") != (match["addresses"] is None):
        raise ValueError(_RESOLVE_EXPECTED)
    addresses = [a.strip("[]") for a in (match["addresses"] or "").split(",")]
    if match["sign"] == "-":
        addresses = []
    elif not all(isIPAddress(a) or isIPv6Address(a) for a in addresses):
        raise ValueError(_RESOLVE_EXPECTED)
    host = match["host"]
    if host != EVERY_HOST:
        host = parse_host(host)
    try:
        return (host, parse_port(match["port"])), tuple(addresses)
    except ValueError as error:
        raise ValueError(f"the port cannot be read: {error}") from None


def _overrides(
    entries: Iterable[tuple[tuple[str, int], tuple[str, ...]]],
) -> dict[tuple[str, int], tuple[str, ...]]:
    """The addresses that hosts have, after all entries in their order."""
    return {place: addresses for place, addresses in dict(entries).items() if addresses}
