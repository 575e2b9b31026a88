"""The page of `nbtwisted load --plot`, from a real run that meets stalls and faults."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, Shoot, is_too_wide, serious_faults
from tests.server.running import BY_MODULE, RunningServer

FIGURES = ("latency", "percentiles", "rate")
HOSTILE = "<img/src=x/onerror=alert(1)>"


@pytest.fixture(scope="module")
def plot(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of a run at a rate that is a little too high."""
    path = tmp_path_factory.mktemp("load") / "plot.html"
    with RunningServer([*BY_MODULE, "--seed", "7"]) as server:
        delays = f"{server.url}?_delay=lognormal(20ms,0.5)"
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "nbtwisted.load", "--plot", path),
                *("-q", "420", "-z", "6", "-c", "10", "--fail-if", "p99>50ms"),
                *(delays, f"{delays}&_fault=truncate:0.02&{HOSTILE}"),
            ],
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
    assert ended.returncode == 99, ended.stderr
    assert f"nbtwisted: wrote {path}\n" in ended.stderr
    return path.as_uri()


def readout(page: Page, figure: str) -> str:
    return page.locator(f"#{figure} .readout").inner_text()


@pytest.mark.parametrize("name", FIGURES)
def test_the_cross_hair_goes_by_keys(plot: str, open_page: OpenPage, name: str) -> None:
    page = open_page(plot)
    assert "arrow keys" in readout(page, name)
    page.locator(f"#{name} summary").click()
    rows = page.locator(f"#{name} tbody tr")
    heads = page.locator(f"#{name} thead th").all_inner_texts()
    reader = page.locator(f"#{name} .reader")
    reader.focus()
    assert reader.get_attribute("role") == "slider"

    def expect_row(number: int) -> None:
        first, *rest = rows.nth(number).locator("th, td").all_inner_texts()
        values = ", ".join(
            f"{head} {it}" for head, it in zip(heads[1:], rest, strict=True)
        )
        assert readout(page, name) == f"{first}: {values}"
        assert reader.get_attribute("aria-valuetext") == f"{first}: {values}"
        assert page.locator(f"#{name} .hair").is_visible()

    expect_row(0)
    for key, number in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("End", rows.count() - 1),
        ("ArrowRight", rows.count() - 1),
    ]:
        page.keyboard.press(key)
        expect_row(number)
    page.keyboard.press("Tab")
    assert page.locator(f"#{name} .hair").is_hidden()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_cross_hair_goes_to_the_pointer(
    plot: str, open_page: OpenPage, width: int
) -> None:
    page = open_page(plot, width=width)
    reader = page.locator("#latency .reader")
    reader.scroll_into_view_if_needed()
    box = reader.bounding_box()
    assert box is not None
    # It lies on the axes, in whichever drawing is shown.
    drawn = page.locator("#latency svg:visible .plot").last.bounding_box()
    assert drawn is not None
    assert all(abs(box[side] - drawn[side]) < 1 for side in ("x", "y", "width"))
    # Where the interval in the middle is, however late the last answers came.
    series = json.loads(page.locator("#data").text_content() or "")["series"]
    at = len(series) // 2
    middle = (series[at]["began"] + series[at]["ended"]) / 2
    x = box["x"] + box["width"] * middle / series[-1]["ended"]
    page.mouse.move(x, box["y"] + 20)
    time = page.locator("#latency tbody th").nth(at).text_content()
    assert readout(page, "latency").startswith(f"{time}: ")
    hair = page.locator("#latency .hair").bounding_box()
    assert hair is not None
    assert abs(hair["x"] - x) < 2
    page.mouse.move(box["x"], box["y"] - 60)
    assert page.locator("#latency .hair").is_hidden()


def test_tables_and_data(plot: str, open_page: OpenPage) -> None:
    page = open_page(plot)
    data = json.loads(page.locator("#data").text_content() or "")
    assert data["report"]["failed"] > 0
    table = page.locator("#latency tbody tr")
    assert table.count() == len(data["series"])
    assert table.first.is_hidden()
    page.locator("#latency summary").click()
    assert table.first.is_visible()
    # What was sent in a URL stands there as it was sent.
    assert HOSTILE in page.locator("main").inner_text()
    assert page.locator("img").count() == 0
    failures = page.locator(".failed").inner_text()
    assert "ResponseCutShort" in failures
    assert "failed p99>50ms: it is" in page.locator(".conditions").inner_text()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_looks(
    plot: str, open_page: OpenPage, shoot: Shoot, width: int, dark: bool
) -> None:
    page = open_page(plot, width=width, dark=dark)
    shoot(page, f"load-{'dark' if dark else 'light'}-{width}")
    page.locator("#latency .reader").focus()
    for summary in page.locator("summary").all():
        summary.click()
    assert serious_faults(page) == []
    assert not is_too_wide(page)


def test_text_is_legible(plot: str, open_page: OpenPage) -> None:
    for width in (390, 600, 1280):
        page = open_page(plot) if width == 1280 else open_page(plot, width=390)
        page.set_viewport_size({"width": width, "height": 800})
        heights = page.evaluate(
            "[...document.querySelectorAll('.canvas text')]"
            ".map((text) => text.getBoundingClientRect().height)"
            ".filter((height) => height)"
        )
        assert heights
        # Of a line of 12 pixels of DejaVu Sans, and of one half as large again.
        assert min(heights) > 11
        assert max(heights) < 24


def test_on_paper(plot: str, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(plot, dark=True)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(".readout").first.is_hidden()
    assert page.locator("#latency svg.wide").is_visible()
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    page.pdf(path=tmp_path / "plot.pdf", format="A4")
    assert (tmp_path / "plot.pdf").stat().st_size > 10_000


def test_without_its_script(plot: str, open_page: OpenPage) -> None:
    page = open_page(plot, java_script_enabled=False)
    for name in FIGURES:
        assert page.locator(f"#{name} svg.wide").is_visible()
    assert page.locator(".reader").count() == 0
    # Tables open without one.
    page.locator("#rate summary").click()
    assert page.locator("#rate tbody tr").first.is_visible()
