"""The live page's rules in a browser, of a real server in a process of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage, is_too_wide, serious_faults
from tests.browser.scene import GONE, Scene, listening_on, rows, says

DOWN = {"name": "down", "match": {"path": "/get"}, "status": 503}

NAMES = (
    "<img src=/x onerror=document.title='owned'>",
    "قاعدة الطلبات البطيئة",
    "注文は遅いが、支払いは速い、そして配送は来週の月曜日まで来ない",
    "a/b?c#d%2F &é",
    "//../.",
    "x" * 100,
)

WATCH_AND_BE_LATE = """() => {
    window.expiries = [];
    const expiry = document.querySelector(".expiry");
    const note = () => expiries.push(expiry.textContent);
    new MutationObserver(note).observe(expiry, {childList: true});
    setTimeout(() => {
        const end = performance.now() + 1500;
        while (performance.now() < end);
    });
}"""
"""Notes what is said of the first rule's expiry; then stands still for a moment."""


def named(name: str) -> dict[str, Any]:
    """A rule of this name, and with a path that is as strange."""
    path = "/" + name.replace("?", "-")
    return {"name": name, "match": {"path": path}, "body": name * 3}


def switch(page: Page, name: str) -> Locator:
    return page.get_by_role("switch", name=name, exact=True)


def rule(page: Page, name: str) -> Locator:
    return page.locator(".rule", has=switch(page, name))


def test_a_switch_changes_what_is_answered(scene: Scene, open_page: OpenPage) -> None:
    scene.rules(DOWN, {"name": "all", "match": {}, "header": "A: b"})
    page = open_page(scene.url)
    says(page, "#rules-summary", "2; the first that matches decides")
    expect(rule(page, "down")).to_contain_text("/get status 503operator0 requests")
    expect(switch(page, "down")).to_be_checked()
    assert scene.status("/get") == 503
    expect(rule(page, "down")).to_contain_text("1 request")
    switch(page, "down").click()
    says(page, "#rules-summary", "1 switched off")
    expect(switch(page, "down")).not_to_be_checked()
    assert scene.status("/get") == 200
    expect(rule(page, "all")).to_contain_text("1 request")
    # And by its name, as labels are.
    rule(page, "down").get_by_text("down").click()
    expect(page.locator("#rules-summary")).not_to_contain_text("off")
    assert scene.status("/get") == 503
    names = page.locator(".rule .name").all_text_contents()
    assert names == ["down", "all"]


def test_by_the_keyboard(scene: Scene, open_page: OpenPage) -> None:
    scene.rules(DOWN, {"name": "all", "match": {}})
    page = open_page(scene.url)
    expect(switch(page, "all")).to_be_visible()
    page.get_by_role("button", name="Reset…").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(switch(page, "down")).to_be_focused()
    page.keyboard.press("Space")
    says(page, "#rules-summary", "1 switched off")
    expect(switch(page, "down")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#rules-summary")).not_to_contain_text("off")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(switch(page, "down")).to_be_hidden()
    expect(page.locator("#rules-summary")).to_be_visible()


def test_no_rules_no_section(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    says(page, "#connection", "connected")
    says(page, "#in-flight", "0")
    expect(page.locator("#rules")).to_be_hidden()
    scene.rules(DOWN)
    expect(page.locator("#rules")).to_be_visible()
    scene.rules()
    expect(page.locator("#rules")).to_be_hidden()


def test_what_keeps_one_from_being_switched_is_said(
    scene: Scene, open_page: OpenPage
) -> None:
    page = open_page(scene.url, complaints=("404", *GONE))
    scene.rules(DOWN, {"name": "other"})
    expect(switch(page, "other")).to_be_checked()
    page.get_by_role("button", name="Pause").click()
    scene.rules({"name": "other"})
    switch(page, "down").click()
    says(page, "#said", "down\u2069” is as it was: no such rule")
    expect(switch(page, "down")).to_be_checked()
    # What works needs no words, and none are left.
    switch(page, "other").click()
    expect(page.locator("#said")).to_be_empty()
    expect(switch(page, "other")).not_to_be_checked()
    scene.server.stop(9)
    switch(page, "other").click()
    says(page, "#said", "is as it was: the server did not answer")
    expect(switch(page, "other")).not_to_be_checked()


def test_names_are_text(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    title = page.title()
    scene.rules(*(named(name) for name in NAMES))
    for name in NAMES:
        switch(page, name).click()
        expect(rule(page, name)).to_have_class("rule is-off")
    says(page, "#rules-summary", "6 switched off")
    assert all(
        each["rule"]["enabled"] is False
        for each in scene.operate("GET", "rules")["rules"]
    )
    assert page.locator("#rules img").count() == 0
    assert page.title() == title
    # What is written from right to left stays in its place.
    arabic = rule(page, NAMES[1]).locator(".what").bounding_box()
    other = rule(page, NAMES[3]).locator(".what").bounding_box()
    assert arabic is not None
    assert other is not None
    assert arabic["x"] == other["x"]


def test_one_expires_while_it_is_looked_at(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    scene.rules(DOWN, {"name": "next"})
    switch(page, "down").focus()
    # It hears late of what expires.
    page.evaluate(WATCH_AND_BE_LATE)
    scene.rules({**DOWN, "for": "2500ms"}, {"name": "next", "for": "60s"})
    says(page, "#said", "down\u2069” has expired.")
    expect(page.locator(".rule")).to_have_count(1)
    expect(switch(page, "next")).to_be_focused()
    said = page.evaluate("expiries")
    assert any(re.fullmatch(r"expires in [0-2]\.\d s", text) for text in said), said
    # To switch it does not make it live longer.
    page.keyboard.press("Space")
    says(page, "#rules-summary", "1 switched off")
    assert scene.operate("GET", "rules/next")["expires_in"] < 57.6


def test_the_first_of_many(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    scene.rules(*({"match": {"path": f"/{n}"}, "status": 404} for n in range(1000)))
    says(page, "#rules-summary", "the first 50 of 1,000; the first that matches")
    expect(page.locator(".rule")).to_have_count(50)
    # They have a place of their own, and the requests are still to be seen.
    expect(page.locator("#shown-title")).to_be_in_viewport()
    switch(page, "rule 50").focus()
    expect(switch(page, "rule 50")).to_be_in_viewport()
    page.keyboard.press("Space")
    says(page, "#rules-summary", "1 switched off")
    assert scene.status("/49") == 404
    assert scene.operate("GET", "rules/rule%2050")["rule"]["enabled"] is False


def test_warnings(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    scene.rules({"name": "all"}, *({**DOWN, "name": f"n {n}"} for n in range(9)))
    says(page, "#rules-warnings", "rule 'n 0' can never act")
    expect(page.locator("#rules-warnings li")).to_have_count(6)
    says(page, "#rules-warnings", "and 4 more, at /__admin/rules")
    scene.rules(DOWN)
    expect(page.locator("#rules-warnings")).to_be_hidden()


def test_a_file_that_was_not_taken(open_page: OpenPage, tmp_path: Path) -> None:
    file, new = tmp_path / "rules.toml", tmp_path / "new"

    def write(text: str) -> None:
        # Whole at once: one that is half written for a while is taken, too.
        new.write_text(text)
        new.replace(file)

    slow = '[[rule]]\nname = "slow"\nmatch = { path = "/get" }\nstatus = 503\n'
    write(slow)
    with listening_on(0, "--rules", str(file)) as server:
        scene = Scene(server)
        page = open_page(scene.url, complaints=GONE)
        expect(rule(page, "slow")).to_contain_text("file")
        expect(page.locator("#rules-problem")).to_be_hidden()
        switch(page, "slow").click()
        says(page, "#rules-summary", "1 switched off")
        write(slow + "delay = 'soon'\n")
        says(page, "#rules-problem", f"{file} was not taken")
        says(page, "#rules-problem", "bad value for delay ('soon')")
        expect(switch(page, "slow")).not_to_be_checked()
        assert serious_faults(page) == []
        write(slow + "delay = '1ms'\n")
        says(page, ".rule", "status 503, delay 1ms")
        expect(page.locator("#rules-problem")).to_be_hidden()
        # As the file has it.
        expect(switch(page, "slow")).to_be_checked()
        # The file has a name that an operator took meanwhile.
        scene.operate("POST", "rules", {"name": "fast", "status": 201})
        write(slow.replace("slow", "fast"))
        expect(switch(page, "fast")).to_have_count(2)
        expect(switch(page, "fast").nth(0)).to_be_enabled()
        expect(switch(page, "fast").nth(1)).to_be_disabled()
        scene.leave()


def test_a_request_says_which_rule_acted(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url)
    scene.rules({**DOWN, "name": NAMES[0], "delay": "30s"})
    scene.ask("/get", "/delay/30s")
    rows(page, "/get").locator("button").hover()
    says(page, "#facts", f"rule{NAMES[0]}")
    rows(page, "/delay").locator("button").hover()
    says(page, "#facts", "/delay/30s")
    expect(page.locator("#facts")).not_to_contain_text("rule")


def test_a_server_with_a_token(open_page: OpenPage) -> None:
    with listening_on(0, "--admin-token", "sesame") as server:
        scene = Scene(server)
        refused = open_page(scene.url, complaints=("401", *GONE))
        expect(refused.locator("body")).to_contain_text("--admin-token")
        # As through a proxy that adds it.
        token = {"Authorization": "Bearer sesame"}
        page = open_page(scene.url, complaints=GONE, extra_http_headers=token)
        scene.operate("PUT", "rules", {"rule": [DOWN]}, **token)
        switch(page, "down").click()
        says(page, "#rules-summary", "1 switched off")
        assert scene.status("/get") == 200
        scene.leave()


def test_a_server_that_was_started_anew(scene: Scene, open_page: OpenPage) -> None:
    page = open_page(scene.url, complaints=GONE)
    scene.rules(DOWN, {"name": "before", "for": "300s"})
    expect(page.locator(".rule")).to_have_count(2)
    port = scene.server.port
    scene.server.stop(9)
    says(page, "#connection", "the server is gone")
    with listening_on(port) as server:
        again = Scene(server)
        says(page, "#said", "started anew")
        expect(page.locator("#rules")).to_be_hidden()
        again.rules({**DOWN, "enabled": False})
        expect(switch(page, "down")).not_to_be_checked()
        again.leave()


def shown_rules() -> list[dict[str, Any]]:
    return [
        {
            "name": "orders are slow",
            "match": {"method": "GET", "path": "/orders/{id}"},
            "delay": "lognormal(200ms,0.4)",
            "status": "200:9,503:1",
            "json": {"order": "{id}"},
        },
        *(named(name) for name in NAMES),
        {"name": "gone soon", "for": "200s", "steps": [{"fault": "reset"}, {}] * 20},
        {"name": "too late", "match": {"method": "GET", "path": "/orders/4"}},
        {"name": "off", "enabled": False, "body": "é" * 1000},
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_used_by_all(
    scene: Scene, open_page: OpenPage, width: int, dark: bool
) -> None:
    page = open_page(scene.url, width=width, dark=dark)
    scene.rules(*shown_rules(), *({"match": {"path": f"/{n}"}} for n in range(40)))
    expect(switch(page, "orders are slow")).to_be_checked()
    expect(page.locator("#rules-warnings li").first).to_be_visible()
    assert serious_faults(page) == []
    assert not is_too_wide(page)
