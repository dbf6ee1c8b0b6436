"""How long OpenMP's threads spin, and the benchmarks of what a training step costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import spinning
import subnormals

from vade_core import optimiser
from vade_core.idle_threads import let_idle_threads_sleep
from vade_core.jobs import worker_environment


def test_an_environment_that_says_how_long_keeps_its_word() -> None:
    environment: dict[str, str] = {}
    let_idle_threads_sleep(environment)
    assert int(environment["GOMP_SPINCOUNT"]) < 300_000  # OpenMP's own
    chosen = {"GOMP_SPINCOUNT": "7"}
    let_idle_threads_sleep(chosen)
    assert chosen == {"GOMP_SPINCOUNT": "7"}


def test_it_is_said_before_torch_is_imported_and_to_every_worker() -> None:
    """OpenMP reads it once."""
    code = (
        "import sys, os; from vade_core.idle_threads import let_idle_threads_sleep as sleep; "
        "sleep(); print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    environment.pop("GOMP_SPINCOUNT", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    torch_was_there, spins = done.stdout.split()
    assert torch_was_there == "False"
    assert worker_environment()["GOMP_SPINCOUNT"] == os.environ.get("GOMP_SPINCOUNT", spins)


def test_a_length_is_timed_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert spinning.seconds_of_an_epoch(5_000, 512) > 0
    seconds = {2_000: iter((3.0, 5.0)), spinning.OWN: iter((2.0, 20.0))}
    monkeypatch.setattr(spinning, "seconds_of_an_epoch", lambda spins, _: next(seconds[spins]))
    assert spinning.main(["--spins", "2000", "--repeats", "1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:5]]
    assert [line[-4] for line in lines] == ["1.50", "1.00", "0.25", "1.00"]
    assert spinning.main(["--spins", "0"]) == 2


def test_losses_are_the_same_with_moments_kept_and_set_to_0(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = optimiser._STEPS_BETWEEN
    # Of more steps than lie between two looks, so that there is something to set to 0.
    samples = 256 * (steps + 2)
    assert subnormals.main(["--samples", str(samples), "--epochs", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [epoch["same_loss"] for epoch in answer["epochs"]] == [True]
    assert steps == optimiser._STEPS_BETWEEN
    assert subnormals.main(["--epochs", "none"]) == 2
