"""`nbtwisted study`: lessons that are read, run and drawn, and exercises."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

from nbtwisted.command_line import (
    CANNOT_WRITE,
    OneLineParser,
    abandon,
    can_encode,
    end_when_told,
    raise_open_files,
    say,
)
from nbtwisted.study import practice, reading
from nbtwisted.study.folder import ReadersFolder
from nbtwisted.study.lesson import (
    LESSONS,
    Exercise,
    Lesson,
    find_exercises,
    find_lesson,
)
from nbtwisted.study.progress import ProgressFile
from nbtwisted.study.running import Runner
from nbtwisted.study.screen import Screen
from nbtwisted.study.text import LANGUAGES, Language, Text, language_of
from nbtwisted.testing.server_beside import ServerProcessDied

__all__ = ["main"]

USAGE = Text(
    """\
nbtwisted study                list the lessons, and say which is next
       nbtwisted study LESSON         read a lesson, run its program, draw it
       nbtwisted study run LESSON     run and draw its program alone
       nbtwisted study start DIR      make a folder of programs and exercises
       nbtwisted study check [NAME]   judge an exercise, a lesson's or all left
       nbtwisted study hint NAME      give a hint for an exercise
       nbtwisted study solution NAME  show one solution

Lessons from a blocking recv to await. Each is a page, a program of at most 60
lines, and a picture of what this machine makes of it: requests to a slow server
on one axis of time, and who used the processor and the memory meanwhile.

An exercise is a small program with a mistake in it, for you to mend. It is run
beside a server, and judged by what was seen of it: times, requests, threads,
system calls (counted by strace, if there is one).

A lesson is named by its number, as 5, and an exercise by both, as 5.1. Your
progress is kept in ~/.local/state/nbtwisted/study.json.
The exit code is 1 if a program did not end well, or did not pass.""",
    """\
nbtwisted study                課の一覧と、次の課
       nbtwisted study LESSON         課を読み、プログラムを実行して図にする
       nbtwisted study run LESSON     プログラムの実行と図だけ
       nbtwisted study start DIR      プログラムと練習のフォルダを作る
       nbtwisted study check [NAME]   練習、課の練習すべて、または残り全部を判定
       nbtwisted study hint NAME      練習のヒント
       nbtwisted study solution NAME  解答の例

ブロックする recv から await までを、動かして学びます。
課は、読み物と、60 行以内のプログラムと、それをこのマシンで実行した図です。
図では、応答を待たせるサーバへのリクエストと、そのあいだのプロセッサとメモリの
使われ方が、同じ時間軸に並びます。

練習は、間違いが 1 つある小さなプログラムです。
直したものをサーバに向けて実行し、時間、リクエスト、スレッド、システムコールなど
観測したことで判定します。
システムコールは、strace があれば strace で数えます。

課は 5、練習は 5.1 のように番号で指定します。
進み具合は ~/.local/state/nbtwisted/study.json に記録します。
正常に終わらないか、合格しないプログラムがあれば、終了コードは 1 です。""",
)

SECONDS_BETWEEN_LOOKS = 0.3
"""With `--watch`: until a file that was saved is seen."""


class _Misuse(Exception):
    """What was asked for does not exist, or cannot be done; says what was expected."""

    def __init__(self, en: str, ja: str) -> None:
        self.text = Text(en, ja)


def main(arguments: Sequence[str]) -> NoReturn:
    """Do what the arguments say; raises `SystemExit`.

    The exit code is 0, or 1 if a program did not end well, or did not pass.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    parser = _parser(_language_of_help(arguments))
    args = parser.parse_intermixed_args(parser.with_values(arguments))
    # The programs that are run have sessions of their own, and are to be ended with us.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    end_when_told(lambda number, _: sys.exit(128 + number))
    raise_open_files()
    screen = Screen(args.lang or language_of(os.environ))
    try:
        good = _do(args, screen)
        sys.stdout.flush()
    except _Misuse as misuse:
        parser.error(misuse.text.of(screen.language))
    except ServerProcessDied as died:
        say(f"nbtwisted study: error: {died}")
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            abandon(sys.stdout)
        what = error.filename or "stdout"
        say(f"nbtwisted study: error: {what}: {error.strerror}")
        sys.exit(CANNOT_WRITE)
    sys.exit(0 if good else 1)


def _language_of_help(arguments: Sequence[str]) -> Language:
    """The language of what is printed before the arguments are understood."""
    asked = re.findall(r"--lang[ =](en|ja)\b", " ".join(arguments))
    language: Language = asked[-1] if asked else language_of(os.environ)
    return language if can_encode(sys.stdout, USAGE.of(language)) else "en"


def _parser(language: Language) -> OneLineParser:
    parser = OneLineParser(prog="nbtwisted study", usage=USAGE.of(language))
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    in_each_language = {
        "--lang": Text(
            "language of all texts (default: that of the locale, or English)",
            "表示の言語 (省略時はロケールの言語か英語)",
        ),
        "--no-run": Text(
            "read a lesson without running it", "課を読むだけで、実行しない"
        ),
        "--watch": Text(
            "judge an exercise anew whenever its file is saved",
            "練習のファイルが保存されるたびに判定する",
        ),
    }
    said = {option: text.of(language) for option, text in in_each_language.items()}
    parser.add_argument("--lang", choices=LANGUAGES, help=said["--lang"])
    for option in ("--no-run", "--watch"):
        parser.add_argument(option, action="store_true", help=said[option])
    return parser


def _do(args: argparse.Namespace, screen: Screen) -> bool:
    """Do what the words say; returns whether all is well.

    Raises `_Misuse`, `ServerProcessDied`, or `OSError`.
    """
    progress_file = ProgressFile.of_user()
    match args.words:
        case []:
            reading.list_lessons(screen, progress_file)
        case ["check"]:
            return _check(screen, progress_file, [], watches=args.watch)
        case ["check", name]:
            chosen = _exercises(name)
            return _check(screen, progress_file, chosen, watches=args.watch)
        case ["start", folder]:
            try:
                practice.start(screen, progress_file, Path(folder))
            except FileExistsError as error:
                what = error.filename or folder
                raise _Misuse(
                    f"start {what}: expected a folder that is empty, or not there",
                    f"start {what}: 空のフォルダか、まだないフォルダを指定してください",
                ) from None
        case ["hint", name]:
            screen.show(_exercise(name).hint(screen.language))
        case ["solution", name]:
            source = _exercise(name).solution.read_text(encoding="utf-8")
            screen.show_program(source)
        case ["run", name]:
            return reading.run(screen, _lesson(name), _folder(progress_file))
        case ["check" | "start" | "hint" | "solution" | "run" as verb, *_]:
            en, ja = _WHAT[verb]
            raise _Misuse(f"{verb}: expected {en}", f"{verb}: {ja}指定してください")
        case [name]:
            lesson, folder = _lesson(name), _folder(progress_file)
            return reading.read(
                screen, progress_file, lesson, folder, runs=not args.no_run
            )
        case [_, more, *_]:
            raise _Misuse(
                f"{more!r}: expected one lesson", f"{more!r}: 課は 1 つだけ指定します"
            )
    return True


_WHAT = {
    "check": Text("one exercise, one lesson, or nothing", "練習か課を 1 つまで"),
    "start": Text("one folder", "フォルダを 1 つ"),
    "hint": Text("one exercise, as 5.1", "練習を 1 つ (例: 5.1) "),
    "solution": Text("one exercise, as 5.1", "練習を 1 つ (例: 5.1) "),
    "run": Text("one lesson", "課を 1 つ"),
}


def _check(
    screen: Screen,
    progress_file: ProgressFile,
    chosen: Sequence[Exercise],
    *,
    watches: bool,
) -> bool:
    """Judge the exercises that were chosen, or all that are left."""
    folder = _folder(progress_file)
    if folder is None:
        raise _Misuse(
            "check: expected a folder of exercises: nbtwisted study start DIR",
            "check: 練習のフォルダがまだありません: nbtwisted study start DIR",
        )
    every = [exercise for lesson in LESSONS for exercise in lesson.exercises]
    pause = partial(time.sleep, SECONDS_BETWEEN_LOOKS)
    saves = practice.saves(folder, chosen or every, pause)
    with Runner() as runner:
        judge = partial(practice.judge, screen, progress_file, runner, folder)
        if chosen:
            results = [judge(exercise) for exercise in chosen]
            good = all(results)
        else:
            good = practice.judge_rest(screen, progress_file, runner, folder)
        if watches:
            screen.say(
                Text(
                    "a file that you save is judged anew; Ctrl-C ends this",
                    "ファイルを保存すると、もう一度判定します (終了は Ctrl-C)",
                )
            )
            sys.stdout.flush()
            for exercise in saves:
                judge(exercise)
                sys.stdout.flush()
    return good


def _folder(progress_file: ProgressFile) -> ReadersFolder | None:
    """The reader's folder around the working one, or the last that was begun."""
    found = None
    # The working folder may have been removed.
    with suppress(FileNotFoundError):
        found = ReadersFolder.around(Path.cwd())
    begun = progress_file.read().folder
    if found is None and begun is not None:
        found = ReadersFolder.around(Path(begun))
    return found


def _lesson(name: str) -> Lesson:
    lesson = find_lesson(name)
    if lesson is None:
        raise _Misuse(
            f"{name!r}: expected a lesson, 1 to {len(LESSONS)}",
            f"{name!r}: 課は 1〜{len(LESSONS)} で指定してください",
        )
    return lesson


def _exercises(name: str) -> Sequence[Exercise]:
    found = find_exercises(name)
    if not found:
        raise _Misuse(
            f"{name!r}: expected an exercise, as 5.1, or a lesson, as 5",
            f"{name!r}: 練習 (例: 5.1) か課 (例: 5) を指定してください",
        )
    return found


def _exercise(name: str) -> Exercise:
    found = find_exercises(name)
    if len(found) != 1:
        raise _Misuse(
            f"{name!r}: expected an exercise, as 5.1",
            f"{name!r}: 練習を指定してください (例: 5.1)",
        )
    return found[0]
