"""The cluster studio in a real Chromium: sampled at once, without a word to the server."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pages.shared.studio import DEFAULTS, latents_of
from tests.conftest import AppServer
from vade_core import metrics
from vade_core.cli import main
from vade_core.rebuild import load_model
from vade_core.runs import Run

pytestmark = pytest.mark.browser

VADE, VAE = "vade-small", "vae-small"
# The grey levels of a sample's canvas.
GREY = """(canvas) => {
    const { width, height } = canvas;
    const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    return Array.from({ length: width * height }, (_, i) => data[4 * i]);
}"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    words = ["train", "--dataset", "digits", "--subset", "400", "--hidden", "48,64"]
    words += ["--preset", "short", "--maps", "pca"]
    vade = ["--pretrain-epochs", "3", "--epochs", "3"]
    assert main([*words, *vade, "--out", str(root / VADE)]) == 0
    assert main([*words, "--model", "vae", "--epochs", "3", "--out", str(root / VAE)]) == 0
    return root


class Studio:
    """The page Clusters of a run."""

    def __init__(self, chromium: Any, server: AppServer, query: str) -> None:
        self.context = chromium.new_context(
            viewport={"width": 1280, "height": 800}, accept_downloads=True
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.sent = 0
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("websocket", lambda socket: socket.on("framesent", self.count))
        self.page.goto(f"{server.url}/clusters?{query}")
        self.root = self.page.locator(".cs")
        self.page.wait_for_selector(".cs[data-drawn]")

    def count(self, frame: Any) -> None:
        self.sent += 1

    def state(self, name: str) -> str:
        return str(self.root.get_attribute(f"data-{name}"))

    def until(self, holds: Callable[[], bool], words: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"Waited in vain until {words}."
            self.page.wait_for_timeout(50)

    def slide(self, name: str, value: float) -> None:
        """Move a slider as a hand that does not let go of it: one input event."""
        before = int(self.state("drawn"))
        self.root.locator(f"[data-set={name}]").evaluate(
            "(slider, value) => { slider.value = value;"
            " slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )
        self.until(lambda: int(self.state("drawn")) > before, "the samples are drawn")

    def grey(self, row: int, place: int) -> np.ndarray:
        found = self.root.locator(f"[data-place='{row}:{place}'] canvas").evaluate(GREY)
        return np.array(found)


@pytest.fixture
def opened(chromium: Any, app_server: AppServer, trained: Path) -> Iterator[Callable[..., Studio]]:
    for name in (VADE, VAE):
        shutil.copytree(trained / name, app_server.runs / name)
    studios: list[Studio] = []

    def open_it(query: str) -> Studio:
        studios.append(Studio(chromium, app_server, query))
        return studios[-1]

    yield open_it
    for studio in studios:
        assert studio.errors == []
        studio.context.close()


def test_sliders_draw_what_pytorch_draws_and_never_ask_the_server(
    opened: Callable[..., Studio], trained: Path
) -> None:
    studio = opened(f"run={VADE}&count=6&seed=4")
    model = load_model(Run(trained / VADE))
    assert studio.state("ready") == "wasm"
    assert studio.state("samples") == "60"

    def agrees(**settings: Any) -> None:
        latents, _ = latents_of(model, {**DEFAULTS, **settings})
        for row, place in ((0, 0), (3, 5), (9, 2)):
            expected = 255 * model.decode(latents[row, place][None])[0]
            assert np.abs(studio.grey(row, place) - expected).max() < 0.02 * 255 + 1

    agrees(count=6, seed=4)
    studio.page.get_by_text("Does it draw what it is asked for?").wait_for()
    studio.page.wait_for_timeout(2500)
    # A real hand drags the temperature, and holds it.
    before, sent = studio.grey(0, 0), studio.sent
    box = studio.root.locator("[data-set=temperature]").bounding_box()
    mouse, y = studio.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] / 2, y)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 1, y, steps=5)
    studio.until(
        lambda: studio.root.locator("[data-show=temperature]").inner_text() == "2.00",
        "the slider is at its end",
    )
    drawn = int(studio.state("drawn"))
    studio.until(lambda: not np.array_equal(studio.grey(0, 0), before), "the sample has changed")
    for name, value in (("temperature", 1.5), ("seed", 77), ("count", 8), ("temperature", 0.5)):
        studio.slide(name, value)
    assert int(studio.state("drawn")) > drawn
    assert studio.state("samples") == "80"
    agrees(count=8, seed=77, temperature=0.5)
    assert studio.sent == sent, "a moving slider asked the server"
    assert float(studio.state("milliseconds")) < 2000

    # Let go, the link follows, and the samples stay.
    drawn = int(studio.state("drawn"))
    studio.root.locator("[data-set=seed]").evaluate(
        "(slider) => slider.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    studio.until(lambda: "seed=77" in studio.page.url, "the link carries the seed")
    assert "count=8" in studio.page.url
    agrees(count=8, seed=77, temperature=0.5)
    mouse.up()
    assert int(studio.state("drawn")) <= drawn + 1


def test_sorted_by_gamma_chosen_large_taken_away_and_matched(
    opened: Callable[..., Studio], trained: Path
) -> None:
    studio = opened(f"run={VADE}&count=8&temperature=2")
    root, page = studio.root, studio.page

    def gammas(row: int) -> list[float]:
        cells = root.locator(f"[data-place^='{row}:']")
        return [float(v) for v in cells.evaluate_all("all => all.map(b => b.dataset.gamma)")]

    drawn = [gammas(row) for row in range(10)]
    studio.until(lambda: root.locator("[data-order=gamma]").is_visible(), "the switch is there")
    before = int(studio.state("drawn"))
    root.locator("[data-order=gamma]").click()
    studio.until(lambda: int(studio.state("drawn")) > before, "the samples are sorted")
    for row in range(10):
        assert gammas(row) == sorted(drawn[row], reverse=True)
    assert root.locator("[data-place='0:0']").get_attribute("title").startswith("γ = ")
    assert "order=gamma" in page.url or page.wait_for_url("**order=gamma**") is None

    root.locator("[data-place='2:1']").click()
    card = root.locator(".cs-card")
    card.wait_for()
    bars = card.locator(".cs-bar").evaluate_all("all => all.map(b => Number(b.dataset.gamma))")
    assert len(bars) == 10
    assert sum(bars) == pytest.approx(1, abs=0.002)
    names = card.locator(".cs-bar b").all_inner_texts()
    assert names == root.locator(".cs-name").all_inner_texts(), "bars stand in the rows' order"
    (title,) = card.locator("header span").all_inner_texts()
    own = names.index(title.removeprefix("Cluster "))
    assert bars[own] == pytest.approx(gammas(2)[1], abs=1e-3)
    lowest = card.bounding_box()
    for real in root.locator(".cs-real").all():
        box = real.bounding_box()
        assert box["x"] + box["width"] <= lowest["x"], "the card covers nearest digits"
    assert np.array_equal(card.locator("canvas").evaluate(GREY), studio.grey(2, 1))
    large = card.locator("canvas").evaluate(GREY)
    studio.slide("seed", 9)
    assert card.locator("canvas").evaluate(GREY) != large, "the large one follows"
    page.keyboard.press("Escape")
    card.wait_for(state="hidden")

    with page.expect_download() as download:
        root.locator("[data-act=save]").click()
    picture = np.array(Image.open(io.BytesIO(Path(download.value.path()).read_bytes())))
    assert download.value.suggested_filename == f"{VADE}-clusters.png"
    assert picture.shape[0] > 10 * 56
    assert np.ptp(picture[84:, :, :3].astype(int), axis=2).max() > 60, "no colours are in it"

    # The matching, step by step to ACC.
    page.locator(".ac[data-step]").wait_for()
    table = page.locator(".ac")
    run = Run(trained / VADE)
    frame = run.frame(run.frame_numbers()[-1])
    matched = metrics.matching(run.stage().labels, frame.clusters, 10)
    cells = table.locator("td").all_inner_texts()
    assert sum(int(text.replace(",", "")) for text in cells) == 400
    for _ in range(4):
        table.locator("[data-act=next]").click()
    assert table.get_attribute("data-step") == "4"
    right = table.locator("td.ac-match").all_inner_texts()
    assert len(right) == (matched >= 0).sum()
    acc = sum(int(text) for text in right) / 400
    assert acc == pytest.approx(run.metrics()[-1]["acc"])
    assert f"ACC = {100 * acc:.1f} %" in table.locator(".ac-words").inner_text()
    assert table.locator("[data-act=next]").is_disabled()
    table.locator("[data-act=back]").click()
    assert table.locator(".ac-title").inner_text() == "The matching"


def test_a_vae_draws_its_prior_in_one_grid_and_another_run_replaces_it(
    opened: Callable[..., Studio], trained: Path
) -> None:
    studio = opened(f"run={VAE}&count=5&seed=2")
    assert studio.state("samples") == "50"
    assert studio.root.locator(".cs-name").count() == 0
    assert studio.root.locator(".cs-switch").is_hidden()
    model = load_model(Run(trained / VAE))
    latents, _ = latents_of(model, {**DEFAULTS, "count": 5, "seed": 2})
    expected = 255 * model.decode(latents[7, 3][None])[0]
    assert np.abs(studio.grey(7, 3) - expected).max() < 0.02 * 255 + 1
    page = studio.page
    page.locator("[data-testid=stSelectbox]").first.click()
    page.get_by_role("option").filter(has_text="VaDE").first.click()
    studio.until(lambda: page.locator(".cs .cs-name").count() == 10, "the other run's rows")
    assert page.evaluate("vadeNetworks.size") == 2


def test_where_the_server_decodes_the_studio_is_the_same(
    opened: Callable[..., Studio], trained: Path
) -> None:
    studio = opened(f"run={VADE}&decode=server&count=3&seed=4")
    root, page = studio.root, studio.page
    assert studio.state("ready") == "server"
    assert root.locator(".cs-real canvas").count() == 10 * 5
    model = load_model(Run(trained / VADE))

    def agrees(**settings: Any) -> None:
        latents, _ = latents_of(model, {**DEFAULTS, **settings})
        expected = 255 * model.decode(latents[3, 2][None])[0]
        assert np.abs(studio.grey(3, 2) - expected).max() <= 1

    agrees(count=3, seed=4)
    before = int(studio.state("drawn"))
    for name, value in (("count", "5"), ("temperature", "0.35")):
        root.locator(f"[data-set={name}]").evaluate(
            "(slider, value) => { slider.value = value; for (const kind of ['input', 'change'])"
            " slider.dispatchEvent(new Event(kind, {bubbles: true})); }",
            value,
        )
    studio.until(lambda: int(studio.state("drawn")) > before, "others are served")
    assert studio.state("samples") == "50"
    agrees(count=5, seed=4, temperature=0.35)
    root.locator("[data-place='3:2']").click()
    root.locator(".cs-card canvas").wait_for()
    assert root.locator(".cs-card canvas").evaluate(GREY) == studio.grey(3, 2).tolist()
    with page.expect_download() as download:
        root.locator("[data-act=save]").click()
    assert download.value.suggested_filename == f"{VADE}-clusters.png"
