"""A snapshot of a program whose objects do not want to be looked at."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn
from unittest.mock import MagicMock, Mock

from twisted.internet import defer
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from tests.reactor.snapshots import SnapshotCase, innermost, wait_for

ran: list[str] = []


def run(*arguments: object, **named: object) -> NoReturn:
    """What must not run; a test sees that it has."""
    ran.append(str(len(ran)))
    raise AssertionError("code of the program has run")


class Meta(type):
    """Of classes that are broken, too."""

    __hash__ = None  # type: ignore[assignment]
    __eq__ = __getattribute__ = run
    __instancecheck__ = __subclasscheck__ = run


class Hostile(metaclass=Meta):
    __getattribute__ = __repr__ = __str__ = __eq__ = __hash__ = run
    __bool__ = __len__ = __iter__ = run
    __class__ = __dict__ = property(run)

    def __call__(self, *arguments: object) -> None:
        """It can be a callback."""


class HostileDeferred(Deferred[Any]):
    __dict__ = __class__ = property(run)
    __repr__ = __getattr__ = run


class HostileText(str):
    __eq__ = __format__ = run
    __hash__ = str.__hash__


def hostile() -> Any:
    return object.__new__(Hostile)


class HostileTests(SnapshotCase):
    def setUp(self) -> None:
        super().setUp()
        ran.clear()
        self.kept: list[object] = []

    def tearDown(self) -> None:
        self.assertEqual(ran, [])

    def waits(self, *callbacks: Any) -> Deferred[Any]:
        """A Deferred with these callbacks, or with something else in their place."""
        deferred: Deferred[Any] = Deferred()
        for callback in callbacks:
            deferred.addCallback(callback)
        self.kept.append(deferred)
        return deferred

    def test_callbacks(self) -> None:
        self.waits(hostile(), Mock(), MagicMock())
        (node,) = self.take()["waiting"]
        self.assertEqual(
            node["then"],
            [f"{__name__}.Hostile", "unittest.mock.Mock", "unittest.mock.MagicMock"],
        )

    def test_what_a_callback_has_with_it(self) -> None:
        thing = hostile()
        self.waits(lambda result: thing)
        json.dumps(self.take())

    def test_who_holds_what_is_waited_for(self) -> None:
        class Holder:
            deferred: Deferred[None]
            thing: object
            itself: Holder

        holder = Holder()
        holder.deferred = Deferred()
        holder.thing = hostile()
        holder.itself = holder
        done = ensureDeferred(wait_for(holder.deferred))
        by = innermost(self.root("wait_for"))["fired_by"]
        self.assertEqual(by["held_by"], "Holder.deferred")
        self.assertFalse(done.called)

    def test_a_deferred_itself(self) -> None:
        deferred = HostileDeferred()
        deferred.addCallback(print)
        self.assertEqual(self.root("HostileDeferred")["then"], ["builtins.print"])

    def test_names(self) -> None:
        def function(result: object) -> None:
            """It has a name."""

        async def routine() -> None:
            await Deferred()

        function.__qualname__ = function.__name__ = HostileText("function")
        function.__module__ = hostile()
        self.waits(function)
        made: Any = routine()
        made.__qualname__ = made.__name__ = HostileText("routine")
        self.kept.append(ensureDeferred(made))
        self.assertIn("function", json.dumps(self.take()))

    def test_what_twisted_does_not_have_there(self) -> None:
        triple: Any = (defer._CONTINUE, (), {})
        driven: Any = (defer._gotResultInlineCallbacks, (1, 2, 3, 4), {})
        short: Any = (defer._gotResultInlineCallbacks, (), {})
        thing = hostile()
        name = next(iter(vars(Deferred())))
        for value in (
            thing,
            [thing],
            [(thing, thing)],
            [((thing, thing, thing),) * 2, ((thing, (thing,), thing),) * 2],
            [(triple,) * 2, (driven,) * 2, (short,) * 2],
        ):
            setattr(self.waits(), name, value)
        for attribute in ("called", "paused", "_chainedTo", "_canceller", "result"):
            setattr(self.waits(print), attribute, thing)
        self.waits(print)._debugInfo = thing
        json.dumps(self.take())
        for each in self.kept:
            vars(each)[name] = []
            vars(each).pop("_debugInfo", None)

    def test_timers(self) -> None:
        class Program:
            _pendingTimedCalls: list[Any]
            seconds = staticmethod(lambda: 0.0)

        clock = Clock()
        program = Program()
        calls: Any = [clock.callLater(7, hostile()) for _ in range(3)]
        program._pendingTimedCalls = calls
        self.have_reactor(program)
        calls[1].time = hostile()
        calls[2].cancelled = hostile()
        self.assertEqual(sum(call["count"] for call in self.take()["delayed_calls"]), 3)

    def test_modules_and_the_reactor(self) -> None:
        sys.modules["hostile"] = hostile()
        self.addCleanup(sys.modules.pop, "hostile")
        self.have_reactor(hostile())
        self.waits(print)
        snapshot = self.take()
        self.assertEqual(snapshot["reactor"], "Hostile")
        self.assertEqual(len(snapshot["waiting"]), 1)
        # Its clock is asked for the time, which every reactor has to know.
        ran.clear()
