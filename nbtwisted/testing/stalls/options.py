"""How pytest is told that tests which block the reactor fail.

    pytest --fail-on-stall 50ms

    [tool.pytest.ini_options]
    fail_on_stall = "50ms"

    @pytest.mark.fail_on_stall("1s")
    @pytest.mark.fail_on_stall("off")

The nearest mark decides, then the command line, then the file; `--fail-on-stall off`
switches all of these off. Sessions that are told nothing of this pay nothing.
"""

from __future__ import annotations

import pytest

from nbtwisted.testing.stalls.limit import OFF, limit_from

__all__ = ["OPTION", "add_options", "configure", "has_mark", "limit_of", "limit_of_all"]

MARK = "fail_on_stall"
OPTION = "--fail-on-stall"

_LIMIT = pytest.StashKey[float | None]()


def add_options(parser: pytest.Parser) -> None:
    """Tell pytest what it can be told."""
    parser.getgroup("nbtwisted").addoption(
        OPTION,
        metavar="TIME",
        help="fail a test in which a callback blocks Twisted's reactor for so long, "
        "such as 50ms; off is never",
    )
    parser.addini(MARK, f"the same as {OPTION}")


def configure(config: pytest.Config) -> bool:
    """Returns whether all tests are to be seen to; raises `UsageError`."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(time): fails if a callback blocks Twisted's reactor for so long, such "
        f"as 50ms; {OFF} is never",
    )
    limit = None
    for what, value in (
        (OPTION, config.getoption(OPTION)),
        # Empty, if the file does not have it.
        (f"{MARK} in {config.inipath}", config.getini(MARK) or None),
    ):
        if value is not None:
            limit = _read(what, value)
            break
    config.stash[_LIMIT] = limit
    return limit is not None


def has_mark(item: pytest.Item) -> bool:
    """Whether a test is to be seen to for its mark; raises `UsageError`.

    A worker of pytest-xdist's would crash by it: there, the test is to fail for it.
    """
    if item.get_closest_marker(MARK) is None:
        return False
    try:
        return limit_of(item) is not None
    except pytest.UsageError:
        if hasattr(item.config, "workerinput"):
            return True
        raise


def limit_of_all(config: pytest.Config) -> float | None:
    """Seconds that a callback may take in a test without a mark."""
    return config.stash[_LIMIT]


def limit_of(item: pytest.Item) -> float | None:
    """Seconds that a callback may take in a test; raises `UsageError`."""
    mark = item.get_closest_marker(MARK)
    if mark is None:
        return limit_of_all(item.config)
    if len(mark.args) != 1 or mark.kwargs:
        raise pytest.UsageError(
            f"{item.nodeid}: mark {MARK}: expected one time, such as 50ms"
        )
    limit = _read(f"{item.nodeid}: mark {MARK}", mark.args[0])
    return None if _is_off(item.config) else limit


def _is_off(config: pytest.Config) -> bool:
    return bool(config.getoption(OPTION) == OFF)


def _read(what: str, value: object) -> float | None:
    try:
        return limit_from(what, value)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
