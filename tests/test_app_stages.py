"""The stages of a training: what is asked for, what is reported, and what the pages show of it."""

from __future__ import annotations

import dataclasses
import doctest
import inspect
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.shared import (
    figures,
    latent_map,
    number_settings,
    previews,
    session,
    stage_settings,
    stages,
    step_button,
    usual_settings,
)
from pages.shared.curves import loss_spec, score_spec
from pages.shared.latent_map import MapAnswer
from pages.shared.run_map import cluster_words
from pages.shared.run_settings import settings_query, settings_rows
from pages.shared.stages import Stage, planned_stages, stages_brief, stages_line, stages_of
from pages.shared.usual_settings import preset_words
from pages.shared.verdict import verdict
from vade_core.cli import main
from vade_core.configure import chosen_parameters, configure
from vade_core.control import Control
from vade_core.jobs import QUEUE_LOCK
from vade_core.locks import FileLock
from vade_core.map_frames import MapFrames
from vade_core.models import MODELS
from vade_core.networks import Networks
from vade_core.presets import PRESETS, layer_by_layer
from vade_core.pretraining import stacked
from vade_core.rebuild import load_dataset, load_model
from vade_core.recorder import Recorder, create_run, send, steps_asked
from vade_core.run_frames import PHASES
from vade_core.runs import METRICS, UNTRAINED, Run, RunConfig, list_runs
from vade_core.worker import Worker

ROOT = Path(__file__).parents[1]
TINY = {
    "hidden": [16, 16],
    "epochs": 3,
    "pretrain_epochs": 1,
    "start": "umap",
    "start_restarts": 1,
    "clamped_epochs": 1,
    "most_leaving": None,  # every epoch is to be there
}


def tiny(**asked: Any) -> RunConfig:
    overrides = {**TINY, **asked.pop("overrides", {})}
    config = configure(overrides=overrides, lenses=["pca"], **{"dataset": "digits", **asked})
    config.threads = 1
    return config


def trained_in(root: Path, config: RunConfig, name: str) -> Run:
    run = create_run(root, config, root / name)
    assert Worker(run).work() == "finished"
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny runs: all stages, data without labels, one that was told to skip the stages, a VAE."""
    root = tmp_path_factory.mktemp("made")
    trained_in(root, tiny(subset=400), "whole")
    X = np.random.default_rng(0).random((200, 12)).astype(np.float32)
    np.savez(root / "mine.npz", X=X)
    trained_in(root, tiny(data_file=root / "mine.npz", clusters=4), "unlabelled")
    nothing = {"pretraining": "none", "start": "random", "clamped_epochs": 0}
    trained_in(root, tiny(subset=400, overrides=nothing), "bare")
    few = {"hidden": [16, 16], "epochs": 2}
    config = configure(model="vae", dataset="digits", subset=400, overrides=few, lenses=["pca"])
    trained_in(root, config, "vae")
    return root


@pytest.fixture
def runs(made: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of the tiny runs where the app looks; the queue is held, so that nothing trains."""
    shutil.copytree(made, runs_root, dirs_exist_ok=True)
    monkeypatch.setattr(session, "recorded_root", lambda: runs_root / "recorded")
    st.cache_resource.clear()
    lock = FileLock(runs_root / QUEUE_LOCK)
    assert lock.acquire()
    yield runs_root
    session.job_manager().close()
    lock.release()
    st.cache_resource.clear()
    st.cache_data.clear()


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    return sound(app.run())


def sound(app: AppTest) -> AppTest:
    assert not app.exception, [entry.value for entry in app.exception]
    return app


def said(app: AppTest) -> str:
    kinds: list[Any] = [app.markdown, app.caption, app.error, app.info, app.warning]
    found = [element.value for kind in kinds for element in kind]
    found += [element.proto.body for element in app.get("html")]
    return "\n".join(found)


def link_of(app: AppTest) -> dict[str, str]:
    """What the page's address carries, the run apart."""
    found = app.query_params
    link = {name: v if isinstance(v := found[name], str) else v[0] for name in found}
    return {name: value for name, value in link.items() if name != "run"}


def queued(root: Path) -> RunConfig:
    (found,) = (Run(s["path"]).config for s in list_runs([root]) if s["state"] == "queued")
    return found


# --- What can be asked for ----------------------------------------------------------------------


def test_a_random_start_lets_go_of_the_presets_held_epochs() -> None:
    told: list[str] = []
    config = configure(dataset="digits", overrides={"start": "random"}, progress=told.append)
    assert config.parameters["clamped_epochs"] == 0
    assert "no clusters to hold" in told[-1]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"start": "random", "clamped_epochs": 3}, "no clusters to hold"),
        ({"epochs": 5, "clamped_epochs": 5}, "never set free"),
        ({"start": "magic"}, "no start 'magic'; there are: "),
        ({"pretraining": "sleep"}, "no pretraining 'sleep'"),
        ({"n_init": 3}, "A run is one training"),
    ],
)
def test_stages_that_do_not_go_together_are_refused_before_a_run_is_made(
    overrides: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        configure(dataset="digits", overrides=overrides)


def test_the_command_line_chooses_the_stages(tmp_path: Path) -> None:
    words = "train --dataset digits --subset 200 --hidden 8 --epochs 3 --maps pca --threads 1"
    chosen = "--pretraining none --start kmeans --clamped 2"
    assert main([*words.split(), *chosen.split(), "--out", str(tmp_path / "r")]) == 0
    lines = Run(tmp_path / "r").metrics()
    phases = ["untrained", "start", "clamped", "clamped", "free"]
    assert [line["phase"] for line in lines] == phases
    assert lines[1]["method"] == "kmeans"


@pytest.mark.parametrize(
    "chosen", ["--start magic", "--pretraining sleep", "--start random --clamped 2", "--clamped x"]
)
def test_the_command_line_refuses_stages_and_makes_no_folder(
    chosen: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--dataset", "digits", "--out", str(tmp_path / "r"), *chosen.split()]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "r").exists()


# --- What a run reports -------------------------------------------------------------------------


@pytest.mark.parametrize("split", [False, True])
def test_the_agreement_with_the_start_is_that_of_the_models_own_predictions(
    tmp_path: Path, split: bool
) -> None:
    run = trained_in(tmp_path, tiny(subset=400, split=split), "run")
    model, data = load_model(run), load_dataset(run.config)
    seen = data.train_part() if split else data
    found = np.mean(model.predict(seen.samples) == model.start_clusters_)
    assert 0 < found < 1
    last = run.metrics()[-1]
    assert last["start_agreement"] == pytest.approx(found, abs=1e-12)
    before = [each for each in run.metrics() if each["phase"] == "pretrain"]
    assert before
    assert not any("start_agreement" in each for each in before)


def test_the_agreement_needs_no_labels_but_a_start(made: Path) -> None:
    assert 0 <= Run(made / "unlabelled").metrics()[-1]["start_agreement"] <= 1
    for name in ("bare", "vae"):
        assert not any("start_agreement" in line for line in Run(made / name).metrics())


# --- Single steps -------------------------------------------------------------------------------


@pytest.fixture
def control(tmp_path: Path) -> Iterator[tuple[Run, Control]]:
    run = create_run(tmp_path, tiny(subset=100))
    recorder = Recorder(run)
    yield run, Control(run, recorder)
    recorder.close()


def epochs_until_paused(control: Control, most: int = 20) -> int:
    for made in range(most):
        control.look()
        if control.paused:
            return made
        control.in_step()
        control.epoch_ended()
    return most


def test_steps_asked_for_at_once_are_all_made(control: tuple[Run, Control]) -> None:
    run, own = control
    send(run, "pause")
    assert epochs_until_paused(own) == 0
    for _ in range(4):
        send(run, "step")
    assert epochs_until_paused(own) == 4
    send(run, "step")
    assert epochs_until_paused(own) == 1
    assert steps_asked(run) == 5


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_another_command_forgets_the_steps_still_to_come(
    control: tuple[Run, Control], command: str
) -> None:
    run, own = control
    for _ in range(5):
        send(run, "step")
    own.look()
    assert own.in_step()
    own.epoch_ended()
    assert not own.paused
    send(run, command)
    own.look()
    assert own.paused == (command == "pause")
    send(run, "step")
    assert epochs_until_paused(own) == 1


def test_steps_of_an_earlier_worker_are_not_made_again(control: tuple[Run, Control]) -> None:
    run, own = control
    for _ in range(3):
        send(run, "step")
    later = Control(run, own._recorder)
    assert epochs_until_paused(later) == 20
    send(run, "step")
    assert epochs_until_paused(later) == 1


def test_a_stop_is_the_last_word_until_the_run_goes_on(control: tuple[Run, Control]) -> None:
    """Quick clicks on Step and Stop reach the server together, in any order."""
    run, own = control
    send(run, "stop")
    for command in ("step", "pause", "resume"):
        send(run, command)
    own.look()
    assert own.stopped
    later = Control(run, own._recorder)
    later.look()
    assert not later.stopped
    send(run, "pause")
    later.look()
    assert later.paused


def test_clicks_are_counted_from_what_was_taken() -> None:
    taken = {"page": "a", "count": 3}
    assert step_button.new_clicks({"page": "a", "count": 3}, taken) == 0
    assert step_button.new_clicks({"page": "a", "count": 10**9}, taken) == step_button.MOST
    for nonsense in (None, 4, {}, {"page": "a"}, {"page": "a", "count": "4"}):
        assert step_button.new_clicks(nonsense, taken) == 0


# --- What was passed, in words -------------------------------------------------------------------


def line(phase: str, epoch: int = 1, **more: Any) -> dict[str, Any]:
    return {"phase": phase, "epoch": epoch, "epochs": 9, "seconds": 2.0, "acc": None, **more}


START = line(
    "start",
    0,
    acc=0.93,
    start_acc=0.96,
    start_nmi=0.9,
    start_rand_index=0.98,
    cluster_sizes=[3, 7],
    log_likelihood=-12.34,
)
LINES = [
    *[line("pretrain", epoch, reconstruction=90.0) for epoch in (1, 2)],
    START,
    *[line("clamped", epoch, acc=0.96 + epoch / 1000, sizes=[4, 6]) for epoch in (1, 2)],
    *[line("free", epoch, acc=0.97 + epoch / 1000, sizes=[10, 0]) for epoch in (3, 4, 5)],
]


def config_of(**parameters: Any) -> RunConfig:
    known = {"pretraining": "autoencoder", "pretrain_epochs": 2, "start": "umap"}
    known |= {"clamped_epochs": 2, "epochs": 5}
    return RunConfig("vade", "robust", known | parameters, "mnist", 2, 0, 10, 4, "gaussian", True)


def test_each_stage_says_what_it_took_and_found() -> None:
    assert stages_line(stages_of(config_of(), LINES)) == (
        "Pretraining: Autoencoder, 2 epochs, 4 s | Start: UMAP + mixture, 2 s, ACC 96.0 % by "
        "itself, in the model: 93.0 % | "
        "Clusters held, 2 epochs, 4 s, ACC 96.2 % | "
        "Clusters free, 3 epochs, 6 s, ACC 97.5 %, 1 of 2 clusters used"
    )
    assert stages_brief(config_of(), LINES) == (
        "pretraining 2 → UMAP + mixture by itself 96.0 % → held 2 → free 3"
    )


def test_the_report_of_the_untrained_networks_is_no_stage() -> None:
    before = line("untrained", 0)
    assert stages_of(config_of(), [before, *LINES]) == stages_of(config_of(), LINES)
    assert stages_brief(config_of(), [before, *LINES]) == stages_brief(config_of(), LINES)
    assert stages_brief(config_of(start="random"), [before]) == ""
    first = stages_of(config_of(), [before], {"state": "running", "phase": "pretrain"})
    assert [stage.state for stage in first] == ["now", "ahead", "ahead", "ahead"]
    assert (first[0].took, first[0].found) == ("now", ())
    for spec in (score_spec, lambda lines, _: loss_spec(lines)):
        assert spec([before, *LINES], None) == spec(LINES, None)


def test_the_stage_under_way_and_those_to_come_are_told_apart() -> None:
    status = {"state": "running", "phase": "clamped"}
    found = stages_of(config_of(), LINES[:4], status)
    assert [stage.state for stage in found] == ["passed", "passed", "now", "ahead"]
    assert found[2].took == "1 of 2 epochs, 2 s"
    assert found[3].took == "to come"
    stopped = stages_of(config_of(), LINES[:4], {"state": "stopped", "phase": "clamped"})
    assert [stage.state for stage in stopped] == ["passed", "passed", "passed", "ahead"]
    assert (stopped[2].took, stopped[3].took) == ("1 of 2 epochs, 2 s", "not reached")


def test_stages_that_were_switched_off_are_shown_as_off() -> None:
    bare = config_of(pretraining="none", start="random", clamped_epochs=0)
    lines = [line("train", epoch, acc=0.1) for epoch in (1, 2, 3, 4, 5)]
    found = stages_of(bare, lines)
    assert [stage.state for stage in found] == ["off", "off", "off", "passed"]
    assert found[1] == Stage("Start: Random", "off", "nothing is fitted")
    assert stages_brief(bare, lines) == "no pretraining → random start → never held → training 5"
    assert stages_of(config_of(pretrain_epochs=0), LINES[2:])[0].state == "off"


def test_a_model_without_stages_has_no_strip(made: Path) -> None:
    run = Run(made / "vae")
    assert stages_of(run.config, run.metrics()) == []
    assert stages_brief(run.config, run.metrics()) == ""


def test_stages_that_a_model_settles_by_itself_are_shown_too() -> None:
    def of(model: str, **parameters: Any) -> RunConfig:
        return dataclasses.replace(config_of(), model=model, parameters=parameters)

    mixture, lines = of("ae-kmeans", pretrain_epochs=2), LINES[:3]
    assert [stage.title for stage in stages_of(mixture, lines)] == [
        "Pretraining: Autoencoder", "Start: k-means",
    ]  # fmt: skip
    assert stages_brief(mixture, lines) == "pretraining 2 → k-means by itself 96.0 %"
    dec = of("dec", pretraining="stacked", pretrain_epochs=2, epochs=1)
    assert [stage.title for stage in stages_of(dec, [*lines, line("train", acc=0.97)])] == [
        "Pretraining: Layer by layer", "Start: k-means", "Training",
    ]  # fmt: skip
    # What the registry says is what the classes do.
    for entry in MODELS.values():
        fixed = {name: getattr(entry.estimator, name, None) for name in ("pretraining", "start")}
        settings = inspect.signature(entry.estimator).parameters
        known = {name: way for name, way in fixed.items() if way and name not in settings}
        assert {**known, **({"start": "kmeans"} if entry.name == "dec" else {})} == entry.stages


def test_without_labels_a_stage_tells_what_there_is() -> None:
    blank = {"acc": None, "start_acc": None}
    lines = [each | blank | {"start_agreement": 0.96} for each in LINES]
    _, start, held, _ = stages_of(config_of(), lines)
    assert start.found == ("clusters of 3 to 7", "log-likelihood -12.3 nats")
    assert held.found == ("96.0 % as the start had them",)
    assert "ACC" not in stages_line(stages_of(config_of(), lines))


def test_the_stage_that_holds_clusters_says_that_and_how_many_were_renewed() -> None:
    for every, renewed in ((1, True), (2, False), (0, False), (None, False)):
        ahead = planned_stages("vade", config_of(clamped_epochs=2, renew_every=every).parameters)
        told = [stage.title for stage in ahead if "renewed on the way" in stage.means]
        assert told == (["Clusters held"] if renewed else [])
    lines = [dict(each) for each in LINES]
    held = [each for each in lines if each["phase"] == "clamped"]
    held[0]["renewed"], held[1]["renewed"] = 0.0123, 0.002
    words = "neighbours of another cluster were held in theirs, 1.2 %, then 0.2 % of all."
    assert [words in stage.more for stage in stages_of(config_of(), lines)] == [
        stage.title == "Clusters held" for stage in stages_of(config_of(), lines)
    ]
    held[0]["renewed"] = held[1]["renewed"] = "many"  # of a foreign file
    assert not any("On the way" in stage.more for stage in stages_of(config_of(), lines))


def test_layer_by_layer_every_epoch_counts() -> None:
    config = config_of(pretraining="stacked", pretrain_epochs=2, hidden=[8])
    ahead = planned_stages("vade", config.parameters)[0]
    assert (ahead.title, ahead.took) == ("Pretraining: Layer by layer", "4 epochs")
    lines = [line("pretrain", epoch) for epoch in (1, 1, 1)]
    assert stages_of(config, lines)[0].took == "3 of 4 epochs, 6 s"
    lines.append(line("pretrain", 2))
    assert stages_of(config, lines)[0].took == "4 epochs, 8 s"
    # A foreign file need not say how many layers there are.
    config = config_of(pretraining="stacked", pretrain_epochs=2, hidden="many")
    assert stages_of(config, lines)[0].took == "4 epochs, 8 s"
    # What is announced is what is trained.
    planned = stacked(Networks(4, [3, 5], 2, "bernoulli"), 7, 1e-3)
    assert [phase.epochs for phase in planned] == layer_by_layer(7, 3) == [3, 3, 3, 7]


def test_numbers_that_are_none_of_a_foreign_file_are_left_out() -> None:
    foreign = {
        "acc": "high",
        "seconds": math.inf,
        "sizes": ["a"],
        "start_agreement": [1],
        "start_acc": True,
        "cluster_sizes": "many",
        "log_likelihood": None,
        "reconstruction": {},
    }
    for parameters in ({}, {"epochs": "ten", "pretrain_epochs": None, "clamped_epochs": [2]}):
        config = config_of(**parameters)
        for stage in stages_of(config, [each | foreign for each in LINES]):
            assert stage.found == ()
    assert "<script>" not in stages.stages_html([Stage("<script>", "now")])


def test_the_stages_go_by_the_names_of_the_phases() -> None:
    assert {UNTRAINED: "Untrained", **stages.STAGES} == PHASES  # which is no stage


# --- The start beside the model's own figures -----------------------------------------------------


def test_the_start_has_a_mark_of_its_own_in_the_chart() -> None:
    panel = score_spec(LINES, None)["panels"][0]
    (mark,) = panel["marks"]
    assert (mark["value"], mark["at"]) == (0.96, 2)
    assert mark["name"] == "start: ACC 96.0 %"
    assert panel["series"][0]["values"][2] == 0.93  # the curve is the model's own
    assert score_spec(LINES, None, "test")["panels"][0]["marks"] == []
    assert score_spec(LINES[:2], None)["panels"][0]["marks"] == []


def test_without_labels_the_chart_shows_the_agreement_with_the_start() -> None:
    lines = [line("pretrain"), *(line("free", e, start_agreement=0.9) for e in (1, 2))]
    panel = score_spec(lines, None)["panels"][0]
    assert [(s["name"], s["values"]) for s in panel["series"]] == [
        ("As the start", [None, 0.9, 0.9])
    ]
    assert panel["empty"] == ""
    titles = [panel["title"] for panel in loss_spec(lines)["panels"]]
    assert titles == ["Loss"]


def shown_figures(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.mark.parametrize("page", ["train", "load"])
def test_the_starts_scores_stand_below_the_models_own(runs: Path, page: str) -> None:
    lines = Run(runs / "whole").metrics()
    start = next(each for each in lines if each["phase"] == "start")
    app = opened(page, run="whole")
    assert shown_figures(app)["ACC"] == f"{100 * lines[-1]['acc']:.1f} %"
    words = said(app)
    for name in ("acc", "nmi", "rand_index"):
        now, before = (f"{100 * share:.1f}" for share in (lines[-1][name], start[f"start_{name}"]))
        gain, score = float(now) - float(before), f"start {before} %"
        far = "vx-loss" if gain <= -5 else ""
        assert f'<span>{score}</span> <b class="{far}">{gain:+.1f}</b>' in words
    assert "that of the start itself (UMAP + mixture)" in words
    for title in ("Pretraining: Autoencoder", "Start: UMAP + mixture", "Clusters held"):
        assert f"<b>{title}</b>" in words


@pytest.mark.parametrize("page", ["train", "load"])
def test_without_labels_the_figures_are_those_of_the_clusters(runs: Path, page: str) -> None:
    last = Run(runs / "unlabelled").metrics()[-1]
    app = opened(page, run="unlabelled")
    shown = shown_figures(app)
    assert "ACC" not in shown
    assert shown["Agrees with its start"] == f"{100 * last['start_agreement']:.1f} %"
    assert shown["Clusters used"] == f"{sum(size > 0 for size in last['sizes'])} of 4"
    assert "that the start gave them" in said(app)


@pytest.mark.parametrize("page", ["train", "load"])
def test_a_run_without_a_start_has_no_row_of_one(runs: Path, page: str) -> None:
    for name in ("bare", "vae"):
        assert "<span>start " not in said(opened(page, run=name))
    words = said(opened(page, run="bare"))
    assert "nothing is fitted" in words
    assert "vx-stages" not in said(opened(page, run="vae")).replace(stages.STYLE, "")


def test_cards_and_the_time_machine_name_the_stages(runs: Path) -> None:
    found = next(e for e in Run(runs / "whole").metrics() if "start_acc" in e)
    score = found["start_acc"]
    words = said(opened("load"))
    by_itself = f"UMAP + mixture by itself {100 * score:.1f} %"
    assert f"pretraining 1 → {by_itself} → held 1 → free 2" in words
    assert "ACC of its own clusters after" in words
    assert "By itself: the start before the model learns from it. Held: the model learns" in words
    assert "no pretraining → random start → never held → training 3" in words
    agreement = Run(runs / "unlabelled").metrics()[-1]["start_agreement"]
    assert f"<b>{100 * agreement:.1f} %</b>" in words
    words = said(opened("time-machine", run="whole"))
    seconds = session.duration(found["seconds"])
    own = f"in the model: {100 * found['acc']:.1f} %"
    start = f"| Start: UMAP + mixture, {seconds}, ACC {100 * score:.1f} % by itself, {own} |"
    assert start in words
    assert "(cluster number " in words


# --- The switches on the Train page ---------------------------------------------------------------


def choose(app: AppTest, name: str, value: str) -> AppTest:
    app.button_group(key=f"train-stage-{name}").set_value(value)
    return sound(app.run())


def hold_switch(app: AppTest) -> Any:
    """There is one at a time; its key changes."""
    (found,) = [each for each in app.toggle if each.label.startswith("3. Hold")]
    return found


def hold(app: AppTest, value: bool) -> AppTest:
    hold_switch(app).set_value(value)
    return sound(app.run())


def switches(app: AppTest) -> tuple[str, str, bool]:
    pretraining, beginning = (
        app.button_group(key=f"train-stage-{name}").value for name in ("pretraining", "start")
    )
    return pretraining, beginning, hold_switch(app).value


def as_preset(preset: str) -> tuple[str, str, bool]:
    """How the switches stand where nobody touched them."""
    usual = usual_settings.usual_parameters("vade", preset, "digits")
    return usual["pretraining"], usual["start"], usual["clamped_epochs"] > 0


def start(app: AppTest) -> AppTest:
    app.button(key="train-start").click()
    return sound(app.run())


def has_button(app: AppTest, key: str) -> bool:
    return key in [button.key for button in app.button]


def test_the_switches_follow_the_preset_until_they_are_touched(runs: Path) -> None:
    app = opened("train", dataset="digits")
    assert switches(app) == as_preset("robust")
    app.selectbox(key="train-preset").select("paper")
    sound(app.run())
    assert switches(app) == as_preset("paper") == ("stacked", "gmm", False)
    assert "Changed: the preset has" not in said(app)
    app.selectbox(key="train-preset").select("czerwonski")
    sound(app.run())
    choose(app, "pretraining", "none")
    assert "the preset has VAE." in said(app)
    choose(app, "pretraining", "vae")  # the preset's own: it is followed again
    assert "Changed: the preset has" not in said(app)
    choose(app, "pretraining", "none")
    # Whoever chooses a preset gets all that it says.
    app.selectbox(key="train-preset").select("robust")
    sound(app.run())
    assert switches(app) == as_preset("robust")


def test_switches_reach_the_run_and_the_link_and_go_back_to_the_preset(runs: Path) -> None:
    app = opened("train", dataset="digits")
    choose(app, "pretraining", "none")
    choose(app, "start", "kmeans")
    hold(app, False)
    assert said(app).count("Changed: the preset has ") == 3
    assert "Changed: Pretraining, Start of the mixture and Clusters held.]]" in said(app)
    assert not any(number.key == "train-pretrain_epochs" for number in app.number_input)
    assert not any(number.key == "train-clamped_epochs" for number in app.number_input)
    link = {"dataset": "digits", "pretraining": "none", "start": "kmeans", "clamped_epochs": "0"}
    assert link_of(app) == link
    start(app)
    chosen = queued(runs).parameters
    assert (chosen["pretraining"], chosen["start"]) == ("none", "kmeans")
    assert chosen["clamped_epochs"] == 0
    app.button(key="train-stages-back").click()
    sound(app.run())
    assert switches(app) == as_preset("robust")
    assert app.button(key="train-stages-back").disabled
    assert not {"pretraining", "start", "clamped_epochs"} & link_of(app).keys()


@pytest.mark.parametrize("by", ["button", "another preset"])
def test_every_number_goes_back_to_the_preset(runs: Path, by: str) -> None:
    numbers = {"epochs": 5, "pretrain_epochs": 11, "renew_every": 0, "agreement_weight": 7.0}
    app = opened("train", dataset="digits", k="7", seed="3", hidden="50,20")
    for name, value in numbers.items():
        app.number_input(key=f"train-{name}").set_value(value)
    sound(app.run())
    named = "Epochs, Pretraining epochs, Weight of the disagreement with held clusters, Epochs "
    named += "between renewals of held clusters and Hidden widths"
    assert f"Changed: {named}.]]" in said(app)
    assert "the preset has 96." in said(app)
    if by == "button":
        app.button(key="train-stages-back").click()
    else:
        app.selectbox(key="train-preset").select("class")
    sound(app.run())
    assert "Changed: the preset has" not in said(app)
    assert "Changed: " not in said(app)
    chosen = {"preset"} if by == "another preset" else set()
    assert link_of(app).keys() == {"dataset", "k", "seed"} | chosen
    start(app)
    config = queued(runs)
    assert (config.clusters, config.seed) == (7, 3)
    usual = configure(dataset="digits", clusters=7, seed=3, preset=config.preset)
    assert config.parameters == usual.parameters


def test_a_number_of_epochs_that_is_none_is_no_plan() -> None:
    for damaged in (math.nan, math.inf, "many", -3, True):
        (pretraining, *_) = planned_stages("vade", config_of(pretrain_epochs=damaged).parameters)
        assert (pretraining.state, pretraining.took) == ("planned", "")


@pytest.mark.parametrize(
    "model", [name for name, entry in MODELS.items() if not entry.own_clusters or entry.baseline]
)
def test_models_without_a_stage_or_networks_have_nothing_that_differs(
    runs: Path, model: str
) -> None:
    assert opened("train", dataset="digits", model=model).button(key="train-stages-back").disabled


def test_a_number_without_use_says_why(runs: Path) -> None:
    app = opened("train", dataset="digits")
    held = usual_settings.usual_parameters("vade", "robust", "digits")["clamped_epochs"]
    for name, value, words in [
        ("renew_every", held, f"held for {held} epochs: they are never renewed"),
        ("batch_size", 5000, "each epoch is a single step"),
        ("pretrain_epochs", 0, "there is no pretraining"),
    ]:
        assert words not in said(app)
        app.number_input(key=f"train-{name}").set_value(value)
        assert words in said(sound(app.run()))


def test_a_link_brings_the_switches_and_a_wrong_one_gets_a_sentence(runs: Path) -> None:
    app = opened("train", dataset="digits", pretraining="vae", start="gmm", clamped_epochs="7")
    assert switches(app) == ("vae", "gmm", True)
    assert not app.warning
    start(app)
    assert queued(runs).parameters["clamped_epochs"] == 7
    for name in ("pretraining", "start"):
        assert f"There is no {name} 'magic'" in said(opened("train", **{name: "magic"}))


def test_a_random_start_switches_holding_off_and_says_so(runs: Path) -> None:
    app = opened("train", dataset="digits")
    choose(app, "start", "random")
    assert switches(app) == ("autoencoder", "random", False)
    assert hold_switch(app).disabled
    assert "A random start has no clusters to hold" in said(app)
    start(app)
    assert queued(runs).parameters["clamped_epochs"] == 0
    choose(app, "start", "gmm")
    assert switches(app) == ("autoencoder", "gmm", True)


def test_holding_where_the_preset_does_not_takes_the_share_of_robust(runs: Path) -> None:
    app = opened("train", dataset="digits", preset="short", epochs="12")
    hold(app, True)
    assert "first 9 of 12 epochs" in said(app)
    assert app.number_input(key="train-clamped_epochs").value == 9
    app.number_input(key="train-clamped_epochs").set_value(12)
    sound(app.run())
    assert "never set free" in said(app)
    assert app.button(key="train-start").disabled
    app.number_input(key="train-clamped_epochs").set_value(11)
    sound(app.run())
    start(app)
    assert queued(runs).parameters["clamped_epochs"] == 11


def test_the_weight_of_agreeing_is_asked_for_while_clusters_are_held(runs: Path) -> None:
    def asked(app: AppTest) -> list[str]:
        found = [one for one in app.number_input if one.key == "train-agreement_weight"]
        return [one.placeholder for one in found]

    app = opened("train", dataset="digits", preset="class")
    assert asked(app) == ["3"]
    assert asked(hold(app, False)) == []
    assert asked(hold(app, True)) == ["3"]
    app.number_input(key="train-agreement_weight").set_value(1.5)
    start(sound(app.run()))
    assert queued(runs).parameters["agreement_weight"] == 1.5


def test_how_often_held_clusters_are_renewed_is_asked_while_they_are_held(runs: Path) -> None:
    def asked(app: AppTest) -> list[str]:
        found = [one for one in app.number_input if one.key == "train-renew_every"]
        return [one.placeholder for one in found]

    app = opened("train", dataset="digits", preset="class")
    usual = PRESETS["class"].of("vade", 1_797).get("renew_every", 0)
    assert asked(app) == [str(usual)]
    assert asked(hold(app, False)) == []
    assert len(asked(hold(app, True))) == 1
    app.number_input(key="train-renew_every").set_value(usual + 1)
    start(sound(app.run()))
    assert queued(runs).parameters["renew_every"] == usual + 1
    by_link = opened("train", dataset="digits", renew_every="3")
    assert by_link.number_input(key="train-renew_every").value == 3


@pytest.mark.parametrize("epochs", [1, 2, 7, 60, 100])
def test_the_number_of_held_epochs_that_is_shown_is_the_one_that_is_trained(epochs: int) -> None:
    usual = usual_settings.usual_parameters("vade", "robust", "digits")
    config = configure(dataset="digits", overrides={"epochs": epochs})
    assert stage_settings.usual_held(usual, epochs) == config.parameters["clamped_epochs"]


def test_untouched_switches_say_nothing_to_the_run(runs: Path) -> None:
    for epochs in (None, "6"):
        app = opened("train", dataset="digits", **({} if epochs is None else {"epochs": epochs}))
        asked = {} if epochs is None else {"epochs": int(epochs)}
        start(app)
        usual = configure(dataset="digits", overrides=asked)
        assert queued(runs).parameters == usual.parameters
        (waiting,) = (s for s in list_runs([runs]) if s["state"] == "queued")
        shutil.rmtree(waiting["path"])


def test_a_single_epoch_cannot_be_held(runs: Path) -> None:
    app = opened("train", dataset="digits", epochs="1")
    assert hold_switch(app).disabled
    assert "A single epoch has to be free" in said(app)
    assert "Changed: the preset has" not in said(app)


def test_the_switches_are_offered_by_parameters_and_not_by_name(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in ("vae", "lambda-hot"):
        assert "The stages" not in said(opened("train", model=model))
    twin = dataclasses.replace(MODELS["vade"], name="twin", title="Twin")
    monkeypatch.setitem(MODELS, "twin", twin)
    app = opened("train", model="twin")
    assert "The stages" in said(app)
    assert switches(app) == ("autoencoder", "gmm", False)  # the constructor's defaults


def test_before_any_training_the_page_shows_what_it_would_go_through(runs: Path) -> None:
    app = opened("train", dataset="digits", epochs="10")
    for words in ("Pretraining: Autoencoder", "Start: Neighbour graph", "Clusters free"):
        assert words in said(app)
    for words in ("7 epochs", "3 epochs"):  # held and free, as the preset divides them
        assert said(app).count(words) == 1
    app = opened("train", dataset="digits", start="random")
    assert "nothing is fitted" in said(app)
    assert "Clusters free" not in said(app)
    assert "vx-stages" not in said(opened("train", model="vae")).replace(stages.STYLE, "")


@pytest.mark.parametrize("model", [name for name, entry in MODELS.items() if not entry.supervised])
def test_what_is_planned_is_what_the_run_will_say(model: str) -> None:
    config = configure(model=model, dataset="digits")
    assert planned_stages(model, config.parameters) == planned_stages(
        model, chosen_parameters(model, "robust", config.n_samples)
    )
    ahead = stages_of(config, [], {"state": "running", "phase": "untrained"})
    planned = planned_stages(model, config.parameters)
    assert [stage.title for stage in planned] == [stage.title for stage in ahead]
    assert all(stage.means for stage in planned if stage.state == "planned")


def test_a_presets_words_fit_the_model() -> None:
    said = PRESETS["robust"].summary
    for data, numbers in {
        "mnist": "12 epochs of pretraining, 14 epochs in batches of 256",
        "digits": "96 epochs of pretraining, 14 epochs in batches of 64",
    }.items():
        assert preset_words("vade", "robust", data) == f"{said} On these data: {numbers}."
    for model in ("vae", "lambda-hot"):
        for name, preset in PRESETS.items():
            words = preset_words(model, name, "mnist")
            assert not {"mixture", "umap", "pretraining", "layer"} & set(words.lower().split())
            assert ("says nothing of" in words) == (model not in preset.parameters)


def test_saved_settings_carry_the_stages(made: Path) -> None:
    config = Run(made / "bare").config
    query = settings_query(config)
    assert (query["pretraining"], query["start"]) == ("none", "random")
    rows = dict(settings_rows(config))
    assert (rows["Pretraining"], rows["Start of the mixture"]) == ("Off", "Random")
    assert "Epochs of pretraining" not in rows
    assert "Epochs of pretraining" in dict(settings_rows(Run(made / "whole").config))


def test_copied_settings_train_the_same_again(runs: Path) -> None:
    config = Run(runs / "bare").config
    app = opened("train", **settings_query(config))
    assert not app.warning
    start(app)
    # Numbers of a stage that is switched off count nothing.
    moot = {"pretrain_epochs", "start_restarts", "most_leaving"}
    again = json.loads(json.dumps(queued(runs).parameters))
    assert {k: v for k, v in again.items() if k not in moot} == {
        k: v for k, v in config.parameters.items() if k not in moot
    }


# --- From the map of one page to the map of another -----------------------------------------------


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the maps: what each page's map answers, and what it was asked."""
    told: dict[str, Any] = {"selected": {}, "options": {}}

    def draw(frames: MapFrames, *, key: str, **options: Any) -> MapAnswer:
        told["options"][key] = options
        selected = np.array(told["selected"].get(key, []), np.int64)
        return MapAnswer(selected, frames.n_frames - 1)

    monkeypatch.setattr(latent_map, "latent_map", draw)
    monkeypatch.setattr("pages.shared.run_map.latent_map", draw)
    monkeypatch.setattr("pages.shared.other_seed.latent_map", draw)
    return told


def go_to(app: AppTest, page: str, **query: str) -> AppTest:
    app.switch_page(f"pages/{page}.py")
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    return sound(app.run())


def heads(app: AppTest) -> list[str]:
    return [heading.value for heading in app.subheader]


def test_a_selection_travels_from_load_to_the_time_machine(
    runs: Path, answers: dict[str, Any]
) -> None:
    answers["selected"]["map-whole-pca"] = [3, 5, 8]
    app = opened("load", run="whole")
    go_to(app, "time-machine", run="whole")
    assert "3 selected points" in heads(app)
    assert answers["options"]["tm-whole"]["left_as"] == "map-whole-pca"
    assert "Selected on the page before" in said(app)
    # What is selected here counts from then on, and so does a clearing.
    answers["selected"]["tm-whole"] = [1]
    assert "1 selected point" in heads(sound(app.run()))
    answers["selected"]["tm-whole"] = []
    assert "Selected points" in heads(sound(app.run()))


def test_a_selection_is_that_of_its_run_and_goes_when_it_is_cleared(
    runs: Path, answers: dict[str, Any]
) -> None:
    answers["selected"]["map-whole-pca"] = [3, 5, 8]
    app = opened("load", run="whole")
    go_to(app, "time-machine", run="bare")
    assert "Selected points" in heads(app)
    assert answers["options"]["tm-bare"]["left_as"] is None
    go_to(app, "load", run="whole")
    go_to(app, "time-machine")  # by the navigation, which names no run
    assert "3 selected points" in heads(app)
    answers["selected"]["map-whole-pca"] = []
    go_to(app, "load", run="whole")
    go_to(app, "time-machine", run="whole")
    assert "Selected points" in heads(app)


def frames_with(matched: list[int], names: list[str]) -> MapFrames:
    k = len(matched)
    clusters = np.arange(k)[None, :]
    return MapFrames(
        positions=np.zeros((1, k, 2)),
        epochs=["epoch 1"],
        phases=["Training"],
        accuracy=[None],
        labels=np.zeros(k, int),
        class_names=names,
        clusters=clusters,
        matched=np.array([matched]),
    )


def test_the_legend_in_words_tells_digits_from_cluster_numbers() -> None:
    words = cluster_words(frames_with([1, -1, 0], ["0", "1"]), 0)
    assert words == (
        "A cluster goes by the class it is matched with: 0 is c2 (cluster number 2), 1 is c0. "
        "c1 is cluster number 1, matched with no class. It holds mostly 0."
    )
    none = cluster_words(frames_with([-1, -1], ["0", "1"]), 0)
    assert none.startswith("c0 and c1 go by their numbers, matched with no class.")


def test_clusters_that_share_a_colour_are_named() -> None:
    names = [str(digit) for digit in range(10)]
    few = cluster_words(frames_with([*range(10), *[-1] * 4], names), 0)
    assert "Of one colour" not in few
    many = cluster_words(frames_with([*range(10), *[-1] * 6], names), 0)
    # 24 colours: the ten digits, clusters 10 to 13, and then from the first one on.
    assert many.endswith("Of one colour: 0 and c14, 1 and c15.")


@pytest.mark.parametrize(
    "module",
    [figures, number_settings, previews, stages, stage_settings, step_button, usual_settings],
    ids=lambda m: m.__name__,
)
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.attempted >= 1
    assert found.failed == 0


def test_a_training_that_lost_its_clusters_is_told_so_and_why() -> None:
    def told(end: dict[str, Any], kmeans: float | None = None, **settings: Any) -> str:
        start = {"phase": "start", "start_acc": 0.9, "start_agreement": 1.0}
        if end.pop("unlabelled", False):
            start.pop("start_acc")
        start["start_acc"] = end.pop("start_acc", start.get("start_acc"))
        lines = [start, {"phase": "train", "sizes": [3, 4, 5], **end}]
        found = {} if kmeans is None else {"kmeans": {"acc": kmeans}}
        usual = {"pretraining": "autoencoder", "start": "graph", "clamped_epochs": 2}
        return verdict(config_of(**{**usual, **settings}), lines, found)

    assert told({"acc": 0.91}) == ""
    assert told({"acc": 0.86}) == ""
    assert told({"acc": 0.91}, kmeans=0.7) == ""
    left = told({"acc": 0.54, "sizes": [9, 0, 3]}, clamped_epochs=0)
    assert "ACC fell from 90.0 % to 54.0 %, and 2 of 3 clusters still hold samples." in left
    assert "Nothing held the clusters while the networks learnt them. As long as" in left
    assert "at random" in told({"acc": 0.1, "sizes": [0, 12, 0]}, start="random", clamped_epochs=0)
    assert "all samples are in one cluster" in told({"acc": 0.1, "sizes": [0, 12, 0]})
    both = told({"acc": 0.2}, pretraining="none", clamped_epochs=0)
    assert "The networks were not pretrained and nothing held the clusters while" in both
    poor = told({"acc": 0.58, "start_acc": 0.57}, kmeans=0.76)
    assert "ACC 57.0 %, where k-means on the raw data has 76.0 %" in poor
    short = told({"acc": 0.58, "start_acc": 0.57}, kmeans=0.76, pretrain_epochs=2)
    assert short.endswith("Its pretraining was short: 2 epochs, where the preset has 100.")
    assert "neighbour graph" in told(
        {"acc": 0.58, "start_acc": 0.57}, kmeans=0.76, start="gmm", pretrain_epochs=90
    )
    away = told({"unlabelled": True, "start_agreement": 0.6})
    assert "only 60.0 % of the samples are in the cluster of the start" in away
    assert told({"unlabelled": True, "start_agreement": 0.95}) == ""
    # What a damaged file says of sizes is no finding.
    assert told({"acc": 0.91, "sizes": ["many", None]}) == ""
    # A model without a start, and a run without epochs of its own, cannot leave one.
    assert verdict(RunConfig(**{**config_of().__dict__, "parameters": {}}), LINES) == ""
    assert verdict(config_of(), LINES[:1]) == ""


@pytest.mark.parametrize("page", ["train", "load"])
def test_a_run_that_lost_its_clusters_says_so_on_its_page(runs: Path, page: str) -> None:
    assert "in one cluster" not in said(opened(page, run="whole"))
    found = Run(runs / "whole")
    lines = found.metrics()
    lines[-1].update(acc=0.1, sizes=[400, *[0] * 9])
    (found.path / METRICS).write_text("".join(json.dumps(each) + "\n" for each in lines))
    (warning,) = opened(page, run="whole").warning
    assert "all samples are in one cluster" in warning.value


def test_a_training_that_would_not_leave_its_start_says_so(runs: Path) -> None:
    run = Run(runs / "whole")
    lines = run.metrics()
    lines[-1]["undone"] = "<b>whatever a file says</b>"
    free = stages_of(run.config, lines, {"state": "finished"})[-1]
    assert "ended early, to keep its start" in free.found
    assert "the last epoch was undone" in free.more
    assert "whatever" not in f"{free}"
