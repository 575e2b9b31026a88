"""`nbtwisted study` as people run it, with two small lessons."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nbtwisted.study.folder import MARK
from nbtwisted.timeline.columns import width_of
from tests import warm_start
from tests.study.small_study import PROGRAM, SmallStudyCase, is_running

HERE = Path(__file__).parent

SLEEPS = """
import os, time
with open("pids", "a") as file:
    print(os.getpid(), file=file)
time.sleep(60)
"""


class CommandCase(SmallStudyCase):
    def setUp(self) -> None:
        super().setUp()
        self.mine = self.place / "mine"
        self.exercise = self.mine / "01-first" / "exercise_1.py"
        self.state = self.place / "state" / "nbtwisted" / "study.json"

    def environment(self, **changes: str) -> dict[str, str]:
        names = ("COLUMNS", "LINES", "NO_COLOR", "PAGER")
        return {**{k: v for k, v in os.environ.items() if k not in names}, **changes}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "small_lessons", str(self.lessons), *arguments]

    def run_study(self, *arguments: str, **options: Any) -> tuple[int, str, str]:
        """The exit code, stdout and stderr; in English, unless a language is given."""
        changes = options.pop("environment", {})
        if "cwd" in options:
            changes["PYTHONPATH"] = str(HERE)
        if "--lang" not in " ".join(arguments) and "LANG" not in changes:
            arguments = (*arguments, "--lang", "en")
        ran = warm_start.run(
            self.command(*arguments),
            timeout=50,
            env=self.environment(**changes),
            **{"cwd": HERE, **options},
        )
        self.assertNotIn("Traceback", ran.stderr)
        return ran.returncode, ran.stdout, ran.stderr

    def prints(self, *arguments: str, **options: Any) -> str:
        """What a command prints that does well."""
        code, out, err = self.run_study(*arguments, **options)
        self.assertEqual((code, err), (0, ""), out)
        return out

    def complains(self, *arguments: str, code: int = 2, **options: Any) -> str:
        """What a command says that does nothing."""
        found, out, err = self.run_study(*arguments, **options)
        self.assertEqual((found, out), (code, ""), err)
        self.assertEqual(err.count("\n"), 1, err)
        return err.removeprefix("nbtwisted study: error: ").removesuffix(
            " (see nbtwisted study --help)\n"
        )

    def kept(self) -> Any:
        return json.loads(self.state.read_text(encoding="utf-8"))


class ListTests(CommandCase):
    def test_english(self) -> None:
        self.assertEqual(
            self.prints(),
            """\
nbtwisted study: from a blocking recv to await

>  1  0/2  Lesson 1
   2  0/2  Lesson 2

+ read, > next; exercises that have passed, of all
next lesson: nbtwisted study 1
exercises:   nbtwisted study start DIR
""",
        )

    def test_japanese(self) -> None:
        self.state.parent.mkdir(parents=True)
        self.state.write_text(
            '{"folder": "/a", "read": ["01-first"], "solved": {"2.1": "x"}}'
        )
        japanese = """\
nbtwisted study: ブロックする recv から await まで

+  1  0/2  第 1 課
>  2  1/2  第 2 課

+ は読んだ課、> は次の課。数字は合格した練習の数
次の課: nbtwisted study 2
練習:   nbtwisted study check
"""
        self.assertEqual(self.prints("--lang", "ja"), japanese)
        locale = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "ja_JP.UTF-8"}
        self.assertEqual(self.prints(environment=locale), japanese)
        # An option goes before the locale.
        english = self.prints("--lang=en", environment=locale)
        self.assertIn("next lesson", english)

    def test_a_state_of_another_version(self) -> None:
        self.state.parent.mkdir(parents=True)
        for text in ('{"version": 9}', '{"read": 7, "folder": ["a"]}', "[", ""):
            self.state.write_text(text)
            self.assertIn("next lesson: nbtwisted study 1", self.prints())

    def test_no_home(self) -> None:
        home = {"XDG_STATE_HOME": "", "HOME": ""}
        self.assertIn("next lesson: nbtwisted study 1", self.prints(environment=home))

    def test_a_stdout_without_japanese(self) -> None:
        code, out, err = self.run_study(
            *("--lang", "ja"), environment={"PYTHONIOENCODING": "ascii"}
        )
        self.assertEqual(code, 0)
        self.assertIn("next lesson", out)
        self.assertEqual(
            err,
            "nbtwisted study: ascii has no Japanese: expected a UTF-8 locale, such as "
            "LANG=ja_JP.UTF-8\n",
        )


class ReadTests(CommandCase):
    def test_a_page(self) -> None:
        page = self.prints("1", "--no-run")
        for words in (
            "1. Lesson 1",
            "It took 3.00 s and printed 42.",
            "import http.client",
            "5 answers in 3.00 s; one after another: 11.00 s (3.7x)",
            " answer: 42",
            "Exercise 2: Ask in turn",
            "The exercises: 1.1, 1.2",
            "next lesson: nbtwisted study 2",
        ):
            self.assertIn(words, page)
        self.assertNotIn("Send two requests.", page)
        self.assertEqual(self.kept()["read"], ["01-first"])

    def test_a_page_in_japanese(self) -> None:
        page = self.prints("2", "--no-run", "--lang", "ja")
        # Two lines of the source are one paragraph, without a blank between them.
        self.assertIn("かかった時間は 3.00 秒 です。表示は 42 でした。", page)
        self.assertIn("応答 5 件: 3.00 秒。1 件ずつなら 11.00 秒 (3.7 倍)", page)
        self.assertIn("この課の練習: 2.1, 2.2", page)

    def test_screens(self) -> None:
        for columns in ("20", "40", "200"):
            for language in ("en", "ja"):
                page = self.prints(
                    *("1", "--no-run", "--lang", language),
                    environment={"COLUMNS": columns},
                )
                # The program is cut, but the picture is not, nor is what is said.
                # Older Richs draw a box around a title.
                picture = re.findall("^[^┏┗\n]*━.*$", page, re.MULTILINE)
                self.assertEqual(len(picture), 5, page)
                for line in picture:
                    self.assertLessEqual(width_of(line.rstrip()), int(columns), line)

    def test_a_stdout_that_has_only_ascii(self) -> None:
        for environment in (
            {"PYTHONIOENCODING": "ascii"},
            {
                # Something that runs the tests may have set it.
                "PYTHONIOENCODING": "",
                "LC_ALL": "C",
                "PYTHONUTF8": "0",
                "PYTHONCOERCECLOCALE": "0",
            },
        ):
            page = self.prints("1", "--no-run", environment=environment)
            self.assertTrue(page.isascii(), page)
            self.assertIn("=====", page)
            self.assertIn("5 answers in 3.00 s", page)

    def test_no_colour_where_it_is_no_terminal(self) -> None:
        self.assertNotIn("\x1b", self.prints("1", "--no-run"))

    def test_a_place_that_cannot_be_written(self) -> None:
        for lang, words in (("en", "is not kept"), ("ja", "記録できません")):
            code, out, err = self.run_study(
                *("1", "--no-run", "--lang", lang),
                environment={"XDG_STATE_HOME": "/proc/nothing"},
            )
            self.assertEqual(code, 0)
            self.assertIn("3.00", out)
            self.assertRegex(err, f"warning: .*{words}.*/proc/nothing.*\n$")

    def test_the_program_runs(self) -> None:
        out = self.prints("run", "1")
        self.assertIn(f"{self.lessons}/01-first/program.py", out)
        self.assertRegex(out, r"1 /\?_delay=10ms +200 +━")
        self.assertRegex(out, r"2 answers in (\d+ ms|\d+\.\d\d s); one after another: ")

    def test_the_readers_own_program_runs(self) -> None:
        self.prints("start", str(self.mine))
        (self.mine / "01-first" / "program.py").write_text(
            "print('\\x1b[2J mine')\nraise SystemExit('\\x1b[31mno')\n"
        )
        code, out, err = self.run_study("1", "--lang", "ja")
        self.assertEqual((code, err), (1, ""))
        self.assertIn("  \\x1b[2J mine\n", out)
        self.assertIn("! \\x1b[31mno\n", out)
        self.assertIn("✗ 終了コード 0 で終わる\n    実際: 終了コード 1 で", out)
        self.assertNotIn("\x1b", out)


class MisuseTests(CommandCase):
    def test_words(self) -> None:
        for words, english, japanese in (
            ("9", "'9': expected a lesson, 1 to 2", "課は 1〜2 で"),
            ("run x", "'x': expected a lesson, 1 to 2", "課は 1〜2 で"),
            ("run", "run: expected one lesson", "課を 1 つ指定"),
            ("start", "start: expected one folder", "フォルダを 1 つ指定"),
            ("start a b", "start: expected one folder", "フォルダを 1 つ指定"),
            ("hint", "hint: expected one exercise, as 5.1", "練習を 1 つ"),
            ("hint 1", "'1': expected an exercise, as 5.1", "例: 5.1"),
            ("solution 1.9", "'1.9': expected an exercise, as 5.1", "例: 5.1"),
            ("check 9", "as 5.1, or a lesson, as 5", "練習 (例: 5.1) か課 (例: 5)"),
            ("check 1 2", "one exercise, one lesson, or nothing", "1 つまで"),
            (
                "check",
                "a folder of exercises: nbtwisted study start DIR",
                "まだありません",
            ),
            ("1 2", "'2': expected one lesson", "1 つだけ"),
        ):
            said = self.complains(*words.split())
            self.assertIn(english, said)
            said = self.complains(*words.split(), "--lang", "ja")
            self.assertIn(japanese, said)

    def test_options(self) -> None:
        for words, expected in (
            ("1 --lang fr", "--lang: 'fr': expected one of"),
            ("--lang", "--lang: expected a value"),
            ("1 --norun", "unrecognized arguments: --norun"),
        ):
            self.assertIn(expected, self.complains(*words.split()))

    def test_what_acts_on_a_terminal_is_escaped(self) -> None:
        self.assertIn(r"'\x1b[2J'", self.complains("\x1b[2J"))

    def test_help(self) -> None:
        english, japanese = (
            self.prints("--help", f"--lang={language}") for language in ("en", "ja")
        )
        for words in (
            "nbtwisted study LESSON",
            "nbtwisted study run LESSON",
            "nbtwisted study start DIR",
            "nbtwisted study check [NAME]",
            "nbtwisted study hint NAME",
            "nbtwisted study solution NAME",
            "--lang",
            "--watch",
            "--no-run",
            "study.json",
        ):
            self.assertIn(words, english)
            self.assertIn(words, japanese)
        self.assertIn("judged by what was seen of it", english)
        self.assertIn("観測したことで判定します", japanese)
        for line in (english + japanese).splitlines():
            self.assertLessEqual(width_of(line), 80, line)
        ascii_only = {"PYTHONIOENCODING": "ascii"}
        said = self.prints("--help", "--lang=ja", environment=ascii_only)
        self.assertEqual(said, english)


class StartTests(CommandCase):
    def test_a_folder(self) -> None:
        self.assertEqual(
            self.prints("start", "mine", cwd=self.place),
            "mine: wrote 6 programs, to be changed in your editor\n"
            "then judge the exercises: nbtwisted study check\n",
        )
        self.assertEqual(self.kept()["folder"], str(self.mine))
        self.assertTrue((self.mine / MARK).is_file())
        again = self.prints("start", str(self.mine), "--lang", "ja")
        self.assertIn("プログラムを 0 個作りました", again)
        next(self.mine.glob("*/program.py")).unlink()
        self.assertIn("wrote 1 program, to", self.prints("start", str(self.mine)))

    def test_a_folder_of_somebody_elses(self) -> None:
        for lang, words in (("en", "expected a folder that is empty"), ("ja", "空の")):
            for folder in (self.lessons, self.lessons / "01-first" / "program.py"):
                said = self.complains("start", str(folder), "--lang", lang)
                self.assertIn(f"start {folder}: {words}", said)
        self.assertFalse(self.state.exists())

    def test_a_file_in_the_place_of_a_lesson(self) -> None:
        self.prints("start", str(self.mine))
        for path in sorted((self.mine / "02-second").iterdir()):
            path.unlink()
        (self.mine / "02-second").rmdir()
        (self.mine / "02-second").write_text("a")
        said = self.complains("start", str(self.mine))
        self.assertIn(f"start {self.mine}/02-second: expected", said)

    def test_a_place_that_cannot_be_written(self) -> None:
        said = self.complains("start", "/proc/mine", code=23)
        self.assertRegex(said, r"/proc/mine: ")


class HintTests(CommandCase):
    def test_hint(self) -> None:
        self.assertEqual(self.prints("hint", "1.1").strip(), "Send two requests.")
        said = self.prints("hint", "01-first/exercise_2.py", "--lang", "ja")
        self.assertEqual(said.strip(), "1 件ずつ送ります。")

    def test_solution(self) -> None:
        # Into a pipe it comes as it is, whatever its lines' length: it can be run.
        self.assertEqual(self.prints("solution", "2.1"), PROGRAM)


class CheckTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.prints("start", str(self.mine))

    def test_one_that_fails_and_then_passes(self) -> None:
        code, out, err = self.run_study("check")
        self.assertEqual((code, err), (1, ""))
        self.assertIn("1.1  Ask the server\n  200\n  200\n", out)
        self.assertIn("✗ the server answers 2 requests with 200", out)
        self.assertIn("    seen: no request came\n", out)
        self.assertIn("✓ it prints 200\n", out)
        self.assertIn(f"{self.exercise}\na hint: nbtwisted study hint 1.1\n", out)
        # The first that fails is the last that is run.
        self.assertNotIn("1.2  Ask in turn", out)
        self.assertEqual(self.kept()["solved"], {})
        self.exercise.write_text(PROGRAM)
        code, out, err = self.run_study("check", "--lang", "ja", cwd=self.mine)
        self.assertEqual((code, err), (1, ""))
        self.assertIn("✓ サーバが 2 件のリクエストに応答する (200)\n", out)
        self.assertIn("1.2  順に聞く", out)
        self.assertEqual(list(self.kept()["solved"]), ["1.1"])
        # One that has passed is not run again, unless it has changed.
        out = self.run_study("check")[1]
        self.assertIn("1.2  Ask in turn", out)
        self.assertNotIn("1.1  Ask the server", out)
        self.exercise.write_text(PROGRAM + "raise OSError\n")
        self.assertIn("1.1  Ask the server", self.run_study("check")[1])

    def test_one_that_is_not_there(self) -> None:
        self.exercise.unlink()
        for lang, words in (
            ("en", "is not there; this brings it"),
            ("ja", "がありません"),
        ):
            code, out, err = self.run_study("check", "1.1", "--lang", lang)
            self.assertEqual((code, err), (1, ""))
            self.assertIn(words, out)
            self.assertIn(f"nbtwisted study start {self.mine}", out)

    def test_one_that_is_a_folder(self) -> None:
        self.exercise.unlink()
        self.exercise.mkdir()
        for lang, words in (("en", "expected a file"), ("ja", "を読めません")):
            code, out, err = self.run_study("check", "1.1", "--lang", lang)
            self.assertEqual((code, err), (1, ""))
            self.assertIn(words, out)

    def test_signals_end_the_program_and_its_copy(self) -> None:
        self.exercise.write_text(SLEEPS)
        pids = self.exercise.parent / "pids"
        for number in (signal.SIGINT, signal.SIGTERM):
            with warm_start.Popen(
                self.command("check", "1.1", "--lang", "en"),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.environment(),
                cwd=HERE,
            ) as process:
                until = time.monotonic() + 30
                while not (pids.exists() and pids.read_text().count("\n") == 2):
                    self.assertLess(time.monotonic(), until)
                process.send_signal(number)
                out, err = process.communicate(timeout=20)
                self.assertEqual((process.wait(), err), (128 + number, ""))
                self.assertEqual(out, "1.1  Ask the server\n")
            for pid in pids.read_text().split():
                self.assertFalse(is_running(int(pid)), pid)
            pids.unlink()

    def test_watching(self) -> None:
        # What an editor does: the file goes, and another has its name.
        with warm_start.Popen(
            self.command("check", "1.2", "--watch", "--lang", "en"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # What a pipe gets is written when it is known, not when it is much.
            env=self.environment(PYTHONUNBUFFERED=""),
            cwd=HERE,
        ) as process:
            assert process.stdout is not None
            exercise = self.exercise.with_name("exercise_2.py")
            out = ""
            # It does not end, and says so.
            while "Ctrl-C ends this" not in out:
                line = process.stdout.readline()
                self.assertNotEqual(line, "", out)
                out += line
            self.assertIn("hint 1.2", out)
            new = exercise.with_suffix(".new")
            new.write_text(PROGRAM)
            exercise.unlink()
            new.rename(exercise)
            out = ""
            while "✓ the server answers 2 requests" not in out:
                line = process.stdout.readline()
                self.assertNotEqual(line, "", process.poll())
                out += line
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
            self.assertEqual((process.wait(), err), (130, ""))


class OutputTests(CommandCase):
    def test_a_full_disk(self) -> None:
        for arguments in ((), ("1", "--no-run"), ("hint", "1.1")):
            with open("/dev/full", "w") as full:
                code, _, err = self.run_study(*arguments, stdout=full)
            self.assertEqual(code, 23)
            self.assertEqual(
                err, "nbtwisted study: error: stdout: No space left on device\n"
            )

    def test_a_reader_that_goes_away(self) -> None:
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            code, _, err = self.run_study("1", "--no-run", stdout=pipe)
        self.assertEqual((code, err.count("\n")), (23, 1), err)


class ShellTests(CommandCase):
    """What a shell can do to a command."""

    def in_shell(self, script: str, *arguments: str) -> str:
        """What the command prints, which is the shell's "$@"."""
        command = self.command(*arguments, "--lang", "en")
        ran = subprocess.run(
            ["/bin/sh", "-c", script, "sh", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
            env=self.environment(PYTHONPATH=str(HERE)),
            cwd=self.place,
        )
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), script)
        return ran.stdout

    def test_streams_that_are_closed(self) -> None:
        for streams, printed in (("<&-", "3.00 s"), (">&-", ""), ("<&- >&- 2>&-", "")):
            out = self.in_shell(f'exec "$@" {streams}', "1", "--no-run")
            self.assertIn(printed, out)

    def test_a_working_folder_that_is_gone(self) -> None:
        script = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
        self.assertIn("2 answers in", self.in_shell(script, "run", "1"))


class TerminalTests(CommandCase):
    def on_terminal(self, *arguments: str, **environment: str) -> str:
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb", buffering=0) as screen:
            with os.fdopen(theirs, "w") as terminal:
                process = warm_start.Popen(
                    self.command(*arguments, "--lang", "en"),
                    stdin=terminal,
                    stdout=terminal,
                    stderr=terminal,
                    env=self.environment(**environment),
                    cwd=HERE,
                )
            seen = b""
            while True:
                try:
                    some = screen.read(65536)
                # Linux' way of saying that nobody has the other end any more.
                except OSError:
                    break
                seen += some
            self.assertEqual(process.wait(30), 0, seen)
        return seen.decode()

    def test_colour(self) -> None:
        seen = self.on_terminal("1", "--no-run", TERM="xterm", PAGER="cat")
        self.assertIn("\x1b[", seen)
        for environment in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}):
            seen = self.on_terminal("1", "--no-run", PAGER="cat", **environment)
            self.assertNotRegex(seen, "\x1b\\[[0-9;]*3[0-9]", environment)
            self.assertIn("Exercise 2: Ask in turn", seen)

    def test_a_pager_that_is_not_there(self) -> None:
        for pager in ("/not/there", "'"):
            seen = self.on_terminal("1", "--no-run", TERM="dumb", PAGER=pager)
            self.assertIn("Exercise 2: Ask in turn", seen)

    def test_the_pager_has_the_page(self) -> None:
        seen = self.on_terminal("1", "--no-run", TERM="dumb", PAGER="sed s/^/PAGER/")
        self.assertRegex(seen, "PAGER\\W*1. Lesson 1")

    def test_a_short_page_has_no_pager(self) -> None:
        seen = self.on_terminal("hint", "1.1", TERM="dumb", PAGER="false")
        self.assertIn("Send two requests.", seen)
