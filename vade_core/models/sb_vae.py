"""SB-VAE: latents that are the weights of a broken stick (Nalisnick and Smyth, ICLR 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from vade_core.models.settings import settings
from vade_core.models.vae import VAE
from vade_core.networks import hidden_layers
from vade_core.priors import Prior, Terms
from vade_core.samples import DeviceSamples
from vade_core.stick_breaking import (
    KumaraswamyHeads,
    StickBreaking,
    StickPosterior,
    endless_fractions,
)
from vade_core.training import Phase


class StickEncoder(nn.Module):
    """g(x): the posterior of the stick's weights.

    Parameters
    ----------
    n_features : int
        D.
    hidden : sequence of int
        Widths of the hidden layers, from the data inwards.
    alpha, beta : Tensor, shape (J - 1,)
        Of the fractions' prior, where the posterior begins.
    """

    def __init__(self, n_features: int, hidden: Sequence[int], alpha: Tensor, beta: Tensor) -> None:
        super().__init__()
        self.body = hidden_layers([n_features, *hidden])
        width = hidden[-1] if hidden else n_features
        self.sticks = KumaraswamyHeads(width, alpha, beta)

    def forward(self, x: Tensor) -> StickPosterior:
        found: StickPosterior = self.sticks(self.body(x))
        return found


@settings
class SBVAE(VAE):
    """Stick-breaking variational autoencoder (arXiv 1605.06197, section 4).

    A sample's latents are J weights pi that add up to 1, pi_k = v_k (1 - v_1) ... (1 - v_(k-1)),
    and the decoder takes these weights. The prior of a fraction v is Beta(1, alpha), its
    posterior Kumaraswamy's with shapes out of the encoder; their divergence is the paper's, with
    ten terms of its Taylor series. The paper's stick is endless and cut at a truncation level:
    here that is J, and the last weight is what remains.

    Not in the paper: the posterior starts at the prior, and the decoder's first layer with larger
    weights than usual. On small pictures the posterior otherwise never leaves the prior.

    :meth:`transform` gives the posterior's mean E[pi], which is exact. Which weights are large
    says how many of them the data need; it is no cluster. As for the VAE, a mixture of Gaussians
    fitted to the latents afterwards assigns clusters.

    Parameters
    ----------
    latent_dim : int
        J, 2 or more; 50 in the authors' published code.
    concentration : float
        alpha; 5 in the authors' published code.
    n_clusters : int
        K of the mixture fitted afterwards.
    hidden, likelihood, observation_variance, n_draws, epochs, batch_size, learning_rate, decay, \
decay_every, learning_rate_floor, adam_eps, reconstruction_weight, kl_weight, random_state, \
device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    clusters_ : GaussianMixture
        The mixture fitted afterwards.
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    latent_dim: int = 50
    concentration: float = 5.0

    def _build_prior(self) -> Prior:
        return StickBreaking(self.latent_dim, self.concentration)

    def _build_networks(self, n_features: int) -> nn.Module:
        if self.latent_dim < 2 or self.concentration <= 0:
            raise ValueError(
                "A stick is broken into 2 weights or more, with a concentration above 0: "
                f"latent_dim is {self.latent_dim}, concentration {self.concentration:g}."
            )
        networks: Any = super()._build_networks(n_features)
        fractions = endless_fractions(self.latent_dim, self.concentration)
        networks.encoder = StickEncoder(n_features, self.hidden, *fractions)
        # Weights of a stick are small numbers. At the usual starting values the decoder would
        # hardly see them, and the posterior would be the prior before it has said anything: so
        # they reach its first layer as strongly as a VAE's normal latents do.
        _, _, log_variances = StickBreaking(self.latent_dim, self.concentration).components()
        first = next(part for part in networks.decoder.modules() if isinstance(part, nn.Linear))
        with torch.no_grad():
            first.weight.mul_(torch.sqrt(self.latent_dim / log_variances.exp().sum()))
        return networks

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [self._training_phase("train", "Training the stick-breaking VAE", self.epochs)]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        sticks: Any = self.networks_.encoder(x)
        decoder = self.networks_.decoder
        location, log_variance = decoder(sticks.sample(self.n_draws, generator))
        likelihood = decoder.negative_log_likelihood(location, log_variance, x)
        alpha, beta = self.prior_.get_buffer("alpha"), self.prior_.get_buffer("beta")
        divergence = sticks.kl_to_beta(alpha, beta)
        return {"reconstruction": likelihood.mean(0), "latent_kl": divergence}

    def posterior(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and log-variance of each weight under q(pi|x), each (n, J)."""
        array = self._ready(X)
        encoder: Any = self._in_dtype(self.networks_.encoder, array.dtype)

        def moments(x: Tensor) -> Tensor:
            sticks = encoder(x)
            return torch.cat([sticks.mean, sticks.variances().log()], dim=1)

        both = self._over_chunks(array, moments)
        mean, log_variance = np.split(both, 2, axis=1)
        return mean, log_variance
