"""The page Interpolate in a real browser: what moves there, and what it computes."""

from __future__ import annotations

import base64
import io
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import norm

from pages.shared.exploration import explore
from pages.shared.exploration_choice import usual_choice
from pages.shared.interpolation import SOURCES, interpolation_script
from pages.shared.interpolation import _read as read_source
from tests.conftest import ROOT, AppServer, _wait_until_up
from tests.test_app_interpolate import DEC, HOT, OWN, PLANE, VADE, explored_runs
from vade_core import latent_paths, mixture
from vade_core.drawing import centred
from vade_core.rebuild import load_model
from vade_core.runs import Run

pytestmark = pytest.mark.browser

__all__ = ["explored_runs"]  # a fixture

FUNCTIONS = (
    "makeWay, sphericalWay, straightWay, gridBetweenFour, evenShares, Mixture, centredDrawing, "
    "textOfNumbers, numbersOfText, normalBelow, densityWords, clusterWordsAlong, numberText"
)


def test_the_joined_script_is_one_module_without_clashing_names() -> None:
    script = interpolation_script()
    assert not re.search(r"^import ", script, re.MULTILINE)
    assert re.findall(r"^export .*?(?=\()", script, re.MULTILINE) == [
        "export default function showInterpolation"
    ]
    declared = re.findall(r"^(?:function|const|let|class) (\w+)", script, re.MULTILINE)
    assert len(declared) > 30
    assert len(declared) == len(set(declared))
    read_source(SOURCES[0])


# --- What the script computes -------------------------------------------------------------------


@pytest.fixture(scope="module")
def script(chromium: Any) -> Iterator[Callable[[str, Any], Any]]:
    """Calls the page's own functions with an argument."""
    context = chromium.new_context()
    page = context.new_page()
    source = interpolation_script().replace("export default ", "")
    page.add_script_tag(content=f"{source}\nglobalThis.ip = {{{FUNCTIONS}}};", type="module")
    page.wait_for_function("globalThis.ip !== undefined")
    yield page.evaluate
    context.close()


MIXTURE = (
    np.log(np.array([0.2, 0.5, 0.3])),
    np.array([[-6.0, 0.0, 1.0], [0.0, 0.5, -1.0], [6.0, 0.0, 0.3]]),
    np.log(np.array([[1.0, 1.0, 0.2], [0.5, 2.0, 1.0], [1.0, 0.3, 3.0]])),
)
AS_MIXTURE = (
    "const m = new ip.Mixture(...[given.weights, given.means, given.variances]"
    ".map((v) => Float32Array.from(v)));"
)


def given_mixture() -> dict[str, Any]:
    weights, means, variances = MIXTURE
    return {
        "weights": weights.tolist(),
        "means": means.ravel().tolist(),
        "variances": variances.ravel().tolist(),
    }


@pytest.mark.parametrize("way", list(latent_paths.WAYS))
def test_ways_are_those_of_python(script: Callable[..., Any], way: str) -> None:
    a, b = np.array([-6.5, 1.0, 0.4]), np.array([7.0, -1.0, 0.1])
    found = script(
        f"(given) => {{ {AS_MIXTURE} return [...ip.makeWay(given.a, given.b, given.way, m)"
        ".at(ip.evenShares(41))]; }",
        {**given_mixture(), "a": a.tolist(), "b": b.tolist(), "way": way},
    )
    expected = latent_paths.path(a, b, way, np.linspace(0, 1, 41), MIXTURE)
    np.testing.assert_allclose(np.reshape(found, (41, 3)), expected, atol=2e-5)


@pytest.mark.parametrize("factor", [1.0, -2.0, 0.0])
def test_slerp_is_straight_where_there_is_no_arc(script: Callable[..., Any], factor: float) -> None:
    a = np.array([1.0, -2.0, 0.5])
    both = script(
        "([a, b]) => { const at = ip.evenShares(5);"
        "return [[...ip.sphericalWay(a, b, at)], [...ip.straightWay(a, b, at)]]; }",
        [a.tolist(), (factor * a).tolist()],
    )
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


def test_responsibilities_and_density_are_those_of_torch(script: Callable[..., Any]) -> None:
    z = np.random.default_rng(0).normal(scale=5, size=(50, 3))
    z[0] = 400.0  # far from everything
    shares, density, distances, spread = script(
        f"(given) => {{ {AS_MIXTURE} const r = m.read(given.z, 50);"
        "return [[...r.shares], [...r.logDensity], [...r.distances], m.spread(0)]; }",
        {**given_mixture(), "z": z.ravel().tolist()},
    )
    tensors = [torch.from_numpy(v) for v in (z, *MIXTURE)]
    expected = mixture.log_responsibilities(*tensors).exp().numpy()
    np.testing.assert_allclose(np.reshape(shares, (50, 3)), expected, atol=1e-5)
    np.testing.assert_allclose(density, mixture.log_marginal(*tensors).numpy(), rtol=1e-5)
    squared = ((z[:, None] - MIXTURE[1]) ** 2 / np.exp(MIXTURE[2])).sum(axis=2)
    np.testing.assert_allclose(distances, squared.min(axis=1), rtol=1e-4)
    rng = np.random.default_rng(1)
    drawn = rng.choice(3, 400_000, p=np.exp(MIXTURE[0]))
    sample = MIXTURE[1][drawn, 0] + rng.normal(size=len(drawn)) * np.exp(MIXTURE[2][drawn, 0] / 2)
    assert [spread["mean"], spread["sd"]] == pytest.approx([sample.mean(), sample.std()], abs=0.03)
    shares_of = [0.03, 0.12, 0.5, 0.9]
    quantiles = script(
        f"(given) => {{ {AS_MIXTURE} return given.at.map((s) => m.quantile(0, s)); }}",
        {**given_mixture(), "at": shares_of},
    )
    np.testing.assert_allclose(quantiles, np.quantile(sample, shares_of), atol=0.06)
    places = [-30.0, -6.0, -3.6, -1.0, 0.0, 0.5, 3.4, 8.0]
    below = script("(xs) => xs.map(ip.normalBelow)", places)
    np.testing.assert_allclose(below, norm.cdf(places), atol=1e-9)


def test_the_grid_has_its_corners(script: Callable[..., Any]) -> None:
    corners = np.random.default_rng(2).normal(size=(4, 3))
    grid = script("(corners) => [...ip.gridBetweenFour(corners, 9)]", corners.tolist())
    np.testing.assert_allclose(
        np.reshape(grid, (81, 3)), latent_paths.between_four(list(corners), 9), atol=1e-6
    )


def test_a_drawing_is_centred_as_in_python(script: Callable[..., Any]) -> None:
    rng = np.random.default_rng(4)
    for (rows, columns), shape, box in (((60, 80), (28, 28), 20), ((50, 40), (8, 8), 8)):
        ink = np.zeros((rows, columns))
        top, left = rng.integers(0, 20, 2)
        ink[top : top + 25, left : left + 6] = rng.random((25, 6))
        ink[top + 10 : top + 14, left : left + 20] = 1.0
        found = script(
            "([ink, rows, columns, shape, box]) =>"
            "[...ip.centredDrawing(ink, rows, columns, shape, box)]",
            [ink.ravel().tolist(), rows, columns, list(shape), box],
        )
        np.testing.assert_allclose(np.reshape(found, shape), centred(ink, shape, box), atol=1e-6)
    assert not any(script("() => [...ip.centredDrawing(new Float32Array(100), 10, 10, [8, 8], 8)]"))


def test_numbers_travel_as_text(script: Callable[..., Any]) -> None:
    numbers = [-3.5, 0.1, 1e-9, 12345.678]
    text, back, wrong = script(
        "(n) => { const t = ip.textOfNumbers(n);"
        "return [t, [...ip.numbersOfText(t)], ip.numbersOfText('?')]; }",
        numbers,
    )
    read = np.frombuffer(base64.b64decode(text + "=" * (-len(text) % 4), b"-_"), "<f4")
    assert np.array_equal(read, np.array(numbers, np.float32))
    assert back == read.tolist()
    assert wrong is None


INSIDE = [1.0, 5.0, 1.0]  # squared distances: with J = 10 nearly all of a Gaussian lies within 23


@pytest.mark.parametrize(
    ("density", "distances", "expected"),
    [
        ([-20, -34, -19], [1, 40, 1], "The density falls 14 nats below both ends: the path leaves"),
        ([-20, -32, -19], INSIDE, "falls 12 nats below both ends."),
        ([-20, -25, -19], INSIDE, "falls 5 nats below both ends: a shallow valley."),
        ([50, -12_542, 52], [1, 40, 1], "falls 12,592 nats below both ends: the path leaves"),
        ([-19, -14, -20], INSIDE, "rises by 5 nats between the two"),
        (
            [-20, -20.5, -19],
            INSIDE,
            "falls nowhere clearly below its ends: the path stays where the prior has its mass.",
        ),
        ([-20, -20.5, -19], [30, 40, 30], "falls nowhere clearly below its ends."),
        # What is far below one end and hardly below the other is no path at one height.
        (
            [22, 5, 6.4],
            INSIDE,
            "is 16 nats lower at B than at A, and falls nowhere clearly below that: the path stays",
        ),
        (
            [-3000, -3593, -4200],
            [5900, 7100, 8300],
            "is 1,200 nats lower at B than at A, and falls nowhere clearly below that. "
            "Both ends lie far from where the prior has its mass.",
        ),
        ([-20, -60, -40], [1, 120, 100], "falls 20 nats below both ends. B lies far from where"),
    ],
)
def test_the_sentence_says_what_the_density_does(
    script: Callable[..., Any], density: list[float], distances: list[float], expected: str
) -> None:
    say = (
        "([logDensity, distances]) => ip.densityWords({ logDensity, distances }, 'straight',"
        "{ ownClusters: true, gaussian: true, latentDim: 10 })"
    )
    words = script(say, [density, distances])
    assert expected in words
    assert ("leaves the clusters" in words) == ("leaves" in expected)
    assert ("far from" in words) == ("far from" in expected)


def test_what_stands_in_for_a_prior_is_not_called_one(script: Callable[..., Any]) -> None:
    say = (
        "([own, gaussian, values]) => ip.densityWords({ logDensity: values, distances: [1, 1, 1] },"
        "'straight', { ownClusters: own, gaussian, latentDim: 10 })"
    )
    words = script(say, [True, False, [-20, -20, -19]])
    assert words.startswith("The density of these Gaussians falls nowhere")
    assert "where these Gaussians have their mass" in words
    assert "rises by 5 nats" in script(say, [False, True, [-20, -14, -19]])
    assert "The density of this Gaussian" in script(say, [False, False, [-20, -20, -19]])


def test_the_sentence_names_clusters_only_where_they_stand_out(script: Callable[..., Any]) -> None:
    def said(rows: list[list[float]]) -> Any:
        return script(
            "(rows) => ip.clusterWordsAlong(rows.flat(), rows.length, { assigning:"
            "{ k: rows[0].length }, clusterName: (c) => `c${c}` })",
            rows,
        )

    even = [0.24, 0.26, 0.25, 0.25]
    first, second = [0.9, 0.1, 0, 0], [0.1, 0.8, 0.1, 0]
    assert said([even, even[::-1], even]) == (
        "No cluster stands out along the way: p(c|z) is 26 % at most."
    )
    assert said([first] * 5) == "All of it is in cluster c0."
    assert said([first, even, even, even]) == "Only cluster c0 stands out, on 25 % of the way."
    assert said([first, first, second, second, second]) == "c0 turns into c1 at 38 %."
    assert said([first, even, second]) == (
        "c0 turns into c1 at 50 %. On 33 % of the way no cluster stands out."
    )
    # One of two clusters always has half.
    assert "No cluster stands out" in said([[0.52, 0.48], [0.48, 0.52]])


def test_numbers_have_their_thousands_and_one_minus_sign(script: Callable[..., Any]) -> None:
    given = [[-2377.31, 1], [12592.4, 0], [-10000, 0], [-0.04, 1], [3, 1]]
    found = script("(all) => all.map(([value, digits]) => ip.numberText(value, digits))", given)
    assert found == ["−2,377.3", "12,592", "−10,000", "0.0", "3.0"]


# --- The page -----------------------------------------------------------------------------------


class Page:
    """The page, and how many messages it has sent."""

    def __init__(self, context: Any, server: AppServer, query: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.sent: list[Any] = []
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("websocket", lambda s: s.on("framesent", lambda f: self.sent.append(f)))
        self.page.goto(f"{server.url}/interpolate?{query}")
        self.page.wait_for_selector(".ip[data-ready]:not([data-ready=''])")
        self.root = self.page.locator(".ip")

    def until(self, holds: Callable[[], bool], words: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"Waited in vain until {words}."
            self.page.wait_for_timeout(40)

    def rest(self) -> None:
        """Waits until nothing is sent any more."""
        count = -1
        while count != len(self.sent):
            count = len(self.sent)
            self.page.wait_for_timeout(900)

    def pixels(self, selector: str, i: int = 0) -> np.ndarray:
        """Grey levels of a canvas."""
        found = (
            self.root.locator(selector)
            .nth(i)
            .evaluate(
                "c => [c.height, c.width, ...c.getContext('2d')"
                ".getImageData(0, 0, c.width, c.height).data.filter((_, i) => i % 4 === 0)]"
            )
        )
        return np.array(found[2:]).reshape(found[:2]) / 255

    def tab(self, name: str) -> None:
        self.root.locator(f".ip-tabs [data-name={name}]").click()
        self.until(lambda: self.root.get_attribute("data-view") == name, f"{name} is open")


@pytest.fixture(scope="module")
def server(
    chromium: Any, explored_runs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    """One app for all of these tests; where there is no browser it is not started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("interpolate_server")
    log = folder / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    command += ["--server.headless", "true", "--server.address", "127.0.0.1"]
    command += ["--server.port", str(port)]
    environment = {
        **os.environ,
        "VADE_RUNS": str(explored_runs),
        "VADE_RECORDED": str(folder / "recorded"),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env=environment,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_up(process, f"{url}/_stcore/health", log)
            yield AppServer(url, explored_runs)
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def open_page(chromium: Any, server: AppServer) -> Iterator[Callable[..., Page]]:
    opened: list[Page] = []
    contexts = []

    def open_one(run: str, query: str = "") -> Page:
        contexts.append(
            chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        )
        opened.append(Page(contexts[-1], server, f"run={run}&{query}"))
        return opened[-1]

    yield open_one
    problems = [problem for shown in opened for problem in shown.problems]
    for context in contexts:
        context.close()
    assert not problems


def test_the_slider_changes_pixels_without_a_message_and_agrees_with_torch(
    open_page: Callable[..., Page], explored_runs: Path
) -> None:
    run = Run(explored_runs / VADE)
    found, model = explore(run), load_model(run)
    assert found is not None
    # Two points whose pictures differ the most from one another.
    decoded = model.decode(found.latents)
    i = int(decoded.sum(axis=1).argmax())
    k = int(np.abs(decoded - decoded[i]).sum(axis=1).argmax())
    a, b = found.latent(f"p{i}"), found.latent(f"p{k}")
    shown = open_page(VADE, f"a=p{i}&b=p{k}&way=sphere")
    path = shown.root.locator(".ip-path")
    shown.until(lambda: path.get_attribute("data-frames") == "11", "the strip is there")
    latents = latent_paths.spherical(a, b, np.linspace(0, 1, 11))
    expected = model.decode(latents.astype(np.float32)).reshape(11, 8, 8)
    strip = np.stack([shown.pixels(".ip-strip canvas", j) for j in range(11)])
    assert np.abs(strip - expected).max() < 0.02
    real = shown.pixels(".ip-slot canvas")
    np.testing.assert_allclose(real, found.pictures[i] / 255, atol=0.003)

    # Everything of the path is seen without scrolling.
    for part in (".ip-ends", ".ip-inset .ip-slider", ".ip-strip", ".ip-charts", ".ip-sentence"):
        box = shown.root.locator(part).first.bounding_box()
        assert box["y"] + box["height"] <= 800, part

    shown.rest()
    before, sent = shown.pixels(".ip-now"), len(shown.sent)
    slider = shown.root.locator(".ip-inset .ip-slider").first
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    shown.page.mouse.move(box["x"] + box["width"] / 2, y)
    shown.page.mouse.down()
    seen = []
    for share in np.linspace(0.55, 0.95, 6):
        drawn = path.get_attribute("data-drawn")
        shown.page.mouse.move(box["x"] + share * box["width"], y)
        shown.until(lambda old=drawn: path.get_attribute("data-drawn") != old, "it is drawn")
        seen.append(shown.pixels(".ip-now"))
    shown.page.wait_for_timeout(600)
    assert len(shown.sent) == sent, "a moving slider asked the server"
    shown.page.mouse.up()
    t = float(path.get_attribute("data-drawn"))
    assert t > 0.8
    # Let go, the link carries the place; so it does where a journey ends.
    shown.page.wait_for_url(f"**t={t:g}*")
    assert len({picture.tobytes() for picture in seen}) > 4
    assert np.abs(before - seen[-1]).max() > 0.02
    z = latent_paths.spherical(a, b, np.array([t]))
    now = model.decode(z.astype(np.float32)).reshape(8, 8)
    assert np.abs(shown.pixels(".ip-now") - now).max() < 0.02
    shown.root.locator("[data-act=play]").click()
    shown.until(lambda: float(path.get_attribute("data-drawn")) < t, "it plays back again")
    shown.root.locator("[data-act=play]").click()
    shown.until(lambda: f"t={t:g}" not in shown.page.url, "the link follows")
    shown.rest()
    sent = len(shown.sent)
    # The pointer on the map decodes, too.
    box = shown.root.locator(".ip-map").bounding_box()
    for step in range(4):
        shown.page.mouse.move(box["x"] + 60 + 20 * step, box["y"] + 90)
    shown.until(lambda: shown.root.locator(".ip-lens").is_visible(), "a digit follows the pointer")
    shown.page.wait_for_timeout(700)
    assert len(shown.sent) == sent, "something was sent to the server"

    with shown.page.expect_download() as download:
        shown.root.locator("[data-act=save]").click()
    picture = np.array(Image.open(io.BytesIO(Path(download.value.path()).read_bytes())))
    assert picture.shape[1] > 9 * picture.shape[0]


def test_what_is_picked_goes_into_the_link(
    open_page: Callable[..., Page], explored_runs: Path
) -> None:
    found = explore(Run(explored_runs / VADE))
    assert found is not None
    shown = open_page(VADE)
    shown.root.locator("[data-slot=B]").click()
    offer = shown.root.locator(f".ip-offer:not([data-code={usual_choice(found).b}])").nth(4)
    code = offer.get_attribute("data-code")
    offer.click()
    shown.root.get_by_role("button", name="Through means").click()
    shown.until(lambda: f"b={code}" in shown.page.url, "the address names B")
    shown.until(lambda: "way=means" in shown.page.url, "the address names the way")
    assert "mean" in shown.root.locator(".ip-sentence").inner_text()
    # A place on the map between all points, and a cluster's mean.
    shown.root.locator("[data-slot=A]").click()
    shown.root.get_by_role("button", name="Cluster means").click()
    shown.root.locator(".ip-offer").nth(2).click()
    shown.until(lambda: "a=c2" in shown.page.url, "the address names the mean")
    box = shown.root.locator(".ip-map").bounding_box()
    shown.page.mouse.click(box["x"] + 4, box["y"] + 4)
    shown.until(lambda: "a=z" in shown.page.url, "the address holds the latent")


def test_the_picker_opens_the_class_of_what_is_chosen(
    open_page: Callable[..., Page], explored_runs: Path
) -> None:
    found = explore(Run(explored_runs / VADE))
    assert found is not None
    assert found.labels is not None
    eights = np.flatnonzero(found.labels == 8)
    a, b = int(eights[-1]), int(np.flatnonzero(found.labels == 3)[0])
    shown = open_page(VADE, f"a=p{a}&b=p{b}")
    classes = shown.root.get_by_role("group", name="Class")

    def opened() -> str:
        return str(classes.locator("[aria-pressed=true]").inner_text())

    assert opened() == "8"
    assert shown.root.locator(f".ip-offer[data-code=p{a}]").count() == 1
    shown.root.locator("[data-slot=B]").click()
    assert opened() == "3"
    # One looks elsewhere, and takes what is there.
    classes.get_by_role("button", name="5").click()
    assert opened() == "5"
    shown.root.locator(".ip-offer").nth(2).click()
    assert "a real 5" in shown.root.locator("[data-slot=B]").inner_text()
    assert opened() == "5"
    shown.root.locator("[data-slot=A]").click()
    assert opened() == "8"


@pytest.mark.parametrize("height", [640, 700, 800])
def test_what_is_on_offer_ends_with_a_whole_row(
    open_page: Callable[..., Page], height: int
) -> None:
    shown = open_page(OWN)
    shown.page.set_viewport_size({"width": 1280, "height": height})
    grid = shown.root.locator(".ip-offers")
    for source in ("Real", "Cluster means"):
        shown.root.get_by_role("button", name=source).click()
        shown.page.wait_for_timeout(200)
        tiles, room, below = grid.evaluate(
            "g => { const r = g.getBoundingClientRect();"
            "const boxes = [...g.children].map((c) => c.getBoundingClientRect());"
            "return [boxes.filter((b) => b.top < r.bottom - 1).map((b) => b.bottom), r.bottom,"
            "g.scrollHeight - g.clientHeight]; }"
        )
        assert tiles
        assert max(tiles) <= room + 1
        if source == "Real":
            assert below <= 1
            assert grid.get_by_role("button", name="Others").is_visible()


def test_the_picker_takes_a_drawing(open_page: Callable[..., Page]) -> None:
    shown = open_page(VADE)
    shown.root.get_by_role("group", name="Choose from").get_by_role("button", name="Draw").click()
    box = shown.root.locator(".ip-pad").bounding_box()
    x, y = (box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x, y + 0.4 * box["height"], steps=3)
    shown.page.mouse.up()
    shown.until(lambda: "a=z" in shown.page.url, "the drawing is A")


def test_long_numbers_stay_on_the_page(open_page: Callable[..., Page]) -> None:
    far = base64.b64encode(np.full(10, 60, "<f4").tobytes(), b"-_").decode().rstrip("=")
    shown = open_page(VADE, f"a=z{far}&t=0")
    labels = shown.root.locator(".ip-axis span")
    shown.until(lambda: labels.count() > 0, "the axis has numbers")
    assert any(re.fullmatch(r"−\d+(,\d{3})+", text) for text in labels.all_inner_texts())
    assert re.fullmatch(r"−\d+(,\d{3})+\.\d", shown.root.locator(".ip-value").inner_text())
    assert "A lies far from" in shown.root.locator(".ip-path .ip-sentence").inner_text()
    stage = shown.root.locator(".ip-stage").bounding_box()
    assert all(labels.nth(i).bounding_box()["x"] >= stage["x"] - 0.5 for i in range(labels.count()))


def test_what_stands_in_for_a_prior_is_named_so(open_page: Callable[..., Page]) -> None:
    shown = open_page(DEC)
    heads = " ".join(shown.root.locator(".ip-chart-head").all_inner_texts())
    assert "log density of the Gaussians that stand in for a prior" in heads
    assert "under the prior" not in shown.root.inner_text()
    sentence = shown.root.locator(".ip-path .ip-sentence").inner_text()
    assert sentence.startswith("The density of these Gaussians")


def test_the_grid_has_the_chosen_corners(
    open_page: Callable[..., Page], explored_runs: Path
) -> None:
    shown = open_page(VADE, "view=corners")
    tiles = shown.root.locator(".ip-tiles")
    shown.until(lambda: tiles.get_attribute("data-painted") == "81", "the grid is there")
    run = Run(explored_runs / VADE)
    found, model = explore(run), load_model(run)
    assert found is not None
    corners = [found.latent(code) for code in usual_choice(found).corners]
    grid = shown.pixels(".ip-tiles").reshape(9, 8, 9, 8).swapaxes(1, 2).reshape(81, 8, 8)
    expected = model.decode(latent_paths.between_four(corners, 9).astype(np.float32))
    assert np.abs(grid - expected.reshape(81, 8, 8)).max() < 0.02
    own = model.decode(np.stack(corners).astype(np.float32)).reshape(4, 8, 8)
    assert np.abs(grid[[0, 8, 72, 80]] - own).max() < 0.02


def test_latent_sliders_and_arithmetic_move_without_a_message(
    open_page: Callable[..., Page], explored_runs: Path
) -> None:
    shown = open_page(VADE, "view=sliders&digit=p5&sum=p1.p1.p7")
    run = Run(explored_runs / VADE)
    found, model = explore(run), load_model(run)
    assert found is not None
    sliders = shown.root.locator(".ip-dim input")
    assert sliders.count() == 10
    shown.rest()
    sent = len(shown.sent)
    moved = sliders.nth(3).evaluate(
        # Towards the end that is further away.
        "s => { const high = 2 * s.value < Number(s.max) + Number(s.min);"
        "const share = high ? 0.9 : 0.1; s.value = share * s.max + (1 - share) * s.min;"
        "s.dispatchEvent(new Event('input')); return Number(s.value); }"
    )
    z = found.latent("p5").copy()
    low, high = (float(sliders.nth(3).get_attribute(end) or "nan") for end in ("min", "max"))
    assert abs(moved - z[3]) > 0.3 * (high - low)
    z[3] = moved
    expected = model.decode(z[None].astype(np.float32)).reshape(8, 8)
    assert np.abs(shown.pixels(".ip-now") - expected).max() < 0.02
    gamma = model.responsibilities(z[None].astype(np.float32))[0]
    bars = shown.root.locator(".ip-sliders .ip-bar").all_inner_texts()
    # Bars stand in the order of the clusters' names.
    assert sorted(int(re.findall(r"(\d+) %", text)[0]) for text in bars) == pytest.approx(
        sorted((100 * gamma).tolist()), abs=1
    )
    shown.root.locator("[data-act=reset]").click()
    assert float(sliders.nth(3).input_value()) == pytest.approx(found.latent("p5")[3], abs=1e-3)
    shown.page.wait_for_timeout(600)
    assert len(shown.sent) == sent
    # A - A + C is C.
    shown.tab("sum")
    same = model.decode(found.latent("p7")[None].astype(np.float32)).reshape(8, 8)
    shown.until(lambda: np.abs(shown.pixels(".ip-now") - same).max() < 0.02, "the sum is C")


def test_a_drawn_digit_is_shown_as_earlier_epochs_saw_it(
    open_page: Callable[..., Page], explored_runs: Path
) -> None:
    run = Run(explored_runs / HOT)
    shown = open_page(HOT, "view=draw")
    box = shown.root.locator(".ip-pad").bounding_box()
    mouse = shown.page.mouse
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=4)
    mouse.up()
    picture = centred(shown.pixels(".ip-pad"), (8, 8), 8).reshape(1, -1).astype(np.float32)

    def seen_by(frame: int | None) -> bool:
        model = load_model(run, frame)
        expected = model.decode(model.latents(picture)).reshape(8, 8)
        found = shown.pixels(".ip-draw-seen canvas", 1)
        return found.shape == (8, 8) and bool(np.abs(found - expected).max() < 0.03)

    shown.until(lambda: seen_by(None), "the last epoch's networks rebuild it")
    first = run.frame_numbers()[1]
    assert not seen_by(first)
    shown.page.get_by_role("slider", name="Epoch").focus()
    shown.page.keyboard.press("Home")
    shown.until(lambda: seen_by(first), "the first epoch's networks rebuild it")
    assert f"frame={first}" in shown.page.url
    assert not shown.problems


def test_a_drawn_digit_is_centred_encoded_and_flies_to_its_place(
    open_page: Callable[..., Page], explored_runs: Path
) -> None:
    shown = open_page(VADE, "view=draw")
    shown.rest()
    sent = len(shown.sent)
    box = shown.root.locator(".ip-pad").bounding_box()
    mouse = shown.page.mouse
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    mouse.down()
    for share in (0.4, 0.6, 0.8):
        mouse.move(box["x"] + 0.55 * box["width"], box["y"] + share * box["height"], steps=3)
    mouse.up()
    ink = shown.pixels(".ip-pad")
    seen = shown.pixels(".ip-draw-seen canvas")
    assert np.abs(seen - centred(ink, (8, 8), 8)).max() < 0.005
    model = load_model(Run(explored_runs / VADE))
    z = model.latents(centred(ink, (8, 8), 8).reshape(1, -1).astype(np.float32))
    rebuilt = model.decode(z).reshape(8, 8)
    assert np.abs(shown.pixels(".ip-draw-seen canvas", 1) - rebuilt).max() < 0.03
    shown.until(
        lambda: shown.root.locator(".ip-map").get_attribute("data-flight") == "1.00", "it flew"
    )
    shown.page.wait_for_timeout(600)
    assert len(shown.sent) == sent
    shown.root.locator("[data-use=b]").click()
    shown.until(lambda: "b=z" in shown.page.url, "the address carries the drawing")
    text = re.findall(r"[?&]b=z([\w-]+)", shown.page.url)[0]
    told = np.frombuffer(base64.b64decode(text + "=" * (-len(text) % 4), b"-_"), "<f4")
    np.testing.assert_allclose(told, z[0], atol=0.05)


def test_profiles_two_dimensions_and_a_server_that_decodes(
    open_page: Callable[..., Page],
) -> None:
    profiles = open_page(OWN)
    canvas = profiles.root.locator(".ip-strip canvas").first
    profiles.until(lambda: canvas.evaluate("c => c.width") == 120, "a profile is drawn")
    assert profiles.root.locator(".ip-tabs [data-name=path]").count() == 1
    assert profiles.root.locator(".ip-tabs [data-name=draw]").count() == 0
    assert "nothing to draw" in open_page(OWN, "view=draw").root.inner_text()

    plane = open_page(PLANE, "view=plane")
    tiles = plane.root.locator(".ip-tiles")
    plane.until(lambda: tiles.get_attribute("data-painted") == "225", "the plane is there")
    before = plane.pixels(".ip-tiles")
    plane.root.get_by_role("button", name="The latents' range").click()
    plane.until(lambda: tiles.get_attribute("data-painted") == "225", "the other plane is there")
    assert np.abs(before - plane.pixels(".ip-tiles")).max() > 0.05

    asking = open_page(VADE, "decode=server&a=p3&b=p8")
    path = asking.root.locator(".ip-path")
    asking.until(lambda: path.get_attribute("data-frames") == "11", "the server decoded the strip")
    assert asking.root.get_attribute("data-ready") == "server"
    local = open_page(VADE, "a=p3&b=p8")
    path = local.root.locator(".ip-path")
    local.until(lambda: path.get_attribute("data-frames") == "11", "the browser did, too")
    for i in (0, 5, 10):
        pair = [shown.pixels(".ip-strip canvas", i) for shown in (asking, local)]
        assert np.abs(pair[0] - pair[1]).max() < 0.02
