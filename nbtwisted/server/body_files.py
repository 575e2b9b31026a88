"""The files that rules may send: those in the folders that operators name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nbtwisted.server.model.control_text import LARGEST_BODY
from nbtwisted.server.regular_file import read_regular_file
from nbtwisted.server.rules.reading import no_file

__all__ = ["BodyFiles"]


class BodyFiles:
    """Files in some folders; a path is one from the first of them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [folder.resolve() for folder in folders]

    def read(self, path: str) -> bytes:
        """The content of a file; raises `ValueError` with what was expected.

        A link counts as the file that it leads to.
        """
        if not self._folders:
            return no_file(path)
        try:
            file = (self._folders[0] / path).resolve()
        except RuntimeError:
            raise ValueError("a file, and no circle of links") from None
        if not any(file.is_relative_to(folder) for folder in self._folders):
            folders = " or ".join(map(str, self._folders))
            raise ValueError(f"a file in {folders}, or --allow-files with its folder")
        return read_regular_file(file, LARGEST_BODY)
