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


def nearest(
    points: NDArray[np.floating],
    k: int,
    *,
    of: NDArray[np.int64] | None = None,
    n_jobs: int = 1,
) -> Neighbours:
    """The k nearest other points of each point, or of some points.

    Parameters
    ----------
    points : ndarray, shape (n, J)
    k : int
        Less than n.
    of : ndarray of int64, shape (m,), optional
        The points whose neighbours are wanted; by default all.
    n_jobs : int
        Threads.

    Returns
    -------
    indices : ndarray of int64, shape (m, k)
    distances : ndarray, shape (m, k)
        Euclidean.
    """
    n, dimensions = points.shape
    # A tree pays in two or three dimensions, and in a few more where there are many points.
    if dimensions <= 3 or (dimensions <= 15 and n > 10_000):
        return _by_tree(points, k, of, n_jobs)
    search = NearestNeighbors(n_neighbors=k, algorithm="brute", n_jobs=n_jobs).fit(points)
    if of is None:
        distances, indices = search.kneighbors()
        return indices, distances
    distances, found = search.kneighbors(points[of], k + 1)
    others = _others(found, of)
    return found[others].reshape(-1, k), distances[others].reshape(-1, k)


def _by_tree(
    points: NDArray[np.floating], k: int, of: NDArray[np.int64] | None, n_jobs: int
) -> Neighbours:
    """Neighbours from a k-d tree whose points lie in the order of its leaves.

    Points that are asked for one after the other then look into the same leaves, which are in the
    processor's cache already. That is why there are two trees: the first one gives the order.
    """
    order = cKDTree(points, leafsize=LEAF).indices
    placed = points[order]
    asked = np.arange(len(points)) if of is None else np.flatnonzero(np.isin(order, of))
    tree = cKDTree(placed, leafsize=LEAF)
    distances, found = tree.query(placed[asked], k=k + 1, workers=n_jobs)
    others = _others(found, asked)
    indices = np.empty((len(points), k), dtype=np.int64)
    apart = np.empty((len(points), k))
    indices[order[asked]] = order[found[others].reshape(-1, k)]
    apart[order[asked]] = distances[others].reshape(-1, k)
    return (indices, apart) if of is None else (indices[of], apart[of])


def _others(found: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the k + 1 that were found, (m, k + 1), are others than the point that asked, k each.

    Each point finds itself; where more than k others lie on the same spot perhaps not, and the
    last one found is too many.
    """
    itself = found == asked[:, None]
    itself[~itself.any(axis=1), -1] = True
    return ~itself


def as_umap_counts(
    indices: NDArray[np.int64], distances: NDArray[np.floating]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The same neighbours with each point as its own first one, for UMAP's ``precomputed_knn``."""
    itself = np.arange(len(indices))[:, None]
    return (
        np.hstack([itself, indices]).astype(np.int32),
        np.hstack([np.zeros_like(itself), distances]).astype(np.float32),
    )
