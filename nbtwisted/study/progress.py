"""How far somebody has come: one small file, for all of a person's terminals."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

__all__ = ["Progress", "ProgressFile"]


@dataclass(frozen=True)
class Progress:
    """What is remembered."""

    folder: str | None = None
    """That of the exercises, the last that was begun."""
    read: tuple[str, ...] = ()
    """Names of lessons."""
    solved: dict[str, str] = field(default_factory=dict)
    """Digests of the programs that passed, by the names of the exercises."""

    def with_read(self, lesson: str) -> Progress:
        """The same when a lesson has been read."""
        return replace(self, read=tuple(dict.fromkeys((*self.read, lesson))))

    def with_solved(self, exercise: str, digest: str) -> Progress:
        """The same when an exercise's program has passed."""
        return replace(self, solved={**self.solved, exercise: digest})


class ProgressFile:
    """`study.json` in the user's folder for state, as the XDG directories have it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "study.json"

    @classmethod
    def of_user(cls) -> ProgressFile:
        """The one that the environment says."""
        base = os.environ.get("XDG_STATE_HOME", "")
        # The specification has relative paths ignored.
        if not os.path.isabs(base):
            # It stays as it is for somebody who has no home: then it cannot be written.
            base = os.path.expanduser("~/.local/state")
        return cls(Path(base, "nbtwisted"))

    def read(self) -> Progress:
        """What the file says; nothing, if it is not there or cannot be read."""
        with suppress(OSError, ValueError, TypeError, RecursionError):
            values = json.loads(self.path.read_text(encoding="utf-8"))
            if isinstance(values, dict):
                return _of_json(values)
        return Progress()

    def change(self, change: Callable[[Progress], Progress]) -> None:
        """Write what `change` makes of it; raises `OSError`.

        Of two that do so at once, one waits for the other.
        """
        if not self._folder.is_absolute():
            raise OSError(errno.ENOENT, "there is no home folder", str(self.path))
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "study.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new = json.dumps(asdict(change(self.read())), indent=1)
            # Put in place whole: a reader sees the old one or the new one.
            path = self._folder / "study.new"
            path.write_text(new + "\n", encoding="utf-8")
            os.replace(path, self.path)


def _of_json(values: dict[str, Any]) -> Progress:
    """What can be read of it: it may be another version's, or somebody's own work."""
    folder, read, solved = map(values.get, ("folder", "read", "solved"))
    return Progress(
        folder=folder if isinstance(folder, str) else None,
        read=tuple(map(str, read)) if isinstance(read, list) else (),
        solved={n: str(d) for n, d in solved.items()}
        if isinstance(solved, dict)
        else {},
    )
