"""The process of a part, as its worker has it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.cluster import part_host
from nbtwisted.cluster.part_host import PartHost


def with_host(work: Callable[[PartHost], Awaitable[None]]) -> None:
    """Do something with a host, whose process is ended then."""

    async def do() -> None:
        host = PartHost()
        try:
            await work(host)
        finally:
            await host.end()

    asyncio.run(asyncio.wait_for(do(), 20))


async def read_all(host: PartHost) -> tuple[bytes, str]:
    """What the process says, and how it ends."""
    whole = b""
    while True:
        data, ended = await host.read()
        whole += data
        if ended is not None:
            return whole, ended


class PartHostTests(SynchronousTestCase):
    """Processes of parts."""

    def says(self, program: str, *, expected: bytes) -> str:
        """Run a program; returns how it ended."""
        ends = []

        async def run(host: PartHost) -> None:
            await host.begin(["-c", program])
            said, ended = await read_all(host)
            self.assertEqual(said, expected)
            ends.append(ended)

        with_host(run)
        return ends[0]

    def test_how_they_end_is_said(self) -> None:
        """With the last line of stderr, however much there is of it."""
        for program, said, ended in (
            ("print(1)", b"1\n", "exit code 0"),
            ("import sys; sys.exit('no room')", b"", "exit code 1: no room"),
            ("import os; os.kill(os.getpid(), 9)", b"", "signal 9"),
            (
                "import os; os.write(2, b'x' * 1_000_000 + b'\\n\\xffend\\n \\n')",
                b"",
                "exit code 0: \N{REPLACEMENT CHARACTER}end",
            ),
        ):
            with self.subTest(program=program):
                self.assertEqual(self.says(program, expected=said), ended)

    def test_what_they_say_last_is_waited_for(self) -> None:
        """It may be read after their end is known."""

        async def run() -> None:
            host = PartHost()
            host._process = await asyncio.create_subprocess_exec("false")
            stderr = host._process.stderr = asyncio.StreamReader()
            await host._process.wait()
            host._watching = asyncio.ensure_future(asyncio.sleep(60))
            host._listening = asyncio.ensure_future(host._listen())
            how = asyncio.ensure_future(host._how_it_ended())
            for _ in range(5):
                await asyncio.sleep(0)
            stderr.feed_data(b"no room\n")
            stderr.feed_eof()
            self.assertEqual(await how, "exit code 1: no room")

        asyncio.run(run())

    def test_have_a_session_of_their_own(self) -> None:
        """Ctrl-C comes to all processes of a terminal's session."""
        self.says("import os; print(os.getsid(0) == os.getpid())", expected=b"True\n")

    @skipIf(sys.version_info < (3, 11), "Python cannot be told so")
    def test_import_nothing_from_where_they_are(self) -> None:
        """Unless the worker does, too."""
        program, here = "import sys; print(sys.flags.safe_path)", os.getcwd()
        others = [each for each in sys.path if each not in ("", here)]
        gone = self.mktemp()
        os.mkdir(gone)
        for path, is_safe in (
            (others, b"True\n"),
            (["", *others], b"False\n"),
            ([*others, here], b"False\n"),
        ):
            with self.subTest(path=path[:1]):
                self.patch(sys, "path", path)
                self.says(program, expected=is_safe)
        self.addCleanup(os.chdir, here)
        os.chdir(gone)
        os.rmdir(os.path.join(here, gone))
        self.patch(sys, "path", others)
        self.says(program, expected=b"True\n")

    def test_are_told_what_is_written(self) -> None:
        """Also by who reads; and where they have ended, there is nobody to tell."""

        async def talk(host: PartHost) -> None:
            await host.begin(["-c", "a, b = input(), input(); print(a + b)"])
            self.assertEqual(await host.read(b"one\n"), (b"", None))
            await host.write(b"two\n")
            self.assertEqual(await read_all(host), (b"onetwo\n", "exit code 0"))
            await host.write(b"x" * 1_000_000)
            await host.write(b"x" * 1_000_000)

        self.patch(part_host, "PATIENCE", 0.01)
        with_host(talk)

    def test_wait_where_they_are_not_read(self) -> None:
        """Little of what they say is held; when it is read, all comes."""
        megabytes = 30

        async def read_late(host: PartHost) -> None:
            program = (
                "import sys\n"
                f"for each in range({megabytes}):\n"
                "    sys.stdout.write('x' * 1_000_000)\n"
                "    print(each, file=sys.stderr, flush=True)\n"
            )
            await host.begin(["-c", program])
            await host.read()
            # It has said this, and then written until there was no room.
            while host._said.count(b"\n") < 2:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            self.assertLess(host._said.count(b"\n"), 6)
            longest, whole = 0, 0
            while whole < (megabytes - 1) * 1_000_000:
                data, _ = await host.read()
                longest, whole = max(longest, len(data)), whole + len(data)
            self.assertLessEqual(longest, part_host.LARGEST_READ)

        with_host(read_late)

    def test_are_killed_where_nobody_reads(self) -> None:
        """After so long; not while a driver is busy, and says so."""
        self.patch(part_host, "ABANDONED", 2)
        naps = 0
        sleep = asyncio.sleep

        async def run(host: PartHost) -> None:
            async def nap(seconds: float) -> None:
                nonlocal naps
                naps += 1
                if naps < 10:
                    await (host.still_there() if naps % 2 else host.read())
                await sleep(0)

            self.patch(part_host, "PATIENCE", 0)
            self.patch(asyncio, "sleep", nap)
            await host.begin(["-c", "import time; time.sleep(60)"])
            self.assertEqual(await host._process.wait(), -9)
            self.assertEqual(naps, 10)
            self.assertEqual(await host.read(), (b"", "signal 9"))

        with_host(run)

    def test_are_ended_at_any_moment(self) -> None:
        """Before they begin, while they do, and after; more than once."""

        async def end_before(host: PartHost) -> None:
            await host.end()
            await host.begin(["-c", "import time; time.sleep(60)"])
            self.assertIsNone(host._process)

        async def end_meanwhile(host: PartHost) -> None:
            beginning = asyncio.ensure_future(
                host.begin(["-c", "import time; time.sleep(60)"])
            )
            await asyncio.sleep(0)
            await host.end()
            self.assertTrue(beginning.done())
            self.assertEqual(host._process.returncode, -9)
            await host.end()

        with_host(end_before)
        began = time.monotonic()
        with_host(end_meanwhile)
        self.assertLess(time.monotonic() - began, 10)

    def test_are_ended_with_a_worker_that_hangs(self) -> None:
        """It has cancelled all that it did; the process is not read any more."""

        async def hang(host: PartHost) -> None:
            await host.begin(["-c", "import time; time.sleep(60)"])
            # It has begun to watch.
            await asyncio.sleep(0)
            host._watching.cancel()
            self.assertEqual(await host._process.wait(), -9)

        with_host(hang)
