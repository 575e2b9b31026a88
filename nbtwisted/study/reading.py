"""Reading: the list of lessons, a page, and the run of its program."""

from __future__ import annotations

from nbtwisted.study.folder import ReadersFolder
from nbtwisted.study.lesson import LESSONS, Lesson
from nbtwisted.study.page import Fence, figures, filled
from nbtwisted.study.progress import ProgressFile
from nbtwisted.study.running import Runner
from nbtwisted.study.screen import Screen
from nbtwisted.study.task import Task
from nbtwisted.study.text import Text

__all__ = ["list_lessons", "read", "run"]


def list_lessons(screen: Screen, progress_file: ProgressFile) -> None:
    """List the lessons, and say which is next."""
    progress = progress_file.read()
    following = next((n for n in LESSONS if n.name not in progress.read), None)
    screen.say(
        Text(
            "nbtwisted study: from a blocking recv to await\n",
            "nbtwisted study: ブロックする recv から await まで\n",
        )
    )
    for lesson in LESSONS:
        solved = sum(e.name in progress.solved for e in lesson.exercises)
        read_mark = "+" if lesson.name in progress.read else " "
        screen.write(
            f"{'>' if lesson is following else read_mark} {lesson.number:>2}  "
            f"{solved}/{len(lesson.exercises)}  {lesson.title(screen.language)}"
        )
    screen.say(
        Text(
            "\n+ read, > next; exercises that have passed, of all",
            "\n+ は読んだ課、> は次の課。数字は合格した練習の数",
        )
    )
    _say_next(screen, progress_file)


def read(
    screen: Screen,
    progress_file: ProgressFile,
    lesson: Lesson,
    folder: ReadersFolder | None,
    *,
    runs: bool,
) -> bool:
    """Show a lesson, run its program, and draw that; returns whether it ended well.

    Raises `OSError` and `ServerProcessDied`.
    """
    screen.show(_filled(screen, lesson))
    ended_well = run(screen, lesson, folder) if runs else True
    screen.remember(progress_file, lambda progress: progress.with_read(lesson.name))
    names = ", ".join(exercise.name for exercise in lesson.exercises)
    screen.say(Text(f"\nThe exercises: {names}", f"\nこの課の練習: {names}"))
    _say_next(screen, progress_file)
    return ended_well


def run(screen: Screen, lesson: Lesson, folder: ReadersFolder | None) -> bool:
    """Run a lesson's program, the reader's own if there is one, and draw the run.

    Returns whether it ended well; raises `OSError` and `ServerProcessDied`.
    """
    program = lesson.program
    if folder is not None and folder.program(lesson).is_file():
        program = folder.program(lesson)
    screen.say(Text(f"running {program}", f"実行: {program}"))
    with Runner() as runner, screen.waits(Text("it runs …", "実行中 …")):
        seen = runner.run(program, lesson.task)
    screen.write_run(seen)
    # Its reader may have made it another program: what the page claims is not judged.
    fault = Task(seconds=lesson.task.seconds).judge(seen)
    if fault is not None:
        screen.write_finding(fault)
    return fault is None


def _filled(screen: Screen, lesson: Lesson) -> str:
    """The page as the screen shows it."""
    recorded = lesson.recorded

    def content(fence: Fence) -> str:
        if fence == "program":
            return f"```python\n{lesson.program.read_text(encoding='utf-8')}```"
        if fence == "output":
            return f"```text\n{recorded.stdout.rstrip()}\n```"
        # A fence is drawn with a column of room on either side.
        return f"```text\n{screen.picture(recorded, colour=False, margin=2)}```"

    page = lesson.page_without_hints(screen.language)
    return filled(page, figures(recorded, screen.language), content)


def _say_next(screen: Screen, progress_file: ProgressFile) -> None:
    progress = progress_file.read()
    following = next((n for n in LESSONS if n.name not in progress.read), None)
    if following is not None:
        lesson = f"nbtwisted study {following.number}"
        screen.say(Text(f"next lesson: {lesson}", f"次の課: {lesson}"))
    verb = "start DIR" if progress.folder is None else "check"
    screen.say(
        Text(f"exercises:   nbtwisted study {verb}", f"練習:   nbtwisted study {verb}")
    )
