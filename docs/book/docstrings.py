"""Shows docstrings, which are plain text, as they are meant.

They have paragraphs, lists, `code` between single backticks, and examples or drawings
that are indented by four. What else reST takes for markup is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["as_rest"]

_CODE = re.compile(r"`([^`]+)`(?=(\w?))")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_MARKUP = re.compile(r"(?<!\S)(\*\w+\*)(?!\w)|[\\*_|]")
"""What reST takes for markup: a word between two stars is meant so."""


def as_rest(docstring: str) -> str:
    """The reST of a docstring whose margin has been taken away."""
    return "\n\n".join(_blocks(docstring)) + "\n"


def _blocks(docstring: str) -> Iterator[str]:
    in_literal = False
    for block in re.split(r"\n\s*\n", docstring.strip("\n")):
        if not block.strip():
            continue
        is_literal = all(line.startswith("    ") for line in block.splitlines())
        if is_literal and not in_literal:
            yield "::"
        yield block if is_literal else _prose(block)
        in_literal = is_literal


def _prose(block: str) -> str:
    parts, at = [], 0
    for code in _CODE.finditer(block):
        parts += [_escaped(block[at : code.start()]), _code(*code.groups())]
        at = code.end()
    return "".join([*parts, _escaped(block[at:])])


def _code(code: str, behind: str) -> str:
    """A link to what has that name, where there is one; else the code alone."""
    shown = f":py:obj:`{code}`" if _NAME.fullmatch(code) else f"``{code}``"
    return shown + "\\ " * bool(behind)


def _escaped(prose: str) -> str:
    return _MARKUP.sub(lambda found: found[1] or f"\\{found[0]}", prose)
