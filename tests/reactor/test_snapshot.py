"""What a program waits for: the tree of coroutines, tasks and Deferreds."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any

from twisted.internet.defer import (
    Deferred,
    DeferredList,
    ensureDeferred,
    gatherResults,
    inlineCallbacks,
)
from twisted.internet.task import Clock

from nbtwisted.reactor.snapshot import tree
from tests.reactor.snapshots import (
    Node,
    SnapshotCase,
    innermost,
    wait_for,
    wait_for_nobody,
)


async def wait_within(deferred: Deferred[Any]) -> None:
    await wait_for(deferred)


def handing_on(following: Deferred[Any], result: object) -> Deferred[Any]:
    return following


def after(result: object) -> None:
    """What comes next."""


class WaitingTests(SnapshotCase):
    def test_a_coroutine_and_those_within_it_have_lines_and_end_at_a_deferred(
        self,
    ) -> None:
        done = ensureDeferred(wait_within(Deferred()))
        node = self.root("wait_within")
        self.assertEqual(node["kind"], "coroutine")
        self.assertEqual(node["file"], __file__)
        where_it_awaits = wait_within.__code__.co_firstlineno + 1
        self.assertEqual(node["line"], where_it_awaits)
        (inner,) = node["waits_for"]
        self.assertEqual(inner["name"], "tests.reactor.snapshots.wait_for")
        self.assertEqual(innermost(node)["kind"], "deferred")
        self.assertFalse(done.called)

    def test_inline_callbacks_are_told_from_coroutines(self) -> None:
        @inlineCallbacks
        def generator() -> Any:
            yield Deferred()

        generator()
        self.assertEqual(self.root("generator")["kind"], "inlineCallbacks")

    def test_asynchronous_generators_are_among_what_is_awaited(self) -> None:
        async def numbers() -> AsyncIterator[int]:
            yield 1
            await wait_for_nobody()

        async def all_numbers() -> None:
            async for _ in numbers():
                pass

        done = ensureDeferred(all_numbers())
        names = []
        node = self.root("all_numbers")
        while node["waits_for"]:
            (node,) = node["waits_for"]
            names.append(node["name"].rpartition(".")[2])
        self.assertEqual(names, ["numbers", "wait_for_nobody", "Deferred"])
        self.assertFalse(done.called)

    def test_a_coroutine_that_another_waits_for_is_below_it_and_no_root(self) -> None:
        inner = ensureDeferred(wait_for_nobody())
        outer = ensureDeferred(wait_for(inner))
        (below,) = self.root("wait_for")["waits_for"]
        self.assertEqual(below["kind"], "coroutine")
        self.assertEqual(self.roots("wait_for_nobody"), [])
        self.assertFalse(outer.called)

    def test_what_comes_next_is_named_and_what_only_hands_on_is_not(self) -> None:
        deferred: Deferred[Any] = Deferred()
        deferred.addTimeout(7, self.clock)
        deferred.addCallback(after)
        deferred.addErrback(after)
        self.assertEqual(self.root("Deferred")["then"], [f"{__name__}.after"] * 2)
        deferred.callback(None)

    def test_a_list_waits_for_all_that_are_in_it(self) -> None:
        both = DeferredList([ensureDeferred(wait_for(Deferred())), Deferred()])
        node = self.root("DeferredList")
        self.assertEqual(
            {below["kind"] for below in node["waits_for"]}, {"coroutine", "deferred"}
        )
        self.assertFalse(both.called)

    def test_a_deferred_that_another_was_chained_to_waits_for_it(self) -> None:
        first: Deferred[Any] = Deferred()
        first.addCallback(lambda result: Deferred())
        first.addCallback(after)
        first.callback(None)
        self.assertEqual(len(self.root("Deferred")["waits_for"]), 1)

    def test_a_deferred_that_another_tells_waits_for_it(self) -> None:
        first: Deferred[Any] = Deferred()
        second: Deferred[Any] = Deferred()
        first.addCallbacks(second.callback, second.errback)
        second.addCallback(after)
        self.assertEqual(len(self.root("Deferred")["waits_for"]), 1)

    def test_what_has_a_result_is_not_waited_for(self) -> None:
        done: Deferred[Any] = Deferred()
        done.callback(None)
        done.addCallback(after)
        nobody_waits: Deferred[Any] = Deferred()
        snapshot = self.take()
        self.assertEqual(snapshot["waiting"], [])
        self.assertEqual(snapshot["totals"]["unfired"], 1)
        self.assertFalse(nobody_waits.called)


class TreeTests(SnapshotCase):
    def test_those_alike_are_one_with_a_count(self) -> None:
        done = [ensureDeferred(wait_for(Deferred())) for _ in range(5)]
        node = self.root("wait_for")
        self.assertEqual((node["count"], innermost(node)["count"]), (5, 5))
        self.assertEqual(len(done), 5)

    def test_one_that_many_wait_for_is_one(self) -> None:
        shared: Deferred[Any] = Deferred()
        done = [ensureDeferred(wait_for(shared)) for _ in range(5)]
        node = self.root("wait_for")
        self.assertEqual((node["count"], innermost(node)["count"]), (5, 1))
        self.assertEqual(len(done), 5)

    def test_a_circle_ends_and_says_so(self) -> None:
        one: Deferred[Any] = Deferred()
        other: Deferred[Any] = Deferred()
        one.chainDeferred(other)
        other.chainDeferred(one)
        node = self.root("Deferred")
        self.assertEqual((node["count"], node["waits_for"]), (2, []))
        self.assertTrue(node["circle"])

    def test_coroutines_that_wait_for_each_other_end_as_well(self) -> None:
        one: Deferred[Any] = Deferred()
        other: Deferred[Any] = Deferred()
        ensureDeferred(wait_within(other)).chainDeferred(one)
        ensureDeferred(wait_for(one)).chainDeferred(other)
        text = json.dumps(self.take())
        self.assertIn("wait_within", text)
        self.assertIn('"circle": true', text)

    def test_a_chain_of_thousands_is_one_node(self) -> None:
        chain: list[Deferred[Any]] = [Deferred()]
        for _ in range(5000):
            following: Deferred[Any] = Deferred()
            following.addCallback(partial(handing_on, chain[-1]))
            following.callback(None)
            chain.append(following)
        chain[-1].addCallback(after)
        found = nodes(self.roots("Deferred"))
        self.assertEqual(sum(node["count"] for node in found), 5001)
        self.assertEqual(len(found), 3, "the first, the last, and those between")

    def test_nobodys_first_and_then_by_place(self) -> None:
        # That of objects is another each time that the collector has been there.
        first: Deferred[Any] = Deferred()
        fired: Deferred[Any] = Deferred()
        calls = [Clock().callLater(1, fired.callback, None)]
        done = [
            ensureDeferred(wait_within(first)),
            ensureDeferred(wait_for(fired)),
            ensureDeferred(wait_for(Deferred())),
        ]
        for_two, within = self.take()["waiting"]
        self.assertIn("wait_within", within["name"])
        kinds = [node["fired_by"]["kind"] for node in for_two["waits_for"]]
        self.assertEqual(kinds[0], "nobody")
        self.assertEqual((len(kinds), len(calls), len(done)), (2, 1, 3))
        by_place = [
            {"count": 1, "fired_by": None, "file": file, "line": line}
            for file, line in [(None, None), ("/a.py", 2), ("/a.py", 10), ("/b.py", 1)]
        ]
        self.assertEqual(
            sorted([*by_place[2:], *by_place[:2]], key=tree._order), by_place
        )

    def test_what_there_is_no_room_for_is_counted(self) -> None:
        self.patch(tree, "MOST_NODES", 3)
        done = [ensureDeferred(wait_within(Deferred())), Deferred(), Deferred()]
        done[1].addCallback(after)
        done[2].addCallback(print)
        self.assertEqual(self.take()["left_out"], 2)

    def test_a_hundred_layers_of_lists_that_share_all_do_not_take_forever(
        self,
    ) -> None:
        layer: list[Deferred[Any]] = [Deferred() for _ in range(3)]
        for _ in range(100):
            layer = [DeferredList(layer) for _ in range(3)]
            layer[0].addCallback(after)
            layer[1].addCallback(print)
        self.assertLess(len(json.dumps(self.take(seconds=20))), 5_000_000)


class AsyncioTests(SnapshotCase):
    """On a loop that runs for a turn."""

    def setUp(self) -> None:
        super().setUp()
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)

    def start(self, routine: Coroutine[Any, Any, Any]) -> None:
        """Run to the first wait."""
        task = self.loop.create_task(routine)
        self.loop.run_until_complete(asyncio.sleep(0))
        self.addCleanup(self._end, task)

    def test_a_task_that_has_not_begun_is_in_no_circle(self) -> None:
        async def begins() -> None:
            pass

        self.addCleanup(self._end, self.loop.create_task(begins()))
        node = self.root("begins")
        self.assertEqual((node["kind"], node["waits_for"]), ("task", []))
        self.assertNotIn("circle", node)

    def _end(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self.loop.run_until_complete(asyncio.wait([task]))

    def test_a_task_waits_for_a_timer(self) -> None:
        async def sleeps() -> None:
            await asyncio.sleep(100)

        self.start(sleeps())
        node = self.root("sleeps")
        self.assertEqual(node["kind"], "task")
        by = innermost(node)["fired_by"]
        self.assertEqual((by["kind"], by["name"]), ("delayed call", "asyncio.sleep"))
        self.assertTrue(90 < by["in"] <= 100, by)

    def test_a_task_waits_for_a_deferred_without_the_future_between(self) -> None:
        async def waits() -> None:
            await never.asFuture(self.loop)

        never: Deferred[None] = Deferred()
        self.start(waits())
        (below,) = self.root("waits")["waits_for"]
        self.assertEqual(below["name"], "Deferred")
        self.assertEqual(len(self.take()["waiting"]), 1)

    def test_a_coroutine_of_twisted_waits_for_a_task(self) -> None:
        async def sleeps() -> None:
            await asyncio.sleep(100)

        async def starts() -> None:
            task = self.loop.create_task(sleeps())
            done = ensureDeferred(wait_for(Deferred.fromFuture(task)))
            done.addErrback(after)

        self.start(starts())
        self.loop.run_until_complete(asyncio.sleep(0))
        (below,) = self.root("wait_for")["waits_for"]
        self.assertEqual((below["kind"], below["name"][-6:]), ("task", "sleeps"))
        for task in asyncio.all_tasks(self.loop):
            self._end(task)

    def test_a_loop_that_another_thread_runs(self) -> None:
        began: Any = threading.Event()
        may_end = threading.Event()

        async def sleeps() -> None:
            await asyncio.sleep(100)

        async def blocks() -> None:
            task = asyncio.ensure_future(sleeps())
            await asyncio.sleep(0)
            # In one line: it may be looked at before it has begun to wait.
            began.set() or may_end.wait()
            task.cancel()

        thread = threading.Thread(target=self.loop.run_until_complete, args=(blocks(),))
        thread.start()
        began.wait()
        try:
            taken = self.take()
        finally:
            may_end.set()
            thread.join()
        tasks = {
            node["name"].rpartition(".")[2]: innermost(node)
            for node in taken["waiting"]
        }
        self.assertEqual(tasks["sleeps"]["fired_by"]["kind"], "delayed call")
        self.assertEqual(tasks["blocks"]["line"], blocks.__code__.co_firstlineno + 4)
        self.loop.run_until_complete(asyncio.sleep(0))

    def test_a_timeout_of_a_task(self) -> None:
        async def waits() -> None:
            await asyncio.wait_for(self.loop.create_future(), 100)

        self.start(waits())
        by = innermost(self.root("waits"))["fired_by"]
        self.assertEqual((by["kind"], by["timeout"]), ("delayed call", True))
        self.assertTrue(90 < by["in"] <= 100, by)

    def test_what_is_gathered_is_waited_for(self) -> None:
        async def gathers() -> None:
            await asyncio.gather(asyncio.sleep(100), asyncio.sleep(100))

        self.start(gathers())
        self.loop.run_until_complete(asyncio.sleep(0))
        (gathered,) = self.root("gathers")["waits_for"]
        (both,) = gathered["waits_for"]
        self.assertEqual((both["kind"], both["count"]), ("task", 2))


def nodes(waiting: list[Node]) -> list[Node]:
    """All nodes of a tree."""
    return [one for node in waiting for one in (node, *nodes(node["waits_for"]))]


class SnapshotTests(SnapshotCase):
    def test_it_is_of_json_and_has_what_it_should(self) -> None:
        done = gatherResults([ensureDeferred(wait_for_nobody())])
        snapshot = json.loads(json.dumps(self.take()))
        self.assertEqual(snapshot["version"], 1)
        self.assertEqual(snapshot["totals"]["coroutines"], 1)
        for node in nodes(snapshot["waiting"]):
            self.assertLessEqual(
                {
                    *("kind", "name", "file", "line", "since", "count", "then"),
                    *("made", "waits_for", "fired_by"),
                },
                node.keys(),
            )
        self.assertFalse(done.called)
