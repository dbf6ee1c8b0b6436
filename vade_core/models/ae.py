"""AE: an autoencoder, trained to reconstruct and for nothing else."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vade_core.models.fitted_clusters import FittedClusters
from vade_core.models.settings import NetworkSettings, settings
from vade_core.networks import LOG_VARIANCE_BOUND, Networks, unbounded_log_variance
from vade_core.priors import LatentMoments, Prior, Terms
from vade_core.samples import DeviceSamples
from vade_core.training import Phase


@settings
class AE(NetworkSettings, FittedClusters):
    """Autoencoder: a sample is encoded as a point, and decoded again.

    It has no prior. So that it can be sampled all the same, ``prior_`` is one Gaussian with the
    means and variances of its latents, which nothing in training drew near to it: samples show
    what an autoencoder's latent space holds between the data. No cluster can be asked for. As
    for the VAE, a mixture fitted to the latents afterwards assigns clusters.

    The encoder's second output, a VAE's log-variance, is held at its least: the posterior is a
    point as nearly as it can be. The one term of the loss is ``reconstruction``, -log p(x|z) at
    z = g(x) without a draw; ``score`` is minus that, and no ELBO.

    Parameters
    ----------
    n_clusters, latent_dim, hidden, likelihood, observation_variance, epochs, batch_size, \
learning_rate, decay, decay_every, learning_rate_floor, adam_eps, random_state, device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    clusters_ : GaussianMixture
        The mixture fitted afterwards.
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    n_clusters: int = 10
    observation_variance: str = "shared"

    _scores_samples = False

    @torch.no_grad()
    def _build_networks(self, n_features: int) -> Networks:
        networks = super()._build_networks(n_features)
        assert isinstance(networks, Networks)
        head = networks.encoder.log_variance
        head.weight.zero_()
        head.bias.copy_(unbounded_log_variance(torch.full_like(head.bias, -LOG_VARIANCE_BOUND)))
        return networks

    def _build_prior(self) -> Prior:
        return LatentMoments(self.latent_dim)

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [self._training_phase("train", "Training the autoencoder", self.epochs)]

    def _parameters(self) -> list[nn.Parameter]:
        encoder = self.networks_.encoder
        return [
            *encoder.body.parameters(),
            *encoder.mean.parameters(),
            *self.networks_.decoder.parameters(),
        ]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        """``reconstruction`` alone, (n,), in nats a sample; nothing is drawn."""
        code = self.networks_.encoder(x).mean
        return {"reconstruction": self.negative_log_likelihood(x, code)}

    def _weight(self, term: str) -> float:
        return 1.0

    def update_clusters(self, latents: NDArray[Any]) -> None:
        super().update_clusters(latents)
        prior = self.prior_
        assert isinstance(prior, LatentMoments)
        prior.set_moments(torch.as_tensor(latents, device=self._device))
