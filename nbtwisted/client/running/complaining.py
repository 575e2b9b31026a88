"""What `nbtwisted get` says on stderr."""

from __future__ import annotations

from nbtwisted.command_line import say

__all__ = ["cannot_write", "complain"]


def complain(text: str) -> None:
    """Say it, behind the name of the command."""
    say(f"nbtwisted get: {text}")


def cannot_write(error: OSError) -> str:
    """Why an output cannot be written."""
    file = "" if error.filename is None else f" {error.filename}"
    return f"cannot write{file}: {error.strerror}"
