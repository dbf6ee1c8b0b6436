"""The starts of a mixture on pretrained latents, as plain functions; ``STARTS`` names them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as FittedMixture

Array = NDArray[np.float64]


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
    """

    weights: Array
    means: Array
    variances: Array
    clusters: NDArray[np.int64]
    log_likelihood: float


def relative_floor(latents: Array) -> float:
    """A floor under variances that scales with the data: 1e-6 of their mean variance."""
    return float(max(1e-6 * np.mean(np.var(latents, axis=0)), 1e-12))


def diagonal_mixture(
    latents: NDArray[np.floating], n_clusters: int, *, seed: int, restarts: int = 10
) -> MixtureStart:
    """Fit a diagonal Gaussian mixture by EM and keep the likeliest of several restarts.

    VaDE's own start (VaDE paper, section 3.2). In float64, since EM on float32 latents can lose
    positive variances. Restarts are ranked on at most 20,000 samples; the best is then fitted to
    all of them.

    Parameters
    ----------
    latents : ndarray, shape (n, J)
    n_clusters : int
        K.
    seed : int
    restarts : int
        How many starts of EM, each from k-means of its own.

    Returns
    -------
    MixtureStart

    Raises
    ------
    ValueError
        If there are fewer samples than clusters.
    """
    z = np.ascontiguousarray(latents, dtype=np.float64)
    if len(z) < n_clusters:
        raise ValueError(f"{len(z)} samples cannot be sorted into {n_clusters} clusters.")
    if len(z) == 1:  # EM wants two points; one point is its own cluster
        z = np.repeat(z, 2, axis=0)
    few = z
    if len(z) > 20_000 and restarts > 1:
        few = z[np.random.default_rng(seed).choice(len(z), 20_000, replace=False)]
    common = {
        "n_components": n_clusters,
        "covariance_type": "diag",
        "reg_covar": relative_floor(z),
        "max_iter": 200,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = FittedMixture(n_init=restarts, random_state=seed, **common).fit(few)
        if few is not z:
            fitted = FittedMixture(
                weights_init=fitted.weights_,
                means_init=fitted.means_,
                precisions_init=fitted.precisions_,
                **common,
            ).fit(z)
    return MixtureStart(
        fitted.weights_,
        fitted.means_,
        fitted.covariances_,
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


def umap_mixture(
    latents: NDArray[np.floating],
    n_clusters: int,
    *,
    seed: int,
    restarts: int = 3,
    n_neighbors: int = 20,
    epochs: int = 200,
) -> MixtureStart:
    """Clusters by a full-covariance mixture on a UMAP embedding of the latents.

    UMAP pulls the autoencoder's latents into islands that a mixture finds every time
    (McInnes et al. 2018; the joint use follows N2D, McConville et al. 2021). The mixture that is
    returned has the clusters' moments in the latent space itself.

    Parameters
    ----------
    latents : ndarray, shape (n, J)
    n_clusters : int
        K.
    seed : int
        UMAP is seeded too, which keeps it on one thread: about 20 s for 70,000 samples.
    n_neighbors, epochs : int
        UMAP's.
    restarts : int
        Restarts of the mixture.
    """
    import umap  # its import takes seconds

    z = np.ascontiguousarray(latents, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coordinates = umap.UMAP(
            n_neighbors=min(n_neighbors, len(z) - 1),
            min_dist=0.0,
            n_components=min(10, max(2, len(z) - 2)),
            n_epochs=epochs,
            random_state=seed,
            n_jobs=1,
        ).fit_transform(z)
        embedded = np.asarray(coordinates, dtype=np.float64)
        found = FittedMixture(
            n_clusters, n_init=restarts, random_state=seed, reg_covar=relative_floor(embedded)
        ).fit(embedded)
    clusters = found.predict(embedded).astype(np.int64)
    return from_clusters(np.asarray(latents, dtype=np.float64), clusters, n_clusters)


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
    return MixtureStart(weights, means, variances, clusters, float("nan"))


class FindStart(Protocol):
    """What finds a start: latents (n, J) in, a mixture of ``n_clusters`` out."""

    def __call__(
        self,
        latents: NDArray[np.floating],
        n_clusters: int,
        *,
        seed: int,
        restarts: int,
    ) -> MixtureStart: ...


@dataclass(frozen=True)
class Start:
    """A way to start the mixture, and what it does in words."""

    find: FindStart
    words: str


STARTS: dict[str, Start] = {
    "gmm": Start(diagonal_mixture, "Fitting a Gaussian mixture to the latents"),
    "umap": Start(umap_mixture, "UMAP of the latents, and a Gaussian mixture on it"),
    "kmeans": Start(kmeans_start, "k-means on the latents"),
}
