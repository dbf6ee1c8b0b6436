"""Priors p(z): what makes a VAE, a VaDE or a Lambda-Hot VAE out of the same two networks.

A prior knows its divergence from the posterior (as named terms), how it assigns a latent to a
cluster, and how to sample.  "Other mixture models can be plugged in" (VaDE paper, section 5): a
new one is one class here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vade_core import mixture
from vade_core.networks import Posterior, bounded_log_variance, unbounded_log_variance

Terms = dict[str, Tensor]
# Stands in where a component has no spread at all: a log-variance must be finite.
CORNER_VARIANCE = 1e-4
LEAST_VARIANCE = 1e-8  # of latents that are all alike


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
    stands_in : bool
        Whether the model has no prior at all, and this only has the moments of its latents or
        clusters, so that something can be drawn.
    padding : mapping of str to float
        The parameters with a row a cluster, and what a cluster that is not there has in them: no
        sample goes to it and no gradient comes from it. So priors of different K can be trained
        at once.
    """

    n_clusters: int = 0
    gaussian: bool = True
    stands_in: bool = False
    padding: ClassVar[Mapping[str, float]] = {}

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

    # exp(-10,000) is 0 in float32, and a finite logarithm keeps 0 times it 0.
    padding: ClassVar[Mapping[str, float]] = {
        "logits": -10_000.0,
        "means": 0.0,
        "raw_log_variances": 0.0,
    }

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


class UnitGaussians(Prior):
    """Equal weights and N(mu_c, I): what matters of a component is where it is.

    The most responsible component is the nearest one.

    Parameters
    ----------
    means : Tensor, shape (K, J)
    movable : bool
        Whether the means are learnt.
    """

    def __init__(self, means: Tensor, movable: bool = False) -> None:
        super().__init__()
        self.n_clusters = len(means)
        if movable:
            self.register_parameter("means", nn.Parameter(means))
        else:
            self.register_buffer("means", means)

    def _means(self) -> Tensor:
        means = self.means
        assert isinstance(means, Tensor)
        return means

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        means = self._means()
        uniform = means.new_full((self.n_clusters,), 1.0 / self.n_clusters).log()
        return uniform, means, torch.zeros_like(means)

    def log_responsibilities(self, z: Tensor) -> Tensor:
        return mixture.log_responsibilities(z, *self.components())

    def kl(self, posterior: Posterior, z: Tensor, assignment: Tensor | None = None) -> Terms:
        """KL(q(z|x) || N(mu_c, I)), c given or the one nearest to the posterior mean."""
        mean, log_variance = posterior
        if assignment is None:
            assignment = self.log_responsibilities(mean.detach()).argmax(dim=-1)
        centres = self._means()[assignment]
        return {"latent_kl": mixture.kl_to_standard_normal(mean - centres, log_variance)}


class LambdaHot(UnitGaussians):
    """N(lambda * onehot(y), I) for class y: Wang's supervised prior.

    With equal weights p(c|z) is the softmax of lambda * z_1..C, so that the largest of the first
    C latent dimensions is the class: Wang's naive classifier. Once the means have moved, it is
    the class of the nearest one.

    Parameters
    ----------
    n_classes : int
        C, at most ``latent_dim``.
    latent_dim : int
        J; the one-hot vector is padded with zeros up to it.
    strength : float
        lambda, the distance of each class's centre from the origin.
    movable : bool
        Whether the means are learnt from there.
    """

    def __init__(
        self, n_classes: int, latent_dim: int, strength: float = 5.0, movable: bool = False
    ) -> None:
        super().__init__(strength * torch.eye(n_classes, latent_dim), movable)

    def kl(self, posterior: Posterior, z: Tensor, assignment: Tensor | None = None) -> Terms:
        if assignment is None:
            raise ValueError("Lambda-Hot is supervised: its prior needs the class of each sample.")
        return super().kl(posterior, z, assignment)


class KMeansCentres(UnitGaussians):
    """N(nearest centre, I): the prior of Wang's K-means VAE.

    The centres are those of k-means on the latents, set from outside and not learnt.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    """

    def __init__(self, n_clusters: int, latent_dim: int) -> None:
        super().__init__(torch.zeros(n_clusters, latent_dim))

    @torch.no_grad()
    def set_centres(self, centres: Tensor) -> None:
        """Take over centres, (K, J)."""
        self._means().copy_(centres)


class LatentMoments(Prior):
    """N(mean, diag(variance)) of the latents: stands in where a model has no prior.

    It has no part in training: what is drawn from it lies where the latents lie, and no more.

    Parameters
    ----------
    latent_dim : int
        J.
    """

    stands_in = True

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("log_variance", torch.zeros(latent_dim))

    @torch.no_grad()
    def set_moments(self, latents: Tensor) -> None:
        """Mean and variance of latents (n, J)."""
        self.get_buffer("mean").copy_(latents.mean(dim=0))
        variance = latents.var(dim=0, correction=0)
        self.get_buffer("log_variance").copy_(variance.clamp_min(LEAST_VARIANCE).log())

    def kl(self, posterior: Posterior, z: Tensor, assignment: Tensor | None = None) -> Terms:
        return {}

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.get_buffer("mean"), self.get_buffer("log_variance")
        return mean.new_zeros(1), mean[None], log_variance[None]


class CornerMixture(Prior):
    """Cat(pi) at the corners of the simplex and a style apart: z = [style, onehot(c)].

    The style is N(0, I), or in part uniform on (-1, 1), and says nothing of c. The prior of
    models that give cluster or class to their decoder beside a style: the AAE, the conditional
    VAE and the conditional GANs. It is no mixture of Gaussians: :meth:`components` has each
    component's mean and the style's variances, with ``CORNER_VARIANCE`` where it has none.

    Parameters
    ----------
    n_clusters : int
        K.
    normal_dim : int
        Dimensions of the style that are N(0, 1); they come first.
    uniform_dim : int
        Those that are uniform on (-1, 1); they come between the normal ones and the corner.
    weights : Tensor, shape (K,), optional
        pi; by default equal.
    """

    gaussian = False

    def __init__(
        self,
        n_clusters: int,
        normal_dim: int,
        uniform_dim: int = 0,
        weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.n_clusters = n_clusters
        self.normal_dim = normal_dim
        self.uniform_dim = uniform_dim
        found = torch.full((n_clusters,), 1.0 / n_clusters) if weights is None else weights
        self.register_buffer("weights", (found / found.sum()).float())

    @property
    def style_dim(self) -> int:
        """Dimensions before the corner; the latents have ``style_dim + n_clusters``."""
        return self.normal_dim + self.uniform_dim

    def join(self, style: Tensor, clusters: Tensor) -> Tensor:
        """[style, onehot(clusters)]: (n, style_dim) and (n,) give (n, style_dim + K)."""
        corners = F.one_hot(clusters, self.n_clusters).to(style.dtype)
        return torch.cat([style, corners], dim=-1)

    def kl(self, posterior: Posterior, z: Tensor, assignment: Tensor | None = None) -> Terms:
        """KL of a normal style's posterior, (n, normal_dim), from N(0, I); the class is given."""
        return {"latent_kl": mixture.kl_to_standard_normal(*posterior)}

    def log_responsibilities(self, z: Tensor) -> Tensor:
        """log p(c|z): the last K values, taken as probabilities.

        At a corner that is p(c|z) itself. Between corners lie the latents of samples whose
        cluster is uncertain; there the values are q(c|x). What lies outside the simplex counts
        as 0.
        """
        shares = z[..., self.style_dim :].clamp_min(torch.finfo(z.dtype).tiny)
        return shares.log() - shares.sum(-1, keepdim=True).log()

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        weights = self.get_buffer("weights")
        variances = weights.new_ones(self.style_dim + self.n_clusters)
        variances[self.normal_dim : self.style_dim] = 1.0 / 3.0
        variances[self.style_dim :] = CORNER_VARIANCE
        corners = torch.eye(self.n_clusters, dtype=weights.dtype, device=weights.device)
        means = torch.cat([weights.new_zeros(self.n_clusters, self.style_dim), corners], dim=1)
        return weights.log(), means, variances.log().expand_as(means)

    def sample(
        self,
        n: int,
        generator: torch.Generator,
        cluster: int | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        weights = self.get_buffer("weights")
        kind = {"generator": generator, "device": weights.device, "dtype": weights.dtype}
        normal = torch.randn((n, self.normal_dim), **kind)  # type: ignore[call-overload]
        uniform = torch.rand((n, self.uniform_dim), **kind) * 2 - 1  # type: ignore[call-overload]
        if cluster is None:
            drawn = torch.multinomial(weights, n, replacement=True, generator=generator)
        else:
            drawn = torch.full((n,), cluster, device=weights.device)
        return self.join(temperature * torch.cat([normal, uniform], dim=1), drawn)
