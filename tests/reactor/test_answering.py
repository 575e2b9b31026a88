"""A program that is asked by `nbtwisted ps`: what it answers, and what it notices."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import skipIf
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor.ps import asking, remote
from nbtwisted.reactor.ps.errors import CannotLook, Gone, NotPrepared
from nbtwisted.reactor.ps.target import Target
from tests.reactor.asked import RUN, running

PREPARED = """
import nbtwisted.reactor.inspect
import gc, os, signal, sys, threading, warnings
from nbtwisted.reactor import answering
from twisted.internet import reactor
"""
TELLS_OF_ITSELF = """
def tell(*_):
    print(gc.isenabled(), len(warnings.filters), signal.getsignal(55), flush=True)
signal.signal(signal.SIGUSR1, tell)
warnings.simplefilter("error")
over = threading.Event()
reactor.callInThread(over.wait, 60)
reactor.addSystemEventTrigger("before", "shutdown", over.set)
"""
WAITS_FOR_ANY_CHILD = """
def on_child(*_):
    try:
        print("a child:", os.waitpid(-1, os.WNOHANG), flush=True)
    except ChildProcessError:
        print("no child", flush=True)
reactor.callWhenRunning(signal.signal, signal.SIGCHLD, on_child)
"""
HAS_ITS_OWN_WAYS = """
sys.excepthook = None
read, write = os.pipe()
os.set_blocking(write, False)
reactor.callWhenRunning(signal.set_wakeup_fd, write)
def tell(*_):
    print(list(os.read(read, 10)), signal.set_wakeup_fd(-1) == write, flush=True)
signal.signal(signal.SIGUSR1, tell)
"""
HAS_NO_PROC = """
from twisted.internet.protocol import Factory
def nothing(path):
    raise FileNotFoundError(path)
reactor.listenTCP(0, Factory(), interface="127.0.0.1")
os.listdir = nothing
"""
BECOMES_A_DAEMON = """
print("up", flush=True)
if os.fork():
    signal.pause()
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(3, 100)
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""
FORKS = """
print("up", flush=True)
child = os.fork()
if child == 0:
    while True:
        signal.pause()
print(child, flush=True)
signal.pause()
"""
TAKES_LONG = """
import nbtwisted.reactor.snapshot
def take(threads, throwaway):
    with open("fifo") as fifo:
        return {"version": 1, "read": fifo.read()}
nbtwisted.reactor.snapshot.take = take
os.dup2(1, 30)
def hang_up(*_):
    os.close(1)
    os.close(30)
signal.signal(signal.SIGUSR1, hang_up)
"""
IS_LOOKED_AT_FROM_WITHIN = """
import nbtwisted.reactor.snapshot
def take(threads, throwaway):
    return {
        "version": 1,
        "wakes": signal.set_wakeup_fd(-1),
        "handles": [n for n in signal.valid_signals() if callable(signal.getsignal(n))],
        "blocks": list(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "collects": gc.isenabled(),
        "dies in": signal.alarm(0),
        "dumps": resource.getrlimit(resource.RLIMIT_CORE),
        "traces": [sys.gettrace(), sys.getprofile()],
    }
nbtwisted.reactor.snapshot.take = take
import resource
signal.signal(signal.SIGALRM, print)
sys.setprofile(lambda *_: None)
"""
IS_IN_THE_MIDST_OF_SUBMIT = """
import concurrent.futures.thread
def submit():
    with concurrent.futures.thread._global_shutdown_lock:
        print("up", flush=True)
        signal.pause()
reactor.callWhenRunning(submit)
reactor.run()
"""
HAS_NO_FILE_LEFT = """
import resource
for name in [name for name in sys.modules if name.startswith("nbtwisted.reactor.s")]:
    del sys.modules[name]
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
def use_up():
    try:
        while True:
            os.dup(2)
    except OSError:
        pass
reactor.callWhenRunning(use_up)
"""
CANNOT_FORK = """
def fork():
    raise BlockingIOError(11, "Resource temporarily unavailable")
os.fork = fork
"""
CANNOT_BE_LOOKED_AT = """
import nbtwisted.reactor.snapshot
def take(threads, throwaway):
    class Broken(Exception):
        def __str__(self):
            raise self
    raise Broken
nbtwisted.reactor.snapshot.take = take
"""
DIES_OF_IT = """
import nbtwisted.reactor.snapshot
nbtwisted.reactor.snapshot.take = lambda threads, throwaway: os._exit(1)
"""
ANSWERS_OTHERS = """
answering.user_of = lambda link: 4242
"""
FAILS_TO_ANSWER = """
answering._must_not_fork = lambda: 1 / 0
"""
RUNS_NO_PYTHON = """
import hashlib
print("up", flush=True)
hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
"""
BLOCKS = """
import threading
def block():
    print("up", flush=True)
    threading.Event().wait(60)
reactor.callWhenRunning(block)
reactor.run()
"""
BLOCKS_IN_A_THREAD = BLOCKS.replace(
    "reactor.run()",
    "threading.Thread(target=reactor.run, args=(False,), daemon=True).start()\n"
    "while True:\n    signal.pause()",
)
TAKES_THE_SIGNAL = """
first = answering.prepare()
print("up", flush=True)
print(first == answering.prepare())
signal.signal(first, lambda *_: None)
print(answering.prepare() - first)
thread = threading.Thread(target=lambda: print(answering.prepare()))
thread.start()
thread.join()
sys.stdout.flush()
signal.pause()
"""
BECOMES_ANOTHER_PROGRAM = """
def become(*_):
    wait = "import signal; print('again', flush=True); signal.pause()"
    os.execv(sys.executable, [sys.executable, "-c", wait])
signal.signal(signal.SIGUSR1, become)
"""
GIVES_THE_SIGNAL_UP = """
signal.signal(answering.prepare(), signal.SIG_DFL)
"""


def ask(pid: int) -> dict[str, Any]:
    with Target(pid) as target:
        return asking.ask(target)


def error_of(pid: int) -> str:
    try:
        ask(pid)
    except CannotLook as error:
        return str(error)
    raise AssertionError("it has answered")


def line_of(process: Any, number: int = 0) -> str:
    """The next line that a program prints, after a signal."""
    if number:
        process.send_signal(number)
    return str(process.stdout.readline().strip())


class AnsweringTests(SynchronousTestCase):
    def test_a_snapshot_is_of_the_program(self) -> None:
        with running(PREPARED + RUN) as process:
            snapshot = ask(process.pid)
        self.assertEqual(snapshot["version"], 1)
        self.assertEqual(snapshot["pid"], process.pid)
        self.assertGreater(snapshot["stopped_for"], 0)
        self.assertLess(snapshot["stopped_for"], asking.UNTIL_IT_ANSWERS)
        self.assertNotIn("answering.py", str(snapshot["stack"]))

    def test_a_program_goes_on_as_before(self) -> None:
        with running(PREPARED + TELLS_OF_ITSELF + RUN) as process:
            before = line_of(process, signal.SIGUSR1), outside(process.pid)
            ask(process.pid)
            ask(process.pid)
            after = line_of(process, signal.SIGUSR1), outside(process.pid)
            self.assertEqual(after, before)
            process.terminate()
            self.assertEqual(process.communicate(), ("over\n", ""))
        self.assertEqual(process.returncode, 0)

    def test_who_waits_for_any_child_finds_none(self) -> None:
        with running(PREPARED + WAITS_FOR_ANY_CHILD + RUN) as process:
            ask(process.pid)
            self.assertEqual(line_of(process), "no child")

    def test_it_has_ways_of_its_own_with_signals_and_errors(self) -> None:
        with running(PREPARED + HAS_ITS_OWN_WAYS + RUN) as process:
            with Target(process.pid) as target:
                # No pipe ends its poll: a signal that comes just before is sent again.
                send = Mock(side_effect=target.send)
                self.patch(target, "send", send)
                asking.ask(target)
            numbers = [number for ((number,), _) in send.call_args_list]
            expected = [*numbers, int(signal.SIGCHLD), int(signal.SIGUSR1)]
            self.assertEqual(line_of(process, signal.SIGUSR1), f"{expected} True")

    def test_a_daemon_that_closes_all_files(self) -> None:
        with running(PREPARED + BECOMES_A_DAEMON) as process:
            daemon = int(line_of(process))
            try:
                self.assertEqual(ask(daemon)["pid"], daemon)
            finally:
                os.kill(daemon, signal.SIGKILL)

    def test_a_fork_answers_for_itself(self) -> None:
        with running(PREPARED + FORKS) as process:
            child = int(line_of(process))
            try:
                self.assertEqual(ask(child)["pid"], child)
                self.assertEqual(ask(process.pid)["pid"], process.pid)
            finally:
                os.kill(child, signal.SIGKILL)

    def test_the_program_does_not_wait_and_its_files_are_its_own(self) -> None:
        with running(PREPARED + TAKES_LONG + RUN) as process:
            fifo = os.path.join(os.readlink(f"/proc/{process.pid}/cwd"), "fifo")
            os.mkfifo(fifo)
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(ask, process.pid)
                # Once its other end is opened, a copy is at work.
                with open(fifo, "w") as to_copy:
                    process.send_signal(signal.SIGUSR1)
                    assert process.stdout is not None
                    self.assertEqual(process.stdout.read(), "")
                    to_copy.write("at last")
                self.assertEqual(asked.result()["read"], "at last")

    def test_a_copy_has_nothing_of_the_programs_to_react_by(self) -> None:
        with running(PREPARED + IS_LOOKED_AT_FROM_WITHIN + RUN) as process:
            found = ask(process.pid)
        self.assertEqual(found["wakes"], -1)
        self.assertEqual((found["handles"], found["blocks"]), ([], []))
        self.assertFalse(found["collects"])
        self.assertGreater(found["dies in"], 0)
        self.assertEqual(found["dumps"], [0, 0])
        self.assertEqual(found["traces"], [None, None])

    def test_it_is_asked_again_where_a_fork_would_wait_for_ever(self) -> None:
        with running(PREPARED + IS_IN_THE_MIDST_OF_SUBMIT) as process:
            self.assertEqual(ask(process.pid)["pid"], process.pid)

    def test_a_program_without_a_file_left(self) -> None:
        with running(PREPARED + HAS_NO_FILE_LEFT + RUN) as process:
            snapshot = ask(process.pid)
        self.assertEqual(snapshot["pid"], process.pid)
        self.assertIsNone(snapshot["stopped_for"])

    def test_a_program_whose_root_has_no_proc(self) -> None:
        with running(PREPARED + HAS_NO_PROC + RUN) as process:
            (listening,) = ask(process.pid)["listening"]
        self.assertIn("127.0.0.1", listening["address"])


class SilentTests(SynchronousTestCase):
    """Programs that give no snapshot."""

    def soon_gives_up(self) -> Any:
        return self.patch(asking, "UNTIL_IT_ANSWERS", 0.3)

    def test_no_copy_can_be_made(self) -> None:
        with running(PREPARED + CANNOT_FORK + RUN) as process:
            self.assertIn(
                "no snapshot: it cannot fork: Resource temporarily unavailable",
                error_of(process.pid),
            )

    def test_the_copy_fails(self) -> None:
        with running(PREPARED + CANNOT_BE_LOOKED_AT + RUN) as process:
            self.assertTrue(error_of(process.pid).endswith(": no snapshot: Broken"))

    def test_the_copy_dies(self) -> None:
        with running(PREPARED + DIES_OF_IT + RUN) as process:
            self.assertIn("ended before it had answered", error_of(process.pid))

    def test_another_user_has_no_answer(self) -> None:
        with running(PREPARED + ANSWERS_OTHERS + RUN) as process:
            self.assertIn("answers only its own user and root", error_of(process.pid))

    def test_another_users_answer_is_none(self) -> None:
        self.soon_gives_up()
        self.patch(asking, "user_of", lambda link: 4242)
        with running(PREPARED + RUN) as process:
            self.assertIn("has not answered within 0.3 s", error_of(process.pid))

    def test_what_fails_in_the_handler_is_not_raised_in_the_program(self) -> None:
        with running(PREPARED + FAILS_TO_ANSWER + RUN) as process:
            error_of(process.pid)
            process.terminate()
            self.assertEqual(process.communicate(), ("over\n", ""))

    def test_a_main_thread_that_runs_no_python(self) -> None:
        self.soon_gives_up()
        with running(PREPARED + RUNS_NO_PYTHON) as process:
            # It may not have come so far yet.
            with contextlib.suppress(CannotLook):
                for _ in range(20):
                    ask(process.pid)
            self.assertIn("it may be in a C extension, state R", error_of(process.pid))

    def test_a_signal_that_is_blocked(self) -> None:
        self.soon_gives_up()
        blocks = "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"
        with running(f"{PREPARED}\n{blocks}\n{RUN}") as process:
            self.assertIn("its main thread blocks the signal", error_of(process.pid))

    def test_a_signal_that_is_missed_is_sent_again(self) -> None:
        self.patch(asking, "UNTIL_AGAIN", 0.05)
        with running(PREPARED + RUN) as process, Target(process.pid) as target:
            signals = iter([0])
            send = target.send
            # The number 0 is none, and is only looked at.
            self.patch(target, "send", lambda number: send(next(signals, number)))
            asking.ask(target)

    def test_two_cannot_ask_at_once(self) -> None:
        soon = self.soon_gives_up()
        with running(PREPARED + RUN) as process, Target(process.pid) as target:
            with asking._listener(target, 0):
                self.assertIn("is being asked by somebody else", error_of(process.pid))
            soon.restore()
            asking.ask(target)

    def test_it_ends_in_between(self) -> None:
        with running(PREPARED + RUN) as process, Target(process.pid) as target:
            process.kill()
            process.wait()
            error = self.assertRaises(Gone, asking.ask, target)
        self.assertIn("has ended", str(error))

    def test_it_ends_while_it_is_asked(self) -> None:
        with running(PREPARED + RUN) as process, Target(process.pid) as target:
            self.patch(target, "send", lambda number: process.kill())
            self.assertRaises(Gone, asking.ask, target)


class BlockingTests(SynchronousTestCase):
    def test_a_program_that_blocks_says_where(self) -> None:
        for program in (BLOCKS, BLOCKS_IN_A_THREAD):
            with running(PREPARED + program) as process:
                stack = ask(process.pid)["stack"]
            self.assertIn("block", [name for _, _, name in stack[:4]])


class PrepareTests(SynchronousTestCase):
    def test_a_signal_that_somebody_took_is_given_up(self) -> None:
        with running(PREPARED + TAKES_THE_SIGNAL) as process:
            printed = [line_of(process) for _ in range(3)]
            # The second is another signal; and in a thread, there is none.
            self.assertEqual(printed, ["True", "1", "None"])
            self.assertEqual(ask(process.pid)["pid"], process.pid)

    @skipIf(sys.version_info >= remote.SINCE, "any program can be asked")
    def test_a_process_that_becomes_another_program_is_sent_no_signal(self) -> None:
        program = PREPARED + BECOMES_ANOTHER_PROGRAM + RUN
        with running(program) as process, Target(process.pid) as target:
            asking.ask(target)
            self.assertEqual(line_of(process, signal.SIGUSR1), "again")
            self.assertRaises(NotPrepared, asking.ask, target)
            self.assertRaises(NotPrepared, asking._signal, target)
            self.assertIsNone(process.poll())

    def test_without_our_handler_no_signal_is_sent(self) -> None:
        with running(PREPARED + GIVES_THE_SIGNAL_UP + RUN) as process:
            with Target(process.pid) as target:
                self.assertIsNone(target.number)
            self.assertIsNone(process.poll())


def outside(pid: int) -> list[Any]:
    """What others can see of a process: files, children, what signals it blocks."""
    status = Path(f"/proc/{pid}/status").read_text()
    told = ("SigBlk:", "SigIgn:", "SigCgt:")
    return [
        sorted(os.listdir(f"/proc/{pid}/fd")),
        Path(f"/proc/{pid}/task/{pid}/children").read_text(),
        [line for line in status.splitlines() if line[:7] in told],
    ]
