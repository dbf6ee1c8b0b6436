"""DEC's clusters: Student's t around centres, and the sharper distribution that they are pulled to.

After Xie, Girshick and Farhadi, *Unsupervised Deep Embedding for Clustering Analysis* (ICML 2016).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vade_core.initialise import MixtureStart
from vade_core.priors import Prior


def target_distribution(soft: Tensor) -> Tensor:
    """The target P of soft assignments Q, both (n, K): q^2 / f, normalised (DEC, eq. 3).

    Squares make sure assignments surer; f, each cluster's sum over all samples, keeps large
    clusters from swallowing the others. All samples belong in one call.
    """
    sharpened = soft**2 / soft.sum(0).clamp_min(torch.finfo(soft.dtype).tiny)
    return sharpened / sharpened.sum(-1, keepdim=True)


class StudentClusters(Prior):
    """Soft assignment by Student's t with one degree of freedom around K centres (DEC, eq. 1).

    DEC has no prior. What :meth:`sample` draws from, and :meth:`components` gives, is a
    stand-in: a Gaussian for each cluster with the moments of the samples that belong to it, set
    by :meth:`set_moments` whenever the latents have moved.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    """

    gaussian = False
    stands_in = True

    def __init__(self, n_clusters: int, latent_dim: int) -> None:
        super().__init__()
        self.n_clusters = n_clusters
        self.centres = nn.Parameter(torch.randn(n_clusters, latent_dim))
        uniform = torch.full((n_clusters,), 1.0 / n_clusters)
        self.register_buffer("log_weights", uniform.log())
        self.register_buffer("means", self.centres.detach().clone())
        self.register_buffer("log_variances", torch.zeros(n_clusters, latent_dim))

    def log_responsibilities(self, z: Tensor) -> Tensor:
        """log q of eq. 1, (..., J) -> (..., K)."""
        squared = ((z.unsqueeze(-2) - self.centres) ** 2).sum(-1)
        return torch.log_softmax(-torch.log1p(squared), dim=-1)

    @torch.no_grad()
    def set_moments(self, found: MixtureStart) -> None:
        """Take over the weights, means and variances of clusters in the latent space."""
        for name, values in (
            ("log_weights", torch.from_numpy(found.weights).log()),
            ("means", torch.from_numpy(found.means)),
            ("log_variances", torch.from_numpy(found.variances).log()),
        ):
            self.get_buffer(name).copy_(values)

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        names = ("log_weights", "means", "log_variances")
        log_weights, means, log_variances = (self.get_buffer(name) for name in names)
        return log_weights, means, log_variances
