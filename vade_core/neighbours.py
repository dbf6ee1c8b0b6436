"""Nearest neighbours, exactly, for the maps and for the start of the mixture.

Exact search takes no compilation, unlike UMAP's own, and its result needs no seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.neighbors import NearestNeighbors

Neighbours = tuple[NDArray[np.int64], NDArray[np.float64]]

LEAF = 64  # points of a tree's leaf


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
    # A tree pays in two or three dimensions, and in a few more where there are many points.
    if dimensions <= 3 or (dimensions <= 15 and n > 10_000):
        return _by_tree(points, k, n_jobs)
    search = NearestNeighbors(n_neighbors=k, algorithm="brute", n_jobs=n_jobs).fit(points)
    distances, indices = search.kneighbors()
    return indices, distances


def _by_tree(points: NDArray[np.floating], k: int, n_jobs: int) -> Neighbours:
    """Neighbours from a k-d tree whose points lie in the order of its leaves.

    Points that are asked for one after the other then look into the same leaves, which are in the
    processor's cache already. That is why there are two trees: the first one gives the order.
    """
    order = cKDTree(points, leafsize=LEAF).indices
    placed = points[order]
    distances, found = cKDTree(placed, leafsize=LEAF).query(placed, k=k + 1, workers=n_jobs)
    # Each point finds itself; where more than k others lie on the same spot perhaps not, and the
    # last one found is too many.
    itself = found == np.arange(len(found))[:, None]
    itself[~itself.any(axis=1), -1] = True
    others = ~itself
    indices = np.empty((len(points), k), dtype=np.int64)
    apart = np.empty((len(points), k))
    indices[order] = order[found[others].reshape(-1, k)]
    apart[order] = distances[others].reshape(-1, k)
    return indices, apart


def as_umap_counts(
    indices: NDArray[np.int64], distances: NDArray[np.floating]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The same neighbours with each point as its own first one, for UMAP's ``precomputed_knn``."""
    itself = np.arange(len(indices))[:, None]
    return (
        np.hstack([itself, indices]).astype(np.int32),
        np.hstack([np.zeros_like(itself), distances]).astype(np.float32),
    )
