"""One run of `nbtwisted get`: what is counted, printed and said of its requests."""

from __future__ import annotations

import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from nbtwisted.client.errors import BadURL, ConnectFailed, NameNotResolved
from nbtwisted.client.many.job_list import Given, JobFile, Jobs, UnreadableList
from nbtwisted.client.many.unanswered import Unanswered
from nbtwisted.client.options.get import Options
from nbtwisted.client.options.request import CANNOT_READ
from nbtwisted.client.proxies import Proxies
from nbtwisted.client.results import output
from nbtwisted.client.results.answers import Answers, AnswerStream
from nbtwisted.client.results.ended import Ended
from nbtwisted.client.results.outcome import Outcome
from nbtwisted.client.results.records import CannotResume
from nbtwisted.client.running.complaining import cannot_write, complain
from nbtwisted.client.running.sending import Sending
from nbtwisted.client.target import Target, shown
from nbtwisted.command_line import CANNOT_WRITE, abandon

if TYPE_CHECKING:
    from nbtwisted.client.results.recording import Recording
    from nbtwisted.client.results.resuming import ResumedFile
    from nbtwisted.client.terminal.live import LiveWaterfall
    from nbtwisted.client.terminal.progress import ProgressLine

__all__ = ["Run", "cannot_read", "cannot_resume"]


def cannot_read(options: Options, error: UnreadableList) -> NoReturn:
    """Exit, because the list cannot be read."""
    complain(f"error: cannot read {options.list}: {error}")
    raise SystemExit(CANNOT_READ) from None


def cannot_resume(error: Exception) -> NoReturn:
    """Exit, because the run cannot go on with a file of records."""
    complain(f"error: {error}")
    raise SystemExit(CANNOT_READ) from None


class Run:
    """One run of the command."""

    def __init__(
        self,
        options: Options,
        sending: Sending,
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
        self._sending = sending
        self._deliver = (
            output.InOrder(self._print).deliver
            if options.in_input_order
            else self._print
        )
        self._one_stream = _same_file(sys.stdout, sys.stderr)
        self._on_terminal = sys.stdout.isatty() and isinstance(answers, AnswerStream)
        done = 0 if self._resumed is None else self._resumed.answered
        self._outcome = Outcome(answered_before=done)
        self._exit_code: int | None = None
        self._cannot_write: str | None = None
        self._reactor: Any = None
        self._gathering: Deferred[None] | None = None

    def start(self, reactor: Any) -> Deferred[None]:
        """Send everything; fires when all is printed, by raising `SystemExit`."""
        self._reactor = reactor
        jobs: Jobs = self._list or Given(self._options.each_job())
        begun = None if self._recording is None else self._recording.begin
        if self._resumed is not None:
            jobs = self._unanswered = Unanswered(
                reactor, jobs, self._resumed.is_answered, CannotResume
            )
        self._gathering = self._sending.start(reactor, jobs, self, begun)
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
        self._reactor.callLater(0, self._cancel)

    def _cancel(self) -> None:
        assert self._gathering is not None, "interrupted before it was begun"
        self._gathering.cancel()

    def take(self, index: int, what: tuple[Ended, Any]) -> None:
        """The request at this position has ended, in this way and with this answer."""
        ended, answer = what
        self._outcome.count(index, ended)
        exit_code = self._outcome.exit_code
        if self._options.fail_early and exit_code and self._exit_code is None:
            self.interrupt(exit_code)
        began = time.monotonic()
        if self._recording is not None and self._cannot_write is None:
            try:
                self._recording.end(index, answer)
            except OSError as error:
                self._stop_writing(cannot_write(error))
        if self._progress is not None and not ended.is_interrupted:
            self._progress.count(failed=bool(ended.error))
        self._deliver(index, what)
        self._sending.postpone(time.monotonic() - began)

    def flush(self) -> None:
        """Have written what was taken."""
        if self._cannot_write is None:
            try:
                self._answers.flush()
            except OSError as error:
                self._stop_writing(cannot_write(error))

    def stop_writing(self, error: OSError) -> None:
        """What was to be written elsewhere cannot be: the run ends by that."""
        self._stop_writing(cannot_write(error))

    def _draw_progress(self) -> None:
        assert self._progress is not None
        began = time.monotonic()
        self._progress.draw()
        self._sending.postpone(time.monotonic() - began)

    def _stop_writing(self, why: str) -> None:
        self._cannot_write = self._cannot_write or why
        # A terminal that closes says so by a signal, and cannot be written then.
        if self._exit_code is None:
            self.interrupt(CANNOT_WRITE)

    def _print(self, index: int, what: tuple[Ended, Any]) -> None:
        if self._cannot_write is not None:
            return
        ended, answer = what
        # It is asked for when the file is resumed.
        if ended.is_interrupted and self._resumed is not None:
            return
        try:
            if self._progress is None:
                self._sending.write(self._answers, index, answer)
            else:
                with self._beside_progress(self._on_terminal):
                    self._sending.write(self._answers, index, answer)
        except OSError as error:
            self._stop_writing(cannot_write(error))
            return
        # Interruptions are counted at the end. And where both streams are one, a raw
        # error stands in its place already.
        if ended.error and not (self._options.format == "raw" and self._one_stream):
            self.flush()
            with self._beside_progress():
                complain(ended.error)

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
                    complain(f"wrote {path}")
            except OSError as error:
                self._cannot_write = self._cannot_write or cannot_write(error)
        if self._cannot_write is not None:
            complain(f"output: {self._cannot_write}")
            abandon(sys.stdout)
            raise SystemExit(self._exit_code or CANNOT_WRITE)
        if self._list is not None and self._list.error is not None:
            cannot_read(self._options, self._list.error)
        if self._resumed is not None:
            self._finish_resuming(self._resumed)
        if self._exit_code is not None:
            complain(f"interrupted: {self._outcome.counts(self._options.number)}")
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
            cannot_resume(error)
        except OSError as error:
            complain(f"output: {cannot_write(error)}")
            raise SystemExit(CANNOT_WRITE) from None
        if not file.is_new:
            complain(f"resumed {file.path}: {self._outcome.resumed()}")

    def _advise(self, exit_code: int) -> None:
        """What to do where no URL was given, and nothing came of ours."""
        named_by = self._options.url_named_by
        url = shown(self._options.urls[0]) + (f" ({named_by})" if named_by else "")
        if exit_code in (ConnectFailed.exit_code, NameNotResolved.exit_code):
            proxies = self._options.how["proxies"] or Proxies()
            proxy = proxies.proxy_for(Target.parse(self._options.urls[0]).origin)
            # What the proxy had to do with it was said.
            if proxy is None:
                complain(
                    f"nobody answers at {url}: start a server with 'nbtwisted serve', "
                    "or name a URL"
                )
        elif exit_code == BadURL.exit_code:
            complain(f"{url}: expected a URL in {named_by}, or as an argument")

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
                self._cannot_write = cannot_write(error)


def _same_file(one: TextIO, other: TextIO) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):
        return False
