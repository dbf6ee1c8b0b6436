"""How many clusters? in a real browser: the control, the rows, the river."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AppServer
from vade_core.cli import main

pytestmark = pytest.mark.browser

KS = (7, 10, 14)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    words = ["train", "--dataset", "digits", "--subset", "400", "--hidden", "32,32"]
    words += ["--preset", "short", "--pretrain-epochs", "4", "--epochs", "2", "--maps", "pca"]
    for k in KS:
        assert main([*words, "--clusters", str(k), "--out", str(root / f"own-k{k}")]) == 0
    return root


def test_another_k_takes_the_place_of_the_first_without_a_jump(
    chromium: Any, app_server: AppServer, trained: Path
) -> None:
    for folder in trained.iterdir():
        shutil.copytree(folder, app_server.runs / folder.name)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    # The first link that this server is ever asked for.
    page.goto(f"{app_server.url}/how-many-clusters?run=own-k7")
    large = page.locator(".cr-rows:not(.cr-small)")
    small = page.locator(".cr-small")
    page.get_by_text("Counted on all 400 samples").first.wait_for()
    # The small lists are drawn last.
    small.nth(2).locator(".cr-row").nth(KS[2] - 1).wait_for()
    assert large.locator(".cr-row").count() == 7
    assert [small.nth(i).locator(".cr-row").count() for i in range(3)] == list(KS)
    # What the page answers stands in the window without scrolling.
    box = large.bounding_box()
    assert box["y"] + box["height"] <= 800
    widths = large.locator("img").first.evaluate("i => [i.naturalWidth, i.clientHeight]")
    assert widths[0] == 8
    assert widths[1] > 40
    before = box

    page.get_by_text("K = 14", exact=True).first.click()
    page.wait_for_function(
        "() => document.querySelectorAll('.cr-rows:not(.cr-small) .cr-row').length === 14"
    )
    assert "run=own-k14" in page.url
    page.wait_for_timeout(300)
    box = large.bounding_box()
    assert box["y"] + box["height"] <= 800
    assert box["height"] == pytest.approx(before["height"], abs=1)

    river = page.locator(".rv")
    river.scroll_into_view_if_needed()
    assert river.get_attribute("data-columns") == "4"
    river.locator(".rv-node").first.hover()
    assert "Label 0" in river.locator(".rv-card").inner_text()

    # In a narrow window nothing lies over anything else, and nothing is cut off.
    page.set_viewport_size({"width": 900, "height": 800})
    page.wait_for_timeout(500)
    rows, said = large.bounding_box(), page.locator(".st-key-hm-findings").bounding_box()
    beside = rows["x"] + rows["width"] <= said["x"]
    assert beside or rows["y"] + rows["height"] <= said["y"]
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    assert broken == []
    context.close()
