"""The recorded runs that are shipped: what they hold, and every page opened on each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import AppServer

from vade_core.record import BUDGET, RECORDINGS, Recording, total_size
from vade_core.runs import ASSETS, UNTRAINED, Run, read_json

SHIPPED = ASSETS / "runs"
PAGES = ("time-machine", "clusters", "interpolate", "how-many-clusters", "compare", "load")


@pytest.fixture(params=RECORDINGS, ids=lambda recording: recording.id)
def recording(request: pytest.FixtureRequest) -> Recording:
    found: Recording = request.param
    return found


def test_all_assets_keep_to_their_budget() -> None:
    assert {folder.name for folder in SHIPPED.iterdir()} == {one.id for one in RECORDINGS}
    assert total_size(SHIPPED) <= BUDGET


def test_a_recording_is_whole_and_is_what_its_recipe_asks_for(recording: Recording) -> None:
    run = Run(SHIPPED / recording.id)
    config, lines, numbers = run.config, run.metrics(), run.frame_numbers()
    assert run.status()["state"] == "finished"
    assert run.note() == {"title": recording.title, "note": recording.note}
    assert (config.model, config.dataset) == (recording.asked["model"], "mnist")
    assert config.preset == recording.asked["preset"]
    assert config.n_samples == 70_000
    for name, value in dict(recording.asked.get("overrides", {})).items():
        assert config.parameters[name] == value
    assert 20 <= len(numbers) <= 40
    assert tuple(config.lenses) == recording.lenses
    assert lines[0]["phase"] == UNTRAINED
    assert numbers[0] == 0
    assert numbers[-1] == len(lines) - 1
    for number in (numbers[0], numbers[-1]):
        frame = run.frame(number)
        assert set(frame.maps) == set(recording.lenses)
        assert all(np.isfinite(places).all() for places in frame.maps.values())
    measured = read_json(run.path / "evaluation.json")["values"]
    assert measured["acc"] == pytest.approx(lines[-1]["acc"], abs=1e-4)


def test_the_recordings_tell_the_story_they_are_for() -> None:
    acc = {one.id: Run(SHIPPED / one.id).summary()["acc"] for one in RECORDINGS}
    assert acc["vade-k10"] > 0.97
    assert acc["lambda-hot"] > 0.97
    assert acc["vade-fails"] < 0.6
    assert acc["vae"] < acc["vade-paper"] < acc["vade-k10"]
    assert acc["vae"] < acc["gmvae"] < acc["vade-k10"]


@pytest.fixture
def shipped_app(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AppServer:
    monkeypatch.setenv("VADE_RECORDED", str(SHIPPED))
    server: AppServer = request.getfixturevalue("app_server")
    return server


def test_every_page_opens_on_every_recording_without_an_error(
    chromium: Any, shipped_app: AppServer
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on(
        "console",
        # Streamlit asks for its own health below the page's address first, and gets a 404.
        lambda said: (
            wrong.append(f"{page.url}: {said.text}")
            if said.type == "error" and "404" not in said.text
            else None
        ),
    )
    for one in RECORDINGS:
        for name in PAGES:
            query = f"runs={one.id},vae" if name == "compare" else f"run={one.id}"
            page.goto(f"{shipped_app.url}/{name}?{query}")
            # Before its first run a page is at rest, too.
            page.wait_for_function(
                "() => document.querySelector('[data-testid=stMainBlockContainer]')"
                "?.innerText.trim()"
            )
            page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
            troubles = page.locator(
                "[data-testid=stException], [data-testid=stAlertContentError]"
            ).all_inner_texts()
            assert not troubles, (name, one.id, troubles)
    context.close()
    assert not wrong, wrong
