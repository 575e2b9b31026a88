"""Who has made a Deferred: noted when it is made, or by Twisted's own debug mode."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import attr
from twisted.internet import base, defer, threads
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, succeed
from twisted.internet.task import deferLater

from nbtwisted.reactor import makers
from nbtwisted.reactor.makers import made, note_makers
from tests.reactor.snapshots import SnapshotCase, innermost, wait_for_nobody

first_init: Any = Deferred.__init__


def line_of(function: Callable[..., Any], further: int = 1) -> int:
    return function.__code__.co_firstlineno + further


class MakersCase(SnapshotCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(Deferred, "__init__", Deferred.__init__)
        Deferred.__init__ = makers._first_init  # type: ignore[method-assign]
        note_makers()

    def place(self, deferred: Deferred[Any]) -> tuple[str, int | None]:
        found = made(deferred.__dict__)
        assert found is not None
        return found.file, found.line


@attr.s(auto_attribs=True)
class MadeByAttrs:
    done: Deferred[None] = attr.Factory(Deferred)


def make() -> Deferred[None]:
    return Deferred()


def make_later(clock: Any) -> Deferred[None]:
    return deferLater(clock, 7, lambda: None)


def make_done() -> Deferred[None]:
    return succeed(None)


def make_list() -> Deferred[Any]:
    return DeferredList([])


def make_of_coroutine() -> Deferred[Any]:
    return ensureDeferred(wait_for_nobody())


class NotedTests(MakersCase):
    def test_the_line_is_that_of_who_has_made_it(self) -> None:
        self.assertEqual(self.place(make()), (__file__, line_of(make)))

    def test_functions_of_twisted_are_passed_by(self) -> None:
        later = make_later(self.clock)
        self.clock.advance(7)
        self.assertEqual(self.place(later), (__file__, line_of(make_later)))
        for maker in (make_done, make_list, make_of_coroutine):
            self.assertEqual(self.place(maker()), (__file__, line_of(maker)), maker)

    def test_what_is_twisteds_own_alone_names_twisted(self) -> None:
        # It is made in a function that the reactor calls, and not by who runs that.
        names: dict[str, Any] = {"Deferred": Deferred}
        files = (defer.__file__, threads.__file__, base.__file__)
        for file, line in zip(
            files,
            (
                "def make(): return Deferred()",
                "def call(): return make()",
                "def mainLoop(): return call()",
            ),
            strict=True,
        ):
            exec(compile(line, file, "exec"), names)
        self.assertEqual(self.place(names["mainLoop"]()), (threads.__file__, 1))

    def test_code_that_attrs_writes_is_passed_by(self) -> None:
        made = MadeByAttrs()
        self.assertEqual(self.place(made.done)[0], __file__)

    def test_it_is_as_it_would_be_without(self) -> None:
        for init in (makers._init, makers._init_25_5):
            if init is makers._init_25_5 and not hasattr(Deferred, "callbacks"):
                continue
            Deferred.__init__ = init  # type: ignore[method-assign]
            noted: Deferred[Any] = Deferred(print)
            Deferred.__init__ = first_init  # type: ignore[method-assign]
            plain: Deferred[Any] = Deferred(print)
            fields = {
                name: value
                for name, value in vars(noted).items()
                if not name.startswith("_nbtwisted")
            }
            self.assertEqual(fields, vars(plain))

    def test_its_signature_is_twisteds(self) -> None:
        self.assertEqual(
            inspect.signature(Deferred.__init__), inspect.signature(first_init)
        )

    def test_to_ask_again_changes_nothing(self) -> None:
        before = Deferred.__init__
        note_makers()
        self.assertIs(Deferred.__init__, before)

    def test_a_snapshot_names_the_line_and_how_long_ago(self) -> None:
        done = make_of_coroutine()
        node = self.root("wait_for_nobody")
        self.assertEqual(
            node["made"], {"file": __file__, "line": line_of(make_of_coroutine)}
        )
        never = innermost(node)
        self.assertEqual(never["fired_by"], {"kind": "nobody"})
        self.assertEqual(
            never["made"],
            {
                "file": wait_for_nobody.__code__.co_filename,
                "line": line_of(wait_for_nobody),
            },
        )
        self.assertTrue(0 <= never["since"] < 60)
        self.assertFalse(done.called)


class DebugTests(SnapshotCase):
    """With `Deferred.debug`, Twisted notes it itself."""

    def test_the_line_is_found_in_its_text(self) -> None:
        self.patch(Deferred, "__init__", first_init)
        self.patch(Deferred, "debug", True)
        found = made(make_later(self.clock).__dict__)
        self.clock.advance(7)
        assert found is not None
        self.assertEqual(
            (found.file, found.line, found.function, found.at),
            (__file__, line_of(make_later), "make_later", None),
        )

    def test_its_stack_has_no_frame_of_ours(self) -> None:
        self.patch(Deferred, "debug", True)
        for init in (makers._init, makers._init_25_5):
            self.patch(Deferred, "__init__", init)
            debug_info = make()._debugInfo
            assert debug_info is not None
            self.assertIn("in make\n", (debug_info.creator or [""])[-1])

    def test_without_either_nothing_is_known(self) -> None:
        self.patch(Deferred, "__init__", first_init)
        self.assertIsNone(made(make().__dict__))
        self.assertFalse(defer.getDebugging())
