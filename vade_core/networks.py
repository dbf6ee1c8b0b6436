"""Encoder and decoder: the two networks that every model of the VAE family shares.

The VaDE paper uses fully connected networks D-500-500-2000-J and their mirror image
(Jiang et al. 2017, section 4.2).  Sizes are free here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vade_core.draws import Source, normal

Observation = Literal["bernoulli", "gaussian"]
ObservationVariance = Literal["shared", "decoder", "fixed"]

# exp(+-10) spans every variance that float32 training survives; beyond it the KL terms overflow.
LOG_VARIANCE_BOUND = 10.0


def bounded_log_variance(raw: Tensor) -> Tensor:
    """Squeeze log-variances smoothly into (-10, 10), close to the identity near zero.

    A hard clamp would stop the gradient at the bound; this never does.

    Parameters
    ----------
    raw : Tensor
        Unbounded log-variances, any shape.

    Returns
    -------
    Tensor
        Same shape, every value within ``LOG_VARIANCE_BOUND`` of zero.
    """
    return LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND)


def unbounded_log_variance(log_variance: Tensor) -> Tensor:
    """Inverse of :func:`bounded_log_variance`; values at the bound are drawn just inside it."""
    share = (log_variance / LOG_VARIANCE_BOUND).clamp(-0.999, 0.999)
    return LOG_VARIANCE_BOUND * torch.atanh(share)


def hidden_layers(sizes: Sequence[int]) -> nn.Sequential:
    """Fully connected layers with ReLU: ``sizes[0] -> ... -> sizes[-1]``."""
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(sizes):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    return nn.Sequential(*layers)


class Posterior(NamedTuple):
    """Parameters of q(z|x) = N(mean, diag(exp(log_variance))), each (n, J), in float32."""

    mean: Tensor
    log_variance: Tensor


class Encoder(nn.Module):
    """g(x): the mean and the log-variance of q(z|x) (VaDE paper, eq. 10).

    Parameters
    ----------
    n_features : int
        D, the number of values of a sample.
    hidden : sequence of int
        Widths of the hidden layers, from the data inwards.
    latent_dim : int
        J, the size of the latent space.
    """

    def __init__(self, n_features: int, hidden: Sequence[int], latent_dim: int) -> None:
        super().__init__()
        self.body = hidden_layers([n_features, *hidden])
        width = hidden[-1] if hidden else n_features
        self.mean = nn.Linear(width, latent_dim)
        self.log_variance = nn.Linear(width, latent_dim)

    def forward(self, x: Tensor) -> Posterior:
        """Map samples (n, D) to the posterior's parameters."""
        features = self.body(x)
        mean, raw = self.mean(features), self.log_variance(features)
        if mean.dtype is torch.bfloat16:  # the losses are computed in float32
            mean, raw = mean.float(), raw.float()
        return Posterior(mean, bounded_log_variance(raw))


class Decoder(nn.Module):
    """f(z): the parameters of p(x|z), and the reconstruction term that goes with them.

    Parameters
    ----------
    latent_dim : int
        J, the size of the latent space.
    hidden : sequence of int
        Widths of the hidden layers, from the latent space outwards.
    n_features : int
        D, the number of values of a sample.
    observation : {"bernoulli", "gaussian"}
        The likelihood p(x|z).
    observation_variance : {"shared", "decoder", "fixed"}
        For the Gaussian: one learnt variance for all features, a variance for each feature and
        sample out of the decoder as in the paper, or 1.
    """

    def __init__(
        self,
        latent_dim: int,
        hidden: Sequence[int],
        n_features: int,
        observation: Observation = "bernoulli",
        observation_variance: ObservationVariance = "shared",
    ) -> None:
        super().__init__()
        self.observation = observation
        self.body = hidden_layers([latent_dim, *hidden])
        width = hidden[-1] if hidden else latent_dim
        self.mean = nn.Linear(width, n_features)
        self.variance_head: nn.Linear | None = None
        self.shared_log_variance: nn.Parameter | None = None
        if observation == "gaussian" and observation_variance == "decoder":
            self.variance_head = nn.Linear(width, n_features)
        elif observation == "gaussian" and observation_variance == "shared":
            self.shared_log_variance = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map latents (..., J) to logits or means (..., D) and log-variances, or None."""
        features = self.body(z)
        location = self.mean(features)
        if self.variance_head is not None:
            log_variance: Tensor | None = bounded_log_variance(self.variance_head(features))
        elif self.shared_log_variance is not None:
            log_variance = bounded_log_variance(self.shared_log_variance)
        else:
            log_variance = None
        return location, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x|z), (..., D): grey levels in [0, 1] for the Bernoulli."""
        location, _ = self(z)
        return torch.sigmoid(location) if self.observation == "bernoulli" else location

    def negative_log_likelihood(
        self, location: Tensor, log_variance: Tensor | None, x: Tensor
    ) -> Tensor:
        """-log p(x|z) of what ``forward`` returned, in nats a sample.

        The Bernoulli term is the cross-entropy of the VaDE paper's eq. 13, the Gaussian one is
        the negative log-density with its constant, so that likelihoods can be compared.

        Parameters
        ----------
        location : Tensor, shape (..., n, D)
            Logits or means.
        log_variance : Tensor or None
            Log-variances that broadcast against ``location``; None stands for a variance of 1.
        x : Tensor, shape (n, D)
            The samples, in [0, 1] for the Bernoulli.

        Returns
        -------
        Tensor, shape (..., n)
        """
        if location.dtype is torch.bfloat16:
            location = location.float()
        x = x.expand_as(location)
        if self.observation == "bernoulli":
            return F.binary_cross_entropy_with_logits(location, x, reduction="none").sum(-1)
        if log_variance is None:
            log_variance = location.new_zeros(())
        log_variance = log_variance.to(location.dtype)
        squared = (x - location) ** 2 * torch.exp(-log_variance)
        constant = torch.log(location.new_full((), 2.0 * torch.pi))
        return 0.5 * (squared + log_variance + constant).sum(-1)


class Networks(nn.Module):
    """An encoder and the decoder that mirrors it.

    Parameters
    ----------
    n_features, hidden, latent_dim, observation, observation_variance
        See :class:`Encoder` and :class:`Decoder`.
    """

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int] = (500, 500, 2000),
        latent_dim: int = 10,
        observation: Observation = "bernoulli",
        observation_variance: ObservationVariance = "shared",
    ) -> None:
        super().__init__()
        self.encoder = Encoder(n_features, hidden, latent_dim)
        self.decoder = Decoder(
            latent_dim, tuple(reversed(hidden)), n_features, observation, observation_variance
        )


def sample_posterior(posterior: Posterior, n_draws: int, generator: Source) -> Tensor:
    """Draw z = mean + sigma * epsilon, the reparameterisation trick (VaDE paper, eq. 14).

    Parameters
    ----------
    posterior : Posterior
        Parameters, each (n, J).
    n_draws : int
        L, the number of Monte Carlo samples.
    generator : torch.Generator, or what stands in for one
        Source of epsilon, see :mod:`vade_core.draws`.

    Returns
    -------
    Tensor, shape (L, n, J)
    """
    mean, log_variance = posterior
    noise = normal(generator, (n_draws, *mean.shape), mean.dtype)
    return mean + torch.exp(0.5 * log_variance) * noise
