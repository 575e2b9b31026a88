"""The colours of pictures, which follow the theme's switch for light and dark. Pure."""

from __future__ import annotations

import re

__all__ = ["style_of_pictures"]


def style_of_pictures(colours: str, bars: str) -> str:
    """A style sheet for pictures in the book, of those that reports have."""
    light, dark = (
        inside.replace("color-scheme: light dark;", "")
        for inside in re.findall(r":root \{(.*?)\n *\}", colours, re.S)[:2]
    )
    return (
        f"body {{{light}\n}}\n"
        f'body[data-theme="dark"] {{{dark}\n}}\n'
        "@media (prefers-color-scheme: dark) {\n"
        f'body:not([data-theme="light"]) {{{dark}\n}}\n'
        f"}}\n{bars}"
    )
