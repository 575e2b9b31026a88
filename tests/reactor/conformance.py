"""Runs Twisted's own tests on our reactors, and on Twisted's beside them.

`make conformance`, or for other reactors (`ROWS` has them all) and fewer suites:

    make conformance CONFORMANCE='poll+trace --suite twisted.internet.test'

Prints a table of how they ended; exits with 1 if a test has failed, or was skipped, on
one of ours and not on its counterpart of Twisted's. The tests are those which Twisted
has for every reactor (`twisted.internet.test`), and its suites of twisted.web, of TLS
and of TCP with our reactor as the global one.

Warnings are errors. Tests that fail for that on Twisted's reactor, most of which are
about warnings, are run on each without. What fails on ours alone may be a machine that
is busy, and is run once more, when nothing else does.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import twisted.internet.test
import twisted.web.test

import twisted

FOR_EVERY_REACTOR = "twisted.internet.test"
SUITES = {
    FOR_EVERY_REACTOR: [[FOR_EVERY_REACTOR]],
    # In two parts: between two tests, asyncio's reactor waits for 20 ms.
    "twisted.web": [
        [
            f"twisted.web.test.{module.name}"
            for module in pkgutil.iter_modules(twisted.web.test.__path__)
            if module.name.startswith("test_")
        ][part::2]
        for part in (0, 1)
    ],
    "twisted.protocols.test.test_tls": [["twisted.protocols.test.test_tls"]],
    "twisted.test.test_tcp": [["twisted.test.test_tcp"]],
}
"""By name, the parts that a suite is run in."""
BY_HAND = {
    # On uvloop, which takes SIGCHLD, Twisted's own reactor learns of no process's end:
    # each test of one waits for its two minutes.
    "without-processes": [
        [
            f"{FOR_EVERY_REACTOR}.{module.name}"
            for module in pkgutil.iter_modules(twisted.internet.test.__path__)
            if module.name.startswith("test_")
            and not re.search("process|sigchld|stdio", module.name)
        ]
    ],
}
"""Others, which are run if they are named."""
SECONDS = 900
AT_ONCE = 3 * (os.cpu_count() or 1)
"""How many processes: most of them wait."""


@dataclass(frozen=True)
class Row:
    """A reactor that suites are run on."""

    twisteds: str
    """The class of Twisted's that it is, or that it stands for."""
    ours: str = ""
    """The class of ours."""
    plugin: str = ""
    """What trial knows it by."""
    counterpart: str = ""
    """The row that it is compared with; none for Twisted's own."""
    traced: bool = False
    """Whether it is one of Twisted's that is traced, as by `nbtwisted trace`."""
    loop: str = "asyncio"
    """The loop of those which have one."""


_EPOLL = "twisted.internet.epollreactor.EPollReactor"
_POLL = "twisted.internet.pollreactor.PollReactor"
_ASYNCIO = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"
_EAGER = "nbtwisted.reactor.eager.EagerEPollReactor"
_TRACED = "nbtwisted.reactor.traced.TracedReactor"
_EAGER_ASYNCIO = "nbtwisted.reactor.eager_asyncio.EagerAsyncioReactor"
_TRACED_ASYNCIO = "nbtwisted.reactor.traced_asyncio.TracedAsyncioReactor"

ROWS = {
    "epoll": Row(_EPOLL, plugin="epoll"),
    "eager": Row(_EPOLL, _EAGER, "eager", "epoll"),
    "traced": Row(_EPOLL, _TRACED, "traced", "epoll"),
    "asyncio": Row(_ASYNCIO, plugin="asyncio"),
    "eager-asyncio": Row(_ASYNCIO, _EAGER_ASYNCIO, "eager-asyncio", "asyncio"),
    "traced-asyncio": Row(_ASYNCIO, _TRACED_ASYNCIO, "traced-asyncio", "asyncio"),
    # As `nbtwisted trace` has them.
    "epoll+trace": Row(_EPOLL, "", "epoll", "epoll", traced=True),
    "asyncio+trace": Row(_ASYNCIO, "", "asyncio", "asyncio", traced=True),
    "poll": Row(_POLL, plugin="poll"),
    "poll+trace": Row(_POLL, "", "poll", "poll", traced=True),
    # They need uvloop.
    "uvloop": Row(_ASYNCIO, plugin="asyncio", loop="uvloop"),
    "eager-uvloop": Row(
        _ASYNCIO, _EAGER_ASYNCIO, "eager-asyncio", "uvloop", loop="uvloop"
    ),
    "traced-uvloop": Row(
        _ASYNCIO, _TRACED_ASYNCIO, "traced-asyncio", "uvloop", loop="uvloop"
    ),
    "uvloop+trace": Row(_ASYNCIO, "", "asyncio", "uvloop", traced=True, loop="uvloop"),
}
USUAL = ["epoll", "eager", "traced", "asyncio", "eager-asyncio", "traced-asyncio"]

PREPARE = """
import asyncio
import importlib
import sys
import warnings
from twisted.internet import main

def prepare(twisteds, ours, is_traced, loop):
    '''Have this process run on a reactor: whoever asks for Twisted's gets it.'''
    if loop == "uvloop":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.set_event_loop(asyncio.new_event_loop())
    module, name = twisteds.rsplit(".", 1)
    if is_traced:
        from nbtwisted.reactor.adopting import trace_whichever_comes
        from nbtwisted.reactor.tracing.traced_reactor import Settings

        trace_whichever_comes(Settings(summary=False))
    elif ours:
        ours_module, ours_name = ours.rsplit(".", 1)
        kind = getattr(importlib.import_module(ours_module), ours_name)
        setattr(importlib.import_module(module), name, kind)

install_reactor = main.installReactor
twisteds, ours, is_traced, loop = sys.argv[1:5]
del sys.argv[1:5]
prepare(twisteds, ours, is_traced == "True", loop)
"""

TRIAL = (
    PREPARE
    + """
from twisted.scripts import trial
from twisted.trial.runner import TrialRunner

is_global, warnings_become = sys.argv[1:3]
del sys.argv[1:3]
if is_global == "False":
    from twisted.internet.test import reactormixins

    if twisteds.endswith("AsyncioSelectorReactor"):
        # It gives each a loop of its own.
        twisteds = "twisted.internet.test.reactormixins.AsyncioSelectorReactor"
    reactormixins.ReactorBuilder._reactors = [twisteds]
    # Some install what is no reactor, which cannot be traced.
    main.installReactor = install_reactor
run = TrialRunner.run

def run_what_was_imported(self, tests):
    # Trial fails a test for each warning that it has not expected.
    warnings.simplefilter(warnings_become)
    # These come in whichever test the garbage of an earlier one is collected.
    warnings.simplefilter("ignore", ResourceWarning)
    return run(self, tests)

TrialRunner.run = run_what_was_imported
trial.run()
"""
)


@dataclass
class Result:
    """How tests have ended on one reactor."""

    ran: int = 0
    failed: set[str] = field(default_factory=set)
    skipped: int = 0

    def __add__(self, other: Result) -> Result:
        return Result(
            self.ran + other.ran,
            self.failed | other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        return f"{self.ran - self.skipped} ran, {len(self.failed)} bad"


def prepared(name: str) -> list[str]:
    """What a script that begins with `PREPARE` is to be told of a row."""
    row = ROWS[name]
    return [row.twisteds, row.ours, str(row.traced), row.loop]


def environment(name: str) -> dict[str, str]:
    """What a process that runs on a row's reactor has."""
    return {**os.environ, "NBTWISTED_LOOP": ROWS[name].loop}


def run(trial: Sequence[str], tests: Iterable[str], env: Mapping[str, str]) -> Result:
    """Run some tests by trial; raises `RuntimeError` if it did not come to its end."""
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [
                *trial,
                "--reporter=verbose",
                f"--temp-directory={folder}/trial",
                *sorted(tests),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
            env=env,
        )
    printed = ended.stdout
    ran = re.search(r"^Ran (\d+) tests", printed, re.M)
    if ran is None:
        raise RuntimeError(f"{' '.join(trial)} did not end:\n{printed[-3000:]}")
    # Failures are told in full, behind all results, and named below.
    details = printed.split("=" * 79)[1:]
    failed = set()
    for detail in details:
        if detail.lstrip().startswith(("[FAIL]", "[ERROR]")):
            failed |= set(re.findall(r"^(\w+(?:\.\w+){2,})$", detail, re.M))
    skipped = re.search(r"skips=(\d+)", printed)
    return Result(int(ran[1]), failed, int(skipped[1]) if skipped else 0)


def run_on(name: str, suite: str, strictly: bool, tests: Iterable[str]) -> Result:
    """Run some tests of a suite of Twisted's on a reactor."""
    # Where the reactor is not the global one, the tests make one each.
    is_global = suite not in (FOR_EVERY_REACTOR, *BY_HAND)
    command = [sys.executable, "-W", "ignore", "-c", TRIAL, *prepared(name)]
    command += [str(is_global), "error" if strictly else "ignore"]
    command += [f"--reactor={ROWS[name].plugin}"] * is_global
    return run(command, tests, environment(name))


def main() -> None:
    """Raises `SystemExit`."""
    names, suites, _ = named_reactors(SUITES, BY_HAND)
    print(f"Twisted {twisted.__version__}, Python {sys.version.split()[0]}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        parts = {
            (suite, name): [
                pool.submit(run_on, name, suite, True, part)
                for part in {**SUITES, **BY_HAND}[suite]
            ]
            for suite in suites
            for name in names
        }
        strictly = {
            which: sum((part.result() for part in running), Result())
            for which, running in parts.items()
        }
        about_warnings = {
            (suite, name): strictly[suite, ROWS[name].counterpart or name].failed
            for suite, name in strictly
        }
        plainly = {
            which: pool.submit(run_on, which[1], which[0], False, tests)
            for which, tests in about_warnings.items()
            if tests
        }
    worse: list[str] = []
    print(f"{'':<34}" + "".join(f"{name:>18}" for name in names))
    for suite in suites:
        results: dict[str, Result] = {}
        for name in names:
            which = suite, name
            result = strictly[which]
            failed = {True: result.failed - about_warnings[which]}
            if which in plainly:
                failed[False] = plainly[which].result().failed
            if ROWS[name].counterpart:
                stock = results[ROWS[name].counterpart]
                for is_strict, tests in failed.items():
                    only_here = tests - stock.failed
                    if only_here:
                        again = run_on(name, suite, is_strict, only_here).failed
                        failed[is_strict] = tests - (only_here - again)
            result.failed = set().union(*failed.values())
            results[name] = result
        print(f"{suite:<34}" + "".join(f"{results[name]!s:>18}" for name in names))
        worse += worse_than_counterparts(suite, results)
    end(worse)


def named_reactors(
    suites: Iterable[str], by_hand: Iterable[str] = ()
) -> tuple[list[str], list[str], bool]:
    """The rows and the suites that the command line names; counterparts come first.

    Returns with them whether the rows are the usual ones. Raises `SystemExit`.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("reactors", nargs="*", metavar="REACTOR")
    parser.add_argument("--suite", action="append", choices=[*suites, *by_hand])
    told = parser.parse_args()
    if unknown := set(told.reactors) - set(ROWS):
        parser.error(f"{unknown.pop()!r}: expected one of {', '.join(ROWS)}")
    names: dict[str, None] = {}
    for name in told.reactors or USUAL:
        names |= {ROWS[name].counterpart or name: None, name: None}
    return list(names), told.suite or list(suites), not told.reactors


def worse_than_counterparts(suite: str, results: Mapping[str, Result]) -> list[str]:
    """Lines about what has ended in another way than on Twisted's reactor."""
    worse: list[str] = []
    for name, result in results.items():
        stock = results[ROWS[name].counterpart or name]
        only_here = sorted(result.failed - stock.failed)
        worse += [f"{suite}: only on {name}: {test}" for test in only_here]
        if (result.ran, result.skipped) != (stock.ran, stock.skipped):
            worse.append(
                f"{suite}: on {name}, {result.ran} tests, of which {result.skipped} "
                f"were skipped, and not {stock.ran} and {stock.skipped}"
            )
    return worse


def end(worse: Sequence[str]) -> None:
    """Say what is worse on ours, and raise `SystemExit`."""
    print("\n".join(worse), end="\n" if worse else "")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
