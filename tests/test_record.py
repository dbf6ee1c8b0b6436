"""Recorded runs: made, resumed, thinned, halved, refused, and never changed afterwards."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

from vade_core import record as recording_module
from vade_core import runs as runs_module
from vade_core import slimming
from vade_core.archive import pack, unpack
from vade_core.cli import main
from vade_core.configure import configure
from vade_core.evaluation import evaluate
from vade_core.layout import first_layout
from vade_core.map_frames import NO_CLUSTER
from vade_core.preview_frames import preview_frames
from vade_core.projection import LENSES
from vade_core.rebuild import load_dataset, load_model
from vade_core.record import (
    OPENING,
    RECORDINGS,
    Interrupted,
    Recording,
    record,
    recordings_named,
    recordings_there,
    size_of,
)
from vade_core.recorder import Recorder, create_run, delete_run, write_note
from vade_core.run_frames import read_run_frames
from vade_core.runs import ID_PATTERN, Run, RunConfig, RunError, is_recorded, read_tensors
from vade_core.slimming import Fidelity, chosen_frames
from vade_core.worker import Worker

ROOT = Path(__file__).parents[1]
TINY = Recording(
    "tiny-vade",
    "Tiny",
    "What one sees.\nWhy.",
    {
        "model": "vade",
        "dataset": "digits",
        "subset": 400,
        "preset": "robust",
        "overrides": {
            "hidden": [16, 16],
            "pretrain_epochs": 8,
            "epochs": 16,
            "clamped_epochs": 6,
            "most_leaving": None,  # every epoch is to be there
            "start": "gmm",
        },
    },
    frames=20,
    lenses=("tsne", "pca"),
)
VAE = Recording(
    "tiny-vae",
    "Tiny VAE",
    "Another.",
    {"model": "vae", "dataset": "digits", "subset": 400, "overrides": {"hidden": [16]}},
    lenses=("pca",),
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Here and in the commands that are started: sums of two threads round in another way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


def trained(run: Run) -> str:
    return Worker(run).work()


def never(run: Run) -> str:
    raise AssertionError(f"{run.id} was trained again")


def made(out: Path, *recordings: Recording, **more: Any) -> list[str]:
    """Make recordings quietly; what was said."""
    said: list[str] = []
    record(recordings or [TINY], out, say=said.append, **{"train": trained, **more})
    return said


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny training as any run is trained, with a frame an epoch."""
    config = configure(max_frames=10_000, lenses=[], **TINY.asked)
    run = create_run(tmp_path_factory.mktemp("runs"), config)
    assert Worker(run).work() == "finished"
    return run


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny recording, to be copied from."""
    before = os.environ.get("VADE_RUNS")
    os.environ["VADE_RUNS"] = str(tmp_path_factory.mktemp("work"))
    try:
        out = tmp_path_factory.mktemp("recorded")
        made(out)
    finally:
        del os.environ["VADE_RUNS"]
        if before is not None:
            os.environ["VADE_RUNS"] = before
    return out


@pytest.fixture
def recorded(recorded_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The tiny recording where recorded runs live."""
    root = tmp_path / "recorded"
    shutil.copytree(recorded_once, root)
    monkeypatch.setenv("VADE_RECORDED", str(root))
    return Run(root / TINY.id)


# --- The table ----------------------------------------------------------------------------------


def test_the_table_can_be_made() -> None:
    ids = [recording.id for recording in RECORDINGS]
    assert len(set(ids)) == len(ids) == 8
    assert set(OPENING) <= set(ids)
    assert [r.asked.get("clusters") for r in RECORDINGS if r.asked["preset"] == "robust"] == [
        *(10, 7, 14, 10),
        None,
        *(10, 10),
    ]
    for recording in RECORDINGS:
        assert ID_PATTERN.fullmatch(recording.id)
        assert 20 <= recording.frames <= 40
        assert set(recording.lenses) <= LENSES.keys()
        assert 0 < len(recording.note.split("\n")[0]) <= 80
        assert len(recording.title) <= 80
        config = configure(**{**recording.asked, "dataset": "digits"})
        assert config.model == recording.asked["model"]


def test_recordings_are_named_one_by_one() -> None:
    assert recordings_named([]) == list(RECORDINGS)
    assert [r.id for r in recordings_named(["vae", "vade-k7"])] == ["vade-k7", "vae"]
    with pytest.raises(RunError, match=r"no recording 'gan'; there are: vade-k10, "):
        recordings_named(["gan"])


# --- Which frames stay --------------------------------------------------------------------------


def schedule(*parts: tuple[str, int]) -> list[dict[str, Any]]:
    return [
        {"stage": stage, "phase": phase}
        for stage, (phase, length) in enumerate(parts)
        for _ in range(length)
    ]


ROBUST = schedule(("pretrain", 10), ("start", 1), ("clamped", 20), ("free", 40))
PAPER = schedule(*[("pretrain", 10)] * 4, ("pretrain", 20), ("start", 1), ("train", 150))


UNTRAINED = [{"stage": 0, "phase": "untrained"}]


@pytest.mark.parametrize(
    "lines",
    [
        ROBUST,
        PAPER,
        schedule(("train", 60)),
        *(UNTRAINED + each for each in (ROBUST, PAPER, schedule(("train", 60)))),
    ],
)
@pytest.mark.parametrize("wanted", [20, 30, 40])
def test_the_chosen_frames_cover_every_part(lines: list[dict[str, Any]], wanted: int) -> None:
    kept = chosen_frames(lines, range(len(lines)), wanted)
    assert wanted <= len(kept) <= wanted + 1
    assert kept == sorted(set(kept))
    assert kept[0] == 0
    for stage in {line["stage"] for line in lines}:
        last = max(i for i, line in enumerate(lines) if line["stage"] == stage)
        assert last in kept
    early = [i for i in kept if lines[i]["phase"] == "pretrain"]
    assert len(early) <= wanted // 4 + 2
    # Within a part, steps only grow: early epochs change the most.
    longest = max({line["stage"] for line in lines}, key=[line["stage"] for line in lines].count)
    of_longest = [i for i in kept if lines[i]["stage"] == longest]
    steps = [b - a for a, b in itertools.pairwise(of_longest)]
    assert steps[0] < steps[-1]
    assert all(after >= before - 1 for before, after in itertools.pairwise(steps))


def test_few_frames_are_all_kept_and_missing_ones_are_not_asked_for() -> None:
    assert chosen_frames(ROBUST, [3, 5, 9], 20) == [3, 5, 9]
    there = [i for i in range(len(ROBUST)) if i % 2]
    kept = chosen_frames(ROBUST, [*there, 500], 22)
    assert set(kept) <= set(there)
    assert len(kept) in (22, 23)
    assert chosen_frames(schedule(("pretrain", 50)), range(50), 20)[-1] == 49


# --- A recording as a whole ---------------------------------------------------------------------


def test_a_recording_is_a_small_copy_of_the_run(original: Run, recorded: Run) -> None:
    assert recorded.state == "finished"
    assert recorded.note() == {"title": "Tiny", "note": "What one sees.\nWhy."}
    lines, whole = recorded.metrics(), original.metrics()
    left_out = ("seconds", "elapsed", "frame", "recall")
    for line, other in zip(lines, whole, strict=True):
        assert {k: v for k, v in line.items() if k not in left_out} == {
            k: v for k, v in other.items() if k not in left_out
        }
    numbers = recorded.frame_numbers()
    assert numbers == chosen_frames(whole, original.frame_numbers(), 20)
    assert {lines[number]["phase"] for number in numbers} == {
        "untrained", "pretrain", "start", "clamped", "free"
    }  # fmt: skip
    assert (numbers[0], lines[0]["phase"], lines[0]["epoch"]) == (0, "untrained", 0)
    assert lines[0]["acc"] is None
    assert recorded.frame(0).clusters is recorded.frame(0).responsibilities is None
    assert [i for i, line in enumerate(lines) if line.get("frame")] == numbers
    for number in numbers:
        frame, other = recorded.frame(number), original.frame(number)
        np.testing.assert_array_equal(frame.latents, other.latents)
        np.testing.assert_allclose(frame.reconstructions, other.reconstructions, atol=0.0025)
        if other.responsibilities is not None:
            np.testing.assert_allclose(frame.responsibilities, other.responsibilities, atol=0.0025)
            np.testing.assert_array_equal(frame.clusters, other.clusters)
        for name, value in other.prior.items():
            np.testing.assert_array_equal(frame.prior[name], value)
        assert lines[number]["recall"].keys() == {"tsne", "pca"}
    kept = {path.name for path in recorded.path.iterdir()}
    assert kept == {"config.json", "status.json", "note.json", "baseline.json", "metrics.jsonl",
                    "stage.safetensors", "frames", "checkpoint.safetensors",
                    "evaluation.json"}  # fmt: skip
    assert "pid" not in recorded.status()
    frames = size_of(recorded.path / "frames") / len(numbers)
    before = size_of(original.path / "frames") / len(original.frame_numbers())
    maps = 2 * 400 * 2 * 4  # bytes of the two maps, which the original does without
    assert frames < 0.7 * (before + maps)


def test_maps_go_on_from_one_layout_of_the_data(recorded: Run, original: Run) -> None:
    stage, numbers = recorded.stage(), recorded.frame_numbers()
    layout = first_layout(stage, ["pca", "tsne"])
    assert layout["tsne"].shape == (400, 2)
    before = layout["pca"]
    for number in numbers:
        expected = LENSES["pca"].function(original.frame(number).latents, before, 0)
        got = recorded.frame(number).maps["pca"]
        np.testing.assert_allclose(got, expected, atol=np.ptp(expected) / 65_536)
        before = expected
    found = read_run_frames(recorded, "tsne", trust=True)
    assert found.frames is not None
    assert not found.skipped
    assert found.frames.n_frames == len(numbers)


def test_two_models_lie_alike_on_their_first_maps(tmp_path: Path, runs_root: Path) -> None:
    quick = [Recording(r.id, r.title, r.note, r.asked, lenses=("pca",)) for r in (TINY, VAE)]
    made(tmp_path / "out", *quick, epochs=7)
    stage = Run(tmp_path / "out" / VAE.id).stage()
    layout = first_layout(stage, ["pca"])["pca"]
    for recording in quick:
        run = Run(tmp_path / "out" / recording.id)
        first = run.frame(run.frame_numbers()[0]).maps["pca"]
        a, b = first - first.mean(0), layout - layout.mean(0)
        u, _, v = np.linalg.svd(a.T @ b)
        np.testing.assert_allclose(u @ v, np.eye(2), atol=0.02, err_msg="it could be turned closer")


def test_half_the_precision_serves_for_everything(original: Run, recorded: Run) -> None:
    found = safetensors.numpy.load_file(recorded.path / "checkpoint.safetensors")
    kinds = {name: value.dtype for name, value in found.items() if name.startswith("model.")}
    assert kinds.pop("model.start.clusters") == np.int16
    assert all((kind == np.float16) == name.startswith("model.networks.")
               for name, kind in kinds.items())  # fmt: skip
    assert not any(name.startswith("optimiser.") for name in found)
    model, full = load_model(recorded), load_model(original)
    dataset = load_dataset(recorded.config)
    assert (model.predict(dataset.samples) == full.predict(dataset.samples)).mean() > 0.99
    np.testing.assert_allclose(
        model.reconstruct(dataset.samples), full.reconstruct(dataset.samples), atol=5e-3
    )
    np.testing.assert_allclose(model.sample(5, cluster=3), full.sample(5, cluster=3), atol=5e-3)
    np.testing.assert_array_equal(model.start_clusters_, full.start_clusters_)
    assert model.sample(2).dtype == np.float32
    acc = evaluate(model, dataset)["acc"]
    assert acc == pytest.approx(recorded.metrics()[-1]["acc"], abs=1 / dataset.n_samples)


@pytest.mark.parametrize(
    ("changed", "before", "after", "n", "holds"),
    [
        (0.5, 0.9, 0.90009, 70_000, True),
        (0.0, 0.9, 0.8998, 70_000, False),
        (0.0, 0.9, 0.9011, 1000, True),  # one sample
        (0.0, 0.9, 0.9021, 1000, False),
        (0.00005, None, None, 70_000, True),
        (0.0002, None, None, 70_000, False),
    ],
)
def test_how_much_half_precision_may_change(
    changed: float, before: float | None, after: float | None, n: int, holds: bool
) -> None:
    assert Fidelity(changed, before, after, n).holds is holds


def test_weights_that_suffer_are_not_recorded(
    tmp_path: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slimming, "fidelity", lambda run, slimmed: Fidelity(0.1, 0.9, 0.8, 400))
    with pytest.raises(RunError, match="half precision changes its ACC"):
        made(tmp_path, VAE, epochs=1)
    assert list(tmp_path.glob("tiny*")) == []
    monkeypatch.undo()
    monkeypatch.setenv("VADE_RUNS", str(runs_root))
    made(tmp_path, VAE, epochs=1, train=never)
    assert Run(tmp_path / VAE.id).state == "finished"


# --- What is there, what was interrupted, what died ---------------------------------------------


def test_what_is_there_is_kept_and_made_anew_when_asked(tmp_path: Path, runs_root: Path) -> None:
    made(tmp_path, VAE, epochs=1)
    stamp = (tmp_path / VAE.id / "config.json").stat().st_mtime_ns
    (said,) = made(tmp_path, VAE, epochs=1, train=never)
    assert said == "tiny-vae: there already, and kept."
    (said,) = made(tmp_path, VAE, epochs=2, train=never)
    assert "--again makes it anew" in said
    assert (tmp_path / VAE.id / "config.json").stat().st_mtime_ns == stamp
    made(tmp_path, VAE, epochs=2, again=True)
    phases = [line["phase"] for line in Run(tmp_path / VAE.id).metrics()]
    assert phases == ["untrained", "train", "train"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", VAE.id]
    assert [path.name for path in (runs_root / ".recording").iterdir()] == ["lock"]


def test_an_interrupted_training_goes_on(tmp_path: Path, runs_root: Path, original: Run) -> None:
    def stopped(run: Run) -> str:
        worker = Worker(run)
        worker.listener = lambda line: setattr(worker.control, "interrupted", line["report"] == 11)
        return worker.work()

    with pytest.raises(Interrupted, match="tiny-vade: interrupted; the same command goes on"):
        made(tmp_path, train=stopped)
    assert not (tmp_path / TINY.id).exists()
    (work,) = (runs_root / ".recording").glob("tiny-vade-*")
    assert len(Run(work).metrics()) == 12
    made(tmp_path)
    assert_as_undisturbed(Run(tmp_path / TINY.id), original)


def assert_as_undisturbed(run: Run, original: Run) -> None:
    def plain(line: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in line.items()
                if k not in ("seconds", "elapsed", "frame", "recall")}  # fmt: skip

    assert list(map(plain, run.metrics())) == list(map(plain, original.metrics()))
    last = original.frame_numbers()[-1]
    np.testing.assert_array_equal(run.frame(last).latents, original.frame(last).latents)


KILLED = """
import sys
from pathlib import Path
from tests.test_record import TINY, trained
from vade_core.record import record
record([TINY], Path(sys.argv[1]), train=trained)
"""


@pytest.mark.parametrize("until", ["training", "slimming"])
def test_a_killed_command_leaves_no_half_recording(
    tmp_path: Path, runs_root: Path, original: Run, until: str
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60

    def reached() -> bool:
        if until == "slimming":
            return any(out.glob(".arriving-*/frames/*"))
        (work,) = list((runs_root / ".recording").glob("tiny-vade-*")) or [None]
        return work is not None and (work / "metrics.jsonl").exists() and len(
            Run(work).metrics()
        ) > 10  # fmt: skip

    while not reached():
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait()
    assert not (out / TINY.id).exists()
    made(out)
    assert [path.name for path in out.iterdir()] == [TINY.id]
    assert_as_undisturbed(Run(out / TINY.id), original)


def test_a_death_between_two_renames_is_put_right(recorded: Run, runs_root: Path) -> None:
    root = recorded.path.parent
    (root / ".arriving-x").mkdir()
    recorded.path.rename(root / f".replaced-{TINY.id}")
    said = made(root, train=never)
    assert "kept" in said[0]
    assert [path.name for path in root.iterdir()] == [TINY.id]
    # The other half: the new one is in its place, the old one was not thrown away yet.
    shutil.copytree(recorded.path, root / f".replaced-{TINY.id}")
    made(root, train=never)
    assert [path.name for path in root.iterdir()] == [TINY.id]


def test_a_folder_that_died_before_it_was_a_run_is_made_anew(
    tmp_path: Path, runs_root: Path
) -> None:
    config = recording_module._configured(VAE, None, 1)
    folder = runs_root / ".recording" / f"{VAE.id}-{recording_module._digest(config)}"
    (folder / "frames").mkdir(parents=True)
    made(tmp_path / "out", VAE, epochs=1)
    assert Run(tmp_path / "out" / VAE.id).state == "finished"


def test_two_commands_do_not_make_recordings_at_once(tmp_path: Path, runs_root: Path) -> None:
    def meanwhile(run: Run) -> str:
        with pytest.raises(RunError, match="by another process already"):
            made(tmp_path, VAE, epochs=1, train=never)
        return trained(run)

    made(tmp_path, VAE, epochs=1, train=meanwhile)


# --- The budget ---------------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_and_not_trained_again(
    tmp_path: Path, runs_root: Path
) -> None:
    out = tmp_path / "out"
    rest = recording_module.total_size(out)
    with pytest.raises(RunError, match=r"tiny-vae is not recorded: with its 0\.\d MB the assets"):
        made(out, VAE, epochs=1, budget=rest + 1000)
    assert list(out.iterdir()) == []
    made(out, VAE, epochs=1, train=never)
    taken = size_of(out / VAE.id)
    assert recording_module.total_size(out) == rest + taken
    # What is replaced makes room; the same size fits into the same budget.
    made(out, VAE, epochs=1, again=True, budget=rest + taken + 500)


def test_sizes_are_told_by_part(recorded: Run) -> None:
    row, missing = recordings_there(recorded.path.parent, [TINY, VAE])
    assert row["there"] is True
    assert row["frames"] == len(recorded.frame_numbers())
    assert row["acc"] == recorded.metrics()[-1]["acc"]
    assert row["weights"] == (recorded.path / "checkpoint.safetensors").stat().st_size
    assert 0 < row["weights"] + row["stage"] + row["frames_bytes"] < row["bytes"]
    assert missing["there"] is False
    assert missing["bytes"] == 0


# --- Reading what is compressed -----------------------------------------------------------------


@pytest.mark.parametrize("spoil", [lambda c: c[:-20], lambda c: c[:50] + b"x" * 60 + c[110:]])
def test_a_spoilt_compressed_file_is_named(recorded: Run, spoil: Callable[[bytes], bytes]) -> None:
    number = recorded.frame_numbers()[3]
    path = recorded.frame_path(number)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(RunError, match=f"{path.name} is truncated or no safetensors file"):
        recorded.frame(number)
    assert read_run_frames(recorded, "pca").skipped
    frames = preview_frames(recorded)
    assert frames.n_frames == len(recorded.frame_numbers()) - 1


def test_a_file_that_swells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.safetensors"
    path.write_bytes(gzip.compress(b"\0" * 100_000))
    monkeypatch.setattr(runs_module, "UNPACKED_LIMIT", 50_000)
    with pytest.raises(RunError, match="holds more than 50,000 bytes"):
        read_tensors(path)


# --- Read-only ----------------------------------------------------------------------------------


def test_a_recorded_run_is_not_resumed(recorded: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in recorded.path.rglob("*")}
    assert is_recorded(recorded.path)
    for named in (TINY.id, str(recorded.path)):
        assert main(["resume", named]) == 2
        said = capsys.readouterr().err
        assert "tiny-vade is a recorded run, which is never changed: train anew" in said
        assert said.count("\n") == 1
    assert main(["evaluate", TINY.id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["acc"] == recorded.metrics()[-1]["acc"]
    assert {path: path.stat().st_mtime_ns for path in recorded.path.rglob("*")} == before


def test_a_copy_can_be_trained_on(recorded: Run, runs_root: Path) -> None:
    file = io.BytesIO()
    pack(recorded, file)
    mine = unpack(file, runs_root)
    assert mine.id == f"{TINY.id}-2"
    assert not is_recorded(mine.path)
    config = RunConfig.from_json(mine.config.to_json(), mine.path)
    config.parameters["epochs"] += 2
    recorder = Recorder(mine)
    recorder.config(config)
    recorder.status("queued", "Waiting")
    recorder.close()
    assert Worker(Run(mine.path)).work() == "finished"
    lines = Run(mine.path).metrics()
    assert [line["epoch"] for line in lines[-3:]] == [16, 17, 18]
    assert lines[-1]["acc"] == pytest.approx(lines[-3]["acc"], abs=0.1)
    last = Run(mine.path).frame(len(lines) - 1)
    assert last.maps.keys() == {"tsne", "pca"}


# --- A preview's frames -------------------------------------------------------------------------


def test_a_previews_frames_are_the_runs(recorded: Run) -> None:
    frames, whole = preview_frames(recorded), read_run_frames(recorded, "tsne").frames
    assert whole is not None
    np.testing.assert_array_equal(frames.positions, whole.positions)
    np.testing.assert_array_equal(frames.labels, whole.labels)
    np.testing.assert_array_equal(frames.matched, whole.matched)
    assert list(frames.accuracy) == list(whole.accuracy)
    assert frames.caption == whole.caption
    assert frames.pictures is None
    assert frames.epochs[:2] == ["untrained", "pretraining"]
    assert (frames.clusters[:2] == NO_CLUSTER).all()
    assert "start" in frames.epochs
    assert frames.epochs[-1] == "epoch 16 of 16"
    assert frames.means is not None
    assert frames.clusters is not None
    members = frames.positions[-1][frames.clusters[-1] == 0]
    np.testing.assert_allclose(frames.means[-1, 0], np.median(members, axis=0))
    assert np.isnan(frames.means[0]).all()
    with pytest.raises(RunError, match="no umap map"):
        preview_frames(recorded, "umap")


# --- The command --------------------------------------------------------------------------------


def test_the_command_makes_one_of_the_table(
    tmp_path: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    words = ["record", "--only", "vae", "--out", out]
    assert main([*words, "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["there"] is False
    assert not Path(out).exists()
    assert main([*words, "--subset", "40", "--epochs", "1"]) == 0
    said = capsys.readouterr()
    assert "vae: recorded, " in said.err
    assert "of at most 90 MB" in said.out
    run = Run(Path(out) / "vae")
    assert (run.config.subset, run.config.dataset, run.title) == (40, "mnist", "VAE")
    assert run.frame(0).maps.keys() == {"tsne", "umap", "pca"}
    assert main(["record", "--only", "gan", "--out", out]) == 2
    assert "no recording 'gan'" in capsys.readouterr().err


def test_the_library_changes_no_recorded_run(
    recorded: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_RECORDED", str(recorded.path.parent))
    before = {path: path.stat().st_mtime_ns for path in recorded.path.rglob("*")}
    for change in (
        lambda: write_note(recorded, title="mine", note=""),
        lambda: delete_run(recorded),
        lambda: Recorder(recorded),
    ):
        with pytest.raises(RunError, match="recorded run, which is never changed"):
            change()
    assert {path: path.stat().st_mtime_ns for path in recorded.path.rglob("*")} == before
