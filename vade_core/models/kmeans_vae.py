"""K-means VAE: centres of k-means as the prior, renewed every epoch (Wang, Blair, Belkhale)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.base import ClusterMixin
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import euclidean_distances
from torch import Tensor

from vade_core.initialise import RESTART_SAMPLE
from vade_core.models.base import LatentModel
from vade_core.models.settings import ElboSettings, settings
from vade_core.priors import KMeansCentres, Prior
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase

RESTARTS = 3  # starts of k-means in each epoch; the one with the smallest distances is kept


def renewed_centres(
    latents: NDArray[np.floating],
    n_clusters: int,
    *,
    seed: int,
    previous: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Centres of k-means, in the order of the ones before.

    k-means starts afresh, since from the centres before it would stay with what the untrained
    encoder's latents happened to be sorted into. Its starts are tried on a seeded sample, and the
    best one is carried on with all latents. New centres get the numbers of the ones before so
    that together they have moved least (the assignment problem, solved exactly).

    Parameters
    ----------
    latents : ndarray, shape (n, J)
    n_clusters : int
        K.
    seed : int
    previous : ndarray, shape (K, J)
        The centres before.

    Returns
    -------
    ndarray of float64, shape (K, J)

    Raises
    ------
    ValueError
        If there are fewer samples than clusters.
    """
    z = np.ascontiguousarray(latents, dtype=np.float64)
    if len(z) < n_clusters:
        raise ValueError(f"{len(z)} samples cannot be sorted into {n_clusters} clusters.")
    few = z
    if len(z) > RESTART_SAMPLE:
        few = z[np.random.default_rng(seed).choice(len(z), RESTART_SAMPLE, replace=False)]
    with warnings.catch_warnings():
        # Fewer different latents than clusters: some centres then coincide.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(n_clusters, n_init=RESTARTS, random_state=seed).fit(few)
        if few is not z:
            start = found.cluster_centers_
            found = KMeans(n_clusters, init=start, n_init=1, random_state=seed).fit(z)
    centres = np.asarray(found.cluster_centers_, dtype=np.float64)
    moved = euclidean_distances(np.asarray(previous, dtype=np.float64), centres, squared=True)
    return centres[linear_sum_assignment(moved)[1]]


@settings
class KMeansVAE(ClusterMixin, ElboSettings, LatentModel):
    """VAE with prior N(nearest k-means centre of the latents, I): unsupervised clusters.

    Before every epoch k-means sorts the posterior means of the training samples, the first time
    those of the untrained encoder, and once more after the last. Throughout an epoch the prior of
    a sample is the unit Gaussian around the centre that its posterior mean is nearest to, so that
    the KL pulls the samples of a cluster together and lets clusters drift apart.

    Our reading of the source, where it leaves steps open: which centre is the nearest is decided
    batch by batch, with the centres of the epoch's beginning; centres are matched from epoch to
    epoch, so that cluster numbers stay (:func:`renewed_centres`); the clusters count alike in
    responsibilities and in sampling. The loss has no term for the choice of the cluster, as in
    the source, so ``reconstruction`` + ``latent_kl`` is -ELBO less the log K nats of that choice.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J; 20 is Wang's.
    hidden, likelihood, observation_variance, n_draws, epochs, batch_size, learning_rate, decay, \
decay_every, learning_rate_floor, adam_eps, reconstruction_weight, kl_weight, random_state, \
device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    n_clusters: int = 10
    latent_dim: int = 20

    def _build_prior(self) -> Prior:
        return KMeansCentres(self.n_clusters, self.latent_dim)

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        words = "Training the K-means VAE"
        renew = partial(self._renew_centres, samples)
        return [self._training_phase("train", words, self.epochs, before_epoch=renew)]

    def _renew_centres(self, samples: DeviceSamples, epoch: int) -> None:
        self.update_clusters(self._trained_latents(samples))

    def update_clusters(self, latents: NDArray[Any]) -> None:
        """Renew the centres, as the next epoch will: clusters are those of the latents as they are.

        Parameters
        ----------
        latents : ndarray, shape (n, J)
            Posterior means of the training samples.
        """
        super().update_clusters(latents)
        prior = self.prior_
        assert isinstance(prior, KMeansCentres)
        # One seed for all epochs: asked twice about the same latents, k-means answers the same.
        before = prior.components()[1].cpu().numpy()
        centres = renewed_centres(latents, self.n_clusters, seed=self._seed, previous=before)
        prior.set_centres(torch.as_tensor(centres, dtype=torch.float32))

    def _after_fit(self, samples: Samples) -> None:
        super()._after_fit(samples)
        self.labels_ = self.predict(samples)

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        super()._restoring(tensors)
        self.n_clusters = int(np.shape(tensors["prior.means"])[0])
