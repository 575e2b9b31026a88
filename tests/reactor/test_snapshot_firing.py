"""Who will fire a Deferred: an event, a coroutine, what code can reach, or nobody."""

from __future__ import annotations

import ctypes
import threading
import weakref
from functools import partial
from typing import Any

from twisted.internet import process
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import (
    Deferred,
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    ensureDeferred,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from nbtwisted.reactor import snapshot
from tests.reactor.snapshots import (
    SnapshotCase,
    innermost,
    wait_for,
    wait_for_nobody,
)

reachable: list[Deferred[Any]] = []


class Reactor:
    """What a reactor of Twisted's has, on a clock."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = clock.seconds
        self._pendingTimedCalls = clock.calls
        self._selectables: dict[int, Any] = {}
        self._started = True


class Asking(Protocol):
    def __init__(self) -> None:
        self.answered: Deferred[None] = Deferred()


class Service:
    def __init__(self) -> None:
        self.asked: list[Deferred[None]] = []


async def fire_when(first: Deferred[None], second: Deferred[None]) -> None:
    await first
    second.callback(None)


def fire(deferred: Deferred[None], result: object) -> None:
    deferred.callback(None)


class FiringCase(SnapshotCase):
    def setUp(self) -> None:
        super().setUp()
        self.program = Reactor(self.clock)
        self.have_reactor(self.program)

    def fired_by(self, name: str = "wait_for") -> dict[str, Any]:
        """Of what the one root of this name waits for in the end."""
        by: dict[str, Any] = innermost(self.root(name))["fired_by"]
        return by

    def connect(self, protocol: Protocol) -> FileDescriptor:
        """Have the reactor poll for a connection with this protocol."""
        connection = FileDescriptor(self.program)  # type: ignore[arg-type]
        connection.connected = 1
        connection.protocol = protocol  # type: ignore[attr-defined]
        self.program._selectables[len(self.program._selectables)] = connection
        return connection


class EventTests(FiringCase):
    def test_a_timer_and_when(self) -> None:
        done = ensureDeferred(wait_for(deferLater(self.clock, 7, print)))
        self.clock.advance(2)
        name = "deferLater -> builtins.print"
        self.assertEqual(
            self.fired_by(), {"kind": "delayed call", "name": name, "in": 5.0}
        )
        self.assertEqual(
            self.take()["delayed_calls"], [{"name": name, "in": 5.0, "count": 1}]
        )
        self.clock.advance(5)
        self.assertTrue(done.called)

    def test_a_timer_that_was_cancelled_is_none(self) -> None:
        call = self.clock.callLater(7, print)
        kept = self.program._pendingTimedCalls = list(self.clock.calls)
        self.assertEqual(len(self.take()["delayed_calls"]), len(kept))
        call.cancel()
        self.assertEqual(self.take()["delayed_calls"], [])

    def test_a_timeout_only_where_nothing_else_is_known(self) -> None:
        never: Deferred[None] = Deferred()
        never.addTimeout(9, self.clock)
        done = ensureDeferred(wait_for(never)).addErrback(lambda reason: None)
        by = self.fired_by()
        self.assertEqual((by["kind"], by["in"]), ("delayed call", 9))
        self.assertTrue(by["timeout"])
        protocol = Asking()
        protocol.answered = never
        self.connect(protocol)
        by = self.fired_by()
        self.assertEqual((by["kind"], by["timeout_in"]), ("socket", 9))
        self.clock.advance(9)
        self.assertTrue(done.called)

    def test_a_connection_whose_protocol_has_it(self) -> None:
        protocol = Asking()
        self.connect(protocol)
        done = ensureDeferred(wait_for(protocol.answered))
        del protocol
        self.assertEqual(
            self.fired_by(),
            {
                "kind": "socket",
                "name": "Asking",
                "peer": None,
                "held_by": "Asking.answered",
            },
        )
        self.assertFalse(done.called)

    def test_a_connection_that_knows_it_by_a_weak_reference(self) -> None:
        service = Service()
        protocol = Asking()
        protocol.service = weakref.ref(service)  # type: ignore[attr-defined]
        self.connect(protocol)
        service.asked.append(Deferred())
        done = ensureDeferred(wait_for(service.asked[0]))
        self.assertEqual(self.fired_by()["kind"], "socket")
        self.assertFalse(done.called)

    def test_a_process(self) -> None:
        protocol = Asking()
        child = object.__new__(process.Process)
        child.proto = protocol  # type: ignore[assignment]
        process.reapProcessHandlers[2**22 + 1] = child
        self.addCleanup(process.reapProcessHandlers.clear)
        done = ensureDeferred(wait_for(protocol.answered))
        del protocol, child
        self.assertEqual(
            self.fired_by(),
            {
                "kind": "process",
                "name": "Asking",
                "pid": 2**22 + 1,
                "held_by": "Asking.answered",
            },
        )
        self.assertFalse(done.called)

    def test_a_job_that_a_thread_runs_and_one_that_waits_for_a_thread(self) -> None:
        began, may_end = threading.Event(), threading.Event()

        def block() -> None:
            began.set()
            may_end.wait()

        calls: list[Any] = []
        self.program.callFromThread = (  # type: ignore[attr-defined]
            lambda *call: calls.append(call)
        )
        pool = ThreadPool(0, 1)
        self.program.threadpool = pool  # type: ignore[attr-defined]
        pool.start()
        running = ensureDeferred(
            wait_for(deferToThreadPool(self.program, pool, block))  # type: ignore[arg-type]
        )
        queued = deferToThreadPool(self.program, pool, print)  # type: ignore[arg-type]
        queued.addCallback(id)
        began.wait()
        taken = self.take()
        may_end.set()
        pool.stop()
        by = {
            node["name"].rpartition(".")[2]: innermost(node)["fired_by"]
            for node in taken["waiting"]
        }
        name = f"{block.__module__}.{block.__qualname__}"
        self.assertEqual(by["wait_for"], {"kind": "thread", "name": name})
        self.assertEqual(by["Deferred"]["name"], "builtins.print")
        (job,) = taken["pool"]["jobs"]
        self.assertEqual(job["name"], name)
        self.assertEqual(job["file"], __file__)
        self.assertEqual(job["line"], block.__code__.co_firstlineno + 2)
        self.assertEqual((taken["pool"]["working"], taken["pool"]["queued"]), (1, 1))
        self.assertFalse(running.called)


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
            for node in self.take(throwaway=True, seconds=60)["waiting"]
            if node["name"].endswith(wait.__qualname__)
        )
        by = innermost(node)["fired_by"]
        self.assertEqual(by, {"kind": "unknown", "within": f"{__name__}.reachable"})
        self.assertFalse(done.called)

    def test_a_reference_that_no_object_has(self) -> None:
        done = ensureDeferred(wait_for_nobody())
        canceller: Any = done._canceller
        never = canceller.__closure__[0].cell_contents.waitingOn
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(never))
        self.addCleanup(ctypes.pythonapi.Py_DecRef, ctypes.py_object(never))
        del never
        self.assertEqual(self.fired_by("wait_for_nobody"), {"kind": "unknown"})

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
        node = self.root("wait_for")
        self.assertEqual(node["count"], 2000)
        self.assertEqual(innermost(node)["fired_by"]["held_by"], "Service.asked")
        self.assertEqual(len(done), 2000)


class ListsTests(FiringCase):
    def test_connections_are_counted_by_their_protocol(self) -> None:
        for _ in range(3):
            self.connect(Asking())
        (entry,) = self.take()["connections"]
        self.assertEqual((entry["protocol"], entry["count"]), ("Asking", 3))

    def test_the_protocol_within_others_is_named(self) -> None:
        outer = Asking()
        outer.wrappedProtocol = Factory()  # type: ignore[attr-defined]
        self.connect(outer)
        (entry,) = self.take()["connections"]
        self.assertEqual(entry["protocol"], "Factory")

    def test_a_program_without_a_reactor_is_told_of_as_well(self) -> None:
        self.have_reactor(None)
        taken = snapshot.take([])
        self.assertEqual((taken["reactor"], taken["running"]), (None, False))
