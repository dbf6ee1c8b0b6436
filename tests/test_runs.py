"""Reading run folders: whole, broken, foreign."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from vade_core.configure import configure
from vade_core.rebuild import load_model
from vade_core.recorder import create_run, delete_run, plain, send, write_json, write_note
from vade_core.runs import Run, RunError, find_run, list_runs, runs_root
from vade_core.worker import Worker


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = configure(
        dataset="digits",
        subset=300,
        lenses=["pca"],
        overrides={"hidden": [8], "pretrain_epochs": 1, "epochs": 1, "start_restarts": 1},
    )
    run = create_run(tmp_path_factory.mktemp("runs"), config)
    Worker(run).work()
    return run


@pytest.fixture
def copy(finished: Run, tmp_path: Path) -> Run:
    shutil.copytree(finished.path, tmp_path / "runs" / finished.id)
    return Run(tmp_path / "runs" / finished.id)


def test_a_summary_tells_what_lists_show(finished: Run) -> None:
    (summary,) = list_runs([finished.path.parent])
    assert {"id", "path", "state", "model", "dataset", "clusters"} <= summary.keys()
    assert summary["state"] == "finished"
    assert summary["epochs"] == 1
    assert summary["acc"] == finished.metrics()[-1]["acc"]
    assert find_run(finished.id, [finished.path.parent]).path == finished.path


@pytest.mark.parametrize(
    "run_id", ["../secrets", "/etc", "", "a/b", "ä", ".hidden", "..", "a.", "x" * 200]
)
def test_an_id_is_never_a_path(run_id: str, finished: Run) -> None:
    with pytest.raises(RunError, match="is no run's id"):
        find_run(run_id, [finished.path.parent])


def test_an_unknown_id_gets_a_sentence(finished: Run) -> None:
    with pytest.raises(RunError, match="There is no run 'gone' here"):
        find_run("gone", [finished.path.parent])


BROKEN_TEXTS = [
    *((name, text) for name in ("config.json", "status.json") for text in (b"", b"{", b"[1]")),
    *((f"{name}.json", text) for name in ("config", "status") for text in (b'"x"', b"\xff\xfe")),
    *(("metrics.jsonl", text) for text in (b"{\n", b"\xff\xfe\n", b"{}\n", b"[1]\n")),
]


@pytest.mark.parametrize(("name", "content"), BROKEN_TEXTS)
def test_a_broken_text_file_is_named(name: str, content: bytes, copy: Run) -> None:
    (copy.path / name).write_bytes(content)
    (summary,) = list_runs([copy.path.parent])
    assert summary["state"] == "broken"
    assert name in summary["error"]
    assert "\n" not in summary["error"]


@pytest.mark.parametrize("name", ["config.json", "status.json"])
def test_a_missing_file_is_named(name: str, copy: Run) -> None:
    (copy.path / name).unlink()
    (summary,) = list_runs([copy.path.parent])
    assert summary["state"] == "broken"
    assert f"{name} is missing" in summary["error"]


@pytest.mark.parametrize(
    "entry",
    [
        {"format": 99},
        {"clusters": -1},
        {"clusters": True},
        {"n_features": "many"},
        {"likelihood": "poisson"},
        {"image_shape": [3]},
        {"image_shape": [100, 100]},
        {"class_names": [1, 2]},
        {"parameters": []},
    ],
    ids=str,
)
def test_a_foreign_configuration_is_refused(entry: dict[str, object], copy: Run) -> None:
    config = json.loads((copy.path / "config.json").read_text())
    (copy.path / "config.json").write_text(json.dumps({**config, **entry}))
    with pytest.raises(RunError, match=r"config\.json"):
        _ = Run(copy.path).config


@pytest.mark.parametrize("cut", [0, 4, 20, 0.5, 0.99])
@pytest.mark.parametrize("name", ["checkpoint.safetensors", "stage.safetensors", "frame"])
def test_a_truncated_tensor_file_is_named(name: str, cut: float, copy: Run) -> None:
    path = copy.frame_path(0) if name == "frame" else copy.path / name
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut * len(whole)) if isinstance(cut, float) else cut])
    read = {"frame": lambda: copy.frame(0), "stage.safetensors": copy.stage}.get(
        name, lambda: load_model(copy)
    )
    with pytest.raises(RunError, match=path.name):
        read()


def test_a_foreign_tensor_file_is_named(copy: Run) -> None:
    foreign = safetensors.numpy.save({"weights": np.zeros(3, dtype=np.float32)})
    for path, read in (
        (copy.frame_path(0), lambda: copy.frame(0)),
        (copy.path / "stage.safetensors", copy.stage),
        (copy.path / "checkpoint.safetensors", lambda: load_model(copy)),
    ):
        path.write_bytes(foreign)
        with pytest.raises(RunError, match=path.name):
            read()


def test_weights_that_do_not_fit_the_configuration_are_named(copy: Run) -> None:
    config = json.loads((copy.path / "config.json").read_text())
    config["parameters"]["hidden"] = [9]
    (copy.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"checkpoint\.safetensors does not fit"):
        load_model(Run(copy.path))


def test_an_unknown_model_or_parameter_is_named(copy: Run) -> None:
    config = json.loads((copy.path / "config.json").read_text())
    for change, sentence in (
        ({"model": "gan"}, "no model 'gan'"),
        ({"parameters": {**config["parameters"], "wings": 2}}, "do not fit vade"),
    ):
        (copy.path / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(RunError, match=sentence):
            load_model(Run(copy.path))


def test_a_pickle_in_a_files_place_is_not_run(copy: Run, tmp_path: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    for name in ("checkpoint.safetensors", "stage.safetensors", "config.json"):
        (copy.path / name).write_bytes(pickle.dumps(Trap()))
    for read in (lambda: load_model(Run(copy.path)), copy.stage):
        with pytest.raises(RunError):
            read()
    assert not (tmp_path / "sprung").exists()


def test_a_dead_worker_is_named_interrupted(copy: Run) -> None:
    for state in ("running", "paused"):
        write_json(copy.path / "status.json", {"state": state, "words": ""})
        assert copy.state == "interrupted"
    write_json(copy.path / "status.json", {"state": "queued", "words": ""})
    assert copy.state == "queued"


def test_a_line_still_being_written_is_left_out(copy: Run) -> None:
    before = copy.metrics()
    with (copy.path / "metrics.jsonl").open("a") as file:
        file.write('{"phase": "train", "epo')
    assert copy.metrics() == before


def test_a_note_and_its_limits(copy: Run) -> None:
    write_note(copy, title="  First try  ", note="x" * 9999)
    assert copy.title == "First try"
    assert len(copy.note()["note"]) == 4000
    write_note(copy, title="", note="")
    assert copy.title == copy.id


def test_delete_removes_the_folder_and_nothing_else(copy: Run) -> None:
    neighbour = copy.path.parent / "neighbour"
    neighbour.mkdir()
    delete_run(copy)
    assert [entry.name for entry in copy.path.parent.iterdir()] == ["neighbour"]


def test_a_folder_in_use_is_not_trained_into(finished: Run) -> None:
    with pytest.raises(RunError, match="is not empty"):
        create_run(finished.path.parent, finished.config, finished.path)


def test_an_unknown_command_is_refused(copy: Run) -> None:
    with pytest.raises(RunError, match="pause, resume, step, stop"):
        send(copy, "explode")


def test_runs_live_where_vade_runs_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VADE_RUNS", raising=False)
    assert runs_root() == Path("runs")
    monkeypatch.setenv("VADE_RUNS", str(tmp_path))
    assert runs_root() == tmp_path


def test_json_knows_no_nan() -> None:
    assert plain({"a": float("nan"), "b": np.float32(1), "c": np.arange(2)}) == {
        "a": None,
        "b": 1.0,
        "c": [0, 1],
    }


@pytest.mark.parametrize(("renewed", "held", "every"), [(True, 7, 3), (True, 1, 1), (False, 7, 0)])
def test_a_run_that_renewed_its_held_clusters_once_is_still_read(
    renewed: bool, held: int, every: int, copy: Run
) -> None:
    described = json.loads((copy.path / "config.json").read_text())
    del described["parameters"]["renew_every"]
    described["parameters"] |= {"renew_held": renewed, "clamped_epochs": held}
    write_json(copy.path / "config.json", described)
    run = Run(copy.path)
    assert "renew_held" not in run.config.parameters
    assert load_model(run).get_params()["renew_every"] == every
