"""A sentence in both languages of the study. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

__all__ = ["LANGUAGES", "Language", "Text", "language_of"]

Language = Literal["en", "ja"]

LANGUAGES: tuple[Language, ...] = ("en", "ja")


class Text(NamedTuple):
    """One text, in English and in Japanese."""

    en: str
    ja: str

    def of(self, language: Language) -> str:
        """The text in a language."""
        return self.ja if language == "ja" else self.en


def language_of(environment: Mapping[str, str]) -> Language:
    """The language that a locale asks for: Japanese, or English for all others."""
    # In this order, as setlocale(3) has it; what is empty says nothing.
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name)
        if value:
            return "ja" if value.partition(".")[0].split("_")[0] == "ja" else "en"
    return "en"
