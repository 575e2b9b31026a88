"""A server with the rules and the log that its options name, and its orderly end."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
from nbtwisted.server.rules.in_force import Origin
from nbtwisted.server.rules.reading import parse_default
from nbtwisted.server.rules.rule import UnreadableRule
from nbtwisted.server.rules.rule_set import TooManyRules
from nbtwisted.server.rules_file import RulesFile
from nbtwisted.server.service.errors import CannotServe
from nbtwisted.server.service.options import ServiceOptions

__all__ = ["Service"]

SECONDS_TO_SETTLE = 0.5


class Service(ABC):
    """A server on `reactor`, which drains before it stops.

    options     what it was told
    server      the server
    rules_file  watches the file of rules, if there is one
    given_up    how many were still held when the time to drain was over

    `say` is called with sentences for operators. `settings` are those of `DelayServer`
    that the options do not have. Raises `CannotServe`.
    """

    what_is_held = "responses"
    """What it drains, for people."""

    kind: type[DelayServer] = DelayServer
    """Of the server."""

    def __init__(
        self,
        options: ServiceOptions,
        reactor: Any,
        say: Callable[[str], None],
        **settings: Any,
    ) -> None:
        if options.allow_files is not None and not Path(options.allow_files).is_dir():
            named = options.named_by["allow_files"]
            raise CannotServe(f"{named}: {options.allow_files}: expected a folder")
        self.options = options
        self.given_up = 0
        self.rules_file: RulesFile | None = None
        self._reactor = reactor
        self._say = say
        self._seconds = options.drain
        self._draining: Deferred[None] | None = None
        self._log = self._open_log()
        self.server = self.kind(
            clock=IReactorTime(reactor),
            max_delay=options.max_delay,
            send_timeout=options.send_timeout,
            seed=options.seed,
            max_in_flight=options.max_in_flight,
            admin_token=options.admin_token,
            on_end=self._log.write if self._log is not None else None,
            access_log_lost=self._lost if self._log is not None else None,
            on_quiet=self._tidy_up,
            read_file=BodyFiles(_folders(options)).read,
            **settings,
        )
        self._set_rules()
        reactor.addSystemEventTrigger("before", "shutdown", self._drain)

    @property
    def held(self) -> int:
        """How many responses, or whatever it is, wait to be given."""
        return self.server.in_flight.journal.in_flight

    @abstractmethod
    async def open(self) -> list[str]:
        """Open all ports; returns sentences that say where. Raises `CannotServe`."""

    def end_now(self) -> None:
        """Wait for nothing that is held, now and when the reactor stops."""
        self._seconds = 0.0
        if self._draining is not None:
            self._draining.cancel()

    async def _finish(self) -> None:
        """Let nobody in any more; returns when nothing is held."""
        await self.server.in_flight.drain()

    def _open_log(self) -> AccessLog | None:
        path = self.options.access_log
        if path is None:
            return None
        try:
            log = AccessLog(
                path, lambda text: self._reactor.callFromThread(self._say, text)
            )
        except OSError as error:
            raise CannotServe(
                f"{self.options.named_by['access_log']}: cannot write "
                f"{path}: {error.strerror}"
            ) from None
        self._reactor.addSystemEventTrigger("after", "shutdown", self._close_log)
        return log

    def _lost(self) -> int:
        return self._log.lost if self._log is not None else 0

    def _close_log(self) -> None:
        assert self._log is not None
        self._log.close()
        if self._log.lost:
            self._say(f"{self._log.lost} lines of the access log were lost")

    def _set_rules(self) -> None:
        options, rules = self.options, self.server.rules
        if options.default is not None:
            default = parse_default(options.default, rules.reading)
            rules.set_origin(Origin.DEFAULT, [default])
        if options.rules is None:
            return
        self.rules_file = RulesFile(options.rules, rules, self._reactor, self._say)
        try:
            self.rules_file.begin()
        except (UnreadableRule, TooManyRules) as error:
            named = f"{options.named_by['rules']}: {options.rules}"
            raise CannotServe(f"{named}: {error}") from None
        self._reactor.addSystemEventTrigger("before", "shutdown", self.rules_file.stop)

    def _tidy_up(self) -> None:
        # The collector looks seldom at old objects, and a thousand requests that were
        # held leave 15 MB of garbage in cycles. When nothing is in flight, collecting
        # holds up nobody. The reactor drops cancelled timers in its next turn.
        self._reactor.callLater(SECONDS_TO_SETTLE, give_back)

    def _drain(self) -> Deferred[None] | None:
        if not self._seconds:
            return None
        self._draining = Deferred.fromCoroutine(self._finish())
        self._draining.addTimeout(self._seconds, self._reactor)
        self._draining.addErrback(self._give_up)
        return self._draining

    def _give_up(self, failure: Failure) -> None:
        failure.trap(CancelledError, TimeoutError)
        self.given_up = self.held


def _folders(options: ServiceOptions) -> list[Path]:
    """The folders of rules' files: a path without a folder is in the first."""
    named = [] if options.allow_files is None else [Path(options.allow_files)]
    own = [] if options.rules is None else [Path(options.rules).resolve().parent]
    return [*own, *named]
