"""The papers page as a person reads it."""

from __future__ import annotations

import csv
import io
import json
from functools import partial
from pathlib import Path

import pytest
from conftest import opened_page
from streamlit.testing.v1 import AppTest

from pages.shared.papers_glance import words_about_missing
from pages.shared.papers_grid import grid_html, table_csv
from tests.test_papers import leave
from vade_core import papers_measured
from vade_core.papers import paper_table

opened = partial(opened_page, "papers")


def shown(app: AppTest) -> str:
    """Everything that the page shows as HTML or Markdown."""
    return "\n".join(
        [*(each.body for each in app.get("html")), *(each.value for each in app.markdown)]
    )


def test_the_page_says_which_figures_wait_for_data_that_do_not_come_with_it(tmp_path: Path) -> None:
    tables = [paper_table("vade-acc", results=tmp_path, recorded=tmp_path)]
    assert words_about_missing(tables) == (
        "27 of those not measured are of data that do not come with the project: har, reuters10k "
        "and reuters (fetched over a network), stl10 (a file that you make)."
    )
    leave(tmp_path, "accuracy/robust", "mnist", 0, scores={"acc": 0.97})
    for row in ("gmm", "ae-gmm", "vae-gmm", "ldmgi-robust", "aae-robust", "dec-robust"):
        leave(tmp_path, f"accuracy/{row}", "mnist", 0, scores={"acc": 0.5})
    tables = [paper_table("vade-acc", results=tmp_path, recorded=tmp_path)]
    assert words_about_missing(tables).startswith("Those not measured are all of data")
    assert words_about_missing([paper_table("orbay", results=tmp_path, recorded=tmp_path)]) == ""


def test_a_missed_aim_is_told_beside_a_figure_that_is_reached(tmp_path: Path) -> None:
    for accuracy, words in ((0.95, "missed"), (0.98, "met")):
        leave(tmp_path, "papers/wang-lambda-hot", "mnist", 0, scores={"test_acc": accuracy})
        drawn = grid_html(paper_table("wang-accuracy", results=tmp_path, recorded=tmp_path))
        assert f"aimed for 97.00 %: {words}" in drawn


def test_the_glance_the_tables_and_the_links(
    tmp_path: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(papers_measured, "RESULTS", tmp_path)
    empty = shown(opened())
    assert "<b>0</b>" in empty
    assert "<b>76</b>" in empty
    assert "pt-reached" not in empty.replace(".pt-reached", "")

    curve = {"start": [0.9], "clamped": [0.95], "free": [0.96]}
    for seed in range(2):
        scores = {"acc": 0.97 + seed / 100}
        leave(tmp_path, "accuracy/robust", "mnist", seed, scores=scores, curve=curve)
    leave(tmp_path, "accuracy/gmm", "mnist", 0, scores={"acc": 0.5})
    leave(tmp_path, "accuracy/aae-robust", "har", 0, scores={"acc": 0.5})
    (tmp_path / "accuracy/mnist/gmm/seed-1.json").write_text("[]", encoding="utf-8")
    app = opened()
    words = shown(app)
    # ACC, and four epochs of its curve.
    assert "<b>5</b>" in words
    assert "<b>2</b>" in words
    assert "97.50 ± 0.71 %" in words
    assert '<i aria-label="not reached">✗</i>50.00 %' in words
    kept = Path(papers_measured.__file__).with_name("papers_reasons.json")
    reasons = json.loads(kept.read_text(encoding="utf-8"))
    assert f"**GMM, ACC, mnist.** {reasons['vade-acc']['mnist/gmm/acc']}" in words
    assert "**AAE, ACC, har.** Nobody has said why yet." in words
    assert any("seed-1.json" in warning.value for warning in app.warning)
    commands = "\n".join(code.value for code in app.code)
    assert "python benchmarks/papers.py --table vade-acc --dataset har --cell dec" in commands
    assert "No run shows it yet: vade-paper." in [each.value for each in app.caption]

    wang = opened(source="wang")
    assert wang.session_state["pp-source"] == "wang"
    assert "beta-VAE" in shown(wang)
    assert "VAE+GMM" not in shown(wang)
    assert "VAE+GMM" in shown(opened(source="nobody"))

    rows = list(csv.DictReader(io.StringIO(table_csv(paper_table("vade-acc")))))
    found = next(row for row in rows if (row["dataset"], row["cell"]) == ("mnist", "vade"))
    assert (found["reported"], found["seeds"], found["better"]) == ("0.9446", "0 1", "True")
    assert float(found["mean"]) == pytest.approx(0.975)
