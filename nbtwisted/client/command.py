"""`nbtwisted get`: sends the requests, prints the responses, draws the picture."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import react

from nbtwisted.client.many.job_list import JobFile, UnreadableList
from nbtwisted.client.options.get import Options, read_options
from nbtwisted.client.results.answers import AnswerFolder, Answers, AnswerStream
from nbtwisted.client.results.records import CannotResume
from nbtwisted.client.running.complaining import cannot_write, complain
from nbtwisted.client.running.run import Run, cannot_read, cannot_resume
from nbtwisted.client.running.sending import FromHere, Sending
from nbtwisted.client.terminal.meanwhile import shown_meanwhile
from nbtwisted.command_line import (
    CANNOT_WRITE,
    end_when_told,
    open_files_left,
    write_all_of,
)
from nbtwisted.gc_tuning import collect_seldom, leave_startup_to_itself

if TYPE_CHECKING:
    from nbtwisted.client.results.recording import Recording
    from nbtwisted.client.results.resuming import ResumedFile

__all__ = ["main"]


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
        cannot_resume(error)
    except OSError as error:
        complain(f"output: {cannot_write(error)}")
        raise SystemExit(CANNOT_WRITE) from None
    # Opened before a signal is no longer the end of everything: a pipe to which nobody
    # writes yet is waited for.
    url_list = _list(options)
    sending = _sending(options)
    done = 0 if resumed is None else resumed.answered
    progress = shown_meanwhile(options, recording, done)
    run = Run(options, sending, url_list, answers, resumed, recording, progress)
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


def _sending(options: Options) -> Sending:
    if options.cluster is not None:
        from nbtwisted.client.running.from_cluster import FromCluster  # 50 ms

        return FromCluster(options)
    at_once = int(min(options.concurrency, options.number))
    most = open_files_left()
    if at_once > most:  # pragma: no cover - its test leaves no files to coverage
        complain(f"-c {at_once}: this process may open no more than for -c {most}")
    if options.may_need_tls:
        # Before a request is sent, whose time its 60 ms would take.
        import_module("nbtwisted.client.connection.tls")
    return FromHere(options, min(at_once, most))


def _list(options: Options) -> JobFile | None:
    if options.list is None:
        return None
    try:
        if options.list == "-" and sys.stdin is None:
            raise UnreadableList("standard input is closed")
        return JobFile(reactor, options.list, options.times, options.template)
    except UnreadableList as error:
        cannot_read(options, error)


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
