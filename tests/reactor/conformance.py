"""Runs Twisted's own tests on our reactor, and on Twisted's beside it.

`make conformance`. Prints a table of how they ended; exits with 1 if one has failed
on ours that has not failed on Twisted's. The tests are those which Twisted has for
every reactor (`twisted.internet.test`), and its suites of twisted.web and of TLS with
our reactor as the global one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import twisted

STOCK = "twisted.internet.epollreactor.EPollReactor"
EAGER = "nbtwisted.reactor.eager.EagerEPollReactor"
SUITES = ["twisted.web", "twisted.protocols.test.test_tls", "twisted.test.test_tcp"]
SECONDS = 900

FOR_EVERY_REACTOR = """
import sys
from twisted.internet.test import reactormixins
from twisted.python.reflect import namedAny
from twisted.scripts import trial
from twisted.trial.runner import TestLoader
from twisted.trial.unittest import TestCase

# One test asks for the class by its name, to know that epoll can do nothing about the
# loss of a descriptor; so ours goes by it, too.
kind = type("EPollReactor", (namedAny(sys.argv.pop(1)),), {})
kind.__module__ = "__main__"
sys.modules["__main__"].EPollReactor = kind
reactormixins.ReactorBuilder._reactors = ["__main__.EPollReactor"]
trial.run()
"""


@dataclass
class Result:
    """How a suite has ended on one reactor."""

    ran: int
    failed: set[str]
    skipped: int


def run(*command: str) -> Result:
    """Run trial; raises `RuntimeError` if it did not come to its end."""
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [*command, "--reporter=verbose", f"--temp-directory={folder}/trial"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    printed = ended.stdout
    ran = re.search(r"^Ran (\d+) tests", printed, re.M)
    if ran is None:
        raise RuntimeError(f"{' '.join(command[-2:])} did not end:\n{printed[-3000:]}")
    # Failures are told in full, behind all results, and named below.
    details = printed.split("=" * 79)[1:]
    failed = set()
    for detail in details:
        if detail.lstrip().startswith(("[FAIL]", "[ERROR]")):
            failed |= set(re.findall(r"^(\w+(?:\.\w+){2,})$", detail, re.M))
    skipped = re.search(r"skips=(\d+)", printed)
    return Result(int(ran[1]), failed, int(skipped[1]) if skipped else 0)


def main() -> None:
    """Raises `SystemExit`."""
    print(f"Twisted {twisted.__version__}, Python {sys.version.split()[0]}")
    print(f"{'':<38} {'epoll':>18} {'eager':>18}")
    python = [sys.executable, "-W", "ignore"]
    worse: dict[str, set[str]] = {}
    for suite in ["twisted.internet.test", *SUITES]:
        if suite == "twisted.internet.test":
            each = [
                run(*python, "-c", FOR_EVERY_REACTOR, reactor, suite)
                for reactor in (STOCK, EAGER)
            ]
        else:
            trial = [*python, "-m", "twisted.trial"]
            each = [run(*trial, f"--reactor={r}", suite) for r in ("epoll", "eager")]
        columns = [
            f"{result.ran - result.skipped} ran, {len(result.failed)} bad"
            for result in each
        ]
        print(f"{suite:<38} {columns[0]:>18} {columns[1]:>18}", flush=True)
        worse[suite] = each[1].failed - each[0].failed
        if each[0].ran != each[1].ran:
            worse[suite].add(f"{each[0].ran} tests on epoll, {each[1].ran} on eager")
    for suite, names in worse.items():
        for name in sorted(names):
            print(f"{suite}: only on eager: {name}")
    sys.exit(1 if any(worse.values()) else 0)


if __name__ == "__main__":
    main()
