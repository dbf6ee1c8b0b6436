"""All samples of a run on one map: made, kept, found, and asked for on the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.shared import map_making, session
from tests.test_app_start_load import errors_of, words_of
from vade_core import whole_map, worker
from vade_core.cli import main
from vade_core.data import load
from vade_core.map_jobs import MapJob
from vade_core.projection import movement
from vade_core.rebuild import load_dataset, load_model
from vade_core.recorder import Recorder
from vade_core.runs import Frame, Run, RunError
from vade_core.whole_map import WholeMap, WholeSet, placed_near, sampled_recall

ROOT = Path(__file__).parents[1]
N, ON_STAGE = 400, 150


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run whose maps show some of its samples only."""
    folder = tmp_path_factory.mktemp("made") / "digits"
    words = f"train --preset short --dataset digits --subset {N} --epochs 2 --pretrain-epochs 2"
    more = ["--hidden", "16,16", "--maps", "tsne,pca,first-two", "--out", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "STAGE_SIZE", ON_STAGE)
        assert main([*words.split(), *more]) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("VADE_RECORDED", str(tmp_path / "recorded"))
    shutil.copytree(trained, tmp_path / "runs" / "digits")
    return Run(tmp_path / "runs" / "digits")


def last_frame(run: Run) -> Frame:
    return run.frame(run.frame_numbers()[-1])


def made(run: Run, lens: str) -> WholeSet:
    task = WholeMap(run, lens)
    task.make()
    found = task.find(last_frame(run))
    assert found is not None
    return found


# --- Making it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lens", ["pca", "first-two"])
def test_a_linear_map_puts_the_stage_set_where_it_stands(run: Run, lens: str) -> None:
    whole = made(run, lens)
    rows, own = run.stage().rows, last_frame(run).maps[lens]
    places = whole.frame.maps[lens]
    assert places.shape == (N, 2)
    # Latents are kept in half precision.
    assert np.abs(places[rows] - own).max() < 0.01 * np.ptp(own, axis=0).max()
    if lens == "first-two":
        assert places == pytest.approx(whole.frame.latents[:, :2], abs=0.02)


def test_tsne_goes_on_from_the_stage_sets_map(run: Run) -> None:
    whole = made(run, "tsne")
    frame, rows = last_frame(run), run.stage().rows
    places = whole.frame.maps["tsne"]
    nowhere = np.random.default_rng(0).permutation(places[rows])
    assert movement(frame.maps["tsne"], places[rows]) < 0.5
    assert movement(frame.maps["tsne"], nowhere) > 1
    assert whole.recall > 0.3
    model, dataset = load_model(run), load_dataset(run.config)
    latents = model.transform(dataset.samples)
    assert whole.frame.latents == pytest.approx(latents, abs=0.01 * float(np.ptp(latents)))
    assert (whole.frame.clusters == model.predict(dataset.samples)).all()
    assert (whole.labels == dataset.labels).all()


def test_it_is_found_until_the_last_frame_is_another(run: Run) -> None:
    task, frame = WholeMap(run, "pca"), last_frame(run)
    assert task.find(frame) is None
    said: list[tuple[str, float]] = []
    task.make(lambda words, share: said.append((words, share)))
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert any(f"{N}" in words for words, _ in said)
    assert task.status()["words"] == "Finished"
    assert task.find(frame) is not None
    recorder = Recorder(run)
    recorder.frame(Frame(**{**vars(frame), "latents": frame.latents + 1}))
    recorder.close()
    assert task.find(last_frame(run)) is None
    task.path.write_bytes(b"rubbish")
    assert task.find(frame) is None


def test_weights_of_another_epoch_are_refused_and_it_is_written_down(run: Run) -> None:
    frame = last_frame(run)
    recorder = Recorder(run)
    recorder.frame(Frame(**{**vars(frame), "latents": frame.latents[::-1]}))
    recorder.close()
    task = WholeMap(run, "pca")
    with pytest.raises(RunError, match="another epoch"):
        task.make()
    assert "another epoch" in task.status()["error"]
    assert not task.is_running()


def test_what_cannot_be_is_refused(run: Run) -> None:
    with pytest.raises(RunError, match="no map 'nonsense'"):
        WholeMap(run, "nonsense")
    with pytest.raises(RunError, match="no umap map"):
        WholeMap(run, "umap").make()
    shutil.rmtree(run.path / "frames")
    with pytest.raises(RunError, match="no frames yet"):
        WholeMap(run, "tsne")


def test_a_recorded_run_is_never_changed(run: Run, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded"
    shutil.copytree(run.path, recorded / "digits")
    before = sorted(recorded.rglob("*"))
    whole = made(Run(recorded / "digits"), "pca")
    assert len(whole.frame.latents) == N
    assert sorted(recorded.rglob("*")) == before


def test_the_command_line_makes_it_and_says_what_is_wrong_in_a_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert whole_map.main([str(run.path), "--lens", "pca"]) == 0
    assert WholeMap(run, "pca").find(last_frame(run)) is not None
    capsys.readouterr()
    assert whole_map.main([str(run.path), "--lens", "umap"]) == 2
    said = capsys.readouterr().err.strip().split("\n")
    assert said[-1].startswith("whole_map: ")
    assert whole_map.main(["nobody", "--lens", "pca"]) == 2


# --- Its parts ----------------------------------------------------------------------------------


def test_samples_stand_amid_their_neighbours() -> None:
    rng = np.random.default_rng(1)
    stage, places, others = (
        rng.normal(size=(30, 4)),
        rng.normal(size=(30, 2)),
        rng.normal(size=(9, 4)),
    )
    found = placed_near(np.concatenate([stage, others]), stage, places, k=3)
    assert found[:30] == pytest.approx(places, abs=1e-5)
    for latent, place in zip(others, found[30:], strict=True):
        distances = np.linalg.norm(stage - latent, axis=1)
        nearest = np.argsort(distances)[:3]
        expected = np.average(places[nearest], axis=0, weights=distances[nearest] ** -2.0)
        assert place == pytest.approx(expected, abs=1e-4)


def test_recall_of_a_map_of_itself_is_whole_and_of_a_shuffled_one_is_chance() -> None:
    flat = np.random.default_rng(2).normal(size=(500, 2))
    assert sampled_recall(flat, flat, samples=100) == 1
    shuffled = np.random.default_rng(3).permutation(flat)
    assert sampled_recall(flat, shuffled) < 0.1
    assert sampled_recall(np.ones((30, 2)), np.ones((30, 2))) > 0  # all in one place


def test_as_frames_it_has_one_frame_of_all_samples(run: Run) -> None:
    frames = made(run, "pca").frames(run, "pca", run.metrics())
    assert frames is not None
    assert (frames.n_frames, frames.n_points, frames.total) == (1, N, N)
    assert frames.accuracy[0] == run.metrics()[-1]["acc"]
    assert frames.confidence is not None
    assert frames.pictures is None
    assert frames.matched is not None
    right = frames.matched[0][frames.clusters[0]] == frames.labels
    # ACC is counted with the same matching, on the same samples.
    assert right.mean() == pytest.approx(frames.accuracy[0], abs=0.02)


# --- On the page --------------------------------------------------------------------------------


@pytest.fixture
def made_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the page asks for is made at once, in this process."""
    asked: list[str] = []

    def start(self: object, task: MapJob) -> bool:
        asked.append(task.path.name)
        assert isinstance(task, WholeMap)
        task.make()
        return True

    monkeypatch.setattr(map_making._Makers, "start", start)
    yield asked
    session.job_manager().close()
    st.cache_resource.clear()


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/time-machine.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def test_the_button_has_the_map_made_and_then_it_is_shown(run: Run, made_here: list[str]) -> None:
    app = opened(run="digits", lens="pca")
    assert f"shows {ON_STAGE} samples of {N}" in words_of(app)
    assert app.button(key="tm-whole").label == f"All {N} points"
    app.button(key="tm-whole").click().run()
    assert not app.exception
    number = run.frame_numbers()[-1]
    assert made_here == [f"{number:05d}.pca.all.safetensors"]
    assert not any(button.key == "tm-whole" for button in app.button)
    assert f"among all {N} are kept" in words_of(app)


def test_what_went_wrong_is_said_on_the_page(run: Run, made_here: list[str]) -> None:
    (run.path / "checkpoint.safetensors").unlink()
    with pytest.raises(RunError):
        WholeMap(run, "pca").make()
    (error,) = errors_of(opened(run="digits", lens="pca"))
    assert "no trained model" in error


def test_pictures_are_those_of_the_data(run: Run) -> None:
    from pages.shared import whole_map as page_part

    frames = made(run, "pca").frames(run, "pca", run.metrics())
    assert frames is not None
    pictured = page_part._with_pictures(run, frames).pictures
    assert pictured is not None
    stage = run.stage()
    assert stage.pictures is not None
    assert (pictured[stage.rows] == stage.pictures).all()
    assert load("digits").image_shape == pictured.shape[1:]
    st.cache_resource.clear()
