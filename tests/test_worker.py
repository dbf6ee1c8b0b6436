"""Runs that survive being killed, and what a worker writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from vade_core.archive import pack, unpack
from vade_core.configure import configure
from vade_core.data import load
from vade_core.jobs import JobManager, wait_for, worker_environment
from vade_core.layout import first_layout
from vade_core.locks import FileLock, is_held
from vade_core.rebuild import load_dataset, load_model
from vade_core.recorder import Recorder, create_run, send
from vade_core.runs import Run, RunConfig, RunError, at_work, list_runs
from vade_core.worker import Worker

SETTINGS: dict[str, Any] = {
    "hidden": [16, 16],
    "batch_size": 64,
    "pretrain_epochs": 3,
    "epochs": 4,
    "start_restarts": 1,
    "clamped_epochs": 1,
    "most_leaving": None,  # every epoch is to be there
}


def small_config(**more: Any) -> RunConfig:
    overrides = {**SETTINGS, **more.pop("overrides", {})}
    if more.get("model", "vade") != "vade":
        overrides = {k: v for k, v in overrides.items() if k in ("hidden", "batch_size", "epochs")}
    config = configure(
        dataset="digits", subset=400, overrides=overrides, **{"lenses": ["pca"], **more}
    )
    config.threads = 1
    return config


def outcome(run: Run) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All that a run computed: lines without times, and the tensors of checkpoint and frames."""
    lines = [
        {key: value for key, value in line.items() if key not in ("seconds", "elapsed")}
        for line in run.metrics()
    ]
    files = [run.path / "checkpoint.safetensors", *map(run.frame_path, run.frame_numbers())]
    tensors = {
        f"{file.name}:{name}": value
        for file in files
        for name, value in safetensors.numpy.load(file.read_bytes()).items()
        if name != "elapsed"
    }
    return lines, tensors


def assert_same_outcome(run: Run, other: Run) -> None:
    lines, tensors = outcome(run)
    other_lines, other_tensors = outcome(other)
    assert lines == other_lines
    assert tensors.keys() == other_tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(value, other_tensors[name], err_msg=name)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = create_run(tmp_path_factory.mktemp("runs"), small_config())
    assert Worker(run).work() == "finished"
    return run


def test_a_run_keeps_the_model_of_every_frame_where_asked(tmp_path: Path) -> None:
    run = create_run(tmp_path, small_config(keep_weights=True, overrides={"epochs": 2}))
    assert Worker(run).work() == "finished"
    assert run.weights_numbers() == run.frame_numbers()
    stage, dataset = run.stage(), load_dataset(run.config)
    for number in (0, 4, run.frame_numbers()[-1]):
        model, frame = load_model(run, number), run.frame(number)
        found = model.transform(dataset.samples[stage.rows])
        np.testing.assert_allclose(found, frame.latents, atol=0.02 * np.abs(found).max())
        if frame.clusters is not None:
            assert np.mean(model.responsibilities(found).argmax(1) == frame.clusters) > 0.98
    packed, inside = tmp_path / "run.zip", tmp_path / "elsewhere"
    pack(run, packed)
    assert unpack(packed, inside).weights_numbers() == run.frame_numbers()
    with pytest.raises(RunError, match="kept no model of that epoch"):
        load_model(run, 99)
    # A resumed run drops what its checkpoint does not know of.
    run.weights_path(99).write_bytes(b"left by a worker that died")
    Recorder(run).rewind(len(run.metrics()))
    assert run.weights_numbers() == run.frame_numbers()


def furthest_turn(map_: Any, layout: Any) -> float:
    """How far a map is from lying on a layout as well as turning and mirroring can make it."""
    a, b = map_ - map_.mean(0), layout - layout.mean(0)
    u, _, v = np.linalg.svd(a.T @ b)
    return float(np.abs(u @ v - np.eye(2)).max())


def test_runs_on_the_same_samples_start_from_one_layout(undisturbed: Run, tmp_path: Path) -> None:
    vae = create_run(tmp_path / "runs", small_config(model="vae", overrides={"epochs": 1}))
    assert Worker(vae).work() == "finished"
    layout = first_layout(vae.stage(), ["pca"])["pca"]
    for run in (undisturbed, vae):
        assert furthest_turn(run.frame(0).maps["pca"], layout) < 0.02

    # Samples that are no pictures: their values are where the maps start.
    values = load("digits").as_float(np.arange(300))[:, 10:30]
    np.savez(tmp_path / "own.npz", X=values * [[3.0] * 10 + [1.0] * 10])
    overrides = {"hidden": [16, 16], "epochs": 1}
    asked: dict[str, Any] = {"model": "vae", "clusters": 4, "overrides": overrides}
    config = configure(data_file=tmp_path / "own.npz", lenses=["pca"], **asked)
    own = create_run(tmp_path / "runs", config)
    assert Worker(own).work() == "finished"
    stage = own.stage()
    assert stage.pictures is None
    assert first_layout(stage, ["pca"]) == {}
    given = np.load(tmp_path / "own.npz")["X"][stage.rows]
    layout = first_layout(stage, ["pca"], given)["pca"]
    assert furthest_turn(own.frame(0).maps["pca"], layout) < 0.02


def test_a_run_folder_holds_what_it_should(undisturbed: Run) -> None:
    lines = undisturbed.metrics()
    assert [(line["phase"], line["epoch"]) for line in lines] == [
        ("untrained", 0),
        *(("pretrain", epoch) for epoch in (1, 2, 3)),
        ("start", 0),
        ("clamped", 1),
        *(("free", epoch) for epoch in (2, 3, 4)),
    ]
    names = ("acc", "nmi", "rand_index", "ari", "test_acc", "test_nmi", "test_rand_index")
    for number, line in enumerate(lines):
        assert line["report"] == number
        assert (line["seconds"] > 0) == (number > 0)
        for name in names:
            assert (line[name] is None) == (line["phase"] in ("untrained", "pretrain"))
    elapsed = [line["elapsed"] for line in lines]
    assert elapsed == sorted(elapsed)
    assert elapsed[0] > 0
    last = lines[-1]
    weight = undisturbed.config.parameters["reconstruction_weight"]
    terms = weight * last["reconstruction"] + last["latent_kl"] + last["cluster_kl"]
    assert last["loss"] == pytest.approx(terms, rel=1e-5)
    assert last["val_loss"] is not None
    assert undisturbed.status()["state"] == "finished"
    assert undisturbed.frame_numbers() == list(range(9))
    frame, stage = undisturbed.frame(8), undisturbed.stage()
    assert frame.latents.shape == (400, 10)
    assert frame.maps["pca"].shape == (400, 2)
    assert frame.responsibilities is not None
    np.testing.assert_array_equal(frame.responsibilities.argmax(1), frame.clusters)
    assert stage.pictures is not None
    assert stage.pictures.shape == (400, 8, 8)
    assert len(stage.shown) == 20
    assert stage.labels is not None
    assert sorted(np.bincount(stage.labels[stage.shown])) == [2] * 10
    baseline = json.loads((undisturbed.path / "baseline.json").read_text())
    assert 0.4 < baseline["kmeans"]["acc"] < 0.95


def test_the_first_report_is_of_the_networks_as_their_seed_made_them(undisturbed: Run) -> None:
    from vade_core.rebuild import build_model, load_dataset

    line, frame = undisturbed.metrics()[0], undisturbed.frame(0)
    assert not {"loss", "reconstruction", "sizes", "matched", "classes"} & line.keys()
    assert line["val_loss"] is None
    assert line["frame"] is True
    assert line["recall"].keys() == frame.maps.keys() == {"pca"}
    assert frame.clusters is None
    assert frame.responsibilities is None
    assert frame.prior == {}
    model, dataset = build_model(undisturbed.config), load_dataset(undisturbed.config)
    model.stream(dataset.samples)
    expected = model.latents(dataset.samples, precision=undisturbed.config.precision)
    kept = expected[undisturbed.stage().rows].astype(np.float16)  # as frames are kept
    np.testing.assert_array_equal(frame.latents, kept)
    assert np.abs(frame.latents - undisturbed.frame(1).latents).max() > 0.01


def test_the_final_models_prediction_is_the_last_lines_accuracy(undisturbed: Run) -> None:
    from vade_core.evaluation import evaluate
    from vade_core.rebuild import load_dataset

    found = evaluate(load_model(undisturbed), load_dataset(undisturbed.config))
    last = undisturbed.metrics()[-1]
    for name in ("acc", "nmi", "rand_index", "ari", "test_acc"):
        assert found[name] == pytest.approx(last[name], abs=1e-12)
    assert found["loss_terms"]["loss"] == pytest.approx(last["val_loss"], rel=1e-5)
    assert set(found["knn_error"]) == {"3", "5", "10"}
    assert json.dumps(found)


class Killed(BaseException):
    """Stands in for a SIGKILL: nothing after it is written."""


def test_a_run_cut_off_at_any_write_ends_as_if_it_never_was(
    undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vade_core.recorder as recorder

    originals: dict[str, Callable[..., Any]] = {
        name: getattr(recorder, name) for name in ("write_atomically",)
    }
    append = Recorder.line
    count, deadline = 0, 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def write(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            if count == deadline:  # dead just before this write, and from then on
                raise Killed
            if deadline and count > deadline:
                raise Killed
            return original(*arguments)

        return write

    monkeypatch.setattr(recorder, "write_atomically", counted(originals["write_atomically"]))
    monkeypatch.setattr(Recorder, "line", counted(append))
    run = create_run(tmp_path / "count", small_config())
    count = 0
    Worker(run).work()
    writes = count
    assert writes > 20
    # A prime step visits frames, lines, checkpoints and statuses alike.
    for cut in range(2, writes, 3):
        deadline = 0
        run = create_run(tmp_path / f"cut-{cut}", small_config())
        count, deadline = 0, cut
        worker = Worker(run)
        with pytest.raises(Killed):
            worker.work()
        deadline = 0
        assert run.status()["state"] in ("interrupted", "queued", "failed")
        assert Worker(run).work() == "finished"
        assert_same_outcome(run, undisturbed)


def spawn(run: Run) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "vade_core", "resume", str(run.path)],
        env={**worker_environment(), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
    )


def kill_when(run: Run, process: subprocess.Popen[bytes], ready: Callable[[Run], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready(run):
        assert process.poll() is None, "the worker ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("phase", "lines"), [("pretrain", 2), ("start", 3), ("free", 6)], ids=lambda value: str(value)
)
def test_a_killed_worker_is_named_and_resumes_to_the_same_numbers(
    phase: str, lines: int, undisturbed: Run, tmp_path: Path
) -> None:
    run = create_run(tmp_path, small_config())
    process = spawn(run)
    kill_when(run, process, lambda run: len(run.metrics()) >= lines)
    assert run.status()["state"] == "interrupted"
    assert not run.has_worker()
    process = spawn(run)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    assert run.status()["state"] == "finished"
    assert_same_outcome(run, undisturbed)


def test_two_writers_of_one_folder_are_refused(tmp_path: Path) -> None:
    run = create_run(tmp_path, small_config())
    recorder = Recorder(run)
    try:
        assert run.has_worker()
        process = spawn(run)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "being trained by another process" in said.decode()
        assert run.status()["state"] == "queued"
    finally:
        recorder.close()
    assert not run.has_worker()


def test_looking_at_a_lock_does_not_take_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")
    assert lock.acquire()
    assert is_held(tmp_path / "lock")
    other = FileLock(tmp_path / "lock")
    assert not other.acquire()
    lock.release()
    assert not is_held(tmp_path / "lock")
    assert other.acquire()
    other.release()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGTERM handlers")
def test_sigterm_interrupts_resumably(undisturbed: Run, tmp_path: Path) -> None:
    run = create_run(tmp_path, small_config())
    process = spawn(run)
    deadline = time.monotonic() + 60
    while len(run.metrics()) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    if run.status()["state"] != "finished":  # it may just have made it
        assert process.returncode == 130
        assert run.status()["state"] == "interrupted"
        assert Worker(run).work() == "finished"
    assert_same_outcome(run, undisturbed)


def test_a_finished_run_has_nothing_to_resume(undisturbed: Run) -> None:
    before = (undisturbed.path / "checkpoint.safetensors").read_bytes()
    process = spawn(undisturbed)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "nothing to do" in said.decode()
    assert (undisturbed.path / "checkpoint.safetensors").read_bytes() == before


def test_shuffled_labels_change_no_weight_of_an_unsupervised_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((200, 12)).astype(np.float32)
    y = rng.integers(0, 3, 200)
    weights, accuracies = [], []
    for name, labels in (("as-is", y), ("shuffled", rng.permutation(y)), ("none", None)):
        file = tmp_path / f"{name}.npz"
        np.savez(file, X=X, **({} if labels is None else {"y": labels}))
        config = configure(
            data_file=file, clusters=3, lenses=["pca"], overrides={**SETTINGS, "hidden": [8]}
        )
        run = create_run(tmp_path / "runs", config)
        assert Worker(run).work() == "finished"
        weights.append((run.path / "checkpoint.safetensors").read_bytes())
        accuracies.append(run.metrics()[-1]["acc"])
    tensors = [safetensors.numpy.load(blob) for blob in weights]
    for other in tensors[1:]:
        for name, value in tensors[0].items():
            if name != "elapsed":
                np.testing.assert_array_equal(value, other[name], err_msg=name)
    assert accuracies[2] is None
    assert None not in accuracies[:2]


def test_a_start_by_umap_resumes_to_the_same_numbers_too(tmp_path: Path) -> None:
    more = {"overrides": {"start": "umap", "epochs": 3}}
    whole = create_run(tmp_path / "whole", small_config(**more))
    Worker(whole).work()
    for lines in (2, 3):  # before and right after the start
        cut = create_run(tmp_path / f"cut-{lines}", small_config(**more))
        worker = Worker(cut)

        def interrupt(entry: dict[str, Any], worker: Worker = worker, lines: int = lines) -> None:
            worker.control.interrupted = entry["report"] + 1 == lines

        worker.listener = interrupt
        assert worker.work() == "interrupted"
        process = spawn(cut)  # in a process of its own, which compiles anew
        process.communicate(timeout=120)
        assert_same_outcome(cut, whole)


@pytest.mark.parametrize("model", ["vae", "lambda-hot"])
def test_other_models_resume_to_the_same_numbers_too(model: str, tmp_path: Path) -> None:
    whole = create_run(tmp_path / "whole", small_config(model=model))
    Worker(whole).work()
    cut = create_run(tmp_path / "cut", small_config(model=model))
    worker = Worker(cut)

    def stop_after_two(entry: dict[str, Any]) -> None:
        worker.control.interrupted = entry["epoch"] == 2

    worker.listener = stop_after_two
    assert worker.work() == "interrupted"
    assert Worker(cut).work() == "finished"
    assert_same_outcome(cut, whole)


def test_split_keeps_the_test_part_out_of_training(tmp_path: Path) -> None:
    run = create_run(tmp_path, small_config(split=True))
    Worker(run).work()
    start = safetensors.numpy.load((run.path / "checkpoint.safetensors").read_bytes())
    assert len(start["model.start.clusters"]) == 400 - round(400 / 7)
    assert run.metrics()[-1]["test_acc"] is not None


def test_frames_are_thinned_to_about_as_many_as_wanted(tmp_path: Path) -> None:
    config = small_config(overrides={"epochs": 20, "pretrain_epochs": 20}, max_frames=10)
    run = create_run(tmp_path, config)
    Worker(run).work()
    lines, numbers = run.metrics(), run.frame_numbers()
    assert 8 <= len(numbers) <= 15
    assert numbers[-1] == lines[-1]["report"]
    assert numbers[0] == 0
    # The last of each phase is kept.
    for phase in ("untrained", "pretrain", "start", "clamped", "free"):
        assert max(line["report"] for line in lines if line["phase"] == phase) in numbers


def test_pause_step_resume_and_stop(tmp_path: Path) -> None:
    run = create_run(tmp_path, small_config(overrides={"epochs": 400}))
    process = spawn(run)
    try:
        assert wait_for(run, ("running",), 30) == "running"
        send(run, "pause")
        assert wait_for(run, ("paused",), 30) == "paused"
        before = len(run.metrics())
        time.sleep(0.4)
        assert len(run.metrics()) == before
        for _ in range(2):
            before = len(run.metrics())
            send(run, "step")
            deadline = time.monotonic() + 20
            while len(run.metrics()) == before and time.monotonic() < deadline:
                time.sleep(0.01)
            assert wait_for(run, ("paused",), 20) == "paused"
            assert len(run.metrics()) == before + 1
        send(run, "resume")
        assert wait_for(run, ("running",), 20) == "running"
        send(run, "stop")
        assert wait_for(run, ("stopped",), 20) == "stopped"
        process.communicate(timeout=20)
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.parametrize("steps", [1, 2])
def test_the_untrained_report_is_no_step(tmp_path: Path, steps: int) -> None:
    run = create_run(tmp_path, small_config())
    phases = []

    def listener(line: dict[str, Any]) -> None:
        phases.append(line["phase"])
        if line["phase"] == "untrained":
            for _ in range(steps):
                send(run, "step")

    worker = threading.Thread(target=Worker(run, listener).work)
    worker.start()
    try:
        assert wait_for(run, ("paused",), 30) == "paused"
        assert phases == ["untrained", *["pretrain"] * steps]
    finally:
        send(run, "stop")
        worker.join(30)
    assert run.state == "stopped"


def test_every_step_has_its_map_and_changes_no_other(tmp_path: Path) -> None:
    config = small_config(max_frames=4, overrides={"pretrain_epochs": 6, "epochs": 6})
    plain = create_run(tmp_path, config)
    assert Worker(plain).work() == "finished"
    usual = plain.frame_numbers()
    assert not {2, 3, 9} & set(usual)

    run = create_run(tmp_path, config)

    def listener(line: dict[str, Any]) -> None:
        if line["report"] in (1, 2, 8):  # the next one is stepped to
            send(run, "step")

    for stop_at in (4, 10, None):  # resumed after the last step's map as well
        worker = Worker(run, listener)
        thread = threading.Thread(target=worker.work)
        thread.start()
        while thread.is_alive():
            if run.state == "paused":
                stopping = stop_at is not None and len(run.metrics()) == stop_at
                send(run, "stop" if stopping else "resume")
            time.sleep(0.02)
    assert run.state == "finished"
    assert run.frame_numbers() == sorted([*usual, 2, 3, 9])
    marked = [line["report"] for line in run.metrics() if line.get("frame_of_step")]
    assert marked == [2, 3, 9]
    for number in usual:
        assert run.frame_path(number).read_bytes() == plain.frame_path(number).read_bytes()


def test_a_failure_is_told_in_a_sentence(tmp_path: Path) -> None:
    run = create_run(tmp_path, small_config(overrides={"learning_rate": 1e30}))
    with pytest.raises(FloatingPointError):
        Worker(run).work()
    status = run.status()
    assert status["state"] == "failed"
    assert "lower the learning rate" in status["error"]


# -- the queue --------------------------------------------------------------------------------


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobManager]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    manager = JobManager(tmp_path / "runs", interval=0.05)
    yield manager
    manager.close()


def test_one_training_at_a_time_the_oldest_first(jobs: JobManager) -> None:
    runs = [jobs.submit(small_config(seed=seed)) for seed in range(3)]
    states_seen = []
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        states = [run.state for run in runs]
        states_seen.append(states)
        assert sum(state in ("running", "paused") for state in states) <= 1
        if states == ["finished"] * 3:
            break
        time.sleep(0.05)
    assert states_seen[-1] == ["finished"] * 3
    finished = [run.status()["updated"] for run in runs]
    assert finished == sorted(finished)


def test_what_starts_within_one_second_waits_in_turn(tmp_path: Path) -> None:
    """By the clock, not by name: the eleventh of a class is not trained before the second."""
    names = [
        create_run(tmp_path, small_config(model=model)).id
        for model in ("vae", "vade", "ae", *["vae"] * 9)
    ]
    _, queued = at_work(list_runs([tmp_path]))
    assert [summary["id"] for summary in queued] == names


def test_a_waiting_run_can_be_taken_out(jobs: JobManager) -> None:
    first = jobs.submit(small_config(overrides={"epochs": 500}))
    second = jobs.submit(small_config())
    assert wait_for(first, ("running",), 30) == "running"
    assert [entry["id"] for entry in jobs.waiting()] == [second.id]
    jobs.send(second, "stop")
    assert second.state == "stopped"
    jobs.send(first, "stop")
    assert wait_for(first, ("stopped",), 30) == "stopped"
    time.sleep(0.3)
    assert second.state == "stopped"


def test_a_finished_run_trains_on(jobs: JobManager) -> None:
    run = jobs.submit(small_config())
    assert wait_for(run, ("finished", "failed"), 60) == "finished"
    with pytest.raises(RunError, match="nothing to resume"):
        jobs.resume(run)
    jobs.resume(run, more_epochs=2)
    deadline = time.monotonic() + 60
    while len(run.metrics()) < 11 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert wait_for(run, ("finished", "failed"), 60) == "finished"
    assert [line["epoch"] for line in run.metrics()][-5:] == [2, 3, 4, 5, 6]


def test_a_second_manager_does_not_start_a_run_twice(jobs: JobManager) -> None:
    second = JobManager(jobs.root, interval=0.05)
    try:
        run = second.submit(small_config())
        assert wait_for(run, ("finished", "failed"), 60) == "finished"
        assert len(run.metrics()) == 9
    finally:
        second.close()


def test_closing_the_manager_interrupts_its_worker(tmp_path: Path) -> None:
    manager = JobManager(tmp_path, interval=0.05)
    run = manager.submit(small_config(overrides={"epochs": 2000}))
    assert wait_for(run, ("running",), 30) == "running"
    pid = run.status()["pid"]
    manager.close()
    assert run.state == "interrupted"
    if sys.platform != "win32":
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
