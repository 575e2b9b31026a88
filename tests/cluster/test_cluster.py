"""Parts on the workers of a real Dask, in processes of their own."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import distributed
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from benchmarks.free_port import free_port
from nbtwisted import __version__
from nbtwisted.cluster import cluster as cluster_module
from nbtwisted.cluster.cluster import DaskCluster, connect
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.cluster.frame import Frame
from nbtwisted.cluster.part import Part, Worker
from nbtwisted.cluster.place import Place
from tests.guard import ReactorCase, open_sockets

PART = ["-m", "tests.cluster.echo_part"]


class Listener:
    """Keeps what parts say, and fires what waits for it."""

    def __init__(self) -> None:
        self.frames: list[tuple[Part, Frame]] = []
        self.lost: list[tuple[Part, str]] = []
        self._wanted = 0
        self._when: Deferred[None] = Deferred()

    def wait(self, frames: int, lost: int = 0) -> Deferred[None]:
        """Fires when there are so many of both."""
        self._wanted = frames + lost
        self._when = Deferred()
        self._look()
        return self._when

    def frame_received(self, part: Part, frame: Frame) -> None:
        """As parts have it."""
        self.frames.append((part, frame))
        self._look()

    def part_lost(self, part: Part, reason: str) -> None:
        """As parts have it."""
        self.lost.append((part, reason))
        self._look()

    def _look(self) -> None:
        if len(self.frames) + len(self.lost) >= self._wanted and not self._when.called:
            self._when.callback(None)


def children() -> set[str]:
    """The processes that this one has started."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state_and_parent = stat.read_text().rpartition(")")[2].split()
            if state_and_parent[1] == str(os.getpid()):
                found.add(stat.parent.name)
    return found


def listening() -> set[str]:
    """Where this process listens: addresses as the kernel writes them."""
    inodes = {name[len("socket:[") : -1] for name in open_sockets()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/self/net", table).read_text().splitlines()[1:]:
            _, here, _, state, *more = line.split()
            if state == "0A" and more[5] in inodes:
                found.add(here.partition(":")[0])
    return found


async def refused(deferred: Deferred[Any]) -> str:
    """What a `ClusterError` says."""
    try:
        await deferred
    except ClusterError as error:
        return str(error)
    raise AssertionError("it was not refused")


class LocalTests(ReactorCase):
    """The cluster of this machine."""

    async def test_parts_come_and_go(self) -> None:
        """They say what they are told, die by themselves, and are ended."""
        temporary, path, before = self.mktemp(), [*sys.path], listening()
        os.mkdir(temporary)
        self.patch(tempfile, "tempdir", os.path.abspath(temporary))
        cluster: DaskCluster = await connect(self.reactor, Place.parse("local:2"))
        try:
            # What others cannot write to; and nothing is imported from there.
            [scratch] = Path(temporary).iterdir()
            self.assertEqual(scratch.stat().st_mode & 0o777, 0o700)
            self.assertEqual(sys.path, path)
            self.assertEqual(listening() - before, {"0100007F"})
            self._look_at(cluster)
            await self._talk(cluster)
        finally:
            await cluster.close()
        self.assertEqual(os.listdir(temporary), [])

    def _look_at(self, cluster: DaskCluster) -> None:
        here = cluster._here
        # They are this process, and would have nothing to do while that is large.
        limits = [each.memory_manager.memory_limit for each in here.workers.values()]
        self.assertEqual(limits, [None, None])
        self.assertEqual(cluster._client.rpc.limit, cluster_module.CONNECTIONS)
        # Others on this machine are told nothing.
        connection = HTTPConnection("127.0.0.1", here.scheduler.http_server.port)
        with contextlib.closing(connection):
            connection.request("GET", "/info/main/workers.html")
            self.assertEqual(connection.getresponse().status, 404)

    async def test_it_can_be_left_before_it_is_there(self) -> None:
        """Nothing is left, and nothing is said."""
        with self.assertNoLogs():
            await self._leave_early()

    async def _leave_early(self) -> None:
        before = children()
        for seconds in (0, 0.01, 0.03):
            connecting = connect(self.reactor, Place.parse("local:1"))
            self.reactor.callLater(seconds, connecting.cancel)
            with contextlib.suppress(CancelledError):
                # It may be there by now.
                await (await connecting).close()
            self.assertEqual(children(), before)
        cluster: DaskCluster = await connect(self.reactor, Place.parse("local:1"))
        for is_there in (lambda: True, lambda: children() != before):
            starting = cluster.start_part(cluster.workers[0], PART)
            while True:
                await deferLater(self.reactor, 0.001, lambda: None)
                if is_there():
                    break
            starting.cancel()
            with self.assertRaises(CancelledError):
                await starting
        await cluster.close()
        self.assertEqual(children(), before)
        gc.collect()
        self.assertNotIn("dask", [thread.name for thread in threading.enumerate()])

    async def _talk(self, cluster: DaskCluster) -> None:
        self.assertEqual([worker.name for worker in cluster.workers], ["0", "1"])
        listener, parts = Listener(), []
        for worker in cluster.workers:
            part = await cluster.start_part(worker, PART)
            part.listener = listener
            parts.append(part)
            self.assertLess(abs(part.clock.seconds), 0.1)
            self.assertGreater(part.clock.uncertainty, 0)
        one, other = parts
        # More than a pipe holds, both ways.
        payload = os.urandom(300_000)
        one.send({"a": 1}, payload)
        other.send({"times": 20}, payload)
        await listener.wait(21)
        self.assertEqual(
            [frame for part, frame in listener.frames if part is one],
            [Frame({"echo": {"a": 1}}, payload)],
        )
        self.assertEqual(
            [frame for part, frame in listener.frames if part is other],
            [Frame({"echo": {"times": 20}}, payload)] * 20,
        )
        one.send({"die": 1})
        await listener.wait(21, lost=1)
        self.assertEqual(
            listener.lost, [(one, "its process has ended: exit code 3: no room")]
        )
        one.send({"a": 1})
        other.send({"print": 1})
        await listener.wait(21, lost=2)
        self.assertEqual(listener.lost[1][0], other)
        self.assertIn("'what is no frame'", listener.lost[1][1])
        await self._refuse(cluster)

    async def _refuse(self, cluster: DaskCluster) -> None:
        worker, before = cluster.workers[0], children()
        self.assertEqual(
            await refused(cluster.start_part(worker, [*PART, "old"])),
            f"worker 0: its Python has nbtwisted 0.1: expected {__version__}, as here",
        )
        self.assertEqual(
            await refused(cluster.start_part(worker, [*PART, "broken"])),
            "worker 0: its process has ended: exit code 1: no such program",
        )
        self.assertLessEqual(children(), before)


class Greeting(Protocol):
    """Says something at once, and then nothing."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def connectionMade(self) -> None:
        """As Twisted has it."""
        assert self.transport is not None
        self.transport.write(self._text)


class NoSchedulerTests(ReactorCase):
    """What is at an address in place of a scheduler."""

    async def test_something_else_is_said_to_be_there(self) -> None:
        """Whether it says something first, or waits for what it understands."""
        client = distributed.Client

        def patient(*at: str, **told: Any) -> object:
            """It is we who wait no longer, however late its connection is."""
            return client(*at, **{**told, "timeout": 5.0})

        self.patch(distributed, "Client", patient)
        for text, patience, why in (
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", 5.0, "is no Dask scheduler"),
            (b"", 0.1, "it says nothing, or nothing that Dask knows"),
        ):
            self.patch(cluster_module, "REACH", patience)
            factory = Factory.forProtocol(functools.partial(Greeting, text))
            port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
            address = f"tcp://127.0.0.1:{port.getHost().port}"
            self.assertIn(why, await refused(connect(self.reactor, Place(address))))
            await port.stopListening()

    async def test_certificates_are_expected(self) -> None:
        """By whom Dask is told of none."""
        self.assertIn(
            "expected Dask to be told of its certificates here",
            await refused(connect(self.reactor, Place("tls://127.0.0.1:1"))),
        )


class SchedulerCase(ReactorCase):
    """A scheduler, with workers of these names."""

    names: tuple[str, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        # They may take long to begin, and a test has no more than its time.
        scheduler = start_dask(self, "scheduler", "--port", str(port))
        self.processes = [
            start_dask(self, "worker", self.address, "--no-nanny", "--name", name)
            for name in self.names
        ]
        wait_for_dask(scheduler, "Scheduler at:")
        for process in self.processes:
            wait_for_dask(process, "Registered to:")


class SchedulerTests(SchedulerCase):
    """The cluster of a scheduler that is alone."""

    async def test_it_has_no_workers(self) -> None:
        """Though it is given time to get one."""
        self.patch(cluster_module, "FIRST_WORKER", 0.1)
        self.assertIn(
            "has no workers: expected at least one",
            await refused(connect(self.reactor, Place(self.address))),
        )


class WorkerTests(SchedulerCase):
    """The cluster of a scheduler that has two workers."""

    names = ("a", "b")

    async def test_a_worker_that_is_killed_is_lost(self) -> None:
        """And its part's process ends with it; others go on."""
        # As from where only the scheduler can be reached.
        self.patch(cluster_module, "REACH_DIRECTLY", 0.0)
        cluster = await connect(self.reactor, Place(self.address))
        await self._lose_one(cluster, self.processes[0])

    async def _lose_one(self, cluster: DaskCluster, process: Any) -> None:
        self.assertFalse(cluster._client.direct_to_workers)
        self.assertEqual(cluster._client.rpc.limit, cluster_module.CONNECTIONS)
        try:
            by_name: dict[str, Worker] = {each.name: each for each in cluster.workers}
            listener, parts = Listener(), []
            for name in ("a", "b"):
                part = await cluster.start_part(by_name[name], PART)
                part.listener = listener
                parts.append(part)
            process.send_signal(signal.SIGKILL)
            await listener.wait(0, lost=1)
            [(part, reason)] = listener.lost
            self.assertIs(part, parts[0])
            self.assertIn("its worker is lost", reason)
            self.assertIn(
                "worker a: no part can begin",
                await refused(cluster.start_part(by_name["a"], PART)),
            )
            parts[1].send({"still": "there"})
            await listener.wait(1, lost=1)
            self.assertEqual(listener.frames[0][1].head, {"echo": {"still": "there"}})
        finally:
            await cluster.close()


def start_dask(
    test: TestCase, program: str, *arguments: str, **environment: str
) -> subprocess.Popen[str]:
    """Start one of Dask's programs, which ends with the test."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments),
            *("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        text=True,
    )
    test.addCleanup(process.communicate)
    test.addCleanup(process.kill)
    return process


def wait_for_dask(process: subprocess.Popen[str], text: str) -> None:
    """Wait until one of them has said that it is there."""
    assert process.stderr is not None
    assert any(text in line for line in process.stderr), "it has ended"
