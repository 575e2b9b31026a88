"""Asks a process for a snapshot, and waits for its answer."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Callable
from select import POLLIN, poll
from typing import Any

from nbtwisted.printable import printable
from nbtwisted.reactor.answering import (
    PACKET,
    Packet,
    address_of,
    user_of,
)
from nbtwisted.reactor.detached import LONGEST_LIFE
from nbtwisted.reactor.ps.errors import CannotLook, NotPrepared
from nbtwisted.reactor.ps.remote import Remote
from nbtwisted.reactor.ps.target import Target

__all__ = ["ask"]

UNTIL_IT_ANSWERS = 5.0
"""Seconds in which a program that runs Python code at all comes to its handler."""

UNTIL_IT_IS_DONE = LONGEST_LIFE + 1.0
"""Seconds after which the copy, which then takes the snapshot, has been ended."""

UNTIL_AGAIN = 0.5
"""Seconds until a silent process is asked again. What is about to wait in a system call
just when a signal comes may wait there all the same, and not come to its handler."""

BETWEEN_TRIES = 0.01
"""Seconds until a program is asked again that was in the midst of something."""

LARGEST = 1 << 30
"""Bytes of an answer: what is larger is none."""


def ask(target: Target) -> dict[str, Any]:
    """The snapshot that a process takes of itself.

    Its `stopped_for` are the seconds for which the program stood still.

    Raises `CannotLook`, which says why there is none.
    """
    target.expect_alive()
    if target.number is not None:
        return _ask_by(lambda: _signal(target), target)
    with Remote(target) as remote:
        return _ask_by(remote.ask, target)


def _signal(target: Target) -> None:
    number = target.number
    if number is None:
        target.expect_alive()
        raise NotPrepared(target)
    target.send(number)


def _ask_by(ask_once: Callable[[], None], target: Target) -> dict[str, Any]:
    give_up = time.monotonic() + UNTIL_IT_ANSWERS
    while True:
        # Nobody listens any more when there is an answer, so that a second time that
        # it was asked has none.
        with _listener(target, give_up) as listener:
            link = _accept(listener, target, give_up, ask_once)
        with link:
            snapshot, why = _receive(link, target)
        if snapshot is not None:
            return snapshot
        if time.monotonic() > give_up:
            raise CannotLook(f"{target} cannot answer now: {why}")
        _pause()


def _listener(target: Target, give_up: float) -> socket.socket:
    """Listen where the process looks for who asks; one at a time can."""
    while True:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            listener.bind(address_of(target.inner_pid))
            listener.listen()
            return listener
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise CannotLook(f"cannot listen: {error.strerror}") from None
            if time.monotonic() > give_up:
                raise CannotLook(
                    f"{target} is being asked by somebody else: expected nobody"
                ) from None
            _pause()


def _accept(
    listener: socket.socket,
    target: Target,
    give_up: float,
    ask_once: Callable[[], None],
) -> socket.socket:
    """Ask, until the process has connected; what others connect is closed."""
    while True:
        ask_once()
        if _wait(listener, target, min(give_up, time.monotonic() + UNTIL_AGAIN)):
            link, _ = listener.accept()
            if user_of(link) in target.users:
                return link
            link.close()
        if time.monotonic() > give_up:
            raise CannotLook(
                f"{target} has not answered within {UNTIL_IT_ANSWERS:g} s: "
                f"{target.why_silent()}"
            )


def _receive(link: socket.socket, target: Target) -> tuple[dict[str, Any] | None, str]:
    """A snapshot, or None and why the process wants to be asked again."""
    pieces: list[bytes] = []
    size = 0
    is_complete = False
    stopped_for: float | None = None
    give_up = time.monotonic() + UNTIL_IT_IS_DONE
    # Both the program and its copy have something to say, in any order.
    while not (is_complete and stopped_for is not None):
        if not _wait(link, target, give_up, with_its_end=False):
            raise CannotLook(f"{target}: its copy has not answered in time")
        data = link.recv(PACKET + 1)
        kind, rest = data[:1], data[1:]
        size += len(rest)
        if not data and not size and stopped_for is None:
            raise CannotLook(f"{target} answers only its own user and root: {_who()}")
        if not data or size > LARGEST:
            break
        if kind == Packet.PIECE.value:
            pieces.append(rest)
        elif kind == Packet.COMPLETE.value:
            is_complete = True
        elif kind == Packet.STOPPED.value:
            stopped_for = float(rest)
        elif kind == Packet.AGAIN.value:
            return None, _text(rest)
        elif kind == Packet.FAILED.value:
            raise CannotLook(f"{target}: no snapshot: {_text(rest)}")
    if not is_complete:
        raise CannotLook(f"{target}: its copy has ended before it had answered")
    try:
        snapshot = json.loads(b"".join(pieces))
    except ValueError:
        snapshot = None
    if not isinstance(snapshot, dict) or snapshot.get("version") != 1:
        raise CannotLook(
            f"{target} answers what this version does not know: expected version 1"
        )
    snapshot["stopped_for"] = stopped_for
    return snapshot, ""


def _wait(
    link: socket.socket, target: Target, give_up: float, *, with_its_end: bool = True
) -> bool:
    """Wait until there is something to read; False if there is nothing in time.

    Raises `Gone` if the process ends before that. Its copy outlives it, and may answer.
    """
    waiting = poll()
    waiting.register(link, POLLIN)
    if with_its_end:
        waiting.register(target, POLLIN)
    ready = waiting.poll(max(give_up - time.monotonic(), 0) * 1000)
    if ready and not any(number == link.fileno() for number, _ in ready):
        raise target.gone()
    return bool(ready)


def _who() -> str:
    return f"expected to be one of these, not the user {os.geteuid()}"


def _pause() -> None:
    time.sleep(BETWEEN_TRIES)  # noqa: TID251 - there is no reactor here


def _text(data: bytes) -> str:
    return printable(data.decode(errors="replace"), longest=200)
