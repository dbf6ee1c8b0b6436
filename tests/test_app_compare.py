"""Compare as a person uses it, on real tiny runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from conftest import opened_page

from pages.shared import compare_maps, compare_measure, session
from pages.shared.latent_map import GroupPlace, MapAnswer
from tests.test_app_start_load import errors_of, link_of, words_of
from vade_core.cli import main
from vade_core.evaluated import keep_evaluation
from vade_core.map_frames import MapFrames
from vade_core.models import MODELS
from vade_core.runs import Run

VADE, VAE, OTHER, BARE = "vade-small", "vae-small", "vade-other", "bare-small"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny runs, trained once and measured: two on the same digits, one on other digits, one on
    numbers without labels and pictures."""
    root = tmp_path_factory.mktemp("made")
    words = ["train", "--dataset", "digits", "--subset", "200", "--hidden", "8,8"]
    words += ["--preset", "short"]
    vade = [*words, "--pretrain-epochs", "1", "--epochs", "2"]
    assert main([*vade, "--maps", "tsne,pca", "--out", str(root / VADE)]) == 0
    assert main([*vade, "--maps", "pca", "--seed", "4", "--out", str(root / OTHER)]) == 0
    vae = ["--model", "vae", "--epochs", "2", "--maps", "tsne,pca"]
    assert main([*words, *vae, "--out", str(root / VAE)]) == 0
    numbers = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    np.savez(root / "numbers.npz", X=numbers)
    bare = f"train --data {root / 'numbers.npz'} --model vae --clusters 3 --hidden 8 --epochs 2"
    assert main([*bare.split(), "--maps", "pca", "--out", str(root / BARE)]) == 0
    for run_id in (VADE, VAE, OTHER, BARE):
        keep_evaluation(Run(root / run_id), root / run_id)
    return root


@pytest.fixture
def runs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of VAE and VaDE, where the app looks."""
    root = tmp_path / "runs"
    root.mkdir()
    for run_id in (VADE, VAE):
        shutil.copytree(made / run_id, root / run_id)
    monkeypatch.setenv("VADE_RUNS", str(root))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    yield root
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the maps, which only a browser draws: what they and their group got."""
    told: dict[str, Any] = {"maps": {}, "group": None}

    def draw(frames: MapFrames, *, key: str, **options: Any) -> MapAnswer:
        told["maps"][key.removeprefix("cmp-")] = {"frames": frames, **options}
        return MapAnswer(np.array([], np.int64), frames.n_frames - 1)

    def group(places: list[GroupPlace], **options: Any) -> None:
        told["group"] = {"places": places, **options}

    monkeypatch.setattr(compare_maps, "latent_map", draw)
    monkeypatch.setattr(compare_maps, "map_group", group)
    return told


opened = partial(opened_page, "compare")


def add(made: Path, runs: Path, *ids: str) -> None:
    for run_id in ids:
        shutil.copytree(made / run_id, runs / run_id)


def places_of(shown: dict[str, Any]) -> dict[str, GroupPlace]:
    return {place.key: place for place in shown["group"]["places"]}


def test_it_opens_on_vae_beside_vade_with_maps_table_curves_and_samples(
    runs: Path, shown: dict[str, Any]
) -> None:
    app = opened()
    assert errors_of(app) == []
    assert list(shown["maps"]) == [VAE, VADE]
    places = places_of(shown)
    assert [(place.sign, place.title) for place in places.values()] == [("A", "VAE"), ("B", "VaDE")]
    assert list(places[VAE].rows) == list(places[VADE].rows) == list(range(200))
    assert shown["group"]["shared"]
    assert shown["group"]["noun"] == "digits"
    assert "runs" not in link_of(app)
    words = words_of(app)
    for model in ("vae", "vade"):
        assert MODELS[model].summary in words
    assert "VAE has no clusters of its own" in words
    for run_id in (VAE, VADE):
        last = Run(runs / run_id).metrics()[-1]
        assert f"ACC {100 * last['acc']:.1f} %" in words
    assert "measuring" not in words
    assert "not measured" not in words
    for measure in ("Silhouette", "Calinski-Harabasz", "kNN error, k = 10", "Reconstruction"):
        assert measure in words
    assert "Originals" in words
    assert "A row a cluster" in words
    assert "no cluster can be asked for" in words
    assert {button.proto.label for button in app.get("download_button")} == {"CSV", "NPZ", "PNG"}


def test_a_link_opens_three_runs_and_a_map(made: Path, runs: Path, shown: dict[str, Any]) -> None:
    shutil.copytree(made / VADE, runs / "vade-again")
    app = opened(runs=f"{VADE},{VAE},vade-again", lens="pca")
    assert list(shown["maps"]) == [VADE, VAE, "vade-again"]
    assert all(drawn["frames"].caption == "PCA" for drawn in shown["maps"].values())
    assert len({place.title for place in places_of(shown).values()}) == 3
    assert link_of(app)["runs"] == f"{VADE},{VAE},vade-again"
    assert link_of(app)["lens"] == "pca"
    shown["maps"].clear()
    app.multiselect(key="cmp-runs").set_value([VAE, VADE]).run()
    assert not app.exception
    assert list(shown["maps"]) == [VAE, VADE]
    assert link_of(app)["runs"] == f"{VAE},{VADE}", "the newest VaDE is another"


@pytest.mark.parametrize("asked", ["nonsense", "../../etc", "x" * 300])
def test_a_run_that_is_missing_is_named_and_the_others_are_shown(
    runs: Path, shown: dict[str, Any], asked: str
) -> None:
    app = opened(runs=f"{VADE},{asked}")
    (error,) = errors_of(app)
    assert "run" in error
    assert list(shown["maps"]) == [VADE, VAE], "VaDE gets its usual partner"


def test_other_data_sets_share_time_alone_and_nobody_is_the_better_one(
    made: Path, runs: Path, shown: dict[str, Any]
) -> None:
    add(made, runs, BARE)
    app = opened(runs=f"{VADE},{BARE}")
    assert errors_of(app) == []
    assert not shown["group"]["shared"]
    assert [place.rows for place in shown["group"]["places"]] == [None, None]
    assert "different data sets" in shown["group"]["note"]
    assert shown["group"]["noun"] == "samples"
    words = words_of(app)
    assert "none is marked as the better one" in words
    assert "ct-star" not in words.split("</style>")[-1]
    assert "numbers has no labels" in words
    assert "each run has originals of its own" in words


def test_other_parts_of_one_data_set_are_compared_where_they_meet(
    made: Path, runs: Path, shown: dict[str, Any]
) -> None:
    add(made, runs, OTHER)
    app = opened(runs=f"{VADE},{OTHER}")
    assert errors_of(app) == []
    stages = [Run(runs / run_id).stage() for run_id in (VADE, OTHER)]
    drawn = [
        {picture.tobytes() for picture in stage.pictures if stage.pictures is not None}
        for stage in stages
    ]
    common = len(drawn[0] & drawn[1])
    assert 0 < common < 200
    a, b = (set(place.rows) for place in shown["group"]["places"])
    assert len(a & b) == common
    assert f"{common} of 200 points stand on all maps" in shown["group"]["note"]
    assert "tsne" not in str(link_of(app)), "only one of them has that map"


def test_without_labels_there_is_still_a_comparison(
    made: Path, runs: Path, shown: dict[str, Any]
) -> None:
    add(made, runs, BARE)
    shutil.copytree(made / BARE, runs / "bare-again")
    app = opened(runs=f"{BARE},bare-again")
    assert errors_of(app) == []
    assert shown["group"]["colour"] == "cluster"
    assert shown["group"]["shared"]
    assert "paired by the samples that they share" in shown["group"]["note"]
    assert "have no labels" in words_of(app)


def test_without_a_partner_it_says_what_to_train(runs: Path, shown: dict[str, Any]) -> None:
    shutil.rmtree(runs / VAE)
    words = words_of(opened())
    assert "Train a VAE on the same data set" in words
    assert not shown["maps"]
    shutil.rmtree(runs / VADE)
    words = words_of(opened())
    assert "No runs yet" in words
    assert "a VAE and a VaDE" in words


def test_what_is_missing_is_measured_by_a_process_once(
    runs: Path, shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (runs / VAE / "evaluation.json").unlink()
    started: list[list[str]] = []

    class Process:
        code: int | None = None

        def __init__(self, words: list[str], **_: Any) -> None:
            started.append(words)

        def poll(self) -> int | None:
            return self.code

        def terminate(self) -> None:
            type(self).code = -15

        def wait(self, timeout: float) -> None:
            pass

    monkeypatch.setattr(compare_measure.subprocess, "Popen", Process)
    app = opened()
    assert len(started) == 1
    assert started[0][-3:] == ["-m", "vade_core.evaluated", str((runs / VAE).resolve())]
    assert words_of(app).count("measuring …") == 7
    Process.code = 2
    app.run()
    assert not app.exception
    assert len(started) == 1, "what failed is not tried over and over"
    assert "not measured" in words_of(app)
    keep_evaluation(Run(runs / VAE))
    app.run()
    assert "not measured" not in words_of(app)


def test_the_curves_choice_and_other_samples(runs: Path, shown: dict[str, Any]) -> None:
    app = opened()
    before = words_of(app)
    app.button(key="cmp-others").click().run()
    assert not app.exception
    assert words_of(app) != before, "other samples are drawn"
    app.button_group(key="cmp-curves").set_value(["nmi", "loss"]).run()
    assert not app.exception
    assert "in nats a sample, as each model weighs its terms" in words_of(app)
    app.button_group(key="cmp-curves").set_value([]).run()
    assert "Choose what is drawn" in words_of(app)


def test_a_run_without_frames_or_checkpoint_or_with_a_broken_frame_costs_its_part_alone(
    runs: Path, shown: dict[str, Any]
) -> None:
    shutil.rmtree(runs / VADE / "frames")
    (runs / VADE / "checkpoint.safetensors").unlink()
    (runs / VADE / "evaluation.json").unlink()
    app = opened()
    assert errors_of(app) == []
    assert list(shown["maps"]) == [VAE]
    words = words_of(app)
    assert "It has no frames" in words
    assert "VaDE has no checkpoint" in words
    assert "measuring" not in words
    assert "not measured" not in words
    (frame,) = sorted((runs / VAE / "frames").iterdir())[-1:]
    frame.write_bytes(frame.read_bytes()[:50])
    app = opened()
    assert frame.name in words_of(app)
