"""The book in Chromium: on a phone and a laptop, in both languages, light and dark."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from docs.book.gather import WIDTHS
from tests.browser.conftest import ROOT, OpenPage, is_too_wide, serious_faults
from tests.server.running import BY_TWISTD, RunningServer

TWISTD_WEB = [part for part in BY_TWISTD if not part.startswith("--class")]
FOLDER = ROOT / "build" / "docs"
LESSONS = [path.name for path in (ROOT / "nbtwisted" / "study").glob("[0-9][0-9]-*")]
STUDY = [f"{of}/study/{name}.html" for of in ("en", "ja") for name in LESSONS]
PAGES = [
    "index.html",
    "en/index.html",
    "ja/index.html",
    "en/study/index.html",
    "ja/english.html",
    "en/guides/server.html",
    "en/api/client.html",
    min(STUDY),
    max(STUDY),
]


# Seconds, of which the first test takes most to make the book.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Iterator[str]:
    """Where the book is served: its search asks for pages, which no file may.

    It is made once, whatever tests run side by side.
    """
    made = tmp_path_factory.getbasetemp().parent / f"book-{testrun_uid}"
    with made.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.stat().st_size:
            subprocess.run([sys.executable, "-m", "docs.book"], cwd=ROOT, check=True)
            lock.write("made")
    site = ("--path", str(FOLDER), "--logfile", os.devnull)
    with RunningServer([*TWISTD_WEB, *site]) as server:
        yield server.url.rstrip("/")


@pytest.mark.parametrize("name", PAGES)
def test_pages_can_be_read(book: str, open_page: OpenPage, name: str) -> None:
    for width, dark in ((390, False), (1280, True)):
        page = open_page(f"{book}/{name}", width=width, dark=dark)
        faults = serious_faults(page)
        # Sphinx itself draws the arguments of a function so.
        assert [f for f in faults if not f.startswith("definition-list:")] == []


def test_no_page_has_to_be_scrolled_sideways(book: str, open_page: OpenPage) -> None:
    page = open_page(book, width=390)
    for path in sorted(FOLDER.rglob("*.html")):
        page.goto(f"{book}/{path.relative_to(FOLDER)}")
        assert not is_too_wide(page), path


@pytest.mark.parametrize("name", ["index", "study/index", f"study/{min(LESSONS)}"])
def test_a_page_links_to_itself_in_the_other_language(
    book: str, open_page: OpenPage, name: str
) -> None:
    page = open_page(f"{book}/en/{name}.html", width=390)
    page.get_by_role("link", name="日本語", exact=True).click()
    expect(page).to_have_url(f"{book}/ja/{name}.html")
    assert page.locator("html").get_attribute("lang") == "ja"
    page.get_by_role("link", name="English", exact=True).first.click()
    expect(page).to_have_url(f"{book}/en/{name}.html")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "lognormal"),
        ("en", "get_all"),
        ("ja", "待ち時間"),
        ("ja", "期限"),
        ("ja", "ブロッキング"),
        ("ja", "Klein サーバ"),
    ],
)
def test_the_search_finds(
    book: str, open_page: OpenPage, language: str, words: str
) -> None:
    page = open_page(f"{book}/{language}/search.html?q={words}")
    found = page.locator("#search-results li").filter(has_text=words.split()[0])
    expect(found.first).to_be_visible()
    found.first.get_by_role("link").click()
    expect(page.locator("article")).to_contain_text(words.split()[-1])


def test_the_search_does_not_find_what_is_not_there(
    book: str, open_page: OpenPage
) -> None:
    for language, words in (("en", "quetzalcoatl"), ("ja", "羽毛の蛇")):
        page = open_page(f"{book}/{language}/search.html?q={words}")
        # It has looked when it says so.
        expect(page.locator(".search-summary")).to_contain_text(re.compile(r"\S"))
        expect(page.locator("#search-results li")).to_have_count(0)


def test_pictures_follow_the_switch(book: str, open_page: OpenPage) -> None:
    seen = set()
    for system in ("light", "dark"):
        page = open_page(f"{book}/{min(STUDY)}", dark=system == "dark")
        for _ in ("auto", "one of them", "the other"):
            theme = page.locator("body").get_attribute("data-theme")
            text = page.locator("figure svg:visible text").first
            ink = text.evaluate("e => getComputedStyle(e).fill")
            is_bright = sum(map(int, re.findall(r"\d+", ink))) > 3 * 128
            seen.add((system if theme == "auto" else theme, is_bright))
            page.locator(".theme-toggle:visible").click()
    assert seen == {("light", False), ("dark", True)}


def test_a_phone_has_a_narrow_picture(book: str, open_page: OpenPage) -> None:
    for width, drawn in WIDTHS.items():
        page = open_page(f"{book}/{max(STUDY)}", width={"phone": 390}.get(width, 1280))
        for picture in page.locator("figure svg:visible").all():
            box = picture.get_attribute("viewBox")
            assert box is not None
            assert box.startswith(f"0 0 {drawn} "), box
        expect(page.locator("figure svg:visible").first).to_be_visible()
