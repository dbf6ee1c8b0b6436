"""GMVAE: clusters that a style moves about (Dilokthanakul et al. 2016, arXiv 1611.02648)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from sklearn.base import ClusterMixin
from torch import Tensor, nn

from vade_core import mixture
from vade_core.models.base import LatentModel
from vade_core.models.settings import ElboSettings, settings
from vade_core.networks import Encoder, Posterior, bounded_log_variance, sample_posterior
from vade_core.priors import Prior, Terms
from vade_core.samples import DeviceSamples, Samples
from vade_core.style_mixture import StyleMixture
from vade_core.training import Phase

# Where a learnt observation variance begins. At 1, that of standardised samples themselves,
# explaining nothing is a trap: latents and clusters fall to their priors before they are of use.
FIRST_VARIANCE = 0.05


class StyleEncoder(Encoder):
    """q(z|x) q(w|x): an encoder with a second pair of heads, for the style.

    Parameters
    ----------
    n_features, hidden, latent_dim
        As for :class:`vade_core.networks.Encoder`.
    style_dim : int
        Dimensions of w.
    """

    def __init__(
        self, n_features: int, hidden: Sequence[int], latent_dim: int, style_dim: int
    ) -> None:
        super().__init__(n_features, hidden, latent_dim)
        width = self.mean.in_features
        self.style_mean = nn.Linear(width, style_dim)
        self.style_log_variance = nn.Linear(width, style_dim)

    def both(self, x: Tensor) -> tuple[Posterior, Posterior]:
        """Parameters of q(z|x), (n, J), and of q(w|x), (n, W)."""
        features = self.body(x)
        heads = (self.mean, self.log_variance, self.style_mean, self.style_log_variance)
        found = [head(features) for head in heads]
        if features.dtype is torch.bfloat16:
            found = [values.float() for values in found]
        z_mean, z_spread, w_mean, w_spread = found
        return (
            Posterior(z_mean, bounded_log_variance(z_spread)),
            Posterior(w_mean, bounded_log_variance(w_spread)),
        )


@settings
class GMVAE(ClusterMixin, ElboSettings, LatentModel):
    """Gaussian mixture VAE of Dilokthanakul et al., as Orbay (2020) used it.

    Generation: w ~ N(0, I), c ~ Cat(1 / K), z ~ N(mu_c(w), diag(sigma_c^2(w))), x ~ p(x|z). The
    cluster decides what a sample is, the style w how it is written. Inference is factorised as
    q(z|x) q(w|x) p(c|z,w): the first two are Gaussians out of one encoder, independent given x,
    and the third is Bayes' theorem, no network.

    -ELBO has four terms: ``reconstruction``; ``latent_kl``, the conditional prior term
    E_q(w|x) sum_c p(c|z,w) KL(q(z|x) || N(mu_c(w), sigma_c^2(w))); ``w_kl``,
    KL(q(w|x) || N(0, I)); and ``cluster_kl``, E KL(p(c|z,w) || Cat(1 / K)). The last one draws
    all clusters together. Under the minimum-information constraint it is therefore
    ignored until it exceeds ``minimum_information``: what is minimised has
    max(minimum_information, cluster_kl) in its place. The term itself is reported as it is, and
    ``cluster_shortfall`` is what it lacks to the threshold, so that the named terms add up to
    the loss. Both are means over a batch.

    The conditional prior term takes the cluster of one draw of z and the divergence of all of
    q(z|x), as the paper does: strictly that is the bound of a c that is independent of z given w,
    and the sum of the terms is a little above the tightest one.

    A learnt variance of the observations begins at 0.05, not at the samples' own: see
    ``FIRST_VARIANCE``.

    The paper gives p(c|z,w). Where only z is known, as in :meth:`predict_proba`, w is integrated
    out by draws that are kept with the weights, see :class:`vade_core.style_mixture.StyleMixture`.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    style_dim : int
        Dimensions of w; Orbay's 2.
    minimum_information : float
        The threshold, in nats. log K is the most that ``cluster_kl`` can be, at certain and
        evenly used clusters; a threshold above it leaves the term out for good.
    hidden, likelihood, observation_variance, n_draws, epochs, batch_size, learning_rate, decay, \
decay_every, learning_rate_floor, adam_eps, reconstruction_weight, kl_weight, random_state, \
device, precision
        As for :class:`vade_core.models.VAE`; ``n_draws`` are draws of z and w together.

    Attributes
    ----------
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    n_clusters: int = 10
    style_dim: int = 2
    minimum_information: float = 1.5

    def _build_prior(self) -> Prior:
        return StyleMixture(self.n_clusters, self.latent_dim, self.style_dim)

    def _build_networks(self, n_features: int) -> nn.Module:
        networks: Any = super()._build_networks(n_features)
        networks.encoder = StyleEncoder(n_features, self.hidden, self.latent_dim, self.style_dim)
        shared = networks.decoder.shared_log_variance
        if shared is not None:
            nn.init.constant_(shared, math.log(FIRST_VARIANCE))
        return networks

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [self._training_phase("train", "Training the GMVAE", self.epochs)]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        """The terms of -ELBO, unweighted, in nats a sample.

        Returns
        -------
        dict of str to Tensor, each (n,)
            ``reconstruction``, ``latent_kl``, ``w_kl`` and ``cluster_kl``. Their sum is expected
            to be no less than -log p(x).
        """
        encoder, decoder, prior = self.networks_.encoder, self.networks_.decoder, self.prior_
        assert isinstance(encoder, StyleEncoder)
        assert isinstance(prior, StyleMixture)
        of_z, of_w = encoder.both(x)
        z = sample_posterior(of_z, self.n_draws, generator)
        w = sample_posterior(of_w, self.n_draws, generator)
        location, log_variance = decoder(z)
        likelihood = decoder.negative_log_likelihood(location, log_variance, x)
        means, log_variances = prior.given(w)
        log_gamma = prior.log_responsibilities_given(z, means, log_variances)
        to_clusters = mixture.kl_to_components(*of_z, means, log_variances)
        return {
            "reconstruction": likelihood.mean(0),
            "latent_kl": (log_gamma.exp() * to_clusters).sum(-1).mean(0),
            "w_kl": mixture.kl_to_standard_normal(*of_w),
            "cluster_kl": mixture.categorical_kl(log_gamma, prior.log_weights).mean(0),
        }

    def _objective(self, terms: Terms) -> dict[str, Tensor]:
        """Means of the terms, what ``cluster_kl`` lacks to the threshold, and the ``loss``."""
        found = super()._objective(terms)
        loss = found.pop("loss")
        lacking = (self.minimum_information - found["cluster_kl"]).clamp_min(0.0)
        return {**found, "cluster_shortfall": lacking, "loss": loss + self.kl_weight * lacking}

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """ELBO in nats a sample, without the threshold; its draws are seeded."""
        terms = self.loss_terms(X)
        return -sum(terms[name] for name in ("reconstruction", "latent_kl", "w_kl", "cluster_kl"))

    def _after_fit(self, samples: Samples) -> None:
        super()._after_fit(samples)
        self.labels_ = self.predict(samples)

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        self.n_clusters = len(tensors["prior.mean.bias"]) // self.latent_dim
