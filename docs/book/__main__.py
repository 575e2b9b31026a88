"""Builds the book: `python -m docs.book`, or `make docs`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.book.colours import style_of_pictures
from docs.book.gather import LANGUAGES, MissingPageError, gathered
from docs.book.links import broken_links
from nbtwisted.timeline.page import asset

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCES = ROOT / "build" / "book"
SITE = ROOT / "build" / "docs"


def main() -> int:
    """Returns 0 if all pages could be made, and every link leads somewhere."""
    for folder in (SOURCES, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    for page, text in gathered(ROOT):
        path = SOURCES / page.language / f"{page.name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (SOURCES / "static").mkdir()
    style = style_of_pictures(asset("colours.css"), asset("bars.css"))
    (SOURCES / "static" / "pictures.css").write_text(style, encoding="utf-8")
    # Of all languages, whatever there is to complain of in the first.
    failed = [language for language in LANGUAGES if _built(language)]
    shutil.copy(HERE / "index.html", SITE)
    broken = [] if failed else list(broken_links(SITE))
    for line in broken:
        print(line)
    if not (failed or broken):
        print(f"docs: {SITE.relative_to(ROOT)}/index.html")
    return 1 if failed or broken else 0


def _built(language: str) -> int:
    """Have Sphinx make the pages of a language; returns 0 if it had no complaints."""
    options = ["--quiet", "--fail-on-warning", "--keep-going"]
    options += ["--conf-dir", str(HERE), "--define", f"language={language}"]
    options += ["--doctree-dir", str(SOURCES / f"{language}.cache")]
    return build_main([*options, str(SOURCES / language), str(SITE / language)])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MissingPageError as error:
        sys.exit(f"docs: {error}")
