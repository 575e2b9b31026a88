"""Why a process cannot be looked into."""

from __future__ import annotations

__all__ = ["CannotLook", "Gone", "NotPrepared"]


class CannotLook(Exception):
    """The text says why, and what was expected, on one line."""


class Gone(CannotLook):
    """The process has ended."""


class NotPrepared(CannotLook):
    """The process is a Python program that nothing has prepared."""

    def __init__(self, process: object) -> None:
        super().__init__(
            f"{process} does not answer: expected a program that was started with "
            "`nbtwisted trace`, imports nbtwisted.reactor.inspect, or runs on one of "
            "our reactors; or any on Python 3.14 or newer"
        )
