"""The pages agree with the program, with the examples, and with one another."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.options.get import read_options
from nbtwisted.proxy.options import read_options as read_options_of_proxy
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.model.browsers import is_for_operators
from tests.pages import IN_ORDER, PAGES, ROOT, blocks, matches

NOT_RUN_HERE = ["docs/architecture.md", "docs/cookbook.md", "CHANGELOG.md"]
FLAG = r"(?<![\w-])--?[A-Za-z0-9#][\w.-]*"
PATHS = [rule.endpoint for rule in DelayServer.app.url_map.iter_rules()]


class DocsTests(SynchronousTestCase):
    def test_the_readme_needs_no_more_than_it_says(self) -> None:
        for page in ("README.md", "README.ja.md"):
            self.assertNotIn("jq", "".join(blocks(page, "console")))

    def test_shown_code_is_that_of_the_examples(self) -> None:
        examples = [path.read_text() for path in (ROOT / "examples").glob("*.py")]
        for page in [*PAGES, *IN_ORDER]:
            for block in blocks(page, "python"):
                self.assertTrue(any(block in text for text in examples), block)

    def test_shown_rules_are_those_of_the_examples(self) -> None:
        examples = [path.read_text() for path in (ROOT / "examples").rglob("*.toml")]
        for page in [*PAGES, *IN_ORDER]:
            for block in blocks(page, "toml"):
                self.assertTrue(any(block in text for text in examples), block)

    def test_the_page_of_the_server_has_its_paths(self) -> None:
        text = (ROOT / "docs/server.md").read_text(encoding="utf-8")
        _, _, section = text.partition("\n## Paths\n")
        section, _, _ = section.partition("\n#")
        cells = re.findall(r"^\| (`/.*?) \|", section, re.M)
        paths = re.findall(r"`(/[^`?]*)", " ".join(cells))
        shown = [re.sub(r"{\w+}|…", "{}", path) for path in paths]
        self.assertEqual(sorted(shown), sorted({*shown}))
        theirs = (path for path in PATHS if not is_for_operators(path.encode()))
        self.assertEqual({*shown}, {re.sub("<[^>]+>", "{}", path) for path in theirs})

    def test_the_page_of_the_client_has_the_flags_that_there_are(self) -> None:
        text = (ROOT / "docs/client.md").read_text(encoding="utf-8")
        _, _, section = text.partition("\n## curl's flags\n")
        section, _, _ = section.partition("\n## ")
        rows = re.findall(r"^\| (`.*?`) \| (yes|no|another) \| .*\|$", section, re.M)
        # All but the groups' names and what is above them.
        self.assertEqual(len(rows), len(re.findall(r"^\| `", section, re.M)))
        told = io.StringIO()
        with redirect_stdout(told), self.assertRaises(SystemExit):
            read_options(["--help"])
        ours = {*re.findall(FLAG, told.getvalue())}
        shown = [(flag, here) for cell, here in rows for flag in re.findall(FLAG, cell)]
        self.assertEqual(len(shown), len({flag for flag, _ in shown}))
        for flag, here in shown:
            self.assertEqual(flag in ours, here != "no", flag)

    def test_the_page_of_the_proxy_has_its_options(self) -> None:
        text = (ROOT / "docs/proxy.md").read_text(encoding="utf-8")
        _, _, section = text.partition("\n## The command\n")
        section, _, _ = section.partition("\n## ")
        cells = re.findall(r"^\| (`.*?`) \| .*\|$", section, re.M)
        shown = {*re.findall(FLAG, " ".join(cells))}
        told = io.StringIO()
        with redirect_stdout(told), self.assertRaises(SystemExit):
            read_options_of_proxy(["--help"])
        # Ends of header fields' names have hyphens, too.
        ours = {flag for flag in re.findall(FLAG, told.getvalue()) if flag.islower()}
        ours -= {"--har"}
        self.assertEqual(shown | {"-h", "--help", "--version", "--insecure"}, ours)

    def test_links_lead_somewhere(self) -> None:
        for page in [*PAGES, *IN_ORDER, *NOT_RUN_HERE]:
            text = (ROOT / page).read_text(encoding="utf-8")
            for link in re.findall(r"\]\(([^)#]+)\)", text):
                if not link.startswith("https://"):
                    self.assertTrue(((ROOT / page).parent / link).exists(), link)

    def test_the_japanese_readme_has_all_of_the_english_one(self) -> None:
        english, japanese = _outline("README.md"), _outline("README.ja.md")
        for ours, theirs in zip(english, japanese, strict=False):
            self.assertEqual(ours, theirs)
        self.assertEqual(len(english), len(japanese))

    def test_no_blank_appears_within_a_japanese_sentence(self) -> None:
        # Where a source has a new line, a browser shows a blank.
        text = (ROOT / "README.ja.md").read_text(encoding="utf-8")
        for line in re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S).splitlines():
            if line and not re.match(r"#+ |!?\[[^]]*\]\(\S+\)$", line):
                self.assertRegex(line, r"^[^。]+。\)?$")

    def test_matching_can_fail(self) -> None:
        self.assertTrue(matches(["a 1", "…", "b"], ["a 2", "x", "y", "b"]))
        self.assertFalse(matches(["a 1", "b"], ["a 2", "x", "b"]))
        self.assertFalse(matches(["a 1"], ["c 1"]))
        self.assertTrue(matches(["a ━━ 1 s"], ["a ━─━╳  2 s", "  ━ held  ╳ error"]))
        self.assertFalse(matches(["a ━━ 1 s"], ["a  2 s"]))
        self.assertTrue(matches(["user  ▁▃ ▁  0.21 s"], ["user          4 ms"]))
        self.assertTrue(
            matches(
                ["system calls: poll 9", "b"], ["system calls: recv 1,", "  c 2", "b"]
            )
        )
        late = "the client: its timers were 14 ms late (its machine has too much to do)"
        self.assertTrue(matches(["no (p50 3 ms)"], [f"no (p50 4 ms; {late})"]))
        self.assertFalse(matches(["system calls: poll 9"], ["system calls: a 1", "b"]))


def _outline(page: str) -> list[list[str]]:
    """The depth, the blocks, and the links and pictures of each section of a page.

    The order of links does not count, nor what the study prints: both are a matter of
    language.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    # Each has a link to the other.
    text = text.replace("(README.ja.md)", "(README.md)")
    sections: list[list[str]] = [[]]
    for part in re.findall(r"^```.*?^```$|^#+(?= )|\]\([^)]+\)", text, re.M | re.S):
        if part.startswith("#"):
            sections.append([])
        elif part.startswith("```console\n$ nbtwisted study "):
            part = part.replace("--lang ja", "--lang en").splitlines()[1]
        sections[-1].append(part)
    return [
        sorted(section, key=lambda part: part if part.startswith("]") else "")
        for section in sections
    ]
