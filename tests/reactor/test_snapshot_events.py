"""The events of a program, which fire its Deferreds, and the lists of them."""

from __future__ import annotations

import socket
import threading
import weakref
from typing import Any

from twisted.internet import process
from twisted.internet.defer import (
    Deferred,
    ensureDeferred,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python import context, threadpool
from twisted.python.threadpool import ThreadPool

from nbtwisted.reactor import snapshot
from nbtwisted.reactor.seen_threads import Thread
from tests.reactor.snapshots import (
    Asking,
    FiringCase,
    Service,
    SnapshotCase,
    innermost,
    wait_for,
    wait_for_nobody,
)


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

    def test_a_timeout_of_who_waits_for_it(self) -> None:
        done = ensureDeferred(wait_for(ensureDeferred(wait_for_nobody())))
        done.addTimeout(9, self.clock).addErrback(lambda reason: None)
        by = self.fired_by()
        self.assertEqual((by["kind"], by["in"]), ("delayed call", 9))
        self.assertTrue(by["timeout"])
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
        began: Any = threading.Event()
        may_end = threading.Event()

        def block() -> None:
            # In one line: it may be looked at before it has begun to wait.
            began.set() or may_end.wait()

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


class ThreadTests(SnapshotCase):
    def place(self, *stack: tuple[str, int, str]) -> tuple[str, int | None] | None:
        return Thread(1, "one", stack).place()

    def test_a_job_is_where_the_programs_code_is(self) -> None:
        run = (threadpool.__file__, 3, "inContext")
        beyond = ("/src/main.py", 9, "main")
        own = ("/src/app.py", 7, "fetch")
        library = (socket.__file__, 5, "recv_into")
        self.assertEqual(self.place(library, own, run, beyond), ("/src/app.py", 7))
        self.assertEqual(self.place(library, run, beyond), (socket.__file__, 5))
        twisted = (context.__file__, 4, "callWithContext")
        self.assertEqual(self.place(twisted, own, run), ("/src/app.py", 7))
        self.assertIsNone(self.place(twisted, run, beyond))

    def test_this_thread_is_not_among_them(self) -> None:
        idents = [thread.ident for thread in snapshot.see_threads()]
        self.assertNotIn(threading.get_ident(), idents)


class ListsTests(FiringCase):
    def test_connections_are_counted_by_their_protocol(self) -> None:
        for _ in range(3):
            self.connect(Asking())
        (entry,) = self.take()["connections"]
        self.assertEqual((entry["protocol"], entry["count"]), ("Asking", 3))

    def test_peers_are_told_as_far_as_they_are_the_same(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = listening.getsockname()
            for expected in (None, "127.0.0.1"):
                client = socket.create_connection(address)
                server, peer = listening.accept()
                self.addCleanup(client.close)
                self.addCleanup(server.close)
                connection = self.connect(Asking())
                connection.socket = server  # type: ignore[attr-defined]
                (entry,) = self.take()["connections"]
                self.assertEqual(entry["peer"], expected or f"127.0.0.1:{peer[1]}")
                self.assertEqual(entry["local"], f"127.0.0.1:{address[1]}")

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
