"""What is shown of a run while it goes on: nothing, a line, or the waterfall."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, TextIO

from nbtwisted.client.options.get import Options

if TYPE_CHECKING:
    from nbtwisted.client.results.recording import Recording
    from nbtwisted.client.terminal.live import LiveWaterfall
    from nbtwisted.client.terminal.progress import ProgressLine

__all__ = ["shown_meanwhile"]


def shown_meanwhile(
    options: Options, recording: Recording | None, done: int = 0
) -> LiveWaterfall | ProgressLine | None:
    """What to draw on stderr, if anything; it is not drawn yet.

    `done` of the requests were answered before.
    """
    if options.progress is False or sys.stderr is None:
        return None
    is_asked = options.progress is True
    # What reads our output may write to this terminal too, and would be wiped.
    is_ours = sys.stderr.isatty() and not _is_pipe(sys.stdout)
    if not (is_asked or is_ours):
        return None
    # Bodies may end within a line, which this one would then stand in.
    if options.format == "body" and sys.stdout.isatty() and not options.output_dir:
        return None
    # They take a tenth of a second to load, which not everybody wants to wait for.
    if options.timeline and recording is not None and is_ours:
        from nbtwisted.client.terminal.live import LiveWaterfall

        return LiveWaterfall(
            sys.stderr, options.number, recording, done, ascii_only=options.ascii_only
        )
    from nbtwisted.client.terminal.progress import ProgressLine

    return ProgressLine(sys.stderr, options.number, done)


def _is_pipe(stream: TextIO) -> bool:
    """Whether there is another program at its end."""
    mode = os.fstat(stream.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
