"""What `make` says and leaves behind where not all is well. The Python is pretended."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from twisted.trial.unittest import SynchronousTestCase

ROOT = pathlib.Path(__file__).parent.parent

# It notes what it is asked to do, and does of it what the Makefile can see.
PRETENDS = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$LOG"
case "$1 $2" in
    "-c import sys"*) printf "$VERSION" ;;
    "-c import pip"*) test ! -e "$LOG.changed" ;;
    "-m venv") mkdir -p "$3/bin" && ln -s "$0" "$3/bin/python" && exit $VENV_CODE ;;
    "-m pip") $PIP; exit $PIP_CODE ;;
    *) echo "it runs" ;;
esac
"""


@unittest.skipUnless(shutil.which("make") and (ROOT / "Makefile").exists(), "no make")
class MakefileTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name, "checkout")
        self.folder.mkdir()
        for name in ("Makefile", "setup.cfg", "pyproject.toml"):
            shutil.copy(ROOT / name, self.folder)
        self.log = pathlib.Path(folder.name, "log")
        self.bin = pathlib.Path(folder.name, "bin")
        self.bin.mkdir()
        self.python("python3")

    def python(self, name: str) -> None:
        path = self.bin / name
        path.write_text(PRETENDS, encoding="utf-8")
        path.chmod(0o755)

    def start(
        self, *arguments: str, target: str = "run", **settings: str
    ) -> subprocess.Popen[str]:
        self.log.write_text("", encoding="utf-8")
        return subprocess.Popen(
            ["make", target, *arguments],
            cwd=self.folder,
            env={
                "PATH": f"{self.bin}:/usr/bin:/bin",
                "LOG": str(self.log),
                "VERSION": "good",
                "VENV_CODE": "0",
                "PIP_CODE": "0",
                "PIP": ":",
                **settings,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make(self, *arguments: str, **settings: str) -> list[str]:
        """The lines that it prints."""
        with self.start(*arguments, **settings) as process:
            printed, _ = process.communicate(timeout=20)
        return printed.splitlines()

    def done(self) -> str:
        """The modules that Python was asked to run, in that order."""
        asked = [line.split() for line in self.log.read_text().splitlines()]
        return " ".join(words[1] for words in asked if words[0] == "-m")

    def test_says_that_it_installs_and_does_so_once(self) -> None:
        printed = ["Installing into .venv, about a minute ...", "it runs"]
        self.assertEqual(self.make(), printed)
        self.assertEqual(self.done(), "venv pip")
        self.assertEqual(self.make(), ["it runs"])
        self.assertEqual(self.done(), "")

    def test_no_python_that_will_do(self) -> None:
        for version, words in [
            ("Python 3.9", "python3 is Python 3.9: "),
            ("Python 2.7", "python3 is Python 2.7: "),
            ("", "python3 is no Python that runs: "),
        ]:
            (line,) = self.make(VERSION=version)
            self.assertIn(f"{words}install Python 3.10 or newer, or say where", line)
            self.assertFalse((self.folder / ".venv").exists())
        (line,) = self.make("PYTHON=/nowhere/python")
        self.assertIn("/nowhere/python is no Python that runs", line)
        self.assertEqual(self.make()[-1], "it runs")

    def test_no_venv(self) -> None:
        self.assertNotIn("it runs", self.make(VENV_CODE="1"))
        self.assertFalse((self.folder / ".venv").exists())
        self.assertEqual(self.make()[-1], "it runs")

    def test_an_installation_that_fails_is_tried_again(self) -> None:
        self.assertNotIn("it runs", self.make(PIP_CODE="1"))
        self.assertEqual(self.make()[-1], "it runs")
        # The environment itself was whole.
        self.assertEqual(self.done(), "pip")

    def test_an_installation_that_is_interrupted_begins_anew(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.start("PYTHON=python3", PIP="sleep 60") as process:
                while "-m pip" not in self.log.read_text():
                    self.assertIsNone(process.poll())
                self.assertTrue((self.folder / ".venv" / ".installing").exists())
                os.killpg(process.pid, number)
                process.communicate(timeout=20)
            self.assertEqual(self.make()[-1], "it runs")
            self.assertEqual(self.done(), "venv pip")
            shutil.rmtree(self.folder / ".venv")

    def test_a_python_that_has_gone_or_changed(self) -> None:
        self.make()
        (self.folder / ".venv" / "bin" / "python").unlink()
        self.assertEqual(self.make()[-1], "it runs")
        self.assertEqual(self.done(), "venv pip")
        pathlib.Path(f"{self.log}.changed").touch()
        self.make()
        self.assertEqual(self.done(), "venv pip")

    def test_another_python(self) -> None:
        self.python("python3.12")
        self.make("PYTHON=python3.12")
        self.assertEqual(self.done(), "venv pip")
        # None asked for: any will do.
        self.make()
        self.assertEqual(self.done(), "")
        self.make("PYTHON=python3.12")
        self.assertEqual(self.done(), "")
        self.make("PYTHON=python3")
        self.assertEqual(self.done(), "venv pip")

    def test_a_checkout_that_has_moved(self) -> None:
        self.make()
        self.folder = self.folder.rename(self.folder.with_name("moved and renamed"))
        self.assertEqual(self.make()[-1], "it runs")
        self.assertEqual(self.done(), "venv pip")

    def test_an_older_environment_of_somebody_elses(self) -> None:
        (self.folder / ".venv" / "bin").mkdir(parents=True)
        (self.folder / ".venv" / ".run").touch()
        self.assertEqual(self.make()[-1], "it runs")
        self.assertEqual(self.done(), "venv pip")

    def test_lists_its_targets(self) -> None:
        printed = self.make(target="help")
        self.assertIn("  make run            start the server", "\n".join(printed))
        for line in printed:
            self.assertRegex(line, r"^  make [a-z-]+ +\w")
