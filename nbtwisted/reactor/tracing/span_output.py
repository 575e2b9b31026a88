"""The spans of a traced reactor on their way to a file."""

from __future__ import annotations

from collections.abc import Callable

from nbtwisted.trace_file import TraceFile

__all__ = ["SpanOutput"]


class SpanOutput:
    """Spans on their way to a file, for as long as it can be written."""

    def __init__(self, file: TraceFile, report: Callable[[str], None]) -> None:
        self._file = file
        self._report = report
        self._is_lost = False

    def span(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        category: str,
        details: dict[str, object] | None = None,
    ) -> None:
        """Something that began and ended then."""
        if self._is_lost:
            return
        try:
            self._file.span(name, began, ended, category=category, details=details)
        except OSError as error:
            self._lose(error)

    def claim(self) -> None:
        """Have this process write."""
        path = self._file.path
        try:
            self._file.claim()
        except OSError as error:
            self._lose(error)
        if self._file.path != path:
            self._report(f"the spans of this process go to {self._file.path}")

    def flush(self) -> bool:
        """Write what there is; returns whether all could be written."""
        try:
            self._file.flush()
        except OSError as error:
            self._lose(error)
        return not self._is_lost

    def close(self) -> None:
        """Complete the file."""
        if self._file.is_full:
            self._report("the trace file is full: the last part is not in it")
        try:
            self._file.close()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """Say once that there is no more."""
        if not self._is_lost:
            self._is_lost = True
            self._report(
                f"cannot write {self._file.path}: {error.strerror or error}: "
                "the rest is not in it"
            )
