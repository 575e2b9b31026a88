"""How a request ended, as far as a run counts it and says it. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from nbtwisted.client.errors import Interrupted
from nbtwisted.client.result import Result
from nbtwisted.client.results.output import error_line

__all__ = ["ANSWERED", "INTERRUPTED", "Ended", "how_it_ended", "read_ended"]

_FAILED_STATUS = 22
"""curl's exit code for a status of 400 and above, with -f."""


class Ended(NamedTuple):
    """How a request ended: it was answered, unless there is an error or it was
    interrupted."""

    exit_code: int = 0
    """Of the failure, if it is one; a status may be one, too."""
    error: str = ""
    """The error in one line."""
    is_interrupted: bool = False

    def as_json(self) -> Any:
        """As a value of JSON, which is short for what is usual."""
        if self.is_interrupted:
            return None
        return [self.exit_code, self.error] if self.error else self.exit_code


ANSWERED = Ended()
REFUSED = Ended(_FAILED_STATUS)
INTERRUPTED = Ended(is_interrupted=True)


def how_it_ended(result: Result, *, fail: bool) -> Ended:
    """How a request ended; with `fail`, a status of 400 and above is a failure."""
    error = result.error
    if error is None:
        if fail:
            response = result.response
            assert response is not None, "neither an error nor a response"
            if response.status >= 400:
                return REFUSED
        return ANSWERED
    if isinstance(error, Interrupted):
        return INTERRUPTED
    return Ended(error.exit_code, error_line(result))


def read_ended(written: Any) -> Ended:
    """Read what `as_json` gave."""
    if written == 0:
        return ANSWERED
    if written is None:
        return INTERRUPTED
    return Ended(written) if isinstance(written, int) else Ended(*written)
