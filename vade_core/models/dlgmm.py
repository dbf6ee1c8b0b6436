"""DLGMM: a mixture of Gaussians as the posterior and as the prior (Nalisnick et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin
from torch import Tensor, nn

from vade_core import mixture
from vade_core.draws import normal
from vade_core.models.base import LatentModel
from vade_core.models.settings import ElboSettings, settings
from vade_core.networks import bounded_log_variance, hidden_layers
from vade_core.priors import Prior, Terms, UnitGaussians
from vade_core.samples import DeviceSamples, Samples
from vade_core.stick_breaking import KumaraswamyHeads, StickPosterior, dirichlet_fractions
from vade_core.training import Phase


class MixturePosterior:
    """q(z|x): K Gaussians, means and log-variances (n, K, J), and the posterior of their weights.

    Parameters
    ----------
    means, log_variances : Tensor, shape (n, K, J)
    sticks : StickPosterior
        Of the K weights.
    """

    def __init__(self, means: Tensor, log_variances: Tensor, sticks: StickPosterior) -> None:
        self.means = means
        self.log_variances = log_variances
        self.sticks = sticks

    @property
    def mean(self) -> Tensor:
        """Mean of the heaviest Gaussian, (n, J); the mixture's own mean lies between them."""
        return self._heaviest(self.means)

    @property
    def log_variance(self) -> Tensor:
        """Log-variance of the heaviest Gaussian, (n, J)."""
        return self._heaviest(self.log_variances)

    def _heaviest(self, values: Tensor) -> Tensor:
        chosen = self.sticks.mean.argmax(-1)[:, None, None]
        return values.gather(1, chosen.expand(-1, 1, values.shape[-1])).squeeze(1)


class MixtureEncoder(nn.Module):
    """g(x): K Gaussian heads and the weights' posterior, on one body.

    Parameters
    ----------
    n_features : int
        D.
    hidden : sequence of int
        Widths of the hidden layers, from the data inwards.
    latent_dim : int
        J.
    alpha, beta : Tensor, shape (K - 1,)
        Of the fractions' prior, where the weights' posterior begins.
    """

    def __init__(
        self, n_features: int, hidden: Sequence[int], latent_dim: int, alpha: Tensor, beta: Tensor
    ) -> None:
        super().__init__()
        self.body = hidden_layers([n_features, *hidden])
        width = hidden[-1] if hidden else n_features
        self.shape = (len(alpha) + 1, latent_dim)
        self.mean = nn.Linear(width, self.shape[0] * latent_dim)
        self.log_variance = nn.Linear(width, self.shape[0] * latent_dim)
        self.sticks = KumaraswamyHeads(width, alpha, beta)

    def forward(self, x: Tensor) -> MixturePosterior:
        features = self.body(x)
        mean, raw = self.mean(features), self.log_variance(features)
        if mean.dtype is torch.bfloat16:  # the losses are computed in float32
            mean, raw = mean.float(), raw.float()
        return MixturePosterior(
            mean.unflatten(-1, self.shape),
            bounded_log_variance(raw).unflatten(-1, self.shape),
            self.sticks(features),
        )


class DirichletGaussians(UnitGaussians):
    """K Gaussians N(mu_c, I) with fixed means, their weights from a symmetric Dirichlet.

    The weights are a sample's own, pi ~ Dir(alpha, ..., alpha): a stick broken with fractions
    Beta(alpha, (K - c) alpha). With pi integrated out it is a mixture with equal weights, and
    that is what is sampled and what assigns.

    The means lie at right angles to each other where there is room (K <= J), otherwise in random
    directions, all at one distance from the origin.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    separation : float
        Distance of the means from the origin.
    concentration : float
        alpha.
    """

    def __init__(
        self, n_clusters: int, latent_dim: int, separation: float, concentration: float
    ) -> None:
        directions = torch.randn(latent_dim, n_clusters)
        if n_clusters <= latent_dim:
            directions = torch.linalg.qr(directions).Q
        super().__init__(separation * F.normalize(directions.T, dim=1))
        alpha, beta = dirichlet_fractions(n_clusters, concentration)
        self.register_buffer("alpha", alpha)
        self.register_buffer("beta", beta)


@settings
class DLGMM(ClusterMixin, ElboSettings, LatentModel):
    """Deep latent Gaussian mixture model.

    After Nalisnick, Hertel and Smyth, *Approximate Inference for Deep Latent Gaussian Mixtures*
    (NIPS workshop on Bayesian deep learning, 2016). Generation: pi ~ Dir(alpha), c ~ Cat(pi),
    z ~ N(mu_c, I) with fixed mu_c, x ~ p(x|z). Inference: the encoder gives K Gaussians
    q_c(z|x) and the Kumaraswamy posterior of the stick-breaking weights pi. Every Gaussian is
    drawn from and decoded, and its reconstruction counts by its weight, so no draw of c is
    needed.

    The published text is short, and this is our reading of it:

    - **Objective.** sum_c E[pi_c] (-log p(x|z_c) + KL(q_c || p_c)) + KL(q(pi|x) || p(pi)). The
      expectation over pi is exact, since it enters linearly. The paper subtracts the entropy of
      the mixture q(z|x), estimated by a draw; here stands the smaller mean entropy of its
      Gaussians, which has a closed form. The result is a lower bound on log p(x) all the same:
      c is a latent variable with q(c|pi) = p(c|pi), and that term is 0. The divergence of the
      weights is the stick-breaking VAE's, whose series is cut after ten terms; here an estimate
      of the rest is added, see :mod:`vade_core.stick_breaking`.
    - **Prior means.** They are fixed, as in the authors' published code, which puts them on one
      line, close together. Here they lie at right angles at a distance ``separation`` from the
      origin, so that no component has more neighbours than another.
    - **Weights' prior.** A symmetric Dirichlet, the finite one of the two mixtures in the paper,
      whose weights do not fall with the number of the component. With alpha = 1, as in the
      published code, and 10 components, a weight of 0.9 costs a sample 19 nats, and none has
      one; with the default here it costs 3.
    - **A sample's latents**, where one point is asked for, are the mean of its heaviest Gaussian.

    A step decodes every sample K times, so an epoch takes several times as long as a VAE's.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    separation : float
        Distance of the fixed prior means from the origin, in standard deviations.
    concentration : float
        alpha of the weights' Dirichlet prior.
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
    separation: float = 2.0
    concentration: float = 0.1

    def _build_prior(self) -> Prior:
        return DirichletGaussians(
            self.n_clusters, self.latent_dim, self.separation, self.concentration
        )

    def _build_networks(self, n_features: int) -> nn.Module:
        if self.concentration <= 0:
            raise ValueError(f"concentration must be above 0, not {self.concentration:g}.")
        networks: Any = super()._build_networks(n_features)
        fractions = dirichlet_fractions(self.n_clusters, self.concentration)
        networks.encoder = MixtureEncoder(n_features, self.hidden, self.latent_dim, *fractions)
        return networks

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [self._training_phase("train", "Training the mixture model", self.epochs)]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        """The terms of -ELBO, unweighted, in nats a sample.

        Returns
        -------
        dict of str to Tensor, each (n,)
            ``reconstruction`` and ``latent_kl``, expected over the components, and
            ``cluster_kl``, KL(q(pi|x) || p(pi)).
        """
        found: Any = self.networks_.encoder(x)
        noise = normal(generator, (self.n_draws, *found.means.shape), found.means.dtype)
        z = found.means + torch.exp(0.5 * found.log_variances) * noise
        decoder = self.networks_.decoder
        # Components before samples: a shared x then meets the decoder's (L, K, n, D).
        location, log_variance = decoder(z.transpose(1, 2))
        likelihood = decoder.negative_log_likelihood(location, log_variance, x).mean(0).T
        means = self.prior_.get_buffer("means")
        of_each = mixture.kl_to_standard_normal(found.means - means, found.log_variances)
        weights = found.sticks.mean
        alpha, beta = self.prior_.get_buffer("alpha"), self.prior_.get_buffer("beta")
        return {
            "reconstruction": (weights * likelihood).sum(-1),
            "latent_kl": (weights * of_each).sum(-1),
            "cluster_kl": found.sticks.kl_to_beta(alpha, beta, with_rest=True),
        }

    def posterior(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and log-variance of the heaviest Gaussian of q(z|x), each (n, J)."""
        array = self._ready(X)
        encoder: Any = self._in_dtype(self.networks_.encoder, array.dtype)

        def heaviest(x: Tensor) -> Tensor:
            found = encoder(x)
            return torch.cat([found.mean, found.log_variance], dim=1)

        both = self._over_chunks(array, heaviest)
        return both[:, : self.latent_dim], both[:, self.latent_dim :]

    def _after_fit(self, samples: Samples) -> None:
        super()._after_fit(samples)
        self.labels_ = self.predict(samples)

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        self.n_clusters = int(tensors["prior.means"].shape[0])
