"""Runs Klein's, treq's, Autobahn's and Scrapy's own tests on our reactors.

`make suites`, or for others (`conformance.ROWS` has them all):

    make suites SUITES='uvloop eager-uvloop --suite scrapy'

Prints a table of how they ended; exits with 1 if a test has failed, or was skipped, on
one of ours and not on its counterpart of Twisted's. The tests are those that come with
the packages, but for treq's against an httpbin, which is not among ours. Scrapy's are
in its source, and a selection: those that download, over its default reactor's loop.
"""

from __future__ import annotations

import pkgutil
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import treq.test

from tests.reactor.conformance import (
    AT_ONCE,
    PREPARE,
    ROWS,
    SECONDS,
    Result,
    end,
    environment,
    named_reactors,
    prepared,
    run,
    worse_than_counterparts,
)

SCRAPY = Path(sys.prefix, "scrapy")
"""Where its source is."""

BY_PYTEST = (
    PREPARE
    + """
import pytest

sys.path.insert(0, "")
sys.exit(pytest.main())
"""
)


def by_trial(*modules: str) -> Callable[[str, Collection[str]], Result]:
    """Runs tests by trial: those that are given, or all of some modules."""

    def run_on(name: str, tests: Collection[str]) -> Result:
        trial = [sys.executable, "-W", "ignore", "-m", "twisted.trial"]
        if ROWS[name].traced:
            trial[3:] = ["-m", "nbtwisted", "trace", "-m", "twisted.trial"]
        trial.append(f"--reactor={ROWS[name].plugin}")
        env = {**environment(name), "USE_TWISTED": "1"}
        return run(trial, tests or modules, env)

    return run_on


def by_pytest(*modules: str) -> Callable[[str, Collection[str]], Result]:
    """The same by pytest, of Scrapy's."""

    def run_on(name: str, tests: Collection[str]) -> Result:
        has_loop = ROWS[name].plugin.endswith("asyncio")
        with tempfile.TemporaryDirectory() as folder:
            # Tests write beside themselves.
            source = Path(shutil.copytree(SCRAPY, Path(folder, "scrapy")))
            report = Path(folder, "report.xml")
            ended = subprocess.run(
                [
                    *[sys.executable, "-c", BY_PYTEST, *prepared(name)],
                    *["-q", "-p", "no:cacheprovider", "-p", "no:nbtwisted"],
                    # What was imported with our reactors.
                    *["-W", "ignore:Module already imported"],
                    f"--reactor={'asyncio' if has_loop else 'default'}",
                    *["--timeout=60", f"--junitxml={report}", f"--basetemp={folder}/t"],
                    *["-m", "not requires_internet and not requires_mitmproxy"],
                    # Each of these starts a server.
                    *["-k", "not Proxy and not TLSVersion"],
                    *(sorted(tests) or modules),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                check=False,
                timeout=SECONDS,
                cwd=source,
                env=environment(name),
            )
            if ended.returncode not in (0, 1):
                raise RuntimeError(f"pytest did not end:\n{ended.stdout[-3000:]}")
            return _reported(report)

    return run_on


def _reported(report: Path) -> Result:
    result = Result()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        result.ran += 1
        result.skipped += case.find("skipped") is not None
        if case.find("failure") is not None or case.find("error") is not None:
            module, _, kind = (case.get("classname") or "").partition(".Test")
            where = [f"{module.replace('.', '/')}.py", *([f"Test{kind}"] * bool(kind))]
            result.failed.add("::".join([*where, case.get("name") or ""]))
    return result


@dataclass(frozen=True)
class Suite:
    """The tests of a package."""

    run_on: Callable[[str, Collection[str]], Result]
    """Run some of them, or all, on a row's reactor."""
    needs_loop: bool = False
    """Whether it is run on asyncio's reactors alone, where nobody asks for others."""


SUITES = {
    "klein": Suite(by_trial("klein")),
    "treq": Suite(
        by_trial(
            *(
                f"treq.test.{module.name}"
                for module in pkgutil.iter_modules(treq.test.__path__)
                if module.name.startswith("test_") and "integration" not in module.name
            )
        )
    ),
    "autobahn": Suite(by_trial("autobahn.twisted.test", "autobahn.websocket.test")),
    "scrapy": Suite(
        by_pytest(
            "tests/test_crawl.py",
            "tests/test_downloader_handler_twisted_http11.py",
            "tests/test_engine.py",
            "tests/test_closespider.py",
            "tests/test_pipeline_crawl.py",
            "tests/test_utils_asyncio.py",
            "tests/test_utils_defer.py",
        ),
        needs_loop=True,
    ),
}


def main() -> None:
    """Raises `SystemExit`."""
    names, suites, are_usual = named_reactors(SUITES)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {
            # The longest first.
            (suite, name): pool.submit(SUITES[suite].run_on, name, ())
            for suite in reversed(suites)
            for name in names
            if not (
                are_usual
                and SUITES[suite].needs_loop
                and not ROWS[name].twisteds.endswith("AsyncioSelectorReactor")
            )
        }
    print(f"{'':<18}" + "".join(f"{name:>18}" for name in names))
    worse: list[str] = []
    for suite in suites:
        results: dict[str, Result] = {}
        columns = ""
        for name in names:
            if (suite, name) not in running:
                columns += f"{'':>18}"
                continue
            result = running[suite, name].result()
            stock = (
                results[ROWS[name].counterpart] if ROWS[name].counterpart else result
            )
            only_here = result.failed - stock.failed
            if only_here:
                # The machine may have been busy.
                again = SUITES[suite].run_on(name, only_here).failed
                result.failed -= only_here - again
            results[name] = result
            columns += f"{result!s:>18}"
        print(f"{f'{suite} {version(suite)}':<18}{columns}")
        worse += worse_than_counterparts(suite, results)
    end(worse)


if __name__ == "__main__":
    main()
