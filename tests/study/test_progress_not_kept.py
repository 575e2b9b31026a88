"""The study where nothing can be remembered: in a container, or with a full disk."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.progress import Progress, ProgressFile


class ProgressNotKeptTests(SynchronousTestCase):
    def test_it_is_said_and_the_study_goes_on(self) -> None:
        # Nobody can make folders there, not even root.
        progress_file = ProgressFile(Path("/proc/no-home"))
        with redirect_stderr(io.StringIO()) as stderr:
            progress_file.change(lambda progress: progress.with_read("01-first"))
        self.assertEqual(
            stderr.getvalue(),
            "nbtwisted study: warning: your progress is not kept: "
            "/proc/no-home: No such file or directory\n",
        )
        self.assertEqual(progress_file.read(), Progress())
