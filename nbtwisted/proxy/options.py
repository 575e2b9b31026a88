"""The proxy's options, by arguments or by `NBTWISTED_…` in the environment."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from nbtwisted.client.target import Origin
from nbtwisted.command_line import (
    Once,
    OneLineParser,
    expect_different_files,
    positive_duration,
)
from nbtwisted.option_fields import option, parse_switch
from nbtwisted.proxy.place import EXPECTED, parse_upstream
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.server.model.control_text import (
    PROXIED,
    STREAMED,
    Vocabulary,
    parse_byte_rate,
)
from nbtwisted.server.rules.reading import Reading, no_file
from nbtwisted.server.service.options import (
    ServiceOptions,
    check_default,
    drain_option,
    in_flight_option,
    parse_port,
    port_option,
    read_service_options,
    tcp_endpoint,
)

__all__ = ["NO_PORT", "ProxyOptions", "has_tls", "read_options"]

NO_PORT = -1
"""That operators have none."""

_OF_HTTP = (
    *("upstream_errors", "controls", "forwarded", "keep_host", "record"),
    *("record_bodies", "record_secrets", "send_timeout", "allow_files"),
)
"""Options that act on HTTP alone."""

_WITHOUT_UPSTREAM = (
    *("toxiproxy_api", "seed", "drain", "admin_port", "admin_token"),
    *("insecure", "cacert"),
)
"""Options that act without an upstream."""

_TLS_ENDPOINTS = ("ssl:", "tls:", "haproxy:ssl:", "haproxy:tls:")


def has_tls(description: str) -> bool:
    """Whether an endpoint speaks TLS by itself."""
    return description.startswith(_TLS_ENDPOINTS)


def _upstream(text: str) -> Origin | Upstream:
    try:
        return parse_upstream(text)
    except ValueError as error:
        # It shows the text itself, without credentials.
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_admin_port(text: str) -> int:
    """Read the number of operators' port, or `none`, which is `NO_PORT`.

    Raises `argparse.ArgumentTypeError`.
    """
    if text == "none":
        return NO_PORT
    try:
        return parse_port(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or none") from None


def parse_bytes(text: str) -> int:
    """Read a number of bytes; raises `argparse.ArgumentTypeError`."""
    if text == "0":
        return 0
    try:
        return int(parse_byte_rate(text))
    except ValueError:
        expected = "expected bytes such as 0, 500, 10kB or 1MB"
        raise argparse.ArgumentTypeError(f"{text!r}: {expected}") from None


def one_of(*words: str) -> Callable[[str], str]:
    """What reads one of these words; it raises `argparse.ArgumentTypeError`."""

    def parse(text: str) -> str:
        if text not in words:
            expected = ", ".join(words[:-1]) + f" or {words[-1]}"
            raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
        return text

    return parse


@dataclass(frozen=True)
class ProxyOptions(ServiceOptions):
    """The proxy's options.

    `upstream` may be None where Toxiproxy's API is there to name others.
    """

    upstream: Origin | Upstream | None = option(
        None,
        _upstream,
        f"what is behind the proxy: {EXPECTED}",
        is_positional=True,
        metavar="UPSTREAM",
    )
    # Beside `serve`.
    port: int = port_option(8001)
    max_in_flight: float = in_flight_option(
        "refuse requests with 503, or reset connections,"
    )
    drain: float = drain_option("responses that are held, and for open links")
    tls_cert: str | None = option(
        None,
        str,
        "speak TLS to clients, with the certificates in FILE (PEM)",
        action=Once,
        metavar="FILE",
    )
    tls_key: str | None = option(
        None,
        str,
        "the key of --tls-cert (PEM), unless it is in the same file",
        action=Once,
        metavar="FILE",
    )
    insecure: bool = option(
        False,
        parse_switch,
        "take any certificate of the upstream",
        short="-k",
        action="store_const",
        const=True,
    )
    cacert: str | None = option(
        None,
        str,
        "trust the authorities in FILE (PEM) in place of the system's",
        action=Once,
        metavar="FILE",
    )
    upstream_timeout: float = option(
        60.0,
        positive_duration,
        "the longest that the upstream may take to be connected to, to begin its "
        "answer, and between two pieces of it",
        metavar="DURATION",
    )
    upstream_errors: str = option(
        "status",
        one_of("status", "pass"),
        "what is done about an upstream that cannot be reached, or that answers no "
        "HTTP: a status with the reason, or the same to the client",
        metavar="status|pass",
    )
    controls: str = option(
        "headers",
        one_of("headers", "all", "none"),
        "where requests may have controls: in X-Nbtwisted-* headers, in parameters "
        "that begin with _, too, or nowhere",
        metavar="headers|all|none",
    )
    forwarded: bool = option(
        False,
        parse_switch,
        "tell the upstream who asks, in X-Forwarded-For, -Proto and -Host",
        action="store_const",
        const=True,
    )
    keep_host: bool = option(
        False,
        parse_switch,
        "ask the upstream by the Host that the client has named, and not by its own",
        action="store_const",
        const=True,
    )
    record: str | None = option(
        None,
        str,
        "write what passes, with its times, to FILE, a HAR that 'nbtwisted serve "
        "--har' plays",
        action=Once,
        metavar="FILE",
    )
    record_bodies: int = option(
        1_000_000,
        parse_bytes,
        "how much of a body --record keeps, such as 1MB; 0 is none",
        metavar="BYTES",
    )
    record_secrets: bool = option(
        False,
        parse_switch,
        "have --record write cookies and credentials, too",
        action="store_const",
        const=True,
    )
    admin_port: int = option(
        0,
        parse_admin_port,
        "the port of /__admin, /metrics, /healthz and /readyz, on this machine's "
        "loopback; 0 is any free one",
        metavar="N|none",
    )
    toxiproxy_api: str | None = option(
        None,
        str,
        "have Toxiproxy's API at a Twisted endpoint such as tcp:8474 (on loopback, "
        "unless it has interface=ADDRESS): its clients make proxies there",
        action=Once,
        metavar="ENDPOINT",
    )

    @property
    def vocabulary(self) -> Vocabulary:
        """The controls that rules may have."""
        return PROXIED if isinstance(self.upstream, Origin) else STREAMED


def read_options(
    arguments: Sequence[str], program: str = "nbtwisted proxy"
) -> ProxyOptions:
    """Read the command's arguments, and the environment for those not given.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    parser = OneLineParser(
        prog=program,
        description="Stand in front of a real server, and make it slow or broken.",
        epilog="Each option can also be set in the environment: "
        "NBTWISTED_UPSTREAM, NBTWISTED_LISTEN (several with spaces between), "
        "NBTWISTED_UPSTREAM_TIMEOUT and so on.",
    )
    options = read_service_options(ProxyOptions, parser, arguments)
    named_by = options.named_by
    reading = Reading(options.max_delay, no_file, options.vocabulary)
    if options.upstream is None and options.toxiproxy_api is None:
        expected = f"{EXPECTED}, or --toxiproxy-api ENDPOINT"
        parser.error(f"UPSTREAM: there is none: expected {expected}")
    for name in _given(options):
        if options.upstream is None and name not in _WITHOUT_UPSTREAM:
            parser.error(f"{named_by[name]}: expected UPSTREAM beside it")
        if isinstance(options.upstream, Upstream) and name in _OF_HTTP:
            upstream = "an http:// or https:// UPSTREAM"
            parser.error(f"{named_by[name]}: expected {upstream} beside it")
        if name.startswith("record_") and options.record is None:
            parser.error(f"{named_by[name]}: expected --record FILE beside it")
    _check_tls(options, parser)
    check_default(options, parser, reading)
    written = ("rules", "access_log", "record")
    expect_different_files(
        parser, [(named_by[n], getattr(options, n)) for n in written]
    )
    return options


def _given(options: ProxyOptions) -> list[str]:
    """The options that are not as they are by default."""
    default = (tcp_endpoint(ProxyOptions.host, ProxyOptions.port),)
    return [
        field.name
        for field in fields(options)
        if field.metadata
        and getattr(options, field.name)
        != (default if field.name == "listen" else field.default)
    ]


def _check_tls(options: ProxyOptions, parser: OneLineParser) -> None:
    """Have the parser complain of TLS that is said by halves, or twice."""
    named_by = options.named_by
    if options.insecure and options.cacert is not None:
        expected = "expected no -k beside it, which asks no authority"
        parser.error(f"{named_by['cacert']}: {expected}")
    upstream = options.upstream
    if options.cacert is not None and upstream is not None and not upstream.is_tls:
        expected = "expected an https:// or tls+tcp:// UPSTREAM beside it"
        parser.error(f"{named_by['cacert']}: {expected}")
    if options.tls_cert is None:
        if options.tls_key is not None:
            parser.error(f"{named_by['tls_key']}: expected --tls-cert FILE beside it")
        return
    for description in options.listen:
        if has_tls(description):
            parser.error(
                f"{named_by['tls_cert']}: expected no endpoint with TLS of its own "
                f"beside it ({named_by['listen']} {description})"
            )
