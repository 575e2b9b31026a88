"""What the page of a load run has for stages, workers, labels and searches."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from nbtwisted.timeline.load.page import load_page
from tests.browser.conftest import OpenPage, Shoot, is_too_wide, serious_faults
from tests.server.running import BY_MODULE, RunningServer
from tests.timeline.load_run import BEGAN, CURVE, FOUR, HOSTILE, latency, report

SECTIONS = ("comparison", "trials", "stages", "labels", "workers")


def everything() -> dict[str, Any]:
    """A report that has all that there may be, and strangers' names in it."""
    worker = {
        "name": "tcp://10.0.0.1:40001",
        "answered": 1000,
        "failed": 0,
        "rps": 200.0,
        "p99": 0.05,
        "cpu": 0.4,
        "clock": 3600.0,
        "clock_uncertainty": 0.0002,
        "skew": 0.002,
        "lost": None,
    }
    lost = {**worker, "name": HOSTILE, "lost": "killed by signal 9"}
    figures = {"answered": 20, "failed": 0, "rps": 100.0, "p50": 0.01, "p99": 0.03}
    change = {"before": 0.02, "now": 0.03, "low": 0.4, "high": 0.6}
    tried = [(400.0, 0.03), (1600.0, 2.5), (1000.0, 0.4), (800.0, 0.05)]
    return report(
        uncorrected=latency(0.01),
        arrivals="poisson",
        seed=7,
        stages=[
            {"began": 0.0, "ended": 0.2, "from": 50.0, "to": 150.0, **figures},
            {"began": 0.2, "ended": None, "from": 150.0, "to": 150.0, **figures},
        ],
        workers=[worker] * 20 + [lost],
        bottleneck="the target, or the network",
        partial={"lost_share": 0.05, "workers": [HOSTILE]},
        labels=[
            {
                "label": HOSTILE,
                "weight": 2,
                "sent": 20,
                "answered": 20,
                "failed": 0,
                "latency": latency(0.02),
            }
        ],
        comparison={
            "file": HOSTILE,
            "figures": [
                {"figure": "p50", "change": 0.5, "is_beyond_noise": True, **change},
                {"figure": "p99", "change": 0.5, "is_beyond_noise": False, **change},
            ],
        },
        found_rate={
            "condition": "p99<200ms",
            "rate": 800.0,
            "low": 800.0,
            "high": 1000.0,
            "trials": [
                {"rate": rate, "holds": value < 0.2, "value": value}
                for rate, value in tried
            ],
        },
    )


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of that report."""
    intervals = [{**each, "uncorrected": each["latency"]} for each in FOUR]
    path = tmp_path_factory.mktemp("load") / "everything.html"
    text = load_page(
        everything(),
        began=BEGAN,
        intervals=intervals,
        curves={"latency": CURVE, "uncorrected": CURVE},
        conditions=[],
        before=intervals,
    )
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of a run that asks for more than can be answered."""
    path = tmp_path_factory.mktemp("load") / "stages.html"
    with RunningServer([*BY_MODULE, "--seed", "7"]) as server:
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "nbtwisted.load", "--plot", path),
                *("--stages", "50..500/5s,500/3s,200/2s", "-c", "10"),
                f"{server.url}?_delay=lognormal(22ms,0.3)",
            ],
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    return path.as_uri()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_looks(made_up: str, open_page: OpenPage, width: int, dark: bool) -> None:
    page = open_page(made_up, width=width, dark=dark)
    for summary in page.locator("summary").all():
        summary.click()
    assert serious_faults(page) == []
    assert not is_too_wide(page)
    drawn = "narrow" if width == 390 else "wide"
    for name in ("comparison", "trials", "workers"):
        assert page.locator(f"#{name} svg.{drawn}").is_visible()
    heights = page.evaluate(
        "[...document.querySelectorAll('.canvas text')]"
        ".map((text) => text.getBoundingClientRect().height)"
        ".filter((height) => height)"
    )
    assert 11 < min(heights) <= max(heights) < 24


def test_the_table_of_stages_has_the_room_that_it_needs(
    made_up: str, open_page: OpenPage
) -> None:
    rows = open_page(made_up, width=1280).locator("#stages .rows")
    assert rows.evaluate("(it) => it.scrollWidth <= it.clientWidth")


def test_what_is_hostile_is_text(made_up: str, open_page: OpenPage) -> None:
    page = open_page(made_up)
    assert page.locator("img").count() == 0
    for name in ("comparison", "labels", "workers"):
        assert "<img src=x" in page.locator(f"#{name}").inner_text()


def test_the_cross_hair_goes_along_the_trials(
    made_up: str, open_page: OpenPage
) -> None:
    page = open_page(made_up)
    page.locator("#trials .reader").focus()
    page.keyboard.press("End")
    readout = page.locator("#trials .readout").inner_text()
    assert readout == (
        "1,600: trial 2, p99 2.50 s, answers a second –, the condition did not hold"
    )


def test_without_its_script(made_up: str, open_page: OpenPage) -> None:
    page = open_page(made_up, java_script_enabled=False)
    for name in SECTIONS:
        assert page.locator(f"#{name}").is_visible()
    assert page.locator(".reader").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_stages(stages: str, open_page: OpenPage, shoot: Shoot, dark: bool) -> None:
    page = open_page(stages, dark=dark)
    assert "50 to 500 a second in 3 stages" in page.locator("main").inner_text()
    assert page.locator("#rate svg.wide .stage").count() == 1
    assert page.locator("#stages tbody tr").count() == 3
    shoot(page, f"load-stages-{'dark' if dark else 'light'}", of="#rate")
