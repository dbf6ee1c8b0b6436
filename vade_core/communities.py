"""Clusters as communities of a neighbour graph: many edges within them, few between.

Samples that lie close together in a latent space are joined by edges. Two measures say how good
a clustering is, without a label and without presuming any shape of a cluster:

- its modularity, the share of edges that run within clusters, less what chance would give
  (Newman and Girvan 2004, eq. 5);
- its edge information, how many nats the cluster at one end of an edge tells about the cluster at
  the other: the predictive information of a random walk between clusters.

Modularity wants clusters of equal size, and information does so less. Clusterings are built for
both, and the information decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import eigsh
from sklearn.cluster import KMeans

from vade_core.neighbours import nearest

Clusters = NDArray[np.int64]

Shares = NDArray[np.float64]

# Few samples lie thinly: their 30th neighbour is often of another cluster.
NEIGHBOURS = 30
NEIGHBOURS_OF_FEW = 15
FEW = 5_000  # samples
FEWEST = 50  # samples; below, neighbours say little
# (eigenvectors, pieces) as multiples of K. Where one of the two misses a cluster the other
# mostly has it, and the modularity says which.
CUTS = ((1.6, 6), (2.4, 10))
MOST_ROUNDS = 30
PIECES_SAMPLE = 20_000
MOST_PIECES = 120  # or K, if that is more: trying every two of them is cubic


@dataclass(frozen=True)
class NeighbourGraph:
    """An undirected graph without weights; two edges may join the same two samples.

    Attributes
    ----------
    rows, columns : ndarray of int64, shape (m,)
        Both ends of every edge; an edge stands in both directions, in the order of the rows.
    degrees : ndarray, shape (n,)
        Edges of each sample.
    """

    rows: Clusters
    columns: Clusters
    degrees: NDArray[np.float64]

    @property
    def n_samples(self) -> int:
        return len(self.degrees)

    def edges_to(self, clusters: Clusters, n_clusters: int) -> NDArray[np.float64]:
        """How many edges run from each sample to each cluster, (n, K)."""
        cell = self.rows * n_clusters + clusters[self.columns]
        counts = np.bincount(cell, minlength=self.n_samples * n_clusters)
        return counts.reshape(self.n_samples, n_clusters).astype(np.float64)

    def edges_after(
        self, edges: NDArray[np.float64], before: Clusters, after: Clusters
    ) -> NDArray[np.float64]:
        """What :meth:`edges_to` counts once samples have moved, from its counts before, (n, K).

        Only the neighbours of samples that moved are looked at. Those counts are whole numbers,
        so that both ways give the same.
        """
        n_clusters = edges.shape[1]
        movers = np.flatnonzero(before != after)
        if 4 * len(movers) > self.n_samples:
            return self.edges_to(after, n_clusters)
        degrees = self.degrees[movers].astype(np.int64)
        begins = (np.cumsum(self.degrees) - self.degrees).astype(np.int64)[movers]
        behind = np.repeat(begins - (np.cumsum(degrees) - degrees), degrees)
        neighbours = self.columns[behind + np.arange(len(behind))]
        updated = edges.copy()
        np.subtract.at(updated, (neighbours, np.repeat(before[movers], degrees)), 1.0)
        np.add.at(updated, (neighbours, np.repeat(after[movers], degrees)), 1.0)
        return updated

    def shares(self, clusters: Clusters, n_clusters: int) -> Shares:
        """Share of all edge ends that lead from one cluster to another, (K, K), symmetric."""
        cell = clusters[self.rows] * n_clusters + clusters[self.columns]
        counts = np.bincount(cell, minlength=n_clusters**2).reshape(n_clusters, n_clusters)
        return counts / len(self.rows)

    def shares_of(self, edges: NDArray[np.float64], clusters: Clusters) -> Shares:
        """The same from what :meth:`edges_to` counted, without going over all edges again."""
        n_clusters = edges.shape[1]
        counts = np.stack(
            [np.bincount(clusters, weights=ends, minlength=n_clusters) for ends in edges.T], axis=1
        )
        return np.asarray(counts / len(self.rows))

    def volumes(self, clusters: Clusters, n_clusters: int) -> NDArray[np.float64]:
        """Sum of the degrees in each cluster, (K,)."""
        volumes = np.bincount(clusters, weights=self.degrees, minlength=n_clusters)
        return volumes.astype(np.float64)


def enough_for_graph(n_samples: int, n_clusters: int) -> bool:
    """Whether there are samples enough for neighbours to tell K clusters: 5 K, and ``FEWEST``."""
    return n_samples >= max(5 * n_clusters, FEWEST)


def neighbour_graph(points: NDArray[np.floating], k: int | None = None) -> NeighbourGraph:
    """Join every sample to its k nearest others, found exactly.

    Parameters
    ----------
    points : ndarray, shape (n, J)
    k : int, optional
        An edge is there if one of its ends has the other among its k nearest. By default
        ``NEIGHBOURS``, and fewer for few samples.

    Returns
    -------
    NeighbourGraph
    """
    return graph_of(graph_neighbours(points, k), len(points))


def graph_neighbours(
    points: NDArray[np.floating],
    k: int | None = None,
    *,
    of: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The k nearest others of every sample, or of some, (m, k), the nearest first.

    k is as for :func:`neighbour_graph`.
    """
    n = len(points)
    if k is None:
        k = NEIGHBOURS if n >= FEW else NEIGHBOURS_OF_FEW
    return nearest(np.ascontiguousarray(points), min(k, n - 1), of=of, n_jobs=-1)[0]


def graph_of(
    neighbours: NDArray[np.integer], n_samples: int, *, of: NDArray[np.int64] | None = None
) -> NeighbourGraph:
    """The undirected graph of each sample's neighbours, (n, k), or of those of some, (m, k)."""
    m, k = neighbours.shape
    of = np.arange(m) if of is None else of
    ends = (np.repeat(of, k), np.asarray(neighbours, dtype=np.int64).ravel())
    directed = coo_array((np.ones(m * k, dtype=np.int8), ends), shape=(n_samples, n_samples))
    both = csr_array(directed + directed.T).tocoo()
    rows, columns = both.coords[0].astype(np.int64), both.coords[1].astype(np.int64)
    return NeighbourGraph(rows, columns, np.bincount(rows, minlength=n_samples).astype(float))


def joined(*graphs: NeighbourGraph) -> NeighbourGraph:
    """All edges of several graphs of the same samples; one that two of them have stands twice.

    Parameters
    ----------
    *graphs : NeighbourGraph

    Returns
    -------
    NeighbourGraph
    """
    rows = np.concatenate([graph.rows for graph in graphs])
    columns = np.concatenate([graph.columns for graph in graphs])
    order = np.argsort(rows, kind="stable")
    degrees = np.sum([graph.degrees for graph in graphs], axis=0)
    return NeighbourGraph(rows[order], columns[order], degrees)


def modularity(graph: NeighbourGraph, clusters: Clusters) -> float:
    """Share of edges within clusters, less what chance would give (Newman and Girvan, eq. 5).

    Parameters
    ----------
    graph : NeighbourGraph
    clusters : ndarray of int64, shape (n,)
        Numbers from 0.

    Returns
    -------
    float
        Below 1; 0 for a single cluster.
    """
    return _modularity(graph.shares(clusters, int(clusters.max()) + 1))


def edge_information(graph: NeighbourGraph, clusters: Clusters) -> float:
    """Mutual information of the clusters at the two ends of an edge, in nats.

    Parameters
    ----------
    graph : NeighbourGraph
    clusters : ndarray of int64, shape (n,)
        Numbers from 0.

    Returns
    -------
    float
        From 0 to log K, which K equal clusters without an edge between them have.
    """
    return _edge_information(graph.shares(clusters, int(clusters.max()) + 1))


def _modularity(shares: Shares) -> float:
    return float(np.trace(shares) - np.sum(shares.sum(axis=1) ** 2))


def _edge_information(shares: Shares) -> float:
    return float(_x_log_x(shares).sum() - 2 * _x_log_x(shares.sum(axis=1)).sum())


def _x_log_x(x: Shares) -> Shares:
    return x * np.log(np.where(x > 0, x, 1.0))


def _modularity_of_merging(shares: Shares) -> Shares:
    """Clauset, Newman and Moore 2004, eq. 10, but for a factor of 2."""
    ends = shares.sum(axis=1)
    return shares - np.outer(ends, ends)


def _information_of_merging(shares: Shares) -> Shares:
    """What the edge information loses when two clusters become one, for every two."""
    f = _x_log_x
    inner, ends, of_row = np.diag(shares), shares.sum(axis=1), f(shares).sum(axis=1)
    # Row and column of the two, summed over all others: all columns, less the two's own.
    both = f(shares[:, None, :] + shares[None, :, :]).sum(axis=-1)
    both -= f(inner[:, None] + shares.T) + f(shares + inner)
    joined = 2 * both + f(inner[:, None] + 2 * shares + inner)
    apart = 2 * np.add.outer(of_row, of_row) - np.add.outer(f(inner), f(inner)) - 2 * f(shares)
    of_ends = f(np.add.outer(ends, ends)) - np.add.outer(f(ends), f(ends))
    return joined - apart - 2 * of_ends


def _modularity_of_moving(
    graph: NeighbourGraph, clusters: Clusters, edges: NDArray[np.float64], shares: Shares
) -> NDArray[np.float64]:
    """What each sample adds to each cluster's modularity, (n, K), but for a factor."""
    total = graph.degrees.sum()
    gain = edges - np.outer(graph.degrees, graph.volumes(clusters, len(shares))) / total
    # A sample is no chance of its own: its degree does not count in the cluster it is in.
    gain[np.arange(graph.n_samples), clusters] += graph.degrees**2 / total
    return gain


def _information_of_moving(
    graph: NeighbourGraph, clusters: Clusters, edges: NDArray[np.float64], shares: Shares
) -> NDArray[np.float64]:
    """The derivative of the edge information: log-probability of a sample's neighbours' clusters
    if it belonged to each cluster, (n, K)."""
    shares = shares + 1e-9
    log_next = np.log(shares / shares.sum(axis=1, keepdims=True))
    return np.asarray(edges @ log_next.T)


@dataclass(frozen=True)
class Criterion:
    """A measure of clusterings, and how merging two clusters or moving one sample changes it.

    Attributes
    ----------
    measure : callable
        From the shares of edges between clusters, (K, K).
    of_merging : callable
        From the same shares: a value for every two clusters, higher is better.
    of_moving : callable
        From the graph, the clusters, the edges from each sample to each cluster, (n, K), and the
        shares: a value for every sample in every cluster, (n, K), higher is better.
    """

    measure: Callable[[Shares], float]
    of_merging: Callable[[Shares], Shares]
    of_moving: Callable[
        [NeighbourGraph, Clusters, NDArray[np.float64], Shares], NDArray[np.float64]
    ]


MODULARITY = Criterion(_modularity, _modularity_of_merging, _modularity_of_moving)
INFORMATION = Criterion(_edge_information, _information_of_merging, _information_of_moving)


def spectral_embedding(graph: NeighbourGraph, dimensions: int, seed: int) -> NDArray[np.float64]:
    """Leading eigenvectors of the regularised normalised adjacency, rows of length 1.

    The mean degree is added to every degree, so that a few far samples with edges among
    themselves alone take no eigenvector each (Qin and Rohe 2013).

    Parameters
    ----------
    graph : NeighbourGraph
    dimensions : int
        Less than n - 1.
    seed : int
        Seeds where the iteration begins, and begins again.

    Returns
    -------
    ndarray, shape (n, dimensions)
        In order of falling eigenvalues.
    """
    n = graph.n_samples
    scale = 1.0 / np.sqrt(graph.degrees + graph.degrees.mean())
    adjacency = csr_array((np.ones(len(graph.rows)), (graph.rows, graph.columns)), shape=(n, n))
    scaled = diags_array(scale) @ adjacency @ diags_array(scale)
    random = np.random.default_rng(seed)
    begin = random.uniform(0.5, 1.0, n)
    # Equal samples make equal eigenvalues, for which it may have to begin anew.
    _, vectors = eigsh(scaled, k=dimensions, which="LA", tol=1e-3, v0=begin, rng=random)
    vectors = vectors[:, ::-1]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def merged(
    graph: NeighbourGraph, pieces: Clusters, n_clusters: int, criterion: Criterion
) -> Clusters:
    """Merge pieces, each time the two that the criterion likes best, until K are left.

    Parameters
    ----------
    graph : NeighbourGraph
    pieces : ndarray of int64, shape (n,)
    n_clusters : int
        K; fewer pieces than that are left as they are.
    criterion : Criterion

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    pieces = np.unique(pieces, return_inverse=True)[1]
    shares = graph.shares(pieces, int(pieces.max()) + 1)
    group = np.arange(len(shares))
    while len(shares) > n_clusters:
        gain = criterion.of_merging(shares)
        np.fill_diagonal(gain, -np.inf)
        one, other = sorted(divmod(int(gain.argmax()), len(gain)))
        shares[one] += shares[other]
        shares[:, one] += shares[:, other]
        shares = np.delete(np.delete(shares, other, axis=0), other, axis=1)
        group[group == other] = one
        group[group > other] -= 1
    return group[pieces]


def moved(
    graph: NeighbourGraph, clusters: Clusters, n_clusters: int, criterion: Criterion
) -> Clusters:
    """Move samples to the cluster that the criterion likes best, all at once, until none wants.

    Parameters
    ----------
    graph : NeighbourGraph
    clusters : ndarray of int64, shape (n,)
    n_clusters : int
        K.
    criterion : Criterion

    Returns
    -------
    ndarray of int64, shape (n,)
        The best clustering on the way.
    """
    best, best_measure = clusters, -np.inf
    edges = graph.edges_to(clusters, n_clusters)
    for _ in range(MOST_ROUNDS + 1):
        shares = graph.shares_of(edges, clusters)
        if (reached := criterion.measure(shares)) > best_measure:
            best, best_measure = clusters, reached
        after = criterion.of_moving(graph, clusters, edges, shares).argmax(axis=1)
        if np.mean(after != clusters) < 1e-4:
            break
        edges = graph.edges_after(edges, clusters, after)
        clusters = after
    return best


def communities(
    graph: NeighbourGraph, n_clusters: int, *, seed: int, restarts: int = 3
) -> tuple[Clusters, float]:
    """K clusters whose edges run within them.

    The spectral embedding is cut into many more pieces than clusters; pieces are merged, then
    single samples move, once by modularity and once by edge information. Of all that was tried
    the highest edge information wins.

    Parameters
    ----------
    graph : NeighbourGraph
    n_clusters : int
        K.
    seed : int
    restarts : int
        Tries for each of ``CUTS``.

    Returns
    -------
    ndarray of int64, shape (n,)
    float
        The edge information, in nats.
    """
    n = graph.n_samples
    cuts = [(min(round(a * n_clusters), n - 2), round(b * n_clusters)) for a, b in CUTS]
    embedded = spectral_embedding(graph, max(dimensions for dimensions, _ in cuts), seed)
    rng = np.random.default_rng(seed)
    few = np.sort(rng.choice(n, min(n, PIECES_SAMPLE), replace=False))
    tried: list[Clusters] = []
    for dimensions, n_pieces in cuts:
        view = np.ascontiguousarray(embedded[:, :dimensions])
        n_pieces = max(n_clusters, min(n_pieces, len(few) // 5, MOST_PIECES))
        for _ in range(restarts):
            found = KMeans(n_pieces, max_iter=30, random_state=int(rng.integers(2**31)))
            pieces = found.fit(view[few]).predict(view).astype(np.int64)
            tried += [
                moved(graph, merged(graph, pieces, n_clusters, criterion), n_clusters, criterion)
                for criterion in (MODULARITY, INFORMATION)
            ]
    informations = [edge_information(graph, clusters) for clusters in tried]
    best = int(np.argmax(informations))
    return tried[best], informations[best]


def mended(
    clusters: Clusters,
    n_clusters: int,
    neighbours: NDArray[np.int64],
    components: NDArray[np.floating],
) -> tuple[Clusters, float]:
    """Move single samples by the latents' graph and the data's together.

    Which clusters there are, the latents say: in the data themselves the classes of Fashion-MNIST
    merge otherwise. Which of them a sample belongs to, the data know as well. Each sample is joined
    to the nearer half of its neighbours in the latents and, if any of them all is of another
    cluster, to as many in the data. Where both graphs join two samples, that counts twice.

    Parameters
    ----------
    clusters : ndarray of int64, shape (n,)
        Communities of the latents' graph.
    n_clusters : int
        K.
    neighbours : ndarray of int64, shape (n, k)
        In the latents, the nearest first.
    components : ndarray, shape (n, P)
        The data's principal components (:func:`vade_core.principal.principal_components`).

    Returns
    -------
    ndarray of int64, shape (n,)
    float
        The edge information on both graphs together, in nats.
    """
    n, half = len(neighbours), neighbours.shape[1] // 2
    both = graph_of(neighbours[:, :half], n)
    # Nearly all others stay where they are, and looking for their neighbours takes the longest.
    contested = np.flatnonzero((clusters[neighbours] != clusters[:, None]).any(axis=1))
    if len(contested):
        in_data = graph_neighbours(components, half, of=contested)
        both = joined(both, graph_of(in_data, n, of=contested))
    after = moved(both, clusters, n_clusters, INFORMATION)
    return after, edge_information(both, after)
