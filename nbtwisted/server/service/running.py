"""A service's run: it listens, says where on stderr, and stops at a signal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
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
from nbtwisted.server.service.errors import CannotServe
from nbtwisted.server.service.service import Service

__all__ = ["run_until_told"]

FEW_CONNECTIONS = 100
"""Open files below which the command warns: with none left, clients are dropped."""

Makes = Callable[[Callable[[str], None]], Service]


def run_until_told(make: Makes, reactor: Any) -> int:
    """Run a service until SIGINT or SIGTERM, or SIGHUP where it has no file of rules.

    `make` makes it on `reactor`, with a function that says sentences on stderr; it may
    raise `CannotServe`. Returns the exit code: 0 after a signal, 1 when the service
    could not be made, or its ports could not be opened.
    """
    if sys.stderr is None:
        return _run(make, reactor, lambda text: None)
    # A reader that is slow does not hold up the server.
    stderr = BackgroundWriter(sys.stderr.fileno)
    _log_warnings(stderr)
    try:
        # Paths in it may hold any character.
        return _run(
            make, reactor, lambda text: stderr.write(f"nbtwisted: {escaped(text)}\n")
        )
    finally:
        stderr.close()


def _run(make: Makes, reactor: Any, say: Callable[[str], None]) -> int:
    try:
        service = make(say)
    except CannotServe as error:
        say(f"error: {error}")
        return 1
    failures: list[str] = []

    async def listen() -> None:
        try:
            places = await service.open()
        except CannotServe as error:
            failures.append(str(error))
            reactor.stop()
            return
        # When all of them listen: a reader of one line may go on to any.
        for place in places:
            say(place)

    left = open_files_left()
    if left < FEW_CONNECTIONS:
        say(f"this process may open few files: {left} connections at most (ulimit -n)")
    leave_startup_to_itself()
    stops: list[int] = []

    def take_signal(number: int) -> None:
        if number == signal.SIGHUP and service.rules_file is not None:
            service.rules_file.read_again()
            return
        stops.append(number)
        # Ctrl-C waits for nothing, nor does a second signal.
        if number == signal.SIGINT or len(stops) > 1:
            service.end_now()
        elif service.held:
            seconds = f"{service.options.drain:g} s"
            say(f"waiting up to {seconds} for {service.held} {service.what_is_held}")
        if len(stops) == 1:
            reactor.stop()

    in_turn = IReactorFromThreads(reactor).callFromThread

    def listen_to_signals() -> None:
        # In place of the reactor's own, which know only one way to stop.
        end_when_told(lambda number, frame: in_turn(take_signal, number))

    reactor.callWhenRunning(listen_to_signals)
    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(listen()))
    reactor.run()
    if service.given_up:
        say(f"gave up {service.given_up} {service.what_is_held}")
    for failure in failures:
        say(f"error: {failure}")
    return 1 if failures else 0


def _log_warnings(file: Any) -> None:
    # Twisted keeps events in memory until logging begins.
    warnings_and_worse = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    to_file = textFileLogObserver(file)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(to_file, [warnings_and_worse])],
        redirectStandardIO=False,
    )
