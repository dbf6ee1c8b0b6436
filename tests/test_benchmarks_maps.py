"""The benchmarks of the maps and of the browser: what they count, and that they run."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import browser
import machine
import maps

from vade_core.cli import main

# --- Maps ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "digits"
    words = "train --preset short --dataset digits --subset 150 --epochs 3 --pretrain-epochs 1"
    more = ["--hidden", "16,16", "--maps", "tsne,pca", "--out", str(folder)]
    assert main([*words.split(), *more]) == 0
    return folder


def test_movement_is_the_median_step_over_the_diagonal() -> None:
    before = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]])
    after = before.copy()
    assert maps.moved(before, after) == 0
    after[0] = [0.0, 1.0]
    after[1] = [2.0, 4.0]
    assert maps.moved(before, after) == pytest.approx(1 / 5)
    assert maps.moved(before[:1], before[:1]) == 0


def test_maps_are_timed_one_after_the_other(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(trained), "--lenses", "tsne", "first-two", "--frames", "3", "--json"]
    assert maps.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["points"], found["frames"]) == (150, 3)
    tsne, first_two = found["maps"]
    assert len(tsne["seconds"]) == len(tsne["movement"]) == len(tsne["recall"]) == 2
    assert min(tsne["seconds"]) > 0
    assert 0.3 < tsne["recall"][-1] <= 1
    # The first two latents are what they are, however the map began.
    assert first_two["recall"][-1] == first_two["nothing_recall"]
    assert set(found["load"]) == {"before", "after"}
    assert "| t-SNE |" in maps.table(found)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lenses", "nonsense"], "no map 'nonsense'"),
        (["--frames", "1"], "two frames"),
        (["--frames", "many"], "whole number"),
        (["nobody"], "nobody"),
    ],
)
def test_a_wrong_command_is_answered_in_a_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert maps.main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("seconds", "recall", "met"), [(0.9, 0.50, [True, True]), (1.2, 0.46, [False, False])]
)
def test_goals_are_held_against_what_was_measured(
    seconds: float, recall: float, met: list[bool]
) -> None:
    row = {"lens": "tsne", "seconds": [seconds], "recall": [recall], "nothing_recall": 0.5}
    assert [words.endswith(": met.") for words in maps.verdicts(row, 2000)] == met
    assert len(maps.verdicts(row, 500)) == 1
    assert maps.verdicts({**row, "lens": "pca"}, 2000) == []


def test_a_busy_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    assert "Not a quiet machine" in machine.load_words({"before": 3.0, "after": 3.0})
    assert "Not a quiet machine" not in machine.load_words({"before": 0.4, "after": 2.0})
    assert "not known" in machine.load_words({"before": None, "after": None})


# --- The browser --------------------------------------------------------------------------------


def test_frames_a_second_are_counted_between_draws() -> None:
    steady = browser.rate([10.0 * i for i in range(101)])
    assert (steady["value"], steady["usual_ms"], steady["slowest_ms"]) == (100, 10, 10)
    # One long wait in four: the mean tells, the median does not.
    jerky = browser.rate([0.0, 10.0, 20.0, 30.0, 130.0])
    assert jerky["value"] == pytest.approx(4 / 0.13, abs=0.1)
    assert (jerky["usual_ms"], jerky["slowest_ms"]) == (10, 100)
    with pytest.raises(ValueError, match="did not move"):
        browser.rate([5.0])


def test_a_goal_is_the_least_or_the_most() -> None:
    entry = browser.MEASUREMENTS
    assert entry["playing-2000"].meets(50)
    assert not entry["playing-2000"].meets(49.9)
    assert entry["first-map"].meets(5)
    assert not entry["first-map"].meets(5.1)


def test_the_browser_benchmark_names_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert browser.main(["--only", "nonsense"]) == 2
    assert "there is no 'nonsense'" in capsys.readouterr().err
    assert browser.main(["--list"]) == 0
    assert "first-map" in capsys.readouterr().out


@pytest.mark.browser
def test_maps_play_pan_and_begin_to_move(chromium: Any, trained: Path, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded"
    shutil.copytree(trained, recorded / "digits")
    bench = browser.Bench(chromium, tmp_path, 1, 1, recorded)
    played, panned = browser.playing(300)(bench), browser.panning(300)(bench)
    # However busy the machine: both move, and no faster than a screen.
    for figures in (played, panned):
        assert 1 < figures["value"] < 250
        assert figures["frames"] > 2
    (start,) = browser.first_moving_map(bench)["starts"]
    assert 0 < start["answers"] < start["map"] <= start["moves"]
    empty = browser.Bench(chromium, tmp_path, 1, 1, tmp_path / "none")
    with pytest.raises(ValueError, match="no recorded run"):
        browser.first_moving_map(empty)
