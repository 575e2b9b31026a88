"""Base cases for which a test that leaves something behind has failed.

What is looked for: an error in a Deferred that nobody handled, a delayed call, a socket
still open, and a test that returns something (a Deferred, or the coroutine that an
`async def` makes), which would prove nothing. Trial looks for some of these in some
kinds of test; `tests/conftest.py` has the same for tests that are plain functions.
"""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

TIMEOUT = 30
"""Seconds after which a test on the real reactor is given up."""


def open_sockets() -> set[str]:
    """The sockets of this process, by the kernel's names for them."""
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:  # that of the listing itself
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def real_reactor() -> Any:
    """The global reactor, for the few tests that use it."""
    from twisted.internet import reactor  # noqa: TID251 - the one place of the tests

    return reactor


def forget_what_came_before() -> None:
    """Spare the garbage collector everything that exists when a test begins.

    A test is guarded by a full collection at its end. With all that the suite has
    imported that takes 0.1 s, and with only what the test made, next to nothing.
    """
    gc.freeze()


def leftovers(reactor: IReactorTime, sockets_before: set[str]) -> list[str]:
    """Say what is still there that should be gone."""
    # What nothing refers to is closed, and complained of, when it is collected.
    gc.collect()
    left = [f"delayed call: {call}" for call in reactor.getDelayedCalls()]
    left += [f"open {name}" for name in sorted(open_sockets() - sockets_before)]
    return left


class _ReturnsNothing:
    """Fails tests that return something."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, method in list(vars(cls).items()):
            if name.startswith("test") and callable(method):
                setattr(cls, name, _returning_nothing(method))


def _returning_nothing(method: Callable[..., Any]) -> Callable[..., None]:
    @functools.wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        result = method(self, *args, **kwargs)
        if result is not None:
            if hasattr(result, "close"):
                result.close()
            raise AssertionError(f"the test returned {result!r}: nobody waits for it")

    return checked


class ClockCase(_ReturnsNothing, SynchronousTestCase):
    """A test of logic: time is `clock`, which moves only when told to."""

    def setUp(self) -> None:
        forget_what_came_before()
        self.clock = Clock()
        self.addCleanup(self._nothing_left, open_sockets())

    def _nothing_left(self, sockets_before: set[str]) -> None:
        self.assertEqual(leftovers(self.clock, sockets_before), [])


class ReactorCase(TestCase):
    """A test on the real reactor, for what only real sockets can show.

    Trial itself fails it for delayed calls and for selectables that stay behind.
    """

    timeout = TIMEOUT

    def setUp(self) -> None:
        forget_what_came_before()
        self.reactor = real_reactor()
        self.addCleanup(self._no_socket_left, open_sockets())

    def _no_socket_left(self, sockets_before: set[str]) -> None:
        # What the reactor opens for itself on its first run is not the test's.
        its_own = {
            os.readlink(f"/proc/self/fd/{reader.fileno()}")
            for reader in self.reactor._internalReaders
        }
        gc.collect()
        self.assertEqual(open_sockets() - sockets_before - its_own, set())
