"""`nbtwisted study` with two small lessons, made in a folder: for tests.

python -m tests.study.small_study FOLDER [ARGUMENT …]
"""

from __future__ import annotations

import os
import select
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study import lesson
from tests.study.runs import a_run
from tests.study.small_lessons import NAMES, use

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


def is_running(pid: int) -> bool:
    """Whether a process runs, and does not end within some seconds.

    One that has been killed may need an instant to end.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    ended, _, _ = select.select([process], [], [], 5)
    os.close(process)
    return not ended


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
