"""Undoes the content codings of a body, a bounded piece of work at a time. Pure.

A few bytes may unpack to any number, and an unpacker may take long over bytes that give
nothing. So the work is done in steps of a millisecond or so, which the reactor can take
turns with, and is bounded: no coding may give more than `most` bytes.

Like curl: codings are undone in the reverse of their order, at most five; one that was
not asked for is an error, and so are damage, and bytes behind the end. A deflate may
lack zlib's header. Unlike curl, there may be several members of gzip (RFC 1952, 2.2),
and a body that is cut is an error: curl takes what there is of it for all.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import Any, Protocol

from nbtwisted.client.errors import CannotUnpack, UnpacksTooLarge
from nbtwisted.http1.framing import elements
from nbtwisted.printable import printable

__all__ = ["Codings", "Unpacking", "content_codings", "find_codings"]

_MOST_CODINGS = 5
"""Of one body, as in curl."""

_INPUT = 16 * 1024
"""Bytes that are given to an unpacker at once: the worst for zlib, blocks that have a
new code each and nothing else, take it 1.2 ms."""
_OUTPUT = 64 * 1024
"""Bytes that are taken from it at once; brotli gives half as many more."""

_STEP = 256 * 1024
"""The work of a step, in bytes that come out. A byte that goes in, a call of an
unpacker and a new unpacker may take as long as so many of these."""
_FOR_A_BYTE_IN = 8
_FOR_A_CALL = 1024
_FOR_AN_UNPACKER = 8 * 1024

_ZSTD_WINDOW = 23
"""The largest window, as a power of two: RFC 9659 allows 8 MiB over HTTP."""

_IN_MEMBERS = ("gzip", "zstd")
_NAMES = ("gzip", "deflate", "br", "zstd")
_ALIASES = {"x-gzip": "gzip"}
_IDENTITY = ("", "identity", "none")
"""No coding: RFC 9110, 8.4.1, and what servers send besides."""


class _Unpacker(Protocol):
    """Undoes one coding, or one member of it."""

    fault: type[Exception]
    """What it raises for bytes that it cannot unpack."""
    rest: bytes
    """What it has not taken of its input."""
    has_more: bool
    """Whether it has more to give before it takes more."""
    is_over: bool
    """Whether it found its end; then the rest is behind that."""
    may_follow: int
    """Bytes that may be behind its end and mean nothing."""

    def unpack(self, data: bytes) -> bytes:
        """Take more input, or none if it has more to give; at most `_OUTPUT` bytes."""


Codings = Mapping[str, Callable[[int], _Unpacker]]
"""The codings that can be undone, by name, in the order in which they are asked for.

Each gives a new unpacker for what begins with that byte.
"""


def find_codings() -> Codings:
    """Those that there are libraries for."""
    found: dict[str, Callable[[int], _Unpacker]] = {"gzip": _gzip, "deflate": _deflate}
    brotli = _find("brotli")
    # Older ones have no bound for what they give at once.
    if brotli is not None and hasattr(brotli.Decompressor, "can_accept_more_data"):
        found["br"] = lambda _: _Brotli(brotli)
    zstd = _find("compression.zstd") or _find("backports.zstd")
    if zstd is not None:
        found["zstd"] = lambda _: _Zstd(zstd)
    return found


def _find(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def content_codings(headers: Sequence[tuple[str, str]]) -> list[str]:
    """The codings of a body in the order in which they were applied, in lower case."""
    fields = [value for name, value in headers if name.lower() == "content-encoding"]
    listed = elements([value.encode("latin-1") for value in fields])
    names = [element.decode("latin-1") for element in listed]
    return [_ALIASES.get(name, name) for name in names if name not in _IDENTITY]


class Unpacking:
    """A body that is being unpacked: `step` until that says that it is whole.

    `names` are its codings as `content_codings` gives them, and `codings` those that
    can be undone.
    """

    def __init__(
        self, body: bytes, names: Sequence[str], codings: Codings, most: int
    ) -> None:
        self._progress = _Progress(len(body), most)
        self._unpacked = BytesIO()
        self._pieces = _unpack(body, names, codings, self._progress)

    def step(self) -> bool:
        """Go on for a millisecond or so; True when the body is whole.

        Raises `CannotUnpack` or `UnpacksTooLarge`.
        """
        progress = self._progress
        progress.work = 0
        for piece in self._pieces:
            self._unpacked.write(piece)
            if progress.work >= _STEP:
                return False
        return True

    @property
    def body(self) -> bytes:
        """What was unpacked."""
        return self._unpacked.getvalue()


@dataclass(slots=True)
class _Progress:
    """What the steps of a body have in common.

    The generators below know this and not the `Unpacking`: nothing that is given up in
    the middle is to wait for the garbage collector, for it may be large.
    """

    packed: int
    most: int
    work: int = 0
    """Of this step."""

    def check(self, size: int) -> None:
        """Raise `UnpacksTooLarge` if one coding gave too much."""
        if size > self.most:
            raise UnpacksTooLarge(
                f"the body of {self.packed:,} bytes unpacks to more than "
                f"{self.most:,}: more than {self.most // self.packed:,} to 1"
            )


def _unpack(
    body: bytes, names: Sequence[str], codings: Codings, progress: _Progress
) -> Iterator[bytes]:
    if len(names) > _MOST_CODINGS:
        raise CannotUnpack(
            f"{len(names)} content codings: expected {_MOST_CODINGS} at most"
        )
    pieces: Iterator[bytes] = iter((body,))
    for name in reversed(names):
        if name not in codings:
            raise CannotUnpack(_unknown(name, codings))
        pieces = _undo(name, codings[name], pieces, progress)
    yield from pieces


def _undo(
    name: str,
    begin: Callable[[int], _Unpacker],
    pieces: Iterator[bytes],
    progress: _Progress,
) -> Iterator[bytes]:
    """The pieces of what one coding was applied to.

    Some are empty, so that whoever asks for one does not wait long for it.
    """
    unpacker: _Unpacker | None = None
    size = behind = 0
    for piece in pieces:
        if not piece:
            yield piece
        for start in range(0, len(piece), _INPUT):
            data = piece[start : start + _INPUT]
            has_more = False
            while data or has_more:
                if unpacker is None or (unpacker.is_over and name in _IN_MEMBERS):
                    unpacker = begin(data[0])
                    progress.work += _FOR_AN_UNPACKER
                if unpacker.is_over:
                    behind += len(data)
                    if behind > unpacker.may_follow:
                        raise CannotUnpack(
                            f"the body goes on behind the end of its {name}"
                        )
                    break
                unpacked = _taken(unpacker, name, data)
                progress.work += len(unpacked) + _FOR_A_CALL
                progress.work += (len(data) - len(unpacker.rest)) * _FOR_A_BYTE_IN
                data, has_more = unpacker.rest, unpacker.has_more
                size += len(unpacked)
                progress.check(size)
                yield unpacked
    if unpacker is not None and not unpacker.is_over:
        raise CannotUnpack(f"the body ends before its {name} does")


def _taken(unpacker: _Unpacker, name: str, data: bytes) -> bytes:
    try:
        return unpacker.unpack(data)
    except unpacker.fault as error:
        # Libraries say first that it was they who failed.
        reason = str(error).rpartition(": ")[2]
        raise CannotUnpack(
            f"the body is damaged {name}: {reason[:1].lower()}{reason[1:]}"
        ) from None


def _unknown(name: str, codings: Codings) -> str:
    shown = f"content-encoding '{printable(name, longest=100)}'"
    if name in _NAMES:
        return f"{shown}: expected no coding that needs nbtwisted[compressed]"
    *most, last = codings
    return f"{shown}: expected {', '.join(most)} or {last}"


class _Zlib:
    """Undoes gzip, or either form of deflate."""

    fault: type[Exception] = zlib.error
    may_follow = 0

    def __init__(self, window: int) -> None:
        self._unpacker = zlib.decompressobj(window)
        self.rest = b""
        self.has_more = self.is_over = False

    def unpack(self, data: bytes) -> bytes:
        unpacker = self._unpacker
        unpacked = unpacker.decompress(data, _OUTPUT)
        self.is_over = unpacker.eof
        self.rest = unpacker.unused_data if self.is_over else unpacker.unconsumed_tail
        self.has_more = len(unpacked) == _OUTPUT and not self.is_over
        return unpacked


class _RawDeflate(_Zlib):
    # A checksum as zlib's, of servers that leave out the header alone.
    may_follow = 4


def _gzip(first: int) -> _Zlib:
    # Or zlib's format, which curl takes for it, too.
    return _Zlib(32 + zlib.MAX_WBITS)


def _deflate(first: int) -> _Zlib:
    # RFC 9110, 8.4.1.2: zlib's format, but some servers leave out its header. Its first
    # byte names the method, 8; nothing that packs begins with these bits.
    if first & 0x0F == 8:
        return _Zlib(zlib.MAX_WBITS)
    return _RawDeflate(-zlib.MAX_WBITS)


class _Brotli:
    may_follow = 0
    rest = b""

    def __init__(self, brotli: Any) -> None:
        self.fault = brotli.error
        self._unpacker = brotli.Decompressor()
        self.has_more = self.is_over = False

    def unpack(self, data: bytes) -> bytes:
        unpacker = self._unpacker
        unpacked: bytes = unpacker.process(data, output_buffer_limit=_OUTPUT)
        self.is_over = unpacker.is_finished()
        # It may have taken all of its input, and still have something to give.
        has_more = bool(unpacked) or not unpacker.can_accept_more_data()
        self.has_more = has_more and not self.is_over
        return unpacked


class _Zstd:
    may_follow = 0

    def __init__(self, zstd: Any) -> None:
        self.fault = zstd.ZstdError
        largest = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
        self._unpacker = zstd.ZstdDecompressor(options=largest)
        self.rest = b""
        self.has_more = self.is_over = False

    def unpack(self, data: bytes) -> bytes:
        unpacker = self._unpacker
        unpacked: bytes = unpacker.decompress(data, _OUTPUT)
        self.is_over = unpacker.eof
        self.rest = unpacker.unused_data if self.is_over else b""
        self.has_more = not (self.is_over or unpacker.needs_input)
        return unpacked
