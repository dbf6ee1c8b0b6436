"""The page Interpolate on real tiny runs: what it says, what a link opens, what is taken away."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from conftest import opened_page
from safetensors.numpy import load_file, save_file
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from pages.shared import exploration, interpolation, session
from pages.shared.exploration import Exploration, explore
from pages.shared.exploration_choice import (
    Choice,
    checked_choice,
    choice_from_link,
    link_of_choice,
    usual_choice,
)
from pages.shared.exploration_message import pack_message
from pages.shared.interpolation import answered, path_npz
from tests.test_app_start_load import errors_of, link_of, words_of
from vade_core.cli import main
from vade_core.rebuild import load_model
from vade_core.runs import CHECKPOINT, FRAMES, Run

LEFT_OUT = "The link's {} is none that there is here: another one is taken."
VADE, PLANE, HOT, OWN, DEC = "vade-small", "vae-plane", "hot-small", "own-small", "dec-small"


@pytest.fixture(scope="session")
def explored_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny runs: VaDE, a VAE with two latents, Lambda-Hot, DEC, which has no prior, no pictures."""
    root = tmp_path_factory.mktemp("interpolate")
    own = root / "own.npz"
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=3, size=(3, 12))
    np.savez(own, X=(centres[np.arange(240) % 3] + rng.normal(size=(240, 12))).astype(np.float32))
    short = ["train", "--hidden", "24,24", "--preset", "short", "--maps", "pca"]
    short += ["--epochs", "3", "--batch", "64"]
    digits = [*short, "--dataset", "digits", "--subset", "400"]
    before = ["--pretrain-epochs", "2"]
    assert main([*digits, *before, "--out", str(root / VADE)]) == 0
    assert main([*digits, "--model", "vae", "--latent", "2", "--out", str(root / PLANE)]) == 0
    assert main([*digits, "--model", "lambda-hot", "--keep-weights", "--out", str(root / HOT)]) == 0
    assert main([*digits, *before, "--model", "dec", "--out", str(root / DEC)]) == 0
    data = ["--data", str(own), "--clusters", "3"]
    assert main([*short, *data, *before, "--out", str(root / OWN)]) == 0
    for run in (VADE, PLANE, HOT):
        sharpen(root / run / CHECKPOINT)
    return root


def sharpen(checkpoint: Path) -> None:
    """Raise the contrast of a decoder that has hardly learnt: its pixels tell latents apart."""
    found = load_file(checkpoint)
    found["model.networks.decoder.mean.weight"] *= 40
    save_file(found, checkpoint)


@pytest.fixture
def runs(explored_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of the tiny runs, where the app looks."""
    root = tmp_path / "runs"
    shutil.copytree(explored_runs, root, ignore=shutil.ignore_patterns("own.npz"))
    monkeypatch.setenv("VADE_RUNS", str(root))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    yield root
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the browser: what it was told, and what a person chooses in it."""
    told: dict[str, Any] = {"choose": None}

    def draw(found: Exploration, start: Choice, model: Any, **options: Any) -> Choice:
        told.update(found=found, start=start, **options)
        return checked_choice(told["choose"], found, start)

    monkeypatch.setattr(interpolation, "draw_interpolation", draw)
    return told


opened = partial(opened_page, "interpolate")


# --- The page -----------------------------------------------------------------------------------


def test_without_runs_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path / "none"))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    assert "No runs yet" in words_of(opened())
    session.job_manager().close()
    st.cache_resource.clear()


@pytest.mark.parametrize("run", [VADE, PLANE, HOT, OWN, DEC])
def test_every_kind_of_run_opens_with_its_real_component(runs: Path, run: str) -> None:
    app = opened(run=run)
    assert errors_of(app) == []
    words = words_of(app)
    assert ("one Gaussian" in words) == (run == PLANE)
    assert words.count("no pictures") == (run == OWN)
    assert "to draw" not in words
    assert ("stand in for one" in words) == (run == DEC)
    assert ("The server decodes" in words) == (run == DEC)


def test_where_the_server_decodes_the_page_says_so(runs: Path, shown: dict[str, Any]) -> None:
    app = opened(run=VADE, decode="server")
    assert shown["digest"] is None
    assert "The server decodes here" in words_of(app)


def test_a_run_without_a_checkpoint_or_a_frame_is_told(runs: Path, shown: dict[str, Any]) -> None:
    shutil.rmtree(runs / HOT / FRAMES)
    assert "no frames" in words_of(opened(run=HOT))
    (runs / VADE / CHECKPOINT).unlink()
    assert "no trained model yet" in words_of(opened(run=VADE))
    (runs / OWN / CHECKPOINT).write_bytes(b"nonsense")
    (error,) = errors_of(opened(run=OWN))
    assert CHECKPOINT in error
    assert not {"found", "start"} & set(shown)


def test_a_link_opens_its_choice_and_follows_what_is_chosen(
    runs: Path, shown: dict[str, Any]
) -> None:
    app = opened(run=VADE, a="p3", b="c2", way="sphere", corners="p1.p2.p3.c0", view="corners")
    start = shown["start"]
    assert (start.a, start.b, start.way, start.view) == ("p3", "c2", "sphere", "corners")
    assert start.corners == ("p1", "p2", "p3", "c0")
    shown["choose"] = {"a": "p7", "way": "means", "view": "path"}
    app.run()
    assert not app.exception
    link = link_of(app)
    assert (link["a"], link["b"], link["way"]) == ("p7", "c2", "means")
    assert "view" not in link
    # What a person chooses does not start the component anew; a link that somebody wrote does.
    assert shown["start"] == start
    app.query_params["a"] = "p9"
    app.run()
    assert shown["start"].a == "p9"


def test_the_place_on_the_path_is_kept_in_the_link_and_on_the_way_back(
    runs: Path, shown: dict[str, Any]
) -> None:
    app = opened(run=VADE, t="0.25")
    assert shown["start"].t == 0.25
    shown["choose"] = {"t": 0.8004, "a": "p7"}
    app.run()
    link = link_of(app)
    assert (link["t"], link["a"]) == ("0.8", "p7")
    shown["choose"] = None
    app.switch_page("pages/clusters.py").run()
    app.query_params.clear()  # the navigation leaves them behind
    app.switch_page("pages/interpolate.py").run()
    assert (shown["start"].t, shown["start"].a) == (0.8, "p7")
    assert not app.toast
    app.query_params["t"] = "1.5"
    app.run()
    assert shown["start"].t == 0.5
    assert [one.value for one in app.toast] == [LEFT_OUT.format("t")]
    assert not app.run().toast
    assert not opened(run=VADE, t="0.250", corners="p1.p2.p3.c0").toast


def test_an_earlier_epoch_is_shown_with_the_networks_of_then(
    runs: Path, shown: dict[str, Any]
) -> None:
    run = Run(runs / HOT)
    first, last = run.frame_numbers()[1], run.frame_numbers()[-1]
    app = opened(run=HOT, frame=str(first))
    assert app.select_slider(key=f"ip-frame-{HOT}").value == first
    np.testing.assert_array_equal(shown["found"].latents, run.frame(first).latents)
    assert not app.toast
    (early,) = {shown["digest"]}
    app.select_slider(key=f"ip-frame-{HOT}").set_value(last).run()
    np.testing.assert_array_equal(shown["found"].latents, run.frame(last).latents)
    assert shown["digest"] != early
    assert "frame" not in link_of(app)
    assert not opened(run=VADE).select_slider
    app = opened(run=HOT, frame="99")
    assert app.select_slider(key=f"ip-frame-{HOT}").value == last
    assert [one.value for one in app.toast] == [LEFT_OUT.format("frame")]


def test_a_choice_travels_to_another_run_of_the_same_points(
    runs: Path, shown: dict[str, Any]
) -> None:
    app = opened(run=VADE, a="p3")
    app.selectbox(key="ip-run").select(HOT).run()
    assert not app.exception
    assert shown["found"].name == HOT
    assert shown["start"].a == "p3"
    # What another run has not is left behind, and no link is to blame.
    app = opened(run=PLANE, view="plane")
    app.selectbox(key="ip-run").select(VADE).run()
    assert shown["start"].view != "plane"
    assert not app.toast


@pytest.mark.parametrize(
    "wrong",
    ["p99999", "p-1", "c10", "x1", "", "p", "z", "zAAAA", "p１", "../etc", "z" + "A" * 999],
)
def test_a_wrong_code_in_a_link_counts_as_nothing(
    runs: Path, shown: dict[str, Any], wrong: str
) -> None:
    app = opened(run=VADE, a=wrong, way="scenic", view="plane", sum="p1.p2")
    assert errors_of(app) == []
    usual = usual_choice(shown["found"])
    assert shown["start"] == usual


# --- What it knows ------------------------------------------------------------------------------


def test_the_usual_choice_joins_typical_samples_of_clusters_far_apart(runs: Path) -> None:
    run = Run(runs / VADE)
    found = explore(run)
    assert found is not None
    choice = usual_choice(found)
    gamma = run.frame(run.frame_numbers()[-1]).responsibilities
    points = [int(code[1:]) for code in choice.corners]
    assert len({int(gamma[i].argmax()) for i in points}) == 4
    away = np.linalg.norm(found.latents[points] - found.latents[points[0]], axis=1)
    assert away.argmax() == 1
    assert choice.b == choice.corners[1]
    assert choice.a == choice.corners[0]
    assert choice.sum[1] != choice.sum[2]


def test_colours_and_names_are_those_of_the_map(runs: Path) -> None:
    from pages.shared.gallery import kinds_of
    from vade_core.run_frames import read_run_frames

    run = Run(runs / VADE)
    found = explore(run)
    frames = read_run_frames(run, "pca").frames
    assert found is not None
    assert frames is not None
    everybody = np.arange(frames.n_points)
    on_map = kinds_of(frames, everybody, frames.n_frames - 1)["Cluster"]
    assert {(name, colour) for name, colour, _ in on_map} <= set(found.looks)


def test_two_latent_dimensions_are_their_own_map(runs: Path) -> None:
    found = explore(Run(runs / PLANE))
    assert found is not None
    assert np.array_equal(found.places, found.latents)
    assert not found.own_clusters
    assert (len(found.prior[0]), found.n_clusters) == (1, 10)
    assert checked_choice({"view": "plane"}, found, usual_choice(found)).view == "plane"


def test_the_message_holds_what_the_run_holds(runs: Path) -> None:
    found = explore(Run(runs / VADE))
    assert found is not None
    message, start = pack_message(found, usual_choice(found), "abc", "world")
    assert message[:4] == b"VIPO"
    _, length = struct.unpack("<II", message[4:12])
    header = json.loads(message[12 : 12 + length])
    base = -(-(12 + length) // 8) * 8

    def part(name: str) -> np.ndarray:
        offset, count, kind = header["parts"][name]
        return np.frombuffer(message, f"<{kind}", count, base + offset)

    assert header["start"] == start
    assert np.array_equal(part("latents").reshape(-1, 10), found.latents)
    assert np.array_equal(part("pictures"), found.pictures.ravel())
    assert np.array_equal(part("labels"), found.labels)
    np.testing.assert_allclose(part("prior.means"), found.prior[1].ravel(), rtol=1e-6)
    assert header["box"] == 8
    assert header["gaussian"]


def test_a_choice_goes_into_a_link_and_comes_back(runs: Path) -> None:
    found = explore(Run(runs / VADE))
    assert found is not None
    usual = usual_choice(found)
    own = np.linspace(-3, 3, 10).astype("<f4")
    code = "z" + base64.b64encode(own.tobytes(), b"-_").decode().rstrip("=")
    np.testing.assert_array_equal(found.latent(code), own)
    choice = Choice("sum", code, "c1", "means", usual.corners, ("p1", "p2", code), "p4")
    link = {k: v for k, v in link_of_choice(choice, usual).items() if v is not None}
    assert "corners" not in link
    assert checked_choice(choice_from_link(link), found, usual) == choice


def test_what_is_taken_away_is_the_path(runs: Path) -> None:
    run = Run(runs / PLANE)
    found, model = explore(run), load_model(run)
    assert found is not None
    choice = checked_choice({"a": "p5", "b": "p6", "way": "means"}, found, usual_choice(found))
    with np.load(io.BytesIO(path_npz(found, choice, model)), allow_pickle=False) as file:
        taken = dict(file)
    np.testing.assert_allclose(taken["latents"][[0, -1]], found.latents[[5, 6]], atol=1e-6)
    assert taken["samples"].shape == (101, 8, 8)
    decoded = model.decode(taken["latents"].astype(np.float32)).reshape(-1, 8, 8)
    np.testing.assert_allclose(taken["samples"], decoded, atol=1e-6)
    prior = multivariate_normal(np.zeros(2), np.eye(2)).logpdf(taken["latents"])
    np.testing.assert_allclose(taken["log_prior"], prior, atol=1e-9)
    weights, means, variances = found.assigning
    joint = np.stack(
        [
            w + multivariate_normal(m, np.diag(np.exp(v))).logpdf(taken["latents"])
            for w, m, v in zip(weights, means, variances, strict=True)
        ],
        axis=1,
    )
    gamma = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    np.testing.assert_allclose(taken["responsibilities"], gamma, atol=1e-9)
    corners = [found.latent(code) for code in choice.corners]
    np.testing.assert_allclose(taken["grid_latents"][[0, 8, 72, 80]], corners)
    assert str(taken["way"]) == "means"


def test_the_server_answers_only_what_makes_sense(runs: Path) -> None:
    run = Run(runs / VADE)
    model = load_model(run)
    z = run.frame(run.frame_numbers()[-1]).latents[:3].astype("<f4")
    text = base64.b64encode(z.tobytes(), b"-_").decode()
    asked = {"kind": "decode", "n": 3, "values": text}
    np.testing.assert_array_equal(answered(asked, model), model.decode(z))
    for wrong in ({"n": 2}, {"n": 0}, {"n": 10**9}, {"values": "?"}, {"values": None}):
        assert answered(asked | wrong, model) is None
    nothing = np.full((1, 10), np.nan, "<f4")
    assert (
        answered(
            {"kind": "decode", "n": 1, "values": base64.b64encode(nothing.tobytes()).decode()},
            model,
        )
        is None
    )


def test_a_run_of_few_points_and_one_cluster_still_has_a_choice(runs: Path) -> None:
    found = explore(Run(runs / VADE))
    assert found is not None
    weights, means, variances = found.assigning
    few = exploration.Exploration(
        **{
            **vars(found),
            "latents": found.latents[:2],
            "assigning": (weights[:1] * 0, means[:1], variances[:1]),
            "looks": found.looks[:1],
        }
    )
    choice = usual_choice(few)
    assert len(choice.corners) == 4
    assert checked_choice(None, few, choice) == choice
