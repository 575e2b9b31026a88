"""The colours of pages and pictures: seen on their ground, and told apart."""

from __future__ import annotations

import re
from itertools import combinations

from nbtwisted.timeline.page import asset
from nbtwisted.timeline.span import PHASES
from tests.guard import ClockCase


def colours(*, dark: bool) -> dict[str, str]:
    """What each name of the style sheet stands for, in a browser that is so set."""
    screen = asset("colours.css").partition("@media print")[0]
    light, _, darker = screen.partition("@media (prefers-color-scheme: dark)")
    rules = light + darker if dark else light
    return dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6})", rules))


def luminance(colour: str) -> float:
    """As WCAG 2 defines it, from 0 to 1."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


class ColourTests(ClockCase):
    def test_each_phase_is_seen_on_its_ground(self) -> None:
        for dark in (False, True):
            found = colours(dark=dark)
            for name in (*PHASES, "failed"):
                # WCAG 1.4.11.
                self.assertGreaterEqual(
                    contrast(found[name], found["paper"]), 3.0, (name, dark)
                )

    def test_no_two_phases_have_a_colour(self) -> None:
        for dark in (False, True):
            found = colours(dark=dark)
            for one, other in combinations(PHASES, 2):
                apart = sum(
                    abs(
                        int(found[one][n : n + 2], 16)
                        - int(found[other][n : n + 2], 16)
                    )
                    for n in (0, 2, 4)
                )
                self.assertGreater(apart, 60, (one, other, dark))

    def test_contrast_is_that_of_wcag(self) -> None:
        self.assertAlmostEqual(contrast("000000", "ffffff"), 21.0)
        self.assertAlmostEqual(contrast("777777", "ffffff"), 4.48, places=2)
