"""The Train page without a browser: its settings, its link, its queue, its sentences."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import RerunData, RerunException
from streamlit.testing.v1 import AppTest

from pages.shared import lasting_click, training_view
from pages.shared.digits import png_of, rows_html
from pages.shared.figures import words_about_k
from pages.shared.run_map import read_frames
from pages.shared.session import job_manager
from pages.shared.stages import stages_brief
from pages.shared.train_settings import draw_start, shown_id
from pages.shared.training_view import queue_mood, queue_words
from vade_core.configure import configure
from vade_core.jobs import QUEUE_LOCK
from vade_core.locks import FileLock
from vade_core.map_frames import NO_CLUSTER
from vade_core.recorder import Recorder, create_run
from vade_core.runs import METRICS, Run, list_runs
from vade_core.worker import Worker

ROOT = Path(__file__).parents[1]
TINY = {"hidden": [16, 16], "epochs": 2, "pretrain_epochs": 1, "batch_size": 256}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of VaDE on 400 small digits."""
    config = configure(dataset="digits", subset=400, lenses=["pca", "first-two"], overrides=TINY)
    run = create_run(tmp_path_factory.mktemp("trained"), config)
    assert Worker(run).work() == "finished"
    return run.path


@pytest.fixture
def queue(runs_root: Path) -> Iterator[Path]:
    """The runs' folder, its queue held: what is started waits, and nothing trains."""
    st.cache_resource.clear()
    lock = FileLock(runs_root / QUEUE_LOCK)
    assert lock.acquire()
    yield runs_root
    job_manager().close()
    lock.release()
    st.cache_resource.clear()


@pytest.fixture
def open_page(queue: Path) -> Callable[..., AppTest]:
    def opened(**query: str) -> AppTest:
        page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        page.switch_page("pages/train.py")
        for name, value in query.items():
            page.query_params[name] = value
        page.run()
        return sound(page)

    return opened


def sound(page: AppTest) -> AppTest:
    assert not page.exception, [entry.value for entry in page.exception]
    return page


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click()
    return sound(page.run())


def said(page: AppTest) -> str:
    found = [*page.error, *page.warning, *page.info, *page.markdown, *page.caption, *page.header]
    return "\n".join(str(entry.value) for entry in found)


def configs(root: Path) -> list[Any]:
    return [Run(summary["path"]).config for summary in list_runs([root])]


def test_the_page_opens_with_no_runs(open_page: Callable[..., AppTest]) -> None:
    page = open_page()
    assert "press **Start**" in said(page)
    assert not page.error


def of_the_link(page: AppTest) -> list[str]:
    """What is said of the link, not of the run that is shown."""
    return [each.value for each in page.warning if each.icon == ":material/link_off:"]


def test_the_settings_reach_the_queued_run(open_page: Callable[..., AppTest], queue: Path) -> None:
    page = open_page()
    page.selectbox(key="train-dataset").select("digits")
    page.button_group(key="train-k").set_value("7")
    page.selectbox(key="train-preset").select("czerwonski")
    sound(page.run())  # a preset that is chosen takes back what it says
    page.number_input(key="train-seed").set_value(5)
    page.number_input(key="train-epochs").set_value(4)
    page.number_input(key="train-subset").set_value(300)
    page.number_input(key="train-latent_dim").set_value(6)
    page.number_input(key="train-batch_size").set_value(50)
    page.text_input(key="train-hidden").set_value("20, 30")
    page.toggle(key="train-split").set_value(True)
    page.multiselect(key="train-maps").set_value(["pca"])
    sound(page.run())
    assert "With 7 clusters for 10 classes, 3 classes get no cluster" in said(page)
    press(page, "train-start")
    (config,) = configs(queue)
    assert (config.model, config.dataset, config.clusters, config.seed) == ("vade", "digits", 7, 5)
    assert (config.preset, config.subset, config.split) == ("czerwonski", 300, True)
    assert config.lenses == ["pca"]
    chosen = {name: config.parameters[name] for name in ("epochs", "latent_dim", "batch_size")}
    assert chosen == {"epochs": 4, "latent_dim": 6, "batch_size": 50}
    assert config.parameters["hidden"] == [20, 30]
    assert config.parameters["pretraining"] == "vae"  # the preset's
    assert "Waiting for its turn" in said(page)


def test_settings_beside_a_run_that_a_link_opens_are_its_own(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    shutil.copytree(trained, queue / "own")
    config = Run(trained).config
    page = open_page(run="own")
    assert not of_the_link(page)
    assert page.selectbox(key="train-dataset").value == "digits"
    assert page.number_input(key="train-subset").value == 400
    assert page.text_input(key="train-hidden").value == "16,16"
    assert page.multiselect(key="train-maps").value == ["pca", "first-two"]
    # What the preset says anyway stands in grey, and another preset says something else.
    assert page.number_input(key="train-learning_rate").value is None
    press(page, "train-start")
    (again,) = (one for one in configs(queue) if one.created != config.created)
    assert again.parameters == config.parameters
    assert (again.subset, again.seed) == (config.subset, config.seed)
    # Who has come to the page before keeps what was chosen there.
    page.selectbox(key="train-model").select("vae")
    sound(page.run())
    page.switch_page("pages/load.py")
    page.run()
    page.switch_page("pages/train.py")
    page.query_params["run"] = "own"
    assert sound(page.run()).selectbox(key="train-model").value == "vae"


def test_settings_that_a_run_has_and_this_computer_has_not_stay_away(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    shutil.copytree(trained, queue / "own")
    words = (queue / "own" / "config.json").read_text().replace('"digits"', '"mine"')
    (queue / "own" / "config.json").write_text(words)
    page = open_page(run="own")
    assert not of_the_link(page)
    assert page.selectbox(key="train-dataset").value == "mnist"


def test_untouched_settings_are_those_of_model_and_preset(
    open_page: Callable[..., AppTest], queue: Path
) -> None:
    press(open_page(dataset="digits"), "train-start")
    (config,) = configs(queue)
    usual = configure(dataset="digits")
    assert config.parameters == usual.parameters
    assert config.clusters == 10


def test_a_link_fills_the_settings_in(open_page: Callable[..., AppTest], queue: Path) -> None:
    page = open_page(
        model="lambda-hot",
        dataset="digits",
        preset="paper",
        seed="9",
        epochs="3",
        strength="2.5",
        hidden="16,16",
        maps="pca",
    )
    assert not page.warning
    press(page, "train-start")
    (config,) = configs(queue)
    assert (config.model, config.preset, config.seed) == ("lambda-hot", "paper", 9)
    assert config.parameters["strength"] == 2.5
    assert config.parameters["epochs"] == 3


def test_a_free_k_comes_and_goes_by_link(open_page: Callable[..., AppTest], queue: Path) -> None:
    page = open_page(dataset="digits", k="9")
    assert page.number_input(key="train-k_free").value == 9
    assert page.query_params["k"] == "9"
    press(page, "train-start")
    assert configs(queue)[0].clusters == 9


def test_k_follows_the_classes_until_somebody_chooses_another(
    open_page: Callable[..., AppTest],
) -> None:
    page = open_page()
    page.selectbox(key="train-dataset").set_value("har").run()
    assert page.number_input(key="train-k_free").value == 6
    page.selectbox(key="train-dataset").set_value("digits").run()
    assert page.segmented_control(key="train-k").value == "10"
    page.segmented_control(key="train-k").set_value("7").run()
    page.selectbox(key="train-dataset").set_value("har").run()
    assert page.segmented_control(key="train-k").value == "7"
    assert open_page(dataset="har", k="10").segmented_control(key="train-k").value == "10"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"model": "gan"}, "no model 'gan'"),
        ({"dataset": "../../etc"}, "no dataset"),
        ({"preset": "best"}, "no preset 'best'"),
        ({"k": "many"}, "k is 'many'"),
        ({"k": "0"}, "from 1 to"),
        ({"seed": "-1"}, "seed is '-1'"),
        ({"seed": "x"}, "from 0 to 4,294,967,295"),
        ({"epochs": "1e3"}, "epochs is '1e3'"),
        ({"learning_rate": "nan"}, "learning_rate is 'nan'"),
        ({"hidden": "500;500"}, "Hidden widths are"),
        ({"split": "perhaps"}, "write true or false"),
        ({"maps": "pca,isomap"}, "no map 'isomap'"),
        ({"colour": "blue"}, "'colour' is no setting"),
        ({"run": "../../etc/passwd"}, "no run's id"),
        ({"run": "vade-gone"}, "There is no run 'vade-gone'"),
    ],
)
def test_a_bad_link_gets_a_sentence(
    open_page: Callable[..., AppTest], query: dict[str, str], words: str
) -> None:
    assert words in said(open_page(**query))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("subset", 5000, "Train on so many samples: 5,000 is out of range. Give a number from 20"),
        ("subset", -3, "Train on so many samples: -3 is out of range"),
        ("epochs", 0, "Epochs: 0 is out of range"),
        ("seed", -1, "Seed: -1 is out of range"),
        ("learning_rate", 7.5, "Learning rate: 7.5 is out of range"),
    ],
)
def test_a_number_out_of_range_disables_the_start_and_says_why(
    open_page: Callable[..., AppTest], queue: Path, name: str, value: float, words: str
) -> None:
    page = open_page(dataset="digits")
    page.number_input(key=f"train-{name}").set_value(value)
    sound(page.run())
    assert words in said(page)
    assert page.button(key="train-start").disabled
    page.number_input(key=f"train-{name}").set_value(None if name != "seed" else 4)
    sound(page.run())
    assert not page.error
    press(page, "train-start")
    assert len(configs(queue)) == 1


def test_a_subset_by_link_that_is_larger_than_the_data_disables_the_start(
    open_page: Callable[..., AppTest],
) -> None:
    page = open_page(dataset="digits", subset="9999999")
    assert "9,999,999 is out of range" in said(page)
    assert page.button(key="train-start").disabled


def test_a_free_k_out_of_range_disables_the_start(open_page: Callable[..., AppTest]) -> None:
    page = open_page(dataset="digits", k="9")
    page.number_input(key="train-k_free").set_value(0)
    sound(page.run())
    assert "K: 0 is out of range" in said(page)
    assert page.button(key="train-start").disabled


@pytest.mark.parametrize(
    ("k", "words"),
    [
        (7, "With 7 clusters for 10 classes, 3 classes get no cluster: their points"),
        (9, "1 class gets no cluster: its points count as wrong"),
        (14, "Points of unmatched clusters count as wrong."),
    ],
)
def test_what_k_means_for_acc_is_said_for_few_and_for_many(k: int, words: str) -> None:
    assert words in words_about_k(k, 10)


def test_what_the_queue_says_fits_its_mood() -> None:
    paused, running = [{"state": "paused"}], [{"state": "running"}]
    assert queue_words(queue_mood([], [])) == ""
    assert "is paused: a new run waits behind it" in queue_words(queue_mood(paused, []))
    assert "trains already" in queue_words(queue_mood(running, [{"state": "queued"}]))


def test_widths_that_are_none_disable_the_start(open_page: Callable[..., AppTest]) -> None:
    page = open_page(dataset="digits")
    page.text_input(key="train-hidden").set_value("wide")
    sound(page.run())
    assert "Hidden widths are 'wide'" in said(page)
    assert page.button(key="train-start").disabled


def test_settings_that_do_not_go_together_get_a_sentence_and_no_run(
    open_page: Callable[..., AppTest], queue: Path
) -> None:
    page = open_page(model="lambda-hot", dataset="digits", latent_dim="4")
    press(page, "train-start")
    assert "needs a latent dimension for each" in said(page)
    assert not configs(queue)


def test_two_starts_in_one_go_make_one_run_and_a_later_one_queues(
    open_page: Callable[..., AppTest], queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(dataset="digits")
    press(page, "train-start")
    # The second click of a double click comes at once, however slow this machine is.
    monkeypatch.setattr(lasting_click, "SAME_WISH", 600)
    press(page, "train-start")
    assert len(configs(queue)) == 1
    monkeypatch.setattr(lasting_click, "SAME_WISH", 0)
    press(page, "train-start")
    assert len(configs(queue)) == 2


def test_a_waiting_run_is_listed_and_can_be_taken_out(
    open_page: Callable[..., AppTest], queue: Path
) -> None:
    page = press(open_page(dataset="digits"), "train-start")
    page.number_input(key="train-seed").set_value(1)
    sound(page.run())
    press(page, "train-start")
    (second,) = [s["id"] for s in list_runs([queue]) if s["seed"] == 1]
    assert "**Waiting:** VaDE on digits, K = 10, seed 1" in said(page)
    assert page.header[0].value == "VaDE on digits, K = 10, seed 0"
    assert "Waiting for its turn." in said(page)
    press(page, f"train-show-{second}")
    assert page.header[0].value == "VaDE on digits, K = 10, seed 1"
    assert "Waiting for 1 more that waits." in said(page)
    # Something trains, as far as its folder says.
    first = next(Run(s["path"]) for s in list_runs([queue]) if s["seed"] == 0)
    recorder = Recorder(first)
    recorder.status("paused", "Training VaDE")
    sound(page.run())
    assert "Waiting for VaDE on digits, K = 10, seed 0, Robust, of " in said(page)
    recorder.status("queued", "Waiting")
    recorder.close()
    sound(page.run())
    press(page, f"train-show-{first.id}")
    press(page, f"train-out-{second}")
    assert not (queue / second).exists()  # it never began: nothing is left of it
    assert "**Waiting:**" not in said(page)
    press(page, "train-stop")
    assert list_runs([queue]) == []
    assert "press **Start**" in said(page)


def test_a_run_that_has_learnt_something_is_kept_when_it_is_taken_out(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    shutil.copytree(trained, queue / trained.name)
    job_manager().resume(Run(queue / trained.name), more_epochs=1)
    press(open_page(run=trained.name), "train-stop")
    assert Run(queue / trained.name).state == "stopped"


def test_a_stop_is_answered_before_the_training_has_ended(
    open_page: Callable[..., AppTest], queue: Path
) -> None:
    run = create_run(queue, configure(dataset="digits", overrides=TINY))
    recorder = Recorder(run)
    recorder.status("running", "Training VaDE")
    page = open_page(run=run.id)
    assert "Stopping" not in said(page)
    press(page, "train-stop")  # at work on an epoch, it has not heard of it yet
    assert "**Stopping:**" in said(page)
    recorder.status("stopped", "Stopped")
    assert "Stopping" not in said(sound(page.run()))
    recorder.status("running", "Training VaDE")  # somebody lets it go on
    assert "Stopping" not in said(sound(page.run()))
    recorder.close()


def test_a_run_stopped_before_it_began_says_so(
    open_page: Callable[..., AppTest], queue: Path
) -> None:
    run = create_run(queue, configure(dataset="digits", overrides=TINY))
    job_manager().send(run, "stop")
    page = open_page(run=run.id)
    assert "Stopped before its first epoch" in said(page)
    assert not page.subheader


def test_a_run_stopped_before_it_learnt_anything_shows_its_untrained_networks(
    open_page: Callable[..., AppTest], queue: Path
) -> None:
    run = create_run(queue, configure(dataset="digits", lenses=["pca"], overrides=TINY))
    worker = Worker(run)
    worker.listener = lambda line: setattr(worker.control, "stopped", True)
    assert worker.work() == "stopped"
    assert [line["phase"] for line in run.metrics()] == ["untrained"]
    page = open_page(run=run.id)
    assert "Stopped before its first epoch: nothing is learnt yet." in said(page)
    assert {metric.label: metric.value for metric in page.metric}["Epochs done"] == "0"
    headings = [heading.value for heading in page.subheader]
    assert headings == ["Scores", "Latent space", "Reconstructions", "Loss, in nats a sample"]
    assert not page.error
    pictures = "".join(entry.proto.body for entry in page.get("html"))
    assert "before any training." in pictures
    assert pictures.count("not reached") == 4
    assert stages_brief(run.config, run.metrics()) == ""


def test_a_finished_run_is_shown_with_all_that_it_has(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    shutil.copytree(trained, queue / trained.name)
    page = open_page(run=trained.name)
    assert "Finished." in said(page)
    shown = {metric.label: metric.value for metric in page.metric}
    last = Run(trained).metrics()[-1]
    assert shown["ACC"] == f"{100 * last['acc']:.1f} %"
    assert shown["Epochs done"] == "3"
    early = sum(line["phase"] == "pretrain" for line in Run(trained).metrics())
    assert any(f">{early} of them pretraining<" in entry.proto.body for entry in page.get("html"))
    headings = [heading.value for heading in page.subheader]
    assert headings == ["Scores", "Latent space", "Reconstructions", "Loss, in nats a sample"]
    assert not page.error
    assert not of_the_link(page)


@pytest.mark.parametrize("file", ["config.json", "status.json", METRICS, "stage.safetensors"])
def test_a_broken_file_gets_a_sentence_that_names_it(
    open_page: Callable[..., AppTest], queue: Path, trained: Path, file: str
) -> None:
    shutil.copytree(trained, queue / trained.name)
    (queue / trained.name / file).write_bytes(b"\x00{not this\n")
    page = open_page(run=trained.name)
    assert any(file in str(entry.value) for entry in page.error)


def test_a_run_deleted_while_it_is_open_gets_a_sentence(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    shutil.copytree(trained, queue / trained.name)
    page = open_page(run=trained.name)
    shutil.rmtree(queue / trained.name)
    sound(page.run())
    assert "There is no run" in said(page)


def test_a_run_is_still_shown_after_a_look_at_another_page(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    shutil.copytree(trained, queue / trained.name)
    page = open_page(run=trained.name)
    page.switch_page("pages/start.py")
    page.query_params.clear()
    sound(page.run())
    page.switch_page("pages/train.py")
    page.query_params.clear()
    sound(page.run())
    assert "Finished." in said(page)
    assert page.query_params["run"] == trained.name


def test_a_failed_run_says_why(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    from vade_core.recorder import write_json

    shutil.copytree(trained, queue / trained.name)
    status = {"state": "failed", "words": "Failed", "error": "The loss became nan in epoch 2."}
    write_json(queue / trained.name / "status.json", status)
    assert "The loss became nan in epoch 2." in said(open_page(run=trained.name))


def test_a_model_without_clusters_and_data_without_labels_are_explained(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    from vade_core.recorder import write_json

    shutil.copytree(trained, queue / trained.name)
    run = Run(queue / trained.name)
    told = {**run.config.to_json(), "model": "vae", "labelled": False, "class_names": None}
    write_json(run.path / "config.json", told)
    words = said(open_page(run=run.id))
    assert "no clusters of its own" in words
    assert "no labels" in words


# --- The map's frames ---------------------------------------------------------------------------


def test_map_frames_follow_the_run(trained: Path) -> None:
    run = Run(trained)
    found = read_frames(run, "pca")
    assert found.skipped == []
    frames = found.frames
    assert frames is not None
    numbers, lines = run.frame_numbers(), run.metrics()
    assert frames.n_frames == len(numbers)
    assert list(frames.epochs) == [
        "untrained",
        "pretraining, epoch 1",
        "start",
        "clusters held, epoch 1",
        "clusters free, epoch 2",
    ]
    assert frames.accuracy[-1] == lines[-1]["acc"]
    assert np.array_equal(frames.positions[-1], run.frame(numbers[-1]).maps["pca"])
    assert frames.matched[-1].tolist() == lines[-1]["matched"]
    # Before there are clusters no mean is drawn and no cluster has a class.
    assert found.phases[:2] == ["untrained", "pretrain"]
    assert np.isnan(frames.means[:2]).all()
    assert (frames.matched[:2] == -1).all()
    assert (frames.assigned(0) == NO_CLUSTER).all()


def test_the_priors_means_are_where_a_linear_map_puts_them(trained: Path) -> None:
    run = Run(trained)
    frames = read_frames(run, "first-two").frames
    prior = run.frame(run.frame_numbers()[-1]).prior
    assert np.allclose(frames.means[-1], prior["means"][:, :2], atol=0.02)
    variances = np.exp(prior["log_variances"][:, :2])
    assert np.allclose(frames.ellipses[-1][:, 0, 0], variances[:, 0], rtol=0.05, atol=1e-3)
    assert np.allclose(frames.ellipses[-1][:, 0, 1], 0, atol=0.02)


def test_a_broken_frame_is_named_while_the_others_show(
    open_page: Callable[..., AppTest], queue: Path, trained: Path
) -> None:
    shutil.copytree(trained, queue / trained.name)
    run = Run(queue / trained.name)
    broken = run.frame_path(run.frame_numbers()[0])
    broken.write_bytes(broken.read_bytes()[:100])
    found = read_frames(run, "pca")
    assert found.frames.n_frames == len(run.frame_numbers()) - 1
    assert broken.name in found.skipped[0]
    page = open_page(run=run.id)
    assert any(broken.name in str(entry.value) for entry in page.warning)


def test_a_frame_without_that_map_is_left_out(trained: Path) -> None:
    found = read_frames(Run(trained), "umap")
    assert found.frames is None
    assert "no umap map" in found.skipped[0]


# --- Pictures -----------------------------------------------------------------------------------


def test_a_picture_comes_back_from_its_png() -> None:
    image = pytest.importorskip("PIL.Image")
    import io

    picture = np.random.default_rng(0).integers(0, 256, (5, 9), dtype=np.uint8)
    back = np.asarray(image.open(io.BytesIO(png_of(picture))))
    assert np.array_equal(back, picture)


def test_rows_name_their_pictures_and_never_trust_a_name() -> None:
    text = rows_html([("<script>", np.zeros((3, 2, 2)))])
    assert "<script>" not in text
    assert "3 pictures" in text
    with pytest.raises(ValueError, match=r"\(m, h, w\)"):
        rows_html([("flat", np.zeros((3, 4)))])


def test_samples_without_a_shape_are_drawn_as_profiles_on_one_scale() -> None:
    def script() -> None:
        import numpy as np

        from pages.shared.digits import sample_rows

        rising = np.array([[0.0, 1.0, 2.0]])
        sample_rows([("Original", rising), ("Decoded", rising / 2)], None)

    page = AppTest.from_function(script).run()
    assert not page.exception
    text = page.get("html")[0].proto.body
    drawings = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", text)
    points = [re.findall(r",([\d.]+)", base64.b64decode(d).decode()) for d in drawings]
    assert points == [["61.0", "32.0", "3.0"], ["61.0", "46.5", "32.0"]]


class Pressed(contextlib.nullcontext[None]):
    """A place for the Start button, which has just been pressed."""

    def button(self, *_: Any, on_click: Callable[..., None], args: Any, **__: Any) -> bool:
        on_click(*args)
        return True


class BrokenOff(dict[str, Any]):
    """A session whose state cannot be written to: a click has come that breaks the script off."""

    broken = False

    def __setitem__(self, key: str, value: Any) -> None:
        if self.broken:
            raise RerunException(RerunData())
        super().__setitem__(key, value)


def test_a_second_click_while_a_start_is_prepared_starts_nothing(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit breaks a script off wherever it uses the session's state."""
    state = BrokenOff()
    monkeypatch.setattr(st, "session_state", state)
    asked = {"model": "vade", "dataset": "digits", "overrides": TINY}
    submit = job_manager().submit

    def submit_slowly(config: Any) -> Any:
        run = submit(config)
        state.broken = True
        return run

    monkeypatch.setattr(job_manager(), "submit", submit_slowly)
    state["train-run"] = "another"
    with contextlib.suppress(RerunException):
        draw_start(Pressed(), asked)
    state.broken = False
    assert draw_start(Pressed(), asked) == 1
    assert len(configs(queue)) == 1
    assert shown_id([], [{"id": "begun"}]) == "begun"


def test_what_the_buttons_do_is_not_broken_off(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        """A session's state that whoever asks is broken off at."""

        def __getattribute__(self, name: str) -> Any:
            raise RerunException(RerunData())

    first, second = (
        job_manager().submit(configure(dataset="digits", overrides=TINY)) for _ in range(2)
    )
    monkeypatch.setattr(st, "session_state", Gone())
    notes: dict[str, Any] = {}
    training_view._take_out(str(first.path), notes)
    assert not first.path.exists()
    assert notes == {"again": True, "gone": first.id}
    training_view._take_out(str(first.path), notes)  # a second click
    assert notes == {"again": True, "gone": first.id}
    training_view._show(second.id, notes)
    assert notes["to_show"] == second.id
    training_view._step(str(second.path), notes, 2)
    training_view._ask(str(second.path), "wait", notes)
    assert "problem" in notes
