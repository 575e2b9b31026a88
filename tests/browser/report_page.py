"""The report of a run of the client, in Chromium: a real run against a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from nbtwisted.timeline import Attempt, Phase, Span, Totals
from nbtwisted.timeline.report_page import report_page
from nbtwisted.timeline.span import PHASES
from tests.browser.conftest import OpenPage, Shoot, is_too_wide, serious_faults
from tests.server.running import BY_MODULE, RunningServer

CLIENT = [sys.executable, "-m", "nbtwisted.client"]
HOSTILE = "<img/src=x/onerror=document.title='owned'>"


def run_client(report: Path, *arguments: str) -> str:
    """Have the client write its report; where a browser finds that."""
    subprocess.run(
        [*CLIENT, "--report", str(report), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return report.as_uri()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run with something of everything."""
    folder = tmp_path_factory.mktemp("report")
    with RunningServer([*BY_MODULE, "--seed", "1"]) as server:
        url = server.url.rstrip("/")
        jobs = [
            f"{url}/delay/1",
            f"{url}/get?_delay=lognormal(600ms,0.4)&_key=a",
            f"{url}/get?_delay=lognormal(600ms,0.4)&_key=b",
            f"{url}/get?_seq=503,503,200&_key=c&_delay=300ms",
            f"{url}/redirect/2?_delay=300ms",
            f"{url}/get?_fault=reset&_delay=200ms",
            with_deadline(f"{url}/delay/9"),
            f"{url}/get?_drip=1s/5",
            f"{url}/anything/{HOSTILE}?_delay=500ms",
            with_deadline("http://nothing.invalid/"),
            f"{url}/bytes/2000?_delay=400ms&_rate=4kB",
            f"{url}/status/404?_delay=700ms",
        ]
        listed = folder / "jobs"
        listed.write_text("\n".join(jobs))
        return run_client(
            folder / "report.html",
            *("-c", "8", "-L", "--retry", "2", "--retry-delay", "100ms"),
            *("-i", str(listed)),
        )


def with_deadline(url: str) -> str:
    """A job with a deadline: what is to succeed has none that it could miss."""
    return json.dumps({"url": url, "max_time": "2500ms"})


def rows(page: Page) -> Any:
    return page.locator("#rows tr")


def seconds_held(row: Any) -> float:
    """Read what the bars of a row say of it: how late they are, is the machine's."""
    said = row.get_by_role("img").get_attribute("aria-label")
    held = re.search(r"held (\d+\.\d\d) s", said)
    assert held is not None, said
    return float(held[1])


def all_seconds(page: Page) -> list[float]:
    """How long each request took, from the top."""
    cells = map(str.split, page.locator("#rows .seconds").all_inner_texts())
    return [float(value) / {"s": 1, "ms": 1000}[unit] for value, unit in cells]


def test_the_requests_and_their_bars(report: str, open_page: OpenPage) -> None:
    page = open_page(report)
    # It opens on what failed.
    expect(page.locator("#count")).to_have_text("12 requests, the 3 that failed first")
    expect(page.locator("#rows tr.failed")).to_have_count(3)
    assert rows(page).nth(2).get_attribute("class") == "failed"
    page.get_by_role("button", name="No.").click()
    expect(page.locator("#count")).to_have_text("12 requests")
    expect(rows(page)).to_have_count(12)
    expect(page.get_by_role("heading", level=1)).to_contain_text("12 requests in")
    first = rows(page).first
    expect(first).to_contain_text("/delay/1")
    held = seconds_held(first)
    bar = first.locator(".track i.held").bounding_box()
    track = first.locator(".track").bounding_box()
    assert bar is not None
    assert track is not None
    heading = page.get_by_role("heading", level=1).inner_text()
    in_all = float(heading.removeprefix("12 requests in ").removesuffix(" s"))
    assert bar["width"] / track["width"] == pytest.approx(held / in_all, abs=0.02)
    # Three attempts of one request are in one row.
    assert rows(page).nth(3).locator("b.retry").count() == 2
    assert rows(page).nth(5).locator("b.error").count() >= 1


def test_what_a_stranger_sent_is_text(report: str, open_page: OpenPage) -> None:
    page = open_page(report)
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    assert page.title() != "owned"
    assert page.locator("img[src]").count() == 0


def test_details_by_mouse_and_by_keyboard(report: str, open_page: OpenPage) -> None:
    page = open_page(report)
    page.get_by_role("button", name="No.").click()
    details = page.locator("#details")
    rows(page).nth(6).hover()
    expect(details).to_contain_text("passed while waiting for the first byte")
    rows(page).first.focus()
    says = "the server says that it held it for "
    expect(details).to_contain_text(says)
    # The client may have been late to begin to wait for it.
    assert float(details.inner_text().partition(says)[2].partition(" s")[0]) >= 1
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(details).to_contain_text("an answer that was not taken: tried again")
    page.keyboard.press("End")
    expect(rows(page).last).to_be_focused()
    page.keyboard.press("Home")
    expect(rows(page).first).to_be_focused()


@pytest.fixture(scope="module")
def phases(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report with each of the phases in it, and URLs that begin alike."""
    attempt = Attempt("", tuple(Phase(name, 0.1) for name in PHASES), outcome="200")
    path = "http://127.0.0.1:8000/get?_delay=lognormal(600ms,0.4)&_size=9000&_key="
    spans = [Span(n, f"{path}order-{n}", 0.0, (attempt,)) for n in (1, 2)]
    report = tmp_path_factory.mktemp("phases") / "report.html"
    page = report_page(spans, Totals.of(spans), made_by="a test", made_at="now")
    report.write_text(page, encoding="utf-8")
    return report.as_uri()


@pytest.mark.parametrize("where", ["i", "noscript rect"])
def test_phases_are_told_apart(phases: str, open_page: OpenPage, where: str) -> None:
    """By colour; and by their strokes without it."""
    inked: set[str] = set()
    strokes: set[str] = set()
    page = open_page(phases, java_script_enabled=where == "i")
    for name in PHASES:
        bar = page.locator(f".track {where}.{name}, {where}.{name}").last
        found = bar.evaluate(
            """(bar) => {
                const style = getComputedStyle(bar);
                const look = ["backgroundImage", "backgroundColor", "boxShadow"]
                    .concat(["fill", "fillOpacity", "stroke", "height"])
                    .map((name) => style[name]).join(" ");
                return [style.getPropertyValue("--phase"), look];
            }"""
        )
        inked.add(found[0])
        strokes.add(re.sub(r"(rgba?|color)\([^)]*\)", "a colour", found[1]))
    assert len(inked) == len(strokes) == len(PHASES)


def test_where_colours_are_forced_the_bars_keep_theirs(
    phases: str, open_page: OpenPage
) -> None:
    grounds = []
    for forced in ("none", "active"):
        page = open_page(phases, forced_colors=forced)
        for name in ("queued", "held", "receive"):
            bar = page.locator(f".track i.{name}").first
            ground = "(bar) => getComputedStyle(bar).backgroundColor"
            grounds.append(bar.evaluate(ground))
    assert grounds[:3] == grounds[3:]


@pytest.mark.parametrize("width", [390, 1280])
def test_of_a_label_the_end_is_seen(
    phases: str, open_page: OpenPage, width: int
) -> None:
    page = open_page(phases, width=width)
    for number in (1, 2):
        cell = rows(page).nth(number - 1).locator(".url")
        expect(cell).to_have_text(re.compile(f"/get.*_key=order-{number}$"))
        end = cell.locator(".end").bounding_box()
        box = cell.bounding_box()
        assert end is not None
        assert box is not None
        assert end["x"] + end["width"] <= box["x"] + box["width"] + 1


def test_sorting_and_filtering(report: str, open_page: OpenPage) -> None:
    page = open_page(report)
    page.get_by_role("button", name="Seconds").click()
    seconds = page.get_by_role("columnheader", name="Seconds")
    expect(seconds).to_have_attribute("aria-sort", "descending")
    took = all_seconds(page)
    assert len(took) == 12
    assert took == sorted(took, reverse=True)
    page.get_by_role("button", name="Seconds").click()
    expect(seconds).to_have_attribute("aria-sort", "ascending")
    assert all_seconds(page) == sorted(took)
    page.get_by_label("Filter").fill("lognormal")
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#count")).to_have_text("2 of 12")
    page.get_by_label("Zoom to these rows").check()
    # They take all the room that there is.
    places = page.locator("#rows .track i").evaluate_all(
        """(bars) => bars.map((bar) => {
            const track = bar.closest(".track").getBoundingClientRect();
            const place = bar.getBoundingClientRect();
            return [place.left, place.right].map((x) => (x - track.left) / track.width);
        })"""
    )
    begins, ends = zip(*places, strict=True)
    assert (min(begins), max(ends)) == pytest.approx((0, 1), abs=0.02)
    page.get_by_label("Filter").fill("")
    page.get_by_label("Outcome").select_option("failed")
    expect(rows(page)).to_have_count(3)


def test_ten_thousand_requests(open_page: OpenPage, tmp_path: Path) -> None:
    with RunningServer() as server:
        many = ["-n", "10000", "-c", "200", f"{server.url}?_delay=0"]
        url = run_client(tmp_path / "many.html", *many)
    assert (tmp_path / "many.html").stat().st_size < 5_000_000
    page = open_page(url)
    expect(page.locator("#count")).to_have_text("10,000 requests")
    expect(rows(page)).to_have_count(200)
    page.get_by_role("button", name="Show 200 more of 9800").click()
    expect(rows(page)).to_have_count(400)
    # What is shown stays, whatever becomes of the window.
    rows(page).nth(300).focus()
    page.set_viewport_size({"width": 1280, "height": 500})
    page.set_viewport_size({"width": 900, "height": 500})
    page.wait_for_function("() => axis.clientWidth < 500")
    expect(rows(page)).to_have_count(400)
    expect(rows(page).nth(300)).to_be_focused()
    # Not by the number alone, which may be in that of the port.
    page.get_by_label("Filter").fill("9999 http")
    expect(rows(page)).to_have_count(1)


def test_no_requests_at_all(open_page: OpenPage, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    page = open_page(run_client(tmp_path / "none.html", "-i", str(empty)))
    expect(page.get_by_text("There was nothing to be drawn.")).to_be_visible()


def test_without_script(report: str, open_page: OpenPage) -> None:
    page = open_page(report, java_script_enabled=False)
    picture = page.locator("noscript svg")
    expect(picture).to_be_visible()
    expect(picture).to_contain_text("answers and")


def test_on_paper(report: str, open_page: OpenPage) -> None:
    page = open_page(report, dark=True)
    page.emulate_media(media="print", color_scheme="light")
    expect(page.get_by_label("Filter")).not_to_be_visible()
    expect(page.locator("#details")).not_to_be_visible()
    expect(rows(page).first).to_be_visible()
    ink = page.evaluate("getComputedStyle(document.documentElement).color")
    assert ink == "rgb(0, 0, 0)"


def test_it_can_run_nothing_else(report: str, open_page: OpenPage) -> None:
    page = open_page(report, complaints=("Content Security Policy",))
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
        }"""
    )
    assert page.title() != "owned"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_looks(
    report: str, open_page: OpenPage, shoot: Shoot, width: int, dark: bool
) -> None:
    page = open_page(report, width=width, dark=dark)
    rows(page).filter(has_text="_seq").focus()
    if width == 390:
        # On a phone the page begins with its figures; its bars are what is to be seen.
        page.locator("#requests").scroll_into_view_if_needed()
    assert serious_faults(page) == []
    assert not is_too_wide(page)
    shoot(page, f"report-{'dark' if dark else 'light'}-{width}")


def test_the_archive_answers_for_the_server(chromium: Any, tmp_path: Path) -> None:
    """What the client wrote as HAR, Chromium reads and replays."""
    archive = tmp_path / "run.har"
    with RunningServer() as server:
        url = f"{server.url}get?_delay=10ms"
        subprocess.run(
            [*CLIENT, "--har", str(archive), url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    context = chromium.new_context()
    try:
        context.route_from_har(archive)
        page = context.new_page()
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 200
        assert url in page.inner_text("body")
    finally:
        context.close()
