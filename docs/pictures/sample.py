"""Draws the picture that `/image` answers with, in each of its formats.

`python docs/pictures/sample.py` writes them beside the server's other samples. It needs
Pillow, which the server does not.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = (
    Path(__file__).parents[2]
    / "nbtwisted"
    / "server"
    / "routes"
    / "httpbin"
    / "samples"
)

WIDTH, HEIGHT = 240, 160
PAPER, HELD, RECEIVED = "#fdfdfe", "#0060a8", "#008f68"
TOP, ROW, BAR, LEFT = 16, 27, 18, 16
BARS = [(48, 16), (128, 16), (88, 16), (184, 16), (64, 32)]
"""Pixels of each wait, and of what is received after it: five requests at once."""


def rectangles() -> list[tuple[int, int, int, int, str]]:
    """The left, top, width and height of each part of a bar, and its colour."""
    drawn = []
    for number, (held, received) in enumerate(BARS):
        top = TOP + ROW * number
        drawn.append((LEFT, top, held, BAR, HELD))
        drawn.append((LEFT + held, top, received, BAR, RECEIVED))
    return drawn


def svg() -> str:
    """The picture as SVG."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">',
        "<title>Five requests at once</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
    ]
    lines += [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/>'
        for x, y, width, height, colour in rectangles()
    ]
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Write the files."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(picture)
    for x, y, width, height, colour in rectangles():
        pen.rectangle((x, y, x + width - 1, y + height - 1), colour)
    (FOLDER / "picture.svg").write_text(svg())
    few = picture.quantize(4)
    few.save(FOLDER / "picture.png", optimize=True)
    picture.save(FOLDER / "picture.jpeg", quality=90, optimize=True)
    picture.save(FOLDER / "picture.webp", lossless=True, quality=100, method=6)


if __name__ == "__main__":
    main()
