"""A mixture of Gaussians that was fitted elsewhere: the prior of models that train none."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vade_core import mixture
from vade_core.priors import Prior


class FixedMixture(Prior):
    """Cat(pi) and N(mu_c, diag(sigma_c^2)) as they were fitted elsewhere: nothing to train.

    Unlike :class:`GaussianMixture` it keeps every variance as it was given, and means as what
    they differ from a common centre: on raw data these may be of any size. Densities are computed
    in float64.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    """

    def __init__(self, n_clusters: int, latent_dim: int) -> None:
        super().__init__()
        self.n_clusters = n_clusters
        self.register_buffer("log_weights", torch.full((n_clusters,), -math.log(n_clusters)))
        self.register_buffer("centre", torch.zeros(latent_dim))
        self.register_buffer("offsets", torch.zeros(n_clusters, latent_dim))
        self.register_buffer("log_variances", torch.zeros(n_clusters, latent_dim))

    @torch.no_grad()
    def set_components(
        self, weights: Tensor, offsets: Tensor, variances: Tensor, centre: Tensor | None = None
    ) -> None:
        """Take over a fitted mixture.

        Parameters
        ----------
        weights : Tensor, shape (K,)
        offsets, variances : Tensor, shape (K, J)
            Means are ``centre + offsets``.
        centre : Tensor, shape (J,), optional
            By default the origin.
        """
        found = torch.log_softmax(torch.log(weights.double().clamp_min(1e-8)), dim=0)
        self.get_buffer("log_weights").copy_(found)
        self.get_buffer("offsets").copy_(offsets)
        self.get_buffer("log_variances").copy_(torch.log(variances.double()))
        if centre is not None:
            self.get_buffer("centre").copy_(centre)

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        means = self.get_buffer("centre") + self.get_buffer("offsets")
        return self.get_buffer("log_weights"), means, self.get_buffer("log_variances")

    def log_joint(self, z: Tensor) -> Tensor:
        """log p(z, c) in nats, (..., J) -> (..., K), in float64."""
        # As products of matrices: of (..., K, J) values there would be too many where J = D.
        points = z.double() - self.get_buffer("centre")
        offsets = self.get_buffer("offsets").double()
        log_variances = self.get_buffer("log_variances").double()
        precisions = torch.exp(-log_variances)
        squared = (
            (points**2) @ precisions.T
            - 2 * points @ (offsets * precisions).T
            + (offsets**2 * precisions).sum(-1)
        )
        constant = (log_variances + mixture.LOG_2_PI).sum(-1)
        return self.get_buffer("log_weights").double() - 0.5 * (squared + constant)

    def log_responsibilities(self, z: Tensor) -> Tensor:
        return torch.log_softmax(self.log_joint(z), dim=-1).to(z.dtype)
