"""Lines at the foot of a terminal that change while other things are printed there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from rich.console import RenderableType
from rich.live import Live

from nbtwisted.console import SizedConsole

__all__ = ["OnScreen"]


class OnScreen(ABC):
    """How a run is doing: shows its `picture` on `stream`, if that is a terminal.

    To any other stream the last one is written, once, at the end. Whether anybody can
    see it is nothing to the run: it raises no `OSError`.
    """

    def __init__(self, stream: TextIO) -> None:
        # Whatever the environment says of other programs' output.
        self._is_terminal = stream.isatty()
        self._console = SizedConsole(stream, force_terminal=self._is_terminal)
        self._live: Live | None = None

    interval: float
    """Seconds between two pictures."""

    @abstractmethod
    def picture(self) -> RenderableType:
        """What is to be seen now."""

    def draw(self) -> None:
        """Draw the picture anew."""
        with suppress(OSError):
            if self._live is None:
                self._live = self._begun()
            else:
                self._live.refresh()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Within this block it is not on the screen, nor until it is drawn again.

        (To draw it at once would be to draw it for each response.)
        """
        if self._is_terminal:
            self.close()
        yield

    def close(self) -> None:
        """Take it off the screen."""
        live, self._live = self._live, None
        if live is not None:
            with suppress(OSError):
                live.stop()
                if not self._is_terminal:
                    self._console.line()

    def _begun(self) -> Live:
        # A new one each time: one that was stopped believes that its lines are still
        # where they were, and wipes what was printed since.
        live = Live(
            get_renderable=self.picture,
            console=self._console,
            auto_refresh=False,
            # What is behind it on the terminal is the responses, and nothing else.
            transient=self._is_terminal,
            # The responses are bytes, and go past it.
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        live.start(refresh=True)
        # Who ends the process with a second Ctrl-C wants to have a cursor then.
        self._console.show_cursor(True)
        return live
