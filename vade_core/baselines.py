"""What VaDE is seen against: clusterings without a network, and mixtures on pretrained latents."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as FittedMixture
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from vade_core.data import Dataset
from vade_core.initialise import STARTS
from vade_core.models import VaDE
from vade_core.pretraining import PRETRAINING
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase

# Centres found on this many samples differ from those of 70,000 by less than seeds do.
KMEANS_SAMPLE = 10_000
# Starts of EM on raw data are tried on so many samples; the likeliest is then fitted to all.
MIXTURE_SAMPLE = 10_000


def kmeans_on_data(dataset: Dataset, n_clusters: int, *, seed: int = 0) -> NDArray[np.int64]:
    """k-means on the raw values, best of 4 starts, (n,).

    The centres are found on a seeded sample of at most 10,000; every sample then goes to the
    nearest one.
    """
    n = dataset.n_samples
    rows = np.arange(n)
    if n > KMEANS_SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, KMEANS_SAMPLE, replace=False))
    found = KMeans(min(n_clusters, len(rows)), n_init=4, random_state=seed)
    found.fit(dataset.as_float(rows))
    parts = [
        found.predict(dataset.as_float(np.arange(first, min(first + 10_000, n))))
        for first in range(0, n, 10_000)
    ]
    return np.concatenate(parts).astype(np.int64)


class DataMixture(ClusterMixin, BaseEstimator):
    """A Gaussian mixture with diagonal covariances on the raw values, by EM: the papers' GMM.

    Computed in float32 around the mean of the data.

    Parameters
    ----------
    n_clusters : int
        K.
    restarts : int
        Starts of EM, each from k-means of its own, tried on a sample of at most 10,000. The
        likeliest is fitted to all samples.
    regularisation : float
        Added to every variance, as a share of the data's mean variance. Many pixels are the same
        in all samples of a cluster; without it each of them would decide alone.
    random_state : int
        Seed.

    Attributes
    ----------
    mixture_ : sklearn.mixture.GaussianMixture
        The fit, around ``centre_``.
    centre_ : ndarray, shape (D,)
    labels_ : ndarray of int64, shape (n,)
        Clusters of the training samples.
    """

    def __init__(
        self,
        *,
        n_clusters: int = 10,
        restarts: int = 10,
        regularisation: float = 0.01,
        random_state: int | None = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.restarts = restarts
        self.regularisation = regularisation
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> DataMixture:
        """Fit to samples X, (n, D): uint8 grey levels (taken as 0..255), or numbers.

        Raises
        ------
        ValueError
            If there are fewer samples than clusters, or a setting cannot be.
        """
        if self.restarts < 1 or self.regularisation <= 0:
            raise ValueError("restarts must be 1 or more, and regularisation above 0.")
        values = self._values(X, reset=True)
        if len(values) < self.n_clusters:
            raise ValueError(
                f"n_samples={len(values)} cannot be sorted into {self.n_clusters} clusters."
            )
        self.centre_ = values.mean(axis=0, dtype=np.float64)
        points = self._centred(values)
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = int(check_random_state(seed).randint(2**31))
        floor = self.regularisation * float(np.vdot(points, points)) / points.size
        settings: dict[str, Any] = {
            "n_components": self.n_clusters,
            "covariance_type": "diag",
            "reg_covar": max(floor, 1e-12),
            "max_iter": 200,
        }
        few = points
        if len(points) > MIXTURE_SAMPLE:
            rows = np.random.default_rng(seed).choice(len(points), MIXTURE_SAMPLE, replace=False)
            few = points[rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = FittedMixture(n_init=self.restarts, random_state=seed, **settings).fit(few)
            if few is not points:
                found = FittedMixture(
                    weights_init=found.weights_,
                    means_init=found.means_,
                    precisions_init=found.precisions_,
                    random_state=seed,
                    **settings,
                ).fit(points)
        self.mixture_ = found
        self.labels_ = found.predict(points).astype(np.int64)
        return self

    def _values(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        kinds = [np.float64, np.float32, np.uint8]
        least = 2 if reset else 1
        array = validate_data(self, X, dtype=kinds, reset=reset, ensure_min_samples=least)
        return array / np.float32(255) if array.dtype == np.uint8 else array

    def _centred(self, values: NDArray[Any]) -> NDArray[np.float32]:
        # Around the mean: EM subtracts squares, and float32 far from zero would lose them.
        return (values - self.centre_.astype(values.dtype)).astype(np.float32, copy=False)

    def _points(self, X: ArrayLike) -> NDArray[np.float32]:
        check_is_fitted(self, "mixture_")
        return self._centred(self._values(X, reset=False))

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Responsibilities p(c|x), (n, K)."""
        points = self._points(X)
        return np.asarray(self.mixture_.predict_proba(points))

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """The most responsible cluster of each sample, (n,)."""
        points = self._points(X)
        return np.asarray(self.mixture_.predict(points)).astype(np.int64)

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Mean log-density in nats a sample, higher is better."""
        points = self._points(X)
        return float(self.mixture_.score(points))

    def sample(
        self, n: int = 1, *, cluster: int | None = None, random_state: int = 0
    ) -> NDArray[np.float32]:
        """Generate n samples, (n, D), in the range of numbers (grey levels as 0..1).

        Parameters
        ----------
        n : int
        cluster : int, optional
            Component to draw from; by default each draw picks one by its weight.
        random_state : int
            The same seed gives every cluster the same noise.

        Raises
        ------
        ValueError
            If there is no such cluster.
        """
        check_is_fitted(self, "mixture_")
        if cluster is not None and not 0 <= cluster < self.n_clusters:
            raise ValueError(f"cluster must be between 0 and {self.n_clusters - 1}, not {cluster}.")
        rng = np.random.default_rng(random_state)
        noise = rng.normal(size=(n, len(self.centre_)))
        weights = self.mixture_.weights_.astype(np.float64)
        drawn = (
            rng.choice(self.n_clusters, n, p=weights / weights.sum())
            if cluster is None
            else np.full(n, cluster)
        )
        spread = np.sqrt(self.mixture_.covariances_[drawn])
        values = self.centre_ + self.mixture_.means_[drawn] + spread * noise
        return np.asarray(values, dtype=np.float32)


class LatentMixture(VaDE):
    """A mixture on pretrained latents, and no VaDE after it: AE+GMM, AE+k-means, VAE+GMM and
    AE+UMAP+GMM.

    It is VaDE stopped before its first own epoch: the same networks, the same pretraining, the
    same start of the mixture, draw for draw. With the settings of a VaDE it gives the very start
    that this VaDE has.

    Clusters of the training samples, ``labels_``, are the start's own. New points go to the most
    responsible component of the mixture in the latent space. For ``gmm`` the two agree; for
    ``umap`` and ``kmeans`` the mixture has the moments of the start's clusters, and may sort a
    training sample otherwise than the start did.

    Parameters
    ----------
    pretraining : {"autoencoder", "stacked", "vae"}
        End to end, layer by layer and then end to end, or a VAE.
    start : {"gmm", "graph", "kmeans", "umap"}
        How clusters are found on the latents.
    n_clusters, latent_dim, hidden, pretrain_epochs, pretrain_learning_rate, start_restarts, \
likelihood, observation_variance, batch_size, random_state, device, precision
        As for :class:`vade_core.models.VaDE`.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n,)
        Clusters of the training samples, as the start found them.
    """

    def __init__(
        self,
        *,
        n_clusters: int = 10,
        latent_dim: int = 10,
        hidden: Sequence[int] = (500, 500, 2000),
        pretraining: str = "autoencoder",
        pretrain_epochs: int = 10,
        pretrain_learning_rate: float = 1e-3,
        start: str = "gmm",
        start_restarts: int = 10,
        likelihood: str = "auto",
        observation_variance: str = "shared",
        batch_size: int = 256,
        random_state: int | None = 0,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        # What VaDE's own epochs would need keeps VaDE's defaults: there are none.
        super().__init__(
            n_clusters=n_clusters,
            latent_dim=latent_dim,
            hidden=hidden,
            pretraining=pretraining,
            pretrain_epochs=pretrain_epochs,
            pretrain_learning_rate=pretrain_learning_rate,
            start=start,
            start_restarts=start_restarts,
            likelihood=likelihood,
            observation_variance=observation_variance,
            batch_size=batch_size,
            random_state=random_state,
            device=device,
            precision=precision,
        )

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        if self.pretraining not in PRETRAINING or self.pretrain_epochs < 1:
            raise ValueError(
                f"A mixture on latents needs pretrained ones: choose {', '.join(PRETRAINING)}, "
                f"and 1 epoch or more, not {self.pretraining!r} for {self.pretrain_epochs}."
            )
        if self.start not in STARTS:
            raise ValueError(f"start must be {', '.join(STARTS)}, not {self.start!r}.")
        schedule = super()._phases(samples, targets)
        return list(takewhile(lambda phase: phase.name in ("pretrain", "start"), schedule))

    def _after_fit(self, samples: Samples) -> None:
        self.labels_ = self.start_clusters_
