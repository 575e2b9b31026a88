"""The server as its options have it, and its orderly end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from nbtwisted.gc_tuning import give_back
from nbtwisted.server.access_log import AccessLog
from nbtwisted.server.body_files import BodyFiles
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.http1.site import DelaySite
from nbtwisted.server.options import Options
from nbtwisted.server.ports.fault_ports import CannotOpen, FaultPorts
from nbtwisted.server.recordings.har_file import UnreadableHAR, read_har
from nbtwisted.server.rules.in_force import Origin, Rules
from nbtwisted.server.rules.reading import parse_default
from nbtwisted.server.rules.rule import UnreadableRule
from nbtwisted.server.rules.rule_set import TooManyRules
from nbtwisted.server.rules_file import RulesFile

__all__ = ["CannotServe", "Serving"]

SECONDS_TO_SETTLE = 0.5


class CannotServe(Exception):
    """A file or a port of the options cannot be used: says which, and why."""


class Serving:
    """A server on `reactor`, which drains it before it stops.

    server      the server
    rules_file  watches the file of rules, if there is one
    given_up    responses that were still held when the time to drain was over

    `say` is called with sentences for operators. Raises `CannotServe`.
    """

    def __init__(
        self, options: Options, reactor: Any, say: Callable[[str], None]
    ) -> None:
        if options.allow_files is not None and not Path(options.allow_files).is_dir():
            named = options.named_by["allow_files"]
            raise CannotServe(f"{named}: {options.allow_files}: expected a folder")
        log: AccessLog | None = None
        if options.access_log:
            try:
                log = AccessLog(
                    options.access_log, lambda text: reactor.callFromThread(say, text)
                )
            except OSError as error:
                raise CannotServe(
                    f"{options.named_by['access_log']}: cannot write "
                    f"{options.access_log}: {error.strerror}"
                ) from None
            reactor.addSystemEventTrigger("after", "shutdown", _close, log, say)
        self.server = DelayServer(
            clock=IReactorTime(reactor),
            max_delay=options.max_delay,
            send_timeout=options.send_timeout,
            seed=options.seed,
            lenient=options.lenient,
            max_in_flight=options.max_in_flight,
            admin_token=options.admin_token,
            on_end=log.write if log is not None else None,
            access_log_lost=(lambda: log.lost) if log is not None else None,
            on_quiet=self._tidy_up,
            read_file=BodyFiles(_folders(options)).read,
        )
        rules = self.server.rules
        if options.default is not None:
            default = parse_default(options.default, rules.reading)
            rules.set_origin(Origin.DEFAULT, [default])
        if options.har is not None:
            _play(options, rules, say)
        self.rules_file: RulesFile | None = None
        if options.rules is not None:
            self.rules_file = RulesFile(options.rules, rules, reactor, say)
            try:
                self.rules_file.begin()
            except (UnreadableRule, TooManyRules) as error:
                named = f"{options.named_by['rules']}: {options.rules}"
                raise CannotServe(f"{named}: {error}") from None
            reactor.addSystemEventTrigger("before", "shutdown", self.rules_file.stop)
        self._reactor = reactor
        self._options = options
        self._seconds = options.drain
        self.given_up = 0
        self._draining: Deferred[None] | None = None
        reactor.addSystemEventTrigger("before", "shutdown", self._drain)

    def open_fault_ports(self, site: DelaySite) -> None:
        """Open the fault ports of the options, some of which serve `site`.

        They stay open while the server drains. Raises `CannotServe`.
        """
        options = self._options
        ports = FaultPorts(self._reactor, site, self.server.fault_ports)
        self._reactor.addSystemEventTrigger("during", "shutdown", ports.close)
        for kind, number in options.fault_port:
            try:
                ports.open(kind, options.host, number)
            except CannotOpen as error:
                named = options.named_by["fault_port"]
                raise CannotServe(f"{named}: {error}") from None

    def end_now(self) -> None:
        """Wait for no response, now and when the reactor stops."""
        self._seconds = 0.0
        if self._draining is not None:
            self._draining.cancel()

    def _tidy_up(self) -> None:
        # The collector looks seldom at old objects, and a thousand requests that were
        # held leave 15 MB of garbage in cycles. When nothing is in flight, collecting
        # holds up nobody. The reactor drops cancelled timers in its next turn.
        self._reactor.callLater(SECONDS_TO_SETTLE, give_back)

    def _drain(self) -> Deferred[None] | None:
        if not self._seconds:
            return None
        self._draining = Deferred.fromCoroutine(self.server.in_flight.drain())
        self._draining.addTimeout(self._seconds, self._reactor)
        self._draining.addErrback(self._give_up)
        return self._draining

    def _give_up(self, failure: Failure) -> None:
        failure.trap(CancelledError, TimeoutError)
        self.given_up = self.server.in_flight.journal.in_flight


def _play(options: Options, rules: Rules, say: Callable[[str], None]) -> None:
    """Have a recording played; raises `CannotServe`."""
    assert options.har is not None
    named = options.named_by["har"]
    try:
        played, remarks = read_har(
            options.har,
            with_times=options.timing == "recorded",
            max_delay=options.max_delay,
        )
        rules.set_origin(Origin.HAR, played)
    except OSError as error:
        raise CannotServe(
            f"{named}: cannot read {options.har}: {error.strerror}"
        ) from None
    except (UnreadableHAR, TooManyRules) as error:
        raise CannotServe(f"{named}: cannot play {options.har}: {error}") from None
    for remark in remarks:
        say(f"{options.har}: {remark}")


def _folders(options: Options) -> list[Path]:
    """The folders of rules' files: a path without a folder is in the first."""
    own = [] if options.rules is None else [Path(options.rules).resolve().parent]
    return [*own, *([] if options.allow_files is None else [Path(options.allow_files)])]


def _close(log: AccessLog, say: Callable[[str], None]) -> None:
    log.close()
    if log.lost:
        say(f"{log.lost} lines of the access log were lost")
