"""The latent map: packing in Python, and the component itself in a real browser."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pages.shared import latent_map
from vade_core import colours
from vade_core.map_frames import MapFrames, pack

ROOT = Path(__file__).parents[1]
N_POINTS = 240
N_FRAMES = 12


def make_frames(count: int = N_FRAMES, **changes: Any) -> MapFrames:
    """Three classes that leave one heap; cluster 2, 0, 1 stands for class 0, 1, 2."""
    rng = np.random.default_rng(0)
    labels = np.arange(N_POINTS) % 3
    heap, spread = rng.normal(size=(2, N_POINTS, 2))
    centres = np.array([[-20.0, -10.0], [20.0, -10.0], [0.0, 20.0]])
    share = np.linspace(0, 1, N_FRAMES)[:count, None, None]
    positions = 3 * heap * (1 - share) + (centres[labels] + spread) * share
    clusters = np.tile((labels + 2) % 3, (count, 1))
    gamma = np.full((count, N_POINTS, 3), 10, np.uint8)
    np.put_along_axis(gamma, clusters[..., None], 235, axis=2)
    fields: dict[str, Any] = {
        "positions": positions.astype(np.float32),
        "epochs": [i + 1 for i in range(count)],
        "phases": ["pretraining" if i < 4 else "free" for i in range(count)],
        "accuracy": [0.5 + i / 40 for i in range(count)],
        "labels": labels,
        "clusters": clusters,
        "confidence": gamma.max(axis=2),
        "entropy": np.full((count, N_POINTS), 60, np.uint8),
        "responsibilities": gamma,
        "matched": np.tile([1, 2, 0], (count, 1)),
        "pictures": rng.integers(0, 255, (N_POINTS, 5, 4), dtype=np.uint8),
        "caption": "PCA",
        "total": 70_000,
    }
    return MapFrames(**{**fields, **changes})


def unpack(message: bytes) -> tuple[dict[str, Any], Callable[[str], np.ndarray]]:
    """The message read by its written description, not by the code that made it."""
    assert message[:4] == b"VMAP"
    number, length = struct.unpack("<II", message[4:12])
    assert number == 1
    header = json.loads(message[12 : 12 + length])
    base = -(-(12 + length) // 8) * 8

    def part(name: str) -> np.ndarray:
        offset, size, shape = header["parts"][name]
        kind = "<u2" if name == "positions" else "u1"
        return np.frombuffer(message[base + offset : base + offset + size], kind).reshape(shape)

    return header, part


# ---------------------------------------------------------------- packing


def test_positions_come_back_within_one_step_of_their_frames_box() -> None:
    frames = make_frames()
    header, part = unpack(pack(frames))
    boxes = np.array([entry["box"] for entry in header["frames"]])
    back = boxes[:, None, :2] + part("positions") / 65535 * boxes[:, None, 2:]
    step = boxes[:, None, 2:] / 65535
    assert np.all(np.abs(back - frames.positions) <= step + 1e-4)


def test_first_leaves_out_earlier_frames_and_what_never_changes() -> None:
    frames = make_frames()
    header, part = unpack(pack(frames, first=9))
    assert [entry["title"] for entry in header["frames"]] == ["epoch 10", "epoch 11", "epoch 12"]
    assert part("clusters").shape == (3, N_POINTS)
    assert not {"pictures", "labels"} & set(header["parts"])
    assert header["count"] == N_FRAMES


def test_a_run_keeps_its_digest_while_it_grows_and_another_map_has_another() -> None:
    frames = make_frames()
    assert make_frames(3).run_digest() == frames.run_digest()
    assert make_frames(positions=frames.positions + 1).run_digest() != frames.run_digest()
    assert make_frames(caption="UMAP").run_digest() != frames.run_digest()


def test_responsibilities_of_the_last_frame_alone_belong_to_the_last_frame() -> None:
    last = make_frames().responsibilities[-1]
    header, part = unpack(pack(make_frames(responsibilities=last), first=5))
    assert header["sharesFirst"] == N_FRAMES - 1
    assert np.array_equal(part("responsibilities")[0], last)


def test_clusters_that_only_change_their_numbers_are_no_reshuffle() -> None:
    frames = make_frames(2)
    renamed = np.stack([frames.clusters[0], (frames.clusters[1] + 1) % 3])
    matched = np.array([[1, 2, 0], [0, 1, 2]])
    header, _ = unpack(pack(make_frames(2, clusters=renamed, matched=matched)))
    assert header["frames"][1]["reshuffled"] == 0
    header, _ = unpack(pack(make_frames(2, clusters=renamed, matched=None)))
    assert header["frames"][1]["reshuffled"] == 1


def test_points_without_responsibilities_have_no_cluster_and_finding_one_is_no_reshuffle() -> None:
    gamma = make_frames(3).responsibilities
    assert gamma is not None
    gamma[0] = 0
    header, part = unpack(pack(make_frames(3, responsibilities=gamma)))
    assert (part("clusters")[0] == 255).all()
    assert np.array_equal(part("clusters")[1:], make_frames(3).clusters[1:])
    assert header["frames"][1]["reshuffled"] is None
    assert header["frames"][2]["reshuffled"] == 0
    assert (
        unpack(pack(make_frames(3, responsibilities=gamma), first=1))[0]["frames"][0]
        == (header["frames"][1])
    )


def test_no_frames_and_missing_parts_pack() -> None:
    nothing = MapFrames(positions=np.zeros((0, 0, 2)), epochs=[], phases=[], accuracy=[])
    header, _ = unpack(pack(nothing))
    assert header["frames"] == []
    assert header["points"] == 0
    same_place = MapFrames(positions=np.ones((1, 4, 2)), epochs=["x"], phases=[""], accuracy=[None])
    header, part = unpack(pack(same_place))
    assert header["frames"][0]["box"] == [1, 1, 0, 0]
    assert not part("positions").any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positions": np.zeros((N_FRAMES, N_POINTS, 3))}, "positions has shape"),
        ({"positions": np.full((N_FRAMES, N_POINTS, 2), np.nan)}, "NaN"),
        ({"epochs": [1, 2]}, "epochs has 2 entries"),
        ({"recall": [0.5]}, "recall has 1 entries"),
        ({"labels": np.zeros(3, int)}, "labels has shape"),
        ({"labels": np.full(N_POINTS, -1)}, "labels must lie in"),
        ({"clusters": np.full((N_FRAMES, N_POINTS), 256)}, "clusters must lie in"),
        ({"matched": np.zeros((3, 3), int)}, "matched has shape"),
        ({"pictures": np.zeros((N_POINTS, 16), np.uint8)}, "pictures has shape"),
        ({"responsibilities": np.zeros((2, N_POINTS, 3), np.uint8)}, "responsibilities has shape"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_frames(**changes)


def test_an_answer_from_another_run_is_cut_to_this_one() -> None:
    state = {"selection": [7, 3, 3, -1, N_POINTS, "x"], "frame": N_FRAMES}
    answer = latent_map._answer(state, make_frames())
    assert answer.selected.tolist() == [3, 7]
    assert answer.frame == N_FRAMES - 1
    assert latent_map._answer({"frame": 2}, make_frames()).frame == 2


def test_the_joined_script_is_one_module_without_clashing_names() -> None:
    sources = [latent_map._read(name) for name in latent_map.SOURCES]
    joined = latent_map.join_modules(sources)
    assert not re.search(r"^import ", joined, re.MULTILINE)
    assert re.findall(r"^export .*?(?=\()", joined, re.MULTILINE) == [
        "export default function showLatentMap"
    ]
    declared = re.findall(r"^(?:function|const|let|class) (\w+)", joined, re.MULTILINE)
    assert len(declared) > 30
    assert len(declared) == len(set(declared))
    files = {path.name for path in latent_map.ASSETS.glob("*.js")}
    assert files == set(latent_map.SOURCES)


# ---------------------------------------------------------------- colours


def linear_rgb(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return to_lab @ np.cbrt(to_lms @ np.clip(rgb, 0, 1))


PROTANOPIA = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)


@pytest.mark.parametrize("eye", [np.eye(3), PROTANOPIA, DEUTERANOPIA])
def test_colours_stay_apart_for_every_eye(eye: np.ndarray) -> None:
    seen = [oklab(eye @ linear_rgb(colour)) for colour in colours.PALETTE[:14]]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert nearest > 0.065
    right, wrong = (oklab(eye @ linear_rgb(c)) for c in (colours.RIGHT, colours.WRONG))
    assert np.linalg.norm(right - wrong) > 0.15


def test_colours_show_on_white_and_on_black_and_carry_readable_text() -> None:
    assert len(colours.PALETTE) >= 20
    assert len(set(colours.PALETTE)) == len(colours.PALETTE)
    for colour in colours.PALETTE:
        light = float(linear_rgb(colour) @ [0.2126, 0.7152, 0.0722])
        assert 1.05 / (light + 0.05) > 1.9
        assert (light + 0.05) / 0.055 > 2.2
        text = colours.text_on(colour)
        contrast = (light + 0.05) / 0.05 if text == "#000000" else 1.05 / (light + 0.05)
        assert contrast >= 4.5
    with pytest.raises(ValueError, match="write it as #rrggbb"):
        colours.text_on("blue")


# ---------------------------------------------------------------- in the browser

APP = """
import json
import streamlit as st
from tests.test_latent_map_browser import make_frames
from pages.shared.latent_map import latent_map

st.set_page_config(layout="wide")
asked = st.query_params
changes = {}
if asked.get("labels") == "none":
    changes = dict(labels=None, matched=None, accuracy=[None] * 12)
if asked.get("early"):
    gamma = make_frames().responsibilities
    gamma[:4] = 0
    changes = dict(responsibilities=gamma)
if asked.get("names"):
    import numpy as np
    used, gamma = make_frames().clusters, make_frames().responsibilities
    if asked["names"] == "empty":
        used[used == 2] = 1
        gamma[..., 1], gamma[..., 2] = gamma[..., 1:].max(axis=2), 10
    means = np.tile([[20.0, -10.0], [0.0, 20.0], [-20.0, -10.0]], (12, 1, 1))
    changes = dict(clusters=used, responsibilities=gamma, means=means)
if asked.get("swap"):
    import numpy as np
    plain = make_frames(2)
    changes = dict(
        positions=np.stack([plain.positions[1]] * 2),
        clusters=np.stack([plain.clusters[0], (plain.clusters[0] + 1) % 3]),
        matched=np.array([[1, 2, 0], [0, 1, 2]]),
    )
count = 2 if asked.get("swap") else 12
live = bool(asked.get("live"))
if live:
    st.session_state.setdefault("count", 3)
    if st.button("More frames"):
        st.session_state.count += 3
    count = st.session_state.count
if st.checkbox("Shown", value=True):
    answer = latent_map(
        make_frames(count, **changes), key="map", live=live, height=500,
        colour=asked.get("colour", "label"), force_canvas2d=bool(asked.get("plain")),
    )
    said = dict(selected=answer.selected.tolist(), frame=answer.frame)
    st.code(json.dumps(said), language=None)
if asked.get("two"):
    latent_map(make_frames(5), key="second", height=400)
"""


@pytest.fixture(scope="module")
def map_server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small app of its own; where there is no browser it is not started."""
    folder = tmp_path_factory.mktemp("latent_map")
    script = folder / "map_app.py"
    script.write_text(APP, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = folder / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=folder)
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                    break
                except (urllib.error.URLError, OSError):
                    if server.poll() is not None or time.monotonic() > deadline:
                        pytest.fail(f"The app did not start: {log.read_text()[-800:]}")
                    time.sleep(0.2)
            yield address
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


class MapPage:
    """A page with a map, and what a test asks of it."""

    def __init__(self, page: Any, address: str, query: str) -> None:
        self.page = page
        self.problems: list[str] = []
        self.received: list[int] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "websocket",
            lambda socket: socket.on(
                "framereceived", lambda payload: self.received.append(len(payload))
            ),
        )
        page.goto(f"{address}/?{query}")
        page.wait_for_selector(".lm[data-frame]", timeout=30_000)
        self.root = page.locator(".lm").first

    def state(self, name: str) -> str:
        return str(self.root.get_attribute(f"data-{name}"))

    def wait(self, name: str, value: object) -> None:
        self.until(lambda: self.state(name) == str(value), f"{name} is {value}")

    def until(self, holds: Callable[[], bool], words: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"Waited in vain until {words}; {self.told()}"
            self.page.wait_for_timeout(40)

    def told(self) -> dict[str, str]:
        return self.root.evaluate("element => ({...element.dataset})")

    def said(self) -> dict[str, Any]:
        """What the wrapper answered in Python."""
        return json.loads(self.page.locator("[data-testid=stCode]").inner_text())

    def probe(self) -> np.ndarray:
        return np.array([float(v) for v in self.state("probe").split(",")])

    def box(self, part: str) -> dict[str, float]:
        return self.root.locator(part).bounding_box()

    def scrub(self, share: float) -> None:
        box = self.box(".lm-track")
        self.page.mouse.click(box["x"] + 14 + share * (box["width"] - 28), box["y"] + 50)

    def press(self, act: str) -> None:
        self.root.locator(f"[data-act={act}]").click()

    def zoom_in(self) -> str:
        """Turns the wheel over the map; the scale that it leads to."""
        home, box = self.state("scale"), self.box(".lm-over")
        self.page.mouse.move(box["x"] + 400, box["y"] + 150)
        self.page.mouse.wheel(0, -300)
        self.until(lambda: self.state("scale") != home, "the wheel zooms")
        return self.state("scale")

    def place_on_screen(self, x: float, y: float, frames: MapFrames) -> tuple[float, float]:
        """Where a place of the map is on the page, reckoned from point 0 and the scale."""
        at = frames.positions[int(self.state("frame")), 0]
        scale = float(self.state("scale"))
        left, top = self.probe()
        box = self.box(".lm-over")
        return (
            box["x"] + left + (x - at[0]) * scale,
            box["y"] + top - (y - at[1]) * scale,
        )

    def picture(self) -> np.ndarray:
        """The points as drawn, (h, w, 3), without words beside them."""
        from PIL import Image

        box = self.box(".lm-over")
        clip = {
            "x": box["x"] + box["width"] * 0.25,
            "y": box["y"],
            "width": box["width"] * 0.5,
            "height": box["height"] - 40,
        }
        return np.array(Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("RGB"))


@pytest.fixture
def open_map(map_server: str, chromium: Any) -> Iterator[Callable[..., MapPage]]:
    opened: list[MapPage] = []
    contexts = []

    def open_one(query: str = "", **settings: Any) -> MapPage:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, **settings)
        contexts.append(context)
        opened.append(MapPage(context.new_page(), map_server, query))
        return opened[-1]

    yield open_one
    problems = [problem for shown in opened for problem in shown.problems]
    for context in contexts:
        context.close()
    assert not problems


@pytest.mark.browser
def test_python_hears_of_no_frame_while_the_handle_is_held(open_map: Any) -> None:
    shown = open_map("points")
    before = shown.said()["frame"]
    box, mouse = shown.box(".lm-track"), shown.page.mouse
    x = box["x"] + 14 + (box["width"] - 28) * 3 / (N_FRAMES - 1)
    mouse.move(x, box["y"] + 50)
    mouse.down()
    shown.until(lambda: shown.state("frame") == "3", "it shows the frame")
    shown.page.wait_for_timeout(1500)
    assert shown.said()["frame"] == before
    mouse.up()
    shown.until(lambda: shown.said()["frame"] == 3, "Python hears of it")


@pytest.mark.browser
def test_scrubbing_moves_the_points_and_python_hears_of_it(open_map: Any) -> None:
    shown = open_map()
    assert shown.state("renderer") == "webgl2"
    assert shown.said() == {"selected": [], "frame": N_FRAMES - 1}
    before = shown.probe()
    shown.scrub(3 / (N_FRAMES - 1))
    shown.wait("position", "3.000")
    after = shown.probe()
    frames = make_frames()
    moved = (frames.positions[3, 0] - frames.positions[-1, 0]) * float(shown.state("scale"))
    assert after - before == pytest.approx([moved[0], -moved[1]], abs=0.5)
    assert "epoch 4" in shown.root.inner_text()
    assert "ACC 57.5 %" in shown.root.inner_text()
    assert f"{N_POINTS} of 70,000 shown" in shown.root.inner_text()
    shown.until(lambda: shown.said()["frame"] == 3, "Python hears of frame 3")


@pytest.mark.browser
def test_points_glide_between_frames_but_not_where_motion_is_unwelcome(open_map: Any) -> None:
    shown = open_map()
    places = set()
    shown.root.locator(".lm-track").focus()
    shown.page.keyboard.press("ArrowLeft")
    while shown.state("position") != "10.000":
        places.add(shown.state("position"))
        shown.page.wait_for_timeout(10)
    assert any(10 < float(place) < 11 for place in places)

    calm = open_map("", reduced_motion="reduce")
    calm.root.locator(".lm-track").focus()
    calm.page.keyboard.press("ArrowLeft")
    calm.wait("frame", 10)
    calm.press("play")
    seen = {calm.state("position") for _ in range(30) if not calm.page.wait_for_timeout(20)}
    assert all(place.endswith(".000") for place in seen)


@pytest.mark.browser
def test_zoom_and_place_survive_new_frames_of_a_live_run(open_map: Any) -> None:
    shown = open_map("live=1")
    shown.wait("frames", 3)
    zoomed = shown.zoom_in()
    drawn = int(shown.state("draws"))

    more = shown.page.get_by_role("button", name="More frames")
    more.click()
    shown.wait("frames", 6)
    shown.wait("frame", 5)
    assert shown.state("scale") == zoomed
    assert int(shown.state("draws")) > drawn, "the map was made anew"

    shown.scrub(0)
    shown.wait("frame", 0)
    more.click()
    shown.wait("frames", 9)
    news = shown.root.locator("[data-act=news]")
    news.wait_for(state="visible")
    assert shown.state("frame") == "0"
    news.click()
    shown.wait("frame", 8)
    assert shown.state("scale") == zoomed


@pytest.mark.browser
def test_a_live_run_sends_only_what_is_new(open_map: Any) -> None:
    shown = open_map("live=1")
    for count in (6, 9):
        shown.page.get_by_role("button", name="More frames").click()
        shown.wait("frames", count)
    script = len(latent_map.join_modules([latent_map._read(n) for n in latent_map.SOURCES]))
    static = len(latent_map._read("map.css")) + len(latent_map._read("map.html"))
    received = max(shown.received[-6:]) - script - static
    everything = len(pack(make_frames(9)))
    assert received < everything, (received, everything)
    header, part = unpack(pack(make_frames(9), first=6 - latent_map.TAIL))
    new = sum(part(name).nbytes for name in header["parts"])
    assert received < new + 6000, "pictures or old frames were sent again"


@pytest.mark.browser
def test_a_map_that_comes_back_gets_its_frames_and_its_zoom_again(open_map: Any) -> None:
    shown = open_map("live=1")
    shown.page.get_by_role("button", name="More frames").click()
    shown.wait("frames", 6)
    zoomed = shown.zoom_in()
    box_of_check = shown.page.get_by_text("Shown", exact=True)
    box_of_check.click()
    shown.root.wait_for(state="detached")
    shown.page.get_by_role("button", name="More frames").click()
    shown.page.wait_for_timeout(500)
    box_of_check.click()
    shown.page.wait_for_selector(".lm[data-frame]")
    shown.wait("frames", 9)
    assert shown.state("scale") == zoomed


@pytest.mark.browser
def test_lasso_and_box_return_the_points_inside(open_map: Any) -> None:
    frames = make_frames()
    shown = open_map()
    mouse = shown.page.mouse
    x, y = shown.place_on_screen(-20, -10, frames)
    reach = 8 * float(shown.state("scale"))
    mouse.move(x + reach, y)
    shown.page.keyboard.down("Shift")
    mouse.down()
    for angle in np.linspace(0, 2 * np.pi, 13)[1:]:
        mouse.move(x + reach * np.cos(angle), y + reach * np.sin(angle))
    mouse.up()
    shown.page.keyboard.up("Shift")
    first = np.flatnonzero(frames.labels == 0).tolist()
    shown.until(lambda: shown.said()["selected"] == first, "Python hears of the lasso")
    assert shown.state("selected") == str(len(first))

    shown.press("box")
    x, y = shown.place_on_screen(0, 20, frames)
    mouse.move(x - reach, y + reach)
    mouse.down()
    mouse.move(x + reach, y - reach, steps=4)
    mouse.up()
    third = np.flatnonzero(frames.labels == 2).tolist()
    shown.until(lambda: shown.said()["selected"] == third, "Python hears of the box")
    shown.press("clear")
    shown.until(lambda: shown.said()["selected"] == [], "Python hears of the clearing")


@pytest.mark.browser
def test_dragging_pans_and_a_double_click_shows_everything(open_map: Any) -> None:
    shown = open_map()
    before, home = shown.probe(), shown.state("scale")
    box = shown.box(".lm-over")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x + 60, y + 25, steps=5)
    shown.page.mouse.up()
    shown.until(lambda: bool(np.allclose(shown.probe() - before, [60, 25], atol=1)), "it pans")
    shown.page.mouse.wheel(0, 200)
    shown.until(lambda: shown.state("scale") != home, "the wheel zooms")
    shown.page.mouse.dblclick(x, y)
    shown.until(lambda: bool(np.allclose(shown.probe(), before, atol=1)), "it goes home")


@pytest.mark.browser
def test_keys_play_isolate_and_step(open_map: Any) -> None:
    shown = open_map()
    shown.root.focus()
    shown.page.keyboard.press("2")
    shown.wait("isolate", 2)
    shown.page.keyboard.press("Escape")
    shown.wait("isolate", -1)
    shown.page.keyboard.press("Home")
    shown.wait("position", "0.000")
    drawn = int(shown.state("draws"))
    shown.page.keyboard.press(" ")
    shown.root.locator("[data-act=play]", has_text="Pause").wait_for()
    shown.wait("position", f"{N_FRAMES - 1}.000")
    assert int(shown.state("draws")) - drawn > 20, "it does not play smoothly"
    shown.root.locator("[data-act=play]", has_text="Play").wait_for()
    drawn = shown.state("draws")
    shown.page.wait_for_timeout(500)
    assert shown.state("draws") == drawn, "it draws although nothing changes"


@pytest.mark.browser
def test_the_words_of_the_map_grow_with_the_type_of_the_page(open_map: Any) -> None:
    shown = open_map()
    title, over = shown.root.locator(".lm-epoch"), shown.root.locator(".lm-over")
    size = "(e) => parseFloat(getComputedStyle(e).fontSize)"
    small, track = title.evaluate(size), shown.box(".lm-track")["height"]
    drawn = over.evaluate("(canvas) => canvas.toDataURL()")
    shown.page.evaluate("() => { document.documentElement.style.fontSize = '34px'; }")
    shown.until(lambda: shown.box(".lm-track")["height"] == 2 * track, "the line of time grows")
    assert title.evaluate(size) == 2 * small
    svg = shown.root.locator(".lm-track svg")
    shown.until(lambda: svg.bounding_box()["height"] == 2 * track, "it is drawn anew")
    assert over.evaluate("(canvas) => canvas.toDataURL()") != drawn


@pytest.mark.browser
def test_the_card_tells_about_the_point_under_the_pointer(open_map: Any) -> None:
    shown = open_map()
    x, y = shown.probe()
    box = shown.box(".lm-over")
    shown.page.mouse.move(box["x"] + x, box["y"] + y)
    card = shown.root.locator(".lm-card")
    card.wait_for(state="visible")
    assert shown.state("hovered") == "0"
    words = card.inner_text()
    assert "cluster\n0" in words  # number 2, which is matched with class 0
    assert "right" in words
    assert "92 %" in words
    heights = [
        float(bar.get_attribute("style").split("height: ")[1].split("%")[0])
        for bar in card.locator(".lm-fill").all()
    ]
    assert heights == pytest.approx([100 * 10 / 255, 100 * 10 / 255, 100 * 235 / 255], abs=0.1)
    ink = card.locator("canvas").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    assert ink[::4] == make_frames().pictures[0].ravel().tolist()


@pytest.mark.browser
@pytest.mark.parametrize("query", ["colour=label", "colour=right", "colour=entropy"])
def test_a_plain_canvas_draws_the_same(open_map: Any, query: str) -> None:
    fast, plain = open_map(query), open_map(f"{query}&plain=1")
    assert (fast.state("renderer"), plain.state("renderer")) == ("webgl2", "canvas2d")
    for act in ("", "pictures"):
        if act:
            fast.press(act)
            plain.press(act)
            fast.page.wait_for_timeout(300)
            plain.page.wait_for_timeout(300)
        a, b = fast.picture().astype(int), plain.picture().astype(int)
        inked = (a < 245).any(axis=2)
        assert inked.mean() > 0.01, "nothing is drawn"
        assert (b < 245).any(axis=2)[inked].mean() > 0.75
        assert np.abs(a[inked].mean(axis=0) - b[inked].mean(axis=0)).max() < 40


@pytest.mark.browser
def test_colours_of_clusters_follow_the_class_and_not_the_number(open_map: Any) -> None:
    shown = open_map("swap=1&colour=cluster")
    after = shown.picture()
    shown.scrub(0)
    shown.wait("position", "0.000")
    assert np.array_equal(shown.picture(), after)
    assert len(np.unique(after.reshape(-1, 3), axis=0)) > 10, "nothing is drawn"


@pytest.mark.browser
def test_the_name_of_a_cluster_without_points_is_faint(open_map: Any) -> None:
    def faint(shown: MapPage) -> int:
        """Pixels of the names' layer that let a third of their colour through."""
        over = shown.root.locator(".lm-over")
        script = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        opacity = np.array(over.evaluate(script))[3::4] / 255
        assert (opacity > 0.95).sum() > 300, "no name is drawn"
        return int((np.abs(opacity - 0.35) < 0.02).sum())

    assert faint(open_map("names=full")) < 20
    assert faint(open_map("names=empty")) > 200


@pytest.mark.browser
def test_frames_from_before_the_clusters_are_grey_and_say_so(open_map: Any) -> None:
    shown = open_map("early=1&colour=cluster")
    assert len(np.unique(shown.picture()[..., 0])) > 3
    shown.scrub(0)
    shown.wait("position", "0.000")
    drawn = shown.picture().reshape(-1, 3).astype(int)
    assert (drawn.min(axis=1) < 200).any(), "nothing is drawn"
    assert np.ptp(drawn, axis=1).max() < 20, "a point has a colour"
    assert "none yet" in shown.root.locator(".lm-legend").inner_text()


@pytest.mark.browser
def test_without_labels_the_map_offers_no_colours_of_them_and_says_so(open_map: Any) -> None:
    shown = open_map("labels=none")
    offered = shown.root.locator(".lm-colour option").all_inner_texts()
    assert offered == ["Cluster", "Confidence", "Entropy"]
    assert shown.state("colour") == "cluster"
    words = shown.root.text_content()
    assert "No labels" in words
    assert "ACC 5" not in words


@pytest.mark.browser
def test_it_draws_again_after_the_graphics_context_was_lost(open_map: Any) -> None:
    shown = open_map()
    before = shown.picture()
    shown.root.locator(".lm-points").evaluate(
        """async canvas => {
            const extension = canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
            extension.loseContext();
            await new Promise(done => setTimeout(done, 200));
            extension.restoreContext();
            await new Promise(done => setTimeout(done, 400));
        }"""
    )
    assert np.abs(shown.picture().astype(int) - before).max() < 8


@pytest.mark.browser
def test_two_maps_on_a_page_do_not_meddle(open_map: Any) -> None:
    shown = open_map("two=1")
    second = shown.page.locator(".lm").nth(1)
    second.locator("[data-act=back]").click()
    shown.until(lambda: second.get_attribute("data-frame") == "3", "the second map steps")
    assert shown.state("frame") == str(N_FRAMES - 1)
    assert shown.said()["frame"] == N_FRAMES - 1
