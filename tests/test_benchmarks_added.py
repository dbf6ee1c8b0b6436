"""What VaDE adds to its start: the benchmark that looks at one run at three of its epochs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import added
from samples_belong import shares_that_belong

from vade_core.configure import configure
from vade_core.rebuild import load_dataset, load_model
from vade_core.recorder import create_run
from vade_core.runs import Run
from vade_core.worker import Worker


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small run whose networks are kept, trained on the train part alone."""
    config = configure(
        dataset="digits",
        subset=400,
        lenses=["pca"],
        split=True,
        keep_weights=True,
        overrides={
            "hidden": [32],
            "batch_size": 64,
            "pretrain_epochs": 10,
            "start_restarts": 1,
            "epochs": 4,
            "clamped_epochs": 2,
            "most_leaving": None,
        },
    )
    config.threads = 1
    run = create_run(tmp_path_factory.mktemp("added"), config)
    assert Worker(run).work() == "finished"
    return Run(run.path)


def test_each_stage_is_measured_as_it_was(kept: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert added.main([str(kept.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["split"] is True
    stages = found["stages"]
    assert list(stages) == ["start", "clamped", "free"]
    # The networks are kept in half precision: of 400 samples a few may fall to another cluster.
    for stage, line in added.ends(kept).items():
        assert stages[stage]["test_acc"] == pytest.approx(line["test_acc"], abs=0.03)
        assert stages[stage]["belong"] is None  # the classifier knows MNIST alone
    assert stages["free"]["negative_elbo"] < stages["start"]["negative_elbo"]


def test_elbo_is_that_of_the_unseen_part(kept: Run) -> None:
    line = added.ends(kept)["free"]
    dataset = load_dataset(kept.config)
    seen = added.looked_at(kept, line, dataset, None, 0)
    model = load_model(kept, line["report"])
    assert seen["negative_elbo"] == pytest.approx(-model.score(dataset.samples[dataset.is_test]))


def test_table_has_a_line_a_stage(kept: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert added.main([str(kept.path)]) == 0
    printed = capsys.readouterr().out
    assert "kept out of training" in printed
    assert [words in printed for words in added.STAGES.values()] == [True] * 3


def test_a_run_without_its_networks_is_refused(
    kept: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "status.json", "metrics.jsonl"):
        (bare / name).write_bytes((kept.path / name).read_bytes())
    assert added.main([str(bare)]) == 2
    assert "--keep-weights" in capsys.readouterr().err


def test_samples_belong_where_the_classifier_says_so(kept: Run) -> None:
    class Constant(torch.nn.Module):
        """Calls everything a three."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(torch.full((len(x),), 3), 10).float()

    matched = [3, *([1] * 9)]
    shares = shares_that_belong(load_model(kept), matched, Constant(), 5, 1.0, 0)
    np.testing.assert_array_equal(shares, [1.0, *([0.0] * 9)])
