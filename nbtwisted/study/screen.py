"""What a reader sees: sentences, pages and pictures, in one language."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar

from rich import markdown
from rich.console import Console, ConsoleOptions, RenderResult
from rich.syntax import Syntax

from nbtwisted.command_line import can_encode, say
from nbtwisted.console import SizedConsole
from nbtwisted.printable import escaped, printable
from nbtwisted.study.page import joined
from nbtwisted.study.picture import drawn
from nbtwisted.study.progress import Progress, ProgressFile
from nbtwisted.study.run import Run
from nbtwisted.study.task import Finding
from nbtwisted.study.text import Language, Text
from nbtwisted.study.wrapping import line_ends
from nbtwisted.timeline.waterfall import CHARACTERS

__all__ = ["Screen"]

MOST_LINES = 20
"""Lines of what a program printed that are shown."""

LONGEST_LINE = 200
"""Characters of each."""


class Screen:
    """Stdout, as far as it can show what the study has."""

    def __init__(self, language: Language) -> None:
        if language == "ja" and not can_encode(sys.stdout, "日本語"):
            say(
                f"nbtwisted study: {sys.stdout.encoding} has no Japanese: expected a "
                "UTF-8 locale, such as LANG=ja_JP.UTF-8"
            )
            language = "en"
        self.language = language
        self.ascii_only = not can_encode(sys.stdout, CHARACTERS + "✓✗")
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A page may have a character that the screen has not.
            sys.stdout.reconfigure(errors="replace")
        self._console = SizedConsole(sys.stdout)

    @property
    def width(self) -> int:
        """Columns."""
        return self._console.width

    @property
    def has_colour(self) -> bool:
        """Whether it shows colours, and may."""
        return self._console.color_system is not None and not self._console.no_color

    def write(self, line: str) -> None:
        """Write a line as it is."""
        print(line)

    def say(self, text: Text) -> None:
        """Write a sentence in the reader's language."""
        self.write(text.of(self.language))

    def write_output(self, output: str) -> None:
        """Write the first lines of what a program printed."""
        lines = output.rstrip().splitlines()
        for line in lines[:MOST_LINES]:
            self.write("  " + printable(line, longest=LONGEST_LINE))
        if len(lines) > MOST_LINES:
            more = len(lines) - MOST_LINES
            self.say(Text(f"  … and {more:,} lines more", f"  … ほかに {more:,} 行"))

    def picture(self, run: Run, *, colour: bool | None = None, margin: int = 0) -> str:
        """The picture of a run, as wide as the screen but for a margin."""
        return drawn(
            run,
            self.language,
            width=self.width - margin,
            colour=self.has_colour if colour is None else colour,
            ascii_only=self.ascii_only,
        )

    def write_run(self, run: Run) -> None:
        """Write what a program printed, its picture, and what it complained of."""
        self.write_output(run.stdout)
        self.write("")
        self.write(self.picture(run).rstrip())
        for line in run.stderr.rstrip().splitlines()[-MOST_LINES:]:
            self.write("! " + printable(line, longest=LONGEST_LINE))

    def write_finding(self, finding: Finding) -> None:
        """Write what was expected, and what was seen if that is something else."""
        good, bad = ("+", "-") if self.ascii_only else ("✓", "✗")
        # A judge may quote what the program said.
        expected, seen = (
            escaped(text.of(self.language)) for text in (finding.expected, finding.seen)
        )
        self.write(f"  {good if finding.is_good else bad} {expected}")
        if not finding.is_good:
            self.say(Text(f"    seen: {seen}", f"    実際: {seen}"))

    def show(self, page: str) -> None:
        """Show Markdown, by the reader's pager if it is longer than the screen."""
        with self._console.capture() as captured:
            self._console.print(_Page(joined(page) if self.language == "ja" else page))
        text = captured.get()
        is_long = text.count("\n") >= self._console.height
        # Stdin may have been closed.
        is_read = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
        if not (is_long and is_read):
            print(text, end="")
            return
        # As git has it: less with colours, which leaves the page on the screen. And it
        # says how to leave it, which a reader may not know; it can say that in ASCII.
        environment = {"LESS": "-RX -Psspace = further, q = close$", **os.environ}
        try:
            command = shlex.split(environment.get("PAGER", "")) or ["less"]
            with _interrupts_ignored():
                subprocess.run(
                    command,
                    input=text,
                    encoding=sys.stdout.encoding,
                    errors="replace",
                    env=environment,
                    check=False,
                )
        # It is not there, or PAGER cannot be read.
        except (OSError, ValueError):
            print(text, end="")

    def show_program(self, source: str) -> None:
        """Show Python; as it is where nobody reads it, but a file may keep it."""
        if self._console.is_terminal:
            self.show(f"```python\n{source}```")
        else:
            print(source, end="")

    def remember(
        self, file: ProgressFile, change: Callable[[Progress], Progress]
    ) -> None:
        """Change what is remembered of the reader, or say why that cannot be."""
        try:
            file.change(change)
        except OSError as error:
            # In a container without a home, or on a full disk, the study goes on.
            reason = f"{error.filename or file.path}: {error.strerror}"
            not_kept = Text(
                f"nbtwisted study: warning: your progress is not kept: {reason}",
                f"nbtwisted study: warning: 進み具合を記録できません: {reason}",
            )
            say(not_kept.of(self.language))

    def waits(self, text: Text) -> AbstractContextManager[object]:
        """Say what is waited for, while the context lasts; only on a terminal."""
        if self._console.is_terminal:
            return self._console.status(text.of(self.language), spinner="line")
        return nullcontext()


class _Paragraph(markdown.Paragraph):
    """A paragraph that ends its lines where Japanese may: Rich looks for blanks."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """The paragraph's lines."""
        for line in self.text.divide(line_ends(self.text.plain, options.max_width)):
            line.rstrip()
            yield line


class _CodeBlock(markdown.CodeBlock):
    """A block of code that may be as wide as the screen: Rich leaves a blank there."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """The block's lines."""
        yield Syntax(
            str(self.text).rstrip(),
            self.lexer_name,
            theme=self.theme,
            word_wrap=True,
            padding=(1, 0, 1, 1),
        )


class _Page(markdown.Markdown):
    """A page as a terminal shows it."""

    elements: ClassVar = {
        **markdown.Markdown.elements,
        "paragraph_open": _Paragraph,
        "fence": _CodeBlock,
    }


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave Ctrl-C to the program that runs in front."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
