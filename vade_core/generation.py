"""How near generated samples are to real ones of each class, and which real ones are nearest.

After the heat map of Czerwonski (*Variational Deep Embedding: Implementation and Evaluation*,
2025): ten samples are generated for each digit, and their distances to the closest real digits of
each class are averaged. A model that draws what it was asked for has a dark diagonal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics.pairwise import euclidean_distances

from vade_core.models.base import LatentModel

__all__ = ["distances_to_classes", "nearest_rows", "samples_by_cluster", "squared_distances"]

FloatArray = NDArray[np.float64]


def squared_distances(points: ArrayLike, others: ArrayLike) -> FloatArray:
    """Squared Euclidean distances of all pairs.

    Parameters
    ----------
    points : array_like, shape (m, D)
    others : array_like, shape (n, D)

    Returns
    -------
    ndarray of float64, shape (m, n), never negative.

    Raises
    ------
    ValueError
        If the widths differ.
    """
    a = np.asarray(points, dtype=np.float64)
    b = np.asarray(others, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            f"Shapes {a.shape} and {b.shape} do not go together: give rows of one width."
        )
    return np.asarray(euclidean_distances(a, b, squared=True), dtype=np.float64)


def nearest_rows(centres: ArrayLike, points: ArrayLike, count: int) -> NDArray[np.int64]:
    """For each centre the nearest points, the nearest first.

    Parameters
    ----------
    centres : array_like, shape (K, J)
    points : array_like, shape (n, J)
    count : int
        At most n are given.

    Returns
    -------
    ndarray of int64, shape (K, min(count, n))
        Rows of ``points``; of equally near ones the first.

    Examples
    --------
    >>> nearest_rows([[0.0], [9.0]], [[8.0], [1.0], [3.0]], 2).tolist()
    [[1, 2], [0, 2]]
    """
    squared = squared_distances(centres, points)
    return np.argsort(squared, axis=1, kind="stable")[:, :count].astype(np.int64)


def samples_by_cluster(
    model: LatentModel, count: int = 10, *, temperature: float = 1.0, random_state: int = 0
) -> NDArray[np.float32]:
    """Samples of every cluster with the same noise, (K, count, D).

    Parameters
    ----------
    model : LatentModel
        Fitted, with clusters of its own.
    count : int
        Samples of each cluster.
    temperature : float
        Factor on the prior's standard deviation.
    random_state : int
        Seed of the noise.

    Raises
    ------
    ValueError
        If the model's prior has no clusters, so that none can be asked for.
    """
    clusters = model.prior_.n_clusters
    if clusters == 0:
        raise ValueError(
            "This model has one prior for everything, so no cluster can be asked for: "
            "train VaDE or Lambda-Hot."
        )
    found = [
        model.sample(count, cluster=c, temperature=temperature, random_state=random_state)
        for c in range(clusters)
    ]
    return np.stack(found).astype(np.float32, copy=False)


def distances_to_classes(
    generated: ArrayLike,
    real: ArrayLike,
    labels: ArrayLike,
    n_classes: int,
    nearest: int = 10,
) -> FloatArray:
    """Mean distance from what each cluster generates to the nearest real samples of each class.

    Parameters
    ----------
    generated : array_like, shape (K, m, D)
        m samples of each cluster.
    real : array_like, shape (n, D)
        Real samples in the same units.
    labels : array_like of int, shape (n,)
        Their classes, each below ``n_classes``.
    n_classes : int
        C.
    nearest : int
        So many real samples of a class are averaged; all of them where it has fewer.

    Returns
    -------
    ndarray of float64, shape (K, C)
        Euclidean distances in the data's units; NaN where a class has no real sample.

    Raises
    ------
    ValueError
        If shapes do not go together, ``nearest`` is below 1, or a label is out of range.

    Examples
    --------
    >>> distances_to_classes([[[0.0], [1.0]]], [[0.0], [5.0]], [0, 1], 2, nearest=1).tolist()
    [[0.5, 4.5]]
    """
    asked = np.asarray(generated, dtype=np.float64)
    known = np.asarray(labels)
    points = np.asarray(real, dtype=np.float64)
    if asked.ndim != 3 or known.shape != (len(points),):
        raise ValueError(
            f"generated has shape {asked.shape} and labels {known.shape}; "
            "give (K, m, D) and one label a real sample."
        )
    if nearest < 1:
        raise ValueError(f"nearest is {nearest}; average over one real sample at least.")
    if known.size and not 0 <= known.min() <= known.max() < n_classes:
        raise ValueError(f"A label is not between 0 and {n_classes - 1}.")
    clusters, count, width = asked.shape
    squared = squared_distances(asked.reshape(-1, width), points)
    table = np.full((clusters, n_classes), np.nan)
    for c in range(n_classes):
        own = squared[:, known == c]
        if own.shape[1]:
            k = min(nearest, own.shape[1])
            closest = np.sqrt(np.partition(own, k - 1, axis=1)[:, :k]).mean(axis=1)
            table[:, c] = closest.reshape(clusters, count).mean(axis=1)
    return table
