"""A frame's map made again with another seed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from vade_core.cli import main
from vade_core.locks import FileLock
from vade_core.projection import movement, neighbour_recall, tsne, turned_onto
from vade_core.recorder import Recorder
from vade_core.remap import Remap, remap
from vade_core.runs import Frame, Run, RunError, run_folders


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "digits"
    words = "train --preset short --dataset digits --subset 200 --epochs 1 --pretrain-epochs 1"
    more = ["--hidden", "16,16", "--maps", "tsne,pca", "--out", str(folder)]
    assert main([*words.split(), *more]) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path / "runs"))
    shutil.copytree(trained, tmp_path / "runs" / "digits")
    return Run(tmp_path / "runs" / "digits")


def last_frame(run: Run) -> Frame:
    return run.frame(run.frame_numbers()[-1])


def test_a_seed_gives_the_same_map_each_time_and_another_one_another(run: Run) -> None:
    frame = last_frame(run)
    made = [remap(run, frame.number, "tsne", seed) for seed in (1, 1, 2)]
    assert np.array_equal(made[0].positions, made[1].positions)
    assert not np.array_equal(made[0].positions, made[2].positions)
    for other in made:
        own = frame.maps["tsne"]
        assert other.moved == pytest.approx(movement(own, other.positions))
        recall = neighbour_recall(frame.latents, other.positions).mean()
        assert other.recall == pytest.approx(recall)
        # Of the run's own spread, and nowhere nearer to it when turned once more.
        again = turned_onto(other.positions, own)
        assert again == pytest.approx(other.positions, abs=1e-3 * float(np.ptp(own)))


def test_what_was_made_is_found_until_the_frame_is_another(run: Run) -> None:
    frame = last_frame(run)
    task = Remap(run, frame.number, "tsne", 1)
    assert task.find(frame) is None
    assert task.status() == {}
    shares: list[float] = []
    made = task.make(lambda words, share: shares.append(share))
    found = Remap(Run(run.path), frame.number, "tsne", 1).find(frame)
    assert found is not None
    assert np.array_equal(found.positions, made.positions)
    assert (found.recall, found.moved) == (made.recall, made.moved)
    assert shares == sorted(shares)
    assert len(set(shares)) > 10
    assert task.status()["words"] == "Finished"
    recorder = Recorder(run)
    recorder.frame(Frame(**{**vars(frame), "latents": frame.latents + 1}))
    recorder.close()
    assert task.find(last_frame(run)) is None
    task.path.write_bytes(b"rubbish")
    assert task.find(frame) is None


def test_a_map_that_another_process_makes_is_not_made_twice(run: Run) -> None:
    task = Remap(run, run.frame_numbers()[-1], "tsne", 1)
    task.path.parent.mkdir()
    with FileLock(task._lock) as lock:
        assert lock.acquire()
        assert task.is_running()
        with pytest.raises(RunError, match="another process"):
            task.make()
    assert not task.is_running()


def test_what_goes_wrong_is_written_down_and_said(run: Run) -> None:
    number = run.frame_numbers()[-1]
    path = run.frame_path(number)
    path.write_bytes(path.read_bytes()[:200])
    task = Remap(run, number, "tsne", 1)
    with pytest.raises(RunError, match="truncated"):
        task.make()
    assert path.name in task.status()["error"]
    assert not task.is_running()


@pytest.mark.parametrize(
    ("number", "lens", "seed", "words"),
    [
        (None, "pca", 1, "does not depend on a seed"),
        (None, "../x", 1, "does not depend on a seed"),
        (None, "tsne", -1, "The seed is -1"),
        (999, "tsne", 1, "has no frame 999"),
        (None, "umap", 1, "has no umap map"),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run, number: int | None, lens: str, seed: int, words: str
) -> None:
    with pytest.raises(RunError, match=words):
        remap(run, run.frame_numbers()[-1] if number is None else number, lens, seed)


def test_a_recorded_run_is_never_changed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = tmp_path / "recorded"
    shutil.copytree(run.path, recorded / "digits")
    monkeypatch.setenv("VADE_RECORDED", str(recorded))
    before = sorted(path for path in recorded.rglob("*"))
    opened = Run(recorded / "digits")
    frame = last_frame(opened)
    remap(opened, frame.number, "tsne", 1)
    assert sorted(path for path in recorded.rglob("*")) == before
    assert Remap(opened, frame.number, "tsne", 1).find(frame) is not None
    assert [folder.name for folder in run_folders(tmp_path / "runs")] == ["digits"]


def test_a_run_that_was_deleted_does_not_come_back(run: Run) -> None:
    task = Remap(run, run.frame_numbers()[-1], "tsne", 1)
    shutil.rmtree(run.path)
    with pytest.raises(RunError):
        task.make()
    assert not run.path.exists()


def test_the_command_line_makes_it_and_says_how_far_points_moved(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["remap", str(run.path), "--seed", "5", "--json"]) == 0
    frame = last_frame(run)
    found = Remap(run, frame.number, "tsne", 5).find(frame)
    assert found is not None
    assert f'"moved": {found.moved}' in capsys.readouterr().out
    assert main(["remap", str(run.path), "--frame", "999"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_watching_a_map_being_made_does_not_change_it() -> None:
    latents = np.random.default_rng(0).normal(size=(60, 5))
    shares: list[float] = []
    watched = tsne(latents, seed=3, progress=shares.append)
    assert np.array_equal(watched, tsne(latents, seed=3))
    assert shares[-1] == pytest.approx(1)
