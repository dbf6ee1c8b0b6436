"""How well clusters agree with labels, and how well a latent space keeps classes apart.

This is the only place where the labels of an unsupervised run are looked at. Scores are fractions
in [0, 1] unless their docstring says otherwise. All clustering scores follow from one contingency
table, so 70,000 points cost a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import calinski_harabasz_score, silhouette_score
from sklearn.neighbors import NearestNeighbors

IntArray = NDArray[np.int64]

# A table larger than this means identifiers were passed where class numbers belong.
_LARGEST_TABLE = 50_000_000


def contingency(labels: ArrayLike, clusters: ArrayLike, n_clusters: int | None = None) -> IntArray:
    """Count the points of every class in every cluster.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Class of each point, 0 or more.
    clusters : array_like of int, shape (n,)
        Cluster of each point, 0 or more. Numbers may be missing.
    n_clusters : int, optional
        K. Larger than the largest cluster number; by default one more than it.

    Returns
    -------
    ndarray of int64, shape (C, K)
        Row = class, column = cluster. C is one more than the largest label.

    Raises
    ------
    ValueError
        If the arrays are empty, differ in length, are not one-dimensional integers, hold negative
        numbers, or if a cluster number is not below `n_clusters`.

    Examples
    --------
    >>> contingency([0, 0, 1, 1], [2, 2, 2, 0]).tolist()
    [[0, 0, 2], [1, 0, 1]]
    """
    rows = _class_numbers(labels, "labels")
    columns = _class_numbers(clusters, "clusters")
    if rows.size != columns.size:
        raise ValueError(
            f"There are {rows.size} labels but {columns.size} clusters; pass one of each a point."
        )
    n_classes = int(rows.max()) + 1
    found = int(columns.max()) + 1
    width = found if n_clusters is None else int(n_clusters)
    if width < found:
        raise ValueError(
            f"Cluster {found - 1} does not fit n_clusters={width}; pass at least {found}."
        )
    if n_classes * width > _LARGEST_TABLE:
        raise ValueError(
            f"A table of {n_classes} classes by {width} clusters is too large; "
            "number classes and clusters from 0 without wide gaps."
        )
    counts = np.bincount(rows * width + columns, minlength=n_classes * width)
    return counts.reshape(n_classes, width).astype(np.int64, copy=False)


def matching(labels: ArrayLike, clusters: ArrayLike, n_clusters: int | None = None) -> IntArray:
    """Give each cluster the class that it stands for, one to one.

    The matching maximises the number of points whose class is the one matched to their cluster
    (Hungarian method). A pair without a common point is no match.

    Parameters
    ----------
    labels, clusters : array_like of int, shape (n,)
        Class and cluster of each point.
    n_clusters : int, optional
        K, as in `contingency`.

    Returns
    -------
    ndarray of int64, shape (K,)
        Class of each cluster; -1 where the cluster is unmatched.

    Raises
    ------
    ValueError
        As in `contingency`.

    Examples
    --------
    >>> matching([0, 0, 1, 1], [1, 1, 0, 2], n_clusters=4).tolist()
    [1, 0, -1, -1]
    """
    return _matched_classes(contingency(labels, clusters, n_clusters))


def accuracy(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Clustering accuracy (ACC): share of points that the best one-to-one matching puts right.

    ACC = max over m of (1/n) sum_i [labels_i = m(clusters_i)], where m maps clusters to classes
    one to one (Jiang et al. 2017, the evaluation metric of the experiments).

    Where the numbers of clusters and classes differ, min(C, K) pairs are matched. **Every point
    of an unmatched cluster counts as wrong**, and so does every point of an unmatched class. A
    class split into two pure clusters therefore loses the smaller one; `purity` does not.

    Parameters
    ----------
    labels, clusters : array_like of int, shape (n,)
        Class and cluster of each point.

    Returns
    -------
    float
        Fraction in [0, 1].

    Raises
    ------
    ValueError
        As in `contingency`.

    Examples
    --------
    Names of clusters do not matter:

    >>> accuracy([0, 0, 1, 1], [1, 1, 0, 0])
    1.0

    Three pure clusters for two classes: cluster 2 stays unmatched, its point is wrong:

    >>> accuracy([0, 0, 1, 1], [0, 0, 1, 2])
    0.75

    One cluster for two classes: one class stays unmatched:

    >>> accuracy([0, 0, 1, 1], [0, 0, 0, 0])
    0.5
    """
    return _accuracy(contingency(labels, clusters))


def purity(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Share of points that belong to the majority class of their cluster.

    Several clusters may stand for one class, so purity grows with K; compare it at equal K only.

    Parameters
    ----------
    labels, clusters : array_like of int, shape (n,)
        Class and cluster of each point.

    Returns
    -------
    float
        Fraction in [0, 1], never below `accuracy`.

    Raises
    ------
    ValueError
        As in `contingency`.

    Examples
    --------
    >>> purity([0, 0, 1, 1], [0, 0, 1, 2])
    1.0
    """
    return _purity(contingency(labels, clusters))


def nmi(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Normalised mutual information, 2 I(labels; clusters) / (H(labels) + H(clusters)).

    The normaliser is the arithmetic mean of the two entropies.

    Parameters
    ----------
    labels, clusters : array_like of int, shape (n,)
        Class and cluster of each point.

    Returns
    -------
    float
        Fraction in [0, 1]. 1 where both put every point in one group, 0 where only one does.

    Raises
    ------
    ValueError
        As in `contingency`.

    Examples
    --------
    >>> round(nmi([0, 0, 1, 1], [0, 0, 1, 2]), 3)
    0.8
    """
    return _nmi(contingency(labels, clusters))


def rand_index(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Rand index: share of the pairs of points on which classes and clusters agree.

    A pair agrees where both put it together or both put it apart (Rand 1971). Most pairs are
    apart anyway, so ten random clusters of ten classes already reach 0.82; `ari` corrects this.

    Parameters
    ----------
    labels, clusters : array_like of int, shape (n,)
        Class and cluster of each point.

    Returns
    -------
    float
        Fraction in [0, 1]; 1 for a single point.

    Raises
    ------
    ValueError
        As in `contingency`.

    Examples
    --------
    >>> round(rand_index([0, 0, 1, 1], [0, 0, 1, 2]), 3)
    0.833
    """
    return _rand_index(contingency(labels, clusters))


def ari(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Adjusted Rand index: the Rand index corrected for chance (Hubert and Arabie 1985).

    Parameters
    ----------
    labels, clusters : array_like of int, shape (n,)
        Class and cluster of each point.

    Returns
    -------
    float
        1 for equal partitions, 0 on average for random ones, down to -0.5 for worse than chance.

    Raises
    ------
    ValueError
        As in `contingency`.

    Examples
    --------
    >>> round(ari([0, 0, 1, 1], [0, 0, 1, 2]), 3)
    0.571
    """
    return _ari(contingency(labels, clusters))


def agreement_with_others(clusterings: Sequence[ArrayLike]) -> list[float]:
    """How far each of several clusterings of the same points agrees with the others.

    Parameters
    ----------
    clusterings : sequence of array_like of int, shape (n,)
        Two or more; what the clusters are called in each plays no part.

    Returns
    -------
    list of float
        Of each, the mean adjusted Rand index with every other one.

    Raises
    ------
    ValueError
        If there are fewer than two, or as in `contingency`.

    Examples
    --------
    >>> agreement_with_others([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]])
    [0.25, 0.25, -0.5]
    """
    if len(clusterings) < 2:
        raise ValueError("Agreement is between two clusterings or more.")
    table = np.ones((len(clusterings),) * 2)
    for i, j in combinations(range(len(clusterings)), 2):
        table[i, j] = table[j, i] = ari(clusterings[i], clusterings[j])
    return [float(value) for value in (table.sum(axis=1) - 1.0) / (len(clusterings) - 1)]


def clustering_scores(labels: ArrayLike, clusters: ArrayLike) -> dict[str, float]:
    """All scores that compare clusters with classes, from one contingency table.

    Parameters
    ----------
    labels, clusters : array_like of int, shape (n,)
        Class and cluster of each point.

    Returns
    -------
    dict of str to float
        Keys ``acc``, ``nmi``, ``rand_index``, ``ari``, ``purity``.

    Raises
    ------
    ValueError
        As in `contingency`.

    Examples
    --------
    >>> clustering_scores([0, 0, 1, 1], [1, 1, 0, 0])
    {'acc': 1.0, 'nmi': 1.0, 'rand_index': 1.0, 'ari': 1.0, 'purity': 1.0}
    """
    table = contingency(labels, clusters)
    return {
        "acc": _accuracy(table),
        "nmi": _nmi(table),
        "rand_index": _rand_index(table),
        "ari": _ari(table),
        "purity": _purity(table),
    }


def display_classes(
    labels: ArrayLike,
    clusters: ArrayLike,
    n_clusters: int,
    previous: ArrayLike | None = None,
) -> IntArray:
    """Choose the class whose colour each cluster wears.

    It is the matched class, else the majority class of the cluster. Where several choices are
    equally good, the one closest to `previous` wins, so colours do not jump between epochs.

    Parameters
    ----------
    labels, clusters : array_like of int, shape (n,)
        Class and cluster of each point.
    n_clusters : int
        K.
    previous : array_like of int, shape (K,), optional
        The answer for the epoch before; -1 where it had none.

    Returns
    -------
    ndarray of int64, shape (K,)
        Class of each cluster; -1 where the cluster is empty.

    Raises
    ------
    ValueError
        As in `contingency`, or if `previous` does not hold K numbers.

    Examples
    --------
    >>> display_classes([0, 0, 1, 1, 1], [0, 0, 1, 1, 2], n_clusters=4).tolist()
    [0, 1, 1, -1]
    """
    table = contingency(labels, clusters, n_clusters)
    n_classes, width = table.shape
    kept = np.zeros_like(table)
    if previous is not None:
        before = np.asarray(previous)
        if before.shape != (width,):
            raise ValueError(
                f"previous has shape {before.shape}; pass one class for each of {width} clusters."
            )
        kept[:] = before[None, :] == np.arange(n_classes)[:, None]
    # All kept classes together weigh less than one point, so they decide between equals alone.
    weighted = table * (width + 1) + kept
    classes = _matched_classes(table, weighted)
    classes = np.where(classes < 0, weighted.argmax(axis=0), classes)
    return np.where(table.sum(axis=0) == 0, -1, classes).astype(np.int64)


def silhouette(latents: ArrayLike, labels: ArrayLike) -> float | None:
    """Mean silhouette: how much nearer points are to their own group than to the next one.

    The cost grows with the square of n; pass a sample of a few thousand points.

    Parameters
    ----------
    latents : array_like of float, shape (n, J)
        Places of the points.
    labels : array_like of int, shape (n,)
        Group of each point: classes or clusters.

    Returns
    -------
    float or None
        In [-1, 1], higher is better. None with fewer than two groups, or with as many as points.

    Raises
    ------
    ValueError
        If lengths differ, or if a latent is not a number.

    Examples
    --------
    >>> round(silhouette([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1]), 2)
    0.98
    """
    points, groups = _points_and_groups(latents, labels)
    if not 2 <= np.unique(groups).size < groups.size:
        return None
    return float(silhouette_score(points, groups))


def calinski_harabasz(latents: ArrayLike, labels: ArrayLike) -> float | None:
    """Calinski-Harabasz index: spread between groups over spread within them, per freedom.

    Parameters
    ----------
    latents : array_like of float, shape (n, J)
        Places of the points.
    labels : array_like of int, shape (n,)
        Group of each point: classes or clusters.

    Returns
    -------
    float or None
        0 or more, higher is better, without an upper end; it grows with n. None with fewer than
        two groups, or with as many as points.

    Raises
    ------
    ValueError
        If lengths differ, or if a latent is not a number.

    Examples
    --------
    >>> round(calinski_harabasz([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1]))
    5000
    """
    points, groups = _points_and_groups(latents, labels)
    if not 2 <= np.unique(groups).size < groups.size:
        return None
    return float(calinski_harabasz_score(points, groups))


def knn_error(
    train_latents: ArrayLike,
    train_labels: ArrayLike,
    test_latents: ArrayLike,
    test_labels: ArrayLike,
    ks: Sequence[int] = (3, 5, 10),
) -> dict[int, float]:
    """Test error of a k-nearest-neighbour classifier on latents, for several k at once.

    One exact Euclidean search for the largest k serves all. Every neighbour has one vote. A tie
    goes to the lowest class. Jiang et al. (2017) report these errors in percent.

    Parameters
    ----------
    train_latents : array_like of float, shape (n, J)
        Latents that vote.
    train_labels : array_like of int, shape (n,)
        Their classes.
    test_latents : array_like of float, shape (m, J)
        Latents to classify.
    test_labels : array_like of int, shape (m,)
        Their classes.
    ks : sequence of int
        Numbers of neighbours, each between 1 and n.

    Returns
    -------
    dict of int to float
        Share of test points classified wrongly, in [0, 1], for each k.

    Raises
    ------
    ValueError
        If lengths or widths differ, a latent is not a number, or a k is out of range.

    Examples
    --------
    >>> knn_error([[0.0], [0.1], [1.0]], [0, 0, 1], [[0.2], [0.9]], [0, 1], ks=(1, 3))
    {1: 0.0, 3: 0.5}
    """
    train, voters = _points_and_groups(train_latents, train_labels)
    test, truth = _points_and_groups(test_latents, test_labels)
    if train.shape[1] != test.shape[1]:
        raise ValueError(
            f"Training latents have {train.shape[1]} dimensions but test latents "
            f"{test.shape[1]}; pass latents of one model."
        )
    wanted = [int(k) for k in ks]
    if not wanted:
        raise ValueError("ks is empty; pass at least one number of neighbours.")
    if min(wanted) < 1 or max(wanted) > len(train):
        raise ValueError(f"ks {wanted} must lie between 1 and the {len(train)} training points.")
    # In ten dimensions brute force took half the time of a k-d tree; both are exact.
    search = NearestNeighbors(n_neighbors=max(wanted), algorithm="brute").fit(train)
    classes, voter_class = np.unique(voters, return_inverse=True)
    votes = voter_class[search.kneighbors(test, return_distance=False)]
    first_place = np.arange(len(test))[:, None] * classes.size
    errors: dict[int, float] = {}
    for k in wanted:
        tally = np.bincount(
            (first_place + votes[:, :k]).ravel(), minlength=len(test) * classes.size
        )
        predicted = classes[tally.reshape(len(test), classes.size).argmax(axis=1)]
        errors[k] = float(np.mean(predicted != truth))
    return errors


def _class_numbers(values: ArrayLike, name: str) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; pass a one-dimensional array.")
    if array.size == 0:
        raise ValueError(f"{name} is empty; pass at least one point.")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} holds {array.dtype} values; pass integers.")
    if array.min() < 0:
        raise ValueError(f"{name} holds negative numbers; drop points without one first.")
    return array.astype(np.int64, copy=False)


def _points_and_groups(
    latents: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[np.floating], IntArray]:
    points = np.asarray(latents)
    if points.ndim != 2:
        raise ValueError(f"latents has shape {points.shape}; pass one row a point.")
    if points.dtype not in (np.float32, np.float64):
        points = points.astype(np.float64)
    groups = _class_numbers(labels, "labels")
    if len(points) != groups.size:
        raise ValueError(
            f"There are {len(points)} latents but {groups.size} labels; pass one of each a point."
        )
    if not np.isfinite(points).all():
        raise ValueError("latents holds NaN or infinite values; the model has diverged.")
    return np.ascontiguousarray(points), groups


def _matched_classes(table: IntArray, weights: IntArray | None = None) -> IntArray:
    rows, columns = linear_sum_assignment(table if weights is None else weights, maximize=True)
    classes = np.full(table.shape[1], -1, dtype=np.int64)
    common = table[rows, columns] > 0
    classes[columns[common]] = rows[common]
    return classes


def _accuracy(table: IntArray) -> float:
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / table.sum())


def _purity(table: IntArray) -> float:
    return float(table.max(axis=0).sum() / table.sum())


def _nmi(table: IntArray) -> float:
    share = table / table.sum()
    of_class, of_cluster = share.sum(axis=1), share.sum(axis=0)
    entropies = _entropy(of_class) + _entropy(of_cluster)
    if entropies == 0.0:
        return 1.0
    mutual = entropies - _entropy(share.ravel())
    # Rounding can leave a trace outside the range.
    return float(np.clip(2.0 * mutual / entropies, 0.0, 1.0))


def _entropy(shares: NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return max(0.0, float(-(positive * np.log(positive)).sum()))


def _pairs(table: IntArray) -> tuple[int, int, int, int]:
    """Pairs together in both, in a class, in a cluster, and all, as unbounded integers."""

    def together(counts: IntArray) -> int:
        return int((counts * (counts - 1) // 2).sum())

    n = int(table.sum())
    return (
        together(table),
        together(table.sum(axis=1)),
        together(table.sum(axis=0)),
        n * (n - 1) // 2,
    )


def _rand_index(table: IntArray) -> float:
    both, in_class, in_cluster, total = _pairs(table)
    return 1.0 if total == 0 else (total + 2 * both - in_class - in_cluster) / total


def _ari(table: IntArray) -> float:
    both, in_class, in_cluster, total = _pairs(table)
    # (both - expected) / (mean - expected), multiplied through by 2 total to stay in integers.
    above = 2 * (both * total - in_class * in_cluster)
    room = (in_class + in_cluster) * total - 2 * in_class * in_cluster
    return 1.0 if room == 0 else above / room
