"""`nbtwisted serve`: listens, says where on stderr, and stops at a signal."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IReactorFromThreads, IReactorTime
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from nbtwisted.background_writer import BackgroundWriter
from nbtwisted.command_line import end_when_told, open_files_left
from nbtwisted.gc_tuning import leave_startup_to_itself
from nbtwisted.printable import escaped
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.listening import listen as listen_at
from nbtwisted.server.options import Options, read_options
from nbtwisted.server.serving import CannotServe, Serving

__all__ = ["main"]

FEW_CONNECTIONS = 100
"""Open files below which the command warns: with none left, clients are dropped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, or SIGHUP where there is no file of rules.

    Returns the exit code: 0 after a signal, 1 when listening failed. Raises
    `SystemExit` for arguments that cannot be read.
    """
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    if sys.stderr is None:
        return _serve(options, lambda text: None)
    # A reader that is slow does not hold up the server.
    stderr = BackgroundWriter(sys.stderr.fileno)
    _log_warnings(stderr)
    try:
        # Paths in it may hold any character.
        return _serve(
            options, lambda text: stderr.write(f"nbtwisted: {escaped(text)}\n")
        )
    finally:
        stderr.close()


def _serve(options: Options, say: Callable[[str], None]) -> int:
    try:
        serving = Serving(options, reactor, say)
    except CannotServe as error:
        say(f"error: {error}")
        return 1
    journal = serving.server.in_flight.journal
    site = DelaySite(serving.server, IReactorTime(reactor))
    failures: list[str] = []

    async def listen() -> None:
        places = []
        for description in options.listen:
            try:
                port = await listen_at(reactor, description, site)
            # Endpoint plugins raise anything; the operator can mend the description.
            except Exception as error:
                failures.append(
                    f"{options.named_by['listen']}: cannot listen on {description!r}: "
                    + _why_not(error)
                )
                reactor.stop()
                return
            places.append(_url(description, port.getHost()))
        try:
            serving.open_fault_ports(site)
        except CannotServe as error:
            failures.append(str(error))
            reactor.stop()
            return
        # When all of them listen: a reader of one line may go on to any.
        for place in places:
            say(f"serving on {place}")
        for fault_port in serving.server.fault_ports:
            say(f"fault port {fault_port.kind} on {fault_port.place}")

    left = open_files_left()
    if left < FEW_CONNECTIONS:
        say(f"this process may open few files: {left} connections at most (ulimit -n)")
    leave_startup_to_itself()
    stops: list[int] = []

    def take_signal(number: int) -> None:
        if number == signal.SIGHUP and serving.rules_file is not None:
            serving.rules_file.read_again()
            return
        stops.append(number)
        # Ctrl-C waits for nothing, nor does a second signal.
        if number == signal.SIGINT or len(stops) > 1:
            serving.end_now()
        elif journal.in_flight:
            held = journal.in_flight
            say(f"waiting up to {options.drain:g} s for {held} responses")
        if len(stops) == 1:
            reactor.stop()

    in_turn = IReactorFromThreads(reactor).callFromThread

    def listen_to_signals() -> None:
        # In place of the reactor's own, which know only one way to stop.
        end_when_told(lambda number, frame: in_turn(take_signal, number))

    reactor.callWhenRunning(listen_to_signals)
    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(listen()))
    reactor.run()
    if serving.given_up:
        say(f"gave up {serving.given_up} responses")
    for failure in failures:
        say(f"error: {failure}")
    return 1 if failures else 0


def _why_not(error: Exception) -> str:
    """The reason why an endpoint does not listen, and the form that it should have."""
    if isinstance(error, CannotListenError):
        error = error.socketError
    if isinstance(error, OverflowError):
        return "expected a port from 0 to 65535"
    if isinstance(error, OSError):
        path = error.filename2 or error.filename
        named = "" if path is None else f"{os.fsdecode(path)}: "
        reason = f"{named}{error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            reason += ": expected a free place (port 0 is any that is free)"
        return reason
    # Errors of Twisted's parsers and of OpenSSL speak of arguments of their own.
    return (
        "expected a Twisted endpoint, such as tcp:PORT, tcp:PORT:interface=ADDRESS, "
        "ssl:PORT:privateKey=FILE:certKey=FILE or unix:PATH"
    )


def _url(description: str, address: IAddress) -> str:
    scheme = "https" if description.startswith("ssl:") else "http"
    if isinstance(address, IPv6Address):
        return f"{scheme}://[{address.host}]:{address.port}/"
    if isinstance(address, IPv4Address):
        return f"{scheme}://{address.host}:{address.port}/"
    if isinstance(address, UNIXAddress) and address.name is not None:
        return f"unix:{address.name.decode(errors='backslashreplace')}"
    return description


def _log_warnings(file: Any) -> None:
    # Twisted keeps events in memory until logging begins.
    warnings_and_worse = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    to_file = textFileLogObserver(file)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(to_file, [warnings_and_worse])],
        redirectStandardIO=False,
    )
