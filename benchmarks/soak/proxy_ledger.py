"""What becomes of each request that goes through a proxy, by all who have seen it.

A request is *lost* if its client, the proxy's journal or the upstream has not seen what
it should have, or has seen what it should not. While the upstream is down, requests may
end otherwise than they should; but as what they are, and in the journal as well.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from benchmarks.soak.figures import MOST_COMPLAINTS_SHOWN, say
from benchmarks.soak.proxy_client import Carried, Reply, uploaded
from benchmarks.soak.proxy_kinds import Ending, Kind, Leaving

__all__ = ["Ledger", "Sent", "Written", "read_written"]

FAILED = "upstream failed"
_ENDED_BY_UPSTREAM = ("closed by upstream", "reset by upstream")


@dataclass
class Sent:
    """A request as its client saw it.

    began, ended: seconds of the event loop's clock.
    problem: why its answer is none of those that it may have; empty if it is.
    """

    name: str
    kind: Kind
    began: float
    ended: float = 0.0
    reply: Reply | None = None
    problem: str = ""


@dataclass
class Written:
    """A request as the upstream saw it: how often each of its lines was written."""

    asked: int = 0
    whole: int = 0
    gave: int = 0
    bodies: list[tuple[int, int]] = field(default_factory=list)


def read_written(text: str) -> dict[int, Written]:
    """What the upstream wrote, by the numbers of requests."""
    found: dict[int, Written] = {}
    for line in text.splitlines():
        what, number, *more = line.split()
        written = found.setdefault(int(number), Written())
        setattr(written, what, getattr(written, what) + 1)
        if more:
            written.bodies.append((int(more[0]), int(more[1])))
    return found


@dataclass
class Ledger:
    """All requests of a run, and the times at which the upstream was not there."""

    is_http: bool = True
    """Whether the proxy can answer in the place of its upstream."""
    sent: dict[int, Sent] = field(default_factory=dict)
    down: list[tuple[float, float]] = field(default_factory=list)
    """From the moment when it is killed until it listens again."""
    losses: Counter[str] = field(default_factory=Counter)

    def lose(self, number: int, why: str) -> None:
        """Count a loss, and tell of the first ones."""
        sent = self.sent.get(number)
        text = f"{sent.name if sent else 'unknown'}: {why}"
        if self.losses.total() < MOST_COMPLAINTS_SHOWN:
            say(f"  lost: request {number}, {text}")
        self.losses[text] += 1

    def was_down(self, sent: Sent) -> bool:
        """Whether the upstream was away at any moment of a request."""
        return any(sent.began <= up and sent.ended >= away for away, up in self.down)

    def judge_endings(self) -> None:
        """Look at what clients saw."""
        for number, sent in self.sent.items():
            if sent.reply is None:
                self.lose(number, sent.problem or "it did not end")
            elif not self._may_end_so(sent, sent.reply):
                reply = sent.reply
                self.lose(number, f"{reply.ending.value}, status {reply.status}")

    def _may_end_so(self, sent: Sent, reply: Reply) -> bool:
        kind = sent.kind
        if kind.ends_well(reply.ending, reply.status):
            return True
        if not kind.is_asked or not self.was_down(sent):
            return False
        if reply.ending is Ending.ANSWERED:
            return self.is_http and reply.status in (502, 504)
        # Of an answer that has begun, its end is all that can be said.
        is_without_a_byte = reply.ending in (Ending.CLOSED, Ending.RESET)
        return reply.ending is Ending.BROKEN or (is_without_a_byte and not self.is_http)

    def judge_journal(self, entries: Mapping[int, Mapping[str, Any]]) -> None:
        """Look at what the proxy says; `entries` has those that are over."""
        for number, sent in self.sent.items():
            entry = entries.get(number)
            if entry is None:
                # An RST can overtake what was sent before.
                if not (sent.kind.leaving and number % 2):
                    self.lose(number, "it is not in the journal")
                continue
            why = self._wrong_entry(sent, entry)
            if why:
                self.lose(number, f"the journal has {why}")
        for number in entries.keys() - self.sent.keys():
            self.lose(number, "the journal has what nobody sent")

    def _wrong_entry(self, sent: Sent, entry: Mapping[str, Any]) -> str:
        outcome, error = entry["outcome"], entry["upstream_error"]
        if (outcome == FAILED) != (error is not None):
            return f"{outcome} and the error {error}"
        status = sent.reply.status if sent.reply else 0
        if status and entry["status"] != status:
            return f"status {entry['status']}, and its client {status}"
        if not sent.kind.is_asked and entry["upstream"] is not None:
            return "an upstream that was not to be asked"
        expected = set(sent.kind.outcomes)
        if status in (502, 504):
            expected = {FAILED}
        elif self.was_down(sent):
            expected |= {FAILED}
        return "" if outcome in expected else str(outcome)

    def judge_links(
        self,
        carried: Sequence[Carried],
        refused: int,
        entries: Iterable[Mapping[str, Any]],
    ) -> None:
        """Look at what a proxy in TCP mode says of connections, once all are over.

        So many were refused: they were reset before their clients had them.
        """
        by_peer: dict[str, list[Mapping[str, Any]]] = {}
        for entry in entries:
            by_peer.setdefault(entry["peer"], []).append(entry)
        for each in carried:
            found = by_peer.get(each.peer)
            if found:
                # A port may be used again, later.
                nearest = min(found, key=partial(_seconds_between, each))
                found.remove(nearest)
                self._judge_link(each, nearest)
            elif each.is_whole:
                self.lose(0, "a connection is not in the journal")
        for entry in chain.from_iterable(by_peer.values()):
            if refused and entry["state"] in (FAILED, *_ENDED_BY_UPSTREAM):
                refused -= 1
                continue
            self.lose(0, f"the journal has a connection that nobody made: {entry}")

    def _judge_link(self, carried: Carried, entry: Mapping[str, Any]) -> None:
        state, sizes = entry["state"], (entry["up"], entry["down"])
        if entry["took"] is None:
            self.lose(0, f"a connection is not over: {state}")
        if not carried.is_whole:
            return
        if sizes != (carried.sent, carried.received):
            expected = f"{carried.sent} up and {carried.received} down"
            self.lose(0, f"{sizes} bytes passed, and its client has {expected}")
        # It may have been kept when the upstream was killed.
        killed = any(carried.began <= up and carried.ended >= d for d, up in self.down)
        expected_states = {"closed by client", *(_ENDED_BY_UPSTREAM if killed else ())}
        if state not in expected_states:
            self.lose(0, f"a connection is {state}")

    def judge_upstream(self, written: Mapping[int, Written]) -> None:
        """Look at what the upstream has written down."""
        for number, sent in self.sent.items():
            for why in self._wrong_lines(sent, number, written.get(number, Written())):
                self.lose(number, f"its upstream {why}")
        for number in written.keys() - self.sent.keys():
            self.lose(number, "its upstream was asked for what nobody sent")

    def _wrong_lines(self, sent: Sent, number: int, found: Written) -> Iterator[str]:
        kind = sent.kind
        if not kind.is_asked and found.asked:
            yield "was asked"
        # What is sent again was sent to one that ended a kept connection.
        is_sent_again = found.asked == 2 and (kind.ends_unread or self.was_down(sent))
        if found.asked > 1 and (kind.method == "POST" or not is_sent_again):
            yield f"was asked {found.asked} times"
        if kind.leaving is Leaving.IN_UPLOAD and found.whole:
            yield "has a whole body, of which there was only a part"
        elif kind.method == "POST":
            yield from _wrong_bodies(number, found.bodies)
        is_its_own = sent.reply and sent.reply.status == 200
        if is_its_own and not (found.asked and found.whole):
            yield "was not asked, and it is answered"
        if is_its_own and not found.gave:
            yield "gave nothing, and it is answered"

    def __str__(self) -> str:
        by_ending = Counter(
            str(reply.status or reply.ending.value)
            for each in self.sent.values()
            if (reply := each.reply)
        )
        return ", ".join(f"{count} {name}" for name, count in by_ending.most_common())


def _seconds_between(carried: Carried, entry: Mapping[str, Any]) -> float:
    time = datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
    return abs(time.timestamp() - carried.came)


def _wrong_bodies(number: int, bodies: Iterable[tuple[int, int]]) -> Iterator[str]:
    body = uploaded(number)
    for found in bodies:
        if found != (len(body), zlib.crc32(body)):
            yield f"has another body: {found}"
