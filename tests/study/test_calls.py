"""Counting system calls: what strace writes, and what there is without it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study import calls
from nbtwisted.study.calls import counted, counting, has_strace
from nbtwisted.study.run import Calls


class RecordCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.record = Path(folder.name, "calls")


class StraceTests(RecordCase):
    """A record that strace wrote."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(calls, "has_strace", lambda: True)

    def counted(self, *lines: str) -> dict[str, Calls]:
        text = "".join(f"{line}\n" for line in lines)
        self.record.write_bytes(text.encode("latin-1"))
        found = counted(self.record)
        assert found is not None
        return found

    def test_calls_are_counted_by_name(self) -> None:
        found = self.counted(
            "7 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3<socket:[9]>",
            "7 connect(3<socket:[9]>, {sa_family=AF_INET}, 16) = 0",
            '7 sendto(3<socket:[9]>, "GET / HTTP/1.1\\r\\n", 61, 0, NULL, 0) = 61',
            '7 recvfrom(3<socket:[9]>, "HTTP", 4096, 0, NULL, NULL) = 4',
            '7 recvfrom(3<socket:[9]>, "", 4096, 0, NULL, NULL) = 0',
            "7 +++ exited with 0 +++",
        )
        self.assertEqual(
            {name: made.count for name, made in found.items()},
            {"recvfrom": 2, "socket": 1, "connect": 1, "sendto": 1},
        )
        # The most frequent is the first.
        self.assertEqual(next(iter(found)), "recvfrom")
        self.assertEqual(found["connect"].errors, {})

    def test_errors_are_counted_by_name(self) -> None:
        found = self.counted(
            "7 connect(3<socket:[9]>, {}, 16) = -1 EINPROGRESS (Operation now in progr",
            "7 recvfrom(3<socket:[9]>, 0x1, 9, 0, NULL, NULL) = -1 EAGAIN (Resource te",
            "7 recvfrom(3<socket:[9]>, 0x1, 9, 0, NULL, NULL) = -1 EAGAIN (Resource te",
            '7 recvfrom(3<socket:[9]>, "= -1", 9, 0, NULL, NULL) = 4',
        )
        self.assertEqual(found["connect"], Calls(1, {"EINPROGRESS": 1}))
        self.assertEqual(found["recvfrom"], Calls(3, {"EAGAIN": 2}))

    def test_a_call_in_two_lines_is_one(self) -> None:
        found = self.counted(
            "7 recvfrom(3<socket:[9]>,  <unfinished ...>",
            "8 recvfrom(4<socket:[10]>,  <unfinished ...>",
            '7 <... recvfrom resumed>"x", 4096, 0, NULL, NULL) = 1',
            "8 <... recvfrom resumed>0x1, 4096, 0, NULL, NULL) = -1 ECONNRESET (Connec",
        )
        self.assertEqual(found, {"recvfrom": Calls(2, {"ECONNRESET": 1})})

    def test_reads_and_writes_of_files_do_not_count(self) -> None:
        found = self.counted(
            '7 read(3</etc/localtime>, "TZif", 4096) = 4',
            '7 write(1<pipe:[8]>, "printed", 7) = 7',
            '7 write(2</dev/pts/0>, "error", 5) = 5',
            '7 read(0</dev/null>, "", 1) = 0',
            "7 close(3</etc/localtime>) = 0",
            "7 close(9) = -1 EBADF (Bad file descriptor)",
            "7 write(4</tmp/a>, <unfinished ...>",
            "7 <... write resumed>) = -1 ENOSPC (No space left on device)",
        )
        self.assertEqual(found, {})

    def test_reads_and_writes_of_what_lessons_are_about_count(self) -> None:
        found = self.counted(
            '7 read(3<socket:[9]>, "x", 1) = 1',
            '7 read(4<pipe:[10]>, "x", 1) = 1',
            '7 read(5<anon_inode:[eventfd]>, "x", 8) = 8',
            '7 write(4<pipe:[10]>, "x", 1) = -1 EAGAIN (Resource temporarily unavail',
            "7 close(3<socket:[9]>) = 0",
        )
        self.assertEqual(found["read"], Calls(3, {}))
        self.assertEqual(found["write"], Calls(1, {"EAGAIN": 1}))
        self.assertEqual(found["close"], Calls(1, {}))

    def test_the_probe_of_selectors_does_not_count(self) -> None:
        found = self.counted(
            "7 epoll_create1(EPOLL_CLOEXEC) = 3<anon_inode:[eventpoll]>",
            "7 close(3<anon_inode:[eventpoll]>) = 0",
            "7 epoll_create1(EPOLL_CLOEXEC) = 3<anon_inode:[eventpoll]>",
            "7 epoll_ctl(3<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 4, {}) = 0",
            "7 close(3<anon_inode:[eventpoll]>) = 0",
        )
        self.assertEqual(
            {name: made.count for name, made in found.items()},
            {"epoll_create1": 1, "epoll_ctl": 1, "close": 1},
        )

    def test_the_start_of_the_program_itself_does_not_count(self) -> None:
        start = (
            '7 execve("/usr/bin/python3", ["python3", "a.py"], 0x7f /* 9 vars */) = 0'
        )
        self.assertEqual(self.counted(start), {})
        self.assertEqual(self.counted(start, start), {"execve": Calls(1, {})})

    def test_locks_count_where_there_are_threads(self) -> None:
        lock = "7 futex(0x1, FUTEX_WAKE_PRIVATE, 1) = 0"
        self.assertEqual(self.counted(lock, lock), {})
        thread = "7 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 8"
        self.assertEqual(
            self.counted(lock, thread, lock),
            {"clone3": Calls(1, {}), "futex": Calls(1, {})},
        )

    def test_what_is_no_call_is_passed_over(self) -> None:
        self.assertEqual(
            self.counted(
                "strace: Process 8 attached",
                "7 --- SIGCHLD {si_signo=SIGCHLD} ---",
                "7 +++ killed by SIGKILL +++",
                "\xff\xfe",
                "",
                "9 <... futex resumed>) = -1 EAGAIN (Resource temporarily unavailable)",
                "7 recvfrom(",
            ),
            {"recvfrom": Calls(1, {})},
        )

    def test_no_record(self) -> None:
        self.assertIsNone(counted(self.record))


class WithoutStraceTests(RecordCase):
    """A record that the program made of itself."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(calls, "has_strace", lambda: False)

    def counted(self, document: str) -> dict[str, Calls] | None:
        self.record.write_text(document, encoding="latin-1")
        return counted(self.record)

    def test_calls(self) -> None:
        # Nobody can say how they failed.
        self.assertEqual(self.counted('{"connect": 5}'), {"connect": Calls(5, None)})

    def test_what_is_no_record(self) -> None:
        for document in ("", "{", '{"connect": ', "\xff"):
            self.assertIsNone(self.counted(document), document)

    def test_the_recorder_runs_the_program(self) -> None:
        command = counting(["a.py", "8000"], Path("r"))
        self.assertEqual(
            command[1:], ["-m", "nbtwisted.study.recorder", "r", "a.py", "8000"]
        )


class PathTests(SynchronousTestCase):
    """Whether strace is there, by PATH."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(has_strace.cache_clear)
        has_strace.cache_clear()
        self.patch(os, "environ", {**os.environ, "PATH": folder.name})

    def strace(self, script: str) -> None:
        path = self.folder / "strace"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)

    def test_one_that_is_not_there(self) -> None:
        self.assertFalse(has_strace())

    def test_one_that_may_not_trace(self) -> None:
        self.strace('echo "strace: ptrace(PTRACE_TRACEME): not permitted" >&2; exit 1')
        self.assertFalse(has_strace())

    def test_one_that_may(self) -> None:
        self.strace("exit 0")
        self.assertTrue(has_strace())
        self.assertEqual(counting(["a.py"], Path("r"))[0], "strace")
