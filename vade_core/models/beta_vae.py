"""beta-VAE: a VAE whose divergence counts beta times (Higgins et al., ICLR 2017)."""

from __future__ import annotations

from dataclasses import field

from vade_core.models.settings import settings
from vade_core.models.vae import VAE


@settings
class BetaVAE(VAE):
    """VAE that minimises reconstruction + beta * KL (Higgins et al., eq. 4).

    Above 1, beta asks for a latent space nearer to N(0, I) at the price of the reconstruction.
    ``score`` is the ELBO all the same: there the KL counts once.

    Parameters
    ----------
    beta : float
        5 as Wang, Blair and Belkhale have it.
    latent_dim : int
        J; 20 is Wang's.
    n_clusters, hidden, likelihood, observation_variance, n_draws, epochs, batch_size, \
learning_rate, decay, decay_every, learning_rate_floor, adam_eps, random_state, device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    clusters_ : GaussianMixture
        The mixture fitted afterwards.
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    beta: float = 5.0
    latent_dim: int = 20
    # beta is the only weight here.
    reconstruction_weight: float = field(init=False)
    kl_weight: float = field(init=False)

    def _weight(self, term: str) -> float:
        return 1.0 if term == "reconstruction" else self.beta
