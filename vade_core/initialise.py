"""The starts of a mixture on pretrained latents, as plain functions; ``STARTS`` names them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as FittedMixture

from vade_core.communities import (
    FEWEST,
    communities,
    enough_for_graph,
    graph_neighbours,
    graph_of,
    mended,
)
from vade_core.neighbours import as_umap_counts, nearest

Array = NDArray[np.float64]

RESTART_SAMPLE = 10_000


@dataclass(frozen=True)
class MixtureStart:
    """A mixture fitted to latents.

    Attributes
    ----------
    weights : ndarray, shape (K,)
    means, variances : ndarray, shape (K, J)
    clusters : ndarray of int64, shape (n,)
        The cluster of each sample.
    log_likelihood : float
        Mean log-density of the latents, in nats a sample; NaN where there is none.
    edge_information : float
        Of the clusters on the neighbour graph of the latents, in nats; NaN where it was not
        asked for.
    """

    weights: Array
    means: Array
    variances: Array
    clusters: NDArray[np.int64]
    log_likelihood: float = float("nan")
    edge_information: float = float("nan")


def relative_floor(latents: Array) -> float:
    """A floor under variances that scales with the data: 1e-6 of their mean variance."""
    return float(max(1e-6 * np.mean(np.var(latents, axis=0)), 1e-12))


def likeliest_mixture(
    points: Array,
    n_clusters: int,
    *,
    covariance: str,
    seed: int,
    restarts: int,
    sample: int = RESTART_SAMPLE,
    finalists: int = 3,
) -> FittedMixture:
    """Fit a Gaussian mixture by EM from many starts and keep the likeliest.

    Starts are tried on a seeded sample; the best of those that differ are then fitted to all
    points, since the likelihoods of a sample may put two close solutions in the wrong order.
    In float64, since EM on float32 latents can lose positive variances.

    Parameters
    ----------
    points : ndarray of float64, shape (n, J)
    n_clusters : int
        K.
    covariance : {"diag", "full", "spherical"}
    seed : int
    restarts : int
        How many starts of EM, each from k-means of its own.
    sample : int
        On how many points the starts are tried.
    finalists : int
        How many are then fitted to all points.

    Returns
    -------
    sklearn.mixture.GaussianMixture
    """
    settings = {
        "n_components": n_clusters,
        "covariance_type": covariance,
        "reg_covar": relative_floor(points),
        "max_iter": 200,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if len(points) <= sample or restarts == 1:
            drawn = np.random.RandomState(seed)
            whole = [
                FittedMixture(random_state=drawn, **settings).fit(points) for _ in range(restarts)
            ]
            return _likeliest_first(whole)[0]
        few = points[np.random.default_rng(seed).choice(len(points), sample, replace=False)]
        tried = [
            FittedMixture(random_state=seed + start, **settings).fit(few)
            for start in range(restarts)
        ]
        chosen: list[FittedMixture] = []
        for fitted in _likeliest_first(tried):
            # Equal likelihoods mean one and the same solution, found again.
            if all(abs(fitted.lower_bound_ - other.lower_bound_) > 5e-3 for other in chosen):
                chosen.append(fitted)
        refined = [
            FittedMixture(
                weights_init=fitted.weights_,
                means_init=fitted.means_,
                precisions_init=fitted.precisions_,
                **settings,
            ).fit(points)
            for fitted in chosen[:finalists]
        ]
    return _likeliest_first(refined)[0]


def _likeliest_first(tried: list[FittedMixture]) -> list[FittedMixture]:
    """The likeliest first, equals in the order in which they were tried.

    Two starts may find one and the same solution, its clusters in another order. Which of them is
    likelier by the last bits changes with the last bits of the latents, as batches of another size
    round them: the same seed would give other labels.
    """
    return sorted(tried, key=lambda fitted: -round(fitted.lower_bound_, 6))


def diagonal_mixture(
    latents: NDArray[np.floating], n_clusters: int, *, seed: int, restarts: int = 10
) -> MixtureStart:
    """A diagonal Gaussian mixture on the latents: VaDE's own start (VaDE paper, section 3.2).

    Parameters
    ----------
    latents : ndarray, shape (n, J)
    n_clusters : int
        K.
    seed : int
    restarts : int
        See :func:`likeliest_mixture`.

    Returns
    -------
    MixtureStart

    Raises
    ------
    ValueError
        If there are fewer samples than clusters.
    """
    return _mixture_of(latents, n_clusters, "diag", seed, restarts)


def spherical_mixture(
    latents: NDArray[np.floating], n_clusters: int, *, seed: int, restarts: int = 10
) -> MixtureStart:
    """A mixture of round Gaussians, each with one variance for all latent dimensions.

    For latents that are standard normal as a whole, as a VAE's are. Dimensions that the VAE does
    not use vary little, and there a diagonal mixture finds clusters in noise.

    Parameters
    ----------
    latents, n_clusters, seed, restarts
        As for :func:`diagonal_mixture`.

    Returns
    -------
    MixtureStart
        Variances have the shape (K, J) all the same.

    Raises
    ------
    ValueError
        If there are fewer samples than clusters.
    """
    return _mixture_of(latents, n_clusters, "spherical", seed, restarts)


def _mixture_of(
    latents: NDArray[np.floating], n_clusters: int, covariance: str, seed: int, restarts: int
) -> MixtureStart:
    z = np.ascontiguousarray(latents, dtype=np.float64)
    if len(z) < n_clusters:
        raise ValueError(f"{len(z)} samples cannot be sorted into {n_clusters} clusters.")
    if len(z) == 1:  # EM wants two points; one point is its own cluster
        z = np.repeat(z, 2, axis=0)
    fitted = likeliest_mixture(z, n_clusters, covariance=covariance, seed=seed, restarts=restarts)
    variances = fitted.covariances_
    if variances.ndim == 1:
        variances = np.repeat(variances[:, None], z.shape[1], axis=1)
    return MixtureStart(
        fitted.weights_,
        fitted.means_,
        variances,
        fitted.predict(z)[: len(latents)].astype(np.int64),
        float(fitted.score(z)),
    )


def kmeans_start(
    latents: NDArray[np.floating], n_clusters: int, *, seed: int, restarts: int = 10
) -> MixtureStart:
    """Clusters by k-means on the latents, with each cluster's own means and variances."""
    z = np.ascontiguousarray(latents, dtype=np.float64)
    found = KMeans(n_clusters, n_init=restarts, random_state=seed).fit(z)
    return from_clusters(z, found.labels_.astype(np.int64), n_clusters)


def graph_communities(
    latents: NDArray[np.floating],
    n_clusters: int,
    *,
    seed: int,
    restarts: int = 10,
    components: NDArray[np.floating] | None = None,
) -> MixtureStart:
    """Communities of the neighbour graph of the latents.

    Digits lie in the latent space as curved sheets that a Gaussian cannot follow, but whose
    neighbours are nearly all of the same digit. See :mod:`vade_core.communities`. Fewer than 5 K
    samples, or than ``vade_core.communities.FEWEST``, are left to :func:`diagonal_mixture`.

    Parameters
    ----------
    latents : ndarray, shape (n, J)
    n_clusters : int
        K.
    seed : int
        Seeds the search; the neighbours are exact.
    restarts : int
        About how many tries; the clusters whose edges tell most of each other win.
    components : ndarray, shape (n, P), optional
        The data's principal components (:func:`vade_core.principal.principal_components`), by
        which the communities are :func:`vade_core.communities.mended`.

    Returns
    -------
    MixtureStart
        ``edge_information`` is that on the latents' graph, or on both where there are components.
    """
    z = np.ascontiguousarray(latents, dtype=np.float32)
    if not enough_for_graph(len(z), n_clusters):
        return diagonal_mixture(latents, n_clusters, seed=seed, restarts=restarts)
    near = graph_neighbours(z)
    clusters, information = communities(
        graph_of(near, len(z)), n_clusters, seed=seed, restarts=max(1, restarts // 3)
    )
    if components is not None:
        clusters, information = mended(clusters, n_clusters, near, components)
    found = from_clusters(np.asarray(latents, dtype=np.float64), clusters, n_clusters)
    return replace(found, edge_information=information)


def umap_mixture(
    latents: NDArray[np.floating],
    n_clusters: int,
    *,
    seed: int,
    restarts: int = 10,
    n_neighbours: int = 20,
    epochs: int = 50,
) -> MixtureStart:
    """Clusters by a full-covariance mixture on a UMAP embedding of the latents.

    UMAP pulls the autoencoder's latents into islands that a mixture finds nearly every time
    (McInnes et al. 2018; the joint use follows N2D, McConville et al. 2021). The mixture that is
    returned has the clusters' moments in the latent space itself. Fewer than K samples, or than
    ``vade_core.communities.FEWEST``, are left to :func:`diagonal_mixture`.

    Parameters
    ----------
    latents : ndarray, shape (n, J)
    n_clusters : int
        K.
    seed : int
        A seeded UMAP runs on one thread. Its neighbours are searched exactly, on all threads.
    restarts : int
        See :func:`likeliest_mixture`.
    n_neighbours : int
        Of UMAP's graph.
    epochs : int
        Of UMAP; 200 find the same islands as 50.
    """
    z = np.ascontiguousarray(latents, dtype=np.float32)
    if len(z) < max(n_clusters, FEWEST):
        return diagonal_mixture(latents, n_clusters, seed=seed, restarts=restarts)
    embedded = embed(z, seed=seed, n_neighbours=n_neighbours, epochs=epochs).astype(np.float64)
    fitted = likeliest_mixture(
        embedded, n_clusters, covariance="full", seed=seed, restarts=restarts
    )
    clusters = fitted.predict(embedded).astype(np.int64)
    return from_clusters(np.asarray(latents, dtype=np.float64), clusters, n_clusters)


def embed(
    points: NDArray[np.float32], *, seed: int, n_neighbours: int, epochs: int
) -> NDArray[np.float32]:
    """A seeded UMAP embedding for clustering: as many dimensions as the latents have, 10 at
    most, and islands packed tightly."""
    import umap  # its import takes seconds

    dimensions = points.shape[1]
    components = min(10, max(2, dimensions))
    known = nearest(points, min(n_neighbours, len(points)) - 1, n_jobs=-1)
    with warnings.catch_warnings():
        # It warns that it cannot place new points later; nobody asks it to.
        warnings.filterwarnings("ignore", message="precomputed_knn", category=UserWarning)
        model = umap.UMAP(
            n_neighbors=len(known[0][0]) + 1,
            min_dist=0.0,
            n_components=components,
            n_epochs=epochs,
            init="pca" if components <= dimensions else "random",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=as_umap_counts(*known),
            force_approximation_algorithm=True,
        )
        return np.asarray(model.fit_transform(points), dtype=np.float32)


def compile_umap() -> None:
    """Let UMAP compile what :func:`embed` needs; some seconds, to be spent beside pretraining."""
    points = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)
    embed(points, seed=0, n_neighbours=20, epochs=2)


def from_clusters(latents: Array, clusters: NDArray[np.int64], n_clusters: int) -> MixtureStart:
    """The moments of given clusters; an empty one gets the moments of all samples."""
    floor = relative_floor(latents)
    counts = np.bincount(clusters, minlength=n_clusters)
    means = np.tile(latents.mean(axis=0), (n_clusters, 1))
    variances = np.tile(np.maximum(latents.var(axis=0), floor), (n_clusters, 1))
    for cluster in np.flatnonzero(counts):
        members = latents[clusters == cluster]
        means[cluster] = members.mean(axis=0)
        variances[cluster] = np.maximum(members.var(axis=0), floor)
    weights = np.maximum(counts, 0.5) / np.maximum(counts, 0.5).sum()
    return MixtureStart(weights, means, variances, clusters)


@dataclass(frozen=True)
class Start:
    """A way to start the mixture.

    Attributes
    ----------
    find : callable
        ``find(latents, n_clusters, seed=..., restarts=...)``: latents (n, J) in, a mixture of
        ``n_clusters`` out.
    words : str
        What it does, for people.
    prepare : callable, optional
        What can be made ready beforehand, beside other work.
    of_data : bool
        Whether it looks at the data, too: ``find`` then takes ``components=``, the data's
        principal components.
    """

    find: Callable[..., MixtureStart]
    words: str
    prepare: Callable[[], None] | None = None
    of_data: bool = False


STARTS: dict[str, Start] = {
    "graph": Start(graph_communities, "Communities of the latents' neighbour graph"),
    "two-graphs": Start(
        graph_communities,
        "Communities of the latents' neighbour graph, mended by neighbours in the data",
        of_data=True,
    ),
    "gmm": Start(diagonal_mixture, "Fitting a Gaussian mixture to the latents"),
    "umap": Start(umap_mixture, "UMAP of the latents, and a Gaussian mixture on it", compile_umap),
    "kmeans": Start(kmeans_start, "k-means on the latents"),
}
