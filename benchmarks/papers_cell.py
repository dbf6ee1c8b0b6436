"""Computes one cell that only the papers' tables ask for; papers.py starts it.

The cell is one of the accuracy benchmark with more that is measured: every curve by epoch and, on
the latents of Wang's models, two classifiers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vade_core.idle_threads import let_idle_threads_sleep

let_idle_threads_sleep()  # before torch is imported

import numpy as np
from accuracy_cell import compute_with, main
from accuracy_runs import Further, curve
from numpy.typing import NDArray
from papers_plan import CLASSIFIERS, PaperCell
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vade_core.data import Dataset
from vade_core.models import LatentModel
from vade_core.runs import Run

# Of a line of metrics.jsonl: what is no curve, or is kept by every cell.
NO_CURVES = {"report", "epoch", "epochs", "stage", "elapsed", "frame", "acc", "loss"}


def compute(cell: PaperCell, work: Path) -> dict[str, Any]:
    """Train and measure one cell; see :func:`accuracy_cell.compute_with`."""
    return compute_with(cell, work, measures_of(cell))


def measures_of(cell: PaperCell) -> Further:
    """What is measured of a trained model beyond a cell of the accuracy benchmark."""

    def further(model: LatentModel, dataset: Dataset, run: Run) -> dict[str, Any]:
        found: dict[str, Any] = {"curves": curves(run.metrics())}
        if cell.what.split("-")[0] in CLASSIFIERS:
            found["classifiers"] = classifiers(model, dataset)
        return found

    return further


def curves(lines: list[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Every number of a run's lines, epoch by epoch, by phase."""
    names = dict.fromkeys(
        name
        for line in lines
        for name, value in line.items()
        if isinstance(value, (int, float)) and name not in NO_CURVES
    )
    return {name: curve(lines, name, 4) for name in names}


def classifiers(model: LatentModel, dataset: Dataset) -> dict[str, float | None]:
    """How well labels are told from the latents, and from the clusters alone.

    Both learn on the train part, are counted on the test part, and see the posterior means.

    Returns
    -------
    dict
        ``linear``, the accuracy of a logistic regression; ``cluster_label``, that of each
        cluster's commonest label, where a cluster without train samples is always wrong. None
        without labels or a test part.
    """
    is_test, labels = dataset.is_test, dataset.labels
    if labels is None or not is_test.any():
        return {"linear": None, "cluster_label": None}
    latents = model.transform(dataset.samples)
    clusters = model.responsibilities(latents).argmax(axis=1)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    linear.fit(latents[~is_test], labels[~is_test])
    names = commonest(clusters[~is_test], labels[~is_test], int(clusters.max()) + 1)
    return {
        "linear": float(linear.score(latents[is_test], labels[is_test])),
        "cluster_label": float(np.mean(names[clusters[is_test]] == labels[is_test])),
    }


def commonest(
    clusters: NDArray[np.integer], labels: NDArray[np.int64], n_clusters: int
) -> NDArray[np.int64]:
    """The commonest label of each cluster, (n_clusters,); -1 of one that has no samples."""
    counts = np.zeros((n_clusters, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (clusters, labels), 1)
    return np.where(counts.any(axis=1), counts.argmax(axis=1), -1)


if __name__ == "__main__":
    sys.exit(main(PaperCell, compute))
