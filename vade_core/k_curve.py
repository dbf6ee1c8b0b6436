"""How many clusters? A curve over K that looks at no label.

Samples that lie close together in a latent space are joined by edges
(:mod:`vade_core.communities`). For every K the graph is cut into K clusters, and its modularity
says how many more edges run within them than chance would give. Too few clusters leave out cuts
that cost few edges; too many cut through crowds. The curve has its peak in between.

It answers for a latent space that was not told a K, such as a pretrained autoencoder's. A VaDE
pulls its latents into as many clusters as it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from vade_core.communities import (
    INFORMATION,
    MODULARITY,
    NeighbourGraph,
    edge_information,
    merged,
    modularity,
    moved,
    neighbour_graph,
    spectral_embedding,
)

__all__ = ["FEWEST", "KCurve", "modularity_curve", "modularity_of_each_k"]

FEWEST = 100  # samples; below, neighbours say little
LARGEST_K = 20
PIECES = 80
DIRECTIONS = 24
DRAWS = 5
DRAWN = 0.8  # of the samples, in each draw
NEAR = 0.01  # of the highest modularity


@dataclass(frozen=True, eq=False)
class KCurve:
    """Modularity for each K, on all samples and on draws of them.

    Attributes
    ----------
    ks : ndarray of int64, shape (m,)
        From 2 upwards.
    modularity : ndarray of float64, shape (m,)
        On all samples.
    drawn : ndarray of float64, shape (DRAWS, m)
        On draws of ``DRAWN`` of them: how sure the curve is.
    n_samples : int
    """

    ks: NDArray[np.int64]
    modularity: NDArray[np.float64]
    drawn: NDArray[np.float64]
    n_samples: int

    @property
    def best(self) -> int:
        """The K of the highest modularity on all samples."""
        return int(self.ks[self.modularity.argmax()])

    @property
    def peaks(self) -> list[int]:
        """The K of the highest modularity in each draw, in rising order."""
        return sorted(int(k) for k in self.ks[self.drawn.argmax(axis=1)])

    @property
    def near(self) -> tuple[int, int]:
        """The K's around the best one whose modularity is within ``NEAR`` of its, from and to."""
        close = self.modularity >= (1 - NEAR) * self.modularity.max()
        low = high = int(self.modularity.argmax())
        while low > 0 and close[low - 1]:
            low -= 1
        while high + 1 < len(close) and close[high + 1]:
            high += 1
        return int(self.ks[low]), int(self.ks[high])

    @property
    def at_the_end(self) -> bool:
        """Whether the peak is the largest K that was tried, so that it may lie further on."""
        return self.best == int(self.ks[-1])


def modularity_curve(
    latents: NDArray[np.floating],
    *,
    largest: int = LARGEST_K,
    seed: int = 0,
    draws: int = DRAWS,
    progress: Callable[[float], None] | None = None,
) -> KCurve:
    """Modularity of the best clusters that were found, for K = 2, 3, ...

    Parameters
    ----------
    latents : ndarray, shape (n, J)
        Posterior means. Some thousand samples are enough.
    largest : int
        The largest K.
    seed : int
        Seeds the search and the draws.
    draws : int
        How many draws of ``DRAWN`` of the samples are looked at besides all of them.
    progress : callable, optional
        Told the share of the work that is done, in (0, 1].

    Returns
    -------
    KCurve

    Raises
    ------
    ValueError
        If there are fewer than ``FEWEST`` samples, or a latent is not a number.
    """
    points = np.ascontiguousarray(latents, dtype=np.float32)
    n = len(points)
    if n < FEWEST:
        raise ValueError(
            f"{n} samples are too few to suggest a K: their neighbours say little. "
            f"Take at least {FEWEST}."
        )
    if not np.isfinite(points).all():
        raise ValueError("The latents hold NaN or infinite values: the model has diverged.")
    largest = max(3, min(largest, n // 20))
    rng = np.random.default_rng(seed)
    rows = [np.arange(n)]
    rows += [np.sort(rng.choice(n, round(DRAWN * n), replace=False)) for _ in range(draws)]
    found = []
    for i, chosen in enumerate(rows):
        graph = neighbour_graph(points[chosen])
        found.append(modularity_of_each_k(graph, largest, seed=seed + i))
        if progress is not None:
            progress((i + 1) / len(rows))
    return KCurve(
        np.arange(2, largest + 1),
        found[0],
        np.array(found[1:]).reshape(draws, largest - 1),
        n,
    )


def modularity_of_each_k(graph: NeighbourGraph, largest: int, *, seed: int) -> NDArray[np.float64]:
    """Modularity of the clusters with the highest edge information, K = 2 to ``largest``.

    The graph is cut into many pieces once. They are merged two at a time, so that the clusters
    of K come from those of K + 1; then single samples move
    (:func:`vade_core.communities.communities` does this for one K). One measure builds the
    clusters of each K, the other compares the K's: the edge information alone grows with K.

    Parameters
    ----------
    graph : NeighbourGraph
    largest : int
        At least 2.
    seed : int

    Returns
    -------
    ndarray, shape (largest - 1,)
    """
    n = graph.n_samples
    embedded = spectral_embedding(graph, min(DIRECTIONS, n - 2), seed)
    pieces = max(largest, min(PIECES, n // 5))
    found = KMeans(pieces, max_iter=30, random_state=seed).fit(embedded).labels_.astype(np.int64)
    reached = np.full(largest - 1, -np.inf)
    best = np.zeros(largest - 1)
    for criterion in (MODULARITY, INFORMATION):
        clusters = found
        for k in range(largest, 1, -1):
            clusters = merged(graph, clusters, k, criterion)
            # Moved by the information: the modularity would empty clusters, and then fewer than
            # K were judged.
            better = moved(graph, clusters, k, INFORMATION)
            information = edge_information(graph, better)
            if information > reached[k - 2]:
                reached[k - 2], best[k - 2] = information, modularity(graph, better)
    return best
