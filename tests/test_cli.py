"""The command line: what it prints where, and its exit codes."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from vade_core.cli import main
from vade_core.runs import Run

SMALL = ["--dataset", "digits", "--subset", "300", "--hidden", "8", "--maps", "pca",
         "--epochs", "1", "--pretrain-epochs", "1", "--threads", "1"]  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("command", ["datasets", "models"])
def test_lists_are_json_objects_with_a_name_and_a_source(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, command, "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert all(row["name"] and row["source"] for row in rows)
    expected = {
        "datasets": "mnist digits fashion_mnist har reuters10k reuters synthetic stl10",
        "models": "ae vae beta-vae cvae kmeans-vae vade lambda-hot lambda-hot-movable gmvae dec "
        "aae infogan cgan sb-vae dlgmm gmm ae-gmm ae-kmeans vae-gmm ldmgi",
    }[command].split()
    assert set(expected) <= {row["name"] for row in rows}
    code, out, _ = run(capsys, command)
    assert code == 0
    assert all(row["name"] in out for row in rows)


def test_any_setting_of_a_model_may_be_given(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    at = SMALL.index("--pretrain-epochs")
    small = SMALL[:at] + SMALL[at + 2 :]
    asked = ["train", "--model", "beta-vae", *small, "--keep-weights", "--out", tmp_path / "run"]
    assert run(capsys, *asked, "--set", "beta=3", "--set", "likelihood=gaussian")[0] == 0
    config = Run(tmp_path / "run").config
    assert config.parameters["beta"] == 3
    assert config.parameters["likelihood"] == "gaussian"
    assert Run(tmp_path / "run").weights_numbers() == [0, 1]
    for wrong, words in (("gamma=2", "no setting"), ("beta=much", "is a number"), ("beta", "NAME")):
        code, _, err = run(capsys, *asked[:-1], tmp_path / "other", "--set", wrong)
        assert code == 2
        assert words in err
        assert not (tmp_path / "other").exists()


def test_train_evaluate_runs_and_resume(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "first"
    code, out, err = run(capsys, "train", "--out", folder, "--json", "--clusters", "7", *SMALL)
    assert code == 0
    told = json.loads(out)
    assert (told["clusters"], told["epochs"]) == (7, 1)
    assert "finished" in err
    # Nothing is printed of the untrained networks, which the run begins with.
    assert Run(folder).metrics()[0]["phase"] == "untrained"
    assert "untrained" not in err
    assert next(line for line in err.splitlines() if "loss" in line).startswith("pretrain 1/1  ")
    code, out, _ = run(capsys, "evaluate", folder, "--json")
    found = json.loads(out)
    assert code == 0
    assert {"acc", "nmi", "rand_index", "ari", "silhouette", "calinski_harabasz", "knn_error",
            "reconstruction"} <= found.keys()  # fmt: skip
    assert 0 <= found["edge_information"] <= math.log(7)
    assert str(tmp_path) not in out
    assert run(capsys, "evaluate", folder, "--json")[1] == out
    code, out, _ = run(capsys, "runs", folder.parent, "--json")
    (row,) = json.loads(out)
    assert (row["id"], row["state"], row["model"], row["dataset"]) == (
        "first", "finished", "vade", "digits")  # fmt: skip
    code, out, err = run(capsys, "resume", folder)
    assert (code, out) == (0, "")
    assert "nothing to do" in err


def test_a_runs_id_serves_for_its_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path))
    assert run(capsys, "train", *SMALL)[0] == 0
    (row,) = json.loads(run(capsys, "runs", "--json")[1])
    assert run(capsys, "evaluate", row["id"], "--json")[0] == 0
    assert "nothing to do" in run(capsys, "resume", row["id"])[2]


@pytest.mark.parametrize("name", ["My_run", "a.b-2", "A"])
def test_a_run_is_found_by_the_name_that_it_was_given(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path))
    assert run(capsys, "train", "--out", tmp_path / name, *SMALL)[0] == 0
    (row,) = json.loads(run(capsys, "runs", "--json")[1])
    assert row["id"] == name
    assert run(capsys, "evaluate", name, "--json")[0] == 0


@pytest.mark.parametrize("name", ["läuft α", "_hidden", ".b", "a b", "ends.", "n" * 81])
def test_a_name_that_no_link_could_carry_is_refused_before_anything_is_made(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = run(capsys, "train", "--out", tmp_path / "runs" / name, *SMALL)
    assert code == 2
    assert "cannot be a run's folder: an id begins with a letter" in err
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_nowhere_gets_a_sentence_that_says_where_to_look(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path))
    code, _, err = run(capsys, "evaluate", "gone")
    assert code == 2
    assert f"gone is neither a folder nor a run in {tmp_path}" in err


def test_equal_seeds_print_equal_evaluations(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    printed = []
    for name, seed in (("a", "4"), ("b", "4"), ("c", "5")):
        run(capsys, "train", "--out", tmp_path / name, "--seed", seed, *SMALL)
        printed.append(run(capsys, "evaluate", tmp_path / name, "--json")[1])
    assert printed[0] == printed[1] != printed[2]


def test_a_persons_own_file_without_labels(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", X=X)
    arguments = ["--epochs", "1", "--pretrain-epochs", "1", "--hidden", "8", "--maps", "pca"]
    code, _, err = run(
        capsys, "train", "--data", tmp_path / "mine.npz", "--out", tmp_path / "r", *arguments
    )
    assert code == 0, err
    found: dict[str, Any] = json.loads(run(capsys, "evaluate", tmp_path / "r", "--json")[1])
    assert found["acc"] is None
    assert found["silhouette"] is None
    assert found["reconstruction"] is not None
    code, _, err = run(
        capsys, "train", "--model", "lambda-hot", "--data", tmp_path / "mine.npz",
        "--out", tmp_path / "s", *arguments[:2],
    )  # fmt: skip
    assert code == 2
    assert "learns from labels" in err
    assert not (tmp_path / "s").exists()


def test_changed_data_are_noticed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", X=X)
    run(capsys, "train", "--data", tmp_path / "mine.npz", "--out", tmp_path / "r",
        "--epochs", "1", "--pretrain-epochs", "1", "--hidden", "8", "--maps", "pca")  # fmt: skip
    np.savez(tmp_path / "mine.npz", X=X + 1)
    code, _, err = run(capsys, "evaluate", tmp_path / "r")
    assert code == 2
    assert "has changed" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "COMMAND"),
        (["fly"], "invalid choice"),
        (["train", "--model", "gan"], "no model 'gan'"),
        (["train", "--dataset", "imagenet"], "no data set 'imagenet'"),
        (["train", "--epochs", "-3"], "whole number from 1 to"),
        (["train", "--hidden", "5,x"], "whole number from 1 to"),
        (["train", "--seed", "99999999999"], "whole number from 0 to 4294967295"),
        (["train", "--dataset", "digits", "--subset", "5"], "5 samples are too few"),
        (["train", "--data", "nowhere.npz"], "nowhere.npz"),
        (["train", "--dataset", "digits", "--lambda", "5"], "VaDE has no --lambda"),
        (["train", "--model", "gmm", "--batch", "9"], "has no --batch: leave it out"),
        (["train", "--dataset", "digits", "--set", "learning_rate=-1"], "in the range (0.0, inf)"),
        (["train", "--dataset", "digits", "--set", "observation_variance=x"], "observation_varian"),
        (["train", "--dataset", "digits", "--set", "device=gpu"], "'auto', 'cpu' or 'cuda'"),
        (["train", "--dataset", "digits", "--data", "x.npz"], "takes the place of --dataset"),
        (["train", "--dataset", "digits", "--threads", "9999"], "whole number from 1 to 256"),
        (["resume", "nowhere"], "nowhere is neither a folder nor a run in runs"),
        (["evaluate", "nowhere"], "nowhere is neither a folder nor a run in runs"),
        (["runs", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_file_in_place_of_the_runs_folder_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs.txt").touch()
    monkeypatch.setenv("VADE_RUNS", str(tmp_path / "runs.txt"))
    code, out, err = run(capsys, "runs")
    assert (code, out) == (2, "")
    assert err.endswith("runs.txt is no folder: set VADE_RUNS to the one that holds the runs.\n")
    monkeypatch.setenv("VADE_RUNS", str(tmp_path / "not-yet"))
    assert run(capsys, "runs")[0] == 0


def test_why_a_training_ends_early_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["train", *SMALL, "--epochs", "30", "--clamped", "2", "--set", "most_leaving=0"]
    code, _, err = run(capsys, *words, "--out", tmp_path / "run")
    assert code == 0
    (why,) = (line["undone"] for line in Run(tmp_path / "run").metrics() if line.get("undone"))
    assert f"\n{why}\nfinished: " in err


def test_how_many_held_samples_neighbours_moved_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["train", *SMALL, "--epochs", "5", "--clamped", "4", "--start", "kmeans"]
    code, _, err = run(capsys, *words, "--set", "renew_every=2", "--out", tmp_path / "run")
    assert code == 0
    lines = [line for line in Run(tmp_path / "run").metrics() if "renewed" in line]
    assert [(line["phase"], line["epoch"]) for line in lines] == [("clamped", 3)]
    moved = f"{100 * lines[0]['renewed']:.1f} %"
    assert f"\nBefore this epoch neighbours moved {moved} of what is held.\n" in err
    code, _, err = run(capsys, *words, "--set", "renew_every=-1", "--out", tmp_path / "other")
    assert code == 2
    assert "'renew_every' parameter of VaDE must be an int in the range [0, inf)" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no device that is always full")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vade_core", "models"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No space left" in done.stderr


def test_a_disk_that_fills_up_while_a_run_trains_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "frames/00001.safetensors")

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.numpy, "save", full)
        code, _, err = run(capsys, "train", *SMALL, "--out", tmp_path / "run")
    assert code == 2
    assert err.splitlines()[-1].startswith("vade_core: frames/00001.safetensors cannot be used: No")
    assert Run(tmp_path / "run").status()["state"] == "failed"
    assert run(capsys, "resume", tmp_path / "run")[0] == 0


@pytest.mark.parametrize("file", ["config.json", "checkpoint.safetensors", "status.json"])
def test_a_broken_run_is_named(
    file: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(capsys, "train", "--out", tmp_path / "r", *SMALL)
    (tmp_path / "r" / file).write_bytes(b"\x80\x04broken")
    command = "resume" if file == "status.json" else "evaluate"
    code, _, err = run(capsys, command, tmp_path / "r")
    assert code == 2
    assert file in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["", "datasets", "models", "runs", "train", "resume",
                                     "evaluate"])  # fmt: skip
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*([command] if command else []), "--help"])
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_as_a_module_only_json_is_on_standard_output(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "vade_core",
            "train",
            "--out",
            str(tmp_path / "r"),
            "--json",
            *SMALL,
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert json.loads(done.stdout)["state"] == "finished"


def test_the_library_needs_no_streamlit() -> None:
    code = (
        "import sys; sys.modules['streamlit'] = None\n"
        "import pkgutil, importlib, vade_core\n"
        "for m in pkgutil.walk_packages(vade_core.__path__, 'vade_core.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)
