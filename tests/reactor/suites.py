"""Runs Klein's and treq's own tests on our reactors, and on Twisted's beside them.

`make suites`. Prints a table of how they ended; exits with 1 if one has failed on ours
that has not failed on Twisted's. The tests are those that come with the packages, but
for treq's against an httpbin, which is not among ours.
"""

from __future__ import annotations

import pkgutil
import sys
from importlib.metadata import version

import treq.test

from tests.reactor.conformance import run

REACTORS = ("epoll", "eager", "traced")
SUITES = {
    "klein": ["klein"],
    "treq": [
        f"treq.test.{module.name}"
        for module in pkgutil.iter_modules(treq.test.__path__)
        if module.name.startswith("test_") and "integration" not in module.name
    ],
}


def main() -> None:
    """Raises `SystemExit`."""
    print(f"{'':<16}" + "".join(f"{reactor:>18}" for reactor in REACTORS))
    worse: list[str] = []
    for name, modules in SUITES.items():
        print(f"{name} {version(name)}".ljust(16), end="", flush=True)
        on_twisteds = None
        for reactor in REACTORS:
            trial = [sys.executable, "-W", "ignore", "-m", "twisted.trial"]
            result = run([*trial, f"--reactor={reactor}"], modules)
            ran = result.ran - result.skipped
            print(f"{f'{ran} ran, {len(result.failed)} bad':>18}", end="", flush=True)
            on_twisteds = on_twisteds or result
            worse += [
                f"{name}: only on {reactor}: {test}"
                for test in sorted(result.failed - on_twisteds.failed)
            ]
            if result.ran != on_twisteds.ran:
                worse.append(f"{name}: {result.ran} tests on {reactor}")
        print()
    print("\n".join(worse), end="\n" if worse else "")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
