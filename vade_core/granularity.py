"""What becomes of classes where K is not their number: which share a cluster, which are split.

Everything is counted in a table of classes by clusters. How the parts of a split class differ is
measured on its pictures: slant, ink and width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vade_core import metrics
from vade_core.samples import Samples, dense

__all__ = [
    "LEAST_SHARE",
    "MEASURES",
    "Census",
    "Difference",
    "Holding",
    "Merge",
    "Split",
    "best_accuracy",
    "census",
    "differences",
    "holdings",
    "matched_classes",
    "merges",
    "picture_measures",
    "scores",
    "small_pieces",
    "splits",
]

Table = NDArray[np.int64]
Numbers = NDArray[np.float64]

LEAST_SHARE = 0.25
"""A class belongs to a cluster if it is so much of the cluster, or has so much of itself there."""

MEASURES = ("slant", "ink", "aspect")
"""What is measured of a picture: see `picture_measures`."""

CHUNK = 10_000


@dataclass(frozen=True)
class Holding:
    """How much of a class a cluster holds.

    Attributes
    ----------
    cluster, label : int
    count : int
        Samples of the class in the cluster.
    of_cluster, of_class : float
        Their share of the cluster's samples and of the class's, in [0, 1].
    """

    cluster: int
    label: int
    count: int
    of_cluster: float
    of_class: float


@dataclass(frozen=True)
class Merge:
    """A cluster to which several classes belong, the largest first."""

    cluster: int
    holdings: tuple[Holding, ...]


@dataclass(frozen=True)
class Split:
    """A class that several clusters are made of, the largest part first."""

    label: int
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, eq=False)
class Census:
    """A run's clusters, counted.

    Attributes
    ----------
    sizes : ndarray of int64, shape (K,)
        Samples in each cluster.
    table : ndarray of int64, shape (C, K), or None
        Samples of each class in each cluster; None without labels.
    means, variances : mapping of str to ndarray, shape (C, K)
        Of each of `MEASURES` over the samples of a class in a cluster; NaN where there are none.
        Empty where samples are no pictures or have no labels.
    """

    sizes: Table
    table: Table | None
    means: Mapping[str, Numbers]
    variances: Mapping[str, Numbers]

    @property
    def n_samples(self) -> int:
        """How many samples were counted."""
        return int(self.sizes.sum())


@dataclass(frozen=True)
class Difference:
    """How far the parts of a class are apart in one measure.

    Attributes
    ----------
    measure : str
        One of `MEASURES`.
    values : tuple of float
        The mean of each part, in the order in which the parts were given.
    effect : float
        The highest mean less the lowest, in standard deviations within the parts.
    """

    measure: str
    values: tuple[float, ...]
    effect: float


# --- Counting -----------------------------------------------------------------------------------


def census(
    clusters: ArrayLike,
    n_clusters: int,
    labels: ArrayLike | None = None,
    samples: Samples | None = None,
    image_shape: tuple[int, int] | None = None,
    n_classes: int | None = None,
) -> Census:
    """Count a run's clusters, and measure the pictures in them.

    Parameters
    ----------
    clusters : array_like of int, shape (n,)
    n_clusters : int
        K.
    labels : array_like of int, shape (n,), optional
    samples : ndarray or CSR matrix, shape (n, D), optional
        Grey levels, larger where there is ink.
    image_shape : tuple of (height, width), optional
        How a sample folds into a picture; without it nothing is measured.
    n_classes : int, optional
        C, at least one more than the largest label, which it is by default.

    Returns
    -------
    Census

    Raises
    ------
    ValueError
        As in :func:`vade_core.metrics.contingency`.
    """
    assigned = np.asarray(clusters)
    if labels is None:
        nobody = np.zeros(len(assigned), np.int64)
        return Census(metrics.contingency(nobody, assigned, n_clusters)[0], None, {}, {})
    classes = np.asarray(labels)
    table = metrics.contingency(classes, assigned, n_clusters)
    if n_classes is not None and n_classes > len(table):
        table = np.vstack([table, np.zeros((n_classes - len(table), n_clusters), np.int64)])
    means: dict[str, Numbers] = {}
    variances: dict[str, Numbers] = {}
    if samples is not None and image_shape is not None:
        cell = classes.astype(np.int64) * n_clusters + assigned
        for measure, values in picture_measures(samples, image_shape).items():
            mean, variance = _moments(values, cell, table.size)
            means[measure] = mean.reshape(table.shape)
            variances[measure] = variance.reshape(table.shape)
    return Census(table.sum(axis=0), table, means, variances)


def _moments(values: Numbers, cell: Table, n_cells: int) -> tuple[Numbers, Numbers]:
    """Mean and variance of the values in each cell; NaN in an empty one."""
    known = np.isfinite(values)
    values, cell = values[known], cell[known]
    count = np.bincount(cell, minlength=n_cells).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(cell, weights=values, minlength=n_cells) / count
        apart = (values - mean[cell]) ** 2
        return mean, np.bincount(cell, weights=apart, minlength=n_cells) / count


def matched_classes(table: Table) -> Table:
    """The class that each cluster is matched with, one to one; -1 for none, (K,)."""
    return metrics.matching(*_listed(table), n_clusters=table.shape[1])


def scores(table: Table) -> dict[str, float]:
    """All scores of a table: those of :func:`vade_core.metrics.clustering_scores`, and more.

    Returns
    -------
    dict of str to float
        Also ``homogeneity`` and ``completeness``, by scikit-learn (Rosenberg and Hirschberg
        2007), each in [0, 1].
    """
    from sklearn.metrics import homogeneity_completeness_v_measure

    labels, clusters = _listed(table)
    homogeneity, completeness, _ = homogeneity_completeness_v_measure(labels, clusters)
    return {
        **metrics.clustering_scores(labels, clusters),
        "homogeneity": float(homogeneity),
        "completeness": float(completeness),
    }


def best_accuracy(class_sizes: ArrayLike, n_clusters: int) -> float:
    """The highest ACC that K clusters of these classes can have, in [0, 1].

    Each cluster is matched with one class at most, so K < C clusters put right at most the K
    largest classes. K >= C clusters can put everything right, K - C of them empty.

    Parameters
    ----------
    class_sizes : array_like of int, shape (C,)
    n_clusters : int
        K.

    Examples
    --------
    >>> best_accuracy([50, 30, 20], 2), best_accuracy([50, 30, 20], 5)
    (0.8, 1.0)
    """
    sizes = np.sort(np.asarray(class_sizes))[::-1]
    return float(sizes[:n_clusters].sum() / sizes.sum())


def _listed(table: Table) -> tuple[Table, Table]:
    """Labels and clusters that have this table."""
    rows, columns = np.nonzero(table)
    counts = table[rows, columns]
    return np.repeat(rows, counts), np.repeat(columns, counts)


# --- What shares a cluster, what is split -------------------------------------------------------


def holdings(table: Table, least: float = LEAST_SHARE) -> list[Holding]:
    """Which class belongs to which cluster.

    A class belongs to a cluster if it is at least ``least`` of the cluster, or if at least
    ``least`` of the class is in it.

    Parameters
    ----------
    table : ndarray of int64, shape (C, K)
    least : float
        In (0, 1].

    Returns
    -------
    list of Holding
        By cluster, and within a cluster the largest first.

    Examples
    --------
    >>> [(h.cluster, h.label) for h in holdings(np.array([[90, 5], [10, 95]]))]
    [(0, 0), (1, 1)]
    """
    of_cluster = table / np.maximum(table.sum(axis=0, keepdims=True), 1)
    of_class = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    found = [
        Holding(int(c), int(y), int(table[y, c]), float(of_cluster[y, c]), float(of_class[y, c]))
        for y, c in np.argwhere((of_cluster >= least) | (of_class >= least))
    ]
    return sorted(found, key=lambda h: (h.cluster, -h.count, h.label))


def merges(table: Table, least: float = LEAST_SHARE) -> list[Merge]:
    """Clusters to which more than one class belongs.

    Parameters
    ----------
    table : ndarray of int64, shape (C, K)
    least : float
        As in `holdings`.

    Returns
    -------
    list of Merge
        Those with most samples of a second class first.

    Examples
    --------
    >>> [(m.cluster, [h.label for h in m.holdings]) for m in merges(np.array([[48], [49]]))]
    [(0, [1, 0])]
    """
    held = holdings(table, least)
    found = []
    for cluster in range(table.shape[1]):
        own = tuple(h for h in held if h.cluster == cluster)
        if len(own) > 1:
            found.append(Merge(cluster, own))
    return sorted(found, key=lambda merge: -merge.holdings[1].count)


def splits(table: Table, least: float = LEAST_SHARE) -> list[Split]:
    """Classes that are the commonest one of several clusters, with a good part of it in each.

    Parameters
    ----------
    table : ndarray of int64, shape (C, K)
    least : float
        The share of the class that a cluster must hold to be one of its parts.

    Returns
    -------
    list of Split
        Those with the largest second part first.

    Examples
    --------
    >>> [s.label for s in splits(np.array([[60, 40, 1], [0, 0, 99]]))]
    [0]
    """
    commonest = table.argmax(axis=0)
    parts = [
        h for h in holdings(table, least) if h.of_class >= least and commonest[h.cluster] == h.label
    ]
    found = []
    for label in range(len(table)):
        own = sorted((h for h in parts if h.label == label), key=lambda h: (-h.count, h.cluster))
        if len(own) > 1:
            found.append(Split(label, tuple(own)))
    return sorted(found, key=lambda split: -split.holdings[1].of_class)


def small_pieces(table: Table, least: float = LEAST_SHARE) -> list[Holding]:
    """What the clusters hold that are matched with no class and are no part of a split.

    Parameters
    ----------
    table : ndarray of int64, shape (C, K)
    least : float
        As in `splits`.

    Returns
    -------
    list of Holding
        The commonest class of each such cluster that is not empty.
    """
    parts = {h.cluster for split in splits(table, least) for h in split.holdings}
    found = []
    for cluster in np.flatnonzero(matched_classes(table) < 0).tolist():
        size = int(table[:, cluster].sum())
        if cluster in parts or size == 0:
            continue
        label = int(table[:, cluster].argmax())
        count = int(table[label, cluster])
        found.append(Holding(cluster, label, count, count / size, count / table[label].sum()))
    return found


# --- What pictures look like --------------------------------------------------------------------


def picture_measures(samples: Samples, image_shape: tuple[int, int]) -> dict[str, Numbers]:
    """Slant, ink and width of pictures, from the moments of their grey levels.

    With m_ab = sum of grey * (x - mean x)^a * (y - mean y)^b over sum of grey, y downwards:

    - ``slant``: atan(-m11 / m02), the angle by which the columns of ink lean to the right of
      upright, in degrees; undoing that shear makes x and y uncorrelated.
    - ``ink``: the mean grey level, in [0, 1].
    - ``aspect``: sqrt((m20 - m11^2 / m02) / m02), the spread of the ink in width once the slant
      is undone, over its spread in height.

    Parameters
    ----------
    samples : ndarray or CSR matrix, shape (n, D)
        uint8 grey levels, or numbers in [0, 1]; larger where there is ink. Numbers below 0
        count as 0.
    image_shape : tuple of (height, width)

    Returns
    -------
    dict of str to ndarray, shape (n,)
        By `MEASURES`; NaN where a picture has no ink, or no height.
    """
    height, width = image_shape
    y, x = (axis.ravel().astype(np.float64) for axis in np.mgrid[:height, :width])
    x, y = x - x.mean(), y - y.mean()
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    n = samples.shape[0]
    sums = np.empty((n, basis.shape[1]))
    for first in range(0, n, CHUNK):
        part = dense(samples[first : first + CHUNK])
        grey = part.astype(np.float32).clip(0) / (255 if part.dtype == np.uint8 else 1)
        sums[first : first + CHUNK] = grey @ basis.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        _, mx, my, xx, xy, yy = sums.T / sums[:, 0]
        m20, m11, m02 = xx - mx * mx, xy - mx * my, yy - my * my
        # A stroke of one row has no height; rounding leaves it a trace.
        m02 = np.where(m02 > 1e-4, m02, np.nan)
        upright = np.maximum(m20 - m11 * m11 / m02, 0)
        return {
            "slant": np.degrees(np.arctan(-m11 / m02)),
            "ink": np.where(sums[:, 0] > 0, sums[:, 0] / len(basis), np.nan),
            "aspect": np.sqrt(upright / m02),
        }


def differences(counted: Census, split: Split) -> list[Difference]:
    """How the pictures of a split class differ between its parts.

    Parameters
    ----------
    counted : Census
    split : Split
        Of its table.

    Returns
    -------
    list of Difference
        The largest effect first; empty where nothing was measured. 0.5 is a difference that one
        sees, 1 a large one.
    """
    found = []
    clusters = [h.cluster for h in split.holdings]
    counts = np.array([h.count for h in split.holdings], dtype=np.float64)
    for measure in MEASURES:
        if measure not in counted.means:
            continue
        values = counted.means[measure][split.label, clusters]
        within = counted.variances[measure][split.label, clusters]
        spread = float(np.sqrt((counts * within).sum() / counts.sum()))
        apart = float(values.max() - values.min())
        if not np.isfinite(apart) or not np.isfinite(spread):
            continue
        effect = apart / spread if spread > 0 else (np.inf if apart > 0 else 0.0)
        found.append(Difference(measure, tuple(float(v) for v in values), effect))
    return sorted(found, key=lambda difference: -difference.effect)
