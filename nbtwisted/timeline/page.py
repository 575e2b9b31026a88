"""A page in one file: its looks, its script and its data inside. Pure.

It asks for nothing from anywhere and can run nothing but its own script: its
Content-Security-Policy names that by its hash. What a stranger sent gets into it only
through `data`, or through `html_text`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

from nbtwisted.printable import escaped, escaped_json

__all__ = ["asset", "html_page", "html_text"]

_ASSETS = Path(__file__).parent / "assets"


def asset(name: str) -> str:
    """The text of a style sheet or a script of ours."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def html_page(
    title: str,
    body: str,
    *,
    data: object,
    styles: Sequence[str],
    script: str,
) -> str:
    """The whole file. `body` is HTML; `styles` and `script` are names of assets.

    `data` is anything that JSON has, and stands in `<script id="data">`, where the
    script finds it, and whoever wants to reckon with it.
    """
    style = "\n".join(asset(name) for name in styles)
    code = asset(script)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(code)}; "
        "base-uri 'none'; form-action 'none'"
    )
    # Nothing in a string of JSON can then end the element that it stands in.
    embedded = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    embedded = escaped_json(embedded.replace("<", "\\u003c"))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n{body}\n"
        f'<script type="application/json" id="data">{embedded}</script>\n'
        f"<script>{code}</script>\n</body>\n</html>\n"
    )


def html_text(text: str) -> str:
    """What a stranger may have sent, as HTML that shows it."""
    return escape(escaped(text))


def _hash(text: str) -> str:
    digest = b64encode(sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
