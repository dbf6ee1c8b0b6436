"""What Compare is made of: which points are the same, what is measured, what the table marks."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import silhouette_score

from pages.shared.compare_curves import overlay_spec
from pages.shared.compare_runs import Compared, usual_runs
from pages.shared.compare_samples import grid_png
from pages.shared.compare_table import counted_words, table_csv, table_html, table_rows
from pages.shared.map_group import ASSETS, SOURCES, group_script
from vade_core.cli import main
from vade_core.colours import PALETTE
from vade_core.evaluated import EVALUATION, Evaluation, evaluate_run, keep_evaluation
from vade_core.models import MODELS
from vade_core.papers import figures_of, paper_figures
from vade_core.rebuild import load_dataset, load_model
from vade_core.runs import Run, RunConfig, Stage
from vade_core.same_points import common_points, same_data, same_points


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny VAE and a tiny Lambda-Hot on the same digits."""
    root = tmp_path_factory.mktemp("compared")
    words = ["train", "--dataset", "digits", "--subset", "200", "--hidden", "8,8"]
    words += ["--maps", "pca"]
    assert main([*words, "--model", "vae", "--epochs", "2", "--out", str(root / "vae-a")]) == 0
    hot = ["--model", "lambda-hot", "--epochs", "1", "--out", str(root / "hot-a")]
    assert main([*words, *hot]) == 0
    return root


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The tiny VAE, where nothing has been measured yet."""
    monkeypatch.setenv("VADE_RUNS", str(tmp_path))
    return Run(trained / "vae-a")


# --- The same samples ---------------------------------------------------------------------------


def config_of(**changes: Any) -> RunConfig:
    known = {"model": "vae", "preset": "robust", "parameters": {}, "dataset": "digits"}
    numbers = {"clusters": 3, "seed": 0, "n_samples": 9, "n_features": 4}
    more = {"likelihood": "bernoulli", "labelled": True}
    return RunConfig(**{**known, **numbers, **more, **changes})


def stage_of(rows: list[int], pictures: bool = True, labels: list[int] | None = None) -> Stage:
    """Sample r of the data set is a picture of its own, and of class r % 3."""
    at = np.array(rows, np.int64)
    drawn = np.stack([np.full((2, 2), 7 * r, np.uint8) for r in rows]) if pictures else None
    found = at % 3 if labels is None else np.array(labels, np.int64)
    return Stage(at, found, drawn, np.array([0]), np.zeros((1, 4), np.float32))


def test_runs_on_the_same_data_are_told_by_their_rows() -> None:
    a, b = stage_of([0, 2, 4, 8]), stage_of([2, 3, 8])
    names = same_points([(config_of(), a), (config_of(model="vade", seed=5), b)])
    assert names is not None
    assert [own.tolist() for own in names] == [[0, 2, 4, 8], [2, 3, 8]]
    assert common_points(names).tolist() == [2, 8]


def test_parts_of_one_data_set_are_told_by_their_pictures() -> None:
    """Row 0 of a part is another sample than row 0 of the next."""
    whole, part = stage_of([0, 1, 2, 3, 4]), stage_of([0, 1, 2])
    assert part.pictures is not None
    of_part = replace(part, pictures=part.pictures + 14, labels=np.array([2, 0, 1]))
    configs = config_of(), config_of(subset=3, seed=1)
    names = same_points([(configs[0], whole), (configs[1], of_part)])
    assert names is not None
    assert names[1].tolist() == [2, 3, 4]
    bare = [(configs[0], stage_of([0, 1], False)), (configs[1], stage_of([0, 1], False))]
    assert same_points(bare) is None
    # Drawn alike, rows are enough.
    assert same_points([(configs[1], stage_of([0], False))] * 2) is not None


def test_equal_pictures_of_one_run_stay_two_samples() -> None:
    twice = replace(stage_of([0, 1]), pictures=np.zeros((2, 2, 2), np.uint8))
    names = same_points([(config_of(), twice), (config_of(subset=2), twice)])
    assert names is not None
    assert [own.tolist() for own in names] == [[0, 1], [0, 1]]


def test_rows_whose_labels_differ_or_other_data_are_not_the_same() -> None:
    a, b = stage_of([0, 1, 2]), stage_of([0, 1, 2], labels=[0, 1, 0])
    assert same_points([(config_of(), a), (config_of(), b)]) is None
    others = config_of(), config_of(dataset="mnist")
    assert same_points([(others[0], a), (others[1], a)]) is None
    assert not same_data(others)
    assert same_data([config_of(), config_of(subset=2, seed=3)])
    assert not same_data([config_of(data_sha256="a"), config_of(data_sha256="b")])


# --- What is measured ---------------------------------------------------------------------------


def test_an_evaluation_is_kept_found_and_dropped_when_the_run_goes_on(
    run: Run, tmp_path: Path
) -> None:
    task = Evaluation(run)
    assert task.find() is None
    path = keep_evaluation(run)
    assert path == task.path
    assert tmp_path in path.parents
    found = task.find()
    assert found is not None
    assert found["part"] == "test"
    dataset, model = load_dataset(run.config), load_model(run)
    test = dataset.test_part()
    assert (found["counted"], found["samples"]) == (test.n_samples, 200)
    latents = model.transform(test.samples)
    wanted = float(silhouette_score(latents, test.labels))
    assert found["values"]["silhouette"] == pytest.approx(wanted, abs=1e-6)
    grey = test.as_float()
    drawn = np.clip(model.decode(latents), 1e-7, 1 - 1e-7).astype(np.float64)
    nats = -(grey * np.log(drawn) + (1 - grey) * np.log1p(-drawn)).sum(axis=1).mean()
    assert found["values"]["reconstruction"] == pytest.approx(nats, rel=1e-3)

    path.write_text(json.dumps({**found, "of": {**found["of"], "reports": 99}}))
    assert task.find() is None
    path.write_text("{")
    assert task.find() is None
    path.write_text(json.dumps({**found, "values": {"silhouette": "high"}}))
    assert task.find() is None


def test_a_recorded_run_carries_its_evaluation(run: Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run.path, tmp_path / "copy")
    copied = Run(tmp_path / "copy")
    assert keep_evaluation(copied, copied.path) == copied.path / EVALUATION
    found = Evaluation(copied).find()
    assert found is not None
    assert found["values"] == evaluate_run(run)["values"]
    assert not (tmp_path / ".evaluations").exists()


def test_what_cannot_be_measured_says_why_and_is_forgotten_when_it_can(
    run: Run, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(run.path, tmp_path / "bare")
    bare = Run(tmp_path / "bare")
    weights = (bare.path / "checkpoint.safetensors").read_bytes()
    (bare.path / "checkpoint.safetensors").write_bytes(weights[:100])
    from vade_core.evaluated import main as measure

    assert measure([str(bare.path)]) == 2
    problem = Evaluation(bare).problem()
    assert problem is not None
    assert "checkpoint.safetensors" in problem
    (bare.path / "checkpoint.safetensors").write_bytes(weights)
    assert measure([str(bare.path)]) == 0
    assert Evaluation(bare).problem() is None
    assert Evaluation(bare).find() is not None


# --- The papers ---------------------------------------------------------------------------------


def test_every_figure_of_a_paper_has_a_source_and_could_be() -> None:
    found = paper_figures()
    assert len(found) > 20
    assert len({(f.measure, f.dataset, f.method, f.short) for f in found}) == len(found)
    from vade_core.data import DATASETS
    from vade_core.models import MODELS

    for figure in found:
        assert figure.dataset in DATASETS
        assert figure.model in MODELS
        assert len(figure.source) > 40
        if figure.measure not in ("calinski_harabasz", "reconstruction", "seconds"):
            assert 0 < figure.value < 1, figure
    assert not figures_of("acc", "digits", ["vade"])


# --- The table ----------------------------------------------------------------------------------


def compared(*runs: Run) -> list[Compared]:
    return [Compared(run, "AB"[i], run.id, PALETTE[i], False) for i, run in enumerate(runs)]


def evaluation_of(**values: Any) -> dict[str, Any]:
    usual = {"silhouette": 0.1, "calinski_harabasz": 50.0, "reconstruction": 90.0}
    usual["edge_information"] = 2.0
    errors = {"3": 0.1, "5": 0.2, "10": 0.3}
    return {
        "samples": 200,
        "counted": 29,
        "part": "test",
        "values": {**usual, "knn_error": errors, **values},
    }


def test_the_better_one_is_marked_by_what_is_better(run: Run, tmp_path: Path) -> None:
    two = compared(run, run)
    rows = table_rows(two, [evaluation_of(), evaluation_of(silhouette=0.2, reconstruction=95.0)])
    best = {row.measure.key: row.best for row in rows}
    assert best["silhouette"] == [False, True]
    assert best["reconstruction"] == [True, False]
    assert best["acc"] == [False, False], "equal ones are not better"
    assert best["knn_error_3"] == [False, False]
    values = {row.measure.key: row.values for row in rows}
    last = run.metrics()[-1]
    assert values["acc"] == [last["acc"]] * 2
    assert values["seconds"] == [last["elapsed"]] * 2
    assert values["knn_error_10"] == [0.3, 0.3]
    shown = table_html(two, rows)
    assert shown.count('class="ct-star"') == 2
    assert "29 of the test part" in counted_words(two, [evaluation_of(), None])

    waiting = table_rows(two, [evaluation_of(), None])
    assert {row.measure.key for row in waiting if row.pending[1]} == {
        *("edge_information", "silhouette", "calinski_harabasz", "reconstruction"),
        *("knn_error_3", "knn_error_5", "knn_error_10"),
    }
    assert table_html(two, waiting, "measuring …").count("measuring …") == 7


def test_edge_information_is_ranked_among_runs_of_one_k_alone(run: Run) -> None:
    def best(other: Run) -> list[bool]:
        two = [evaluation_of(), evaluation_of(edge_information=2.2)]
        rows = table_rows(compared(run, other), two)
        return next(row.best for row in rows if row.measure.key == "edge_information")

    assert best(run) == [False, True]
    finer = Run(run.path)
    finer.__dict__["config"] = replace(run.config, clusters=14)
    assert best(finer) == [False, False]


def test_who_was_told_the_labels_takes_no_part_and_other_data_are_not_ranked(
    trained: Path, run: Run
) -> None:
    hot = Run(trained / "hot-a")
    rows = table_rows(compared(run, hot), [evaluation_of(), evaluation_of(silhouette=0.9)])
    assert not any(any(row.best) for row in rows)
    other = Run(run.path)
    other.__dict__["config"] = replace(run.config, dataset="mnist")
    rows = table_rows(compared(run, other), [evaluation_of(), evaluation_of(silhouette=0.9)])
    assert not any(any(row.best) for row in rows)
    assert not any(row.papers for row in rows)


def test_the_papers_stand_beside_and_the_table_leaves_as_csv(run: Run) -> None:
    mnist = Run(run.path)
    mnist.__dict__["config"] = replace(run.config, dataset="mnist")
    two = compared(mnist, mnist)
    rows = table_rows(two, [evaluation_of(), evaluation_of(silhouette=None)])
    assert "VAE+GMM <b>72.9 %</b> (VaDE paper)" in table_html(two, rows)
    lines = list(csv.reader(io.StringIO(table_csv(two, rows))))
    by_measure = {line[0]: line for line in lines[1:]}
    assert float(by_measure["acc"][2]) == pytest.approx(run.metrics()[-1]["acc"], rel=1e-5)
    assert by_measure["silhouette"][2:4] == ["0.1", ""]
    assert by_measure["knn_error_3"][4] == "VAE 0.1843"
    assert "IJCAI 2017" in by_measure["knn_error_3"][5]


# --- Curves, samples, and what the page opens with ----------------------------------------------


def test_curves_lie_over_one_another_from_the_first_epoch_of_the_model_itself() -> None:
    vade = [
        {"phase": "untrained", "epoch": 0},
        {"phase": "pretrain", "epoch": 1, "loss": 200.0},
        {"phase": "start", "epoch": 0, "acc": 0.5, "loss": None},
        {"phase": "clamped", "epoch": 1, "acc": 0.6, "nmi": 0.5, "loss": 150.0},
        {"phase": "free", "epoch": 1, "acc": 0.7, "nmi": math.nan, "loss": 140.0},
    ]
    vae = [{"phase": "train", "epoch": 1, "acc": 0.3, "loss": 120.0}]
    runs = [("A", "#111111", vae), ("B", "#222222", vade)]
    spec = overlay_spec(runs, ["acc", "nmi"])
    series = {one["name"]: one for one in spec["panels"][0]["series"]}
    assert series["A ACC"]["values"] == [None, 0.3, None]
    assert series["B ACC"]["values"] == [0.5, 0.6, 0.7]
    assert series["B NMI"]["values"] == [None, 0.5, None]
    assert series["A ACC"]["colour"] == series["A NMI"]["colour"] == "#111111"
    assert series["A ACC"]["dash"] != series["A NMI"]["dash"]
    assert spec["titles"] == ["start", "epoch 1", "epoch 2"]
    loss = overlay_spec(runs, ["loss"])["panels"][0]
    assert [one["values"] for one in loss["series"]] == [[None, 120.0, None], [None, 150.0, 140.0]]
    assert overlay_spec([("A", "#111111", [])], ["acc"])["panels"][0]["empty"]
    # What has no epochs has one level throughout.
    once = [("B", "#222222", [{"phase": "start", "acc": 0.6}])]
    level = overlay_spec([*runs, *once], ["acc"])["panels"][0]["series"][-1]["values"]
    assert set(level) == {0.6}
    assert len(level) == len(spec["ticks"])
    assert overlay_spec(once, ["acc"])["panels"][0]["series"][0]["values"] == [0.6, 0.6]


def test_the_grid_holds_every_picture() -> None:
    rows = [np.full((3, 4), 0.2, np.float32), np.full((2, 4), 1.0, np.float32)]
    rows[0][1] = 0.0
    sheet = np.array(Image.open(io.BytesIO(grid_png(rows, (2, 2)))))
    assert sheet.shape == (7, 10)
    assert (sheet[1:3, 1:3] == 51).all()
    assert not sheet[1:3, 4:6].any()
    assert (sheet[4:6] == 255).all()


def summary(run_id: str, model: str, dataset: str = "digits", state: str = "finished") -> Any:
    return {"id": run_id, "model": model, "dataset": dataset, "state": state, "acc": 0.5}


def test_it_opens_on_vae_beside_vade() -> None:
    recorded = [summary("vade-k7", "vade"), summary("vade-k10", "vade"), summary("vae", "vae")]
    assert usual_runs([summary("mine", "vade"), *recorded]) == ["vae", "vade-k10"]
    newest = [summary("m", "vade", "mnist"), summary("d", "vade"), summary("v", "vae")]
    assert usual_runs(newest) == ["v", "d"], "a pair on one data set comes first"
    assert usual_runs([summary("m", "vade", "mnist"), summary("v", "vae")]) == ["v", "m"]
    assert usual_runs([summary("m", "vade")]) == ["m"]
    assert usual_runs([summary("m", "vade", state="queued")]) == []
    assert usual_runs([]) == []


def test_other_models_stand_in_by_what_they_are_and_not_by_name() -> None:
    plain = [e for e in MODELS.values() if not (e.own_clusters or e.supervised or e.baseline)]
    sorting = [e for e in MODELS.values() if e.own_clusters and not (e.supervised or e.baseline)]
    told = [e for e in MODELS.values() if e.supervised]
    for one, other in ((plain[0], sorting[-1]), (plain[-1], sorting[0])):
        runs = [summary("told", told[0].name), summary("c", other.name), summary("p", one.name)]
        assert usual_runs(runs) == ["p", "c"]


def test_the_groups_script_is_one_module_without_clashing_names() -> None:
    import re

    script = group_script()
    assert not re.search(r"^import ", script, re.MULTILINE)
    assert re.findall(r"^export .*?(?=\()", script, re.MULTILINE) == [
        "export default function showMapGroup"
    ]
    declared = re.findall(r"^(?:function|const|let|class) (\w+)", script, re.MULTILINE)
    assert len(declared) > 30
    assert len(declared) == len(set(declared))
    assert {path.name for path in ASSETS.glob("*.js")} == set(SOURCES)
