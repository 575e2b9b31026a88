"""Toxics: as JSON they are Toxiproxy's, and what they do are stages of ours. Pure.

    type         attributes                                    stage
    latency      latency, jitter: milliseconds                 Latency
    bandwidth    rate: 1,000 bytes a second; 0 for no limit    Rate
    slow_close   delay: milliseconds                           SlowClose
    timeout      timeout: milliseconds; 0 for never            Timeout
    reset_peer   timeout: milliseconds                         Break
    slicer       average_size, size_variation: bytes;          Slices
                 delay: microseconds
    limit_data   bytes                                         Break
    noop                                                       none

All attributes are whole numbers, and 0 unless given. Those that Toxiproxy takes and
that mean nothing (a latency below 0) do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbtwisted.proxy.stream.stage import (
    Break,
    Direction,
    Latency,
    Placed,
    Rate,
    Slices,
    SlowClose,
    Stage,
    Timeout,
)
from nbtwisted.proxy.toxiproxy.document import Fields
from nbtwisted.proxy.toxiproxy.errors import (
    bad_request_body,
    invalid_stream,
    invalid_toxic_type,
)
from nbtwisted.server.model.delay import Delay

__all__ = [
    "LONGEST_NAME",
    "TOXIC_EXAMPLE",
    "Toxic",
    "check_name",
    "read_toxic",
    "updated",
]

LONGEST_NAME = 256
"""Characters in the name of a proxy or a toxic."""

TOXIC_EXAMPLE = '{"type": "latency", "attributes": {"latency": 100}}'

_DIRECTIONS = {"upstream": Direction.UP, "downstream": Direction.DOWN}


@dataclass(frozen=True)
class Toxic:
    """A toxic of one direction of a proxy.

    name         tells it from the other toxics of its proxy
    type         the name of what it does
    stream       `upstream` or `downstream`, as it was written
    toxicity     the probability that it acts on a link; below 0 it never does, and
                 above 1 always
    attributes   by name; all those of its type
    """

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Mapping[str, int]

    @property
    def direction(self) -> Direction:
        """The direction on which it acts."""
        return _DIRECTIONS[self.stream.lower()]

    def as_json(self) -> dict[str, Any]:
        """The toxic as JSON values, in Toxiproxy's order."""
        whole = int(self.toxicity)
        return {
            "attributes": dict(self.attributes),
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": whole if whole == self.toxicity else self.toxicity,
        }

    def placed(self) -> tuple[Placed, ...]:
        """The stages that do it: one, or none if it does nothing."""
        stage = _TYPES[self.type].stage(self.attributes)
        if stage is None:
            return ()
        probability = min(max(self.toxicity, 0.0), 1.0)
        return (Placed(self.name, self.direction, stage, probability),)


@dataclass(frozen=True)
class _Type:
    """What toxics of one type have for attributes, and what they do."""

    attributes: tuple[str, ...]
    stage: Callable[[Mapping[str, int]], Stage | None]


def _latency(given: Mapping[str, int]) -> Stage | None:
    latency, jitter = given["latency"] / 1e3, given["jitter"] / 1e3
    if jitter <= 0:
        return Latency(Delay((latency,))) if latency > 0 else None
    if latency + jitter <= 0:
        return None
    # A draw below 0 becomes 0.
    return Latency(
        Delay(shape="uniform", arguments=(latency - jitter, latency + jitter))
    )


def _bandwidth(given: Mapping[str, int]) -> Stage | None:
    return Rate(given["rate"] * 1000.0) if given["rate"] > 0 else None


def _slow_close(given: Mapping[str, int]) -> Stage | None:
    return SlowClose(given["delay"] / 1e3) if given["delay"] > 0 else None


def _timeout(given: Mapping[str, int]) -> Stage | None:
    return Timeout(given["timeout"] / 1e3 if given["timeout"] > 0 else None)


def _reset_peer(given: Mapping[str, int]) -> Stage | None:
    # Its time begins with the first byte, which is lost.
    return Break("reset", silence=max(given["timeout"], 0) / 1e3)


def _slicer(given: Mapping[str, int]) -> Stage | None:
    size = given["average_size"]
    if size < 1:
        return None
    variation = min(max(given["size_variation"], 0), size - 1)
    return Slices(size, variation, max(given["delay"], 0) / 1e6)


def _limit_data(given: Mapping[str, int]) -> Stage | None:
    # Without a number of bytes, the first of them breaks the link.
    return Break("close", after_bytes=given["bytes"] if given["bytes"] > 0 else None)


_TYPES = {
    "latency": _Type(("latency", "jitter"), _latency),
    "bandwidth": _Type(("rate",), _bandwidth),
    "slow_close": _Type(("delay",), _slow_close),
    "timeout": _Type(("timeout",), _timeout),
    "reset_peer": _Type(("timeout",), _reset_peer),
    "slicer": _Type(("average_size", "size_variation", "delay"), _slicer),
    "limit_data": _Type(("bytes",), _limit_data),
    "noop": _Type((), lambda _: None),
}


def read_toxic(fields: Fields) -> Toxic:
    """Read a new toxic; raises `ApiError`."""
    kind = fields.text("type", "")
    stream = fields.text("stream", "downstream")
    name = fields.text("name", "")
    toxicity = fields.number("toxicity", 1.0)
    if stream.lower() not in _DIRECTIONS:
        raise invalid_stream()
    if kind not in _TYPES:
        raise invalid_toxic_type()
    name = name or f"{kind}_{stream}"
    check_name("name", name)
    none = dict.fromkeys(_TYPES[kind].attributes, 0)
    return Toxic(name, kind, stream, toxicity, _read_attributes(fields, none))


def updated(toxic: Toxic, fields: Fields) -> Toxic:
    """The toxic with the attributes and the toxicity that are given.

    Its name, type and stream stay what they are. Raises `ApiError`.
    """
    return replace(
        toxic,
        attributes=_read_attributes(fields, toxic.attributes),
        toxicity=fields.number("toxicity", toxic.toxicity),
    )


def check_name(field: str, name: str) -> None:
    """Raise `ApiError` for a name that is too long."""
    if len(name) > LONGEST_NAME:
        raise bad_request_body(
            f"{field}: expected at most {LONGEST_NAME} characters",
        )


def _read_attributes(fields: Fields, before: Mapping[str, int]) -> Mapping[str, int]:
    given = fields.inner("attributes")
    return {name: given.whole_number(name, value) for name, value in before.items()}
