"""`nbtwisted study` with two small lessons, made in a folder: for tests.

python -m tests.study.small_study FOLDER [ARGUMENT …]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study import judges, lesson
from nbtwisted.study.checks import Task, Text, answers, prints, takes, together
from nbtwisted.study.lesson import Lesson
from tests.study.runs import a_run

PROGRAM = """\
import http.client
import sys


def get(target):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    connection.request("GET", target)
    print(connection.getresponse().status)
    connection.close()


get("/?_delay=10ms")
get("/?_delay=20ms")
"""

EXERCISE = """\
print("200")
print("200")
"""

ENGLISH = """\
# {number}. Lesson {number}

It took {{{{seconds}}}} and printed {{{{printed.answer}}}}.

```program
```

```picture
```

```output
```

## Exercise 1: Ask the server

It prints what it never asked for.

> Send two requests.

## Exercise 2: Ask in turn

It asks nobody, too.

> One by one.
"""

JAPANESE = """\
# {number}. 第 {number} 課

かかった時間は {{{{seconds}}}} です。
表示は {{{{printed.answer}}}} でした。

```program
```

```picture
```

```output
```

## 練習 1: サーバに聞く

聞いていないことを表示しています。

> リクエストを 2 件送ります。

## 練習 2: 順に聞く

これも、だれにも聞いていません。

> 1 件ずつ送ります。
"""

NAMES = ("01-first", "02-second")

PROGRAM_TASK = Task(answers(2), takes(below=5.0))

EXERCISE_TASKS = (
    Task(
        answers(2),
        together(1),
        prints("^200$", Text("it prints 200", "200 と表示する")),
        seconds=5,
    ),
    Task(answers(2), seconds=5, traced=False),
)


def make(folder: Path) -> None:
    """Write the lessons into a folder."""
    for number, name in enumerate(NAMES, 1):
        of_lesson = folder / name
        of_lesson.mkdir(parents=True)
        for language, page in (("en", ENGLISH), ("ja", JAPANESE)):
            (of_lesson / f"lesson.{language}.md").write_text(
                page.format(number=number), encoding="utf-8"
            )
        run = a_run(stdout="answer: 42\n")
        (of_lesson / "run.json").write_text(run.as_json(), encoding="utf-8")
        (of_lesson / "program.py").write_text(PROGRAM)
        for exercise in (1, 2):
            (of_lesson / f"exercise_{exercise}.py").write_text(EXERCISE)
            (of_lesson / f"solution_{exercise}.py").write_text(PROGRAM)


def use(folder: Path) -> None:
    """Have the study know these lessons, and no others."""
    known = lesson.LESSONS
    assert isinstance(known, list)
    known[:] = [Lesson(folder / name) for name in NAMES]
    for name in NAMES:
        module = ModuleType(f"{judges.__name__}.{name[3:]}")
        vars(module).update(PROGRAM=PROGRAM_TASK, EXERCISES=EXERCISE_TASKS)
        sys.modules[module.__name__] = module


class SmallStudyCase(SynchronousTestCase):
    """A test with the small study, in this process; `place` is a folder to work in."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = Path(folder.name).resolve()
        self.lessons = self.place / "lessons"
        make(self.lessons)
        known = lesson.LESSONS
        assert isinstance(known, list)
        self.addCleanup(known.__setitem__, slice(None), known[:])
        use(self.lessons)
        # Nobody's own progress is touched.
        self.patch(
            os, "environ", {**os.environ, "XDG_STATE_HOME": str(self.place / "state")}
        )


def main() -> None:
    """Raises `SystemExit`."""
    from nbtwisted.__main__ import main as nbtwisted

    folder, *arguments = sys.argv[1:]
    use(Path(folder))
    sys.argv = ["nbtwisted", "study", *arguments]
    nbtwisted()


if __name__ == "__main__":
    main()
