"""Start and Load as a person uses them, on real tiny runs."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.shared import session
from pages.shared.lasting_click import CLICKS
from pages.shared.latent_map import MapAnswer
from pages.shared.run_cards import draw_points, plain_label
from pages.shared.run_settings import settings_query, settings_rows
from tests.conftest import ROOT, opened_page
from vade_core.archive import pack
from vade_core.cli import main
from vade_core.configure import configure
from vade_core.data import DataError
from vade_core.jobs import QUEUE_LOCK
from vade_core.locks import FileLock
from vade_core.runs import LOCK, Run, list_runs

VADE, VAE = "vade-small", "vae-small"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tiny runs, trained once."""
    root = tmp_path_factory.mktemp("made")
    arguments = "train --dataset digits --subset 300 --hidden 16,16 --epochs 2 --maps pca"
    words = arguments.split()
    assert main([*words, "--pretrain-epochs", "1", "--out", str(root / VADE)]) == 0
    assert main([*words, "--model", "vae", "--seed", "3", "--out", str(root / VAE)]) == 0
    return root


@pytest.fixture
def runs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of the tiny runs, where the app looks; nothing recorded beside them."""
    root = tmp_path / "runs"
    shutil.copytree(made, root)
    yield from _app_on(root, tmp_path, monkeypatch)


@pytest.fixture
def no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runs' folder that is not there yet."""
    yield from _app_on(tmp_path / "none", tmp_path, monkeypatch)


def _app_on(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VADE_RUNS", str(root))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    yield root
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


def words_of(app: AppTest) -> str:
    """Everything that is written on the page, as one text."""
    kinds: list[Any] = [
        app.title,
        app.header,
        app.subheader,
        app.markdown,
        app.caption,
        app.error,
        app.info,
        app.success,
        app.warning,
    ]
    found = [element.value for kind in kinds for element in kind]
    found += [element.proto.body for element in app.get("html")]
    found += [element.proto.label for element in app.get("page_link")]
    return "\n".join(found).replace("\\", "")


def links_of(app: AppTest) -> set[str]:
    """The runs that the page's cards lead to."""
    queries = [element.proto.query_string for element in app.get("page_link")]
    return {query.removeprefix("run=") for query in queries if query.startswith("run=")}


def link_of(app: AppTest) -> dict[str, str]:
    """What the page's address carries."""
    found = app.query_params
    return {name: v if isinstance(v := found[name], str) else v[0] for name in found}


def errors_of(app: AppTest) -> list[str]:
    return [error.value for error in app.error]


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


# --- Start --------------------------------------------------------------------------------------


def test_start_without_runs_says_so(no_runs: Path) -> None:
    app = opened_page()
    assert "No runs yet" in words_of(app)
    assert not app.error


def test_start_has_a_card_for_every_run(runs: Path) -> None:
    app = opened_page()
    assert links_of(app) == {VADE, VAE}
    words = words_of(app)
    assert "VaDE on digits" in words
    assert "VAE on digits" in words
    acc = Run(runs / VADE).summary()["acc"]
    assert f"{100 * acc:.1f} %" in words
    assert words.count("data:image/png;base64,") == 2


@pytest.fixture
def held_queue(runs: Path) -> Iterator[Path]:
    """The runs' folder, its queue held: what is started waits, and nothing trains."""
    lock = FileLock(runs / QUEUE_LOCK)
    assert lock.acquire()
    yield runs
    session.job_manager().close()
    lock.release()


def queued_in(root: Path) -> list[Run]:
    return [Run(s["path"]) for s in list_runs([root]) if s["state"] == "queued"]


def test_the_big_button_trains_once(held_queue: Path) -> None:
    app = opened_page()
    press(app, "start-train")
    (run,) = queued_in(held_queue)
    assert (run.config.model, run.config.dataset, run.config.subset) == ("vade", "mnist", None)
    assert link_of(app)["run"] == run.id
    assert "Waiting for its turn" in words_of(app)
    again = opened_page()
    press(again, "start-train")
    assert [one.id for one in queued_in(held_queue)] == [run.id]
    assert link_of(again)["run"] == run.id


def test_another_configuration_does_not_keep_the_big_button_from_training(
    held_queue: Path,
) -> None:
    other = session.job_manager().submit(configure(model="vade", dataset="mnist", seed=1))
    app = opened_page()
    press(app, "start-train")
    assert len(queued_in(held_queue)) == 2
    assert link_of(app)["run"] != other.id


def test_many_clicks_at_once_make_one_run(held_queue: Path) -> None:
    session.job_manager()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(session.start_once, dataset="digits") for _ in range(4)]
        ids = {one.result() for one in asked}
    assert ids == {run.id for run in queued_in(held_queue)}
    assert len(ids) == 1


def test_what_keeps_the_big_button_from_training_is_said(
    held_queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: Any) -> None:
        raise DataError("MNIST cannot be read: install it anew.")

    monkeypatch.setattr("vade_core.configure.configure", fails)
    app = opened_page()
    press(app, "start-train")
    assert errors_of(app) == ["MNIST cannot be read: install it anew."]
    assert not queued_in(held_queue)


def test_start_counts_what_it_does_not_show(runs: Path) -> None:
    (runs / "broken-run").mkdir()
    (runs / "broken-run" / "config.json").write_text("{")
    app = opened_page()
    assert "Under All runs: 1 unreadable" in words_of(app)
    assert "broken-run" not in links_of(app)


def test_recorded_runs_stand_apart(runs: Path, tmp_path: Path) -> None:
    shutil.move(runs / VAE, tmp_path / "recorded" / VAE)
    app = opened_page()
    assert [heading.value for heading in app.subheader] == ["Your latest runs"]
    assert "Recorded runs, playing in step. 300 of 300 samples shown · PCA" in words_of(app)
    assert links_of(app) == {VADE, VAE}


# --- The list -----------------------------------------------------------------------------------


def test_the_list_without_runs(no_runs: Path) -> None:
    assert "No runs yet" in words_of(opened_page("load"))


def test_filters_narrow_the_list_and_go_into_the_link(runs: Path) -> None:
    app = opened_page("load")
    assert links_of(app) == {VADE, VAE}
    app.selectbox(key="load-model").select("vae").run()
    assert links_of(app) == {VAE}
    assert link_of(app)["model"] == "vae"
    app.selectbox(key="load-model").select("all").run()
    assert "model" not in link_of(app)
    app.text_input(key="load-text").set_value("SMALL vade").run()
    assert links_of(app) == {VADE}
    assert link_of(app)["find"] == "SMALL vade"
    app.text_input(key="load-text").set_value("nothing like it").run()
    assert "No run fits these filters" in words_of(app)


def test_what_a_link_asks_for_and_there_is_not_is_told_once(runs: Path) -> None:
    app = opened_page("load", model="nonsense", order="best")
    (told,) = app.toast
    assert told.value == "The link's model is none that there is here: another one is taken."
    assert app.selectbox(key="load-order").value == "best"
    assert "model" not in link_of(app)
    assert not app.run().toast


def test_a_link_carries_the_filters(runs: Path) -> None:
    app = opened_page("load", model="vae", state="finished", find="vae")
    assert links_of(app) == {VAE}
    assert app.selectbox(key="load-model").value == "vae"
    assert link_of(app)["state"] == "finished"


def test_a_link_that_asks_for_nonsense_shows_everything(runs: Path) -> None:
    app = opened_page("load", model="perceptron", state="dancing", order="random")
    assert links_of(app) == {VADE, VAE}
    assert "model" not in link_of(app)


def test_the_best_comes_first_when_asked(runs: Path) -> None:
    lines = (runs / VAE / "metrics.jsonl").read_text().splitlines()
    best = json.loads(lines[-1]) | {"acc": 0.999}
    (runs / VAE / "metrics.jsonl").write_text("\n".join([*lines[:-1], json.dumps(best)]) + "\n")
    for order in ("best", "name"):
        app = opened_page("load", order=order)
        queries = [link.proto.query_string for link in app.get("page_link")]
        first = next(query for query in queries if query.startswith("run="))
        assert first == f"run={VAE if order == 'best' else VADE}"


def test_many_runs_come_in_parts(runs: Path) -> None:
    for number in range(12):
        shutil.copytree(runs / VADE, runs / f"copy-{number}")
    app = opened_page("load")
    assert len(links_of(app)) == 12
    button = next(button for button in app.button if button.label == "Show all 14")
    button.click().run()
    assert len(links_of(app)) == 14


def test_a_broken_run_is_listed_with_its_sentence(runs: Path) -> None:
    (runs / VAE / "config.json").write_text("{")
    app = opened_page("load")
    assert links_of(app) == {VADE, VAE}
    assert "config.json cannot be read as JSON" in words_of(app)
    app.selectbox(key="load-state").select("broken").run()
    assert links_of(app) == {VAE}


@pytest.mark.parametrize("name", ["config.json", "status.json", "metrics.jsonl", "note.json"])
@pytest.mark.parametrize("content", ["", "[1]", "nonsense\n", '{"format": 1}\n', "\x00\n"])
def test_spoilt_files_never_take_a_page_down(runs: Path, name: str, content: str) -> None:
    (runs / VAE / name).write_text(content)
    assert VADE in links_of(opened_page("load"))
    opened_page("load", run=VAE)


def test_foreign_things_in_the_folder_are_left_alone(runs: Path) -> None:
    (runs / "notes.txt").write_text("mine")
    for name in ("A Folder", ".hidden", "photos"):
        (runs / name).mkdir()
    (runs / "photos" / "one.png").write_bytes(b"mine")
    assert links_of(opened_page("load")) == {VADE, VAE}


# --- An opened run ------------------------------------------------------------------------------


def test_an_opened_run_shows_its_figures(runs: Path) -> None:
    app = opened_page("load", run=VADE)
    assert app.title[0].value == "VaDE on digits"
    shown = {metric.label: metric.value for metric in app.metric}
    last = Run(runs / VADE).metrics()[-1]
    assert shown["ACC"] == f"{100 * last['acc']:.1f} %"
    assert shown["Rand index"] == f"{100 * last['rand_index']:.1f} %"
    epochs = next(metric for metric in app.metric if metric.label == "Epochs")
    assert (epochs.value, epochs.delta) == ("2", "after 1 of pretraining")
    kmeans = json.loads((runs / VADE / "baseline.json").read_text())["kmeans"]
    # The difference of the numbers that are shown, and not of more exact ones.
    points = round(100 * last["acc"], 1) - round(100 * kmeans["acc"], 1)
    assert app.metric[0].delta == f"{points:+.1f} points"
    assert not app.error


def test_a_model_that_was_told_the_labels_is_no_match_for_k_means(runs: Path) -> None:
    for page in (opened_page("load"), opened_page("load", run=VAE)):
        assert "Supervised" not in words_of(page)
    config = json.loads((runs / VAE / "config.json").read_text()) | {"model": "lambda-hot"}
    (runs / VAE / "config.json").write_text(json.dumps(config))
    assert words_of(opened_page("load")).count("Supervised") == 1
    app = opened_page("load", run=VAE)
    assert "Supervised" in words_of(app)
    assert not any(metric.delta for metric in app.metric[:3])


def test_the_test_part_says_whether_it_was_seen(runs: Path) -> None:
    def test_metric() -> Any:
        app = opened_page("load", run=VADE)
        return next(metric for metric in app.metric if metric.label == "ACC, test part")

    assert test_metric().delta == "trained on as well"
    config = json.loads((runs / VADE / "config.json").read_text()) | {"split": True}
    (runs / VADE / "config.json").write_text(json.dumps(config))
    assert test_metric().delta == "not trained on"


def test_a_subset_is_named_on_card_and_header(runs: Path) -> None:
    words = "300 of 1,797 samples"
    assert words_of(opened_page("load")).count(words) == 2
    assert words in words_of(opened_page("load", run=VADE))
    config = json.loads((runs / VADE / "config.json").read_text()) | {"subset": None}
    (runs / VADE / "config.json").write_text(json.dumps(config))
    assert words_of(opened_page("load")).count(words) == 1
    assert words not in words_of(opened_page("load", run=VADE))


def test_an_opened_run_leads_to_the_pages_that_look_into_it(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leads(app: AppTest) -> list[str]:
        links = [element.proto for element in app.get("page_link")]
        return [link.label for link in links if link.query_string == f"run={VADE}"]

    pages = [
        "Time machine",
        "Clusters: samples of each",
        "Interpolate: ways through its latents",
        "How many clusters?",
    ]
    assert leads(opened_page("load", run=VADE)) == pages
    answer = MapAnswer(np.arange(12), 0)
    monkeypatch.setattr("pages.shared.run_view.draw_run_map", lambda *_, **__: answer)
    found = leads(opened_page("load", run=VADE))
    assert found == [*pages, "12 selected. See their digits in the Time machine"]


@pytest.mark.parametrize("view", ["overview", "curves", "reconstructions", "settings"])
@pytest.mark.parametrize("run_id", [VADE, VAE])
def test_every_view_opens_by_link(runs: Path, view: str, run_id: str) -> None:
    app = opened_page("load", run=run_id, view=view)
    assert app.segmented_control(key="load-view").value == view
    assert not app.error


def test_reconstructions_begin_with_those_of_the_untrained_networks(runs: Path) -> None:
    slider = opened_page("load", run=VADE, view="reconstructions").select_slider[0]
    assert list(slider.options) == [
        "no training", "pretraining epoch 1", "the start", "epoch 1", "epoch 2"
    ]  # fmt: skip
    assert slider.value == 4  # the last frame


def test_a_card_names_no_epochs_of_a_model_without_them(runs: Path) -> None:
    acc = session.percent(Run(runs / VAE).summary()["acc"])
    assert words_of(opened_page("load")).count(" after 2 epochs") == 2
    config = json.loads((runs / VAE / "config.json").read_text())
    config |= {"model": "gmm", "parameters": {}}
    (runs / VAE / "config.json").write_text(json.dumps(config))
    words = words_of(opened_page("load"))
    assert words.count(" after 2 epochs") == 1
    assert f'<b>{acc}</b> <span class="vx-dim">ACC<br>' in words


def test_the_small_map_of_a_card_is_coloured_by_label_as_the_large_one(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def drawn(places: Any, classes: Any) -> Any:
        seen.append(classes)
        return draw_points(places, classes)

    monkeypatch.setattr("pages.shared.run_cards.draw_points", drawn)
    shutil.rmtree(runs / VAE)
    opened_page("load")
    np.testing.assert_array_equal(seen.pop(), Run(runs / VADE).stage().labels)
    assert not seen


def test_a_run_that_learnt_nothing_yet_opens_and_has_its_card(runs: Path) -> None:
    path = runs / VADE
    (path / "checkpoint.safetensors").unlink()
    for frame in sorted((path / "frames").iterdir())[1:]:
        frame.unlink()
    first = (path / "metrics.jsonl").read_text().splitlines(keepends=True)[0]
    assert json.loads(first)["phase"] == "untrained"
    (path / "metrics.jsonl").write_text(first)
    (path / "status.json").write_text('{"state": "interrupted", "words": "Interrupted"}')
    words = words_of(opened_page("load"))
    assert "ACC after 0 epochs" in words
    assert "untrained" not in words
    assert words.count("data:image/png;base64,") == 2  # both cards show a map
    for view in ("overview", "curves", "reconstructions", "settings"):
        app = opened_page("load", run=VADE, view=view)
        assert not app.error
        shown = {metric.label: metric.value for metric in app.metric}
        assert (shown["ACC"], shown["Epochs"]) == (session.percent(None), "0")


def test_a_model_without_clusters_of_its_own_is_named(runs: Path) -> None:
    assert "no clusters of its own" in words_of(opened_page("load", run=VAE))
    assert "no clusters of its own" not in words_of(opened_page("load", run=VADE))


def test_another_k_than_classes_says_how_acc_is_counted(runs: Path) -> None:
    assert "count as wrong" not in words_of(opened_page("load", run=VADE))
    config = json.loads((runs / VADE / "config.json").read_text()) | {"clusters": 7}
    (runs / VADE / "config.json").write_text(json.dumps(config))
    assert "points of unmatched clusters count as wrong" in words_of(opened_page("load", run=VADE))


def test_settings_are_a_table(runs: Path) -> None:
    app = opened_page("load", run=VADE, view="settings")
    table = {str(i): str(v) for t in app.table for i, v in t.value["Value"].items()}
    assert table["Hidden layers"] == "16, 16"
    assert table["Model"] == "VaDE"
    assert table["Seed"] == "0"


@pytest.mark.parametrize("run_id", ["no-such-run", "../etc", "A B", "x" * 500, "<b>", "a/b"])
def test_a_wrong_link_gets_a_sentence(runs: Path, run_id: str) -> None:
    app = opened_page("load", run=run_id)
    assert len(app.error) == 1
    assert not app.title
    press(app, "all-runs")
    assert links_of(app) == {VADE, VAE}
    assert "run" not in link_of(app)


def test_an_unknown_view_is_the_overview(runs: Path) -> None:
    assert opened_page("load", run=VADE, view="pivot").segmented_control(key="load-view").value == (
        "overview"
    )


def test_a_run_deleted_while_open_gets_a_sentence(runs: Path) -> None:
    app = opened_page("load", run=VADE)
    shutil.rmtree(runs / VADE)
    app.run()
    assert not app.exception
    assert "any more?): choose another one" in errors_of(app)[0]


@pytest.mark.parametrize("name", ["stage.safetensors", "frames", "baseline.json"])
@pytest.mark.parametrize("view", ["overview", "reconstructions"])
def test_missing_parts_cost_no_more_than_themselves(runs: Path, name: str, view: str) -> None:
    path = runs / VADE / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    app = opened_page("load", run=VADE, view=view)
    assert {metric.label for metric in app.metric} >= {"ACC", "NMI", "Rand index"}


def test_a_truncated_frame_gets_a_sentence(runs: Path) -> None:
    path = max((runs / VADE / "frames").iterdir())
    path.write_bytes(path.read_bytes()[:50])
    app = opened_page("load", run=VADE, view="reconstructions")
    assert path.name in errors_of(app)[0]


def test_data_without_labels_have_no_scores(runs: Path) -> None:
    lines = (runs / VADE / "metrics.jsonl").read_text().splitlines()
    names = ("acc", "nmi", "rand_index", "ari", "purity")
    blank = dict.fromkeys([*names, *(f"start_{name}" for name in names), "test_acc"])
    unlabelled = [json.dumps(json.loads(line) | blank) for line in lines]
    (runs / VADE / "metrics.jsonl").write_text("\n".join(unlabelled) + "\n")
    config = json.loads((runs / VADE / "config.json").read_text()) | {"labelled": False}
    (runs / VADE / "config.json").write_text(json.dumps(config))
    (runs / VADE / "baseline.json").unlink()
    app = opened_page("load", run=VADE)
    shown = {metric.label: metric.value for metric in app.metric}
    assert not {"ACC", "NMI", "Rand index"} & shown.keys()
    agreement = json.loads(lines[-1])["start_agreement"]
    assert shown["Agrees with its start"] == f"{100 * agreement:.1f} %"
    assert shown["Clusters used"].endswith(" of 10")
    assert "no labels" in words_of(app)
    assert "ACC" not in words_of(app).replace("ACC, NMI and the Rand index need them", "")


# --- What can be done with it -------------------------------------------------------------------


def save(app: AppTest) -> None:
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception


def test_renaming_and_a_note(runs: Path) -> None:
    app = opened_page("load", run=VADE)
    assert app.text_input(key=f"title-{VADE}").placeholder == "VaDE on digits"
    app.text_input(key=f"title-{VADE}").set_value("Ada's *first*")
    app.text_area(key=f"words-{VADE}").set_value("Two lines,\nno <b>markup</b>.")
    save(app)
    assert Run(runs / VADE).note() == {
        "title": "Ada's *first*",
        "note": "Two lines,\nno <b>markup</b>.",
    }
    assert app.title[0].value == "Ada's \\*first\\*"
    assert "no <b>markup</b>" in words_of(app)
    app.button(key="all-runs").click().run()
    app.text_input(key="load-text").set_value("markup").run()
    assert links_of(app) == {VADE}


def test_too_long_a_name_or_note_is_refused_and_nothing_is_saved(runs: Path) -> None:
    app = opened_page("load", run=VADE)
    before = Run(runs / VADE).note()
    app.text_input(key=f"title-{VADE}").set_value("n" * 81)
    app.text_area(key=f"words-{VADE}").set_value("kept with the name alone")
    save(app)
    assert errors_of(app) == [
        "A name has at most 80 characters, this one has 81: shorten it."
    ]  # fmt: skip
    assert Run(runs / VADE).note() == before
    app.text_input(key=f"title-{VADE}").set_value("n" * 80)
    app.text_area(key=f"words-{VADE}").set_value("w" * 4001)
    save(app)
    assert "at most 4,000 characters, this one has 4,001" in errors_of(app)[0]
    app.text_area(key=f"words-{VADE}").set_value("w" * 4000)
    save(app)
    assert not app.error
    assert Run(runs / VADE).note() == {"title": "n" * 80, "note": "w" * 4000}


def test_deleting_asks_twice(runs: Path) -> None:
    app = opened_page("load", run=VADE)
    press(app, "delete")
    assert (runs / VADE).exists()
    assert "VaDE on digits will be deleted with its curves" in words_of(app).replace("**", "")
    assert app.button(key="delete-not").label == "Cancel"
    assert app.button(key="delete-now").disabled
    app.checkbox(key="delete-sure").check().run()
    assert (runs / VADE).exists()
    press(app, "delete-not")
    assert "delete-now" not in [button.key for button in app.button]
    press(app, "delete")
    app.checkbox(key="delete-sure").check().run()
    press(app, "delete-now")
    assert not (runs / VADE).exists()
    assert links_of(app) == {VAE}
    assert "VaDE on digits was deleted" in words_of(app)


def test_a_broken_run_can_be_deleted(runs: Path) -> None:
    (runs / VAE / "config.json").unlink()
    app = opened_page("load", run=VAE)
    assert "config.json is missing" in errors_of(app)[0]
    press(app, "delete")
    app.checkbox(key="delete-sure").check().run()
    press(app, "delete-now")
    assert not (runs / VAE).exists()


def test_a_run_in_training_cannot_be_deleted(runs: Path) -> None:
    status = json.loads((runs / VADE / "status.json").read_text()) | {"state": "running"}
    (runs / VADE / "status.json").write_text(json.dumps(status))
    lock = FileLock(runs / VADE / LOCK)
    assert lock.acquire()
    try:
        app = opened_page("load", run=VADE)
        assert app.button(key="delete").disabled
        assert "Watch it on Train" in words_of(app)
    finally:
        lock.release()
    # The worker is gone: that is seen although no file has changed.
    app.run()
    assert not app.exception
    assert "Resume" in [button.label for button in app.button]


def test_training_on_queues_the_run_with_more_epochs(runs: Path) -> None:
    asked: list[tuple[str, int]] = []

    class Manager:
        def resume(self, run: Run, *, more_epochs: int = 0) -> None:
            asked.append((run.id, more_epochs))

    app = opened_page("load", run=VADE)
    patch = pytest.MonkeyPatch()
    patch.setattr("pages.shared.run_actions.job_manager", Manager)
    try:
        for _ in range(2):  # a double click
            app.switch_page("pages/load.py").run()
            app.number_input(key=f"more-{VADE}").set_value(7).run()
            app.button(key=f"train-on-{VADE}").click().run()
    finally:
        patch.undo()
    assert asked == [(VADE, 7)]
    assert link_of(app)["run"] == VADE


def test_a_run_that_was_queued_is_not_trained_on_again(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Manager:
        def resume(self, run: Run, *, more_epochs: int = 0) -> None:
            status = json.loads((run.path / "status.json").read_text())
            (run.path / "status.json").write_text(json.dumps(status | {"state": "queued"}))

    monkeypatch.setattr("pages.shared.run_actions.job_manager", Manager)
    app = opened_page("load", run=VADE)
    assert f"train-on-{VADE}" in [button.key for button in app.button]
    app.button(key=f"train-on-{VADE}").click().run()
    app.switch_page("pages/load.py").run()
    assert f"train-on-{VADE}" not in [button.key for button in app.button]


def test_a_page_drawn_to_its_end_leaves_no_click_that_waits(no_runs: Path) -> None:
    """The second of a double click on Train on, whose button is gone since the first."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state[CLICKS] = {f"train-on-{VADE}": (time.monotonic(), 7)}
    app.run()
    assert not app.exception
    assert app.session_state[CLICKS] == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dataset": "mine"}, "mine, are not on this computer"),
        ({"dataset": "mine", "data_file": "gone.npz"}, "are not there any more"),
    ],
)
def test_data_that_is_not_here_cannot_be_trained_on(
    runs: Path, changed: dict[str, str], said: str
) -> None:
    config = json.loads((runs / VADE / "config.json").read_text()) | changed
    (runs / VADE / "config.json").write_text(json.dumps(config))
    app = opened_page("load", run=VADE)
    assert said in words_of(app).replace("\\", "")
    assert f"train-on-{VADE}" not in [button.key for button in app.button]


def test_settings_go_to_train_in_the_link(runs: Path) -> None:
    app = opened_page("load", run=VAE)
    app.button(key="copy-settings").click().run()
    config = Run(runs / VAE).config
    sent = settings_query(config)
    assert sent["model"] == "vae"
    assert sent["seed"] == "3"
    assert sent["hidden"] == "16,16"
    assert sent["subset"] == "300"
    assert app.selectbox(key="train-model").value == "vae"
    assert app.number_input(key="train-epochs").value == 2
    assert app.text_input(key="train-hidden").value == "16,16"
    assert not app.error
    assert not app.warning
    assert link_of(app)["model"] == "vae"
    assert link_of(app)["seed"] == "3"


def test_a_recorded_run_is_never_changed_but_can_be_copied(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    shutil.move(runs / VAE, tmp_path / "recorded" / VAE)
    app = opened_page("load", run=VAE)
    keys = [button.key for button in app.button]
    assert not {"delete", f"train-on-{VAE}", f"resume-{VAE}"} & set(keys)
    press(app, f"copy-{VAE}")
    mine = link_of(app)["run"]
    assert (runs / mine).is_dir()
    assert "delete" in [button.key for button in app.button]


def test_bringing_a_run_in(runs: Path) -> None:
    file = io.BytesIO()
    pack(Run(runs / VADE), file)
    shutil.rmtree(runs / VADE)
    app = opened_page("load")
    app.file_uploader(key="archive-0").upload("run.zip", file.getvalue(), "application/zip").run()
    assert not app.exception
    assert link_of(app)["run"] == VADE
    assert app.title[0].value == "VaDE on digits"
    assert Run(runs / VADE).state == "finished"


def test_bringing_nonsense_in(runs: Path) -> None:
    app = opened_page("load")
    app.file_uploader(key="archive-0").upload("run.zip", b"no zip", "application/zip").run()
    assert not app.exception
    assert "no archive of a run" in errors_of(app)[0].replace("\\", "")
    assert links_of(app) == {VADE, VAE}
    app.file_uploader(key="archive-1").upload("notes.txt", b"mine", "text/plain").run()
    assert not app.exception
    said = errors_of(app)[0].replace("\\", "")
    assert said.startswith("notes.txt is no archive of a run: choose a .zip file")
    assert links_of(app) == {VADE, VAE}


# --- In a real browser --------------------------------------------------------------------------


@pytest.mark.browser
def test_the_first_link_of_a_new_server_opens_the_whole_app(
    made: Path, app_server: Any, chromium: Any, tmp_path: Path
) -> None:
    shutil.copytree(made / VADE, app_server.runs / VADE)
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    try:
        page.goto(f"{app_server.url}/load?run={VADE}&view=settings")
        page.get_by_text("Hidden layers").wait_for(timeout=40_000)
        # The navigation comes from app.py, and the link still says what it said.
        assert page.get_by_role("link", name="Train").count() == 1
        assert page.url.endswith(f"/load?run={VADE}&view=settings")
        with page.expect_download(timeout=20_000) as download:
            page.get_by_role("button", name="Download").click()
        assert download.value.suggested_filename == f"{VADE}.zip"
        page.get_by_role("button", name="All runs").click()
        page.get_by_text("Bring a run in").click()
        download.value.save_as(tmp_path / "run.zip")
        page.set_input_files("input[type=file]", tmp_path / "run.zip")
        page.wait_for_url(f"**/load?run={VADE}-2**", timeout=20_000)
        # A card is one link, wherever it is clicked.
        page.goto(app_server.url)
        card = page.locator(f".st-key-run-card-{VADE}-2")
        card.get_by_text("Finished").wait_for(timeout=20_000)
        # It looks like the run that it is a copy of: its id tells them apart.
        card.get_by_text(f"· {VADE}-2").wait_for(timeout=20_000)
        card.click(position={"x": 100, "y": 60})  # on the picture
        page.wait_for_url(f"**/load?run={VADE}-2**", timeout=20_000)
        # The list's own cards too change the address, and Back leads to the list.
        page.get_by_role("button", name="All runs").click()
        page.wait_for_url("**/load", timeout=20_000)
        card.get_by_text("Finished").wait_for(timeout=20_000)
        card.click(position={"x": 100, "y": 60})
        page.wait_for_url(f"**/load?run={VADE}-2**", timeout=20_000)
        page.go_back()
        page.get_by_text("Bring a run in").wait_for(timeout=20_000)
        assert page.url.endswith("/load")
    finally:
        page.close()


# --- Small things -------------------------------------------------------------------------------


def test_durations_and_shares() -> None:
    given = [None, 0.2, 59.4, 60, 75, 599, 3599, 3600, 90_000]
    expected = [
        "–",
        "0 s",
        "59 s",
        "1 min",
        "1 min 15 s",
        "9 min 59 s",
        "1 h 0 min",
        "1 h 0 min",
        "25 h 0 min",
    ]
    assert [session.duration(value) for value in given] == expected
    assert [session.percent(value) for value in (None, 0, 0.94464, 1)] == [
        "–",
        "0.0 %",
        "94.5 %",
        "100.0 %",
    ]


def test_labels_are_never_formatted() -> None:
    assert plain_label("[a](b) *c* :red[d]") == r"\[a\]\(b\) \*c\* \:red\[d\]"


def test_points_of_a_map_are_drawn_in_their_colours() -> None:
    places = np.array([[0, 0], [1, 1], [np.nan, 0]], np.float32)
    picture = draw_points(places, np.array([0, -1, 2]), size=40)
    seen = {tuple(int(v) for v in pixel[:3]) for pixel in picture[picture[..., 3] > 0]}
    assert seen == {(0x15, 0x78, 0xC4), (0x8B, 0x8F, 0x98)}
    low, high = picture[20:, :20], picture[:20, 20:]  # up is up
    assert low[..., 3].any()
    assert high[..., 3].any()
    assert not picture[:20, :20][..., 3].any()
    assert not draw_points(places[:0], np.array([], int), size=40).any()


def test_every_setting_has_a_row(runs: Path) -> None:
    rows = dict(settings_rows(Run(runs / VADE).config))
    assert rows["Epochs of pretraining"] == "1"
    assert rows["Batch size"]
    assert all(isinstance(value, str) for value in rows.values())
