"""beta-VAE: a VAE whose divergence counts beta times (Higgins et al., ICLR 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from vade_core.models.vae import VAE


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

    def __init__(
        self,
        *,
        beta: float = 5.0,
        n_clusters: int = 10,
        latent_dim: int = 20,
        hidden: Sequence[int] = (500, 500, 2000),
        likelihood: str = "auto",
        observation_variance: str = "shared",
        n_draws: int = 1,
        epochs: int = 30,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        decay: float = 1.0,
        decay_every: int = 10,
        learning_rate_floor: float = 0.0,
        adam_eps: float = 1e-8,
        random_state: int | None = 0,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        # The weights of a VAE keep its defaults: beta is the only one here.
        super().__init__(
            n_clusters=n_clusters,
            latent_dim=latent_dim,
            hidden=hidden,
            likelihood=likelihood,
            observation_variance=observation_variance,
            n_draws=n_draws,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            decay=decay,
            decay_every=decay_every,
            learning_rate_floor=learning_rate_floor,
            adam_eps=adam_eps,
            random_state=random_state,
            device=device,
            precision=precision,
        )
        self.beta = beta

    def _weight(self, term: str) -> float:
        return 1.0 if term == "reconstruction" else self.beta
