"""What the book is made of: the steps from the project's pages to Sphinx's sources."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from docs.book.colours import style_of_pictures
from docs.book.docstrings import as_rest
from docs.book.gather import LANGUAGES, MissingPageError, lesson_page, pages, relinked
from docs.book.japanese import words
from docs.book.links import broken_links
from nbtwisted.study.lesson import Lesson
from nbtwisted.study.run import Ending, Request, Run
from nbtwisted.timeline.page import asset

STUDY = "nbtwisted/study/05-epoll"
IN_BOTH = (
    "README.md",
    "README.ja.md",
    f"{STUDY}/lesson.en.md",
    f"{STUDY}/lesson.ja.md",
)


class Folder(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, name: str, text: str = "") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class PagesTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        for name in (*IN_BOTH, "docs/server.md", "docs/description.md"):
            self.write(name)

    def test_a_page_has_the_same_name_in_both_languages(self) -> None:
        found = pages(self.root)
        self.assertEqual(
            {str(path.relative_to(self.root)): page for path, page in found.items()},
            {
                "README.md": ("en", "index"),
                "README.ja.md": ("ja", "index"),
                f"{STUDY}/lesson.en.md": ("en", "study/05-epoll"),
                f"{STUDY}/lesson.ja.md": ("ja", "study/05-epoll"),
                "docs/server.md": ("en", "guides/server"),
                "CHANGELOG.md": ("en", "changelog"),
            },
        )

    def test_none_is_in_one_language_alone(self) -> None:
        for name in IN_BOTH:
            (self.root / name).unlink()
            error = self.assertRaises(MissingPageError, pages, self.root)
            self.assertEqual(str(error), f"{name} is not there")
            self.write(name)

    def linked(self, name: str, markdown: str) -> str:
        return relinked(markdown, self.root / name, pages(self.root))

    def test_links_lead_to_pages_of_the_book(self) -> None:
        for name, link, href in [
            ("README.md", "docs/server.md#a", "../en/guides/server.html#a"),
            ("README.md", "CHANGELOG.md", "../en/changelog.html"),
            ("README.ja.md", "docs/server.md", "../en/guides/server.html"),
            ("docs/server.md", "../README.ja.md", "../../ja/index.html"),
            (
                f"{STUDY}/lesson.ja.md",
                "../../../docs/server.md",
                "../../en/guides/server.html",
            ),
            ("docs/server.md", "pictures/a.png", "../_static/a.png"),
        ]:
            self.assertEqual(
                self.linked(name, f"see [the\n`page`]({link})."),
                f'see <a href="{href}">the\n`page`</a>.',
            )

    def test_what_is_in_no_book_is_no_link(self) -> None:
        text = self.linked("README.md", "[`get_all.py`](examples/get_all.py), [x](.)")
        self.assertEqual(text, "`get_all.py`, x")

    def test_other_links_and_code_stay(self) -> None:
        for text in (
            "[a](https://example.com/docs/server.md) and [b](#c)",
            "```text\n[a](docs/server.md)\n```",
            "````python\n```\n[a](docs/server.md)\n```\n````\n",
        ):
            self.assertEqual(self.linked("README.md", text), text)

    def test_pictures_are_there_for_light_dark_and_phones(self) -> None:
        text = self.linked("README.md", '![a\n"b"](docs/pictures/c-light-1280.png)')
        for name in ("light-1280", "light-390", "dark-1280", "dark-390"):
            self.assertEqual(text.count(f'"_static/c-{name}.png"'), 1, text)
        self.assertEqual(text.count('alt="a &quot;b&quot;"'), 2)
        text = self.linked("README.md", "![a](docs/pictures/c.svg)")
        self.assertIn('<img src="_static/c.svg" alt="a">', text)


class LessonTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        request = Request(1, 0, 2, "GET", "/", {}, 200, "answered", None, 1.99, 19)
        ending = Ending(exit_code=0, seconds=2, user=0, system=0, memory=0)
        run = Run(ending, stdout="```\n{{seconds}}", stderr="", requests=[request])
        self.write(f"{STUDY}/run.json", run.as_json())
        self.write(f"{STUDY}/program.py", 'print(f"```{{1}}")\n')
        self.write(f"{STUDY}/exercise_1.py", "one = 1\n")
        self.write(f"{STUDY}/exercise_2.py", "two = 2\n")
        for language, word in (("en", "Exercise"), ("ja", "練習")):
            self.write(
                f"{STUDY}/lesson.{language}.md",
                "It took {{seconds}}.\n\n```program\n```\n```picture\n```\n```output\n"
                f"```\n## {word} 1: One\n\nA.\n\n> Hint.\n\n## {word} 2: Two\n\nB.\n",
            )
        self.lesson = Lesson(self.root / STUDY)

    def test_it_is_filled_in_from_the_recorded_run(self) -> None:
        took = {"en": "2.00 s", "ja": "2.00 秒"}
        for language in LANGUAGES:
            text = lesson_page(self.lesson, language)
            self.assertTrue(text.startswith(f"It took {took[language]}."))
            self.assertIn('````python\nprint(f"```{{1}}")\n````\n', text)
            self.assertIn("````text\n```\n{{seconds}}\n````\n", text)
            # For each width, a picture that leaves its colours to the page.
            self.assertEqual(text.count("<svg"), 2)
            self.assertNotIn("<style", text)

    def test_the_program_of_an_exercise_stands_below_its_hint(self) -> None:
        for language in LANGUAGES:
            text = lesson_page(self.lesson, language)
            self.assertRegex(
                text,
                r"(?s)1: One\n\nA\.\n\n> Hint\.\n\n`exercise_1\.py`\n\n"
                r"````python\none = 1\n````\n\n"
                r"## \w+ 2: Two\n\nB\.\n\n`exercise_2\.py`\n\n"
                r"````python\ntwo = 2\n````\n",
            )

    def test_lines_of_japanese_are_joined_without_a_blank(self) -> None:
        page = "待ちます。\n[サーバ](a.md)です。\nrecv は\n\n```text\n一。\n二\n```\n"
        self.write(f"{STUDY}/lesson.ja.md", page)
        text = lesson_page(self.lesson, "ja")
        self.assertTrue(text.startswith("待ちます。[サーバ](a.md)です。recv は\n\n"))
        self.assertIn("一。\n二\n", text)


class DocstringTests(SynchronousTestCase):
    def test_prose(self) -> None:
        for text, expected in [
            ("`get` gives `a.b`.", ":py:obj:`get` gives :py:obj:`a.b`."),
            ("`1.0` or `-n N`s", "``1.0`` or ``-n N``\\ s"),
            ("*args and a_ |b| c\\d", "\\*args and a\\_ \\|b\\| c\\\\d"),
            ("A *span* is.", "A *span* is."),
            ("- one\n  more\n- two", "- one\n  more\n- two"),
            ("", ""),
        ]:
            self.assertEqual(as_rest(text).strip(), expected)

    def test_what_is_indented_stays_as_it_is(self) -> None:
        text = "A road:\n\n    a → *b*\n\n      `c`\n\nThe `end`.\n"
        expected = "A road:\n\n::\n\n    a → *b*\n\n      `c`\n\nThe :py:obj:`end`.\n"
        self.assertEqual(as_rest(text), expected)


class JapaneseTests(SynchronousTestCase):
    def found(self, query: str, text: str) -> bool:
        """What Sphinx's script in the browser does with a word."""
        index = set(words(text.lower()))
        if query in index or len(query) < 3:
            return query in index
        return any(query in word for word in index)

    def test_any_part_of_a_word_can_be_searched_for(self) -> None:
        text = "ノンブロッキングな待ち時間。背圧、HTTPサーバとTwisted"
        for query in ("ノンブロッキング", "ブロッキング", "待ち時間", "背圧", "圧"):
            self.assertTrue(self.found(query, text), query)
        for query in ("http", "サーバ", "twisted", "twist"):
            self.assertTrue(self.found(query, text), query)
        for query in ("時間背", "間背", "ブロック"):
            self.assertFalse(self.found(query, text), query)

    def test_a_word_of_its_own_hides_no_other(self) -> None:
        # If the index had it as it is, pages with longer words would not be found.
        self.assertNotIn("待ち時間", set(words("待ち時間")))


class ColoursTests(SynchronousTestCase):
    def test_pictures_follow_the_switch(self) -> None:
        style = style_of_pictures(asset("colours.css"), asset("bars.css"))
        light, dark, dark_by_system = re.findall(r"--paper: (#\w+)", style)
        self.assertNotEqual(light, dark)
        self.assertEqual(dark, dark_by_system)
        self.assertNotIn("color-scheme", style.replace("prefers-color-scheme", ""))
        self.assertIn("rect.wait", style)


class BrokenLinksTests(Folder):
    def test_a_link_leads_to_a_file_and_a_place_in_it(self) -> None:
        self.write("a/b.png")
        self.write("a/c.html", '<p id="there"><img src="b.png"><a href="#there">')
        self.write("d.html", '<a href="a/c.html#there"><a href="https://x.test/y">')
        self.assertEqual(list(broken_links(self.root)), [])
        self.write("d.html", '<a href="a/c.html#gone"><img src="b.png"><a href="#e">')
        self.assertEqual(
            sorted(broken_links(self.root)),
            [
                "d.html: #e leads nowhere",
                "d.html: a/c.html#gone leads nowhere",
                "d.html: b.png leads nowhere",
            ],
        )
