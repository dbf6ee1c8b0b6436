"""Back and the list of runs in a real browser, and what becomes an entry of its history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AppServer
from vade_core.cli import main

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).parents[1] / "assets" / "browser_history" / "history.js"


def _train(root: Path, names: list[str]) -> None:
    words = ["train", "--dataset", "digits", "--subset", "200", "--hidden", "16,16"]
    words += ["--preset", "short", "--pretrain-epochs", "2", "--epochs", "2", "--maps", "pca"]
    for name in names:
        assert main([*words, "--out", str(root / name)]) == 0


def test_back_leads_to_the_page_before_with_one_press(chromium: Any, app_server: AppServer) -> None:
    _train(app_server.runs, ["one", "two"])
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))

    def go_to(name: str) -> None:
        page.locator('[data-testid="stTopNavLink"]').get_by_text(name, exact=True).click()

    def at(address: str) -> None:
        page.wait_for_function("a => location.pathname + location.search === a", arg=address)
        # What comes late would change the address of another page.
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        page.wait_for_timeout(500)
        assert page.evaluate("location.pathname + location.search") == address

    page.goto(app_server.url)
    page.get_by_role("heading").first.wait_for()
    at("/")
    go_to("Load")
    at("/load")
    # A card adds an entry: Back leads to the list, and so does the page's own name.
    page.locator('a[href*="run=one"]').first.click()
    at("/load?run=one")
    go_to("Load")
    at("/load")
    page.get_by_role("heading", name="Runs").wait_for()
    page.go_back()
    at("/load?run=one")
    page.get_by_role("heading", name="Runs").wait_for(state="hidden")
    # A page that completes its address adds none, and neither does a slider.
    go_to("Clusters")
    at("/clusters?run=one")
    slider = page.get_by_role("slider").first
    slider.press("ArrowRight")
    page.wait_for_function("() => location.search.includes('count=')")
    page.wait_for_timeout(500)
    kept = page.evaluate("location.pathname + location.search")
    go_to("Time machine")
    at("/time-machine?run=one")
    go_to("Lesson")
    at("/lesson?step=1")
    page.get_by_role("button", name="Next").first.click()
    at("/lesson?step=2")
    entries = page.evaluate("history.length")
    for address in (
        "/lesson?step=1",
        "/time-machine?run=one",
        kept,
        "/load?run=one",
        "/load",
        "/",
    ):
        page.go_back()
        at(address)
    page.get_by_role("heading").first.wait_for()
    assert page.evaluate("history.length") == entries
    # Another run is an entry.
    go_to("Clusters")
    at(kept)
    page.locator('[data-testid="stSelectbox"]').first.click()
    page.wait_for_timeout(1000)  # the list unfolds
    page.get_by_role("option").filter(has_text="two").click()
    page.wait_for_function("() => !location.search.includes('run=one')")
    page.wait_for_timeout(500)
    page.go_back()
    at(kept)
    page.go_back()
    at("/")
    assert broken == []
    context.close()


# What Streamlit pushes, one after the other, beginning at /; a click is a person's.
CLICK = "click"


@pytest.mark.parametrize(
    ("pushed", "entries"),
    [
        # In the right order, and the address before the name of its page.
        ([CLICK, "/clusters", "/clusters?run=a"], ["/", "/clusters?run=a"]),
        ([CLICK, "/?run=a", "/clusters?run=a"], ["/", "/clusters?run=a"]),
        ([CLICK, "/?k=1", "/?k=1&n=2", "/clusters?k=1&n=2"], ["/", "/clusters?k=1&n=2"]),
        # From a list, where a run alone would be an entry.
        (
            [CLICK, "/load", CLICK, "/load?run=a", "/clusters?run=a"],
            ["/", "/load", "/clusters?run=a"],
        ),
        (
            [CLICK, "/load", CLICK, "/load?run=a", CLICK, "/clusters?run=a"],
            ["/", "/load", "/load?run=a", "/clusters?run=a"],
        ),
        # A slider, and then another page.
        (
            [CLICK, "/clusters?run=a", CLICK, "/clusters?run=a&count=3", CLICK, "/train"],
            ["/", "/clusters?run=a&count=3", "/train"],
        ),
        # Another run, or another step.
        (
            [CLICK, "/clusters?run=a", CLICK, "/clusters?run=b", "/clusters?run=b&count=3"],
            ["/", "/clusters?run=a", "/clusters?run=b&count=3"],
        ),
        ([CLICK, "/a/lesson?step=1", CLICK, "/a/lesson?step=2"],
         ["/", "/a/lesson?step=1", "/a/lesson?step=2"]),
    ],
)  # fmt: skip
def test_only_another_page_run_or_step_is_an_entry(
    chromium: Any, pushed: list[str], entries: list[str]
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    empty = {"body": "<button>act</button><p></p>", "content_type": "text/html"}
    page.route("http://127.0.0.1:8765/**", lambda route: route.fulfill(**empty))
    page.goto("http://127.0.0.1:8765/")
    script = SCRIPT.read_text(encoding="utf-8").replace("export default ", "window.begin = ")
    page.add_script_tag(content=script)
    page.evaluate("begin({ parentElement: document.querySelector('p') })")
    page.evaluate("begin({ parentElement: document.querySelector('p') })")  # and again
    for one in pushed:
        if one == CLICK:
            page.get_by_role("button").click()
        else:
            page.evaluate(f"history.pushState({{}}, '', {json.dumps(one)})")
    where = "location.pathname + location.search"
    found = [page.evaluate(where)]
    while found[0] != "/":
        page.evaluate(
            "() => new Promise(done => { addEventListener('popstate', done, {once: true});"
            " history.back(); })"
        )
        found.insert(0, page.evaluate(where))
    assert found == entries
    context.close()
