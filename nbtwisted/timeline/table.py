"""A table of figures, as HTML. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["table"]


def table(
    head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], *, words: int = 0
) -> str:
    """Rows of figures: what stands in their tags, and cells, the first a heading.

    The last `words` of the columns are words.
    """
    kinds = [""] + [' class="number"'] * (len(head) - 1 - words)
    kinds += [' class="words"'] * words
    columns = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>'
        for kind, name in zip(kinds, head, strict=True)
    )
    lines = "".join(
        f'<tr{attributes}><th scope="row">{escape(first)}</th>'
        + "".join(
            f"<td{kind}>{escape(cell)}</td>"
            for kind, cell in zip(kinds[1:], rest, strict=True)
        )
        + "</tr>"
        for attributes, (first, *rest) in rows
    )
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table>"
