"""How many clusters? as a person uses it, on real tiny runs."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from conftest import opened_page
from PIL import Image

from pages.shared import session
from pages.shared.cluster_rows import cluster_rows, generated, real_pictures, rows_html, rows_png
from pages.shared.k_metrics import minus_elbo, scores_csv, table_rows
from pages.shared.k_river import k_river_spec
from pages.shared.k_runs import (
    count_all,
    group_words,
    open_k_run,
    run_for_each_k,
    same_points,
    shown_beside,
)
from pages.shared.k_watch import counter, pulse
from tests.test_app_start_load import errors_of, link_of, words_of
from vade_core import metrics
from vade_core.cli import main
from vade_core.data import load
from vade_core.models import MODELS
from vade_core.rebuild import load_model
from vade_core.runs import CHECKPOINT, FRAMES, Run

KS = (7, 10, 14)
DIGITS = ("--dataset", "digits", "--subset", "400")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny runs, trained once: K = 7, 10 and 14, a supervised one, one without labels."""
    root = tmp_path_factory.mktemp("made")
    words = ["train", "--hidden", "16,16", "--maps", "pca", "--threads", "1"]
    short = [*words, "--preset", "short", "--pretrain-epochs", "2", "--epochs", "2"]
    for k in KS:
        asked = [*DIGITS, "--clusters", str(k)]
        assert main([*short, *asked, "--out", str(root / f"own-k{k}")]) == 0
    asked = [*DIGITS, "--model", "lambda-hot", "--epochs", "1"]
    assert main([*words, *asked, "--out", str(root / "told")]) == 0
    numbers = np.random.default_rng(0).normal(size=(240, 12)).astype(np.float32)
    numbers[:120] += 3
    np.savez(root / "numbers.npz", X=numbers)
    asked = ["--data", str(root / "numbers.npz")]
    for k in (3, 5):
        assert main([*short, *asked, "--clusters", str(k), "--out", str(root / f"num-k{k}")]) == 0
    return root


@pytest.fixture
def runs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of runs where the app looks; `bring` copies tiny runs there."""
    root = tmp_path / "runs"
    root.mkdir()
    monkeypatch.setenv("VADE_RUNS", str(root))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    yield root
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def bring(made: Path, runs: Path):
    def copy(*names: str) -> None:
        for name in names:
            shutil.copytree(made / name, runs / name)

    return copy


opened = partial(opened_page, "how-many-clusters")


def summary_of(name: str) -> dict:
    return next(s for s in session.read_summaries() if s["id"] == name)


def test_three_runs_stand_side_by_side_and_one_control_changes_the_large_one(bring) -> None:
    bring("own-k7", "own-k10", "own-k14", "told")
    app = opened()
    assert errors_of(app) == []
    control = app.button_group(key="hm-run")
    assert control.options == ["K = 7", "K = 10", "K = 14"]
    assert link_of(app)["run"] == "own-k7"
    words = words_of(app)
    assert "7 clusters for 10 digits" in words
    for k in KS:
        assert re.search(rf"\*\*K = {k}\*\* · ACC", words)
    # First what the stage set says; all samples are counted beside the page.
    assert words.count("Counted on a fixed sample of 400") == 2
    assert "All 400 are being counted" in words
    counter().start([open_k_run(summary_of(f"own-k{k}")) for k in KS])
    counter().wait()
    app.run()
    assert words_of(app).count("Counted on all 400 samples") == 2
    assert "are being counted" not in words_of(app)
    control.set_value("own-k14").run()
    assert not app.exception
    assert re.search(r"14 clusters(, \d+ of them empty,)? for 10 digits", words_of(app))
    assert link_of(app)["run"] == "own-k14"


def test_the_large_rows_are_one_for_each_cluster_and_can_be_real_ones(bring) -> None:
    bring("own-k7", "own-k10")
    app = opened(run="own-k10", rows="real")
    large, *_ = [e.proto.body for e in app.get("html") if "cr-held" in e.proto.body]
    assert large.count('class="cr-row"') == 10
    assert link_of(app)["rows"] == "real"
    app.button_group(key="hm-rows").set_value("generated").run()
    assert not app.exception
    drawn, *_ = [e.proto.body for e in app.get("html") if "cr-held" in e.proto.body]
    assert drawn != large
    app.slider(key="hm-temperature").set_value(0.0).run()
    still, *_ = [e.proto.body for e in app.get("html") if "cr-held" in e.proto.body]
    strips = [set(re.findall('src="([^"]+)"', row)) for row in still.split('class="cr-row"')[1:]]
    assert [len(pictures) for pictures in strips] == [1] * 10  # each its mean alone


def test_the_counts_are_those_of_the_models_own_predictions(bring, runs: Path) -> None:
    bring("own-k7")
    shown = open_k_run(summary_of("own-k7"))
    assert shown is not None
    assert not shown.on_all
    data = load("digits").subset(400, seed=0)
    count_all([shown])
    shown = open_k_run(summary_of("own-k7"))
    predicted = load_model(Run(runs / "own-k7")).predict(data.samples)
    assert shown.on_all
    assert np.array_equal(shown.counted.table, metrics.contingency(data.labels, predicted, 7))
    last = Run(runs / "own-k7").metrics()[-1]
    (row,) = table_rows([shown])
    assert row["acc"] == pytest.approx(metrics.accuracy(data.labels, predicted))
    assert row["acc"] <= row["best_acc"] < 1
    terms = last["reconstruction"] + last["latent_kl"] + last["cluster_kl"]
    assert row["minus_elbo"] == pytest.approx(terms)


def test_the_river_carries_every_point_from_labels_to_the_largest_k(bring) -> None:
    bring("own-k7", "own-k10", "own-k14")
    shown = [open_k_run(summary_of(f"own-k{k}")) for k in KS]
    assert same_points(shown) == shown
    spec = k_river_spec(shown)
    assert [c["title"] for c in spec["columns"]] == ["Labels", "K = 7", "K = 10", "K = 14"]
    for i, column in enumerate(spec["columns"]):
        sizes = [node["count"] for node in column["nodes"]]
        assert sum(sizes) == 400
        for flows, side in ((spec["flows"][i - 1 : i], "to"), (spec["flows"][i : i + 1], "from")):
            for streams in flows:
                at = np.zeros(len(sizes), int)
                for stream in streams:
                    at[stream[side]] += stream["count"]
                assert at.tolist() == sizes
    # A cluster wears the colour that its commonest class has in the first column.
    colours = {node["code"]: node["colour"] for node in spec["columns"][0]["nodes"]}
    for k, column in zip(shown, spec["columns"][1:], strict=True):
        for node in column["nodes"]:
            inside = k.stage.labels[k.clusters == node["code"]]
            assert node["colour"] == colours[int(np.bincount(inside).argmax())]


def test_one_run_alone_is_shown_and_others_are_offered_to_be_trained(bring) -> None:
    bring("own-k10")
    app = opened()
    assert errors_of(app) == []
    words = words_of(app)
    assert re.search(r"10 clusters(, \d+ of them empty,)? for 10 digits", words)
    assert "Only one K is there" in words
    app.number_input(key="hm-other-k").set_value(12).run()
    app.button(key="hm-train").click().run()
    assert not app.exception
    link = link_of(app)
    assert (link["k"], link["dataset"], link["preset"]) == ("12", "digits", "short")


def test_without_runs_it_says_so_and_leads_to_train(runs: Path) -> None:
    app = opened()
    assert errors_of(app) == []
    assert "No runs yet" in words_of(app)
    assert app.get("page_link")


def test_a_supervised_model_is_told_apart(bring) -> None:
    bring("told")
    app = opened(run="told")
    assert errors_of(app) == []
    assert "is told the classes" in words_of(app)
    assert "No runs yet" in words_of(app)


def test_a_supervised_model_in_the_link_gives_way_to_others(bring) -> None:
    bring("told", "own-k7")
    app = opened(run="told")
    words = words_of(app)
    assert "is told the classes" in words
    assert "Shown are runs that find clusters of their own" in words
    assert "7 clusters for 10 digits" in words


def test_without_labels_and_without_pictures_it_shows_what_there_is(bring) -> None:
    bring("num-k3", "num-k5")
    app = opened(run="num-k5")
    assert errors_of(app) == []
    words = words_of(app)
    assert "without labels nobody can say" in words
    assert "ACC" not in words
    assert "data:image/svg+xml" in words
    assert "The same 240 samples in every column" in words
    assert [e.proto.label for e in app.get("download_button")] == ["NPZ", "Table as CSV"]
    three, five = (open_k_run(summary_of(f"num-k{k}")) for k in (3, 5))
    first, last = k_river_spec([three, five])["columns"]
    # Each of the three wears the colour of another one of the five.
    assert len({n["colour"] for n in first["nodes"]}) == len(first["nodes"])
    assert {n["colour"] for n in first["nodes"]} <= {n["colour"] for n in last["nodes"]}


def test_a_run_without_a_model_yet_shows_the_data(bring, runs: Path) -> None:
    bring("own-k7")
    (runs / "own-k7" / CHECKPOINT).unlink()
    app = opened()
    assert errors_of(app) == []
    assert "Counted on a fixed sample of 400 samples" in words_of(app)
    large, *_ = [e.proto.body for e in app.get("html") if "cr-held" in e.proto.body]
    assert large.count('class="cr-row"') == 7


def test_a_run_that_only_pretrained_has_no_clusters_yet(bring, runs: Path) -> None:
    bring("own-k7")
    lines = (runs / "own-k7" / "metrics.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"sizes"' not in line]
    (runs / "own-k7" / "metrics.jsonl").write_text("".join(kept))
    app = opened(run="own-k7")
    assert errors_of(app) == []
    assert "No clusters yet" in words_of(app)


def test_a_broken_frame_is_named_and_the_others_are_shown(bring, runs: Path) -> None:
    bring("own-k7", "own-k10")
    last = sorted((runs / "own-k10" / FRAMES).iterdir())[-1]
    last.write_bytes(b"GIF89a")
    app = opened(run="own-k7")
    (error,) = errors_of(app)
    assert last.name in error
    assert "7 clusters for 10 digits" in words_of(app)


@pytest.mark.parametrize("asked", ["nonsense", "../../etc", "x" * 300])
def test_a_wrong_link_is_told(bring, asked: str) -> None:
    bring("own-k7")
    app = opened(run=asked, **{"with": "a,b," + asked})
    assert len(errors_of(app)) == 1
    assert "7 clusters for 10 digits" in words_of(app)


def test_a_k_is_suggested_when_somebody_asks(bring) -> None:
    bring("own-k7")
    app = opened()
    assert "It suggests" not in words_of(app)
    app.button(key="hm-suggest").click().run()
    assert not app.exception
    words = words_of(app)
    assert re.search(r"It suggests K = \d+", words)
    assert "the pretraining's latents, before any cluster" in words
    app.run()
    assert "It suggests" in words_of(app)  # kept


def test_what_is_taken_away_holds_what_is_shown(bring) -> None:
    bring("own-k7", "own-k14")
    shown = [open_k_run(summary_of(f"own-k{k}")) for k in (7, 14)]
    table = list(csv.DictReader(io.StringIO(scores_csv(shown))))
    assert [row["k"] for row in table] == ["7", "14"]
    assert float(table[0]["acc"]) == pytest.approx(shown[0].scores["acc"])
    rows = cluster_rows(shown[0], list(generated(shown[0].run, 6)))
    picture = Image.open(io.BytesIO(rows_png(rows, (8, 8), "K = 7")))
    assert picture.format == "PNG"
    assert picture.height > 7 * 40
    # The first row's first sample is where it should be, enlarged.
    patch = np.asarray(picture.convert("L"), float)[40 : 40 + 48, 150 : 150 + 48]
    drawn = rows[0].samples[0].reshape(8, 8) * 255
    assert patch.reshape(8, 6, 8, 6).mean(axis=(1, 3)) == pytest.approx(drawn, abs=1)


def test_rows_name_what_they_hold_and_escape_what_people_write(bring) -> None:
    bring("own-k7")
    shown = open_k_run(summary_of("own-k7"))
    rows = cluster_rows(shown, real_pictures(shown, 3))
    assert sum(row.size for row in rows) == pytest.approx(1)
    sizes = np.bincount(shown.clusters, minlength=7)
    assert [len(row.samples) for row in rows] == [min(3, sizes[row.cluster]) for row in rows]
    risky = [type(rows[0])(0, "<b>&", "#1578c4", 1.0, "<script>", rows[0].samples)]
    page = rows_html(risky, (8, 8)).split("</style>")[1]
    assert "<script>" not in page
    assert "&lt;b&gt;&amp;" in page


def test_runs_of_another_model_are_a_group_of_their_own(bring, runs: Path) -> None:
    bring("own-k7", "own-k10", "num-k3")
    assert group_words(["vade|a:12", "vade|b:34"]) == {"vade|a:12": "a", "vade|b:34": "b"}
    alike = group_words(["vade|a:12", "vade|a:34"])
    assert len(set(alike.values())) == 2, "a choice comes back by its words"
    # A model that nobody here knows: its prior draws no clusters, its loss has terms of its own.
    config = runs / "own-k10" / "config.json"
    other = next(e for e in MODELS.values() if e.own_clusters and e.baseline)
    config.write_text(config.read_text().replace('"model": "vade"', f'"model": "{other.name}"'))
    (runs / "own-k10" / CHECKPOINT).unlink()
    app = opened(run="own-k10")
    assert errors_of(app) == []
    control = app.selectbox(key="hm-data")
    assert f"{other.title}, digits" in control.options
    assert app.button_group(key="hm-run").options == ["K = 10"]
    assert "10 clusters" in words_of(app)


def test_whoever_comes_from_a_run_sees_its_data(bring) -> None:
    bring("own-k7", "own-k10", "own-k14", "num-k3", "num-k5", "told")

    def from_load(app, run: str):
        app.switch_page("pages/load.py")
        app.query_params["run"] = run
        app.run()
        app.switch_page("pages/how-many-clusters.py")
        app.query_params.clear()
        return app.run()

    app = opened()  # the data with the most K's
    assert app.selectbox(key="hm-data").value.startswith("vade|digits")
    assert app.button_group(key="hm-run").value == "own-k7"
    app = from_load(app, "num-k5")
    assert app.button_group(key="hm-run").value == "num-k5"
    assert app.button_group(key="hm-run").options == ["K = 3", "K = 5"]
    # What is chosen here afterwards stays, and a model without a group leads to its data.
    app.button_group(key="hm-run").set_value("num-k3").run()
    assert app.button_group(key="hm-run").value == "num-k3"
    app = from_load(app, "told")
    assert app.selectbox(key="hm-data").value.startswith("vade|digits")


def test_a_sum_that_is_not_the_loss_is_no_elbo(bring) -> None:
    bring("own-k7")
    shown = open_k_run(summary_of("own-k7"))
    assert shown is not None
    assert minus_elbo(shown) is not None
    more = {**shown.line, "loss": shown.line["loss"] + 1}
    assert minus_elbo(replace(shown, line=more)) is None


def test_a_run_at_work_has_a_pulse(bring, runs: Path) -> None:
    bring("own-k7")
    run = Run(runs / "own-k7")
    before = pulse([run])
    assert pulse([run]) == before
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write("\n")
    assert pulse([run]) != before


def test_the_recorded_run_that_was_made_for_a_k_stands_for_it() -> None:
    usual = {"state": "finished", "subset": None, "preset": "robust", "recorded": False}
    runs = [
        {**usual, "id": "newest", "clusters": 10},
        {**usual, "id": "vade-fails", "clusters": 10, "recorded": True, "preset": "short"},
        {**usual, "id": "vade-k10", "clusters": 10, "recorded": True},
        {**usual, "id": "trains", "clusters": 7, "state": "running"},
        {**usual, "id": "older", "clusters": 7, "subset": 500},
        {**usual, "id": "twelve", "clusters": 12},
        {**usual, "id": "two", "clusters": 2},
        {**usual, "id": "forty", "clusters": 40},
    ]
    by_k = run_for_each_k(runs)
    assert {k: s["id"] for k, s in by_k.items()} == {
        2: "two",
        7: "older",
        10: "vade-k10",
        12: "twelve",
        40: "forty",
    }
    assert shown_beside(by_k) == ["two", "older", "vade-k10"]
