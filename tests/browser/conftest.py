"""Debian's Chromium, for tests of what people look at: `make browser`.

Their modules have no name that pytest or trial would look for, because not every
machine has a Chromium.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.scene import Scene
from tests.server.running import RunningServer

ROOT = Path(__file__).parents[2]
EXECUTABLE = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--disable-gpu",
    # It is to ask nobody for anything but what a test tells it to.
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic", "--no-first-run"),
]
expect.set_options(timeout=15_000)  # milliseconds, on a busy machine
MARGIN = 16
"""Pixels around what is shot of a page."""
WIDTHS = {390: 844, 1280: 800}
"""Pixels, and the height that goes with them: a phone's, and a laptop's."""

OpenPage = Callable[..., Page]
Shoot = Callable[..., None]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not os.access(EXECUTABLE, os.X_OK):
        pytest.fail(
            f"{EXECUTABLE}: expected a Chromium (apt-get install chromium), or its "
            "path in the environment as CHROMIUM"
        )
    # It has no sandbox for root, who is what containers run tests as.
    sandbox = os.getuid() != 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=EXECUTABLE, args=ARGUMENTS, chromium_sandbox=sandbox
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens a page of its own; the test fails if the page has complained of anything.

    `complaints` are the parts of messages that are expected.
    """
    opened = []
    found: list[str] = []

    def open_page(
        url: str,
        *,
        width: int = 1280,
        dark: bool = False,
        complaints: tuple[str, ...] = (),
        **context: Any,
    ) -> Page:
        own = chromium.new_context(
            viewport={"width": width, "height": WIDTHS[width]},
            color_scheme="dark" if dark else "light",
            **context,
        )
        opened.append(own)
        page = own.new_page()

        def note(text: str) -> None:
            if not any(complaint in text for complaint in complaints):
                found.append(text)

        def note_console(message: ConsoleMessage) -> None:
            if message.type == "error":
                note(message.text)

        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", note_console)
        page.goto(url)
        return page

    yield open_page
    for own in opened:
        own.close()
    assert not found, found


@pytest.fixture
def scene() -> Iterator[Scene]:
    with RunningServer() as server:
        scene = Scene(server)
        yield scene
        scene.leave()


@pytest.fixture
def shoot() -> Shoot:
    """Takes a picture, for the documentation if `NBTWISTED_PICTURES` says where."""
    folder = Path(os.environ.get("NBTWISTED_PICTURES", ROOT / ".venv" / "pictures"))
    folder.mkdir(parents=True, exist_ok=True)

    def shoot(page: Page, name: str, *, of: str | None = None) -> None:
        """Of what is shown, or of an element, wherever it is."""
        path = folder / f"{name}.png"
        if of is None:
            page.screenshot(path=path)
            return
        box = page.locator(of).bounding_box()
        assert box is not None
        page.screenshot(
            path=path,
            full_page=True,
            clip={
                "x": box["x"] - MARGIN,
                "y": box["y"] - MARGIN,
                "width": box["width"] + 2 * MARGIN,
                "height": box["height"] + 2 * MARGIN,
            },
        )

    return shoot


def serious_faults(page: Page) -> list[str]:
    """What axe-core finds that keeps somebody from using the page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {fault['nodes'][0]['html']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


def look_from_all_sides(page: Page, shoot: Shoot, name: str) -> None:
    """Take its pictures, light and dark, of each width; and see that all can use it."""
    ways = [(width, dark) for width in reversed(WIDTHS) for dark in (False, True)]
    for width, dark in ways:
        _turn(page, width, dark)
        shoot(page, f"{name}-{'dark' if dark else 'light'}-{width}")
        assert not is_too_wide(page), width
    # One of each.
    for width, dark in ways[::3]:
        _turn(page, width, dark)
        assert serious_faults(page) == []


def _turn(page: Page, width: int, dark: bool) -> None:
    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.evaluate(
        """() => {
            scrollTo(0, 0);
            const next = (then) => requestAnimationFrame(then);
            return new Promise((done) => next(() => next(done)));
        }"""
    )


def is_too_wide(page: Page) -> bool:
    """Whether the page has to be scrolled sideways."""
    wide = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return bool(wide)
