"""The error of a file that cannot be written."""

from __future__ import annotations

__all__ = ["CannotWrite"]


class CannotWrite(Exception):
    """A file that cannot be written: which, and why."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"cannot write {path}: {error.strerror or error}")
