"""Practice: a folder of exercises, and what becomes of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from nbtwisted.study.folder import ReadersFolder
from nbtwisted.study.lesson import LESSONS, Exercise
from nbtwisted.study.progress import ProgressFile
from nbtwisted.study.running import Runner
from nbtwisted.study.screen import Screen
from nbtwisted.study.text import Text
from nbtwisted.timeline.quantity import counted

__all__ = ["judge", "judge_rest", "saves", "start"]


def start(screen: Screen, progress_file: ProgressFile, path: Path) -> None:
    """Make a folder of programs and exercises, or bring back what is missing in it.

    Raises `FileExistsError` if it is something else's, and `OSError`.
    """
    folder = ReadersFolder(path.absolute())
    written = folder.fill(screen.language)
    screen.remember(progress_file, lambda p: replace(p, folder=str(folder.path)))
    screen.say(
        Text(
            f"{path}: wrote {counted(len(written), 'program')}, to be changed in your "
            "editor\n"
            "then judge the exercises: nbtwisted study check",
            f"{path}: プログラムを {len(written)} 個作りました。\n"
            "エディタで直したら、練習の判定: nbtwisted study check",
        )
    )


def judge_rest(
    screen: Screen, progress_file: ProgressFile, runner: Runner, folder: ReadersFolder
) -> bool:
    """Judge the exercises that have not passed as they are, up to one that fails.

    Returns whether all have passed; raises `OSError` and `ServerProcessDied`.
    """
    every = [exercise for lesson in LESSONS for exercise in lesson.exercises]
    solved = progress_file.read().solved
    for exercise in every:
        is_new = solved.get(exercise.name) != _digest(folder.exercise(exercise))
        if is_new and not judge(screen, progress_file, runner, folder, exercise):
            return False
    screen.say(
        Text(
            f"all {len(every)} exercises have passed",
            f"{len(every)} 個の練習すべてに合格しました",
        )
    )
    return True


def judge(
    screen: Screen,
    progress_file: ProgressFile,
    runner: Runner,
    folder: ReadersFolder,
    exercise: Exercise,
) -> bool:
    """Run an exercise, draw it, and say what was expected and what was seen.

    Returns whether it passed; raises `OSError` and `ServerProcessDied`.
    """
    path = folder.exercise(exercise)
    screen.write(f"{exercise.name}  {exercise.title(screen.language)}")
    digest = _digest(path)
    if not digest and path.exists():
        screen.say(
            Text(
                f"{path} cannot be read: expected a file",
                f"{path} を読めません。ファイルではないようです",
            )
        )
        return False
    if not digest:
        again = f"nbtwisted study start {folder.path}"
        screen.say(
            Text(
                f"{path} is not there; this brings it back: {again}",
                f"{path} がありません。元に戻すには: {again}",
            )
        )
        return False
    with screen.waits(Text("it runs …", "実行中 …")):
        seen = runner.run(path, exercise.task)
    screen.write_run(seen)
    screen.write("")
    findings = list(exercise.task.findings(seen))
    for finding in findings:
        screen.write_finding(finding)
    passed = all(finding.is_good for finding in findings)
    if passed:
        screen.remember(progress_file, lambda p: p.with_solved(exercise.name, digest))
    else:
        hint = f"nbtwisted study hint {exercise.name}"
        screen.say(Text(f"{path}\na hint: {hint}", f"{path}\nヒント: {hint}"))
    screen.write("")
    return passed


def saves(
    folder: ReadersFolder, chosen: Sequence[Exercise], pause: Callable[[], object]
) -> Iterator[Exercise]:
    """The exercises whose files are saved from now on, without end.

    Calls `pause` between two looks. What is saved while an exercise is judged is next.
    """
    before = {exercise: _digest(folder.exercise(exercise)) for exercise in chosen}

    def look() -> Iterator[Exercise]:
        while True:
            pause()
            for exercise in chosen:
                now = _digest(folder.exercise(exercise))
                # An editor may take the file away for an instant.
                if now and now != before[exercise]:
                    before[exercise] = now
                    yield exercise

    return look()


def _digest(path: Path) -> str:
    """What tells a program from another; nothing if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
