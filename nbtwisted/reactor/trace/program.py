"""Another Python program, run in this process as `python` would run it."""

from __future__ import annotations

import io
import os
import pkgutil
import runpy
import shutil
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType

__all__ = ["Program"]


class Program:
    """What a command line names: `-m` and a module, or a path; then its own arguments.

    A path is that of a script, or of a folder or a zip file with a `__main__.py`. The
    name of a command that is a script, such as `twistd`, stands for its path.

    Raises `ValueError`, which says what was expected.
    """

    path: str | None = None
    """Of its file or folder; None for a module."""

    def __init__(self, arguments: Sequence[str]) -> None:
        name, *self._arguments = arguments or [""]
        # As python takes it: -m MODULE, or -mMODULE.
        if name == "-m" and self._arguments:
            name += self._arguments.pop(0)
        if name in ("", "-m"):
            raise ValueError("expected a script, or -m and a module")
        if name.startswith("-m"):
            self._name = name[2:]
            return
        self._name = name if os.path.exists(name) else _command(name)
        self.path = os.path.abspath(self._name)
        self._is_folder = pkgutil.get_importer(self.path) is not None
        if not self._is_folder:
            # Once: it may be a pipe.
            self._text = _read(name, self.path)

    def run(self) -> None:
        """Run it in a new `__main__`, which stays; raises whatever ends it.

        Whatever is shown of that has no frame of ours.
        """
        main = ModuleType("__main__")
        main.__dict__.update(__builtins__=sys.modules["builtins"], __annotations__={})
        sys.modules["__main__"] = main
        try:
            self._run(main)
        except SystemExit:
            raise
        except BaseException as error:
            _hide_ourselves(error)
            raise

    def _run(self, main: ModuleType) -> None:
        # -P and -I keep it out of the places for imports; a folder is one even then.
        has_place = not getattr(sys.flags, "safe_path", sys.flags.isolated)
        if self.path is None:
            sys.argv = ["-m", *self._arguments]
            if has_place:
                sys.path[0] = os.getcwd()
            _run_module(self._name, True)
            return
        sys.argv = [self._name, *self._arguments]
        if self._is_folder:
            sys.path[: int(has_place)] = [self.path]
            _run_module("__main__", False)
            return
        if has_place:
            sys.path[0] = os.path.dirname(os.path.realpath(self.path))
        code: CodeType | None = pkgutil.read_code(io.BytesIO(self._text))
        loader = SourceFileLoader if code is None else SourcelessFileLoader
        main.__dict__.update(
            __file__=self.path,
            __cached__=None,
            __loader__=loader("__main__", self.path),
        )
        if code is None:
            code = compile(self._text, self.path, "exec", dont_inherit=True)
        exec(code, main.__dict__)


# It is not public, but python itself does by it what is done here, and has since 2.7.
_run_module = runpy._run_module_as_main  # type: ignore[attr-defined]


def _command(name: str) -> str:
    """The script of a command: first of those beside the Python that runs."""
    if os.sep not in name:
        places = [os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]
        path = shutil.which(name, path=os.pathsep.join(places))
        if path is not None:
            if _read(name, path, 2) == b"#!":
                return path
            raise ValueError(f"{name!r}: expected a Python script")
    raise ValueError(f"{name!r}: expected a script that is there")


def _read(name: str, path: str, size: int = -1) -> bytes:
    try:
        with io.open_code(path) as file:
            return file.read(size)
    except OSError as error:
        raise ValueError(f"{name!r}: {error.strerror}") from None


def _hide_ourselves(error: BaseException) -> None:
    """Have Python show the traceback of an error from where the program begins."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_globals is globals():
        traceback = traceback.tb_next
    # As the program may have set it.
    show = sys.excepthook

    def show_the_program(
        kind: type[BaseException], error: BaseException, _: TracebackType | None
    ) -> None:
        sys.excepthook = show
        show(kind, error.with_traceback(traceback), traceback)

    sys.excepthook = show_the_program
