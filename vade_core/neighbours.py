"""Nearest neighbours, exactly, for the maps and for the start of the mixture.

Exact search takes no compilation, unlike UMAP's own, and its result needs no seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

Neighbours = tuple[NDArray[np.int64], NDArray[np.float64]]


def nearest(points: NDArray[np.floating], k: int, *, n_jobs: int = 1) -> Neighbours:
    """The k nearest other points of each point.

    Parameters
    ----------
    points : ndarray, shape (n, J)
    k : int
        Less than n.
    n_jobs : int
        Threads.

    Returns
    -------
    indices : ndarray of int64, shape (n, k)
    distances : ndarray, shape (n, k)
        Euclidean.
    """
    n, dimensions = points.shape
    # A tree pays in two or three dimensions, and in a few more where there are many points:
    # 70,000 latents of 10 dimensions take 6 s.
    tree = dimensions <= 3 or (dimensions <= 15 and n > 10_000)
    algorithm = "kd_tree" if tree else "brute"
    search = NearestNeighbors(n_neighbors=k, algorithm=algorithm, n_jobs=n_jobs).fit(points)
    distances, indices = search.kneighbors()
    return indices, distances


def as_umap_counts(
    indices: NDArray[np.int64], distances: NDArray[np.floating]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The same neighbours with each point as its own first one, for UMAP's ``precomputed_knn``."""
    itself = np.arange(len(indices))[:, None]
    return (
        np.hstack([itself, indices]).astype(np.int32),
        np.hstack([np.zeros_like(itself), distances]).astype(np.float32),
    )
