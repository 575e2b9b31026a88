"""The pages are run: what they say a command prints is what it prints."""

from __future__ import annotations

import os
import pathlib
import re
import sys
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import ROOT, blocks, matches, mismatches
from tests.server.running import BY_MODULE, RunningServer

PAGES = ["README.md", "README.ja.md", "docs/client.md", "docs/delays.md"]
PAGES += ["docs/description.md", "docs/server.md", "docs/load.md", "docs/reactor.md"]
# What a stranger's machine needs, and this one has: `make readme` runs these, too.
INSTEAD = {
    "make run": "python examples/five_at_once.py",
    ". .venv/bin/activate": "true",
    "pip install requests": "true",
    "pip install pytest requests treq": "true",
}


class DocsTests(SynchronousTestCase):
    def test_the_readme_needs_no_more_than_it_says(self) -> None:
        for page in ("README.md", "README.ja.md"):
            self.assertNotIn("jq", "".join(blocks(page, "console")))

    def check_page(self, page: str) -> None:
        environment = {
            **os.environ,
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "80",
        }
        environment.pop("NBTWISTED_URL", None)
        # The pages say when what they show depends on the seed.
        with RunningServer([*BY_MODULE, "--seed", "1"]) as server:
            wrong = mismatches(page, server.port, environment, instead=INSTEAD)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_shown_code_is_that_of_the_examples(self) -> None:
        examples = [path.read_text() for path in (ROOT / "examples").glob("*.py")]
        for page in PAGES:
            for block in blocks(page, "python"):
                self.assertTrue(any(block in text for text in examples), block)

    def test_links_lead_somewhere(self) -> None:
        for page in [*PAGES, "docs/architecture.md", "CHANGELOG.md"]:
            text = (ROOT / page).read_text(encoding="utf-8")
            for link in re.findall(r"\]\(([^)#]+)\)", text):
                if not link.startswith("https://"):
                    self.assertTrue(((ROOT / page).parent / link).exists(), link)

    def test_matching_can_fail(self) -> None:
        self.assertTrue(matches(["a 1", "…", "b"], ["a 2", "x", "y", "b"]))
        self.assertFalse(matches(["a 1", "b"], ["a 2", "x", "b"]))
        self.assertFalse(matches(["a 1"], ["c 1"]))
        self.assertTrue(matches(["a ━━ 1 s"], ["a ━─━╳  2 s", "  ━ held  ╳ error"]))
        self.assertFalse(matches(["a ━━ 1 s"], ["a  2 s"]))


def _test_of(page: str) -> Callable[[DocsTests], None]:
    return lambda case: case.check_page(page)


for _page in PAGES:
    # A test for each, so that they can run side by side.
    setattr(DocsTests, "test_" + re.sub(r"\W", "_", _page), _test_of(_page))
