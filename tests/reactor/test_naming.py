"""Names for what a reactor calls: of whatever it is, without running code of it."""

from __future__ import annotations

import functools
import gc
import types
import weakref
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock, Mock, create_autospec

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import LoopingCall, deferLater

from nbtwisted.reactor.naming import LONGEST, class_name, name_of, own, peer_of
from tests.guard import ClockCase

HERE = __name__


def function(*args: object) -> None:
    """Something to call."""


class Plain:
    def __call__(self) -> None:
        """Something to call."""

    def method(self) -> None:
        """Something to call."""

    @classmethod
    def of_class(cls) -> None:
        """Something to call."""


class Ours(type):
    """Of classes that are broken as well as their objects."""

    __hash__ = None  # type: ignore[assignment]

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(f"asked a class for {name}")


class Untouchable(metaclass=Ours):
    """Fails the test when anything is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")

    def __call__(self) -> None:
        """Something to call."""

    __repr__ = __str__ = __hash__ = __eq__ = __bool__ = __getattribute__  # type: ignore


class Endless:
    """A proxy whose function is one that is like it."""

    def __getattr__(self, name: str) -> Any:
        return Endless()

    def __call__(self) -> None:
        """Something to call."""


class Text(str):
    def __format__(self, how: str) -> str:
        raise AssertionError("formatted")

    __str__ = __add__ = __getitem__ = __len__ = __format__  # type: ignore[assignment]


def named(**attributes: object) -> Callable[[], None]:
    def made() -> None:
        """Something to call."""

    for name, value in attributes.items():
        setattr(made, name, value)
    return made


class NameTests(ClockCase):
    def test_what_people_call_them(self) -> None:
        plain = Plain()
        for thing, name in [
            (function, f"{HERE}.function"),
            (plain, f"{HERE}.Plain"),
            (Plain, f"{HERE}.Plain"),
            (plain.method, f"{HERE}.Plain.method"),
            (Plain.of_class, f"{HERE}.Plain.of_class"),
            (
                functools.partial(functools.partial(plain.method), 1),
                f"{HERE}.Plain.method",
            ),
            (functools.lru_cache(function), f"{HERE}.function"),
            (functools.wraps(function)(lambda: None), f"{HERE}.function"),
            (print, "builtins.print"),
            ([].append, "builtins.list.append"),
            ("".join, "builtins.str.join"),
            (None, "builtins.NoneType"),
        ]:
            self.assertEqual(name_of(thing), name)

    def test_objects_that_answer_everything_or_nothing(self) -> None:
        untouchable = Untouchable()
        method = types.MethodType(function, untouchable)
        for thing, name in [
            (Mock(), "unittest.mock.Mock"),
            (MagicMock().method, "unittest.mock.MagicMock"),
            (create_autospec(function), "function"),
            (Endless(), f"{HERE}.Endless"),
            (functools.partial(Endless()), f"{HERE}.Endless"),
            (types.MethodType(Mock(), Plain()), f"{HERE}.Plain.Mock"),
            (untouchable, f"{HERE}.Untouchable"),
            (method, f"{HERE}.Untouchable.function"),
            (functools.partial(untouchable), f"{HERE}.Untouchable"),
            (Untouchable, f"{HERE}.Untouchable"),
        ]:
            self.assertEqual(name_of(thing), name)
        self.assertEqual(class_name(Untouchable), "Untouchable")
        self.assertEqual(peer_of(untouchable), "")
        self.assertIsNone(own(object(), "missing"))

    def test_names_that_are_none(self) -> None:
        loops = named()
        loops.__wrapped__ = loops  # type: ignore[attr-defined]
        self.assertEqual(name_of(loops), f"{HERE}.named.<locals>.made")
        for thing, name in [
            (named(__module__=None, __qualname__="f"), "f"),
            (named(__module__=Mock(), __qualname__="f"), "f"),
            (named(__module__=Text("m"), __qualname__=Text("f")), "m.f"),
            (
                named(__module__="m", __qualname__="a\n\x1b[2J\u202e"),
                r"m.a\n\x1b[2J\u202e",
            ),
        ]:
            self.assertEqual(name_of(thing), name)
        long = name_of(named(__qualname__="x" * 10_000_000))
        self.assertEqual(len(long), LONGEST)

    def test_callables_within_callables_without_end(self) -> None:
        looping = LoopingCall(function)
        looping.f = looping
        self.assertRegex(name_of(looping), r"^(LoopingCall -> )+twisted\S+LoopingCall$")
        method: Any = function
        for _ in range(100_000):
            method = types.MethodType(method, self)
        self.assertRegex(name_of(method), r"\.NameTests\.")

    def test_what_a_timer_leads_to(self) -> None:
        @inlineCallbacks
        def generator() -> Any:
            yield deferLater(self.clock, 1)

        async def coroutine() -> None:
            await deferLater(self.clock, 2)

        deferLater(self.clock, 0, function)
        generator()
        Deferred.fromCoroutine(coroutine())
        looping = LoopingCall(function)
        looping.clock = self.clock
        looping.start(3, now=False)
        deferLater(self.clock, 4)
        within = f"{HERE}.NameTests.test_what_a_timer_leads_to.<locals>"
        # As with a Twisted of which `Deferred.callbacks` is deprecated, and forbidden.
        self.assertEqual(
            [name_of(own(call, "func")) for call in self.clock.getDelayedCalls()],
            [
                f"deferLater -> {HERE}.function",
                f"deferLater -> {within}.generator",
                f"deferLater -> {within}.coroutine",
                f"LoopingCall -> {HERE}.function",
                "deferLater",
            ],
        )
        looping.stop()
        self.clock.advance(4)
        self.assertEqual(self.flushWarnings(), [])
        lone: Deferred[None] = Deferred()
        self.assertEqual(
            name_of(lone.callback), "twisted.internet.defer.Deferred.callback"
        )
        lone.addCallback(function)
        self.assertEqual(
            name_of(lone.callback), "twisted.internet.defer.Deferred.callback"
        )

    def test_nothing_is_kept_alive(self) -> None:
        made = named()
        looked_at = weakref.ref(made)
        name_of(made)
        del made
        gc.collect()
        self.assertIsNone(looked_at())

    @given(st.text(), st.text())
    def test_one_line_of_bounded_length(self, module: str, name: str) -> None:
        said = name_of(named(__module__=module, __qualname__=name))
        self.assertTrue(said.isprintable())
        self.assertLessEqual(len(said), LONGEST)


class PeerTests(ClockCase):
    def test_connections_have_one(self) -> None:
        for attribute, address, peer in [
            ("client", ("1.2.3.4", 5), "[1.2.3.4:5]"),
            ("addr", ("::1", 5, 0, 0), "[::1:5]"),
            ("addr", ("\x1b", 5), r"[\x1b:5]"),
            ("addr", "/a/path", ""),
            ("addr", (Mock(), 5), ""),
            ("addr", (Untouchable(), Untouchable()), ""),
            ("addr", (), ""),
        ]:
            selectable = Plain()
            setattr(selectable, attribute, address)
            self.assertEqual(peer_of(selectable), peer)
