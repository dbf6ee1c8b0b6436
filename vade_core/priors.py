"""Priors p(z): what makes a VAE, a VaDE or a Lambda-Hot VAE out of the same two networks.

A prior knows its divergence from the posterior (as named terms), how it assigns a latent to a
cluster, and how to sample.  "Other mixture models can be plugged in" (VaDE paper, section 5): a
new one is one class here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vade_core import mixture
from vade_core.networks import Posterior, bounded_log_variance, unbounded_log_variance

Terms = dict[str, Tensor]


class Prior(nn.Module):
    """What every prior offers.

    Attributes
    ----------
    n_clusters : int
        K; 0 where the prior has no clusters of its own.
    gaussian : bool
        Whether the prior is the mixture of Gaussians that :meth:`components` gives. Otherwise
        that mixture has the prior's moments and stands in for it where Gaussians are drawn; what
        is sampled and how clusters are assigned stays exact.
    """

    n_clusters: int = 0
    gaussian: bool = True

    def kl(self, posterior: Posterior, z: Tensor, assignment: Tensor | None = None) -> Terms:
        """Named divergence terms in nats a sample; their sum is the KL part of -ELBO.

        Parameters
        ----------
        posterior : Posterior
            Parameters, each (n, J).
        z : Tensor, shape (L, n, J)
            Monte Carlo samples of the posterior.
        assignment : Tensor, shape (n,), optional
            Cluster or class numbers that are given and not inferred.

        Returns
        -------
        dict of str to Tensor, each (n,)
        """
        raise NotImplementedError

    def log_responsibilities(self, z: Tensor) -> Tensor:
        """log p(c|z), (..., J) -> (..., K)."""
        raise NotImplementedError

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """log pi (K,), means (K, J) and log-variances (K, J) of the mixture that it is, or that
        has its moments; one component where it has no clusters."""
        raise NotImplementedError

    def sample(
        self,
        n: int,
        generator: torch.Generator,
        cluster: int | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Draw n latents, (n, J).

        Parameters
        ----------
        n : int
        generator : torch.Generator
        cluster : int, optional
            The component to draw from; by default each draw picks one by its weight pi.
        temperature : float
            Factor on the standard deviation.
        """
        log_weights, means, log_variances = self.components()
        # The noise is drawn first, so that one seed gives every cluster the same handwriting.
        noise = torch.randn(
            (n, means.shape[1]), generator=generator, device=means.device, dtype=means.dtype
        )
        if cluster is None:
            drawn = torch.multinomial(log_weights.exp(), n, replacement=True, generator=generator)
        else:
            drawn = torch.full((n,), cluster, device=means.device)
        return means[drawn] + temperature * torch.exp(0.5 * log_variances[drawn]) * noise


class StandardNormal(Prior):
    """N(0, I), the VAE's prior (Kingma and Welling)."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent_dim))

    def kl(self, posterior: Posterior, z: Tensor, assignment: Tensor | None = None) -> Terms:
        return {"latent_kl": mixture.kl_to_standard_normal(*posterior)}

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        mean = self.get_buffer("mean")
        return mean.new_zeros(1), mean[None], torch.zeros_like(mean)[None]


class GaussianMixture(Prior):
    """Cat(pi) and N(mu_c, diag(sigma_c^2)): VaDE's prior (VaDE paper, eqs. 1 to 3).

    pi is kept as logits, so that no step can make it negative; log-variances are bounded.

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
        self.logits = nn.Parameter(torch.zeros(n_clusters))
        self.means = nn.Parameter(torch.randn(n_clusters, latent_dim))
        self.raw_log_variances = nn.Parameter(torch.zeros(n_clusters, latent_dim))

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        return (
            torch.log_softmax(self.logits, dim=0),
            self.means,
            bounded_log_variance(self.raw_log_variances),
        )

    @torch.no_grad()
    def set_components(self, weights: Tensor, means: Tensor, variances: Tensor) -> None:
        """Start from a fitted mixture: weights (K,), means (K, J), variances (K, J)."""
        self.logits.copy_(torch.log(weights.clamp_min(1e-8)))
        self.means.copy_(means)
        self.raw_log_variances.copy_(unbounded_log_variance(torch.log(variances)))

    def log_responsibilities(self, z: Tensor) -> Tensor:
        return mixture.log_responsibilities(z, *self.components())

    def kl(self, posterior: Posterior, z: Tensor, assignment: Tensor | None = None) -> Terms:
        log_weights, means, log_variances = self.components()
        to_components = mixture.kl_to_components(*posterior, means, log_variances)
        if assignment is not None:
            # gamma is one-hot: an E-step with fixed responsibilities, still a lower bound.
            chosen = assignment.unsqueeze(-1)
            return {
                "latent_kl": to_components.gather(-1, chosen).squeeze(-1),
                "cluster_kl": -log_weights[assignment],
            }
        log_gamma = mixture.log_responsibilities(z, log_weights, means, log_variances)
        if log_gamma.shape[0] == 1:
            log_gamma = log_gamma[0]
        else:  # E_q(z|x)[p(c|z)] over L draws (first version of the paper, eq. 11)
            log_gamma = torch.logsumexp(log_gamma, dim=0) - math.log(len(z))
        return {
            "latent_kl": (torch.exp(log_gamma) * to_components).sum(-1),
            "cluster_kl": mixture.categorical_kl(log_gamma, log_weights),
        }


class LambdaHot(Prior):
    """N(lambda * onehot(y), I) for class y: Wang's supervised prior.

    With equal weights p(c|z) is the softmax of lambda * z_1..C, so that the largest of the first
    C latent dimensions is the class: Wang's naive classifier.

    Parameters
    ----------
    n_classes : int
        C, at most ``latent_dim``.
    latent_dim : int
        J; the one-hot vector is padded with zeros up to it.
    strength : float
        lambda, the distance of each class's centre from the origin.
    """

    def __init__(self, n_classes: int, latent_dim: int, strength: float = 5.0) -> None:
        super().__init__()
        self.n_clusters = n_classes
        self.register_buffer("means", strength * torch.eye(n_classes, latent_dim))

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        means = self.get_buffer("means")
        uniform = means.new_full((self.n_clusters,), 1.0 / self.n_clusters).log()
        return uniform, means, torch.zeros_like(means)

    def log_responsibilities(self, z: Tensor) -> Tensor:
        return mixture.log_responsibilities(z, *self.components())

    def kl(self, posterior: Posterior, z: Tensor, assignment: Tensor | None = None) -> Terms:
        if assignment is None:
            raise ValueError("Lambda-Hot is supervised: its prior needs the class of each sample.")
        centres = self.get_buffer("means")[assignment]
        mean, log_variance = posterior
        return {"latent_kl": mixture.kl_to_standard_normal(mean - centres, log_variance)}
