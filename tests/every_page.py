"""What the pages show is done, and prints what they say: `make pages`."""

from __future__ import annotations

import os
import pathlib
import re
import sys
from collections.abc import Callable

import pytest
from twisted.trial.unittest import SynchronousTestCase

from tests.pages import IN_ORDER, PAGES, ROOT, mismatches
from tests.server.running import BY_MODULE, RunningServer
from tests.terminals import Terminals, behind_the_proxy, mismatches_in_order

pytestmark = pytest.mark.timeout(180)
"""Seconds: the longest page takes 30, and more beside other tests."""

# What they have in common with another is not run twice.
BESIDES = {"README.ja.md": "README.md"}
# What the pages' server is started with.
RULES = {"docs/rules.md": ["--rules", str(ROOT / "examples" / "rules.toml")]}
# What a stranger's machine needs, and this one has: `make readme` runs these, too.
INSTEAD = {
    "make run": "python examples/five_at_once.py",
    ". .venv/bin/activate": "true",
    "pip install requests": "true",
    "pip install pytest requests treq": "true",
    "pip install 'nbtwisted[cluster]'": "true",
    "pip install toxiproxy-python": "true",
}


class PagesTests(SynchronousTestCase):
    def check_page(self, page: str) -> None:
        environment = _environment()
        # The pages say when what they show depends on the seed.
        started = [*BY_MODULE, "--seed", "1", *RULES.get(page, [])]
        with RunningServer(started) as server:
            wrong = mismatches(
                *(page, server.port, environment),
                instead=INSTEAD,
                besides=BESIDES.get(page),
            )
        self.assertEqual(wrong, [], "\n".join(wrong))

    def check_page_in_order(self, page: str) -> None:
        text = (ROOT / page).read_text(encoding="utf-8")
        environment = _environment()
        with Terminals(environment) as terminals:
            wrong = mismatches_in_order(text, terminals, environment, instead=INSTEAD)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_the_proxy_of_the_readme(self) -> None:
        # The Japanese one has the same commands, as `tests/test_docs.py` sees.
        environment = _environment()
        with Terminals(environment) as terminals:
            wrong = mismatches_in_order(
                behind_the_proxy("README.md"),
                terminals,
                environment,
                run_too="$ nbtwisted get",
            )
        self.assertEqual(wrong, [], "\n".join(wrong))


def _environment() -> dict[str, str]:
    """The environment of a shell that has what is tested on its path."""
    environment = {
        **os.environ,
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "80",
    }
    environment.pop("NBTWISTED_URL", None)
    return environment


def _test_of(page: str) -> Callable[[PagesTests], None]:
    if page in IN_ORDER:
        return lambda case: case.check_page_in_order(page)
    return lambda case: case.check_page(page)


for _page in [*PAGES, *IN_ORDER]:
    # A test for each, so that they can run side by side.
    setattr(PagesTests, "test_" + re.sub(r"\W", "_", _page), _test_of(_page))
