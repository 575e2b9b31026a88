"""All kinds of answers and of faults at once, each of which is looked at."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections import Counter
from collections.abc import (
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from random import Random
from statistics import median
from typing import Any

from benchmarks.soak.clients import (
    SECONDS_TO_ANSWER,
    Answer,
    open_connection,
    read_answer,
    request,
    send,
    together,
)
from benchmarks.soak.figures import (
    MOST_COMPLAINTS_SHOWN,
    Row,
    Settings,
    Unexpected,
    say,
)
from benchmarks.soak.scenarios import without_outcome
from benchmarks.soak.server import Server, leaks

WORKERS = 200
SECONDS_TO_WAIT_FOR_A_STALL = 1.0
STILL_SECONDS = 10.0
"""Between lines that tell how the mixed scenario goes."""
FIRST, LAST = (0.2, 0.4), (0.8, 1.0)
"""Parts of the time, whose memory is compared. A server takes seven or eight seconds to
fill what it remembers: to be told from a leak, that takes forty seconds in all."""
MOST_TREND = 1.1


@dataclass(frozen=True)
class Question:
    """What a worker may ask, and whether the answer is as it should be."""

    target: str
    is_right: Callable[[Answer], bool]
    body: bytes = b""


@dataclass(frozen=True)
class Reception:
    """All that came on a connection, and how it ended: `closed`, `reset` or `open`."""

    received: bytes
    ending: str
    seconds: float
    """From the question to the end, or to when it was not waited for any longer."""


@dataclass
class Tally:
    """What the workers did, and what went wrong."""

    done: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    """Of the targets with `_seq`: how often each status came."""

    def note_problem(self, target: str, error: BaseException) -> None:
        """Count it, and tell of the first ones."""
        kind = f"{target}: {error!r}"
        if sum(self.problems.values()) < MOST_COMPLAINTS_SHOWN:
            say(f"  lost: {kind}")
        self.problems[kind] += 1

    def lost(self) -> int:
        """Answers that were not as they should be."""
        wrong = 0
        for target, statuses in self.statuses.items():
            # However they were interleaved, the first two of each key are refused.
            missing = abs(min(2, sum(statuses.values())) - statuses[503])
            if missing:
                say(f"  lost: {target}: {dict(statuses)}")
            wrong += missing
        return wrong + sum(self.problems.values())


def echo_of(target: str, *statuses: int) -> Question:
    """A question whose answer is its echo, or empty if it is not 200."""

    def is_right(answer: Answer) -> bool:
        if answer.status != 200:
            return answer.status in statuses
        return str(json.loads(answer.body)["url"]).endswith(target)

    return Question(target, is_right)


def filled(target: str, size: int) -> Question:
    """A question whose answer is so many asterisks."""
    return Question(target, lambda a: (a.status, a.body) == (200, b"*" * size))


def lines(target: str, count: int) -> Question:
    """A question whose answer is so many lines of JSON, which are numbered."""

    def is_right(answer: Answer) -> bool:
        numbers = [json.loads(line)["id"] for line in answer.body.splitlines()]
        return answer.status == 200 and numbers == list(range(count))

    return Question(target, is_right)


def posted(random: Random) -> Question:
    """A question whose answer is what was posted."""
    body = b"%x" % random.getrandbits(random.randrange(4, 40_000))

    def is_right(answer: Answer) -> bool:
        return answer.status == 200 and json.loads(answer.body)["data"] == body.decode()

    return Question("/anything", is_right, body)


QUESTIONS: Sequence[Callable[[Random], Question]] = (
    lambda random: echo_of("/get"),
    lambda random: echo_of("/delay/uniform(10ms,300ms)"),
    lambda random: Question(
        "/status/200:0.9,500:0.1", lambda a: a.status in (200, 500) and not a.body
    ),
    lambda random: Question(
        "/bytes/20000", lambda a: a.status == 200 and len(a.body) == 20000
    ),
    lambda random: lines("/stream/20", 20),
    lambda random: filled("/drip?numbytes=50&duration=0.3", 50),
    lambda random: filled("/get?_rate=20kB&_size=5000", 5000),
    lambda random: echo_of(f"/get?_seq=503,503,200&_key={random.randrange(50)}", 503),
    lambda random: echo_of("/get?_limit=5/1s&_key=k", 429),
    posted,
)

BODY = 3000
STARS = b"*" * BODY
HEAD = rb"HTTP/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)*"
ANNOUNCED = HEAD + rb"Content-Length: %d\r\n(?:[^\r\n]+\r\n)*\r\n" % BODY
IN_CHUNKS = HEAD + rb"Transfer-Encoding: chunked\r\n(?:[^\r\n]+\r\n)*\r\n"


def is_after(head: bytes, rest: bytes, reception: Reception) -> bool:
    """Whether all that was received is such a head, and these bytes."""
    match = re.match(head, reception.received, re.I)
    return match is not None and reception.received[match.end() :] == rest


def is_slow_head(reception: Reception) -> bool:
    """Whether the head comes, but slowly: a byte every tenth of a second."""
    received = reception.received
    # A client that is late to look has more, and no more than was due by then.
    due = 2 + 10 * reception.seconds
    return received[:15] == b"HTTP/1.1 200 OK"[: len(received)] and (
        2 <= len(received) <= due
    )


FAULTS: Mapping[str, tuple[str, Callable[[Reception], bool]]] = {
    "reset": ("reset", lambda r: not r.received),
    "empty": ("closed", lambda r: not r.received),
    "garbage": ("closed", lambda r: re.match(b"HTTP", r.received) is None),
    "malformed-chunk": (
        "closed",
        lambda r: is_after(
            IN_CHUNKS,
            b"%x\r\n%b\r\nthis is no chunk size\r\n" % (BODY // 2, STARS[: BODY // 2]),
            r,
        ),
    ),
    "truncate": ("closed", lambda r: is_after(ANNOUNCED, STARS[: BODY // 2], r)),
    "wrong-length": ("closed", lambda r: is_after(ANNOUNCED, STARS + b"x" * 200, r)),
    "stall": ("open", lambda r: not r.received),
    "stall-body": ("open", lambda r: is_after(ANNOUNCED, STARS[: BODY // 2], r)),
    "slow-headers": ("open", is_slow_head),
}
"""How a connection is to end by each fault, and what is to come before."""


class Worker:
    """Asks one thing after another, each drawn from a `Random` of its own."""

    def __init__(self, port: int, number: int, tally: Tally) -> None:
        self._port = port
        self._number = number
        self._tally = tally
        self._random = Random(number)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def work(self, deadline: float) -> None:
        """Go on until then."""
        while time.monotonic() < deadline:
            choice = self._random.randrange(len(QUESTIONS) + len(FAULTS))
            if choice < len(QUESTIONS):
                question = QUESTIONS[choice](self._random)
                await self._attempt(question.target, self._ask(question))
            else:
                fault = list(FAULTS)[choice - len(QUESTIONS)]
                await self._attempt(fault, self._suffer(fault))
        self._leave()

    async def _attempt(self, target: str, act: Coroutine[Any, Any, None]) -> None:
        self._tally.done += 1
        try:
            await asyncio.wait_for(act, SECONDS_TO_ANSWER)
        # Whatever cannot be read in an answer, it is the answer that is wrong.
        except Exception as error:
            self._tally.note_problem(target, error)
            self._leave()

    async def _ask(self, question: Question) -> None:
        if self._streams is None:
            connection = await open_connection(self._port, self._number)
            self._streams = await asyncio.open_connection(sock=connection)
        reader, writer = self._streams
        writer.write(request(question.target, body=question.body))
        answer = await read_answer(reader)
        if "_seq" in question.target:
            counter = self._tally.statuses.setdefault(question.target, Counter())
            counter[answer.status] += 1
        if not question.is_right(answer):
            raise Unexpected(f"{answer.status}, {answer.body[:100]!r}")
        # Some connections are used again, and some are not.
        if self._random.random() < 0.5:
            self._leave()

    def _leave(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _suffer(self, fault: str) -> None:
        expected_ending, is_right = FAULTS[fault]
        with await open_connection(self._port, self._number) as connection:
            target = f"/get?_size={BODY}&_fault={fault}"
            # The server may begin before this process goes on behind what it sends.
            began = time.monotonic()
            await send(connection, request(target))
            reception = await receive(
                connection,
                began,
                is_silent=fault == "stall",
                is_endless=expected_ending == "open",
            )
        if reception.ending != expected_ending or not is_right(reception):
            raise Unexpected(f"{reception.ending} after {reception.received!r}")


async def receive(
    connection: socket.socket, began: float, *, is_silent: bool, is_endless: bool
) -> Reception:
    """All that comes until the end, or in a second if there will be none.

    That second begins with the second byte, however long a busy server takes for it,
    unless none is to come. `began` is when it was asked for.
    """
    loop = asyncio.get_running_loop()
    received = b""
    deadline = loop.time() + SECONDS_TO_WAIT_FOR_A_STALL if is_silent else None

    def reception(ending: str) -> Reception:
        return Reception(received, ending, time.monotonic() - began)

    while True:
        wait = None if deadline is None else max(deadline - loop.time(), 0.0)
        try:
            data = await asyncio.wait_for(loop.sock_recv(connection, 65536), wait)
        # Before the other, of which it is a kind since Python 3.11.
        except asyncio.TimeoutError:
            return reception("open")
        except ConnectionResetError:
            return reception("reset")
        if not data:
            return reception("closed")
        received += data
        if is_endless and deadline is None and len(received) > 1:
            deadline = loop.time() + SECONDS_TO_WAIT_FOR_A_STALL


@dataclass
class Samples:
    """A server's memory and descriptors, once a second."""

    seconds: float
    resident: list[tuple[float, float]] = field(default_factory=list)
    """MB, each after the part of the time that had passed."""
    most_descriptors: int = 0

    async def take(self, server: Server, done: Callable[[], int]) -> None:
        """Take them until the time is over, beginning after a warm-up."""
        await asyncio.sleep(0.2 * self.seconds)
        began = time.monotonic() - 0.2 * self.seconds
        said = 0.0
        while (elapsed := time.monotonic() - began) < self.seconds:
            self.resident.append((elapsed / self.seconds, server.resident()))
            self.most_descriptors = max(self.most_descriptors, server.descriptors())
            if elapsed - said >= STILL_SECONDS:
                said = elapsed
                say(f"  {elapsed:.0f} s: {done()} requests, {self._last:.1f} MB")
            await asyncio.sleep(1.0)

    @property
    def _last(self) -> float:
        return self.resident[-1][1]

    def between(self, start: float, end: float) -> float:
        """The median of the memory in a part of the time."""
        return median(mb for part, mb in self.resident if start <= part < end)

    @property
    def is_growing(self) -> bool:
        """Whether memory grew for as long as this went on."""
        return self.between(*LAST) > MOST_TREND * self.between(*FIRST)


async def mixed(server: Server, settings: Settings, row: Row) -> None:
    """All kinds of answers and of faults, for a long time."""
    descriptors = await server.descriptors_at_rest()
    counted_before = (await server.stats())["requests"]
    tally, samples = Tally(), Samples(settings.seconds)
    deadline = time.monotonic() + settings.seconds
    workers = [Worker(server.port, number, tally) for number in range(WORKERS)]
    try:
        await together(
            samples.take(server, lambda: tally.done),
            *(worker.work(deadline) for worker in workers),
        )
    finally:
        row.done, row.unit, row.lost = tally.done, "requests", tally.lost()
    row.leaked = await leaks(server, descriptors) + samples.is_growing
    stats = await server.stats()
    row.lost += without_outcome(stats)
    row.lost += abs(tally.done - (stats["requests"] - counted_before))
    first, last = samples.between(*FIRST), samples.between(*LAST)
    row.note = (
        f"{tally.done / settings.seconds:.0f} a second; "
        f"{first:.1f} MB first, {last:.1f} last; "
        f"{samples.most_descriptors} descriptors at most"
    )
