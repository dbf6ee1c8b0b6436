"""What is measured for the papers' tables, and where a cell of the benchmarks holds it.

A cell is the JSON file that one process of ``benchmarks/accuracy.py`` or ``benchmarks/papers.py``
leaves; what a recorded run knows is given the same entries (:mod:`vade_core.papers_measured`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vade_core.runs import NOT_OWN

__all__ = ["MEASURES", "NEAR", "CellData", "Measure", "Read", "entry", "own_epochs"]

CellData = Mapping[str, Any]
Read = Callable[[CellData], float | None]
Better = Literal["higher", "lower", "near", "neither"]

NEAR = 0.15
"""How far from a figure that is reported as "about" a measured one may be, as a share of it."""


@dataclass(frozen=True)
class Measure:
    """Something that a paper reports and this software measures.

    Attributes
    ----------
    key, title : str
    unit : {"percent", "number", "whole", "nats", "seconds", "epoch"}
        Shares are in [0, 1], whatever the unit that they are shown in.
    better : {"higher", "lower", "near", "neither"}
        Which way is better; ``near``: the closer to the reported figure; ``neither``: it is told,
        and not held against anything.
    words : str
        What it is and how it is counted.
    read : callable
        From a cell to its figure; None where it has none.
    """

    key: str
    title: str
    unit: str
    better: Better
    words: str
    read: Read

    def is_reached(self, measured: float, reported: float) -> bool | None:
        """Whether a measured figure is as good as a reported one; None where none is better."""
        if self.better == "neither":
            return None
        if self.better == "near":
            return abs(measured - reported) <= NEAR * abs(reported)
        return measured >= reported if self.better == "higher" else measured <= reported

    def written(self, value: float | None, *, spread: bool = False) -> str:
        """A figure as people read it; ``spread``: a standard deviation, without the unit.

        Examples
        --------
        >>> MEASURES["acc"].written(0.9446), MEASURES["acc"].written(0.0009, spread=True)
        ('94.46 %', '0.09')
        >>> MEASURES["calinski_harabasz"].written(1169), MEASURES["acc"].written(None)
        ('1,169', '–')
        """
        if value is None:
            return "–"
        number, unit = {
            "percent": (f"{100 * value:.2f}", " %"),
            "whole": (f"{value:,.0f}", ""),
            "epoch": (f"{value:.0f}", ""),
            "nats": (f"{value:.2f}", ""),
            "seconds": (f"{value:.1f}", " s"),
        }.get(self.unit, (f"{value:.3f}", ""))
        return number if spread else number + unit


def entry(*names: str) -> Read:
    """Reads a number that lies below some names in a cell."""

    def read(cell: CellData) -> float | None:
        found: Any = cell
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return _number(found)

    return read


def own_epochs(by_phase: Any) -> list[float]:
    """A curve of the model's own epochs, out of one that is kept by phase."""
    if not isinstance(by_phase, Mapping):
        return []
    return [float(v) for phase, values in by_phase.items() if phase not in NOT_OWN for v in values]


def acc_at(epoch: int) -> Read:
    """ACC after an epoch, 0 being the start's; the last one where the run ended before."""

    def read(cell: CellData) -> float | None:
        if epoch == 0:
            start = (cell.get("curve") or {}).get("start") or []
            return _number(start[-1]) if start else None
        curve = own_epochs(cell.get("curve"))
        if not curve:
            return None
        return curve[min(epoch, len(curve)) - 1]

    return read


def seconds_an_epoch(cell: CellData) -> float | None:
    """Seconds of training by epochs, in the model's own phases; looks in between left out."""
    seconds, losses = cell.get("seconds") or {}, cell.get("loss_curve") or {}
    own = [name for name in losses if name not in NOT_OWN and name in seconds]
    epochs = sum(len(losses[name]) for name in own)
    return sum(float(seconds[name]) for name in own) / epochs if epochs else None


def lowest_at(cell: CellData) -> float | None:
    """The epoch with the lowest validation loss, from 1."""
    curve = own_epochs((cell.get("curves") or {}).get("val_loss"))
    return float(curve.index(min(curve)) + 1) if curve else None


def cluster_term(cell: CellData) -> tuple[Sequence[float], float] | None:
    """GMVAE's cluster term by epoch, in nats a sample, and the threshold below which it is
    ignored."""
    curve = own_epochs((cell.get("curves") or {}).get("cluster_kl"))
    threshold = _number((cell.get("parameters") or {}).get("minimum_information"))
    return (curve, threshold) if curve and threshold is not None else None


def cluster_jump(cell: CellData) -> float | None:
    """What the cluster term counts in the first epoch beyond the threshold; before, it is 0.

    0 where it stays below to the end.
    """
    found = cluster_term(cell)
    if found is None:
        return None
    curve, threshold = found
    return next((value for value in curve if value > threshold), 0.0)


def cluster_end(cell: CellData) -> float | None:
    """The cluster term in the last epoch."""
    found = cluster_term(cell)
    return None if found is None else found[0][-1]


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _measures() -> list[Measure]:
    of_test = "on the test part, which took no part in training"
    return [
        Measure(
            "acc", "ACC", "percent", "higher",
            "share of samples in the cluster of their class", entry("scores", "acc"),
        ),
        Measure(
            "test_acc", "Accuracy", "percent", "higher",
            f"share of samples named rightly, {of_test}", entry("scores", "test_acc"),
        ),
        Measure(
            "linear", "Accuracy of a linear classifier on z", "percent", "higher",
            f"logistic regression on the latents of the train part, counted {of_test}",
            entry("classifiers", "linear"),
        ),
        Measure(
            "cluster_label", "Accuracy of the cluster's label", "percent", "higher",
            f"each cluster has the commonest label of its train samples; counted {of_test}",
            entry("classifiers", "cluster_label"),
        ),
        Measure(
            "nmi", "NMI", "percent", "higher",
            f"information that clusters and classes share, {of_test}", entry("scores", "test_nmi"),
        ),
        Measure(
            "rand_index", "Rand index", "percent", "higher",
            f"share of pairs put rightly, {of_test}", entry("scores", "test_rand_index"),
        ),
        Measure(
            "silhouette", "Silhouette", "number", "higher",
            "of the test part's latents, by the true labels", entry("silhouette"),
        ),
        Measure(
            "calinski_harabasz", "Calinski-Harabasz", "whole", "higher",
            "of the test part's latents, by the true labels", entry("calinski_harabasz"),
        ),
        *(
            Measure(
                f"knn_error_{k}", f"kNN error, k = {k}", "percent", "lower",
                f"share of test samples that their {k} nearest train samples in latent space "
                "misjudge",
                entry("knn_error", str(k)),
            )
            for k in (3, 5, 10)
        ),
        Measure(
            "reconstruction", "Reconstruction, nats", "nats", "lower",
            "binary cross-entropy of an image of the test part at one draw of z from q(z|x)",
            entry("label_free", "test", "reconstruction"),
        ),
        *(
            Measure(
                f"acc_at_{epoch}",
                "ACC at the end" if epoch == "end" else f"ACC, epoch {epoch}",
                "percent", "higher",
                "share of samples in the cluster of their class",
                # Curves are rounded; what a run ended as is not.
                entry("scores", "acc") if epoch == "end" else acc_at(int(epoch)),
            )
            for epoch in ("0", "1", "5", "50", "120", "end")
        ),
        Measure(
            "seconds_an_epoch", "Seconds an epoch", "seconds", "lower",
            "wall clock of the model's own epochs, pretraining and looks in between left out",
            seconds_an_epoch,
        ),
        Measure(
            "lowest_val_loss", "Epoch of the lowest validation loss", "epoch", "neither",
            "-ELBO of the test part, one draw", lowest_at,
        ),
        Measure(
            "cluster_jump", "Jump of the cluster term", "number", "near",
            "nats that the term counts in the first epoch beyond the threshold; before, it is "
            "ignored",
            cluster_jump,
        ),
        Measure(
            "cluster_end", "Cluster term at the end", "number", "higher",
            "nats a sample in the last epoch", cluster_end,
        ),
        Measure(
            "cluster_end_near", "Cluster term at the end", "number", "near",
            "nats a sample in the last epoch", cluster_end,
        ),
    ]  # fmt: skip


MEASURES: dict[str, Measure] = {measure.key: measure for measure in _measures()}
