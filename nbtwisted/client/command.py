"""`nbtwisted get`: sends the requests, prints the answers, draws the picture."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn, TextIO

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import react

from nbtwisted.client import output
from nbtwisted.client.answer import Timing
from nbtwisted.client.errors import Interrupted, Outcome, RequestError
from nbtwisted.client.gathering import gather
from nbtwisted.client.getting import Getter
from nbtwisted.client.options import Options, read_options
from nbtwisted.client.target import shown
from nbtwisted.command_line import leave_startup_to_itself
from nbtwisted.timeline import Phase, Span, waterfall

__all__ = ["main"]

_FORMATS = {"raw": output.raw, "jsonl": output.jsonl}
_CANNOT_WRITE = 23
"""curl's exit code for output that cannot be written."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Get what the arguments say; raises `SystemExit` with the exit code."""
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    if sys.stdout is None:
        _complain("output: cannot write: standard output is closed")
        raise SystemExit(_CANNOT_WRITE)
    run = _Run(options)

    def on_sigint(*_: object) -> None:
        # A second one ends the process at once, whatever it hangs in.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        IReactorFromThreads(reactor).callFromThread(run.interrupt)

    # Before the reactor runs: it leaves a handler alone that is not Python's own.
    signal.signal(signal.SIGINT, on_sigint)
    leave_startup_to_itself()
    react(run.start)


class _Run:
    """One run of the command."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._format = _FORMATS[options.format]
        self._deliver = (
            output.InOrder(self._print).deliver
            if options.in_input_order
            else self._print
        )
        self._one_stream = _same_file(sys.stdout, sys.stderr)
        self._ended = 0
        self._answered = 0
        self._failures: dict[int, RequestError] = {}
        self._spans: dict[int, Span] = {}
        self._cannot_write: OSError | None = None
        self._gathering: Deferred[None] | None = None

    def start(self, reactor: Any) -> Deferred[None]:
        """Send everything; fires when all is printed, by raising `SystemExit`."""
        options = self._options
        getter = Getter(
            reactor,
            max_time=options.max_time,
            connect_timeout=options.connect_timeout,
        )
        self._gathering = gather(
            getter,
            options.urls,
            concurrency=min(options.concurrency, len(options.urls)),
            deliver=self._take,
        )
        return self._gathering.addCallback(lambda _: self._finish())

    def interrupt(self) -> None:
        """End all requests; what was answered is still printed."""
        if self._gathering is not None:
            self._gathering.cancel()

    def _take(self, index: int, outcome: Outcome) -> None:
        self._ended += 1
        if isinstance(outcome, RequestError):
            self._failures[index] = outcome
        else:
            self._answered += 1
        if self._options.timeline and outcome.timing is not None:
            self._spans[index] = _span(outcome, outcome.timing)
        self._deliver(index, outcome)

    def _print(self, index: int, outcome: Outcome) -> None:
        if self._cannot_write is not None:
            return
        try:
            sys.stdout.buffer.write(self._format(index, outcome))
            sys.stdout.buffer.flush()
        except OSError as error:
            self._cannot_write = error
            self.interrupt()
            return
        # Interruptions are counted at the end. And where both streams are one, a raw
        # error stands in its place already.
        if (
            isinstance(outcome, RequestError)
            and not isinstance(outcome, Interrupted)
            and not (self._options.format == "raw" and self._one_stream)
        ):
            _complain(output.error_line(outcome))

    def _finish(self) -> NoReturn:
        # URLs are begun in their order, and those begun have ended.
        for index in range(self._ended, len(self._options.urls)):
            never_sent = Interrupted("cancelled before it was sent")
            never_sent.url = shown(self._options.urls[index])
            self._take(index, never_sent)
        if self._cannot_write is None and self._spans:
            self._draw()
        if self._cannot_write is not None:
            _complain(f"output: cannot write: {self._cannot_write.strerror}")
            _abandon(sys.stdout)
            raise SystemExit(_CANNOT_WRITE)
        failures = [self._failures[index] for index in sorted(self._failures)]
        interrupted = sum(isinstance(failure, Interrupted) for failure in failures)
        if interrupted:
            _complain(f"interrupted: {self._answered} answered, {interrupted} not")
            raise SystemExit(Interrupted.exit_code)
        raise SystemExit(failures[0].exit_code if failures else 0)

    def _draw(self) -> None:
        # JSON on stdout is for a program, which would choke on a picture.
        stream = sys.stdout if self._options.format == "raw" else sys.stderr
        on_terminal = stream.isatty()
        picture = waterfall(
            _numbered([self._spans[index] for index in sorted(self._spans)]),
            width=shutil.get_terminal_size().columns,
            # https://no-color.org: set, and not empty.
            colour=on_terminal and not os.environ.get("NO_COLOR"),
            ascii_only=not _can_encode(stream, "━╌█·╳…"),
        )
        try:
            stream.write("\n" + picture)
            stream.flush()
        except OSError as error:
            self._cannot_write = error


def _numbered(spans: list[Span]) -> list[Span]:
    """Number the labels, and take off what all of their URLs begin with."""
    origins = {span.label[: span.label.find("/", len("http://"))] for span in spans}
    shared = origins.pop() if len(origins) == 1 else "http://"
    if not shared.startswith("http://"):
        shared = ""
    width = len(str(len(spans)))
    return [
        replace(span, label=f"{n:>{width}} {span.label.removeprefix(shared)}")
        for n, span in enumerate(spans, 1)
    ]


def _span(outcome: Outcome, timing: Timing) -> Span:
    connect = (timing.dns or 0.0) + (timing.connect or 0.0)
    wait = timing.wait or 0.0
    receive = timing.receive or 0.0
    # What is left over was spent in the phase that did not come to its end.
    rest = timing.total - connect - wait - receive
    if timing.wait is not None:
        receive += rest
    elif timing.connect is not None:
        wait += rest
    else:
        connect += rest
    return Span(
        label=outcome.url.encode("ascii", "backslashreplace").decode(),
        outcome=outcome.phase
        if isinstance(outcome, RequestError)
        else str(outcome.status),
        failed=isinstance(outcome, RequestError),
        began=timing.started - timing.queued,
        phases=(
            Phase("queued", timing.queued),
            Phase("connect", connect),
            Phase("wait", wait),
            Phase("receive", receive),
        ),
    )


def _same_file(one: TextIO, other: TextIO) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):
        return False


def _can_encode(stream: TextIO, characters: str) -> bool:
    try:
        characters.encode(stream.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _abandon(stream: TextIO) -> None:
    """Let what cannot be written go, or Python complains when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())


def _complain(text: str) -> None:
    print(f"nbtwisted get: {text}", file=sys.stderr, flush=True)
