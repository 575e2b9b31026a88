"""The live page in a browser, of a real server in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Shoot, is_too_wide, serious_faults
from tests.browser.scene import GONE, Scene, listening_on, rows, says

HOSTILE = "/<img/src=x/onerror=document.title='owned'>"

WIDER = """([text, least]) => {
    for (const row of document.querySelectorAll("#rows li"))
        if (row.dataset.kind === "held" && row.textContent.includes(text))
            return row.querySelector(".fill").getBoundingClientRect().width > least;
}"""


MOVES = """() => {
    const place = document.querySelector("#rows .bar-of-one").style.transform;
    window.moved = place === window.place ? 0 : (window.moved ?? 0) + 1;
    window.place = place;
    return window.moved > 5;
}"""
"""In each of six pictures, where four a second would be the server's."""


RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "orders are slow",
        "match": {"method": "GET", "path": "/orders/{id}"},
        "delay": "lognormal(2500ms,0.1)",
        "for": "5m",
    },
    {
        "name": "payments fail, then recover",
        "match": {"path": "/payments/**"},
        "steps": [{"fault": "reset"}, {"status": 503}, {}],
    },
    {"name": "all is slow", "delay": "50ms:9,2s:1", "enabled": False},
)


def lively(scene: Scene, page: Page) -> None:
    """One of each: those that end, end while others go on."""
    scene.rules(*RULES)
    scene.ask(
        *("/delay/12s?_key=report", "/orders/4711", "/get?_fault=stall"),
        *("/get?_size=9000&_drip=9s/30&_delay=1500ms", "/get?_delay=2s&_fault=reset"),
        *("/get?_delay=1s&_status=503", "/get?_delay=1800ms&_status=404"),
        *("/?_delay=2s", "/get?_delay=700ms&_status=302", "/delay/2500ms"),
        *("/payments/17?_delay=1s", "/delay/6s", "/delay/7s?_key=checkout"),
    )
    leaving = scene.ask("/delay/9s?_key=impatient")
    page.wait_for_function(WIDER, arg=["impatient", 80])
    leaving.close()
    scene.ask(*(f"/delay/{n}s" for n in (2, 3, 4, 5)), HOSTILE)
    expect(rows(page, "orders").locator(".state")).to_have_text("200")
    expect(page.locator(".rule", has_text="orders")).to_contain_text("1 request")


def test_bars_grow_and_end(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    says(page, "#connection", "connected")
    expect(page.locator("#how")).to_contain_text(f"curl {scene.server.url}delay/3s")
    scene.ask("/delay/30s?_key=a", "/get?_size=200&_drip=20s/40&_key=dripping")
    expect(rows(page, "/delay/30s").locator(".state")).to_contain_text("due in")
    expect(page.locator("#empty")).to_be_hidden()
    page.wait_for_function(MOVES)
    page.wait_for_function(WIDER, arg=["/delay/30s", 20])
    page.wait_for_function(WIDER, arg=["/delay/30s", 60])
    expect(rows(page, "dripping").locator(".state")).to_have_text("200 sending")
    scene.ask("/delay/1s")
    row = rows(page, "/delay/1s")
    expect(row.locator(".state")).to_have_text("200")
    expect(row).to_have_attribute("data-kind", "good")
    says(page, "#in-flight", "2")
    says(page, "#requests", "3")
    says(page, "#sample", "All 2 in flight are shown.")


def test_a_fault_a_stall_and_a_client_that_leaves(
    scene: Scene, open_page: OpenPage
) -> None:
    page = open_page(scene.url)
    says(page, "#connection", "connected")
    leaving = scene.ask(
        *("/get?_delay=1s&_fault=reset&_key=soon", "/get?_fault=stall"),
        *("/get?_delay=30s&_fault=reset&_key=late", "/delay/30s"),
    )
    broken, stalled = rows(page, "soon"), rows(page, "stall")
    expect(rows(page, "late").locator(".state")).to_contain_text("reset in")
    expect(broken.locator(".state")).to_have_text("reset")
    expect(broken).to_have_attribute("data-kind", "bad")
    expect(stalled).to_have_attribute("data-kind", "stalled")
    cancelled = rows(page, "/delay/30s")
    leaving.close()
    expect(cancelled.locator(".state")).to_have_text("cancelled")
    expect(cancelled.locator(".request .label")).to_have_css(
        "text-decoration-line", "line-through"
    )
    says(page, "#cancelled", "1")
    says(page, "#broken", "1")
    # And a few seconds later it is gone.
    expect(cancelled).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
def test_labels_begin_with_the_key_and_keep_their_end(
    scene: Scene, open_page: OpenPage, width: int
) -> None:
    page = open_page(scene.url, width=width)
    long = "/anything/a/path/that/is/far/longer/than/there/is/room/for/order-4711"
    scene.ask(
        "/delay/30s?_key=mine&a=b", "/delay/31s?x=y&_key=yours", long + "?_delay=9"
    )
    client = scene.server.connect()
    client.sendall(b"DELETE /anything/4?_delay=30s HTTP/1.1\r\nHost: x\r\n\r\n")
    scene.clients.append(client)
    labels = page.locator("#rows .label")
    expect(labels).to_have_count(4)
    assert sorted(labels.all_text_contents()) == sorted(
        [
            "mine /delay/30s?a=b",
            "yours /delay/31s?x=y",
            long + "?_delay=9",
            "DELETE /anything/4?_delay=30s",
        ]
    )
    end = rows(page, "order-4711").locator(".end").bounding_box()
    box = rows(page, "order-4711").locator(".request").bounding_box()
    assert end is not None
    assert box is not None
    assert end["x"] + end["width"] <= box["x"] + box["width"] + 1


def test_what_the_bars_mean(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    key = page.get_by_role("list", name="What the bars mean")
    for said in ("waiting", "sending", "stalled", "cancelled"):
        expect(key.get_by_text(said)).to_be_visible()


def test_the_grid_is_not_under_text(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url, width=390)
    scene.ask("/delay/30s?_key=a")
    expect(rows(page)).to_have_count(1)
    crossed = page.evaluate(
        """() => [...document.querySelectorAll("#grid span")].map((line) => {
            const text = document.querySelector("#rows .request");
            const { left } = line.getBoundingClientRect();
            const { top, height } = text.getBoundingClientRect();
            const over = document.elementsFromPoint(left, top + height / 2);
            const cell = over.find((it) => it.matches(".request, .state"));
            return cell ? getComputedStyle(cell).backgroundColor : "none";
        })"""
    )
    assert crossed
    assert all(color == "rgb(253, 253, 254)" for color in crossed), crossed


def test_what_a_stranger_sent_is_text(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    says(page, "#connection", "connected")
    title = page.title()
    scene.ask(
        HOSTILE, "/delay/9s?_key=%3Cscript%3Edocument.title=1%3C/script%3E%E2%80%AE"
    )
    row = rows(page, HOSTILE)
    expect(row.locator(".state")).to_have_text("404")
    rows(page, "/delay/9s").locator("button").hover()
    says(page, "#facts", "<script>document.title=1</script>\\u202e")
    assert page.locator("img, #rows script, #facts script").count() == 0
    assert page.title() == title


def test_nothing_else_can_run(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url, complaints=("Content Security Policy",))
    says(page, "#connection", "connected")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
            const image = document.createElement("img");
            image.src = "/get";
            image.setAttribute("onerror", "document.title = 'owned'");
            document.body.append(image);
        }"""
    )
    page.wait_for_function("document.images[0].complete")
    assert page.title() == "nbtwisted, live"
    says(page, "#requests", "0")


def test_pause_stands_still_and_costs_nothing(
    scene: Scene, open_page: OpenPage
) -> None:
    page = open_page(scene.url)
    scene.ask("/delay/30s?_key=first")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    says(page, "#connection", "paused")
    # To type a key does not make it go on.
    page.get_by_label("Key has").fill("fir")
    page.wait_for_function("() => location.search === '?key=fir'")
    says(page, "#connection", "paused")
    page.get_by_label("Key has").fill("")
    page.wait_for_function("() => location.search === ''")
    place = rows(page).locator(".bar-of-one").get_attribute("style")
    scene.ask("/delay/30s?_key=second")
    other = open_page(scene.url)
    expect(rows(other)).to_have_count(2)
    expect(rows(page)).to_have_count(1)
    assert rows(page).locator(".bar-of-one").get_attribute("style") == place
    page.get_by_role("button", name="Go on").click()
    expect(rows(page)).to_have_count(2)
    says(page, "#connection", "connected")


def test_a_key(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    scene.ask("/delay/30s?_key=pay-1", "/delay/30s?_key=ship", "/delay/30s?_key=pay-2")
    expect(rows(page)).to_have_count(3)
    page.get_by_label("Key has").fill("pay")
    expect(rows(page)).to_have_count(2)
    says(page, "#sample", "All 2 in flight whose key has “pay” are shown.")
    page.reload()
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Key has").fill("nobody")
    says(page, "#nothing", "No request whose key has “nobody” is in flight.")
    # Those that come back can be gone to.
    page.get_by_label("Key has").fill("")
    expect(rows(page)).to_have_count(3)
    expect(rows(page).locator("button[tabindex='0']")).to_have_count(1)


def test_reset_asks_first(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    scene.ask("/delay/30s", "/delay/31s")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Reset…").click()
    says(page, "#ask-text", "2 requests are in flight.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    says(page, "#in-flight", "2")
    page.get_by_role("button", name="Reset…").click()
    page.get_by_role("button", name="Reset", exact=True).click()
    says(page, "#said", "Reset: 2 requests were let go.")
    expect(rows(page).locator(".state")).to_have_text(["released 200"] * 2)
    says(page, "#requests", "0")
    says(page, "#connection", "connected")


def test_it_goes_on_when_the_server_was_started_anew(
    scene: Scene, open_page: OpenPage
) -> None:
    page = open_page(scene.url, complaints=GONE)
    scene.ask("/delay/30s?_key=before")
    expect(rows(page)).to_have_count(1)
    port = scene.server.port
    scene.server.stop(9)
    says(page, "#connection", "the server is gone; trying again")
    with listening_on(port) as server:
        assert server.port == port
        says(page, "#connection", "connected")
        says(page, "#said", "started anew")
        expect(rows(page)).to_have_count(0)
        again = Scene(server)
        again.ask("/delay/30s?_key=after")
        expect(rows(page)).to_have_count(1)
        again.leave()


def test_too_many_viewers(scene: Scene, open_page: OpenPage) -> None:
    viewers = []
    for _ in range(8):
        client = scene.server.connect()
        client.sendall(b"GET /__admin/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(1)
        viewers.append(client)
    page = open_page(scene.url, complaints=("503",))
    says(page, "#connection", "too many viewers are watching; trying again")
    for client in viewers:
        client.close()
    says(page, "#connection", "connected")


def test_thousands_are_held(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    scene.ask(*["/delay/uniform(20s,60s)"] * 2000)
    says(page, "#sample", "80 of 2,000 in flight are shown.")
    says(page, "#summary", "2,000 waiting")
    expect(rows(page)).to_have_count(80)
    # It still does what it is told, and at once.
    page.get_by_label("Key has").fill("no such")
    expect(rows(page)).to_have_count(0)


def test_by_the_keyboard(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    for number in (1, 2, 3):
        scene.ask(f"/delay/30s?_key=number-{number}")
        expect(rows(page)).to_have_count(number)
    page.get_by_role("button", name="Reset…").focus()
    page.keyboard.press("Tab")
    says(page, "#facts", "number-1")
    page.keyboard.press("ArrowDown")
    says(page, "#facts", "number-2")
    page.keyboard.press("End")
    says(page, "#facts", "number-3")
    page.keyboard.press("Home")
    says(page, "#facts", "number-1")


def test_without_motion(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url, reduced_motion="reduce")
    says(page, "#connection", "connected")
    scene.ask("/delay/4s?_key=a")
    page.wait_for_function(WIDER, arg=["/delay/4s", 60])
    expect(rows(page).locator(".state")).to_have_text("200")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_used_by_all(
    scene: Scene, open_page: OpenPage, shoot: Shoot, width: int, dark: bool
) -> None:
    page = open_page(scene.url, width=width, dark=dark)
    says(page, "#connection", "connected")
    assert serious_faults(page) == []
    lively(scene, page)
    rows(page, "orders").locator("button").hover()
    says(page, "#facts", "orders are slow")
    page.evaluate("scrollTo(0, 0)")
    shoot(page, f"live-{'dark' if dark else 'light'}-{width}")
    assert serious_faults(page) == []
    assert not is_too_wide(page)
    page.get_by_role("button", name="Reset…").click()
    assert serious_faults(page) == []
