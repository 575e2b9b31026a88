"""A part as its driver has it, whose host is not on a worker but here."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from nbtwisted import __version__, steady_clock
from nbtwisted.cluster import dask_part
from nbtwisted.cluster.dask_part import DaskPart
from nbtwisted.cluster.dask_thread import DaskThread
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.cluster.frame import Frame, FrameReader, write_frame
from nbtwisted.cluster.part import Worker
from tests.cluster.test_cluster import Listener, refused
from tests.guard import ReactorCase


class Host:
    """Answers as a part's process would."""

    def __init__(self, version: object = __version__) -> None:
        self.ahead = 3600.0
        self.calls: list[str] = []
        self.written: list[Frame] = []
        self.to_say: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.stays_silent_at = ""
        self.under_way = 0
        self._version = version
        self._reader = FrameReader()

    async def begin(self, arguments: list[str]) -> None:
        """As hosts have it."""
        await self._note("begin")
        self.to_say.put_nowait(write_frame({"hello": {"nbtwisted": self._version}}))

    async def read(self, data: bytes = b"") -> tuple[bytes, str | None]:
        """As hosts have it."""
        await self._note("read")
        for frame in self._reader.feed(data):
            clock = steady_clock.now() + self.ahead
            pong = {"pong": frame.head["ping"], "clock": clock}
            self.to_say.put_nowait(write_frame(pong))
        self.under_way += 1
        try:
            said = await self.to_say.get()
        finally:
            self.under_way -= 1
        if isinstance(said, Exception):
            raise said
        return (b"", "exit code 3") if said is None else (said, None)

    async def write(self, data: bytes) -> None:
        """As hosts have it."""
        await self._note("write")
        self.written += self._reader.feed(data)

    async def still_there(self) -> None:
        """As hosts have it."""
        await self._note("still_there")

    async def end(self) -> None:
        """As hosts have it."""
        await self._note("end")

    async def _note(self, method: str) -> None:
        self.calls.append(method)
        if method == self.stays_silent_at:
            await asyncio.Event().wait()


class DaskPartTests(ReactorCase):
    """Parts."""

    def setUp(self) -> None:
        super().setUp()
        self.thread = DaskThread(self.reactor)
        self.lost: asyncio.Future[str] = asyncio.Future(loop=self.thread._loop)
        self.addCleanup(self._leave)

    async def _leave(self) -> None:
        async def cancel_all() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        await self.thread.call(cancel_all())
        self.thread.stop()

    def part(self, host: Host) -> DaskPart:
        """A part that has not begun."""
        worker = Worker("7", "memory://7")
        given: Any = host
        return DaskPart(self.thread, worker, given, self.lost)

    async def begun(self, host: Host, listener: Listener | None) -> DaskPart:
        """A part that has said hello."""
        part = self.part(host)
        await self.thread.call(part.begin([]))
        part.listener = listener
        return part

    async def pause(self) -> None:
        """Let the other thread do all that it can, however late it is."""

        async def turns() -> None:
            for _ in range(50):
                await asyncio.sleep(0)

        await self.thread.call(turns())

    async def test_what_is_wrong_at_the_beginning_is_said(self) -> None:
        """In the name of the worker."""
        self.patch(dask_part, "SILENCE", 0.01)
        says_no_version, silent, slow = Host(), Host(), Host()
        says_no_version.begin = says_no_version.still_there  # type: ignore[method-assign, assignment]
        says_no_version.to_say.put_nowait(b'{"hello": 1}\n')
        silent.stays_silent_at = "begin"
        for host, why in (
            (Host("0.1"), f"its Python has nbtwisted 0.1: expected {__version__}"),
            (silent, "its worker has said nothing for 0.03 s"),
        ):
            with self.subTest(why=why):
                told = await refused(self.thread.call(self.part(host).begin([])))
                self.assertTrue(told.startswith(f"worker 7: {why}"), told)
        self.patch(dask_part, "SILENCE", 1.0)
        self.patch(dask_part, "START", 0.05)
        slow.stays_silent_at = "read"
        self.assertEqual(
            await refused(self.thread.call(self.part(slow).begin([]))),
            "worker 7: no part has begun within 0.05 s",
        )

    async def test_a_worker_is_looked_for_more_than_once(self) -> None:
        """After Ctrl-Z and `fg`, the first time is over at once."""
        self.patch(dask_part, "SILENCE", 0.01)
        host = Host()

        async def still_there() -> None:
            await asyncio.sleep(0.015)

        host.still_there = still_there  # type: ignore[method-assign]
        await self.thread.call(self.part(host)._ask("still_there"))

    async def test_its_clock_is_compared(self) -> None:
        """In the time of this process's."""
        host = Host()
        part = await self.begun(host, None)
        self.assertLess(abs(part.clock.seconds - 3600), 0.5)
        until_hello = ["begin", "read"]
        # And it is read on, from then on.
        self.assertEqual(
            host.calls[: 2 + dask_part.PINGS], until_hello + ["read"] * dask_part.PINGS
        )

    async def test_frames_come_and_go_in_order(self) -> None:
        """Also those that are sent while others are on their way."""
        host, listener = Host(), Listener()
        part = await self.begun(host, listener)
        for number in range(5):
            part.send({"number": number}, b"x")
            host_says = write_frame({"answer": number}, b"y")
            self.thread.call_soon(host.to_say.put_nowait, host_says)
            await self.pause()
        await listener.wait(5)
        self.assertEqual(
            listener.frames,
            [(part, Frame({"answer": each}, b"y")) for each in range(5)],
        )
        self.assertEqual(
            host.written, [Frame({"number": each}, b"x") for each in range(5)]
        )

    async def test_a_loss_is_told_once_and_to_who_listens_later(self) -> None:
        """Parts begin at different moments, and somebody may listen to all at last."""
        for said, reason in (
            (None, "its process has ended: exit code 3"),
            (OSError("gone"), "its worker is lost: gone"),
            (b"print\n", "expected a frame, which begins with a line of JSON: 'print'"),
        ):
            host, listener = Host(), Listener()
            part = await self.begun(host, None)
            self.thread.call_soon(host.to_say.put_nowait, said)
            await self.pause()
            part.listener = listener
            self.assertEqual(listener.lost, [], "whoever begins to listen is not ready")
            await listener.wait(0, lost=1)
            part.listener = None
            part.listener = listener
            part.send({"a": 1})
            part.end()
            await self.pause()
            self.assertEqual(listener.lost, [(part, reason)])
            self.assertNotIn("write", host.calls)

    async def test_the_cluster_may_know_that_it_is_lost(self) -> None:
        """Before the worker is missed."""
        host, listener = Host(), Listener()
        await self.begun(host, listener)
        self.thread.call_soon(self.lost.set_result, "the scheduler has removed it")
        await listener.wait(0, lost=1)
        [(_, reason)] = listener.lost
        self.assertEqual(reason, "its worker is lost: the scheduler has removed it")

    async def test_is_silent_when_it_was_ended(self) -> None:
        """Whatever its process says, and however that ends."""
        host, listener = Host(), Listener()
        part = await self.begun(host, listener)
        part.end()
        part.end()
        part.send({"a": 1})
        self.thread.call_soon(host.to_say.put_nowait, write_frame({"a": 1}))
        self.thread.call_soon(host.to_say.put_nowait, None)
        await self.pause()
        self.assertEqual((listener.frames, listener.lost), ([], []))
        self.assertEqual(host.calls.count("end"), 1)
        self.assertEqual(host.under_way, 0)
        self.assertNotIn("write", host.calls)

    async def test_its_worker_is_told_that_a_slow_driver_is_there(self) -> None:
        """While that takes what came, and no more is read meanwhile."""
        self.patch(dask_part, "PATIENCE", 0.001)
        host = Host()

        told, tell = threading.Event(), host.still_there

        async def still_there() -> None:
            await tell()
            told.set()

        host.still_there = still_there  # type: ignore[method-assign]

        class Slow(Listener):
            """Takes its time, in the reactor's thread."""

            def frame_received(self, part: Any, frame: Frame) -> None:
                """Whatever it is."""
                told.wait(10)
                super().frame_received(part, frame)

        listener = Slow()
        await self.begun(host, listener)
        self.thread.call_soon(host.to_say.put_nowait, write_frame({"a": 1}))
        await listener.wait(1)
        before = host.calls[: host.calls.index("still_there")]
        # For hello, for pings, and for this.
        self.assertEqual(before.count("read"), 1 + dask_part.PINGS + 1)

    async def test_closing_does_not_wait_for_a_worker_that_is_silent(self) -> None:
        """Its process ends by itself, as nobody reads."""
        self.patch(dask_part, "END", 0.01)
        host = Host()
        part = await self.begun(host, Listener())
        host.stays_silent_at = "end"
        await self.thread.call(part.close())
        self.assertIn("end", host.calls)

    async def test_to_cancel_is_to_stop(self) -> None:
        """What is under way in the other thread."""
        stopped: Deferred[None] = Deferred()

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                self.thread.in_reactor_soon(stopped.callback, None)

        waiting = self.thread.call(wait())
        await self.pause()
        waiting.cancel()
        with self.assertRaises(CancelledError):
            await waiting
        await stopped

    async def test_an_error_is_raised_where_it_was_asked_for(self) -> None:
        """As it is."""

        async def fail() -> None:
            raise ClusterError("no")

        self.assertEqual(await refused(self.thread.call(fail())), "no")
