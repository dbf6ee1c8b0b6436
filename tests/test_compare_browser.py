"""Compare in a real browser: one scrubber, linked zoom and selection, and where runs disagree."""

from __future__ import annotations

import csv
import math
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pages.shared.map_group import ASSETS
from tests.conftest import AppServer
from vade_core.cli import main
from vade_core.evaluated import keep_evaluation
from vade_core.map_page import join_modules
from vade_core.map_page import read_source as read_map_source
from vade_core.run_frames import read_run_frames
from vade_core.runs import Run

pytestmark = pytest.mark.browser

VADE, VAE = "vade-small", "vae-small"
ABOUT_THE_DRIVER = "GL Driver Message"
EDGE = 14  # of the line of time, in CSS pixels


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny VAE and a tiny VaDE with another number of frames, measured already."""
    root = tmp_path_factory.mktemp("made")
    words = ["train", "--dataset", "digits", "--subset", "300", "--hidden", "16,16"]
    words += ["--preset", "short", "--maps", "pca"]
    vade = ["--pretrain-epochs", "2", "--epochs", "5", "--clusters", "12"]
    assert main([*words, *vade, "--out", str(root / VADE)]) == 0
    assert main([*words, "--model", "vae", "--epochs", "3", "--out", str(root / VAE)]) == 0
    for run_id in (VADE, VAE):
        keep_evaluation(Run(root / run_id), root / run_id)
    return root


def said_by(run: Run, i: int) -> NDArray[np.int64]:
    """Class that a run's cluster stands for, by point; -1 for none yet. Reckoned anew here."""
    frames = read_run_frames(run, "pca").frames
    assert frames is not None
    assert frames.labels is not None
    assert frames.matched is not None
    assigned = frames.assigned(i)
    assert assigned is not None
    said = np.full(len(assigned), -1, np.int64)
    for cluster in np.unique(assigned[assigned != 255]):
        members = assigned == cluster
        known = frames.matched[i][cluster]
        said[members] = known if known >= 0 else np.bincount(frames.labels[members]).argmax()
    return said


class Page:
    """The page with its maps, and all that goes over its wire."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.wire: list[str] = []
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("websocket", self._listen)
        page.goto(address)
        page.wait_for_selector(".mg[data-members]")
        self.group = page.locator(".mg").first
        self.until(lambda: "," in self.state("members"), "both maps are there")

    def _listen(self, socket: Any) -> None:
        socket.on("framesent", lambda _: self.wire.append("sent"))
        socket.on("framereceived", lambda _: self.wire.append("received"))

    def state(self, name: str) -> str:
        return str(self.group.get_attribute(f"data-{name}"))

    def map(self, i: int, name: str) -> str:
        return str(self.page.locator(".lm").nth(i).get_attribute(f"data-{name}"))

    def box(self, i: int) -> dict[str, float]:
        return self.page.locator(".lm").nth(i).locator(".lm-over").bounding_box()

    def until(self, holds: Callable[[], bool], words: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"Waited in vain until {words}."
            self.page.wait_for_timeout(40)

    def rests_at(self, share: float) -> None:
        self.until(
            lambda: (
                self.state("moving") == "false"
                and float(self.state("share")) == pytest.approx(share, abs=1e-3)
                and all(self.map(i, "position").endswith(".000") for i in range(2))
            ),
            f"time rests at {share}",
        )

    def scrub(self, share: float) -> None:
        box = self.page.locator(".mg-track").bounding_box()
        x = box["x"] + EDGE + share * (box["width"] - 2 * EDGE)
        self.page.mouse.click(x, box["y"] + 40)

    def quiet(self) -> None:
        """Waits until nothing goes over the wire any more."""
        count = -1
        while count != len(self.wire):
            count = len(self.wire)
            self.page.wait_for_timeout(1200)


@pytest.fixture
def compare(chromium: Any, app_server: AppServer, made: Path) -> Iterator[Page]:
    for run_id in (VADE, VAE):
        shutil.copytree(made / run_id, app_server.runs / run_id)
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(120_000)
    shown = Page(page, f"{app_server.url}/compare")
    yield shown
    context.close()
    assert shown.problems == []


def test_maps_side_by_side_move_zoom_select_and_disagree_without_the_server(
    compare: Page, made: Path
) -> None:
    page, mouse = compare.page, compare.page.mouse
    runs = [Run(made / VAE), Run(made / VADE)]
    lasts = [int(compare.map(i, "frames")) - 1 for i in range(2)]
    assert lasts == [len(run.frame_numbers()) - 1 for run in runs]
    assert lasts[0] != lasts[1]
    assert compare.state("members") == f"{VAE},{VADE}"

    # It plays by itself, from the first frames to the last.
    compare.rests_at(1.0)
    assert [int(compare.map(i, "frame")) for i in range(2)] == lasts
    assert int(compare.map(0, "draws")) > 20, "it does not play"
    for part in (".lm", ".mg-track"):
        box = page.locator(part).last.bounding_box()
        assert box["y"] + box["height"] <= 800, part

    compare.quiet()
    before = len(compare.wire)
    steps = max(lasts)
    probes = [compare.map(i, "probe") for i in range(2)]
    compare.scrub(2 / steps)
    compare.rests_at(2 / steps)
    at = [math.floor(2 / steps * last + 0.5) for last in lasts]
    assert [int(compare.map(i, "frame")) for i in range(2)] == at
    assert all(compare.map(i, "probe") != probes[i] for i in range(2))
    page.locator(".lm").first.focus()
    page.keyboard.press("End")
    compare.rests_at(1.0)

    # Where they disagree, against a count of its own.
    said = [said_by(run, last) for run, last in zip(runs, lasts, strict=True)]
    labels = runs[0].stage().labels
    assert labels is not None
    otherwise = np.flatnonzero(said[0] != said[1])
    right = [own == labels for own in said]
    assert compare.state("disagree") == str(len(otherwise))
    assert compare.state("split") == str(int((right[0] != right[1]).sum()))
    words = page.locator(".mg-count").inner_text()
    assert words.startswith(f"{len(otherwise)} of 300 digits are sorted otherwise.")
    page.locator("[data-mode=otherwise]").click()
    compare.until(
        lambda: [compare.map(i, "standing") for i in range(2)] == [str(len(otherwise))] * 2,
        "those stand out on both maps",
    )
    assert page.locator(".mg-gallery canvas").count() == min(60, len(otherwise))
    with page.expect_download() as download:
        page.locator(".mg [data-act=csv]").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    table = list(csv.reader(text.splitlines()))
    assert table[0] == ["sample", "label", VAE, VADE]
    assert [int(line[0]) for line in table[1:]] == otherwise.tolist()
    assert [int(line[2]) for line in table[1:]] == said[0][otherwise].tolist()
    assert [int(line[3]) for line in table[1:]] == said[1][otherwise].tolist()
    page.locator("[data-mode=all]").click()
    compare.until(lambda: compare.map(1, "standing") == "300", "all stand out again")

    # While time plays the gallery goes along, and keeps its place on the page.
    page.locator(".mg .mg-play").click()
    compare.until(lambda: compare.state("playing") == "true", "it plays again")
    heights, pictures, states = set(), set(), set()
    while compare.state("playing") == "true":
        heights.add(page.locator(".mg").bounding_box()["height"])
        pictures.add(page.locator(".mg-gallery canvas").count())
        states.add(page.locator(".mg-state").inner_text().partition(" ")[0])
        page.wait_for_timeout(150)
    compare.rests_at(1.0)
    assert len(heights) == 1, "the page jumps"
    assert max(pictures) > 0, "the gallery is empty while it plays"
    assert "Playing" in states
    assert page.locator(".mg-state").inner_text() == "At the end"
    assert len(compare.wire) == before

    # Zoom and pan, together and apart.
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    box = compare.box(0)
    home = [float(compare.map(i, "scale")) for i in range(2)]
    mouse.move(box["x"] + 200, box["y"] + 150)
    mouse.wheel(0, -300)
    compare.until(lambda: float(compare.map(1, "scale")) > 1.3 * home[1], "the other zooms too")
    zoomed = [float(compare.map(i, "scale")) for i in range(2)]
    assert zoomed[0] / home[0] == pytest.approx(zoomed[1] / home[1], rel=1e-3)
    page.locator(".mg [data-act=linked]").click()
    compare.until(
        lambda: (
            abs(float(compare.map(0, "scale")) / zoomed[0] - 1) < 1e-3
            and compare.group.locator("[data-act=linked]").get_attribute("aria-pressed") == "false"
        ),
        "the link is cut",
    )
    mouse.move(box["x"] + 200, box["y"] + 150)
    mouse.wheel(0, -300)
    compare.until(lambda: float(compare.map(0, "scale")) > 1.3 * zoomed[0], "it zooms alone")
    assert float(compare.map(1, "scale")) == pytest.approx(zoomed[1], rel=1e-3)
    page.locator(".mg [data-act=linked]").click()
    compare.until(
        lambda: all(abs(float(compare.map(i, "scale")) / home[i] - 1) < 0.01 for i in range(2)),
        "linked again they show the whole",
    )

    # A selection on one is a selection on both; so is a hovered digit.
    page.wait_for_timeout(600)
    left, top = (float(value) for value in compare.map(0, "probe").split(","))
    mouse.move(box["x"] + left, box["y"] + top)
    compare.until(
        lambda: compare.map(0, "hovered") == compare.map(1, "echoed") != "-1", "it echoes"
    )
    mouse.move(box["x"] + 30, box["y"] + 120)
    compare.until(lambda: compare.map(1, "echoed") == "-1", "the echo ends")
    page.keyboard.down("Shift")
    mouse.move(box["x"] + left - 60, box["y"] + top - 60)
    mouse.down()
    for dx, dy in ((60, -60), (60, 60), (-60, 60)):
        mouse.move(box["x"] + left + dx, box["y"] + top + dy, steps=3)
    mouse.up()
    page.keyboard.up("Shift")
    compare.until(lambda: int(compare.map(1, "selected")) > 0, "it is selected on the other too")
    count = compare.map(0, "selected")
    assert compare.map(1, "selected") == compare.state("selected") == count
    assert f"the {count} selected digits" in page.locator(".mg-count").inner_text()
    assert page.locator(".mg-gallery canvas").count() == min(60, int(count))
    page.locator(".mg [data-act=clear]").click()
    compare.until(lambda: compare.map(0, "selected") == compare.map(1, "selected") == "0", "none")

    with page.expect_download() as download:
        page.locator(".mg [data-act=save]").click()
    picture = Image.open(download.value.path())
    points = [page.locator(".lm-points").nth(i).bounding_box() for i in range(2)]
    assert picture.width == sum(round(one["width"]) for one in points)
    assert len(compare.wire) == before, "the server was asked"


SAID = """
window.said = (clusters, matched, labels) => [...saidIn(
  {clusters: Uint8Array.from(clusters), matched},
  {n: clusters.length, labels: labels && Uint8Array.from(labels)},
)];
window.renamed = (first, other) => [...renamedAs(Int16Array.from(first), Int16Array.from(other))];
window.compared = (names, members, share) => {
  const made = members.map(({clusters, labels}) => ({
    store: {labels: labels && Uint8Array.from(labels), n: clusters.length},
    indices: new Map(names.map((row, i) => [row, i])),
    frameAt: () => ({clusters: Uint8Array.from(clusters), matched: null}),
  }));
  const {judged, otherwise, onlyHere, silent} = compareRuns(made, names, share);
  return {judged, otherwise, onlyHere, silent};
};
"""


def test_what_runs_say_without_matches_and_without_labels(chromium: Any) -> None:
    page = chromium.new_page()
    script = join_modules([read_map_source("colouring.js"), (ASSETS / "disagree.js").read_text()])
    page.add_script_tag(content=script + SAID, type="module")
    page.wait_for_function("() => typeof window.compared === 'function'")
    # Cluster 2 is matched with no class: it speaks for the class of most of its points.
    labels = [0, 0, 1, 1, 1, 0]
    told = page.evaluate("([c, m, l]) => said(c, m, l)", [[0, 0, 1, 2, 2, 255], [0, 1, -1], labels])
    assert told == [0, 0, 1, 1, 1, -1]
    # Without labels, clusters are paired by what they share, the largest share first.
    first, other = [0, 0, 0, 1, 1, 2, -1], [5, 5, 7, 7, 7, 7, 5]
    assert page.evaluate("([a, b]) => renamed(a, b)", [first, other]) == [0, 0, 1, 1, 1, 1, 0]
    rows = list(range(10, 17))
    runs = [{"clusters": [c % 256 for c in codes], "labels": None} for codes in (first, other)]
    found = page.evaluate("([r, m]) => compared(r, m, 1)", [rows, runs])
    assert found == {"judged": 6, "otherwise": [2, 5], "onlyHere": None, "silent": []}
    silent = [runs[0], {"clusters": [255] * 7, "labels": None}]
    found = page.evaluate("([r, m]) => compared(r, m, 1)", [rows, silent])
    assert (found["judged"], found["silent"]) == (0, [1])
    page.close()


def test_a_link_with_three_runs_plays_them_together_and_fits_a_narrow_window(
    compare: Page, app_server: AppServer, made: Path
) -> None:
    shutil.copytree(made / VADE, app_server.runs / "vade-again")
    page = compare.page
    page.goto(f"{app_server.url}/compare?runs={VADE},{VAE},vade-again")
    page.wait_for_selector(".mg[data-members]")
    compare.until(lambda: compare.state("members") == f"{VADE},{VAE},vade-again", "three are there")
    compare.rests_at(1.0)
    assert page.locator(".lm").count() == 3
    page.set_viewport_size({"width": 900, "height": 800})
    page.wait_for_timeout(500)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 900
    room = page.locator("[data-testid=stMultiSelectTagsContainer]").last.bounding_box()
    chips = page.locator("[data-testid=stMultiSelectTagsContainer]").last.locator("[data-tag]")
    for i in range(3):
        box = chips.nth(i).bounding_box()
        assert box["x"] + box["width"] <= room["x"] + room["width"], "a chip is cut"


def test_a_link_leads_to_a_part_of_the_page_and_does_not_pull_back(
    compare: Page, app_server: AppServer
) -> None:
    page = compare.page
    page.goto(f"{app_server.url}/compare?runs={VAE},{VADE}&part=drawn")
    head = page.locator(".st-key-part-drawn")
    head.wait_for()
    compare.until(lambda: 0 <= head.bounding_box()["y"] < 200, "the part is on top")
    page.wait_for_timeout(3_000)
    assert 0 <= head.bounding_box()["y"] < 200
    page.mouse.move(640, 400)
    page.mouse.wheel(0, -20_000)
    compare.until(lambda: head.bounding_box()["y"] > 800, "one is at the top of the page again")
    # All is drawn anew, and nothing moves.
    page.get_by_test_id("stMultiSelect").get_by_role("button").first.click()
    compare.until(lambda: page.get_by_text("Choose two runs").count() == 1, "one run is left")
    page.goto(f"{app_server.url}/compare?runs={VAE},{VADE}&part=no-such-part")
    page.wait_for_selector(".mg[data-members]")
    page.wait_for_timeout(1_000)
    assert head.bounding_box()["y"] > 800
    assert compare.problems == []
