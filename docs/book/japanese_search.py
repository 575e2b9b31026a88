"""Japanese for Sphinx's search.

Sphinx's own splitter for Japanese guesses where words end in the index, and takes what
a reader types for one word: it does not find most of what is there.
"""

from __future__ import annotations

from sphinx.search import SearchLanguage

from docs.book.japanese import word_pattern, words

__all__ = ["JapaneseSearch"]

_PATTERN = word_pattern(r"[\p{L}\p{N}_]")


class JapaneseSearch(SearchLanguage):
    """Takes Japanese apart in the same way for the index and in the browser."""

    lang = "ja"
    language_name = "Japanese"
    js_splitter_code = f"var splitQuery = (q) => q.match(/{_PATTERN}/gu) || [];"

    def split(self, input: str) -> list[str]:
        """The words of the index for a text."""
        return list(words(input))
