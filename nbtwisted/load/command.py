"""`nbtwisted load`: keeps a server busy, and says how it took it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import LoopingCall, deferLater, react

from nbtwisted import steady_clock
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.command_line import end_when_told, open_files_left, say
from nbtwisted.cores import usable_cores
from nbtwisted.gc_tuning import collect_seldom, leave_startup_to_itself
from nbtwisted.load.comparing.worsening import add_comparison
from nbtwisted.load.judging import lost_share
from nbtwisted.load.local import Local
from nbtwisted.load.options import Options, read_options
from nbtwisted.load.outputs import Outcome, Outputs
from nbtwisted.load.plan import Plan
from nbtwisted.load.reporting.report import report
from nbtwisted.load.running import Runner, Running
from nbtwisted.load.search.found_rate import sentence
from nbtwisted.load.searching import search_for_rate

if TYPE_CHECKING:
    from nbtwisted.load.progress import LiveLine

__all__ = ["main"]

NONE_ANSWERED = 1
PARTIAL = 1
LIMIT_PASSED = 99
"""k6's exit code for thresholds that were crossed."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command; raises `SystemExit`."""
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    most = open_files_left()
    # Workers look for themselves.
    if options.cluster is None and options.plan.connections > most:
        _complain(
            f"error: -c {options.plan.connections}: expected at most {most}, which is "
            "how many files this process may open besides its own (ulimit -n)"
        )
        raise SystemExit(2)
    outputs = Outputs(options)
    with ExitStack() as files:
        # What cannot be written is said before anything is sent.
        outputs.open(files)
        command = _Command(options, _runner(options), outputs)
        leave_startup_to_itself()
        collect_seldom()
        react(command.start)
    raise AssertionError("react() has returned")


def _runner(options: Options) -> Runner:
    place = options.cluster
    if place is None:
        return Local(reactor)
    # Whoever has no cluster does not wait for these to load.
    from nbtwisted.cluster.cluster import connect
    from nbtwisted.load.fleet.fleet import Fleet

    part = ["-m", "nbtwisted.load", "--part"]
    if options.reactor is not None:
        part += ["--reactor", options.reactor]
    most = options.plan.connections
    return Fleet(reactor, lambda: connect(reactor, place), part, most=most)


class _Command:
    """The command at work: one run or a search, from its beginning to its outputs."""

    def __init__(self, options: Options, runner: Runner, outputs: Outputs) -> None:
        self._options = options
        self._runner = runner
        self._outputs = outputs
        self._waiting: Deferred[None] | None = None
        """For a runner that begins, or for the next trial."""
        self._run: Running | None = None
        """That is going."""
        self._drawing: LoopingCall | None = None
        self._line: LiveLine | None = None
        self._exit_code: int | None = None
        """Of a signal that has come."""

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
        try:
            if not await self._wait(self._runner.begin()):
                _complain("interrupted: nothing was sent")
                raise SystemExit(self._exit_code)
            options = self._options
            outcome = (
                await search_for_rate(
                    options.plan,
                    options.goals,
                    partial(self._carry_out, reactor),
                    lambda: self._wait(deferLater(reactor, options.settle)),
                )
                if options.goals
                else await self._carry_out(reactor, options.plan)
            )
            self._end_drawing()
            self._outputs.write(outcome)
            exit_code = self._judge(outcome.report)
        except ClusterError as error:
            self._end_drawing()
            _complain(f"error: {error}")
            raise SystemExit(NONE_ANSWERED) from None
        finally:
            await self._runner.end()
        raise SystemExit(exit_code)

    async def _wait(self, until: Deferred[None]) -> bool:
        """Wait for it; returns whether nobody has interrupted that."""
        self._waiting = until
        try:
            await until
        except CancelledError:
            assert self._exit_code is not None, "cancelled by somebody else"
        self._waiting = None
        return self._exit_code is None

    async def _carry_out(self, reactor: Any, plan: Plan, title: str = "") -> Outcome:
        run = self._run = self._runner.new_run(plan, self._outputs.new_tally())
        self._draw(reactor, run, plan, title)
        await run.start()
        self._run = None
        began = steady_clock.now() - run.seconds
        return Outcome(self._report(run, plan), run.tally, began)

    def _draw(self, reactor: Any, run: Running, plan: Plan, title: str) -> None:
        if self._line is not None:
            self._line.follow(run, plan, title)
            return
        wanted = self._options.progress
        if wanted is False or sys.stderr is None:
            return
        if not (wanted or sys.stderr.isatty()):
            return
        # It takes a tenth of a second to load, which not everybody wants to wait for.
        from nbtwisted.load.progress import LiveLine

        self._line = LiveLine(sys.stderr, run, plan, title)
        self._drawing = LoopingCall(self._line.draw)
        self._drawing.clock = reactor
        self._drawing.start(self._line.interval, now=False)

    def _end_drawing(self) -> None:
        if self._drawing is not None and self._line is not None:
            self._drawing.stop()
            self._line.close()

    def _interrupt(self, exit_code: int) -> None:
        self._exit_code = exit_code
        if self._run is not None:
            self._run.stop()
        elif self._waiting is not None:
            self._waiting.cancel()

    def _report(self, run: Running, plan: Plan) -> dict[str, Any]:
        options = self._options
        found = report(
            run.tally,
            seconds=run.seconds,
            cpu_share=run.cpu_share,
            connections=plan.connections,
            rate=plan.rate,
            timeout=options.timeout,
            urls=options.urls,
            urls_left_out=options.urls_left_out,
            methods=run.methods,
            weights=options.weights,
            interrupted=self._exit_code is not None,
            conditions=options.fail_if,
            arrivals=plan.open_loop,
            workers=run.workers,
            cores=usable_cores(),
        )
        if options.earlier is not None:
            assert run.tally.series is not None, "nothing to compare"
            add_comparison(
                found,
                options.earlier,
                run.tally.series.intervals,
                options.worsenings,
                options.fail_if,
            )
        return found

    def _judge(self, found: dict[str, Any]) -> int:
        rate = found["found_rate"]
        if found["partial"] is not None:
            _complain(f"partial: {lost_share(found['partial'])}: {_why_lost(found)}")
        if self._exit_code is not None:
            so_far = f"{found['answered']} answered"
            if rate is not None:
                so_far = f"highest rate so far: {sentence(rate)}"
            _complain(f"interrupted: {so_far}")
            return self._exit_code
        if rate is not None and rate["error"] is not None:
            _complain(f"error: {rate['error']}")
            return NONE_ANSWERED
        if not found["answered"]:
            worst = found["errors"][0] if found["errors"] else None
            reason = f"{worst['phase']}: {worst['message']}" if worst else "none sent"
            if found["partial"] is not None and worst is None:
                reason = lost_share(found["partial"])
            _complain(f"error: no request was answered: {reason}")
            return NONE_ANSWERED
        if rate is not None and rate["rate"] is None:
            _complain(f"failed: highest rate: {sentence(rate)}")
            return LIMIT_PASSED
        failed = [each for each in found["conditions"] if each["holds"]]
        for each in failed:
            _complain(f"failed: {each['text']}: it is {each['shown']}")
        if failed:
            return LIMIT_PASSED
        return 0 if found["partial"] is None else PARTIAL


def _why_lost(found: dict[str, Any]) -> str:
    """What became of the first of the workers that were lost."""
    return next(str(each["lost"]) for each in found["workers"] if each["lost"])


def _complain(message: str) -> None:
    say(f"nbtwisted: {message}")
