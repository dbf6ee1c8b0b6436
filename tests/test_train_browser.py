"""Training in a real browser: started by a click, watched, reloaded, shared, stopped."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import AppServer
from vade_core.cli import main
from vade_core.runs import BROKEN, Run, list_runs

pytestmark = pytest.mark.browser

# Far more epochs than the test waits for, of a tenth of a second each.
LINK = "/train?dataset=digits&epochs=5000&pretrain_epochs=2&hidden=32,32&maps=pca"


@pytest.fixture
def page(chromium: Any, app_server: AppServer) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    found = context.new_page()
    found.set_default_timeout(45_000)
    found.goto(app_server.url)
    found.get_by_role("heading").first.wait_for()
    yield found
    context.close()


def press(page: Any, name: str) -> None:
    """Press a button of the page; Streamlit's own header has a Stop too."""
    main = page.get_by_test_id("stMainBlockContainer")
    main.get_by_role("button", name=name, exact=True).first.click()


def chart(page: Any) -> Any:
    """The chart of the scores, the first on the page."""
    return page.locator(".vc").first


def epochs_shown(page: Any) -> int:
    return int(chart(page).get_attribute("data-count") or 0)


def wait_for(what: Callable[[], bool], words: str, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"After {seconds} s not so: {words}."
        time.sleep(0.1)


def wait_for_growth(page: Any, by: int = 2) -> None:
    before = epochs_shown(page)
    wait_for(lambda: epochs_shown(page) >= before + by, "the curves grow")


def only_run(server: AppServer) -> Run:
    summaries = list_runs([server.runs])
    assert len(summaries) == 1
    return Run(summaries[0]["path"])


def made(server: AppServer) -> set[str]:
    """The runs that are there; one that is just being written is not yet."""
    return {s["id"] for s in list_runs([server.runs]) if s["state"] != BROKEN}


def test_a_training_is_started_watched_shared_and_stopped(
    chromium: Any, app_server: AppServer, page: Any
) -> None:
    page.goto(app_server.url + LINK)
    page.get_by_role("button", name="Start", exact=True).dblclick()
    chart(page).wait_for()
    wait_for_growth(page)
    run = only_run(app_server)
    assert run.state == "running"
    assert run.config.parameters["epochs"] == 5000

    page.reload()
    chart(page).wait_for()
    wait_for_growth(page)
    only_run(app_server)

    other = chromium.new_context().new_page()
    other.set_default_timeout(45_000)
    other.goto(f"{app_server.url}/train")
    chart(other).wait_for()
    wait_for_growth(other)
    other.context.close()
    wait_for_growth(page)
    only_run(app_server)

    # The commands stay in sight above the map.
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 600)")
    main = page.get_by_test_id("stMainBlockContainer")
    stop = main.get_by_role("button", name="Stop", exact=True).first.bounding_box()
    assert 64 <= stop["y"] <= 150
    press(page, "Stop")
    page.get_by_text("Stopped. What was learnt is kept").wait_for()
    assert run.state == "stopped"
    page.get_by_role("link", name="Open this run").wait_for()


def test_a_zoom_survives_new_epochs_and_a_pause_holds_them(
    app_server: AppServer, page: Any
) -> None:
    page.goto(app_server.url + LINK)
    page.get_by_role("button", name="Start", exact=True).click()
    chart(page).wait_for()
    wait_for(lambda: epochs_shown(page) >= 12, "there are curves to zoom into")

    chart(page).locator("svg").scroll_into_view_if_needed()
    box = chart(page).locator("svg").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], middle, steps=5)
    page.mouse.up()
    zoom = chart(page).get_attribute("data-zoom")
    assert zoom
    wait_for_growth(page, by=5)
    assert chart(page).get_attribute("data-zoom") == zoom

    press(page, "Pause")
    page.get_by_role("button", name="Resume").wait_for()
    time.sleep(1.5)
    held = epochs_shown(page)
    time.sleep(2.5)
    assert epochs_shown(page) == held
    assert chart(page).get_attribute("data-zoom") == zoom

    press(page, "Step one epoch")
    wait_for(lambda: epochs_shown(page) == held + 1, "one epoch was made")
    time.sleep(2.5)
    assert epochs_shown(page) == held + 1

    press(page, "Show all epochs")
    assert chart(page).get_attribute("data-zoom") == ""
    press(page, "Resume")
    wait_for_growth(page)
    press(page, "Stop")
    page.get_by_text("Stopped. What was learnt is kept").wait_for()


def test_the_page_stands_while_runs_are_queued_and_taken_out(
    app_server: AppServer, page: Any
) -> None:
    from playwright.sync_api import TimeoutError as too_late

    main = page.get_by_test_id("stMainBlockContainer")
    wrong: list[str] = []
    page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    page.goto(app_server.url + LINK)
    start = page.get_by_role("button", name="Start", exact=True)
    start.click()
    chart(page).wait_for()
    take_out = main.get_by_role("button", name="Take out", exact=True)
    for round_number in range(4):
        # Off the refreshes' beat, so that each meets another moment of one.
        for pause in (0.3, 0.75):
            start.click()
            time.sleep(pause + 0.15 * round_number)
        take_out.last.click()
        time.sleep(0.2 * round_number)
        # A busy machine may take a moment between two pages; the page must not stay blank.
        wait_for(
            lambda: bool(main.inner_text().strip()), f"the page stands again: {wrong[-3:]}", 10
        )
    wait_for_growth(page)
    broken = [words for words in wrong if "delta path" in words or "setIn" in words]
    assert not broken, broken[-1]
    while count := take_out.count():
        # A busy page may still show a button of a run that has gone, and none a moment later.
        with contextlib.suppress(too_late):
            take_out.last.click(timeout=5000)
        wait_for(lambda count=count: take_out.count() < count, "a run left the queue")
    press(page, "Stop")
    page.get_by_text("Stopped. What was learnt is kept").wait_for()
    only_run(app_server)


@pytest.mark.parametrize("leaves", [False, True])
def test_the_map_shows_the_last_frame_when_training_ends(
    app_server: AppServer, page: Any, leaves: bool
) -> None:
    link = "/train?dataset=digits&epochs=30&pretrain_epochs=2&hidden=32,32&maps=pca"
    link += "&clamped_epochs=0"  # held to no start, it cannot end early for leaving it
    page.goto(app_server.url + link)
    page.get_by_role("button", name="Start", exact=True).click()
    shown = page.locator(".lm").first

    def place() -> tuple[int, int]:
        return tuple(int(shown.get_attribute(f"data-{n}") or 0) for n in ("frame", "frames"))

    wait_for(lambda: place()[1] >= 3, "the map has frames to follow")
    run = only_run(app_server)
    if leaves:  # the map is taken down, and put up again when no frame comes any more
        page.get_by_role("link", name="Load").first.click()
        wait_for(lambda: run.state == "finished", "the training ends")
        page.get_by_role("link", name="Train").first.click()
    page.get_by_text("Finished. The run is kept").wait_for()
    count = len(run.frame_numbers())
    wait_for(lambda: place() == (count - 1, count), f"all of {count} frames", 10)
    assert "epoch 30" in page.locator(".lm-epoch").first.inner_text()


def test_every_quick_click_on_step_is_an_epoch(app_server: AppServer, page: Any) -> None:
    page.goto(app_server.url + LINK)
    page.get_by_role("button", name="Start", exact=True).click()
    chart(page).wait_for()
    wait_for_growth(page)
    press(page, "Pause")
    page.get_by_role("button", name="Resume").wait_for()
    run = only_run(app_server)
    wait_for(lambda: run.state == "paused", "it is paused")
    time.sleep(1)
    for clicks in (4, 3):
        held = len(run.metrics())
        step = page.get_by_role("button", name="Step one epoch", exact=True)
        step.evaluate("(button, n) => { for (let i = 0; i < n; i++) button.click(); }", clicks)
        wait_for(lambda held=held, n=clicks: len(run.metrics()) >= held + n, "the epochs are made")
        time.sleep(1.5)
        assert len(run.metrics()) == held + clicks
        assert run.state == "paused"
    press(page, "Stop")
    page.get_by_text("Stopped. What was learnt is kept").wait_for()


def test_what_is_switched_off_just_before_a_start_stays_off(
    app_server: AppServer, page: Any
) -> None:
    """The browser sends both clicks before it has heard what the first one changed."""
    click_both = """async (pause) => {
      const words = [...document.querySelectorAll("label")];
      const hold = words.find((label) => label.innerText.includes("Hold the clusters first"));
      hold.querySelector("input, [role=switch]").click();
      await new Promise((done) => setTimeout(done, pause));
      const buttons = [...document.querySelectorAll("[class*=st-key-train-start] button")];
      buttons[0].click();
    }"""

    known: set[str] = set()
    for pause in (0, 40, 150, 300, 500):
        page.goto(app_server.url + LINK)
        page.get_by_role("radio", name="k-means", exact=True).click()
        page.get_by_text("Changed: the preset has Neighbour graph.").wait_for()
        page.evaluate(click_both, pause)
        wait_for(lambda: len(made(app_server) - known) == 1, "a run is there")
        (new,) = made(app_server) - known
        parameters = Run(app_server.runs / new).config.parameters
        assert (parameters["start"], parameters["clamped_epochs"]) == ("kmeans", 0), pause
        page.wait_for_url(re.compile("clamped_epochs=0.*start=kmeans"))
        known.add(new)


def test_a_start_is_made_whatever_is_clicked_right_after_it(
    app_server: AppServer, page: Any
) -> None:
    """The second click breaks off the run of the page that came with the first."""
    click_both = """async (pause) => {
      const start = document.querySelector("[class*=st-key-train-start] button");
      const words = [...document.querySelectorAll("label")];
      const hold = words.find((label) => label.innerText.includes("Hold the clusters first"));
      start.click();
      await new Promise((done) => setTimeout(done, pause));
      hold.querySelector("input, [role=switch]").click();
    }"""

    page.goto(app_server.url + LINK)
    page.get_by_role("button", name="Start", exact=True).wait_for()
    page.get_by_role("switch", name="3. Hold the clusters first").wait_for()
    for number, pause in enumerate((0, 10, 40, 120, 250)):
        page.evaluate(click_both, pause)
        wait_for(
            lambda n=number: len(made(app_server)) == n + 1, f"a run is there after {pause} ms"
        )
        time.sleep(2.5)  # until the same wish is another one
    assert len(made(app_server)) == 5


def test_stages_are_switched_off_and_seen_to_pass(app_server: AppServer, page: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})  # a projector's
    page.goto(app_server.url + LINK)
    page.get_by_text("More settings", exact=True).first.wait_for()
    scroll = """y => {
      document.querySelector(".st-key-train-settings").scrollTo(0, y);
      document.querySelector("[data-testid=stMain]").scrollTo(0, y);
    }"""
    for y in (0, 300, 10_000):
        page.evaluate(scroll, y)
        box = page.get_by_role("button", name="Start", exact=True).bounding_box()
        assert 64 <= box["y"] <= 720 - box["height"], y
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_role("radio", name="k-means", exact=True).click()
    page.get_by_text("Changed: the preset has Neighbour graph.").wait_for()
    toggle = page.get_by_role("switch", name="3. Hold the clusters first")
    page.get_by_role("radio", name="Random", exact=True).click()
    page.get_by_text("A random start has no clusters to hold").wait_for()
    assert toggle.is_disabled()
    page.get_by_role("radio", name="k-means", exact=True).click()
    page.get_by_text("Held for the first").wait_for()
    switch = page.get_by_text("3. Hold the clusters first")
    # While the page is drawn anew, the old switch may still stand below the new one.
    wait_for(lambda: switch.count() == 1, "there is one switch")
    switch.click()
    page.get_by_text(re.compile(r"the preset has [\d,]+ of 5,000 epochs")).wait_for()
    page.get_by_role("button", name="Start", exact=True).click()
    strip = page.locator(".vx-stages")
    strip.get_by_text("Start: k-means").wait_for()
    wait_for(lambda: "of 5000 epochs" in strip.inner_text(), "the last stage is under way")
    passed = strip.locator("> div").all_inner_texts()
    assert [text.split("\n")[0] for text in passed] == [
        "Pretraining: Autoencoder",
        "Start: k-means",
        "Clusters held",
        "Training",
    ]
    assert "2 epochs" in passed[0]
    assert "ACC" in passed[1]
    assert "off" in passed[2]
    parameters = only_run(app_server).config.parameters
    assert (parameters["start"], parameters["clamped_epochs"]) == ("kmeans", 0)
    assert "start=kmeans" in page.url
    assert "clamped_epochs=0" in page.url
    page.locator("[data-mark=start]").first.wait_for(state="attached")

    # On a narrow window every number is whole.
    page.set_viewport_size({"width": 900, "height": 800})
    numbers = page.locator('[data-testid="stMetricValue"] > div')
    time.sleep(1)
    wait_for(lambda: numbers.count() == 5, "all figures are there")
    cut = numbers.evaluate_all(
        "all => all.filter((n) => n.getBoundingClientRect().right > "
        "n.closest('[class*=st-key-figures-]').getBoundingClientRect().right + 1 "
        "|| (getComputedStyle(n).overflow !== 'visible' && n.scrollWidth > n.clientWidth))"
        ".map((n) => n.innerText)"
    )
    assert cut == []
    press(page, "Stop")
    page.get_by_text("Stopped. What was learnt is kept").wait_for()


def test_the_name_of_the_start_stands_before_it_and_on_nothing_else(
    app_server: AppServer, page: Any
) -> None:
    small = ["--subset", "300", "--hidden", "16", "--maps", "pca", "--start", "kmeans"]
    stages = ["--pretrain-epochs", "20", "--epochs", "14", "--clamped", "7"]
    folder = app_server.runs / "to-look-at"
    assert main(["train", "--dataset", "digits", *small, *stages, "--out", str(folder)]) == 0
    page.goto(f"{app_server.url}/train?run=to-look-at")
    mark = chart(page).locator("rect.mark")
    mark.wait_for()
    words = (
        chart(page)
        .locator("svg text")
        .evaluate_all(
            "all => all.map((n) => ({words: n.textContent, ...n.getBoundingClientRect().toJSON()}))"
        )
    )
    score = re.compile(r"^ACC \d+\.\d %$")
    edge = mark.bounding_box()["x"]
    before = [w for w in words if w["right"] <= edge]  # the score now stands at the other end
    named = [w for w in before if w["words"] == "start:" or score.match(w["words"])]
    assert [w["words"] == "start:" for w in named] == [True, False]
    for one in named:
        for other in words:
            apart = (
                one["right"] <= other["left"]
                or other["right"] <= one["left"]
                or one["bottom"] <= other["top"] + 4  # a line's box is higher than its letters
                or other["bottom"] <= one["top"] + 4
            )
            assert apart or other is one, f"{one['words']} stands on {other['words']}"
