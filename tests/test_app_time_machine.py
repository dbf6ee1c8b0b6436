"""The time machine as a person uses it, on real tiny runs; and what its parts count."""

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

from pages.shared import gallery, latent_map, other_seed, session
from pages.shared.gallery import gallery_html, kinds_of
from pages.shared.latent_map import MapAnswer
from pages.shared.other_seed import two_maps
from pages.shared.river import river_spec, sentence_about, usual_moments
from tests.test_app_start_load import errors_of, link_of, words_of
from vade_core.cli import main
from vade_core.map_frames import NO_CLUSTER, MapFrames
from vade_core.remap import remap
from vade_core.run_frames import read_run_frames
from vade_core.runs import CHECKPOINT, Run

VADE, VAE = "vade-small", "vae-small"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tiny runs, trained once."""
    root = tmp_path_factory.mktemp("made")
    words = ["train", "--dataset", "digits", "--subset", "300", "--hidden", "16,16"]
    words += ["--preset", "short"]
    vade = ["--pretrain-epochs", "1", "--epochs", "3", "--maps", "tsne,pca"]
    assert main([*words, *vade, "--out", str(root / VADE)]) == 0
    vae = ["--model", "vae", "--epochs", "2", "--maps", "pca"]
    assert main([*words, *vae, "--out", str(root / VAE)]) == 0
    return root


@pytest.fixture
def runs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of the tiny runs, where the app looks."""
    root = tmp_path / "runs"
    shutil.copytree(made, root)
    monkeypatch.setenv("VADE_RUNS", str(root))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    yield root
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the map, which only a browser draws: what it got, and what it answers."""
    told: dict[str, Any] = {"selected": [], "frame": None, "maps": {}}

    def draw(frames: MapFrames, *, key: str, **options: Any) -> MapAnswer:
        told["maps"][key] = {"frames": frames, **options}
        frame = frames.n_frames - 1 if told["frame"] is None else told["frame"]
        return MapAnswer(np.array(told["selected"], np.int64), frame)

    monkeypatch.setattr(latent_map, "latent_map", draw)
    monkeypatch.setattr(other_seed, "latent_map", draw)
    return told


opened = partial(opened_page, "time-machine")


# --- The page -----------------------------------------------------------------------------------


def test_without_runs_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path / "none"))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    assert "No runs yet" in words_of(opened())
    session.job_manager().close()
    st.cache_resource.clear()


def test_a_link_opens_a_run_and_a_map_and_another_can_be_chosen(
    runs: Path, shown: dict[str, Any]
) -> None:
    app = opened(run=VADE, lens="pca")
    drawn = shown["maps"][f"tm-{VADE}"]
    own = read_run_frames(Run(runs / VADE), "pca").frames
    assert own is not None
    assert np.array_equal(drawn["frames"].positions, own.positions)
    assert drawn["above"] > 0
    assert "two widest directions" in words_of(app)
    app.selectbox(key="tm-run").select(VAE).run()
    assert not app.exception
    assert f"tm-{VAE}" in shown["maps"]
    assert link_of(app)["run"] == VAE
    assert "lens" not in link_of(app)


def test_every_map_of_a_run_keeps_one_place_on_the_page(runs: Path, shown: dict[str, Any]) -> None:
    """One key: the place on the scrubber and the selection survive a change of the map."""
    app = opened(run=VADE)
    assert set(shown["maps"]) == {f"tm-{VADE}"}
    before = shown["maps"][f"tm-{VADE}"]["frames"]
    app.button_group(key="tm-lens").set_value("pca").run()
    assert not app.exception
    assert set(shown["maps"]) == {f"tm-{VADE}"}
    after = shown["maps"][f"tm-{VADE}"]["frames"]
    assert (before.caption[:5], after.caption) == ("t-SNE", "PCA")
    assert link_of(app)["lens"] == "pca"


@pytest.mark.parametrize("asked", ["nonsense", "../../etc", "x" * 300, "A B"])
def test_a_wrong_link_is_told_and_another_run_is_shown(
    runs: Path, shown: dict[str, Any], asked: str
) -> None:
    app = opened(run=asked)
    (error,) = errors_of(app)
    assert "run" in error
    assert any("another run" in caption.value for caption in app.caption)
    assert shown["maps"]


def test_a_broken_run_is_named(runs: Path, shown: dict[str, Any]) -> None:
    (runs / VAE / "config.json").write_text("{")
    (error,) = errors_of(opened(run=VAE))
    assert "config.json" in error


def test_the_selected_points_come_with_counts(runs: Path, shown: dict[str, Any]) -> None:
    run = Run(runs / VADE)
    shown["selected"] = list(range(0, 40))
    app = opened(run=VADE, lens="pca")
    words = words_of(app)
    assert "40 selected points" in words
    labels = run.stage().labels[:40]
    for label in np.unique(labels):
        assert f">{label}</i>{(labels == label).sum()}<" in words
    assert words.count("data:image/png;base64") == 40
    shown["selected"] = []
    app.run()
    assert "Draw a Lasso or a Box" in words_of(app).replace("*", "")


@pytest.mark.parametrize("at", [0, 1])
def test_the_frame_that_is_shown_decides_what_is_said_of_it(
    runs: Path, shown: dict[str, Any], at: int
) -> None:
    shown["frame"] = at
    shown["selected"] = [1, 2, 3]
    app = opened(run=VADE, lens="pca")
    words = words_of(app)
    assert "none yet</i>3" in words
    line = Run(runs / VADE).metrics()[at]
    assert f"{100 * line['recall']['pca']:.1f} %" in words
    title = ("untrained", "pretraining, epoch 1")[at]
    assert f"nearest on this map, {title}." in words
    assert f"PCA, {title}: row, label" in words  # what the table is of


def test_the_first_frame_is_of_the_untrained_networks(runs: Path, shown: dict[str, Any]) -> None:
    opened(run=VADE, lens="pca")
    frames = shown["maps"][f"tm-{VADE}"]["frames"]
    assert list(frames.epochs[:3]) == ["untrained", "pretraining, epoch 1", "start"]
    assert frames.phases[0] == "Untrained"
    assert frames.accuracy[0] is None
    assert (frames.assigned(0) == NO_CLUSTER).all()
    assert np.isnan(frames.means[0]).all()


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0, ["The latents of **the untrained networks** stay"]),
        (1, ["The latents of **pretraining, epoch 1** stay", "since the untrained networks: **"]),
    ],
)
def test_another_seed_says_of_which_moment_it_is(
    runs: Path, shown: dict[str, Any], at: int, words: list[str]
) -> None:
    shown["frame"] = at
    remap(Run(runs / VADE), at, "tsne", 1)
    said = words_of(opened(run=VADE, lens="tsne"))
    assert all(each in said for each in words)
    assert ("With learning" in said) == (at > 0)


def test_how_far_to_trust_it_is_measured_when_somebody_asks(
    runs: Path, shown: dict[str, Any]
) -> None:
    app = opened(run=VADE, lens="pca")
    drawn = shown["maps"][f"tm-{VADE}"]
    assert (drawn["frames"].trust, drawn["colour"]) == (None, "label")
    app.toggle(key="tm-trust").set_value(True).run()
    assert not app.exception
    drawn = shown["maps"][f"tm-{VADE}"]
    assert drawn["colour"] == "trust"
    lines = [line for line in Run(runs / VADE).metrics() if line.get("frame")]
    means = drawn["frames"].trust.mean(axis=1) / 255
    assert means == pytest.approx([line["recall"]["pca"] for line in lines], abs=0.003)


def test_a_truncated_and_a_foreign_frame_are_named_and_the_others_shown(
    runs: Path, shown: dict[str, Any]
) -> None:
    run = Run(runs / VADE)
    first, second, *others = run.frame_numbers()
    whole = run.frame_path(first).read_bytes()
    run.frame_path(first).write_bytes(whole[: len(whole) // 2])
    run.frame_path(second).write_bytes(b"GIF89a and then something else")
    app = opened(run=VADE, lens="pca")
    (warning,) = [warning.value for warning in app.warning]
    assert run.frame_path(first).name in warning
    assert "1 more" in warning
    assert shown["maps"][f"tm-{VADE}"]["frames"].n_frames == len(others)
    for number in others:
        run.frame_path(number).write_bytes(b"")
    app.run()
    assert not app.exception
    assert run.frame_path(first).name in app.warning[0].value


def test_epochs_of_the_river_can_be_chosen(runs: Path, shown: dict[str, Any]) -> None:
    app = opened(run=VADE, lens="pca")
    choice = app.multiselect(key=f"tm-moments-{VADE}")
    known = read_run_frames(Run(runs / VADE), "pca")
    # Neither the untrained networks nor the pretraining have clusters: they are not offered.
    assert known.phases[:3] == ["untrained", "pretrain", "start"]
    assert [int(option) for option in choice.value] == known.numbers[2:]
    assert choice.options == [str(epoch) for epoch in known.frames.epochs][2:]
    assert "Points that changed their colour: start → epoch 1" in words_of(app)
    choice.set_value([known.numbers[3]]).run()
    assert not app.exception
    assert "at least two epochs" in words_of(app)


def test_a_choice_of_epochs_outlives_a_frame_that_broke(runs: Path, shown: dict[str, Any]) -> None:
    app = opened(run=VADE, lens="pca")
    numbers = read_run_frames(Run(runs / VADE), "pca").numbers
    app.multiselect(key=f"tm-moments-{VADE}").set_value(numbers[2:5]).run()
    Run(runs / VADE).frame_path(numbers[4]).write_bytes(b"")
    app.run()
    assert not app.exception
    assert app.multiselect(key=f"tm-moments-{VADE}").value == numbers[2:4]


def test_another_seed_is_offered_where_there_is_one_and_shown_once_made(
    runs: Path, shown: dict[str, Any]
) -> None:
    app = opened(run=VADE, lens="pca")
    assert "PCA has no seed" in words_of(app)
    app = opened(run=VADE, lens="tsne")
    assert app.button(key="tm-remake").label == "Make the t-SNE map again"
    run = Run(runs / VADE)
    number = run.frame_numbers()[-1]
    other = remap(run, number, "tsne", 1)
    app.run()
    assert not app.exception
    (key,) = [key for key in shown["maps"] if key.startswith("tm-other-")]
    frames = shown["maps"][key]["frames"]
    assert np.array_equal(frames.positions[0], run.frame(number).maps["tsne"])
    assert np.array_equal(frames.positions[1], other.positions)
    assert shown["maps"][key]["curve"] is False
    assert f"{other.moved:.2f}" in words_of(app)


def test_a_map_that_could_not_be_made_says_why(runs: Path, shown: dict[str, Any]) -> None:
    run = Run(runs / VADE)
    folder = run.path / "maps"
    folder.mkdir()
    number = run.frame_numbers()[-1]
    (folder / f"{number:05d}.tsne.seed-1.json").write_text('{"error": "It was too dark."}')
    assert "It was too dark." in errors_of(opened(run=VADE))[0]


def test_the_exports_are_those_of_the_frame_that_is_shown(
    runs: Path, shown: dict[str, Any]
) -> None:
    shown["frame"] = 2
    app = opened(run=VADE, lens="pca")
    labels = [element.proto.label for element in app.get("download_button")]
    assert labels == [
        "Time machine as HTML",
        "This frame as CSV",
        "Every sample as CSV",
        "This frame for the Embedding Projector",
    ]
    assert "PCA, start: row, label" in words_of(app)
    (runs / VADE / CHECKPOINT).unlink()  # without what it learnt
    app = opened(run=VADE, lens="pca")
    labels = [element.proto.label for element in app.get("download_button")]
    assert "Every sample as CSV" not in labels


# --- What is counted ----------------------------------------------------------------------------


def make_frames(labelled: bool = True) -> MapFrames:
    """Six points, two classes, three clusters; the numbers of 0 and 1 are swapped in the last."""
    clusters = np.array([[0] * 6, [0, 0, 0, 1, 1, 2], [1, 1, 0, 0, 0, 2]])
    gamma = np.zeros((3, 6, 3), np.uint8)
    np.put_along_axis(gamma[1:], clusters[1:, :, None], 200, axis=2)
    matched = np.array([[-1, -1, -1], [0, 1, -1], [1, 0, -1]])
    return MapFrames(
        positions=np.random.default_rng(0).normal(size=(3, 6, 2)),
        epochs=["pretraining", "start", "epoch 1"],
        phases=["Pretraining", "Start", "Training"],
        accuracy=[None, 0.5, 0.75] if labelled else [None] * 3,
        labels=np.array([0, 0, 1, 1, 1, 0]) if labelled else None,
        class_names=["zero", "one"] if labelled else None,
        clusters=clusters,
        responsibilities=gamma,
        matched=matched if labelled else np.full((3, 3), -1),
        pictures=np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2),
    )


def test_the_rivers_streams_are_the_points_that_went() -> None:
    spec = river_spec(make_frames(), [1, 2], labels=True)
    start, end, labels = spec["columns"]
    assert [(n["name"], n["count"]) for n in start["nodes"]] == [("zero", 3), ("one", 2), ("c2", 1)]
    assert [n["count"] for n in end["nodes"]] == [2, 3, 1]
    flows = [(f["from"], f["to"], f["count"]) for f in spec["flows"][0]]
    assert flows == [(0, 0, 2), (0, 1, 1), (1, 1, 2), (2, 2, 1)]
    for column, streams in zip(spec["columns"], spec["flows"], strict=False):
        leaving = np.zeros(len(column["nodes"]), int)
        for stream in streams:
            leaving[stream["from"]] += stream["count"]
        assert leaving.tolist() == [node["count"] for node in column["nodes"]]
    assert [n["name"] for n in labels["nodes"]] == ["zero", "one"]
    assert "66.7 % of cluster zero at start" in spec["flows"][0][0]["words"]
    assert "Labels: 2 × zero, 1 × one" in start["nodes"][0]["words"]
    assert sentence_about(spec) == "Points that changed their colour: start → epoch 1: 1 (16.7 %)."


def test_colours_follow_the_matched_class_and_not_the_number() -> None:
    start, end = river_spec(make_frames(), [1, 2])["columns"]
    assert [n["colour"] for n in start["nodes"]] == [n["colour"] for n in end["nodes"]]
    assert len({n["colour"] for n in start["nodes"]}) == 3


def test_without_labels_colours_follow_what_a_cluster_becomes() -> None:
    start, end = river_spec(make_frames(labelled=False), [1, 2], labels=True)["columns"]
    # Cluster 0 becomes cluster 1: it wears that one's colour and name from the start.
    by_name = {n["name"]: n["colour"] for n in end["nodes"]}
    assert {n["name"]: n["colour"] for n in start["nodes"]} == by_name
    assert {n["name"]: n["count"] for n in start["nodes"]} == {"c1": 3, "c0": 2, "c2": 1}


def test_a_frame_without_clusters_is_one_grey_bar_and_no_usual_moment() -> None:
    frames = make_frames()
    before, _ = river_spec(frames, [0, 1])["columns"]
    assert [(n["name"], n["count"]) for n in before["nodes"]] == [("none", 6)]
    assert usual_moments(frames, ["pretrain", "start", "train"]) == [1, 2]


def test_the_usual_moments_are_start_early_middle_and_end() -> None:
    frames = make_frames()
    many = MapFrames(
        positions=np.zeros((20, 6, 2)),
        epochs=list(range(20)),
        phases=[""] * 20,
        accuracy=[None] * 20,
        clusters=np.tile(frames.clusters[1], (20, 1)),
    )
    phases = ["start", *["clamped"] * 6, *["free"] * 13]
    assert usual_moments(many, phases) == [0, 6, 13, 19]
    assert usual_moments(many, ["train"] * 20) == [0, 2, 11, 19]


def test_the_gallery_counts_by_label_and_by_cluster_and_marks_the_wrong() -> None:
    frames = make_frames()
    picked = np.array([0, 2, 4, 5])
    kinds = kinds_of(frames, picked, 2)
    assert [(name, count) for name, _, count in kinds["Label"]] == [("zero", 2), ("one", 2)]
    assert {name: count for name, _, count in kinds["Cluster"]} == {"one": 2, "zero": 1, "c2": 1}
    page = gallery_html(frames, picked, 2)
    assert page.count("<img") == 4
    assert page.count(", wrong") == 1  # point 5, in the cluster of no class
    assert kinds_of(frames, picked, 0)["Cluster"][0][0] == "none yet"
    assert frames.assigned(0).tolist() == [NO_CLUSTER] * 6


def test_a_large_selection_shows_some_pictures_and_counts_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gallery, "MOST_PICTURES", 3)
    page = gallery_html(make_frames(), np.arange(6), 2)
    assert page.count("<img") == 3
    assert "3 of 6 pictures" in page
    assert ">zero</i>3<" in page


def test_class_names_are_text_and_never_markup() -> None:
    frames = make_frames()
    frames = MapFrames(**{**vars(frames), "class_names": ["<b>zero", "one"]})
    assert "<b>zero" not in gallery_html(frames, np.arange(6), 2)


def test_two_maps_of_one_frame_share_everything_but_the_places() -> None:
    frames = make_frames()
    both = two_maps(frames, 2, frames.positions[0], ("own", "other"))
    assert np.array_equal(both.positions, frames.positions[[2, 0]])
    assert np.array_equal(both.clusters, frames.clusters[[2, 2]])
    assert np.array_equal(both.responsibilities, frames.responsibilities[[2, 2]])
    assert list(both.epochs) == ["own", "other"]
