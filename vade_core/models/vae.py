"""VAE: a standard normal prior (Kingma and Welling, *Auto-Encoding Variational Bayes*)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from vade_core.models.fitted_clusters import FittedClusters
from vade_core.models.settings import settings
from vade_core.priors import Prior, StandardNormal
from vade_core.samples import DeviceSamples
from vade_core.training import Phase


@settings
class VAE(FittedClusters):
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
    latent_dim: int = 10
    hidden: Sequence[int] = (500, 500, 2000)
    likelihood: str = "auto"
    observation_variance: str = "shared"
    n_draws: int = 1
    epochs: int = 30
    batch_size: int = 256
    learning_rate: float = 1e-3
    decay: float = 1.0
    decay_every: int = 10
    learning_rate_floor: float = 0.0
    adam_eps: float = 1e-8
    reconstruction_weight: float = 1.0
    kl_weight: float = 1.0
    random_state: int | None = 0
    device: str = "auto"
    precision: str = "auto"

    def _build_prior(self) -> Prior:
        return StandardNormal(self.latent_dim)

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [self._training_phase("train", "Training the VAE", self.epochs)]
