"""Clusters for models that have none: a mixture fitted to the latents, afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClusterMixin
from torch import Tensor, nn

from vade_core.initialise import spherical_mixture
from vade_core.models.base import LatentModel
from vade_core.priors import GaussianMixture, Prior
from vade_core.samples import Samples


class FittedClusters(ClusterMixin, LatentModel):
    """Base of the models without clusters of their own.

    So that they can be compared, a seeded mixture of round Gaussians is fitted to the latents
    after training, and assigns clusters; it has no part in training or sampling. A subclass has
    a parameter ``n_clusters``. One that replaces :meth:`_assemble` altogether calls
    :meth:`_build_clusters` there, and one that replaces :meth:`_modules` adds ``clusters``.

    Attributes
    ----------
    clusters_ : GaussianMixture
        The mixture, over latents of width :attr:`latent_size`.
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    n_clusters: int

    def _assemble(self, n_features: int) -> None:
        super()._assemble(n_features)
        self._build_clusters()

    def _build_clusters(self) -> None:
        """The mixture before its first fit, leaving the CPU's random state alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            self.clusters_ = GaussianMixture(self.n_clusters, self.latent_size).to(self._device)

    def assigning_prior(self) -> Prior:
        return self.clusters_

    def update_clusters(self, latents: NDArray[Any]) -> None:
        super().update_clusters(latents)
        found = spherical_mixture(latents, self.n_clusters, seed=self._seed, restarts=3)
        device = self._device
        self.clusters_.set_components(
            torch.as_tensor(found.weights, dtype=torch.float32, device=device),
            torch.as_tensor(found.means, dtype=torch.float32, device=device),
            torch.as_tensor(found.variances, dtype=torch.float32, device=device),
        )

    def _after_fit(self, samples: Samples) -> None:
        super()._after_fit(samples)
        self.labels_ = self.predict(samples)

    def _modules(self) -> dict[str, nn.Module]:
        return {**super()._modules(), "clusters": self.clusters_}

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        super()._restoring(tensors)
        self.n_clusters = int(np.shape(tensors["clusters.means"])[0])
