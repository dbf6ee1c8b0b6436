"""VAE: a standard normal prior (Kingma and Welling, *Auto-Encoding Variational Bayes*)."""

from __future__ import annotations

from torch import Tensor

from vade_core.models.fitted_clusters import FittedClusters
from vade_core.models.settings import ElboSettings, settings
from vade_core.priors import Prior, StandardNormal
from vade_core.samples import DeviceSamples
from vade_core.training import Phase


@settings
class VAE(ElboSettings, FittedClusters):
    """Variational autoencoder with prior N(0, I).

    It has no clusters of its own. So that it can be compared, a seeded Gaussian mixture with
    diagonal covariances is fitted to its posterior means after training, and assigns clusters.

    Parameters
    ----------
    n_clusters : int
        K of the mixture fitted afterwards.
    latent_dim : int
        J.
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    likelihood : {"auto", "bernoulli", "gaussian"}
        p(x|z); ``auto`` takes Bernoulli where all values lie in [0, 1].
    observation_variance : {"shared", "decoder", "fixed"}
        Of a Gaussian likelihood: learnt and one for all, out of the decoder, or 1.
    n_draws : int
        L, Monte Carlo samples of z a sample.
    epochs, batch_size : int
    learning_rate : float
        Adam's, times ``decay`` every ``decay_every`` epochs, not below ``learning_rate_floor``.
    adam_eps : float
    reconstruction_weight, kl_weight : float
        Factors on the terms of -ELBO; a ``kl_weight`` other than 1 makes it a beta-VAE.
    random_state : int
        Seed.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    precision : {"auto", "fp32", "bf16"}
        Of the networks' products in training; ``auto`` measures which is faster.

    Attributes
    ----------
    clusters_ : GaussianMixture
        The mixture fitted afterwards.
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    n_clusters: int = 10

    def _build_prior(self) -> Prior:
        return StandardNormal(self.latent_dim)

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [self._training_phase("train", "Training the VAE", self.epochs)]
