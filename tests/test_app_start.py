"""Start with recorded runs: they play, lead to the time machine, and need no torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.shared import previews, session
from pages.shared.latent_map import MapFrames
from tests.test_app_start_load import words_of
from vade_core.map_frames import NO_CLUSTER
from vade_core.record import OPENING, Recording, record
from vade_core.runs import Run
from vade_core.worker import Worker

ROOT = Path(__file__).parents[1]
IDS = (*OPENING, "another")


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny recordings under the names of those that the app opens with, and one more."""
    out = tmp_path_factory.mktemp("recordings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VADE_RUNS", str(tmp_path_factory.mktemp("work")))
        for seed, run_id in enumerate(IDS):
            asked: dict[str, Any] = {"model": "vae", "overrides": {"hidden": [16], "epochs": 6}}
            if run_id == OPENING[0]:
                overrides = {"hidden": [16], "pretrain_epochs": 2, "epochs": 6, "start": "gmm"}
                asked = {"model": "vade", "overrides": overrides}
            asked |= {"dataset": "digits", "subset": 200, "seed": seed}
            one = Recording(
                run_id, f"Title of {run_id}", f"What {run_id} shows.\nWhy.", asked, lenses=("tsne",)
            )
            record([one], out, train=lambda run: Worker(run).work(), say=lambda words: None)
    return out


@pytest.fixture
def recorded(
    recordings: Path, runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The tiny recordings where recorded runs live; nothing of a person's own."""
    root = tmp_path / "recorded"
    shutil.copytree(recordings, root)
    monkeypatch.setenv("VADE_RECORDED", str(root))
    yield root
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, MapFrames]:
    """Stands in for the maps, which only a browser draws: what each got, by its key."""
    found: dict[str, MapFrames] = {}
    monkeypatch.setattr(
        previews, "map_preview", lambda frames, key, label: found.__setitem__(key, frames)
    )
    return found


def opened() -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    assert not app.exception
    return app


def test_three_recordings_play_with_a_sentence_each(
    recorded: Path, shown: dict[str, MapFrames]
) -> None:
    app = opened()
    assert list(shown) == [f"playing-{run_id}" for run_id in OPENING]
    words = words_of(app)
    links = [
        (link.proto.page, link.proto.query_string, link.proto.label.replace("\\", ""))
        for link in app.get("page_link")
    ]
    for run_id in OPENING:
        frames, run = shown[f"playing-{run_id}"], Run(recorded / run_id)
        assert frames.n_frames == len(run.frame_numbers())
        assert frames.epochs[0] == "untrained"
        assert (frames.assigned(0) == NO_CLUSTER).all()
        assert ("time-machine", f"run={run_id}", f"Title of {run_id}") in links
        measured = [line["acc"] for line in run.metrics() if line["acc"] is not None]
        first, last = (f"{100 * acc:.1f} %" for acc in (measured[0], measured[-1]))
        start = [line["start_acc"] for line in run.metrics() if "start_acc" in line]
        expected = f"What {run_id} shows. ACC goes from {first} to {last}."
        if max(measured) > max(measured[0], measured[-1]) + previews.WORTH_TELLING:
            most = f"{100 * max(measured):.1f} %"
            expected = f"What {run_id} shows. ACC goes from {first} to {most} and ends at {last}."
        if start:
            of_start = f"its start: {100 * start[0]:.1f} %."
            expected = f"What {run_id} shows. Its clusters: ACC {first} to {last}; {of_start}"
        assert expected in words.replace("\N{NO-BREAK SPACE}", " ")
    assert "Recorded runs, playing in step." in words
    assert "200 of 200 samples shown" not in words  # their seeds differ
    # The others are cards, which lead to their page; a person's own come first.
    assert [heading.value for heading in app.subheader] == ["More recorded runs"]
    assert ("load", "run=another", "Title of another") in links
    assert "No runs yet" not in words
    primary = [button.key for button in app.button if button.proto.type == "primary"]
    assert primary == ["start-train"]


def test_a_caption_says_how_the_maps_were_made(recorded: Path, shown: dict[str, MapFrames]) -> None:
    for run_id in OPENING[1:]:
        shutil.rmtree(recorded / run_id)
    shutil.rmtree(recorded / "another")
    app = opened()
    assert list(shown) == [f"playing-{OPENING[0]}"]
    expected = "200 of 200 samples shown · t-SNE, perplexity 30, seed 0 · coloured by label"
    assert any(expected in caption.value for caption in app.caption)


def test_another_takes_the_place_of_one_that_is_missing(
    recorded: Path, shown: dict[str, MapFrames]
) -> None:
    shutil.rmtree(recorded / OPENING[1])
    opened()
    assert list(shown) == [f"playing-{run_id}" for run_id in (OPENING[0], OPENING[2], "another")]


def test_a_recording_that_cannot_be_read_takes_nothing_else_down(
    recorded: Path, shown: dict[str, MapFrames]
) -> None:
    (recorded / OPENING[0] / "stage.safetensors").write_bytes(b"nonsense")
    (recorded / OPENING[1] / "config.json").write_text("{")
    app = opened()
    # The one without a configuration counts as broken, and another plays in its place.
    assert list(shown) == [f"playing-{OPENING[2]}", "playing-another"]
    (error,) = app.error
    assert "stage.safetensors is truncated or no safetensors file" in error.value


def test_without_recordings_the_page_says_how_to_make_them(
    runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: dict[str, MapFrames]
) -> None:
    monkeypatch.setenv("VADE_RECORDED", str(tmp_path / "none"))
    app = opened()
    session.job_manager().close()
    assert not shown
    assert [code.value for code in app.code] == ["python -m vade_core record"]
    assert "No recorded runs here" in words_of(app)


def test_recorded_runs_can_be_opened_but_not_changed(recorded: Path) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    app.switch_page("pages/load.py")
    app.query_params["run"] = OPENING[0]
    app.run()
    assert not app.exception
    keys = {button.key for button in app.button}
    assert f"copy-{OPENING[0]}" in keys
    assert not {"delete", f"train-on-{OPENING[0]}", f"resume-{OPENING[0]}"} & keys
    assert not any(
        "note-" in str(field.key) or "title-" in str(field.key) for field in app.text_input
    )


OPENS = """
import sys
from streamlit.testing.v1 import AppTest
from pages.shared import session

session.job_manager = lambda: None  # comes when the page is on the screen, and brings torch along
app = AppTest.from_file("app.py", default_timeout=30).run()
assert not app.exception, app.exception
assert len(app.get("page_link")) == 4, app.error
heavy = {"torch", "sklearn", "scipy", "umap", "numba", "openTSNE"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_the_page_needs_neither_torch_nor_scikit_learn(recorded: Path) -> None:
    done = subprocess.run([sys.executable, "-c", OPENS], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


# --- In a real browser --------------------------------------------------------------------------


@pytest.fixture
def served(recorded: Path, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("app_server").url)


class Previews:
    """The maps that play on the first page."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.until(lambda: page.locator(".lm-preview[data-frame]").count() == 3, "three maps")
        self.all = [page.locator(".lm-preview").nth(i) for i in range(3)]

    def until(self, holds: Callable[[], bool], words: str, tries: int = 400) -> None:
        for _ in range(tries):
            if holds():
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"Waited in vain until {words}.")

    def places(self) -> list[float]:
        return [float(each.get_attribute("data-position")) for each in self.all]


@pytest.mark.browser
def test_three_maps_play_pause_and_lead_to_the_time_machine(served: str, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(30_000)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        page.goto(served)
        maps = Previews(page)
        before = maps.places()
        maps.until(lambda: all(a != b for a, b in zip(before, maps.places(), strict=True)),
                   "all three move")  # fmt: skip
        # In step: each has come as far through its own frames.
        lasts = [int(each.get_attribute("data-frames")) - 1 for each in maps.all]
        page.get_by_role("button", name="Pause").nth(1).click()
        maps.until(lambda: page.get_by_role("button", name="Play").count() == 3, "all three rest")
        resting = maps.places()
        shares = [place / last for place, last in zip(resting, lasts, strict=True)]
        assert max(shares) - min(shares) < 0.02
        draws = [each.get_attribute("data-draws") for each in maps.all]
        page.wait_for_timeout(400)
        assert maps.places() == resting
        assert [each.get_attribute("data-draws") for each in maps.all] == draws
        for box in (each.bounding_box() for each in maps.all):
            assert box["y"] + box["height"] < 800, "a map is not on the screen at once"

        # The wheel scrolls the page, it does not zoom a map.
        scale = maps.all[0].get_attribute("data-scale")
        page.mouse.move(250, 480)
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(300)
        assert maps.all[0].get_attribute("data-scale") == scale
        page.mouse.wheel(0, -600)

        # Looked for elsewhere and come back, it still rests; Play goes on.
        page.get_by_role("link", name="Load").click()
        page.get_by_text("Bring a run in").wait_for()
        page.get_by_role("link", name="Start").click()
        maps = Previews(page)
        assert maps.places() == resting
        page.get_by_role("button", name="Play").first.click()
        maps.until(lambda: maps.places() != resting, "they play again")

        page.locator(f".st-key-preview-{OPENING[1]}").click(position={"x": 150, "y": 150})
        page.wait_for_url(f"**/time-machine?run={OPENING[1]}**")
        page.locator(".lm-track").wait_for()
        assert said == []
    finally:
        context.close()


@pytest.mark.browser
def test_who_prefers_less_motion_is_shown_the_end(served: str, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    try:
        page.goto(served)
        maps = Previews(page)
        ends = [float(each.get_attribute("data-frames")) - 1 for each in maps.all]
        page.wait_for_timeout(500)
        assert maps.places() == ends
        assert page.get_by_role("button", name="Play").count() == 3
    finally:
        context.close()
