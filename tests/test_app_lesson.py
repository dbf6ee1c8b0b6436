"""The lesson as a person walks through it, on real tiny runs; and what its answers count."""

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
from streamlit.testing.v1 import AppTest

from pages.shared import session
from pages.shared.lesson_facts import (
    autoencoder_before,
    changes_of_mind,
    confusions,
    counted,
    digits_of,
    drawn_back,
    last_scores,
    nearest,
    neighbours_of,
    returned,
    shared_slant,
    staying,
    terms_of,
)
from pages.shared.lesson_runs import PARTS, LessonRuns
from pages.shared.lesson_vade import cluster_tiles
from pages.shared.run_choice import readable_summaries
from tests.test_app_start_load import errors_of, link_of, press, words_of
from vade_core.cli import main
from vade_core.granularity import merges
from vade_core.rebuild import load_model
from vade_core.runs import Run

ROOT = Path(__file__).parents[1]
N_STEPS = 8
RECIPES = {
    "vae": "--model vae --epochs 4",
    "vade-k10": "--preset robust --start kmeans --pretrain-epochs 3 --epochs 3 --clamped 1",
    "vade-k7": "--clusters 7 --preset robust --start kmeans --pretrain-epochs 2 --epochs 2 "
    "--clamped 1",
    "vade-fails": "--preset short --pretraining none --start random --epochs 2",
    "lambda-hot": "--model lambda-hot --epochs 2",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of the lesson's runs in small, trained once."""
    root = tmp_path_factory.mktemp("made")
    words = ["train", "--dataset", "digits", "--subset", "300", "--hidden", "32,32"]
    for run_id, recipe in RECIPES.items():
        more = [*recipe.split(), "--maps", "pca", "--out", str(root / run_id)]
        assert main([*words, *more]) == 0
    return root


@pytest.fixture
def recorded(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of the recordings where the app looks for them; a person has no runs."""
    root = tmp_path / "recorded"
    shutil.copytree(made, root)
    yield from _app_with(root, tmp_path / "none", monkeypatch)


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Neither recordings nor runs."""
    yield from _app_with(tmp_path / "recorded", tmp_path / "none", monkeypatch)


@pytest.fixture
def own(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same runs as a person's own, under other names."""
    root = tmp_path / "runs"
    for folder in made.iterdir():
        shutil.copytree(folder, root / f"my-{folder.name}")
    for _ in _app_with(tmp_path / "recorded", root, monkeypatch):
        yield root


def _app_with(recorded: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VADE_RECORDED", str(recorded))
    monkeypatch.setenv("VADE_RUNS", str(runs))
    yield recorded
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


opened = partial(opened_page, "lesson")


def keys_of(app: AppTest) -> set[str]:
    return {button.key for button in app.button if button.key}


def heading_of(app: AppTest) -> str:
    (title,) = app.title
    return str(title.value)


def answer_of(app: AppTest) -> str:
    (answer,) = app.success
    return str(answer.value)


def reveal(app: AppTest, step: int) -> str:
    press(app, f"ls-show-{step}")
    assert not errors_of(app)
    return answer_of(app)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


# --- Walking --------------------------------------------------------------------------------------


def test_all_steps_with_answers(recorded: Path) -> None:
    app = opened()
    headings = []
    for step in range(1, N_STEPS + 1):
        assert link_of(app)["step"] == str(step)
        assert not errors_of(app)
        headings.append(heading_of(app))
        assert len(app.latex) == 1
        assert not app.success, "The answer is not shown before it is asked for."
        if f"ls-answer-{step}-0" in keys_of(app):
            press(app, f"ls-answer-{step}-0")
            press(app, f"ls-answer-{step}-1")
            kinds = [app.button(key=f"ls-answer-{step}-{i}").proto.type for i in (0, 1)]
            assert kinds == ["secondary", "primary"], "The last choice counts."
        words = reveal(app, step)
        assert any(letter.isdigit() for letter in words) or step == 5
        if step < N_STEPS:
            press(app, "ls-next")
    assert len(set(headings)) == N_STEPS
    assert app.button(key="ls-next").disabled
    # What was answered and shown stays so.
    press(app, "ls-back")
    assert app.success
    press(app, "ls-dot-1")
    assert link_of(app)["step"] == "1"
    assert app.button(key="ls-back").disabled
    assert app.button(key="ls-answer-1-1").proto.type == "primary"


def test_without_any_runs_each_step_says_what_to_train(nothing: Path) -> None:
    app = opened()
    for step in range(1, N_STEPS + 1):
        assert not errors_of(app)
        assert "No run for this step yet" in words_of(app)
        assert len(app.latex) == 1
        assert f"ls-show-{step}" not in keys_of(app)
        if f"ls-answer-{step}-1" in keys_of(app):
            press(app, f"ls-answer-{step}-1")
        if step < N_STEPS:
            press(app, "ls-next")
    assert "random start" in words_of(app)


def test_a_persons_own_runs_stand_in(own: Path) -> None:
    runs = LessonRuns(readable_summaries())
    for name, part in PARTS.items():
        found = runs.get(name)
        if name == "paper":
            assert found is None
        else:
            assert found is not None, name
            assert found.id == f"my-{part.recorded}"
    app = opened(step="6")
    assert reveal(app, 6)


def test_a_missing_part_costs_only_its_own_step(recorded: Path) -> None:
    shutil.rmtree(recorded / "vae")
    shutil.rmtree(recorded / "vade-fails")
    app = opened(step="1")
    assert "Train a VAE" in words_of(app)
    app = opened(step="8")
    assert "random start and no pretraining" in words_of(app)
    assert reveal(app, 8)


def test_answers_live_in_the_link_and_outlive_a_reload(recorded: Path) -> None:
    app = opened(step="8", said="7-p83s_8-m1.4s_1-0_x_9-1_2-\u0663")
    assert "Of the 2 that you named" in answer_of(app)
    sharing = {
        held.label
        for merge in merges(counted(Run(recorded / "vade-k7")).table)
        for held in merge.holdings
    }
    marks = {i: app.button(key=f"ls-mark-8-{i}") for i in range(10)}
    assert {i for i, one in marks.items() if one.proto.icon == ":material/check:"} == sharing
    wrong = {1, 4} - sharing
    assert {i for i, one in marks.items() if one.proto.icon == ":material/close:"} == wrong
    assert {i for i, one in marks.items() if one.proto.type == "primary"} == {1, 4}
    press(app, "ls-back")
    assert "You guessed 83.0 %" in answer_of(app)
    press(app, "ls-dot-1")
    assert app.button(key="ls-answer-1-0").proto.type == "primary"
    press(app, "ls-answer-1-1")
    assert link_of(app)["said"] == "1-1_7-p83s_8-m1.4s"
    # A press that was under way when the address changed still brings the one of before.
    app.query_params["step"], app.query_params["said"] = "5", "1-0"
    press(app, "ls-next")
    assert link_of(app) == {"step": "2", "said": "1-1_7-p83s_8-m1.4s"}


@pytest.mark.parametrize("asked", ["0", "9", "x", "-1", "٣"])
def test_a_link_to_no_step_opens_the_first(nothing: Path, asked: str) -> None:
    app = opened(step=asked)
    assert link_of(app)["step"] == "1"
    assert [one.value for one in app.toast] == [
        "The link's step is none that there is here: another one is taken."
    ]
    assert not app.run().toast


def test_a_broken_run_is_named_and_the_lesson_goes_on(recorded: Path) -> None:
    (recorded / "vade-k10" / "stage.safetensors").write_bytes(b"{")
    app = opened(step="5")
    (error,) = errors_of(app)
    assert "stage.safetensors" in error
    press(app, "ls-next")
    press(app, "ls-next")
    press(app, "ls-next")
    assert link_of(app)["step"] == "8"


def test_a_run_whose_networks_stay_on_the_server_says_so(recorded: Path) -> None:
    app = opened(step="2", decode="server")
    assert "The server decodes here" in words_of(app)


def test_the_share_that_was_guessed_is_held_against_the_run(recorded: Path) -> None:
    app = opened(step="7")
    app.slider(key="ls-share-7").set_value(83).run()
    words = reveal(app, 7)
    run = Run(recorded / "vade-k10")
    assert "You guessed 83.0 %" in words
    assert percent(last_scores(run)["acc"]) in words
    assert percent(last_scores(Run(recorded / "vae"))["acc"]) in words
    assert percent(last_scores(Run(recorded / "lambda-hot"))["acc"]) in words


def test_who_shares_a_cluster_is_told_by_the_table(recorded: Path) -> None:
    app = opened(step="8")
    app.button_group(key="ls-many-8").set_value([1, 4]).run()
    words = reveal(app, 8)
    assert "7 clusters for 10 digits" in words
    assert "Of the 2 that you named" in words
    table = counted(Run(recorded / "vade-k7"))
    assert table is not None
    assert cluster_tiles(table, [str(n) for n in range(10)]).count('ls-tile"') == 7
    queries = [element.proto.page for element in app.get("page_link")]
    assert len(queries) == 5


# --- Present mode ---------------------------------------------------------------------------------


def test_a_button_begins_presenting(nothing: Path) -> None:
    app = opened(step="3")
    press(app, "ls-present")
    assert link_of(app) == {"step": "3", "mode": "present"}
    assert "ls-present" not in keys_of(app)


def test_a_link_opens_the_app_in_present_mode(nothing: Path) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["mode"] = "present"
    app.run()
    assert not app.exception
    assert "present-leave" in keys_of(app)


def test_present_mode_stays_until_a_person_leaves() -> None:
    def script() -> None:
        from pages.shared.present import draw_present

        draw_present()

    app = AppTest.from_function(script)
    app.run()
    assert link_of(app) == {}
    app.query_params["mode"] = "present"
    app.run()
    # A page that is switched to begins with a link of its own.
    app.query_params.clear()
    app.run()
    assert link_of(app) == {"mode": "present"}
    press(app, "present-leave")
    assert link_of(app) == {}
    assert not app.button
    app.run()
    assert link_of(app) == {}


# --- What the answers count -----------------------------------------------------------------------


def test_what_comes_back_agrees_with_the_model(recorded: Path) -> None:
    run = Run(recorded / "vae")
    model, stage = load_model(run), run.stage()
    shares = returned(run)
    assert shares[0] == 0
    assert stage.pictures is not None
    rows = np.unique(np.linspace(0, len(stage.pictures) - 1, 120).astype(int))
    x = stage.pictures[rows].reshape(len(rows), -1) / np.float32(255)
    nothing = model.decode(np.zeros((1, model.latent_dim), np.float32))
    whole = 1 - ((x - model.reconstruct(x)) ** 2).sum() / ((x - nothing) ** 2).sum()
    assert shares[-1] == pytest.approx(whole, abs=1e-3)
    assert len(shares) == model.latent_dim + 1


def test_draws_leave_their_kind_the_more_the_noise_grows(recorded: Path) -> None:
    shares = staying(Run(recorded / "vae"))
    assert list(shares) == [1.0, 2.0, 3.0]
    assert 1 >= shares[1.0] >= shares[3.0] >= 0
    rng = np.random.default_rng(0)
    latents, z = rng.normal(size=(30, 4)), rng.normal(size=(7, 4))
    by_hand = np.linalg.norm(z[:, None] - latents[None], axis=2).argmin(axis=1)
    assert np.array_equal(nearest(z, latents), by_hand)


def test_terms_are_those_of_the_run(recorded: Path) -> None:
    run = Run(recorded / "vae")
    terms = terms_of(run)
    lines = [line for line in run.metrics() if line["phase"] == "train"]
    assert terms.reconstruction == [line["reconstruction"] for line in lines]
    assert terms.kl == [line["latent_kl"] for line in lines]
    assert terms.epochs == [1, 2, 3, 4]
    vade = Run(recorded / "vade-k10")
    found = autoencoder_before(vade)
    assert found is not None
    last = [line for line in vade.metrics() if line["phase"] == "pretrain"][-1]
    assert found[0] == last["reconstruction"]
    assert found[1] == pytest.approx(vade.frame(last["report"]).latents.std(axis=0).mean())
    assert autoencoder_before(run) is None
    assert autoencoder_before(Run(recorded / "vade-fails")) is None


def test_the_lessons_digits_are_one_of_each_class(recorded: Path) -> None:
    run = Run(recorded / "vade-k10")
    digits = digits_of(run)
    assert digits.kinds == list(range(10))
    stage, model = run.stage(), load_model(run)
    assert stage.labels is not None
    assert stage.labels[digits.points].tolist() == digits.kinds
    mean, log_variance = model.posterior(digits.samples)
    assert np.allclose(digits.mean, mean, atol=1e-5)
    assert np.allclose(digits.log_variance, log_variance, atol=1e-5)


def test_changes_of_mind_lie_where_two_responsibilities_are_equal(recorded: Path) -> None:
    run = Run(recorded / "vade-k10")
    digits, model = digits_of(run), load_model(run)
    a, b = neighbours_of(digits)
    found = changes_of_mind(digits, a, b)
    assert len(found.clusters) == len(found.at) + 1
    own = model.responsibilities(digits.mean).argmax(axis=1)
    assert [found.clusters[0], found.clusters[-1]] == [own[a], own[b]]
    for i, at in enumerate(found.at):
        z = ((1 - at) * digits.mean[a] + at * digits.mean[b])[None]
        gamma = model.responsibilities(z.astype(np.float32))[0]
        before, after = gamma[found.clusters[i]], gamma[found.clusters[i + 1]]
        assert abs(before - after) < 0.1


def test_drawn_samples_come_back_as_the_model_says(recorded: Path) -> None:
    run = Run(recorded / "vade-k10")
    share, hand = drawn_back(run), shared_slant(run)
    assert 0 < share <= 1
    assert hand is not None
    assert -1 <= hand <= 1
    model = load_model(run)
    samples = [model.sample(200, cluster=c, random_state=1) for c in range(10)]
    by_hand = np.mean([(model.predict(x) == c).mean() for c, x in enumerate(samples)])
    assert share == pytest.approx(by_hand, abs=0.12)


def test_confusions_are_counted_in_the_table(recorded: Path) -> None:
    run = Run(recorded / "vade-k10")
    stage, frame, line = run.stage(), run.frame(run.frame_numbers()[-1]), last_scores(run)
    assert stage.labels is not None
    assert frame.clusters is not None
    for found in confusions(run):
        assert found.label != found.taken_for
        assert 0 < found.share <= 1
    table = counted(run)
    assert table is not None
    assert table.table is not None
    assert table.table.sum() == len(stage.labels)
    assert line["acc"] == pytest.approx(run.summary()["acc"])


def test_data_without_labels_or_pictures_walk_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 12)) * 3
    X = (centres[rng.integers(3, size=200)] + rng.normal(size=(200, 12))).astype(np.float32)
    np.savez(tmp_path / "own.npz", X=X)
    words: list[Any] = ["train", "--data", str(tmp_path / "own.npz"), "--hidden", "16"]
    words += ["--clusters", "3", "--epochs", "2", "--maps", "pca", "--latent", "3"]
    runs = tmp_path / "runs"
    assert main([*words, "--model", "vae", "--out", str(runs / "plain")]) == 0
    more = ["--start", "kmeans", "--pretrain-epochs", "1", "--clamped", "1"]
    assert main([*words, *more, "--out", str(runs / "mixed")]) == 0
    for _ in _app_with(tmp_path / "recorded", runs, monkeypatch):
        app = opened()
        for step in range(1, N_STEPS + 1):
            assert not errors_of(app)
            reveal(app, step)
            if step < N_STEPS:
                press(app, "ls-next")
