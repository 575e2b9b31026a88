"""Which worker does which jobs of a list, and what it may be sent next. Pure.

An origin is one worker's for the whole run, so that its limits and its pace hold on a
cluster as they do in one process. A new origin goes to the worker with the least to do.
When a worker is lost, its origins go to others, and with them what it had not done.

A worker has so much to do that it need not wait for more: its share of the requests in
flight, and as much again or what it does in half a second. What is taken from the list
for a worker that has enough waits here, and others are served meanwhile.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nbtwisted.client.errors import BadJob, BadURL
from nbtwisted.client.job import Job
from nbtwisted.client.target import Target

__all__ = ["Lost", "Sharding", "Task"]

MOST_WAITING = 10_000
"""Jobs that are kept because others can go before them: their workers have enough."""

LARGEST_WAITING = 64 * 1024 * 1024
"""Bytes of these, above which no more are taken from the list."""

MOST_SENT = 5000
"""Jobs that a worker may have: a third of a second's, where they are quickest."""

LARGEST_SENT = 16 * 1024 * 1024
"""Bytes of these, above which it gets no more."""

LARGEST_HELD = 64 * 1024 * 1024
"""Bytes of records that are held back for one before them; above that, no more jobs are
taken from the list."""

MOST_LOST = 3
"""Workers that may be lost by one job: it may be what they are lost by."""

LONGEST_BATCH = 1000
"""Jobs that are sent at once."""

_PERIOD = 0.25
"""Seconds in which it is counted what a worker does."""

_SLOTS = 1 << 20
"""Origins that are told apart. Those that are not have a worker in common, and a list
of ten million hosts takes no more memory than one of ten."""

_MOST_REMEMBERED = 10_000
"""Beginnings of URLs whose origins are remembered."""

_NOBODY = -1


Task = tuple[int, "Job | BadJob", int]
"""The index of a job, the job, and its bytes."""


@dataclass(frozen=True)
class Lost:
    """A job that no other worker does in place of one that was lost."""

    index: int
    job: Job | BadJob
    why: str


class _Worker:
    """What a worker has to do, and how much it has done lately."""

    __slots__ = (
        *("done", "done_before", "is_lost", "period", "sent", "share"),
        *("size", "waiting", "written"),
    )

    def __init__(self, share: int) -> None:
        self.share = share
        self.sent: dict[int, Task] = {}
        """What it was sent and has not done, by index."""
        self.size = 0
        """Bytes of that."""
        self.written: dict[int, Task] = {}
        """What it has done, and its records are on their way to where they are safe."""
        self.waiting: deque[Task] = deque()
        """What it will be sent."""
        self.is_lost = False
        # In this period, and in the one before.
        self.done = self.done_before = 0
        self.period = -1

    @property
    def number(self) -> int:
        """How many jobs it has to do."""
        return len(self.sent) + len(self.waiting)

    def room(self, now: float) -> int:
        """How many more it may be sent."""
        period = int(now / _PERIOD)
        if period != self.period:
            self.done_before = self.done if period == self.period + 1 else 0
            self.done, self.period = 0, period
        if self.is_lost or self.size >= LARGEST_SENT:
            return 0
        lately = 2 * max(self.done, self.done_before)
        most = self.share + min(max(self.share, lately), MOST_SENT)
        room = most - len(self.sent)
        # To send a few at a time costs more than to have a few less.
        return room if 4 * room >= most else 0


class Sharding:
    """Who does what, of jobs that are put here in the order of their indices.

    `shares` says how many requests each worker may have in flight. No job is to be put
    here more than `ahead` indices after one that has not been done. What is not
    idempotent is done again by another worker only if that `may_repeat` its method.

    Workers are numbered from 0.
    """

    def __init__(
        self,
        shares: Sequence[int],
        *,
        ahead: float = math.inf,
        may_repeat: Callable[[str], bool],
    ) -> None:
        self.origins = 0
        """How many different ones there were, as far as they are told apart."""
        self.left = len(shares)
        """How many workers are not lost."""
        self._workers = [_Worker(share) for share in shares]
        self._ahead = ahead
        self._may_repeat = may_repeat
        self._owners = array("h", [_NOBODY]) * _SLOTS
        self._slots: dict[str, int] = {}
        self._number_waiting = self._size_waiting = 0
        # Of the indices, the next, and the first that is not done; and of those done
        # behind it, the sizes of their records.
        self._next = self._oldest = 0
        self._held: dict[int, int] = {}
        self._size_held = 0
        # How many workers were lost by a job, if any was.
        self._losses: dict[int, int] = {}

    def room(self, now: float) -> int:
        """How many jobs may be put here before it is asked anew, if they are small.

        `now` is in seconds.
        """
        if (
            self._size_waiting >= LARGEST_WAITING
            or self._size_held >= LARGEST_HELD
            or not self.left
        ):
            return 0
        free = sum(
            max(worker.room(now) - len(worker.waiting), 0) for worker in self._workers
        )
        most = min(free, MOST_WAITING - self._number_waiting, LONGEST_BATCH)
        if self._ahead < math.inf:
            most = min(most, int(self._ahead) - (self._next - self._oldest))
        return max(most, 0)

    def put(self, index: int, job: Job | BadJob) -> bool:
        """Have a worker do a job; whether more may follow, as `room` has it.

        There has to be a worker left.
        """
        self._next = index + 1
        self._give(index, job)
        return self._size_waiting < LARGEST_WAITING

    def take(self, number: int, now: float) -> list[Task]:
        """What a worker is to be sent now."""
        worker = self._workers[number]
        waiting = worker.waiting
        most = min(worker.room(now), len(waiting), LONGEST_BATCH)
        batch = []
        for _ in range(most):
            if worker.size >= LARGEST_SENT:
                break
            task = waiting.popleft()
            worker.sent[task[0]] = task
            size = task[2]
            worker.size += size
            self._size_waiting -= size
            batch.append(task)
        self._number_waiting -= len(batch)
        return batch

    def answer(self, number: int, index: int) -> None:
        """A worker has done a job, and can be sent another; if it is lost before `end`,
        the job is to be done again."""
        worker = self._workers[number]
        task = worker.sent.pop(index, None)
        if task is not None:
            worker.size -= task[2]
            worker.done += 1
            worker.written[index] = task

    def end(self, number: int, index: int, size: int = 0) -> bool:
        """A worker has done a job, whose record has `size` bytes.

        Returns whether the job was to be done by this worker.
        """
        worker = self._workers[number]
        task = worker.sent.pop(index, None)
        if task is not None:
            worker.size -= task[2]
            worker.done += 1
        elif worker.written.pop(index, None) is None:
            return False
        self._be_done(index, size)
        return True

    def lose(self, number: int) -> list[Lost]:
        """A worker is lost: others do what it had to do, but for what is returned."""
        worker = self._workers[number]
        if worker.is_lost:
            return []
        worker.is_lost = True
        self.left -= 1
        sent = {**worker.written, **worker.sent}
        tasks = [*sent.values(), *worker.waiting]
        worker.written, worker.sent = {}, {}
        self._number_waiting -= len(worker.waiting)
        self._size_waiting -= sum(size for _, _, size in worker.waiting)
        worker.waiting.clear()
        failed = []
        # Those that were sent are mostly the older ones.
        for index, job, _ in sorted(tasks, key=_index):
            why = self._why_not_again(index, job) if index in sent else ""
            if not self.left:
                why = "no worker is left"
            if why:
                failed.append(Lost(index, job, why))
                self._be_done(index, 0)
            else:
                self._give(index, job)
        for other in self._workers:
            # What is done again goes first.
            other.waiting = deque(sorted(other.waiting, key=_index))
        return failed

    def sent_to(self, number: int) -> list[Task]:
        """What a worker was sent and has not ended."""
        worker = self._workers[number]
        return [*worker.written.values(), *worker.sent.values()]

    def rest(self) -> Iterator[Task]:
        """What was put here and not sent, in the order of the indices; it is taken."""
        tasks = [task for worker in self._workers for task in worker.waiting]
        for worker in self._workers:
            worker.waiting.clear()
        self._number_waiting = self._size_waiting = 0
        yield from sorted(tasks, key=_index)

    @property
    def is_idle(self) -> bool:
        """Whether nobody has anything to do."""
        return not any(worker.number or worker.written for worker in self._workers)

    def _give(self, index: int, job: Job | BadJob) -> None:
        slot = self._slot(job)
        number = _NOBODY if slot is None else self._owners[slot]
        if number == _NOBODY or self._workers[number].is_lost:
            if slot is not None and number == _NOBODY:
                self.origins += 1
            number = min(range(len(self._workers)), key=self._load)
            if slot is not None:
                self._owners[slot] = number
        size = 0 if isinstance(job, BadJob) else len(job.url) + len(job.body)
        self._workers[number].waiting.append((index, job, size))
        self._number_waiting += 1
        self._size_waiting += size

    def _load(self, number: int) -> float:
        worker = self._workers[number]
        return math.inf if worker.is_lost else worker.number

    def _slot(self, job: Job | BadJob) -> int | None:
        """A number for the origin; None for what has none, and will be found out."""
        if isinstance(job, BadJob):
            return None
        url = job.url
        # All that say the same up to the path have the same origin, if they say it so.
        end = url.find("/", 8)
        begin = url[:end] if end > 0 else ""
        slot = self._slots.get(begin)
        if slot is None:
            try:
                slot = hash(Target.parse(url).origin) % _SLOTS
            except BadURL:
                return None
            if begin.startswith(("http://", "https://")):
                if len(self._slots) >= _MOST_REMEMBERED:
                    self._slots.clear()
                self._slots[begin] = slot
        return slot

    def _why_not_again(self, index: int, job: Job | BadJob) -> str:
        if isinstance(job, Job) and not self._may_repeat(job.method):
            return f"a {job.method} is made once"
        losses = self._losses[index] = self._losses.get(index, 0) + 1
        return f"it was with {losses} that were lost" if losses >= MOST_LOST else ""

    def _be_done(self, index: int, size: int) -> None:
        if self._ahead == math.inf:
            return
        if index != self._oldest:
            self._held[index] = size
            self._size_held += size
            return
        self._oldest += 1
        while self._oldest in self._held:
            self._size_held -= self._held.pop(self._oldest)
            self._oldest += 1


def _index(task: Task) -> int:
    return task[0]
