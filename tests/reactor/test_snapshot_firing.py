"""Who will fire a Deferred: an event, a coroutine, what code can reach, or nobody."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import partial
from typing import Any

from twisted.internet.defer import (
    Deferred,
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    ensureDeferred,
)
from twisted.internet.task import deferLater

from nbtwisted.reactor.snapshot.heap import Heap
from tests.reactor.snapshots import (
    FiringCase,
    Service,
    innermost,
    wait_for,
    wait_for_nobody,
)

reachable: list[Deferred[Any]] = []


async def fire_when(first: Deferred[None], second: Deferred[None]) -> None:
    await first
    second.callback(None)


def cancel(deferred: Deferred[None], cancelled: object) -> None:
    deferred.cancel()


def fire(deferred: Deferred[None], result: object) -> None:
    deferred.callback(None)


class OthersTests(FiringCase):
    def test_a_coroutine_that_can_go_on(self) -> None:
        later: Deferred[None] = Deferred()
        both = ensureDeferred(fire_when(deferLater(self.clock, 7, lambda: None), later))
        done = ensureDeferred(wait_for(later))
        del later
        by = self.fired_by()
        self.assertEqual((by["kind"], by["name"][-9:]), ("task", "fire_when"))
        self.clock.advance(7)
        self.assertTrue(both.called and done.called)

    def test_nobody_where_two_wait_for_each_other(self) -> None:
        one: Deferred[None] = Deferred()
        other: Deferred[None] = Deferred()
        roots = [
            ensureDeferred(fire_when(one, other)),
            ensureDeferred(fire_when(other, one)),
        ]
        del one, other
        node = self.root("fire_when")
        self.assertEqual(node["count"], 2)
        self.assertEqual(innermost(node)["fired_by"], {"kind": "nobody"})
        self.assertEqual(len(roots), 2)

    def test_nobody_where_only_who_waits_has_it(self) -> None:
        done = ensureDeferred(wait_for_nobody())
        self.assertEqual(self.fired_by("wait_for_nobody"), {"kind": "nobody"})
        self.assertFalse(done.called)

    def test_a_deferred_in_whose_callback_it_is_fired(self) -> None:
        first: Deferred[None] = deferLater(self.clock, 7, lambda: None)
        second: Deferred[None] = Deferred()
        first.addCallback(partial(fire, second))
        done = ensureDeferred(wait_for(second))
        del first, second
        self.assertEqual(self.fired_by()["kind"], "delayed call")
        self.clock.advance(7)
        self.assertTrue(done.called)


class NobodyTests(FiringCase):
    """It is said only if nothing else can be."""

    def test_who_waits_may_have_it_in_order_to_cancel_it(self) -> None:
        never: Deferred[None] = Deferred()
        outer: Deferred[None] = Deferred(partial(cancel, never))
        never.chainDeferred(outer)
        done = ensureDeferred(wait_for(outer))
        del never, outer
        self.assertEqual(self.fired_by(), {"kind": "nobody"})
        self.assertFalse(done.called)

    def test_what_cancels_another_may_fire_it(self) -> None:
        later: Deferred[None] = Deferred()
        another: Deferred[None] = Deferred(partial(cancel, later))
        another.addCallback(print)
        done = ensureDeferred(wait_for(later))
        del later
        self.assertEqual(self.fired_by(), {"kind": "unknown"})
        self.assertFalse(done.called or another.called)

    def test_what_code_can_reach_may_be_fired_where_those_who_have_it_wait(
        self,
    ) -> None:
        one: Deferred[None] = Deferred()
        other: Deferred[None] = Deferred()
        roots = [
            ensureDeferred(fire_when(one, other)),
            ensureDeferred(fire_when(other, one)),
        ]
        del other
        kinds = [
            (below["fired_by"]["kind"], below["fired_by"].get("within", "")[:6])
            for node in self.roots("fire_when")
            for below in node["waits_for"]
        ]
        self.assertEqual(sorted(kinds), [("task", ""), ("unknown", "one of")])
        self.assertEqual((len(roots), one.called), (2, False))


class LockTests(FiringCase):
    """Who waits for a lock waits for the one that has it."""

    async def hold(self, lock: DeferredLock) -> None:
        async with lock:
            await wait_for_nobody()

    def test_one_that_has_it_by_async_with(self) -> None:
        lock = DeferredLock()
        done = [ensureDeferred(self.hold(lock)) for _ in range(300)]
        (node,) = (
            node for node in self.roots("hold") if node["waits_for"][0]["then"] == []
        )
        self.assertEqual(node["count"], 299)
        (acquire,) = node["waits_for"]
        self.assertEqual(acquire["name"], "DeferredLock.acquire")
        (having,) = acquire["waits_for"]
        self.assertEqual((having["name"][-4:], having["count"]), ("hold", 1))
        self.assertEqual(innermost(having)["fired_by"], {"kind": "nobody"})
        for each in reversed(done):
            each.addErrback(lambda reason: None)
            each.cancel()

    def test_one_that_has_it_by_run(self) -> None:
        semaphore = DeferredSemaphore(1)
        done = [semaphore.run(deferLater, self.clock, 7, print) for _ in range(2)]
        (acquire,) = self.roots("DeferredSemaphore.acquire")
        (having,) = acquire["waits_for"]
        self.assertEqual(having["fired_by"]["in"], 7)
        self.clock.pump([7, 7])
        self.assertEqual([each.called for each in done], [True, True])


class UnknownTests(FiringCase):
    """What cannot be known is not said."""

    def test_an_attribute_that_code_can_reach_is_named(self) -> None:
        service = Service()
        service.asked.append(Deferred())
        done = ensureDeferred(wait_for(service.asked[0]))
        by = self.fired_by()
        self.assertEqual((by["kind"], by["held_by"]), ("unknown", "Service.asked"))
        self.assertEqual(by["within"], f"service of {self._testMethodName}()")
        self.assertFalse(done.called)

    def test_a_variable_of_a_module_is_named(self) -> None:
        async def wait() -> None:
            await reachable[0]

        reachable.append(Deferred())
        self.addCleanup(reachable.clear)
        done = ensureDeferred(wait())
        # Nothing is frozen then: the module is among what is looked at.
        (node,) = (
            node
            for node in self.take_all()["waiting"]
            if node["name"].endswith(wait.__qualname__)
        )
        by = innermost(node)["fired_by"]
        self.assertEqual(by, {"kind": "unknown", "within": f"{__name__}.reachable"})
        self.assertFalse(done.called)

    def test_an_attribute_of_a_class_is_named(self) -> None:
        async def wait() -> None:
            await Service.shared[0]

        Service.shared.append(Deferred())
        self.addCleanup(Service.shared.clear)
        done = ensureDeferred(wait())
        (node,) = (
            node
            for node in self.take_all()["waiting"]
            if node["name"].endswith(wait.__qualname__)
        )
        by = innermost(node)["fired_by"]
        name = f"{Service.__module__}.Service.shared"
        self.assertEqual(by, {"kind": "unknown", "within": name})
        self.assertFalse(done.called)

    def test_a_reference_that_no_object_has(self) -> None:
        done = ensureDeferred(wait_for_nobody())
        canceller: Any = done._canceller
        never = canceller.__closure__[0].cell_contents.waitingOn
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(never))
        self.addCleanup(ctypes.pythonapi.Py_DecRef, ctypes.py_object(never))
        del never
        self.assertEqual(self.fired_by("wait_for_nobody"), {"kind": "unknown"})

    def test_a_reference_beside_the_one_that_an_object_has(self) -> None:
        later: Deferred[None] = Deferred()
        inner: list[Any] = [later]
        outer: list[Any] = [inner]
        outer.append(outer)
        done = ensureDeferred(wait_for(later))
        address = ctypes.c_void_p(id(inner))
        del later, inner, outer
        ctypes.pythonapi.Py_IncRef(address)
        by = self.fired_by()
        ctypes.pythonapi.Py_DecRef(address)
        self.assertEqual(by, {"kind": "unknown"})
        self.assertEqual(self.fired_by(), {"kind": "nobody"})
        self.assertFalse(done.called)

    def test_what_was_not_looked_for_in_time(self) -> None:
        done = ensureDeferred(wait_for_nobody())
        (node,) = self.take(seconds=-1)["waiting"]
        self.assertEqual(
            innermost(node)["fired_by"], {"kind": "unknown", "out_of_time": True}
        )
        self.assertFalse(done.called)

    def test_a_queue_and_a_lock_say_what_they_are(self) -> None:
        queue: DeferredQueue[None] = DeferredQueue()
        lock = DeferredLock()
        lock.acquire()
        waiting = [
            ensureDeferred(wait_for(queue.get())),
            ensureDeferred(wait_for(lock.acquire())),
        ]
        self.assertEqual(
            {
                below["name"]: below["fired_by"]["held_by"]
                for node in self.roots("wait_for")
                for below in node["waits_for"]
            },
            {
                "DeferredQueue.get": "DeferredQueue.waiting",
                "DeferredLock.acquire": "DeferredLock.waiting",
            },
        )
        self.assertEqual(len(waiting), 2)

    def test_what_thousands_share_is_looked_at_once(self) -> None:
        service = Service()
        service.asked += [Deferred() for _ in range(2000)]
        done = [ensureDeferred(wait_for(deferred)) for deferred in service.asked]
        others = [[service] for _ in range(100)]
        looked = 0
        look = Heap.holders

        def holders(heap: Heap, thing: object) -> Iterator[Any]:
            nonlocal looked
            looked += 1
            return look(heap, thing)

        self.patch(Heap, "holders", holders)
        node = self.root("wait_for")
        self.assertLess(looked, 20_000)
        self.assertEqual(len(others), 100)
        self.assertEqual(node["count"], 2000)
        self.assertEqual(innermost(node)["fired_by"]["held_by"], "Service.asked")
        self.assertEqual(len(done), 2000)
