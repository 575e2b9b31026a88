"""A proxy's links, as a viewer of the live page is told of them. Pure.

A link is a client's connection and the one to the upstream. What has them is above the
server, which sees them as `Links`. Like `viewing`, a frame has the changes since the
viewer's frame before it, and its cost does not grow with the links: but for their bytes
in all, which are added up once a second if there are many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from nbtwisted.printable import printable, printable_ends

__all__ = [
    "MOST_LANES",
    "SECONDS_OF_BYTES",
    "Links",
    "LinksViewer",
    "PlacedLink",
    "SeenBytes",
    "SeenLink",
]

MOST_LANES = 60
"""Links that a viewer is shown at a time."""

MOST_OPEN = 48
"""Of these, open links. The rest is room for links that come and go meanwhile."""

SECONDS_AFTER_END = 30.0
"""Seconds for which a link is shown after its end, unless its room is needed."""

SECONDS_OF_BYTES = 60.0
"""Seconds before now, of which a viewer who begins is told when bytes have passed."""

FEW = 500
"""Open links, up to which every frame has the sum of their bytes."""

SECONDS_BETWEEN_SUMS = 1.0

LONGEST_SHOWN = 120
"""Characters of a port's name or an address."""

MOST_STAGES = 10
"""Stages of a link that are named, in each direction."""

LONGEST_ERROR = 300
"""Characters of what is wrong with an upstream."""


class SeenBytes(Protocol):
    """How many bytes of a link have passed when."""

    interval: float
    """Seconds of each sample."""

    def since(self, offset: float) -> list[tuple[float, int, int]]:
        """The samples that end after so many seconds from when the link began.

        Of each: seconds from then to its begin, bytes up, bytes down.
        """


class SeenLink(Protocol):
    """A link, as viewers look at it."""

    @property
    def number(self) -> int:
        """In the order in which links of its port came."""

    @property
    def came(self) -> float:
        """Unix time, in seconds."""

    @property
    def peer(self) -> str:
        """The client's address."""

    @property
    def up(self) -> int:
        """Bytes that passed to the upstream."""

    @property
    def down(self) -> int:
        """Bytes that passed to the client."""

    @property
    def took(self) -> float | None:
        """Seconds until it was over; None until then."""

    @property
    def outcome(self) -> str:
        """Its state as long as it is open, and then how it ended."""

    @property
    def acting(self) -> Mapping[str, Sequence[str]]:
        """What acts on it, or did at last: names by direction, `up` or `down`."""

    @property
    def upstream_error(self) -> str | None:
        """Why there is no upstream."""

    @property
    def samples(self) -> SeenBytes:
        """How many bytes have passed when."""


class PlacedLink(NamedTuple):
    """A link, and the name of its port; nothing if there is only one."""

    port: str
    link: SeenLink


class Links(Protocol):
    """The links of one port, or of several.

    came      how many have come
    open      how many are open
    up, down  bytes of those that are over
    outcomes  how many ended how
    """

    @property
    def came(self) -> int: ...  # noqa: D102

    @property
    def open(self) -> int: ...  # noqa: D102

    @property
    def up(self) -> int: ...  # noqa: D102

    @property
    def down(self) -> int: ...  # noqa: D102

    @property
    def outcomes(self) -> Mapping[str, int]: ...  # noqa: D102

    def newest_open(self) -> Iterator[PlacedLink]:
        """Those that are open, the newest first, as they are taken."""

    def latest_over(self) -> Iterator[PlacedLink]:
        """The last that are over, the last to end first, as they are taken."""


_CHANGING = ("up", "down", "outcome", "took", "upstream_error")

_state_of = attrgetter(*_CHANGING)


@dataclass(slots=True)
class _Lane:
    """A link that a viewer is shown."""

    placed: PlacedLink
    id: int
    """Another one for each lane: numbers of links begin anew with their port."""
    told: tuple[Any, ...] = ()
    """The values of `_CHANGING`."""
    acting: object = ()
    """What acted on it when it was looked at, by direction."""
    leaves: float = math.inf

    def look(self, now: float) -> bool:
        """Look at the link; returns whether it has changed."""
        link = self.placed.link
        state, acting = _state_of(link), tuple(link.acting.items())
        if state == self.told and acting == self.acting:
            return False
        self.told, self.acting = state, acting
        if link.took is not None:
            self.leaves = now + SECONDS_AFTER_END
        return True

    @property
    def is_over(self) -> bool:
        return self.leaves != math.inf

    def change(self) -> dict[str, Any]:
        """The fields that can change."""
        told = dict(zip(_CHANGING, self.told, strict=True))
        error = told["upstream_error"]
        if error is not None:
            told["upstream_error"] = printable(error, longest=LONGEST_ERROR)
        acting = {
            side: [printable_ends(it, longest=LONGEST_SHOWN) for it in names]
            for side, names in _some(self.placed.link.acting)
        }
        return {"id": self.id, **told, "acting": acting}

    def whole(self, now: float) -> dict[str, Any]:
        """All fields, and its bytes of lately."""
        port, link = self.placed
        samples = link.samples.since(now - SECONDS_OF_BYTES - link.came)
        return {
            **self.change(),
            "port": printable_ends(port, longest=LONGEST_SHOWN),
            "number": link.number,
            "came": link.came,
            "peer": printable_ends(link.peer, longest=LONGEST_SHOWN),
            "interval": link.samples.interval,
            "samples": samples,
        }


class LinksViewer:
    """A viewer of links. The newest open ones have the room that there is."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._lanes: dict[int, _Lane] = {}
        """By the identity of the link."""
        self._last_id = 0
        self._ended_before: int | None = None
        self._summed_at = -math.inf
        self._sum = (0, 0)

    def frame(self, now: float) -> dict[str, Any]:
        """The frame at `now`, in Unix time; the first one has all lanes.

        open, came  how many links are open, and how many have come
        up, down    bytes of all
        outcomes    how many ended how
        changes     the new state of links that are shown
        gone        the ids of those that are not shown any more
        rows        links that are shown from now on, the oldest first
        shown       how many of those that are open are shown
        """
        links, lanes = self._links, self._lanes
        ended = links.came - links.open
        before, self._ended_before = self._ended_before, ended
        just_ended = 0 if before is None else max(ended - before, 0)
        changes = [lane.change() for lane in lanes.values() if lane.look(now)]
        # One that would leave later than it can: the clock was set back.
        leave = [
            each
            for each, lane in lanes.items()
            if lane.is_over and not 0 < lane.leaves - now <= SECONDS_AFTER_END
        ]
        known = set(lanes)
        gone = [lanes.pop(each).id for each in leave]
        still_open = sum(not lane.is_over for lane in lanes.values())
        begun = _others(links.newest_open(), known, MOST_OPEN - still_open)
        over = [each for each, lane in lanes.items() if lane.is_over]
        for each in over[: max(len(lanes) + len(begun) - MOST_LANES, 0)]:
            gone.append(lanes.pop(each).id)
        room = MOST_LANES - len(lanes) - len(begun)
        begun += _others(islice(links.latest_over(), just_ended), known, room)
        new = [self._lane(placed, now) for placed in sorted(begun, key=_came)]
        up, down = self._bytes(now)
        return {
            "open": links.open,
            "came": links.came,
            "up": up,
            "down": down,
            "outcomes": dict(links.outcomes),
            "changes": changes,
            "gone": gone,
            "rows": [lane.whole(now) for lane in new],
            "shown": sum(not lane.is_over for lane in lanes.values()),
        }

    def _lane(self, placed: PlacedLink, now: float) -> _Lane:
        self._last_id += 1
        lane = self._lanes[id(placed.link)] = _Lane(placed, self._last_id)
        lane.look(now)
        return lane

    def _bytes(self, now: float) -> tuple[int, int]:
        """Of all links, those that are open too."""
        links = self._links
        # The clock may be set back.
        age = abs(now - self._summed_at)
        if links.open <= FEW or age >= SECONDS_BETWEEN_SUMS:
            self._summed_at = now
            up, down = links.up, links.down
            for _, link in links.newest_open():
                up += link.up
                down += link.down
            self._sum = up, down
        return self._sum


def _some(
    acting: Mapping[str, Sequence[str]],
) -> Iterator[tuple[str, Sequence[str]]]:
    """Those directions in which something acts, and as much as is named of that."""
    for side, names in acting.items():
        if names:
            more = [f"and {len(names) - MOST_STAGES} more"]
            few = len(names) <= MOST_STAGES
            yield side, names if few else [*names[:MOST_STAGES], *more]


def _came(placed: PlacedLink) -> float:
    return placed.link.came


def _others(
    links: Iterator[PlacedLink], known: set[int], room: int
) -> list[PlacedLink]:
    """Links that are not known, as many as there is room for."""
    if room <= 0:
        return []
    return list(islice((it for it in links if id(it.link) not in known), room))
