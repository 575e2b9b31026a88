"""The words of Japanese text, as the search needs them."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["word_pattern", "words"]

_JAPANESE = r"[\u3005\u3040-\u30ff\u3400-\u9fff]"


def word_pattern(letter: str) -> str:
    """A regular expression for a run of Japanese, or a word of other letters."""
    return f"{_JAPANESE}+|(?:(?!{_JAPANESE}){letter})+"


_WORD = re.compile(word_pattern(r"\w"))


def words(text: str) -> Iterator[str]:
    """The words of an index in which any part of a run of Japanese can be found.

    Sphinx's script in the browser compares what has one or two letters with whole words
    of the index: these are there. It looks for anything longer within the words, but
    only if no word is the same: so a run has a sign before it.
    """
    for word in _WORD.findall(text):
        if re.match(_JAPANESE, word):
            yield f"+{word}"
            yield from word
            yield from (word[at : at + 2] for at in range(len(word) - 1))
        else:
            yield word
