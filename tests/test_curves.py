"""What the charts of a run show: their specifications, built from lines of metrics.jsonl."""

from __future__ import annotations

import doctest
import json
from typing import Any

import pytest

from pages.shared import curves
from pages.shared.curves import loss_spec, phase_title, score_spec


def line(phase: str, epoch: int, epochs: int, **more: Any) -> dict[str, Any]:
    scores = {f"{part}{name}": None for part in ("", "test_") for name in ("acc", "nmi", "ari")}
    scores |= {"rand_index": None, "test_rand_index": None, "val_loss": None}
    return {"phase": phase, "epoch": epoch, "epochs": epochs, "seconds": 1.5, **scores, **more}


LINES = [
    line("pretrain", 1, 2, reconstruction=220.0, loss=220.0),
    line("pretrain", 2, 2, reconstruction=180.0, loss=180.0),
    line(
        "start",
        0,
        0,
        words="Fitting a mixture",
        acc=0.5,
        nmi=0.4,
        rand_index=0.8,
        log_likelihood=-12.0,
        start_acc=0.51,
    ),
    line(
        "train",
        1,
        3,
        acc=0.6,
        nmi=0.45,
        rand_index=0.85,
        test_acc=0.58,
        val_loss=121.0,
        reconstruction=100.0,
        latent_kl=18.0,
        cluster_kl=2.0,
        loss=120.0,
        sizes=[3, 4],
    ),
    line(
        "train",
        2,
        3,
        acc=0.7,
        nmi=0.5,
        rand_index=0.9,
        test_acc=0.69,
        val_loss=116.0,
        reconstruction=96.0,
        latent_kl=17.0,
        cluster_kl=2.0,
        loss=115.0,
        sizes=[3, 4],
    ),
]
BASELINE = {"kmeans": {"acc": 0.534, "nmi": 0.5}}


def values(spec: dict[str, Any], panel: int, name: str) -> list[float | None]:
    return next(s["values"] for s in spec["panels"][panel]["series"] if s["name"] == name)


def test_scores_stand_at_their_epochs_and_begin_with_the_clusters() -> None:
    spec = score_spec(LINES, BASELINE)
    assert values(spec, 0, "ACC") == [None, None, 0.5, 0.6, 0.7]
    assert values(spec, 0, "NMI") == [None, None, 0.4, 0.45, 0.5]
    assert values(spec, 0, "RI") == [None, None, 0.8, 0.85, 0.9]
    assert spec["panels"][0]["range"] == [0, 1]
    assert spec["panels"][0]["empty"] == ""


def test_the_test_part_has_scores_of_its_own() -> None:
    assert values(score_spec(LINES, BASELINE, "test"), 0, "ACC") == [None, None, None, 0.58, 0.69]


def test_phases_are_named_and_epochs_count_within_them() -> None:
    spec = score_spec(LINES, None)
    assert [(p["name"], p["first"], p["last"]) for p in spec["phases"]] == [
        ("Pretraining", 0, 1),
        ("Start", 2, 2),
        ("Training", 3, 4),
    ]
    assert spec["ticks"] == [1, 2, 0, 1, 2]
    assert spec["titles"][0] == "Pretraining, epoch 1 of 2"
    assert spec["titles"][2] == "Fitting a mixture"


def test_the_baseline_is_a_labelled_line_and_absent_where_it_was_not_measured() -> None:
    (rule,) = score_spec(LINES, BASELINE)["panels"][0]["rules"]
    assert rule["value"] == 0.534
    assert "k-means" in rule["name"]
    assert "53.4 %" in rule["name"]
    for missing in (None, {}, {"kmeans": None}, {"kmeans": {"acc": "much"}}):
        assert score_spec(LINES, missing)["panels"][0]["rules"] == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "begin when there are clusters"),
        ([line("untrained", 0, 0)], "begin when there are clusters"),
        (LINES[:2], "after the pretraining"),
        ([line("train", 1, 3, loss=3.0)], "labels"),
    ],
)
def test_a_chart_without_scores_says_why(lines: list[dict[str, Any]], words: str) -> None:
    panel = score_spec(lines, None)["panels"][0]
    assert panel["series"] == []
    assert words in panel["empty"]


def test_the_loss_is_split_into_its_named_terms() -> None:
    spec = loss_spec(LINES)
    titles = [panel["title"] for panel in spec["panels"]]
    assert titles == ["Loss", "Reconstruction", "Latent KL", "Cluster KL"]
    assert values(spec, 0, "train") == [220.0, 180.0, None, 120.0, 115.0]
    assert values(spec, 0, "test") == [None, None, None, 121.0, 116.0]
    assert values(spec, 2, "") == [None, None, None, 18.0, 17.0]
    assert all(panel["unit"] == "nats" for panel in spec["panels"])


def test_terms_add_up_to_the_loss_that_is_shown() -> None:
    spec = loss_spec(LINES)
    parts = [panel["series"][0]["values"][4] for panel in spec["panels"][1:]]
    assert sum(parts) == spec["panels"][0]["series"][0]["values"][4]


def test_findings_of_the_start_and_scores_are_no_terms_of_the_loss() -> None:
    titles = " ".join(panel["title"] for panel in loss_spec(LINES)["panels"]).lower()
    assert "likelihood" not in titles
    assert "acc" not in titles
    assert "seconds" not in titles


def test_a_term_that_has_no_name_yet_goes_by_its_key() -> None:
    spec = loss_spec([line("train", 1, 1, loss=1.0, total_correlation=1.0)])
    assert [panel["title"] for panel in spec["panels"]] == ["Loss", "Total correlation"]
    assert phase_title("warm_up") == "Warm up"


def test_numbers_that_are_none_of_a_foreign_file_leave_gaps_and_json() -> None:
    lines = [
        line("train", 1, 2, acc=float("nan"), nmi="high", rand_index=0.5, loss=float("inf")),
        line("train", 2, 2, acc=0.5, nmi=True, rand_index=0.6, loss=2.0),
    ]
    spec = score_spec(lines, None)
    assert values(spec, 0, "ACC") == [None, 0.5]
    assert values(spec, 0, "NMI") == [None, None]
    json.dumps([spec, loss_spec(lines)], allow_nan=False)


def test_lines_differ_without_colour() -> None:
    dashes = [one["dash"] for one in score_spec(LINES, None)["panels"][0]["series"]]
    assert len(set(dashes)) == len(dashes)


def test_the_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(curves)
    assert found.attempted >= 2
    assert found.failed == 0
