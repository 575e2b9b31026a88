"""Sphinx's settings for the book; `python -m docs.book` says which language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import nbtwisted
from docs.book.docstrings import as_rest
from docs.book.gather import LANGUAGES, Page
from docs.book.japanese_search import JapaneseSearch

HERE = Path(__file__).parent

project = "nbtwisted"
release = nbtwisted.__version__
html_title = f"{project} {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
# So that a page may link to a heading of another, as everywhere.
myst_heading_anchors = 4
autodoc_default_options = {"members": True, "undoc-members": True, "no-value": True}
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 72

smartquotes = False

html_theme = "furo"
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}
templates_path = [str(HERE / "templates")]
html_static_path = [str(HERE / "static"), str(HERE.parent / "pictures")]
html_favicon = "static/favicon.svg"
html_css_files = ["book.css", "pictures.css"]
html_copy_source = False
html_domain_indices = False
html_show_copyright = False


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.config.html_static_path.append(str(Path(app.srcdir).parent / "static"))
    app.add_search_language(JapaneseSearch)
    app.connect("autodoc-process-docstring", show_docstring)
    app.connect("html-page-context", add_other_languages)


def show_docstring(*arguments: Any) -> None:
    """Make reST of a docstring's lines, in place."""
    lines: list[str] = arguments[-1]
    lines[:] = as_rest("\n".join(lines)).splitlines()


def add_other_languages(
    app: Sphinx, name: str, template: str, context: dict[str, Any], *_: Any
) -> None:
    """Tell the template where a page is in other languages, or where these begin."""
    here = Page(app.config.language, name)
    context["other_languages"] = others = []
    for language, label in LANGUAGES.items():
        if language != here.language:
            path = Path(app.srcdir).parent / language / f"{name}.md"
            is_there = path.exists() or name == "search"
            page = Page(language, name if is_there else "index")
            others.append((language, label, here.href_of(page), is_there))
