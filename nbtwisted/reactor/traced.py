"""The traced reactor: the eager one, which records what its time goes into."""

from __future__ import annotations

import atexit
import os
from typing import TypeVar

from nbtwisted.reactor import installing, timers
from nbtwisted.reactor.eager import EagerEPollReactor
from nbtwisted.reactor.thread_check import OtherThreads, as_told
from nbtwisted.reactor.tracing.traced_reactor import (
    STALL,
    PollTracing,
    Settings,
    Tracing,
)
from nbtwisted.trace_file import TraceFile

__all__ = ["TracedReactor", "install", "made", "settings_as_told", "stall_from"]

Traced = TypeVar("Traced", bound=Tracing)


class TracedReactor(PollTracing, EagerEPollReactor):
    """The eager epoll reactor, traced."""


def stall_from(text: str) -> float:
    """Read the milliseconds of a stall; returns seconds, or raises `ValueError`."""
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = 0.0
    if not 0 < milliseconds < 1e9:
        raise ValueError(f"{text!r}: expected milliseconds above 0, such as 100")
    return milliseconds / 1000


def install() -> None:
    """Make this the reactor, as the environment has it.

    `NBTWISTED_TRACE` is the path of a file for the spans, and `NBTWISTED_STALL_MS` the
    milliseconds from which a callback is a stall; for its clock see `timers`, and for
    uses by other threads `thread_check`.

    Raises `ValueError` for what is none of these, and for a file that cannot be
    written; `ReactorAlreadyInstalledError` if there is another.
    """
    installing.install(
        TracedReactor,
        lambda: made(TracedReactor(settings=settings_as_told())),
    )


def settings_as_told() -> Settings:
    """How to trace, as `nbtwisted trace` was told, or else as the environment has it.

    Raises `ValueError`.
    """
    if Tracing.default_settings is not None:
        return Tracing.default_settings
    try:
        stall = stall_from(os.environ.get("NBTWISTED_STALL_MS") or str(STALL * 1000))
    except ValueError as error:
        raise ValueError(f"NBTWISTED_STALL_MS={error}") from None
    other_threads = as_told(OtherThreads.REPORTED)
    path = os.environ.get("NBTWISTED_TRACE")
    try:
        file = TraceFile(path) if path else None
    except OSError as error:
        raise ValueError(
            f"NBTWISTED_TRACE: cannot write {path}: {error.strerror}"
        ) from None
    return Settings(stall=stall, file=file, other_threads=other_threads)


def made(reactor: Traced) -> Traced:
    """A traced reactor that is to be installed: with its clock, and its end seen to.

    Raises `ValueError` for what is no clock.
    """
    timers.follow_environment(reactor)
    # For programs that never stop it, or do not run it.
    atexit.register(reactor.finish)
    return reactor
