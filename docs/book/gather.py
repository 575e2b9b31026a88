"""Gathers the sources of the book from where its pages are written.

Text in, text out: nothing here knows Sphinx.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

from docs.book.api import API, api_page
from nbtwisted.study.lesson import Lesson
from nbtwisted.study.page import figures, filled, joined
from nbtwisted.study.picture import svg
from nbtwisted.study.text import Language

__all__ = [
    "LANGUAGES",
    "WIDTHS",
    "MissingPageError",
    "Page",
    "gathered",
    "lesson_page",
    "pages",
    "relinked",
]

LANGUAGES: dict[Language, str] = {"en": "English", "ja": "日本語"}

WIDTHS = {"laptop": 720, "phone": 360}
"""Pixels that a picture has there."""

CAPTIONS = {"en": ("Study", "Guides", "API"), "ja": ("教材", "英語の文書")}

_EXERCISE = re.compile(r"^(?=## (?:Exercise|練習) (\d+):)", re.M)
_FENCE = re.compile(r"^(```+)[^`\n]*\n.*?^\1 *$", re.M | re.S)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")


class MissingPageError(Exception):
    """A page of the study, or a README, lacks one of the languages."""


class Page(NamedTuple):
    """A page of the book."""

    language: Language
    name: str
    """Its name in the book, without a suffix: `study/05-epoll`."""

    def href(self, target: str) -> str:
        """The way from it to something in its language's part of the site."""
        return "../" * self.name.count("/") + target

    def href_of(self, other: Page, anchor: str = "") -> str:
        """The way from it to a page, of whichever language."""
        return self.href(f"../{other.language}/{other.name}.html{anchor}")


def pages(root: Path) -> dict[Path, Page]:
    """The files of a checkout that are pages of the book.

    Raises `MissingPageError` for one that has to be in all languages and is not.
    """
    found = {root / "README.md": Page("en", "index")}
    found[root / "README.ja.md"] = Page("ja", "index")
    for lesson in _lessons(root):
        for language in LANGUAGES:
            path = lesson.folder / f"lesson.{language}.md"
            found[path] = Page(language, f"study/{lesson.name}")
    for path in found:
        if not path.exists():
            raise MissingPageError(f"{path.relative_to(root)} is not there")
    for path in sorted((root / "docs").glob("*.md")):
        # That one is the README of a package index.
        if path.name != "description.md":
            found[path] = Page("en", f"guides/{path.stem}")
    found[root / "CHANGELOG.md"] = Page("en", "changelog")
    return found


def gathered(root: Path) -> Iterator[tuple[Page, str]]:
    """All pages of the book, and the Markdown of each."""
    found = pages(root)
    for path, page in found.items():
        if page.name.startswith("study/"):
            text = lesson_page(Lesson(path.parent), page.language)
        else:
            text = _read(path, page.language)
        if page.name == "index":
            # Of the book, every page has such a link.
            text = text.replace("\n[English](README.md)\n", "")
            text += "".join(_contents(page.language, found))
        yield page, relinked(text, path, found)
    lessons = [lesson.name for lesson in _lessons(root)]
    for language in LANGUAGES:
        text = _read(Path(__file__).parent / f"study.{language}.md", language)
        yield Page(language, "study/index"), text + _toctree(lessons)
    for name in API:
        yield Page("en", f"api/{name}"), api_page(name)
    yield Page("ja", "english"), _in_english(found)


def lesson_page(lesson: Lesson, language: Language) -> str:
    """The page of a lesson with all that is in it, the programs of exercises too."""
    run = lesson.recorded
    pictures = "".join(
        f'<div class="on-a-{place}">{svg(run, language, width=width)}</div>'
        for place, width in WIDTHS.items()
    )
    contents = {
        "program": _fence("python", lesson.program.read_text(encoding="utf-8")),
        "picture": _fence("{raw} html", f"<figure>{pictures}</figure>"),
        "output": _fence("text", run.stdout),
    }
    values = figures(run, language)
    page = _read(lesson.folder / f"lesson.{language}.md", language)
    text = filled(page, values, lambda name: contents[name])
    parts = _EXERCISE.split(text)
    for number, section in zip(parts[1::2], parts[2::2], strict=True):
        program = lesson.folder / f"exercise_{number}.py"
        code = _fence("python", program.read_text(encoding="utf-8"))
        parts[0] += f"{section.rstrip()}\n\n`{program.name}`\n\n{code}\n\n"
    return parts[0]


def _read(path: Path, language: Language) -> str:
    text = path.read_text(encoding="utf-8")
    return joined(text) if language == "ja" else text


def _lessons(root: Path) -> list[Lesson]:
    folders = (root / "nbtwisted" / "study").glob("[0-9][0-9]-*")
    return [Lesson(folder) for folder in sorted(folders)]


def _fence(language: str, text: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````"


def relinked(text: str, path: Path, found: Mapping[Path, Page]) -> str:
    """The text of a page, its links into the checkout made links of the book.

    A link to a file that is not in the book leaves its words alone.
    """
    page = found[path]

    def link(match: re.Match[str]) -> str:
        image, words, target, anchor = match.groups("")
        if not target or ":" in target:
            return match[0]
        file = Path(os.path.normpath(path.parent / target))
        if image:
            return _image(page, file, words)
        if file in found:
            href = page.href_of(found[file], anchor)
        elif file.parent.name == "pictures":
            href = page.href(f"_static/{file.name}")
        else:
            return words
        return f'<a href="{href}">{words}</a>'

    return _outside_fences(text, lambda prose: _LINK.sub(link, prose))


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """The text, changed where it is not code."""
    parts, at = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, change(text[at:])])


def _image(page: Page, file: Path, words: str) -> str:
    """A picture; of one that is there for light, dark, and phones, all of them."""
    alt = escape(" ".join(words.split()))
    if "-light-1280" not in file.name:
        return f'<span class="wide" tabindex="0">{_img(page, file.name, alt)}</span>'
    both = {"light": file.name, "dark": file.name.replace("-light-", "-dark-")}
    return "".join(
        f'<picture class="only-{which}"><source media="(max-width: 40rem)" '
        f'srcset="{page.href("_static/" + name.replace("-1280", "-390"))}">'
        f"{_img(page, name, alt)}</picture>"
        for which, name in both.items()
    )


def _img(page: Page, name: str, alt: str) -> str:
    return f'<img src="{page.href(f"_static/{name}")}" alt="{alt}">'


def _contents(language: Language, found: Mapping[Path, Page]) -> Iterator[str]:
    captions = CAPTIONS[language]
    yield _toctree(["study/index"], captions[0])
    if language == "ja":
        yield _toctree(["english"], captions[1])
        return
    guides = [page.name for page in found.values() if page.name.startswith("guides/")]
    yield _toctree([*guides, "changelog"], captions[1])
    yield _toctree([f"api/{name}" for name in API], captions[2])


def _toctree(names: Iterable[str], caption: str = "") -> str:
    options = f":hidden:\n:caption: {caption}\n" if caption else ":maxdepth: 1\n"
    return "\n\n```{toctree}\n" + options + "\n" + "\n".join(names) + "\n```\n"


def _in_english(found: Mapping[Path, Page]) -> str:
    """The page that says what there is in English alone."""
    here = Page("ja", "english")
    others = [
        (page, path.read_text(encoding="utf-8").splitlines()[0].lstrip("# "))
        for path, page in found.items()
        if page.language == "en" and not page.name.startswith(("index", "study/"))
    ]
    others += [(Page("en", f"api/{name}"), f"`nbtwisted.{name}`") for name in API]
    lines = [f'- <a href="{here.href_of(page)}">{title}</a>' for page, title in others]
    return "\n".join(
        ["# ガイドと API\n\n次の文書は英語で書かれています。\n", *lines, ""]
    )
