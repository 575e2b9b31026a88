"""One direction of one link: bytes in, and what is due of them out. Pure.

Stages act one after another, the first on what comes in. Whatever they do, bytes keep
their order; none is invented, and none is lost but behind a break, or in a timeout.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from nbtwisted.proxy.stream.stage import Latency, Placed, Slices
from nbtwisted.proxy.stream.steps import Item, Signal, Step, step_of

__all__ = ["MOST_HELD", "MOST_ITEMS", "Pipeline"]

MOST_HELD = 1024 * 1024
"""Bytes of a direction that are held before its link stops reading. So much can be on
its way: with a latency of a second, 1 MiB/s pass at most."""

MOST_ITEMS = 16_384
"""Pieces of bytes: each takes some 100 bytes of memory besides its own."""


class Pipeline:
    """The stages of one direction of one link, and what they hold.

    `random_of` makes the source of a stage's draws: first whether it acts at all, and
    then all others.

    is_clear    whether it does nothing: no stage acts, and nothing is held
    acting      names of the stages that act, in their order
    """

    __slots__ = (
        "_placed",
        "_random_of",
        "_ready",
        "_ready_size",
        "_steps",
        "acting",
        "is_clear",
    )

    def __init__(self, random_of: Callable[[Placed], Random]) -> None:
        self._random_of = random_of
        # Those that do not act are there, too: they do not begin to some time later.
        self._placed: list[tuple[Placed, Step | None]] = []
        self._steps: list[Step] = []
        # None most of the time: a deque takes 700 bytes, and there are many pipelines.
        self._ready: deque[Item] | None = None
        self._ready_size = 0
        self.acting: tuple[str, ...] = ()
        self.is_clear = True

    def set_stages(self, stages: Sequence[Placed], now: float) -> None:
        """Put other stages in the place of those there are.

        Those that stay go on as they are, and so do those whose name comes again in the
        same order, but by their new figures. What the others held passes them at once.
        """
        before = self._placed
        places = {placed.name: place for place, (placed, _) in enumerate(before)}
        kept: dict[int, Step] = {}
        after: list[tuple[Placed, Step | None]] = []
        last = -1
        for placed in stages:
            place = places.get(placed.name, -1)
            old = None
            # A step that now came later in the row would let bytes be overtaken.
            if place > last:
                last = place
                old_placed, old = before[place]
                if old_placed == placed:
                    after.append((placed, old))
                    if old is not None:
                        kept[place] = old
                    continue
            random = _NEVER_DRAWN_FROM
            if _draws(placed):
                random = self._random_of(placed)
            acts = placed.probability >= 1 or (
                placed.probability > 0 and random.random() < placed.probability
            )
            step = step_of(placed.stage, random, now) if acts else None
            if step is not None and old is not None and step.follow(old):
                kept[place] = step
            after.append((placed, step))
        self._pass_on(before, kept, now)
        self._placed = after
        self._steps = [step for _, step in after if step is not None]
        self.acting = tuple(placed.name for placed, step in after if step is not None)
        self._judge()

    def _pass_on(
        self,
        before: Sequence[tuple[Placed, Step | None]],
        kept: dict[int, Step],
        now: float,
    ) -> None:
        """Let what is held by steps that are gone pass to the next one that is kept."""
        following: Step | None = None
        for place in reversed(range(len(before))):
            old = before[place][1]
            if place in kept:
                following = kept[place]
            elif old is not None:
                items = [item for _, item in old.let_go()]
                if old.has_lost:
                    # Bytes are missing: who reads on would read nonsense.
                    items = [Signal.CLOSE]
                for item in items:
                    if following is None:
                        self._be_ready(item)
                    else:
                        following.put(item, now)

    def feed(self, item: Item, now: float) -> None:
        """Take bytes that came, or the `Signal.END` of this direction."""
        if self._steps:
            self._steps[0].put(item, now)
        else:
            self._be_ready(item)
            self.is_clear = False

    def _be_ready(self, item: Item) -> None:
        if self._ready is None:
            self._ready = deque()
        self._ready.append(item)
        if isinstance(item, bytes):
            self._ready_size += len(item)

    def take(self, now: float) -> Item | None:
        """The next bytes that are due, or what becomes of the link; None if nothing is.

        A direction has nothing more to give behind a signal.
        """
        if self._ready:
            item = self._ready.popleft()
            if isinstance(item, bytes):
                self._ready_size -= len(item)
            if not self._ready:
                self._ready = None
                self._judge()
            return item
        steps = self._steps
        while steps:
            # What is nearest to the end comes first of those at the same time.
            number = len(steps) - 1
            due = steps[number].due
            for earlier in range(number - 1, -1, -1):
                other = steps[earlier].due
                if other < due:
                    number, due = earlier, other
            if due > now or due == math.inf:
                return None
            given = steps[number].take(now)
            if given is None:
                continue
            if isinstance(given, Signal):
                return given
            if number == len(steps) - 1:
                return given[1]
            steps[number + 1].put(given[1], given[0])
        return None

    def discard(self) -> None:
        """Do nothing more: what is held is lost."""
        self._placed, self._steps = [], []
        self._ready, self._ready_size = None, 0
        self._judge()

    @property
    def due(self) -> float:
        """When there may be something to take; infinite if nothing is under way."""
        if self._ready:
            return -math.inf
        return min((step.due for step in self._steps), default=math.inf)

    def ring(self, now: float) -> Signal | None:
        """What a stage does by its time alone, while nobody can take anything."""
        for step in self._steps:
            if step.alarm <= now:
                signal = step.ring()
                if signal is not None:
                    return signal
        return None

    @property
    def alarm(self) -> float:
        """When there may be something for `ring`; infinite if nothing ever is."""
        return min((step.alarm for step in self._steps), default=math.inf)

    @property
    def held(self) -> int:
        """Bytes."""
        return self._ready_size + sum(step.held for step in self._steps)

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be fed for now."""
        return self.held >= MOST_HELD or self._items >= MOST_ITEMS

    @property
    def has_room(self) -> bool:
        """Whether it is half empty, so that feeding may go on."""
        return self.held <= MOST_HELD // 2 and self._items <= MOST_ITEMS // 2

    @property
    def _items(self) -> int:
        return len(self._ready or ()) + sum(map(len, self._steps))

    @property
    def is_stuck(self) -> bool:
        """Whether what comes can never pass."""
        return any(step.is_stuck for step in self._steps)

    def _judge(self) -> None:
        self.is_clear = not self._steps and not self._ready


_NEVER_DRAWN_FROM = Random(0)


def _draws(placed: Placed) -> bool:
    """Whether anything of a stage is left to chance: a Random takes 2.5 KB."""
    stage = placed.stage
    if isinstance(stage, Latency) and not stage.delay.is_fixed:
        return True
    if isinstance(stage, Slices) and stage.variation:
        return True
    return 0 < placed.probability < 1
