"""Local discriminant models and their global integration: the steps of LDMGI as plain functions.

After Yang, Xu, Nie, Yan and Zhuang, *Image Clustering Using Local Discriminant Models and Global
Integration* (IEEE Transactions on Image Processing 19(10), 2010). Every sample and its nearest
neighbours are a clique with a discriminant model of its own. What the models cost together is a
quadratic form of the clusters; its sparse matrix has the part of a graph Laplacian.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array, eye_array
from scipy.sparse.linalg import LinearOperator, eigsh, splu
from torch import Tensor

# Rows whose distances to all others are looked at together: 70,000 floats each.
ROWS = 512
# Below, a dense solver is quicker than a sparse one, and takes as many eigenvectors as there are.
FEW = 300
# Keeps the factorisation away from the constant vector's eigenvalue, which is 0.
SHIFT = 1e-9
MOST_ROTATIONS = 100


def nearest_of(points: Tensor, others: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of some rows to each point, by matrix products in the points' own type.

    Parameters
    ----------
    points : Tensor, shape (m, D)
    others : Tensor, shape (n, D)
        In the same type and around the same middle, which should not be far from the origin.
    k : int
        At most n.

    Returns
    -------
    rows : Tensor of int64, shape (m, k)
        The nearest first.
    squared : Tensor, shape (m, k)
        Squared distances.
    """
    own = (others**2).sum(1)
    found = [
        torch.topk(own - 2 * part @ others.T, k, dim=1, largest=False)
        for part in points.split(ROWS)
    ]
    rows = torch.cat([each.indices for each in found])
    squared = torch.cat([each.values for each in found]) + (points**2).sum(1, keepdim=True)
    return rows, squared.clamp_min(0)


def cliques(points: Tensor, k: int) -> NDArray[np.int64]:
    """Every sample with its k - 1 nearest others, (n, k); itself comes first.

    Parameters
    ----------
    points : Tensor, shape (n, D)
        Around their mean.
    k : int
        At most n.
    """
    rows, _ = nearest_of(points, points, k)
    found = rows.numpy()
    itself = np.arange(len(found))
    # Of equal samples another may come before the sample itself, or crowd it out.
    others = found != itself[:, None]
    others[others.all(axis=1), -1] = False
    return np.hstack([itself[:, None], found[others].reshape(len(found), k - 1)])


def integrated_models(points: Tensor, members: NDArray[np.int64], regularisation: float) -> Any:
    """What the local models cost, as a matrix L: the sum over cliques of S_i L_i S_i'.

    The model of a clique with centred samples X_i (D, k) maximises the trace of
    (X_i X_i' + lambda I)^-1 X_i G G' X_i' over the scaled cluster indicators G of its members.
    Taken from the total, tr(G' H G), what is left is tr(G' L_i G) with
    L_i = lambda H (X_i' X_i + lambda I)^-1 H, where H = I - 11'/k takes the mean away.

    Parameters
    ----------
    points : Tensor, shape (n, D)
    members : ndarray of int64, shape (n, k)
        See :func:`cliques`.
    regularisation : float
        lambda, as a share of the mean variance of a clique.

    Returns
    -------
    csr_array, shape (n, n)
        Symmetric, positive semi-definite; its rows add up to 0.
    """
    n, k = members.shape
    grams = np.empty((n, k, k))
    for first in range(0, n, ROWS):
        clique = points[torch.from_numpy(members[first : first + ROWS])].double()
        clique -= clique.mean(dim=1, keepdim=True)
        grams[first : first + ROWS] = torch.bmm(clique, clique.transpose(1, 2)).numpy()
    scale = float(np.trace(grams, axis1=1, axis2=2).mean() / k)
    if scale > 0:
        grams /= scale
    centring = np.eye(k) - 1.0 / k
    inverses = np.linalg.inv(grams + regularisation * np.eye(k))
    models = regularisation * centring @ inverses @ centring
    ends = np.repeat(members, k, axis=1).ravel(), np.tile(members, (1, k)).ravel()
    whole = csr_array(coo_array((models.ravel(), ends), shape=(n, n)))
    return (whole + whole.T) / 2


def smallest_eigenvectors(
    matrix: Any, count: int, *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues, (count,), from the smallest, and their eigenvectors, (n, count).

    Parameters
    ----------
    matrix : csr_array, shape (n, n)
        Symmetric and positive semi-definite.
    count : int
        At most n.
    seed : int
        Of the vector that the sparse solver begins with.
    """
    n = matrix.shape[0]
    if n <= max(FEW, 4 * count):
        values, vectors = np.linalg.eigh(matrix.toarray())
        return values[:count], vectors[:, :count]
    # The smallest eigenvalues lie close together: only of the inverse are they far apart.
    shift = SHIFT * float(matrix.diagonal().mean())
    factors = splu(
        csc_array(matrix + shift * eye_array(n)),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    inverse = LinearOperator((n, n), matvec=factors.solve, dtype=np.float64)
    random = np.random.default_rng(seed)
    begin = random.normal(size=n)
    values, vectors = eigsh(inverse, count, which="LM", v0=begin, tol=1e-7, rng=random)
    order = np.argsort(-values)
    return 1.0 / values[order] - shift, vectors[:, order]


def rotated(vectors: NDArray[np.float64], *, seed: int, tries: int = 10) -> NDArray[np.float64]:
    """Turn a spectral embedding so that its axes are the clusters.

    The spectral rotation of Yu and Shi (*Multiclass Spectral Clustering*, ICCV 2003): rows are
    brought to length 1, then the nearest discrete clusters and the nearest rotation are found in
    turn.

    Parameters
    ----------
    vectors : ndarray, shape (n, K)
    seed : int
        Of the samples that the tries begin with.
    tries : int
        The rotation that leaves rows nearest to the axes is kept.

    Returns
    -------
    ndarray, shape (n, K)
        Rows of length 1; the largest value of a row is its cluster.
    """
    n, k = vectors.shape
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = vectors / np.maximum(lengths, 1e-300)
    rng = np.random.default_rng(seed)
    best, most = np.eye(k), -1.0
    for _ in range(tries):
        rotation = _unlike_rows(rows, int(rng.integers(n)))
        agreement = -1.0
        for _ in range(MOST_ROTATIONS):
            clusters = (rows @ rotation).argmax(axis=1)
            sums = np.zeros((k, k))
            np.add.at(sums, clusters, rows)
            left, values, right = np.linalg.svd(sums)
            rotation = (left @ right).T
            if values.sum() <= agreement * (1 + 1e-12):
                break
            agreement = float(values.sum())
        if agreement > most:
            best, most = rotation, agreement
    return np.asarray(rows @ best)


def _unlike_rows(rows: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """Rows as unlike each other as can be, as the columns of a first rotation, (K, K)."""
    chosen = [rows[first]]
    likeness = np.zeros(len(rows))
    for _ in range(rows.shape[1] - 1):
        likeness += np.abs(rows @ chosen[-1])
        chosen.append(rows[int(likeness.argmin())])
    return np.stack(chosen, axis=1)
