"""What a cluster makes of its workers, where there is no Dask."""

from __future__ import annotations

import asyncio
import gc
import logging
import types
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater

from nbtwisted import __version__
from nbtwisted.cluster import cluster as cluster_module
from nbtwisted.cluster import dask_thread
from nbtwisted.cluster.cluster import DaskCluster
from nbtwisted.cluster.dask_thread import DaskThread
from nbtwisted.cluster.part import Worker
from nbtwisted.cluster.place import Place
from tests.cluster.test_cluster import refused
from tests.guard import ReactorCase

WORKERS = {"tcp://a:1": "ann", "tcp://b:1": "bob"}


class Client:
    """Answers for workers, by their addresses; those without an answer are silent."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []

    async def run(
        self, probe: object, workers: list[str], on_error: str
    ) -> dict[str, object]:
        """As Dask has it: one that is silent holds up the others."""
        await self._ask(workers)
        return {address: self.answers[address] for address in workers}

    def rpc(self, address: str) -> Any:
        """As Dask has it."""
        return types.SimpleNamespace(identity=lambda: self._ask([address]))

    async def _ask(self, workers: list[str]) -> None:
        self.asked.append(workers)
        if not {*workers} <= {*self.answers}:
            await asyncio.Event().wait()


class DaskClusterTests(ReactorCase):
    """Clusters."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(cluster_module, "STARTING", 2)
        self.thread = DaskThread(self.reactor)
        self.cluster = DaskCluster(self.thread, Place("tcp://s:1"))
        self.addCleanup(self._leave)

    async def _leave(self) -> None:
        if self.thread._thread.is_alive():
            self.cluster._client = None
            await self.cluster.close()

    async def told(self, answers: Mapping[str, object]) -> str:
        """What is said of versions; nothing if they are good."""
        self.cluster._client = Client(answers)
        compared = self.thread.call(self.cluster._compare_versions(WORKERS))
        try:
            return await refused(compared)
        except AssertionError:
            return ""

    async def test_workers_have_this_version(self) -> None:
        """Or it is said which one has not, and what that has."""
        self.patch(cluster_module, "REACH", 0.01)
        good = dict.fromkeys(WORKERS, __version__)
        self.assertEqual(await self.told(good), "")
        missing = ModuleNotFoundError("No module named 'nbtwisted'")
        for answer, has in (
            ("0.1", "nbtwisted 0.1"),
            (missing, "no nbtwisted"),
            (OSError("reset"), "no answer (reset)"),
        ):
            self.assertEqual(
                await self.told({**good, "tcp://b:1": answer}),
                f"worker bob at tcp://b:1 has {has}: expected nbtwisted {__version__}, "
                "as here",
            )
        self.assertEqual(
            await self.told({"tcp://a:1": __version__}),
            "worker bob at tcp://b:1 does not answer within 0.01 s (1 of 2 do not)",
        )

    async def test_all_workers_are_reached_or_none_is(self) -> None:
        """And if the first is not, others are not asked."""
        first, second = WORKERS
        for answering, patience, reaches, asked in (
            ([first, second], "", True, [[first], [first], [second]]),
            ([first], "REACH", False, [[first], [first], [second]]),
            ([second], "REACH_DIRECTLY", False, [[first]]),
        ):
            if patience:
                self.patch(cluster_module, patience, 0.01)
            client = self.cluster._client = Client(dict.fromkeys(answering))
            reached = await self.thread.call(self.cluster._reaches([*WORKERS]))
            self.assertEqual((reached, client.asked), (reaches, asked))

    async def test_nobody_waits_for_workers_any_more(self) -> None:
        """As after Ctrl-C: nothing is said of them."""
        client = self.cluster._client = Client({})
        with self.assertNoLogs():
            reaching = self.thread.call(self.cluster._reaches([*WORKERS]))
            while not client.asked:
                await deferLater(self.reactor, 0.001, lambda: None)
            reaching.cancel()
            with self.assertRaises(CancelledError):
                await reaching
            await self.thread.call(asyncio.sleep(0.001))
            gc.collect()

    async def test_a_scheduler_has_this_version_of_dask(self) -> None:
        """As what they say to each other is nobody else's."""

        async def versions(packages: list[str]) -> object:
            return {"packages": dict.fromkeys(packages, "2.0")}

        class Joined(asyncio.Future[None]):
            """A client that has joined."""

            scheduler = types.SimpleNamespace(versions=versions)

        def join(*_: object, **__: object) -> Joined:
            joined = Joined()
            joined.set_result(None)
            return joined

        for here, why in (("2.0", ""), ("1.9", "expected 1.9, as here")):
            distributed = types.SimpleNamespace(Client=join, __version__=here)
            joining = self.thread.call(self.cluster._join(distributed, "tcp://s:1"))
            if why:
                self.assertIn(why, await refused(joining))
            else:
                await joining

    async def test_parts_are_started_some_at_once(self) -> None:
        """Others when these are; and none that are left are waited for."""
        begun: list[str] = []
        has_begun = asyncio.Event()

        async def start_now(worker: Worker, arguments: list[str]) -> None:
            begun.append(worker.name)
            if worker.name != "0":
                if len(begun) == 3:
                    has_begun.set()
                await asyncio.Event().wait()

        self.patch(self.cluster, "_start_now", start_now)
        workers = [Worker(str(number), "tcp://a:1") for number in range(4)]
        first, *others = (self.cluster.start_part(each, []) for each in workers)
        await first
        await self.thread.call(has_begun.wait())
        self.assertEqual(begun, ["0", "1", "2"])
        with self.assertNoLogs():
            await self.cluster.close()
            for each in others:
                with self.assertRaises(CancelledError):
                    await each


class DaskThreadTests(ReactorCase):
    """The thread."""

    async def test_what_fails_in_the_reactor_is_not_waited_for(self) -> None:
        """It is the reactor's, which logs it."""
        thread = DaskThread(self.reactor)
        try:
            await thread.call(thread.in_reactor(self.fail, "on purpose"))
            self.assertEqual(len(self.flushLoggedErrors(self.failureException)), 1)
            # A process does not wait for a thread that hangs.
            self.assertTrue(thread._thread.daemon)
        finally:
            thread.stop()

    def test_what_nobody_waits_for_is_passed_over(self) -> None:
        """But for errors that are ours."""
        loop = asyncio.new_event_loop()
        try:
            cancelled = loop.create_future()
            cancelled.cancel()
            dask_thread._is_done(cancelled)
            with self.assertNoLogs():
                dask_thread._complain(loop, {"exception": OSError("reset")})
            with self.assertLogs("asyncio", logging.ERROR) as logs:
                dask_thread._complain(loop, {"message": "no", "exception": KeyError()})
            self.assertIn("no", logs.output[0])
        finally:
            loop.close()
