"""The GMVAE's prior: a mixture of Gaussians whose components a style moves about.

w ~ N(0, I), c ~ Cat(1 / K), z ~ N(mu_c(w), diag(sigma_c^2(w))), with mu and sigma out of one
network, beta (Dilokthanakul et al. 2016; x there is z here, and z is c).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vade_core import mixture
from vade_core.networks import bounded_log_variance
from vade_core.priors import Prior

BETA_WIDTH = 500  # of beta's hidden layer, as in the authors' published code
# Draws of w that stand for all of them where it is integrated out.
STYLES = 64


class StyleMixture(Prior):
    """p(w) p(c) p(z|w,c): each w gives another mixture, and all of them together the prior of z.

    Where only z is known, w is integrated out by ``STYLES`` draws that are made once and kept,
    seeded and spread evenly (a scrambled Sobol sequence), so that few of them do:
    p(c|z) is p(c) mean_w N(z; mu_c(w), sigma_c^2(w)), normalised. Samples are drawn with a w of
    their own. :meth:`components` has the moments of each cluster over the kept draws.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    style_dim : int
        Dimensions of w.
    """

    gaussian = False

    def __init__(self, n_clusters: int, latent_dim: int, style_dim: int) -> None:
        super().__init__()
        self.n_clusters = n_clusters
        self.latent_dim = latent_dim
        self.body = nn.Sequential(nn.Linear(style_dim, BETA_WIDTH), nn.Tanh())
        self.mean = nn.Linear(BETA_WIDTH, n_clusters * latent_dim)
        self.log_variance = nn.Linear(BETA_WIDTH, n_clusters * latent_dim)
        with torch.no_grad():  # near enough for every cluster to get samples, and apart
            self.mean.bias.normal_(std=0.3)
        self.register_buffer("styles", _even_normals(STYLES, style_dim))

    def given(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances of all clusters for styles w, (..., W) -> (..., K, J)."""
        features = self.body(w)
        mean, raw = self.mean(features), self.log_variance(features)
        if mean.dtype is torch.bfloat16:
            mean, raw = mean.float(), raw.float()
        shape = (self.n_clusters, self.latent_dim)
        return mean.unflatten(-1, shape), bounded_log_variance(raw).unflatten(-1, shape)

    @property
    def log_weights(self) -> Tensor:
        """log p(c), (K,): all alike."""
        styles = self.get_buffer("styles")
        return styles.new_full((self.n_clusters,), -math.log(self.n_clusters))

    def log_responsibilities_given(self, z: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
        """log p(c|z,w) by Bayes, (..., J) and what :meth:`given` gave -> (..., K)."""
        density = mixture.log_density(z, means, log_variances)
        return torch.log_softmax(self.log_weights + density, dim=-1)

    def log_responsibilities(self, z: Tensor) -> Tensor:
        means, log_variances = self.given(self.get_buffer("styles"))
        total: Tensor | None = None
        # One style after the other: all at once would be (n, STYLES, K, J).
        for mean, log_variance in zip(means, log_variances, strict=True):
            density = mixture.log_density(z, mean, log_variance)
            total = density if total is None else torch.logaddexp(total, density)
        assert total is not None
        return torch.log_softmax(self.log_weights + total, dim=-1)

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        means, log_variances = self.given(self.get_buffer("styles"))
        spread = log_variances.exp().mean(0) + means.var(0, unbiased=False)
        return self.log_weights, means.mean(0), spread.log()

    def sample(
        self,
        n: int,
        generator: torch.Generator,
        cluster: int | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Draw n latents, each with a style of its own, (n, J).

        w and the noise of z are drawn before the cluster: one seed gives every cluster the same
        styles. ``temperature`` is a factor on the standard deviations of both.
        """
        styles = self.get_buffer("styles")
        kind = {"generator": generator, "device": styles.device, "dtype": styles.dtype}
        w = torch.randn((n, styles.shape[1]), **kind)  # type: ignore[call-overload]
        noise = torch.randn((n, self.latent_dim), **kind)  # type: ignore[call-overload]
        means, log_variances = self.given(temperature * w)
        if cluster is None:
            weights = self.log_weights.exp()
            drawn = torch.multinomial(weights, n, replacement=True, generator=generator)
        else:
            drawn = torch.full((n,), cluster, device=styles.device)
        rows = torch.arange(n, device=styles.device)
        spread = torch.exp(0.5 * log_variances[rows, drawn])
        return means[rows, drawn] + temperature * spread * noise


def _even_normals(n: int, dimensions: int) -> Tensor:
    """Standard normal draws that leave fewer gaps than independent ones, (n, dimensions).

    They follow from torch's random state.
    """
    seed = int(torch.randint(2**31, ()))
    uniform = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed).draw(n)
    return math.sqrt(2.0) * torch.erfinv(2.0 * uniform.clamp(1e-6, 1 - 1e-6) - 1.0)
