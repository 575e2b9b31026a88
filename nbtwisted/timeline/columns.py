"""Text for a screen whose characters are one or two columns wide. Pure."""

from __future__ import annotations

__all__ = ["fitted", "fitted_in_the_middle", "width_of"]


def width_of(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii():
        return len(text)
    # Rich takes 15 ms to load, which most labels do not need.
    from rich.cells import cell_len

    return cell_len(text)


def fitted(text: str, width: int, *, dots: str = "…") -> str:
    """The text in exactly so many columns: padded, or cut, with `dots` at its end."""
    taken = width_of(text)
    if taken <= width:
        return text + " " * (width - taken)
    if width <= len(dots):
        return dots[:width]
    if text.isascii():
        return text[: width - len(dots)] + dots
    from rich.cells import set_cell_size

    return set_cell_size(text, width - len(dots)) + dots


def fitted_in_the_middle(text: str, width: int, *, dots: str = "…") -> str:
    """The same, but cut in its middle: URLs are mostly told apart by their ends."""
    room = width - len(dots)
    if width_of(text) <= width or room < 2:
        return fitted(text, width, dots=dots)
    begin = text[: room // 2]
    while width_of(begin) > room // 2:
        begin = begin[:-1]
    room -= width_of(begin)
    end = text[-room:]
    while width_of(end) > room:
        end = end[1:]
    return fitted(begin + dots + end, width)
