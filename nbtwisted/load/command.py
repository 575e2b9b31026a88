"""`nbtwisted load`: keeps a server busy, and says how it took it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NoReturn, TextIO

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import LoopingCall, react

from nbtwisted import steady_clock
from nbtwisted.command_line import (
    CANNOT_WRITE,
    abandon,
    can_encode,
    end_when_told,
    open_files_left,
    say,
    write_all_of,
)
from nbtwisted.gc_tuning import collect_seldom, leave_startup_to_itself
from nbtwisted.load.hgrm import hgrm
from nbtwisted.load.options import Options, read_options
from nbtwisted.load.report import report, text
from nbtwisted.load.running import Run
from nbtwisted.load.series import Series
from nbtwisted.load.tally import Tally
from nbtwisted.printable import printable

__all__ = ["main"]

NONE_ANSWERED = 1
LIMIT_PASSED = 99
"""k6's exit code for thresholds that were crossed."""

LONGEST_PATH = 4096
"""Characters of a path that are shown, which is as many as Linux takes."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command; raises `SystemExit`."""
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    most = open_files_left()
    if options.plan.connections > most:
        _complain(
            f"error: -c {options.plan.connections}: expected at most {most}, which is "
            "how many files this process may open besides its own (ulimit -n)"
        )
        raise SystemExit(2)
    if sys.stdout is None:
        _complain("error: cannot write: standard output is closed")
        raise SystemExit(CANNOT_WRITE)
    sys.stdout = write_all_of(sys.stdout)
    with ExitStack() as files:
        # What cannot be written is said before anything is sent.
        outputs = {
            path: sys.stdout if path == "-" else files.enter_context(_open(path))
            for path in (options.json, options.hdr, options.plot)
            if path is not None
        }
        # What nobody looks at is not kept.
        series = None if options.plot is None else Series()
        run = Run(reactor, options.plan, tally=Tally(series))
        command = _Command(options, run, outputs)
        leave_startup_to_itself()
        collect_seldom()
        react(command.start)
    raise AssertionError("react() has returned")


class _Command:
    """One run of the command."""

    def __init__(self, options: Options, run: Run, outputs: dict[str, TextIO]) -> None:
        self._options = options
        self._run = run
        self._outputs = outputs
        self._drawing: LoopingCall | None = None
        self._line: Any = None
        self._exit_code: int | None = None

    async def start(self, reactor: Any) -> None:
        """Begin; ends when all is over, by raising `SystemExit`."""
        running: Deferred[None] = Deferred()
        reactor.callWhenRunning(running.callback, None)
        await running

        def on_signal(number: int, _: object) -> None:
            # A second one ends the process at once.
            signal.signal(number, signal.SIG_DFL)
            IReactorFromThreads(reactor).callFromThread(self._interrupt, 128 + number)

        end_when_told(on_signal)
        self._begin_drawing(reactor)
        await self._run.start()
        self._finish()

    def _begin_drawing(self, reactor: Any) -> None:
        wanted = self._options.progress
        if wanted is False or sys.stderr is None:
            return
        if not (wanted or sys.stderr.isatty()):
            return
        # It takes a tenth of a second to load, which not everybody wants to wait for.
        from nbtwisted.load.progress import LiveLine

        self._line = LiveLine(sys.stderr, self._run, self._options.plan)
        self._drawing = LoopingCall(self._line.draw)
        self._drawing.clock = reactor
        self._drawing.start(self._line.interval, now=False)

    def _interrupt(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._run.stop()

    def _finish(self) -> NoReturn:
        if self._drawing is not None:
            self._drawing.stop()
            self._line.close()
        options, plan, run = self._options, self._options.plan, self._run
        found = report(
            run.tally,
            seconds=run.seconds,
            cpu_share=run.cpu_share,
            connections=plan.connections,
            rate=plan.rate,
            timeout=options.timeout,
            urls=options.urls,
            urls_left_out=len(plan.requests) - len(options.urls),
            methods=run.methods,
            interrupted=self._exit_code is not None,
            conditions=options.fail_if,
        )
        errors = self._write(found)
        if errors:
            _complain(f"error: cannot write: {errors[0].strerror}")
            raise SystemExit(CANNOT_WRITE)
        raise SystemExit(self._judge(found))

    def _write(self, found: dict[str, Any]) -> list[OSError]:
        """Write what was asked for; returns what went wrong.

        What cannot be written keeps nothing else from being written.
        """
        options, tally, outputs = self._options, self._run.tally, self._outputs
        wanted: list[tuple[TextIO, str]] = []
        if options.json is not None:
            as_json = json.dumps(found, indent=2, allow_nan=False)
            wanted.append((outputs[options.json], f"{as_json}\n"))
        if options.hdr is not None:
            wanted.append((outputs[options.hdr], hgrm(tally.latencies.histogram)))
        if options.plot is not None:
            wanted.append((outputs[options.plot], self._page(found)))
        if "-" not in outputs:
            bar = "■" if can_encode(sys.stdout, "■") else "#"
            wanted.append((sys.stdout, text(found, tally, bar=bar)))
        errors = []
        for file, content in wanted:
            try:
                file.write(content)
                file.flush()
            except OSError as error:
                errors.append(error)
                abandon(file)
            else:
                if options.plot is not None and file is outputs[options.plot]:
                    _complain(f"wrote {_shown(options.plot)}")
        return errors

    def _page(self, found: dict[str, Any]) -> str:
        # Whoever wants no page does not wait for this to load.
        from nbtwisted.timeline.load_page import load_page

        tally = self._run.tally
        assert tally.series is not None
        bins = tally.series.bins()
        return load_page(
            found,
            began=steady_clock.now() - self._run.seconds,
            intervals=[each.as_json() for each in bins],
            rates=None
            if len(bins) == len(tally.series.intervals)
            else [each.as_json(latencies=False) for each in tally.series.intervals],
            curves={
                "latency": tally.latencies.curve(),
                "uncorrected": None if found["rate"] is None else tally.service.curve(),
            },
            conditions=found["conditions"],
        )

    def _judge(self, found: dict[str, Any]) -> int:
        if self._exit_code is not None:
            _complain(f"interrupted: {found['answered']} answered")
            return self._exit_code
        if not found["answered"]:
            worst = found["errors"][0] if found["errors"] else None
            reason = f"{worst['phase']}: {worst['message']}" if worst else "none sent"
            _complain(f"error: no request was answered: {reason}")
            return NONE_ANSWERED
        failed = [each for each in found["conditions"] if each["holds"]]
        for each in failed:
            _complain(f"failed: {each['text']}: it is {each['shown']}")
        return LIMIT_PASSED if failed else 0


def _open(path: str) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        _complain(f"error: cannot write {_shown(path)}: {error.strerror}")
        raise SystemExit(CANNOT_WRITE) from None


def _shown(path: str) -> str:
    return printable(path, longest=LONGEST_PATH)


def _complain(message: str) -> None:
    say(f"nbtwisted: {message}")
