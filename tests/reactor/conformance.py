"""Runs Twisted's own tests on our reactors, and on Twisted's beside them.

`make conformance`. Prints a table of how they ended; exits with 1 if one has failed
on ours that has not failed on Twisted's. The tests are those which Twisted has for
every reactor (`twisted.internet.test`), and its suites of twisted.web and of TLS with
our reactor as the global one.

Warnings are errors. Tests that fail for that on Twisted's reactor, most of which are
about warnings, are run on each without. What fails on ours alone may be a machine that
is busy, and is run once more.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import twisted

STOCK = "epoll"
REACTORS = {
    STOCK: "twisted.internet.epollreactor.EPollReactor",
    "eager": "nbtwisted.reactor.eager.EagerEPollReactor",
    "traced": "nbtwisted.reactor.traced.TracedReactor",
}
FOR_EVERY_REACTOR = "twisted.internet.test"
SUITES = ["twisted.web", "twisted.protocols.test.test_tls", "twisted.test.test_tcp"]
SECONDS = 900

TRIAL = """
import sys
import warnings
from twisted.python.reflect import namedAny
from twisted.scripts import trial
from twisted.trial.runner import TrialRunner

name, warnings_become = sys.argv[1:3]
del sys.argv[1:3]
if name:
    from twisted.internet.test import reactormixins

    # One test asks for the class by its name, to know that epoll can do nothing about
    # the loss of a descriptor; so ours goes by it, too.
    kind = type("EPollReactor", (namedAny(name),), {})
    kind.__module__ = "__main__"
    sys.modules["__main__"].EPollReactor = kind
    reactormixins.ReactorBuilder._reactors = ["__main__.EPollReactor"]
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


@dataclass
class Result:
    """How a suite has ended on one reactor."""

    ran: int
    failed: set[str]
    skipped: int


def run(trial: Sequence[str], tests: Iterable[str]) -> Result:
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


def run_on(reactor: str, suite: str, strictly: bool, tests: Iterable[str]) -> Result:
    """Run some tests of a suite of Twisted's on a reactor."""
    # Where the reactor is not the global one, the tests make one each.
    is_global = suite != FOR_EVERY_REACTOR
    command = [sys.executable, "-W", "ignore", "-c", TRIAL]
    command += ["" if is_global else REACTORS[reactor]]
    command += ["error" if strictly else "ignore"]
    return run([*command, *[f"--reactor={reactor}"] * is_global], tests)


def run_on_each(
    suite: str, strictly: bool, tests: Collection[str]
) -> dict[str, Result]:
    """Run them on all reactors, as many at a time as there are cores."""
    if not tests:
        return {reactor: Result(0, set(), 0) for reactor in REACTORS}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(
            lambda reactor: run_on(reactor, suite, strictly, tests), REACTORS
        )
        return dict(zip(REACTORS, results, strict=True))


def main() -> None:
    """Raises `SystemExit`."""
    print(f"Twisted {twisted.__version__}, Python {sys.version.split()[0]}")
    print(f"{'':<34}" + "".join(f"{reactor:>18}" for reactor in REACTORS))
    worse: list[str] = []
    for suite in [FOR_EVERY_REACTOR, *SUITES]:
        strictly = run_on_each(suite, True, [suite])
        about_warnings = strictly[STOCK].failed
        plainly = run_on_each(suite, False, about_warnings)
        columns = ""
        for reactor, result in strictly.items():
            failed = {
                True: result.failed - about_warnings,
                False: plainly[reactor].failed,
            }
            for is_strict, tests in failed.items():
                only_here = tests - plainly[STOCK].failed
                if only_here:
                    again = run_on(reactor, suite, is_strict, only_here).failed
                    failed[is_strict] = tests - (only_here - again)
                    worse += [f"{suite}: only on {reactor}: {test}" for test in again]
            if result.ran != strictly[STOCK].ran:
                worse.append(f"{suite}: {result.ran} tests on {reactor}")
            bad = sum(map(len, failed.values()))
            columns += f"{f'{result.ran - result.skipped} ran, {bad} bad':>18}"
        print(f"{suite:<34}{columns}", flush=True)
    print("\n".join(sorted(worse)), end="\n" if worse else "")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
