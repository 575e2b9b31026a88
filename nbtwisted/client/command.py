"""`nbtwisted get`: sends the requests, prints the responses, draws the picture."""

from __future__ import annotations

import errno
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import LoopingCall, react

from nbtwisted.client.errors import BadURL, ConnectFailed, Interrupted, NameNotResolved
from nbtwisted.client.many.gathering import gather
from nbtwisted.client.many.job_list import Given, JobFile, Jobs, UnreadableList
from nbtwisted.client.many.unanswered import Unanswered
from nbtwisted.client.options.get import Options, read_options
from nbtwisted.client.options.request import CANNOT_READ
from nbtwisted.client.proxies import Proxies
from nbtwisted.client.request.getting import Getter
from nbtwisted.client.request.request import Request
from nbtwisted.client.result import Result
from nbtwisted.client.results import output
from nbtwisted.client.results.answers import AnswerFolder, Answers, AnswerStream
from nbtwisted.client.results.outcome import Outcome
from nbtwisted.client.results.records import CannotResume
from nbtwisted.client.target import Target, shown
from nbtwisted.client.terminal.meanwhile import shown_meanwhile
from nbtwisted.command_line import (
    CANNOT_WRITE,
    abandon,
    end_when_told,
    open_files_left,
    say,
    write_all_of,
)
from nbtwisted.gc_tuning import collect_seldom, leave_startup_to_itself

if TYPE_CHECKING:
    from nbtwisted.client.results.recording import Recording
    from nbtwisted.client.results.resuming import ResumedFile
    from nbtwisted.client.terminal.live import LiveWaterfall
    from nbtwisted.client.terminal.progress import ProgressLine

__all__ = ["main"]

_BAD_FILE = 58
"""curl's exit code for a certificate or key that cannot be used."""

_AHEAD = 1000
"""Responses that may be held back for one that was asked for before them."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Get what the arguments say; raises `SystemExit` with the exit code."""
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    # What cannot be written is said before anything is sent.
    try:
        if options.output is not None and options.resume is None:
            sys.stdout = open(options.output, "w", encoding="utf-8")  # noqa: SIM115
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed")
        sys.stdout = write_all_of(sys.stdout)
        resumed = _resumed(options)
        answers: Answers = resumed or _answers(options)
        recording = _recording(options)
    except CannotResume as error:
        _cannot_resume(error)
    except OSError as error:
        _complain(f"output: {_cannot_write(error)}")
        raise SystemExit(CANNOT_WRITE) from None
    # Opened before a signal is no longer the end of everything: a pipe to which nobody
    # writes yet is waited for.
    url_list = _list(options)
    at_once = int(min(options.concurrency, options.number))
    most = open_files_left()
    if at_once > most:  # pragma: no cover - its test leaves no files to coverage
        _complain(f"-c {at_once}: this process may open no more than for -c {most}")
    done = 0 if resumed is None else resumed.answered
    progress = shown_meanwhile(options, recording, done)
    if options.may_need_tls:
        # Before a request is sent, whose time its 60 ms would take.
        import_module("nbtwisted.client.connection.tls")
    run = _Run(
        options, min(at_once, most), url_list, answers, resumed, recording, progress
    )
    leave_startup_to_itself()
    collect_seldom()

    # The test of this kills what coverage would then write.
    def end_at_once(number: int, _: object) -> None:  # pragma: no cover
        # Whatever it hangs in. By a third one also if that is one of the files.
        signal.signal(number, signal.SIG_DFL)
        if recording is not None:
            # Python refuses to write to a file in the middle of a write to it.
            with suppress(OSError, RuntimeError):
                recording.close()
        signal.raise_signal(number)

    was_told = False

    def on_signal(number: int, frame: object) -> None:
        nonlocal was_told
        # The second may come while the first is taken.
        if was_told:  # pragma: no cover
            end_at_once(number, frame)
        was_told = True
        IReactorFromThreads(reactor).callFromThread(run.interrupt, 128 + number)

    async def begin(reactor: Any) -> None:
        # Once the reactor runs: it has its own descriptors and handlers by then, and
        # these replace the latter.
        running: Deferred[None] = Deferred()
        reactor.callWhenRunning(running.callback, None)
        await running
        end_when_told(on_signal)
        await run.start(reactor)

    react(begin)


def _list(options: Options) -> JobFile | None:
    if options.list is None:
        return None
    try:
        if options.list == "-" and sys.stdin is None:
            raise UnreadableList("standard input is closed")
        return JobFile(reactor, options.list, options.times, options.template)
    except UnreadableList as error:
        _cannot_read(options, error)


def _cannot_read(options: Options, error: UnreadableList) -> NoReturn:
    _complain(f"error: cannot read {options.list}: {error}")
    raise SystemExit(CANNOT_READ) from None


def _cannot_resume(error: Exception) -> NoReturn:
    _complain(f"error: {error}")
    raise SystemExit(CANNOT_READ) from None


def _resumed(options: Options) -> ResumedFile | None:
    if options.resume is None:
        return None
    from nbtwisted.client.results.resuming import ResumedFile  # 25 ms

    return ResumedFile(options.resume, options.output, fail=options.fail)


def _answers(options: Options) -> Answers:
    if options.output_dir is None:
        return AnswerStream(sys.stdout.buffer, options.format)
    try:
        return AnswerFolder(options.output_dir, options.format)
    except OSError as error:
        # Its own may name a file that it tried to make within.
        raise OSError(error.errno, error.strerror, options.output_dir) from None


def _recording(options: Options) -> Recording | None:
    files = {"report": options.report, "har": options.har, "trace": options.trace}
    if not options.timeline and all(path is None for path in files.values()):
        return None
    from nbtwisted.client.results.recording import Recording  # 15 ms

    return Recording(**files)


class _Run:
    """One run of the command."""

    def __init__(
        self,
        options: Options,
        concurrency: int,
        url_list: JobFile | None,
        answers: Answers,
        resumed: ResumedFile | None,
        recording: Recording | None,
        progress: LiveWaterfall | ProgressLine | None,
    ) -> None:
        self._options = options
        self._list = url_list
        self._answers = answers
        self._resumed = resumed
        self._unanswered: Unanswered | None = None
        self._recording = recording
        self._progress = progress
        self._drawing: LoopingCall | None = None
        self._concurrency = concurrency
        self._deliver = (
            output.InOrder(self._print).deliver
            if options.in_input_order
            else self._print
        )
        self._one_stream = _same_file(sys.stdout, sys.stderr)
        self._on_terminal = sys.stdout.isatty() and isinstance(answers, AnswerStream)
        done = 0 if self._resumed is None else self._resumed.answered
        self._outcome = Outcome(fail=options.fail, answered_before=done)
        self._exit_code: int | None = None
        self._cannot_write: str | None = None
        self._getter: Getter | None = None
        self._gathering: Deferred[None] | None = None

    def start(self, reactor: Any) -> Deferred[None]:
        """Send everything; fires when all is printed, by raising `SystemExit`."""
        options = self._options
        try:
            getter = Getter(
                reactor,
                connections=self._concurrency,
                more_to_come=options.number
                > min(self._concurrency, options.per_host or math.inf),
                **options.how,
            )
        # The files of TLS: said before anything is sent.
        except OSError as error:
            _complain(f"error: cannot read {error.filename}: {error.strerror}")
            raise SystemExit(_BAD_FILE) from None
        except ValueError as error:
            _complain(f"error: {error}")
            raise SystemExit(_BAD_FILE) from None
        self._getter = getter
        jobs: Jobs = self._list or Given(options.each_job())
        deliver: Callable[[int, Result], None] = self._take
        begun: Callable[[int, Request], None] | None = None
        if self._recording is not None:
            begun = self._recording.begin
        if self._resumed is not None:
            jobs = unanswered = Unanswered(
                reactor, jobs, self._resumed.is_answered, CannotResume
            )
            deliver, begun = unanswered.ended(deliver), unanswered.begun(begun)
            self._unanswered = unanswered
        self._gathering = gather(
            getter,
            jobs,
            concurrency=self._concurrency,
            per_host=options.per_host,
            deliver=deliver,
            begun=begun,
            # What is done before its turn is kept in memory.
            ahead=max(_AHEAD, 2 * self._concurrency)
            if options.in_input_order
            else math.inf,
        )
        if self._progress is not None:
            self._drawing = LoopingCall(self._draw_progress)
            self._drawing.clock = reactor
            # Not at once: what is over by then needs no picture.
            self._drawing.start(self._progress.interval, now=False)
        return self._gathering.addCallback(lambda _: self._finish())

    def interrupt(self, exit_code: int) -> None:
        """End all requests; what was answered is still printed."""
        self._exit_code = exit_code
        # In a turn of its own: who asks for this may be one of those to be cancelled,
        # and as long as it runs, it does not wait for anything that could be.
        reactor.callLater(0, self._cancel)

    def _cancel(self) -> None:
        assert self._gathering is not None, "interrupted before it was begun"
        self._gathering.cancel()

    def _take(self, index: int, result: Result) -> None:
        error = result.error
        self._outcome.count(index, result)
        exit_code = self._outcome.exit_code
        if self._options.fail_early and exit_code and self._exit_code is None:
            self.interrupt(exit_code)
        began = time.monotonic()
        if self._recording is not None and self._cannot_write is None:
            try:
                self._recording.end(index, result)
            except OSError as cannot_write:
                self._stop_writing(_cannot_write(cannot_write))
        if self._progress is not None and not isinstance(error, Interrupted):
            self._progress.count(failed=error is not None)
        self._deliver(index, result)
        self._could_not_read_since(began)

    def _draw_progress(self) -> None:
        assert self._progress is not None
        began = time.monotonic()
        self._progress.draw()
        self._could_not_read_since(began)

    def _could_not_read_since(self, began: float) -> None:
        """Take nothing of what passed since then from the deadlines of the requests.

        A slow reader of ours must not make responses late that came in time.
        """
        assert self._getter is not None, "a result without a request"
        self._getter.deadlines.postpone(time.monotonic() - began)

    def _stop_writing(self, why: str) -> None:
        self._cannot_write = why
        # A terminal that closes says so by a signal, and cannot be written then.
        if self._exit_code is None:
            self.interrupt(CANNOT_WRITE)

    def _print(self, index: int, result: Result) -> None:
        if self._cannot_write is not None:
            return
        try:
            with self._beside_progress(self._on_terminal):
                self._answers.write(index, result)
        except OSError as error:
            self._stop_writing(_cannot_write(error))
            return
        # Interruptions are counted at the end. And where both streams are one, a raw
        # error stands in its place already.
        if (
            result.error is not None
            and not isinstance(result.error, Interrupted)
            and not (self._options.format == "raw" and self._one_stream)
        ):
            with self._beside_progress():
                _complain(output.error_line(result))

    def _beside_progress(
        self, is_on_terminal: bool = True
    ) -> AbstractContextManager[None]:
        """Where something is written that must not end up in the line of progress."""
        if self._progress is None or not is_on_terminal:
            return nullcontext()
        return self._progress.hidden()

    def _finish(self) -> NoReturn:
        if self._drawing is not None and self._progress is not None:
            self._drawing.stop()
            self._progress.close()
        if self._cannot_write is None and self._options.timeline:
            self._draw()
        if self._recording is not None:
            try:
                for path in self._recording.close():
                    _complain(f"wrote {path}")
            except OSError as error:
                self._cannot_write = self._cannot_write or _cannot_write(error)
        if self._cannot_write is not None:
            _complain(f"output: {self._cannot_write}")
            abandon(sys.stdout)
            raise SystemExit(self._exit_code or CANNOT_WRITE)
        if self._list is not None and self._list.error is not None:
            _cannot_read(self._options, self._list.error)
        if self._resumed is not None:
            self._finish_resuming(self._resumed)
        if self._exit_code is not None:
            _complain(f"interrupted: {self._outcome.counts(self._options.number)}")
            raise SystemExit(self._exit_code)
        exit_code, answered = self._outcome.exit_code, self._outcome.answered
        if exit_code and not answered and self._options.url_named_by is not None:
            self._advise(exit_code)
        raise SystemExit(exit_code)

    def _finish_resuming(self, file: ResumedFile) -> None:
        assert self._unanswered is not None, "resumed without a list"
        try:
            if self._unanswered.error is not None:
                raise self._unanswered.error
            if self._exit_code is None:
                file.expect_length(self._unanswered.length)
                file.put_in_order()
        except CannotResume as error:
            _cannot_resume(error)
        except OSError as error:
            _complain(f"output: {_cannot_write(error)}")
            raise SystemExit(CANNOT_WRITE) from None
        if not file.is_new:
            _complain(f"resumed {file.path}: {self._outcome.resumed()}")

    def _advise(self, exit_code: int) -> None:
        """What to do where no URL was given, and nothing came of ours."""
        named_by = self._options.url_named_by
        url = shown(self._options.urls[0]) + (f" ({named_by})" if named_by else "")
        if exit_code in (ConnectFailed.exit_code, NameNotResolved.exit_code):
            proxies = self._options.how["proxies"] or Proxies()
            proxy = proxies.proxy_for(Target.parse(self._options.urls[0]).origin)
            # What the proxy had to do with it was said.
            if proxy is None:
                _complain(
                    f"nobody answers at {url}: start a server with 'nbtwisted serve', "
                    "or name a URL"
                )
        elif exit_code == BadURL.exit_code:
            _complain(f"{url}: expected a URL in {named_by}, or as an argument")

    def _draw(self) -> None:
        from nbtwisted.client.terminal.screen import Screen
        from nbtwisted.timeline import waterfall  # 6 ms, both

        # JSON on stdout is for a program, which would choke on a picture.
        stream = sys.stdout if self._options.format == "raw" else sys.stderr
        # The test of this closes what coverage then takes for its own files.
        if stream is None:  # pragma: no cover
            return
        assert self._recording is not None, "a picture of what nobody kept"
        sample = self._recording.sample
        if not sample.totals.number:
            return
        screen = Screen.of(stream, ascii_only=self._options.ascii_only)
        picture = waterfall(
            sample.spans,
            width=screen.width,
            colour=screen.colour,
            ascii_only=screen.ascii_only,
            totals=sample.totals,
        )
        try:
            stream.write("\n" + picture)
            stream.flush()
        # Tested where coverage cannot write its own files either.
        except OSError as error:  # pragma: no cover
            if stream is sys.stdout:
                self._cannot_write = _cannot_write(error)


def _cannot_write(error: OSError) -> str:
    file = "" if error.filename is None else f" {error.filename}"
    return f"cannot write{file}: {error.strerror}"


def _same_file(one: TextIO, other: TextIO) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):
        return False


def _complain(text: str) -> None:
    say(f"nbtwisted get: {text}")
