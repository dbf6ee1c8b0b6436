"""The app on a telephone: thirty students have the same link, and few of them a laptop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AppServer
from vade_core.cli import main

pytestmark = pytest.mark.browser

PAGES = ("", "lesson", "train", "load", "time-machine", "clusters", "interpolate", "compare")
PAGES = (*PAGES, "how-many-clusters", "papers")

# Words that lie outside the window, where no finger can bring them in.
CUT_OFF = """() => {
  const found = [];
  const within = (element) => {
    for (let e = element; e && e.dataset?.testid !== "stMain"; e = e.parentElement) {
      const { overflowX, position, textOverflow } = getComputedStyle(e);
      if (["auto", "scroll"].includes(overflowX) || textOverflow === "ellipsis") return true;
      if (position === "fixed") return true;
    }
    return false;
  };
  for (const element of document.querySelectorAll("[data-testid=stMain] *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
      continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const { left, right, width } = range.getBoundingClientRect();
    if (width > 1 && (right > innerWidth + 1 || left < -1) && !within(element))
      found.push(`${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`);
  }
  return found;
}"""


@pytest.fixture
def telephone(chromium: Any) -> Iterator[Any]:
    """An empty page of a telephone's browser."""
    context = chromium.new_context(
        viewport={"width": 390, "height": 844},
        is_mobile=True,
        has_touch=True,
        # By this Streamlit knows that its menu covers the page, and closes it after a choice.
        user_agent="Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/142.0 Mobile",
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def _train(root: Path) -> None:
    words = ["train", "--dataset", "digits", "--subset", "300", "--hidden", "16,16"]
    words += ["--preset", "short", "--pretrain-epochs", "2", "--epochs", "2", "--maps", "pca"]
    for name, seed in (("one", "0"), ("two", "1")):
        assert main([*words, "--seed", seed, "--out", str(root / name)]) == 0


def _time_machine_at_its_end(page: Any, app_server: AppServer) -> tuple[Any, int]:
    """The time machine's map of a run, and the number of its last frame, which it shows."""
    _train(app_server.runs)
    page.goto(f"{app_server.url}/time-machine?run=one")
    shown = page.locator(".lm").first
    page.locator(".lm-entry").first.wait_for()
    last = int(shown.get_attribute("data-frames") or 0) - 1
    page.locator(f".lm[data-frame='{last}']").first.wait_for()
    return shown, last


def test_nothing_is_cut_off_and_the_map_has_its_classes_below(
    telephone: Any, app_server: AppServer
) -> None:
    page = telephone
    _train(app_server.runs)
    cut: dict[str, list[str]] = {}
    for name in PAGES:
        page.goto(f"{app_server.url}/{name}")
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        page.wait_for_timeout(1500)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, name
        if found := page.evaluate(CUT_OFF):
            cut[name] = found

        if name == "time-machine":
            page.locator(".lm-entry").first.wait_for()
            page.wait_for_timeout(500)
            title, legend, foot, stage = (
                page.locator(f".lm-{part}").first.bounding_box()
                for part in ("title", "legend", "foot", "stage")
            )
            assert title["y"] + title["height"] < legend["y"]
            assert legend["y"] + legend["height"] <= foot["y"] + 1
            # Between them there is room for the map.
            assert legend["y"] - title["y"] - title["height"] > stage["height"] / 3
        if name == "clusters":
            page.locator(".cs[data-ready] .cs-samples canvas").first.wait_for()
            sample = page.locator(".cs-samples canvas").first.bounding_box()
            assert sample["width"] > 30
            assert not page.locator(".cs-real").first.is_visible()
    assert cut == {}


def test_a_step_begins_at_its_heading_and_both_ends_of_a_path_can_be_chosen(
    telephone: Any, app_server: AppServer
) -> None:
    page = telephone
    _train(app_server.runs)
    page.goto(f"{app_server.url}/lesson?step=2")
    head = page.locator(".st-key-ls-head")
    page.get_by_role("heading", name="Not a point").wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(3000)
    # The bar hides nothing at the end of a step. What stands above it may still grow.
    page.wait_for_function("""() => {
      document.querySelector('[data-testid=stMain]').scrollTo(0, 99999);
      const [body, foot] = ["body", "foot"].map((name) =>
        document.querySelector(`.st-key-ls-${name}`).getBoundingClientRect());
      return body.bottom <= foot.top + 1;
    }""")
    foot = page.locator(".st-key-ls-foot")
    assert foot.bounding_box()["height"] < 130
    page.locator(".st-key-ls-next button:visible").first.tap()
    page.get_by_role("heading", name="What it is paid for").wait_for()
    page.wait_for_timeout(3000)
    assert 0 < head.bounding_box()["y"] < 120

    page.goto(f"{app_server.url}/interpolate?run=one")
    slot = page.locator("button.ip-slot").nth(1)
    slot.tap()
    page.locator(".ip-side").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 9999)")
    page.wait_for_timeout(500)
    side = page.locator(".ip-side").bounding_box()
    assert side["y"] + side["height"] < 844


def test_start_is_found_at_once_and_leads_to_what_trains(
    telephone: Any, app_server: AppServer
) -> None:
    page = telephone
    page.goto(f"{app_server.url}/train?dataset=digits&subset=300&epochs=400")
    settings, words = page.locator(".st-key-train-settings"), page.locator(".st-key-train-words")
    words.wait_for()
    assert settings.bounding_box()["y"] < words.bounding_box()["y"]
    page.locator(".st-key-train-start button").first.tap()
    heading = page.get_by_role("heading", name="VaDE on digits")
    heading.wait_for()
    page.wait_for_timeout(3000)
    assert 0 < heading.bounding_box()["y"] < 200
    assert settings.bounding_box()["y"] > words.bounding_box()["y"]
    # Who then reads the settings is not pulled back, also when the page is drawn anew. What stands
    # above may still grow: it is the page's own place that must stay.
    page.locator(".lm-stage").first.wait_for()
    page.wait_for_timeout(3000)
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"
    page.locator(".st-key-train-seed input").first.fill("3")
    place = page.evaluate(scrolled)
    assert place > 300
    page.keyboard.press("Enter")
    page.wait_for_timeout(3000)
    assert page.evaluate(scrolled) > place / 2
    page.get_by_role("button", name="Stop").first.click()
    page.get_by_text("Stopped").first.wait_for()


def _swipe(page: Any, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """A finger that comes down, goes along a line in small steps, and leaves."""
    hand = page.context.new_cdp_session(page)

    def tell(kind: str, *points: tuple[float, float]) -> None:
        touched = [{"x": x, "y": y} for x, y in points]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    tell("touchStart", begin)
    for step in range(1, 11):
        (x0, y0), (x1, y1) = begin, end
        tell("touchMove", (x0 + (x1 - x0) * step / 10, y0 + (y1 - y0) * step / 10))
        page.wait_for_timeout(20)
    tell("touchEnd")
    hand.detach()


def test_a_finger_on_the_line_of_time_scrubs_along_it_and_scrolls_across_it(
    telephone: Any, app_server: AppServer
) -> None:
    page = telephone
    shown, last = _time_machine_at_its_end(page, app_server)
    line = page.locator(".lm-track").first
    line.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = line.bounding_box()
    middle = box["y"] + box["height"] / 2
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"
    before = page.evaluate(scrolled)
    # Far from the handle: to touch it there would be another frame.
    _swipe(page, (box["x"] + 40, middle), (box["x"] + 40, middle - 200))
    page.wait_for_timeout(500)
    assert page.evaluate(scrolled) > before
    assert shown.get_attribute("data-frame") == str(last)

    line.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = line.bounding_box()
    middle = box["y"] + box["height"] / 2
    _swipe(page, (box["x"] + box["width"] - 20, middle), (box["x"] + 15, middle))
    page.locator(".lm[data-frame='0']").first.wait_for()
    page.touchscreen.tap(box["x"] + box["width"] - 15, middle)
    page.locator(f".lm[data-frame='{last}']").first.wait_for()


def test_the_menu_closes_after_a_choice_and_figures_are_large_enough(
    telephone: Any, app_server: AppServer
) -> None:
    page = telephone
    _train(app_server.runs)
    page.goto(f"{app_server.url}/time-machine?run=one")
    page.get_by_role("heading", name="Clusters through time").wait_for()
    page.locator(".rv-title").first.wait_for()
    # Titles above the columns of the river: none over another.
    boxes = [each.bounding_box() for each in page.locator(".rv > svg > text").all()]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            apart_x = (
                one["x"] >= other["x"] + other["width"] or other["x"] >= one["x"] + one["width"]
            )
            apart_y = one["y"] + one["height"] <= other["y"] + 6
            assert apart_x or apart_y or one["y"] + 6 >= other["y"] + other["height"]

    page.get_by_test_id("stExpandSidebarButton").tap()
    menu = page.get_by_test_id("stSidebar")
    menu.get_by_role("link", name="Compare").tap()
    page.get_by_text("Choose two runs").wait_for()
    page.wait_for_function("document.querySelector('[data-testid=stSidebar]').offsetWidth === 0")
    page.goto(f"{app_server.url}/compare?runs=one,two")
    line = page.locator(".vc path[data-series]").first
    line.wait_for(state="attached")
    plot = page.locator(".vc clipPath rect").first
    assert float(plot.get_attribute("width")) > 220
    digit = page.locator(".vx-rows img").first
    digit.scroll_into_view_if_needed()
    assert digit.bounding_box()["width"] > 30


def test_a_wide_table_fades_at_the_edge_beyond_which_there_is_more(
    telephone: Any, app_server: AppServer
) -> None:
    """Where somebody scrolls, its left edge fades; a window that shows it whole fades nothing."""
    page = telephone
    page.goto(f"{app_server.url}/papers")
    room = page.locator(".pt-room").first
    room.wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    whole = room.evaluate("e => e.scrollWidth - e.clientWidth")
    assert whole > 100
    at_left = "linear-gradient(to right, "
    for place, begins_faded in ((0, False), (whole // 2, True), (whole, True)):
        room.evaluate("(e, x) => { e.scrollLeft = x; }", place)
        page.wait_for_timeout(200)
        image = room.evaluate("e => getComputedStyle(e).maskImage")
        assert image.startswith(at_left)
        assert image.startswith(f"{at_left}rgba(0, 0, 0, 0)") is begins_faded
        assert image.endswith("rgba(0, 0, 0, 0))") is (place < whole)
    page.set_viewport_size({"width": 1700, "height": 900})
    page.wait_for_timeout(500)
    assert room.evaluate("e => e.scrollWidth - e.clientWidth") == 0
    assert room.evaluate("e => getComputedStyle(e).maskImage") == "none"


def test_a_tapped_point_tells_of_itself_and_leaves_the_map_in_sight(
    telephone: Any, app_server: AppServer
) -> None:
    page = telephone
    shown, last = _time_machine_at_its_end(page, app_server)
    over = shown.locator(".lm-over")
    over.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    stage = over.bounding_box()

    def tap_the_first_point() -> tuple[float, float]:
        x, y = (float(v) for v in (shown.get_attribute("data-probe") or "").split(","))
        # Beside it, as fingers do.
        page.touchscreen.tap(stage["x"] + x + 2, stage["y"] + y - 2)
        return x, y

    card = shown.locator(".lm-card")
    x, y = tap_the_first_point()
    page.locator(".lm[data-selected='1']").first.wait_for()
    card.wait_for()
    page.wait_for_timeout(500)  # a finger that is lifted leaves: the card stays
    pointed = shown.get_attribute("data-hovered")
    assert pointed != "-1"
    said = card.inner_text()
    assert "label" in said
    assert "cluster" in said
    box = card.bounding_box()
    top, bottom = box["y"] - stage["y"], box["y"] - stage["y"] + box["height"]
    assert box["height"] < 0.45 * stage["height"]
    assert box["x"] >= stage["x"]
    assert box["x"] + box["width"] <= stage["x"] + stage["width"]
    assert not top <= y <= bottom, "it covers its point"
    # It goes along with its point, to another epoch ...
    shown.locator('[data-act="back"]').tap()
    page.locator(f".lm[data-frame='{last - 1}'][data-hovered='{pointed}']").first.wait_for()
    assert card.is_visible()
    # ... and goes with the selection, or when the map is moved.
    shown.locator('[data-act="clear"]').tap()
    card.wait_for(state="hidden")
    tap_the_first_point()
    card.wait_for()
    _swipe(page, (stage["x"] + x, stage["y"] + y), (stage["x"] + x + 60, stage["y"] + y))
    card.wait_for(state="hidden")


def test_a_tapped_sample_is_shown_large_and_moves_no_row(
    telephone: Any, app_server: AppServer
) -> None:
    page = telephone
    _train(app_server.runs)
    page.goto(f"{app_server.url}/clusters?run=one")
    samples = page.locator(".cs-samples button")
    samples.first.wait_for()
    samples.nth(4).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    before = [samples.nth(i).bounding_box() for i in (0, 4, 9)]
    samples.nth(4).tap()
    card = page.locator(".cs-card")
    card.wait_for()
    page.wait_for_timeout(300)
    assert [samples.nth(i).bounding_box() for i in (0, 4, 9)] == before
    box = card.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["y"] >= 400
    assert box["y"] + box["height"] <= 844
    assert card.locator(".cs-bar").count() == 10
    samples.nth(1).tap()
    page.wait_for_timeout(300)
    assert "cs-on" in (samples.nth(1).get_attribute("class") or "")
