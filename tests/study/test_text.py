"""The language of a reader."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.text import Text, language_of


class LanguageTests(SynchronousTestCase):
    def test_of_locales(self) -> None:
        for locale, language in (
            ("ja_JP.UTF-8", "ja"),
            ("ja", "ja"),
            ("ja.UTF-8", "ja"),
            ("jam_JM", "en"),
            ("en_GB.UTF-8", "en"),
            ("de_DE", "en"),
            ("C", "en"),
            ("C.UTF-8", "en"),
            ("", "en"),
        ):
            self.assertEqual(language_of({"LANG": locale}), language, locale)

    def test_of_nothing(self) -> None:
        self.assertEqual(language_of({}), "en")

    def test_what_goes_before_what(self) -> None:
        ja, en = "ja_JP.UTF-8", "en_US.UTF-8"
        self.assertEqual(language_of({"LC_ALL": en, "LANG": ja}), "en")
        self.assertEqual(language_of({"LC_MESSAGES": ja, "LANG": en}), "ja")
        self.assertEqual(language_of({"LC_ALL": ja, "LC_MESSAGES": en}), "ja")
        # What is empty says nothing.
        self.assertEqual(language_of({"LC_ALL": "", "LANG": ja}), "ja")

    def test_text(self) -> None:
        text = Text("a", "あ")
        self.assertEqual((text.of("en"), text.of("ja")), ("a", "あ"))
