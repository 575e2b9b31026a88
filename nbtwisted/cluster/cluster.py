"""A Dask cluster: this machine's cores, or the workers of a scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from nbtwisted import __version__
from nbtwisted.cluster.dask_part import START, DaskPart
from nbtwisted.cluster.dask_thread import DaskThread
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.cluster.part import Part, Worker
from nbtwisted.cluster.part_host import PartHost, probe
from nbtwisted.cluster.place import Place
from nbtwisted.cores import usable_cores

__all__ = ["Cluster", "DaskCluster", "connect"]

REACH = 5.0
"""Seconds within which a scheduler has to answer, and a worker."""

REACH_DIRECTLY = 1.0
"""Seconds within which a worker has to answer that is asked without the scheduler."""

STARTING = 32
"""Parts that are started at once: of more, none would be done in time."""

CONNECTIONS = 10_000
"""At once: each part is always asked for what it has to say."""

FIRST_WORKER = 5.0
"""Seconds for which a scheduler without workers may get one."""

LEAVE = 1.0
"""Seconds for which good-byes may take: somebody waits who has pressed Ctrl-C."""


class Cluster(Protocol):
    """Workers, on each of which parts of a run can be started."""

    workers: Sequence[Worker]

    def start_part(self, worker: Worker, arguments: list[str]) -> Deferred[Part]:
        """Start Python with these arguments, which say which part to run.

        Fires when it has said hello, and its clock was compared; fails with a
        `ClusterError`.
        """

    def close(self) -> Deferred[None]:
        """End all parts, and leave; fires when that is done, or has taken too long."""


def connect(reactor: Any, place: Place) -> Deferred[DaskCluster]:
    """Make a cluster here, or join one; fails with a `ClusterError`."""
    thread = DaskThread(reactor)
    cluster = DaskCluster(thread, place)

    def fail(failure: Any) -> Deferred[Any]:
        return cluster.close().addCallback(lambda _: failure)

    return thread.call(cluster.open()).addCallbacks(lambda _: cluster, fail)


class DaskCluster(Cluster):
    """Workers that Dask has. It is made, and used, in the reactor's thread."""

    def __init__(self, thread: DaskThread, place: Place) -> None:
        self.workers: Sequence[Worker] = ()
        self._thread = thread
        self._place = place
        self._where = place.address or "local"
        self._client: Any = None
        self._here: Any = None
        self._opening: asyncio.Future[None] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._lost: dict[str, asyncio.Future[str]] = {}
        self._making: list[Any] = []
        self._starting = asyncio.Semaphore(STARTING)
        self._parts: list[DaskPart] = []

    def start_part(self, worker: Worker, arguments: list[str]) -> Deferred[Part]:
        """As all have it."""
        return self._thread.call(self._start_part(worker, arguments))

    def close(self) -> Deferred[None]:
        """As all have it."""
        return self._thread.call(self._close()).addCallback(
            lambda _: self._thread.stop()
        )

    # In Dask's thread.

    async def open(self) -> None:
        """Join it, and look at all of its workers; raises `ClusterError`."""
        try:
            import distributed
        except ImportError as error:
            raise ClusterError(
                f"no Dask here ({error}): expected nbtwisted[cluster] to be installed"
            ) from None
        # What it says is for its own users; ours are told by errors.
        # (Some of its loggers have levels of their own.)
        for name in ("distributed", "distributed.client", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=r"distributed\.")
        if self._place.address is None:
            # Dask does not end well what has only half begun: `_leave` waits for it.
            self._opening = asyncio.ensure_future(self._open_here(distributed))
            await asyncio.shield(self._opening)
        else:
            await self._join(distributed, self._place.address)
        addresses = await self._find_workers()
        if self._place.address is not None:
            await self._compare_versions(addresses)
        # All that parts say would else go through the scheduler.
        self._client.direct_to_workers = await self._reaches([*addresses])
        self.workers = [Worker(name, each) for each, name in addresses.items()]
        for address in addresses:
            self._watch(address)

    async def _open_here(self, distributed: Any) -> None:
        import dask

        number = self._place.number or usable_cores()
        # To start one is all that a core can do.
        self._starting = asyncio.Semaphore(2 * usable_cores())
        # A part is a process of its own: its worker here is a few objects of this one,
        # which listens to nobody but to HTTP on loopback, where it has nothing to say.
        # Others may have made Dask's own directory in /tmp, and write there.
        self._scratch = tempfile.TemporaryDirectory(
            prefix="nbtwisted-", ignore_cleanup_errors=True
        )
        dask.config.set(
            {
                "temporary-directory": self._scratch.name,
                "distributed.scheduler.http.routes": [],
                "distributed.worker.http.routes": [],
            }
        )
        self._here = await distributed.LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            processes=False,
            # They are no more than this process, which is not theirs to pause.
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            # Not even where there is Bokeh, which they are made with.
            scheduler_kwargs={"dashboard": False},
            dashboard=False,
            asynchronous=True,
        )
        # Dask would import from there, also when it is gone, and somebody else's.
        scratch = self._scratch.name
        sys.path[:] = [each for each in sys.path if not each.startswith(scratch)]
        self._client = await distributed.Client(
            self._here, asynchronous=True, connection_limit=CONNECTIONS
        )

    async def _join(self, distributed: Any, address: str) -> None:
        try:
            # Whatever comes of it, it is to be closed.
            self._client = distributed.Client(
                address, asynchronous=True, timeout=REACH, connection_limit=CONNECTIONS
            )
            await asyncio.wait_for(self._client, 2 * REACH)
            versions = await asyncio.wait_for(
                self._client.scheduler.versions(packages=["distributed"]), REACH
            )
        # It takes what others say first for a number of bytes.
        except MemoryError:
            raise ClusterError(
                f"what answers at {address} is no Dask scheduler"
            ) from None
        # Whatever Dask makes of what is not there, or is something else.
        except Exception as error:
            why = _in_short(error)
            if isinstance(error, asyncio.TimeoutError):
                why = "it says nothing, or nothing that Dask knows"
            elif isinstance(error, TypeError) and address.startswith("tls:"):
                why = (
                    "expected Dask to be told of its certificates here, by "
                    "distributed.comm.tls.ca-file and so on"
                )
            raise ClusterError(
                f"no Dask scheduler answers at {address}: {why}"
            ) from None
        theirs = versions["packages"].get("distributed")
        if theirs != distributed.__version__:
            raise ClusterError(
                f"the scheduler at {address} has Dask distributed {theirs}: expected "
                f"{distributed.__version__}, as here"
            )

    async def _find_workers(self) -> dict[str, str]:
        """The names of the workers by their addresses."""
        loop = asyncio.get_running_loop()
        until = loop.time() + FIRST_WORKER
        while True:
            told = await self._client.scheduler.identity(n_workers=-1)
            if told["workers"] or loop.time() > until:
                break
            await asyncio.sleep(0.2)
        workers: dict[str, Any] = told["workers"]
        if not workers:
            raise ClusterError(
                f"the scheduler at {self._where} has no workers: expected at least one"
            )
        return {address: str(it["name"]) for address, it in workers.items()}

    async def _compare_versions(self, addresses: dict[str, str]) -> None:
        answers = await self._probe(list(addresses))
        if not answers:
            # One that is silent holds up the others.
            each = await asyncio.gather(*(self._probe([each]) for each in addresses))
            silent = [
                f"worker {name} at {address}"
                for (address, name), told in zip(addresses.items(), each, strict=True)
                if not told
            ]
            if silent:
                raise ClusterError(
                    f"{silent[0]} does not answer within {REACH:g} s "
                    f"({len(silent)} of {len(each)} do not)"
                )
            answers = {address: told[address] for told in each for address in told}
        for address, name in addresses.items():
            version = answers.get(address)
            if version == __version__:
                continue
            # It may come as an error of another kind that says the same.
            if "No module named 'nbtwisted'" in str(version):
                version = "no nbtwisted"
            elif isinstance(version, str):
                version = f"nbtwisted {version}"
            else:
                version = f"no answer ({_in_short(version)})"
            raise ClusterError(
                f"worker {name} at {address} has {version}: expected nbtwisted "
                f"{__version__}, as here"
            )

    async def _probe(self, addresses: list[str]) -> dict[str, Any]:
        """What workers say of their version, by address; nothing if one is silent."""
        asked = self._client.run(probe, workers=addresses, on_error="return")
        try:
            answers: dict[str, Any] = await asyncio.wait_for(asked, REACH)
        except asyncio.TimeoutError:
            return {}
        return answers

    async def _reaches(self, addresses: Sequence[str]) -> bool:
        """Whether all workers can be spoken to from here, without the scheduler."""
        # Where the first does not answer, no time is lost with others.
        for some, seconds in ((addresses[:1], REACH_DIRECTLY), (addresses, REACH)):
            asked = asyncio.gather(
                *(self._client.rpc(address).identity() for address in some)
            )
            # Nobody may be there any more to see how it failed.
            asked.add_done_callback(lambda them: them.cancelled() or them.exception())
            try:
                await asyncio.wait_for(asked, seconds)
            # Whatever Dask makes of what it does not reach.
            except Exception:
                return False
        return True

    def _watch(self, address: str) -> None:
        lost = self._lost[address] = asyncio.get_running_loop().create_future()

        def on_event(event: Any) -> None:
            told = event[1]
            if told.get("action") == "remove-worker" and not lost.done():
                lost.set_result("the scheduler has removed it")

        self._client.subscribe_topic(address, on_event)

    async def _start_part(self, worker: Worker, arguments: list[str]) -> Part:
        async with self._starting:
            return await self._start_now(worker, arguments)

    async def _start_now(self, worker: Worker, arguments: list[str]) -> Part:
        lost = self._lost[worker.address]
        making = self._client.submit(
            PartHost, actor=True, workers=[worker.address], pure=False
        )
        host = await _first(making, lost, worker)
        # The actor is there as long as its future.
        self._making.append(making)
        part = DaskPart(self._thread, worker, host, lost)
        self._parts.append(part)
        try:
            await part.begin(arguments)
        except BaseException:
            await part.close()
            raise
        return part

    async def _close(self) -> None:
        # Others may be under way that wait for each other.
        if self._opening is not None:
            await asyncio.wait({self._opening})
        await asyncio.gather(*(part.close() for part in self._parts))
        await asyncio.wait({asyncio.ensure_future(self._leave())}, timeout=LEAVE)
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=LEAVE)
        if self._scratch is not None:
            self._scratch.cleanup()

    async def _leave(self) -> None:
        for opened in (self._client, self._here):
            if opened is not None:
                # There may be nobody left to say good-bye to.
                with contextlib.suppress(Exception):
                    await opened.close()


async def _first(making: Any, lost: asyncio.Future[str], worker: Worker) -> PartHost:
    made = asyncio.ensure_future(_result(making))
    try:
        await asyncio.wait(
            {made, lost}, timeout=START, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        made.cancel()
    if made.done():
        try:
            host: PartHost = made.result()
        except Exception as error:
            raise ClusterError(
                f"worker {worker.name}: no part can begin: {_in_short(error)}"
            ) from None
        return host
    why = lost.result() if lost.done() else f"no answer within {START:g} s"
    raise ClusterError(f"worker {worker.name}: no part can begin: {why}")


async def _result(making: Any) -> Any:
    return await making


def _in_short(error: object) -> str:
    """What an error says, on a line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
