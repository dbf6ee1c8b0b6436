"""The papers' tables: what is reported, what was measured, and the benchmark that measures it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import accuracy_cell
import papers
import papers_cell
from accuracy_plan import Cell, recipes
from papers_plan import RECIPES, Asked, PaperCell, computable, planned

from vade_core import papers_measured
from vade_core.cli import main as vade_core
from vade_core.data import load
from vade_core.papers import (
    PaperTable,
    TableCell,
    _reasons,
    glance,
    paper_table,
    paper_tables,
    reported_figures,
)
from vade_core.papers_tables import TABLES

ROOT = Path(__file__).parents[1]


def leave(results: Path, row: str, dataset: str, seed: int, **entries: Any) -> None:
    """A cell as the benchmarks leave it; ``row`` with its folder, such as accuracy/robust."""
    folder, _, name = row.partition("/")
    path = results / folder / dataset / name / f"seed-{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"format": 1, "dataset": dataset, "row": name, "what": name, "seed": seed}
    ran = {"device": "cpu", "threads": 2, "precision": "bf16"}
    cell = {**known, "scores": {}, "seconds": {"total": 60.0 + seed}, "ran": ran, **entries}
    path.write_text(json.dumps(cell), encoding="utf-8")


def cells_of(table: PaperTable) -> dict[str, TableCell]:
    return {f"{cell.dataset}/{cell.line.key}": cell for cell in table.cells}


# -- reading ----------------------------------------------------------------------------------


def test_reported_and_measured_side_by_side(tmp_path: Path) -> None:
    accuracies = [0.9712, 0.9634, 0.9801]
    for seed, acc in enumerate(accuracies):
        leave(tmp_path, "accuracy/robust", "mnist", seed, scores={"acc": acc})
    leave(tmp_path, "accuracy/paper", "mnist", 4, scores={"acc": 0.78})
    leave(tmp_path, "accuracy/dec-robust", "mnist", 0, scores={"acc": 0.70})
    (tmp_path / "accuracy/mnist/dec-robust/seed-1.json").write_text("{", encoding="utf-8")
    table = paper_table("vade-acc", results=tmp_path, recorded=tmp_path)
    found = cells_of(table)

    vade = found["mnist/vade/acc"]
    assert vade.measured is not None
    assert vade.reported is not None
    assert vade.measured.mean == pytest.approx(np.mean(accuracies))
    assert vade.measured.sd == pytest.approx(np.std(accuracies, ddof=1))
    assert (vade.measured.n, vade.measured.seeds) == (3, (0, 1, 2))
    assert (vade.measured.seconds, vade.measured.device) == (61.0, "CPU, 2 threads, bf16")
    assert (vade.reported.value, vade.better, vade.state) == (0.9446, True, "reached")
    assert vade.command.endswith("papers.py --table vade-acc --dataset mnist --cell vade")

    own = found["mnist/vade-paper/acc"]
    assert own.measured is not None
    assert (own.measured.sd, own.measured.seeds) == (None, (4,))
    assert (own.better, own.state) == (False, "not reached")
    assert "best of ten" in own.reason
    assert not vade.reason
    assert found["mnist/dec/acc"].better is False
    assert found["stl10/vade/acc"].state == "not measured"
    # A file that cannot be read costs its own seed, and is named.
    assert found["mnist/dec/acc"].measured is not None
    assert len(table.problems) == 1
    assert "seed-1.json" in table.problems[0]
    # A figure counts once, and as reached where one of its recipes reaches it.
    counts = glance([table])
    assert (counts.reached, counts.not_reached, counts.figures) == (1, 1, 34)


def test_better_goes_by_the_measure(tmp_path: Path) -> None:
    def of(name: str, **entries: Any) -> dict[str, TableCell]:
        row, dataset = entries.pop("row"), entries.pop("dataset")
        leave(tmp_path, row, dataset, 0, **entries)
        return cells_of(paper_table(name, results=tmp_path, recorded=tmp_path))

    # Less is better; at one draw, with the posterior mean beside it.
    terms = {"label_free": {"test": {"reconstruction": 79.5}}, "reconstruction": 75.0}
    row = of("wang-reconstruction", row="papers/wang-vae", dataset="mnist", **terms)[
        "mnist/vae/reconstruction"
    ]
    assert row.better is True
    assert row.measured is not None
    assert (row.measured.mean, row.measured.beside) == (79.5, 75.0)
    missed = {"label_free": {"test": {"reconstruction": 77.6}}}
    cells = of("wang-reconstruction", row="papers/wang-kmeans-vae", dataset="mnist", **missed)
    assert cells["mnist/kmeans-vae/reconstruction"].better is False
    # Wang's own lambda is not measured twice.
    naive = of(
        "wang-accuracy", row="papers/wang-lambda-hot", dataset="mnist", scores={"test_acc": 0.97}
    )
    assert naive["mnist/lambda-hot/test_acc"].better is True
    assert naive["mnist/lambda-5/test_acc"].state == "measured"

    # "About" asks for nearness; the jump is the first epoch beyond the threshold.
    curve = {"curves": {"cluster_kl": {"train": [0.2, 1.4, 1.62, 2.2]}}}
    term = {**curve, "parameters": {"minimum_information": 1.5}}
    both = of("orbay", row="papers/orbay-gmvae-synthetic", dataset="synthetic", **term)
    assert both["synthetic/gmvae/cluster_jump"].better is True
    assert both["synthetic/gmvae/cluster_end_near"].better is False
    assert of("orbay", row="papers/orbay-gmvae", dataset="mnist", **term)[
        "mnist/gmvae/cluster_end"
    ].better

    # Epochs of the model itself: pretraining and start are none.
    run = {
        "scores": {"acc": 0.90004},
        "curve": {"start": [0.5], "clamped": [0.6, 0.7], "free": [0.9]},
        "loss_curve": {"pretrain": [9.0], "clamped": [3.0, 2.0], "free": [1.0]},
        "seconds": {"pretrain": 50.0, "clamped": 30.0, "free": 18.0, "total": 98.0},
    }
    epochs = of("vade-curve", row="accuracy/robust", dataset="mnist", **run)
    known = {key: cell.measured.mean for key, cell in epochs.items() if cell.measured}
    assert known == {
        f"mnist/vade/acc_at_{epoch}": value
        for epoch, value in {
            "0": 0.5,
            "1": 0.6,
            "5": 0.9,
            "50": 0.9,
            "120": 0.9,
            "end": 0.90004,
        }.items()
    }
    assert epochs["mnist/vade/acc_at_0"].state == "measured"
    times = cells_of(paper_table("vade-times", results=tmp_path, recorded=tmp_path))
    seconds = times["mnist/vade/seconds_an_epoch"].measured
    assert seconds is not None
    assert seconds.mean == 16.0


def test_every_figure_has_its_place_and_every_row_its_recipe() -> None:
    told = {id(cell.reported) for table in paper_tables() for cell in table.cells}
    homeless = [f for f in reported_figures() if id(f) not in told and f.measure != "seconds"]
    assert not homeless
    lines = {
        (table.name, f"{dataset}/{line.key}"): line
        for table in TABLES.values()
        for dataset in table.datasets
        for line in table.lines(dataset)
    }
    assert len(lines) == sum(len(t.lines(d)) for t in TABLES.values() for d in t.datasets)
    for line in lines.values():
        source = computable(line)
        known = RECIPES if source.folder == "papers" else {
            **recipes(), **recipes(source.model)}  # fmt: skip
        assert source.what in known, source
    for name, reasons in _reasons().items():
        assert all((name, key) in lines for key in reasons)
    for table in TABLES.values():
        for picture in table.pictures:
            assert (ROOT / "pages" / f"{picture.page}.py").is_file()


# -- the benchmark ----------------------------------------------------------------------------


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Cells are computed here: a process of each would take most of the time. Their places."""
    computed: list[str] = []
    before, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()

    def compute(cell: Cell, results: Path, work: Path) -> int:
        computed.append(cell.place.as_posix())
        if len(computed) == 2:
            return -signal.SIGTERM  # killed
        words = [cell.to_json(), "--results", str(results), "--work", str(work)]
        monkeypatch.setattr(sys, "argv", [cell.script, *words])
        if isinstance(cell, PaperCell):
            return accuracy_cell.main(PaperCell, papers_cell.compute)
        return accuracy_cell.main()

    monkeypatch.setattr(papers, "compute", compute)
    yield computed
    signal.signal(signal.SIGTERM, before)
    torch.set_num_threads(threads)


def test_a_killed_command_goes_on_and_computes_nothing_twice(
    tmp_path: Path, in_this_process: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    trial = "--dataset digits --seeds 1 --subset 150 --epochs 2 --hidden 8 --threads 1 --json "
    trial += f"--device cpu --results {tmp_path / 'results'} --work {tmp_path / 'work'}"
    tables = "--table wang-reconstruction wang-accuracy vade-knn --cell kmeans-vae vae"
    assert papers.main([*tables.split(), *trial.split()]) == 130
    assert len(in_this_process) == 2
    capsys.readouterr()

    assert papers.main([*tables.split(), *trial.split()]) == 0
    one, killed, *rest = in_this_process
    # Both tables of Wang's read the same cell; the accuracy benchmark's lies where it leaves it.
    assert rest == [killed, "digits/vae-robust/seed-0"]
    assert {one, killed} == {"digits/wang-vae/seed-0", "digits/wang-kmeans-vae/seed-0"}
    assert (tmp_path / "results" / "accuracy" / "digits" / "vae-robust" / "seed-0.json").is_file()
    told = json.loads(capsys.readouterr().out)
    cells = {
        f"{cell['cell']}/{cell['measure']}": cell
        for table in told["tables"]
        for cell in table["cells"]
    }
    assert cells["vae/reconstruction"]["reported"] is None
    assert 10 < cells["vae/reconstruction"]["mean"] < 100
    assert 0 < cells["kmeans-vae/cluster_label"]["mean"] < 1
    assert cells["vae/knn_error_3"]["n"] == 1

    assert papers.main([*tables.split(), *trial.split()]) == 0
    assert len(in_this_process) == 4
    left = tmp_path / "results" / "papers" / "digits" / "wang-vae" / "seed-0.json"
    cell = json.loads(left.read_text(encoding="utf-8"))
    assert cell["split"] is True
    assert (cell["parameters"]["latent_dim"], cell["parameters"]["epochs"]) == (20, 2)
    assert {"val_loss", "latent_kl", "test_nmi"} <= set(cell["curves"])
    assert len(cell["curves"]["val_loss"]["train"]) == 2
    assert not list((tmp_path / "work").glob("*/*/*/seed-0"))


def test_classifiers_by_hand() -> None:
    data = load("digits").subset(200, seed=0)
    labels = data.labels
    assert labels is not None
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 4, len(labels))

    class Model:
        def transform(self, samples: Any) -> np.ndarray:
            # Two of the classes cannot be told apart; the others are certain.
            return np.eye(10)[np.where(labels == 9, 4, labels)] * 8

        def responsibilities(self, latents: np.ndarray) -> np.ndarray:
            return np.eye(5)[clusters]

    found = papers_cell.classifiers(Model(), data)  # type: ignore[arg-type]
    test = data.is_test
    names = [np.bincount(labels[~test & (clusters == c)]).argmax() for c in range(4)]
    right = [names[c] == y for c, y in zip(clusters[test], labels[test], strict=True)]
    assert found["cluster_label"] == pytest.approx(np.mean(right))
    four_or_nine = np.isin(labels, (4, 9))
    usual = np.bincount(labels[~test & four_or_nine]).argmax()
    assert found["linear"] == pytest.approx(np.mean(~four_or_nine[test] | (labels[test] == usual)))


def test_what_is_not_there_yet_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import papers_plan

    models = {name: entry for name, entry in papers_plan.MODELS.items() if name != "dec"}
    monkeypatch.setattr(papers_plan, "MODELS", models)
    monkeypatch.setattr(papers_plan, "DATASETS", {"mnist": None})
    cells, left_out = planned(Asked(["vade-acc"], seeds=2))
    assert {cell.dataset for cell in cells} == {"mnist"}
    assert len(cells) == 2 * 7
    assert any("'dec'" in sentence for sentence in left_out)
    assert any("'stl10'" in sentence for sentence in left_out)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--table", "tables"], "no table 'tables'"),
        (["--table", "vade-acc", "--cell", "vqvae"], "no cell 'vqvae'"),
        (["--table", "vade-acc", "--dataset", "imagenet"], "no data set 'imagenet'"),
        (["--table", "vade-acc", "--dataset", "digits"], "--results"),
        (["--table", "vade-acc", "--epochs", "2"], "--results"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    code = papers.main(arguments)
    signal.signal(signal.SIGTERM, before)
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_the_readmes_table_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VADE_RECORDED")
    assert vade_core(["papers", "--table", "wang-reconstruction", "--markdown"]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed.count("\n") > 5
    assert printed in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(tmp_path, "accuracy/robust", "mnist", 0, knn_error={"3": 0.02, "5": 0.03, "10": 0.02})
    monkeypatch.setattr(papers_measured, "RESULTS", tmp_path)
    assert vade_core(["papers", "--table", "vade-knn", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [told[name] for name in ("reached", "not_reached", "not_measured")] == [2, 1, 9]
    assert vade_core(["papers", "--table", "vade-knn"]) == 0
    text = capsys.readouterr().out
    assert "12 reported figures: 2 reached or beaten, 1 not reached, 9 not measured yet." in text
    assert "✗  mnist     VaDE" in text
    assert "not measured yet" in text
    assert vade_core(["papers", "--table", "knn"]) == 2
    assert "There is no table 'knn'" in capsys.readouterr().err
    assert vade_core(["papers", "--json"]) == 0
    assert [t["name"] for t in json.loads(capsys.readouterr().out)["tables"]] == list(TABLES)
