"""What a program waits for, and who fires it: of programs that are made here."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import (
    Deferred,
    DeferredList,
    ensureDeferred,
    inlineCallbacks,
)
from twisted.internet.task import deferLater

from nbtwisted.reactor import snapshot
from tests.guard import ClockCase

Node = dict[str, Any]


class SnapshotCase(ClockCase):
    """Looks at what the test itself has made: what was there before is frozen."""

    def take(self) -> dict[str, Any]:
        return snapshot.take(snapshot.see_threads())

    def roots(self, name: str) -> list[Node]:
        """The nodes that nobody waits for, whose name ends like this."""
        return [node for node in self.take()["waiting"] if node["name"].endswith(name)]

    def root(self, name: str) -> Node:
        (node,) = self.roots(name)
        return node


def innermost(node: Node) -> Node:
    while node["waits_for"]:
        (node,) = node["waits_for"]
    return node


async def wait_for(deferred: Deferred[Any]) -> None:
    await deferred


async def wait_within(deferred: Deferred[Any]) -> None:
    await wait_for(deferred)


async def wait_for_nobody() -> None:
    never: Deferred[None] = Deferred()
    await never


class WaitingTests(SnapshotCase):
    def test_a_coroutine_and_those_within_it_have_lines_and_end_at_a_deferred(
        self,
    ) -> None:
        done = ensureDeferred(wait_within(Deferred()))
        node = self.root("wait_within")
        self.assertEqual(node["kind"], "coroutine")
        self.assertEqual(node["file"], __file__)
        self.assertEqual(
            node["line"], wait_within.__code__.co_firstlineno + 1, "where it awaits"
        )
        (inner,) = node["waits_for"]
        self.assertEqual(inner["name"], f"{__name__}.wait_for")
        self.assertEqual(innermost(node)["kind"], "deferred")
        self.assertFalse(done.called)

    def test_inline_callbacks_are_told_from_coroutines(self) -> None:
        @inlineCallbacks
        def generator() -> Any:
            yield Deferred()

        generator()
        self.assertEqual(self.root("generator")["kind"], "inlineCallbacks")

    def test_those_alike_are_one_with_a_count(self) -> None:
        done = [ensureDeferred(wait_for(Deferred())) for _ in range(5)]
        node = self.root("wait_for")
        self.assertEqual((node["count"], innermost(node)["count"]), (5, 5))
        self.assertEqual(len(done), 5)

    def test_a_list_waits_for_all_that_are_in_it(self) -> None:
        both = DeferredList([ensureDeferred(wait_for(Deferred())), Deferred()])
        node = self.root("DeferredList")
        self.assertEqual(
            {below["kind"] for below in node["waits_for"]}, {"coroutine", "deferred"}
        )
        self.assertFalse(both.called)


class FiredByTests(SnapshotCase):
    def test_a_timer_fires_what_is_deferred_to_it(self) -> None:
        done = deferLater(self.clock, 7, print)
        done.addCallback(print)
        self.assertEqual(
            self.root("deferLater -> builtins.print")["fired_by"]["kind"],
            "delayed call",
        )
        self.clock.advance(7)

    def test_nobody_fires_what_only_its_waiter_holds(self) -> None:
        done = ensureDeferred(wait_for_nobody())
        node = innermost(self.root("wait_for_nobody"))
        self.assertEqual(node["fired_by"], {"kind": "nobody"})
        self.assertFalse(done.called)
