"""The time machine in a real browser: scrubbed, lassoed, exported, mapped with another seed."""

from __future__ import annotations

import io
import math
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import AppServer
from vade_core import worker
from vade_core.cli import main
from vade_core.remap import Remap
from vade_core.runs import Run
from vade_core.whole_map import WholeMap

pytestmark = pytest.mark.browser

RUN = "vade-small"
# What software drawing on a machine without a graphics card says of itself.
ABOUT_THE_DRIVER = "GL Driver Message"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / RUN
    words = ["train", "--dataset", "digits", "--subset", "400", "--hidden", "32,32"]
    words += ["--preset", "short"]
    more = ["--pretrain-epochs", "2", "--epochs", "4", "--maps", "tsne,pca"]
    assert main([*words, *more, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    found = context.new_page()
    found.set_default_timeout(30_000)
    yield found
    context.close()


class Map:
    """A map of a page, the first if nothing is said."""

    def __init__(self, page: Any, number: int = 0) -> None:
        self.page = page
        self.root = page.locator(".lm").nth(number)
        page.locator(".lm[data-frame]").nth(number).wait_for()

    def state(self, name: str) -> str:
        return str(self.root.get_attribute(f"data-{name}"))

    def until(self, holds: Callable[[], bool], words: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"Waited in vain until {words}."
            self.page.wait_for_timeout(50)

    def rest(self, frame: int) -> None:
        self.until(lambda: self.state("position") == f"{frame}.000", f"it rests on {frame}")

    @property
    def last(self) -> int:
        return int(self.state("frames")) - 1

    def box(self, part: str) -> dict[str, float]:
        return self.root.locator(part).bounding_box()

    def scrub(self, frame: int) -> None:
        box = self.box(".lm-track")
        share = frame / self.last
        self.page.mouse.click(box["x"] + 14 + share * (box["width"] - 28), box["y"] + 50)
        self.rest(frame)

    def lasso_everything(self) -> None:
        box = self.box(".lm-over")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        mouse, keyboard = self.page.mouse, self.page.keyboard
        mouse.move(x + box["width"] / 2 - 5, y)
        keyboard.down("Shift")
        mouse.down()
        for step in range(1, 17):
            angle = 2 * math.pi * step / 16
            mouse.move(
                x + (box["width"] / 2 - 5) * math.cos(angle),
                y + (box["height"] / 2 - 5) * math.sin(angle),
            )
        mouse.up()
        keyboard.up("Shift")


def test_scrub_select_look_at_the_river_and_save_the_picture(
    page: Any, app_server: AppServer, trained: Path
) -> None:
    shutil.copytree(trained, app_server.runs / RUN)
    run = Run(trained)
    # The first link that this server is ever asked for.
    page.goto(f"{app_server.url}/time-machine?run={RUN}")
    shown = Map(page)
    numbers = run.frame_numbers()
    assert shown.last == len(numbers) - 1
    shown.rest(shown.last)

    # Map, legend and scrubber stand in the window without scrolling.
    for part in (".lm-tools", ".lm-legend", ".lm-track"):
        box = shown.box(part)
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= 800, part
    before = shown.state("probe")
    shown.scrub(0)
    assert shown.state("probe") != before
    assert shown.root.locator(".lm-epoch").inner_text().startswith("untrained")
    assert shown.root.locator(".lm-phase title").first.text_content() == "Untrained"
    page.get_by_text("nearest on this map, untrained.").wait_for()
    shown.scrub(1)
    assert "pretraining, epoch 1" in shown.root.inner_text()
    page.get_by_text("nearest on this map, pretraining, epoch 1").wait_for()

    shown.scrub(shown.last)
    shown.lasso_everything()
    shown.until(lambda: int(shown.state("selected")) > 50, "points are selected")
    count = int(shown.state("selected"))
    page.get_by_role("heading", name=f"{count} selected points").wait_for()
    # They come a moment after the heading.
    page.locator(".vg-pictures img").nth(50).wait_for()

    # Another map of the same run: the selection and the place in time are kept.
    shown.scrub(1)
    scale = shown.state("scale")
    page.get_by_text("PCA", exact=True).click()
    shown.until(lambda: "· PCA" in shown.root.inner_text(), "the other map is there")
    assert (shown.state("selected"), shown.state("position")) == (str(count), "1.000")
    assert shown.state("scale") != scale
    assert "lens=pca" in page.url

    shown.root.locator("[data-act=clear]").click()
    page.get_by_role("heading", name="Selected points").wait_for()
    page.get_by_text("Colour the points by it").click()
    shown.until(lambda: shown.state("colour") == "trust", "the points show how far to trust them")

    with page.expect_download() as download:
        shown.root.locator("[data-act=save]").click()
    picture = np.array(Image.open(io.BytesIO(Path(download.value.path()).read_bytes())))
    box = shown.box(".lm-points")
    assert picture.shape[:2] == (round(box["height"]), round(box["width"]))
    middle = picture[:, picture.shape[1] // 4 : -picture.shape[1] // 4, :3].astype(int)
    assert ((np.ptp(middle, axis=2) > 40).mean()) > 0.005, "no points are in the picture"
    assert download.value.suggested_filename.startswith(f"{RUN}-pca")

    river = page.locator(".rv")
    river.scroll_into_view_if_needed()
    columns = int(river.get_attribute("data-columns"))
    assert columns == 4
    bars = river.locator(".rv-node")
    bars.first.hover()
    words = river.locator(".rv-card").inner_text()
    counts = [
        int(text.split(": ")[1].split(" ")[0])
        for text in bars.evaluate_all("bars => bars.map(bar => bar.dataset.words.split('\\n')[0])")
    ]
    assert sum(counts) == columns * len(run.stage().rows)
    assert f"{counts[0]} point" in words
    page.get_by_text("Labels at the end").click()
    shown.until(lambda: river.get_attribute("data-columns") == "5", "the labels are a column")


def test_the_map_of_another_seed_is_made_by_a_process_and_then_shown(
    page: Any, app_server: AppServer, trained: Path
) -> None:
    shutil.copytree(trained, app_server.runs / RUN)
    page.goto(f"{app_server.url}/time-machine?run={RUN}")
    Map(page)
    page.get_by_role("button", name="Make the t-SNE map again").dblclick()
    page.locator(".lm").nth(1).wait_for()
    other = page.locator(".lm").nth(1)
    other.get_by_text("from nothing, seed 1").first.wait_for()
    assert other.get_attribute("data-frames") == "2"
    run = Run(app_server.runs / RUN)
    number = run.frame_numbers()[-1]
    found = Remap(run, number, "tsne", 1).find(run.frame(number))
    assert found is not None
    assert f"{found.moved:.2f}" in page.get_by_text("Mean distance that points moved").inner_text()


def test_all_samples_are_mapped_by_a_process_and_their_pictures_come_when_selected(
    page: Any, app_server: AppServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = app_server.runs / RUN
    words = ["train", "--dataset", "digits", "--subset", "400", "--hidden", "32,32"]
    more = ["--preset", "short", "--pretrain-epochs", "1", "--epochs", "1", "--maps", "tsne"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "STAGE_SIZE", 150)
        assert main([*words, *more, "--out", str(folder)]) == 0
    page.goto(f"{app_server.url}/time-machine?run={RUN}")
    first = Map(page)
    assert "150 of 400 shown" in first.root.inner_text()
    page.get_by_role("button", name="All 400 points").dblclick()
    page.locator(".lm").nth(1).wait_for()
    whole = Map(page, 1)
    whole.until(lambda: "400 of 400 shown" in whole.root.inner_text(), "all samples are there")
    whole.root.scroll_into_view_if_needed()
    # One frame needs no player: the map grows into its place and is fitted once more.
    assert not whole.root.locator(".lm-time").is_visible()
    page.wait_for_timeout(1000)
    scale = whole.state("scale")
    whole.lasso_everything()
    whole.until(lambda: int(whole.state("selected")) > 200, "points are selected")
    page.get_by_role("heading", name=f"{whole.state('selected')} selected points").wait_for()
    pictures = page.locator(".vg-pictures img")
    whole.until(lambda: pictures.count() > 50, "their pictures are there")
    assert (whole.state("selected") != first.state("selected"), whole.state("scale")) == (
        True,
        scale,
    )
    run = Run(folder)
    found = WholeMap(run, "tsne").find(run.frame(run.frame_numbers()[-1]))
    assert found is not None
    assert len(found.frame.latents) == 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_exported_page_draws_and_scrubs_from_the_disk_alone(
    chromium: Any, trained: Path, tmp_path: Path, scheme: str
) -> None:
    out = tmp_path / "machine.html"
    assert main(["export", str(trained), "--format", "html", "--out", str(out)]) == 0
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(out.as_uri())
    shown = Map(page)
    shown.rest(shown.last)
    assert shown.state("renderer") == "webgl2"
    box = shown.box(".lm-over")
    clip = {"x": box["x"] + 250, "y": box["y"], "width": box["width"] - 500,
            "height": box["height"]}  # fmt: skip
    after = np.array(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).astype(int)
    assert (np.ptp(after, axis=2) > 60).mean() > 0.005, "nothing is drawn"
    assert (after[2, 2].mean() < 60) == (scheme == "dark")
    shown.scrub(0)
    before = np.array(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"))
    assert (before.astype(int) != after).any(axis=2).mean() > 0.005, "nothing has moved"
    page.get_by_role("button", name="PCA").click()
    shown.until(lambda: "· PCA" in shown.root.inner_text(), "the other map is there")
    assert shown.state("position") == "0.000"
    lowest = shown.box(".lm-track")
    assert lowest["y"] + lowest["height"] <= 800
    assert [words for words in said if ABOUT_THE_DRIVER not in words] == []
    assert {url for url in asked if not url.startswith("data:")} == {out.as_uri()}
    context.close()
