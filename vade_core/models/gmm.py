"""A Gaussian mixture on the data themselves: what every model with a network is held against."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as FittedMixture
from sklearn.utils.validation import validate_data
from torch import Tensor

from vade_core.fixed_mixture import FixedMixture
from vade_core.models.base import ACCEPTED, CHUNK
from vade_core.models.settings import RandomState, settings
from vade_core.models.without_networks import WithoutNetworks
from vade_core.priors import Prior
from vade_core.samples import DeviceSamples, Samples, as_numbers, chunks, dense
from vade_core.training import as_float

# Starts of EM on raw data are tried on so many samples; the likeliest is then fitted to all.
MIXTURE_SAMPLE = 10_000


@settings
class DataMixture(WithoutNetworks):
    """A Gaussian mixture with diagonal covariances on the raw values, by EM: the papers' GMM.

    Latents are the samples' own values, J' = D, and decoding gives them back, cut to [0, 1] where
    they are grey levels. EM is scikit-learn's, in float32 around the mean of the data; sparse
    samples are made dense for it.

    The terms of the loss are ``density``, -E[log N(x; mu_c, sigma_c^2)] under the
    responsibilities, and ``cluster_kl``, their divergence from pi, both in nats a sample. Their
    sum is -log p(x) exactly.

    Parameters
    ----------
    n_clusters : int
        K.
    restarts : int
        Starts of EM, each from k-means of its own, tried on a sample of at most 10,000. The
        likeliest is fitted to all samples.
    regularisation : float
        Added to every variance, as a share of the data's mean variance: of all values together
        where they are grey levels, and of the column's own where they are numbers, which may have
        any scale. Many pixels are the same in all samples of a cluster; without it each of them
        would decide alone.
    likelihood : {"auto", "bernoulli", "gaussian"}
        Whether values are grey levels between 0 and 1, or numbers; ``auto`` looks at them.
    random_state : int
        Seed.

    Attributes
    ----------
    mixture_ : sklearn.mixture.GaussianMixture
        The fit, around ``centre_``; set by training alone.
    centre_ : ndarray, shape (D,)
    prior_ : FixedMixture
        The same mixture.
    labels_ : ndarray of int64, shape (n,)
        Clusters of the training samples.
    """

    _words = "A Gaussian mixture on the data, by EM"

    n_clusters: int = 10
    restarts: int = 10
    regularisation: float = 0.01
    likelihood: str = "auto"
    random_state: RandomState = 0

    @property
    def latent_size(self) -> int:
        return int(self.n_features_in_)

    @property
    def centre_(self) -> NDArray[np.float32]:
        centre: NDArray[np.float32] = self.prior_.get_buffer("centre").numpy()
        return centre

    def _build_prior(self) -> Prior:
        return FixedMixture(self.n_clusters, self.n_features_in_)

    def _checked(self, X: ArrayLike, y: ArrayLike | None) -> tuple[Samples, None]:
        """The samples around their mean, which the prior keeps once there is one."""
        array = dense(validate_data(self, X, ensure_min_samples=2, order="C", **ACCEPTED))
        self._trainable(array)
        values = array / np.float32(255) if self._grey_levels else np.asarray(as_numbers(array))
        # Around the mean: EM subtracts squares, and float32 far from zero would lose them.
        self._mean = values.mean(axis=0, dtype=np.float64).astype(np.float32)
        return np.asarray(values - self._mean.astype(values.dtype), dtype=np.float32), None

    def _start(self, samples: DeviceSamples) -> Mapping[str, object]:
        assert isinstance(samples, Tensor)
        scale = self._scale_of(samples.numpy())
        points = samples.numpy() / scale
        floor = self.regularisation * float(np.vdot(points, points)) / points.size
        settings: dict[str, Any] = {
            "n_components": self.n_clusters,
            "covariance_type": "diag",
            "reg_covar": max(floor, 1e-12),
            "max_iter": 200,
        }
        few = points
        if len(points) > MIXTURE_SAMPLE:
            rng = np.random.default_rng(self._seed)
            few = points[rng.choice(len(points), MIXTURE_SAMPLE, replace=False)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = FittedMixture(n_init=self.restarts, random_state=self._seed, **settings)
            found.fit(few)
            if few is not points:
                found = FittedMixture(
                    weights_init=found.weights_,
                    means_init=found.means_,
                    precisions_init=found.precisions_,
                    random_state=self._seed,
                    **settings,
                ).fit(points)
        self.labels_ = found.predict(points).astype(np.int64)
        # Back from the scale of EM to the data's.
        found.means_ *= scale
        found.covariances_ *= np.square(scale)
        found.precisions_ /= np.square(scale)
        found.precisions_cholesky_ /= scale
        self.mixture_ = found
        prior = self.prior_
        assert isinstance(prior, FixedMixture)
        parts = (found.weights_, found.means_, found.covariances_, self._mean)
        prior.set_components(*(torch.from_numpy(np.asarray(part)) for part in parts))
        sizes = np.bincount(self.labels_, minlength=self.n_clusters)
        return {
            "method": "data-gmm",
            "cluster_sizes": sizes.tolist(),
            "log_likelihood": float(found.score(samples.numpy())),
        }

    def _scale_of(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each column is divided by for EM, (D,): grey levels share one scale already."""
        if self.likelihood_ == "bernoulli":
            return np.ones(points.shape[1], dtype=np.float32)
        deviations = points.std(axis=0)
        # A column that only rounding moves is constant.
        constant = deviations <= 10 * np.finfo(np.float32).eps * np.abs(self._mean)
        return np.where(constant, np.float32(1), deviations)

    # -- using it -----------------------------------------------------------------------------

    def _embedded(self, samples: Samples) -> NDArray[Any]:
        return self._over_chunks(samples, lambda x: x)

    def _decoded(self, latents: Tensor) -> Tensor:
        return latents.clamp(0, 1) if self.likelihood_ == "bernoulli" else latents

    def loss_terms(
        self, X: ArrayLike, y: ArrayLike | None = None, *, random_state: int = 0
    ) -> dict[str, float]:
        """``density``, ``cluster_kl`` and their sum ``loss``, which is -log p(x); nothing is drawn.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, D)
        y, random_state
            Not used.

        Returns
        -------
        dict of str to float
            Means in nats a sample.
        """
        array = self._ready(X)
        prior = self.prior_
        assert isinstance(prior, FixedMixture)
        loss = density = 0.0
        with torch.inference_mode():
            log_weights = prior.get_buffer("log_weights").double()
            for rows in chunks(array, CHUNK):
                joint = prior.log_joint(as_float(rows))
                gamma = torch.softmax(joint, dim=-1)
                loss -= float(torch.logsumexp(joint, dim=-1).sum())
                density -= float((gamma * (joint - log_weights)).sum())
        n = array.shape[0]
        return {"density": density / n, "cluster_kl": (loss - density) / n, "loss": loss / n}
