"""Pure functions on Gaussians and mixtures of Gaussians with diagonal covariances.

Everything here works on log-probabilities, so that points far from every component keep finite
responsibilities.  Shapes: n samples, K components, J latent dimensions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_2_PI = math.log(2.0 * math.pi)


def log_density(z: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
    """log N(z | mu_c, diag(sigma_c^2)) for every component, in nats.

    Parameters
    ----------
    z : Tensor, shape (..., J)
    means, log_variances : Tensor, shape (K, J)

    Returns
    -------
    Tensor, shape (..., K)
    """
    squared = (z.unsqueeze(-2) - means) ** 2 * torch.exp(-log_variances)
    return -0.5 * (squared.sum(-1) + (log_variances + LOG_2_PI).sum(-1))


def log_responsibilities(
    z: Tensor, log_weights: Tensor, means: Tensor, log_variances: Tensor
) -> Tensor:
    """log gamma_c = log p(c|z) (VaDE paper, eq. 16), by log-softmax.

    Parameters
    ----------
    z : Tensor, shape (..., J)
    log_weights : Tensor, shape (K,)
        log pi, normalised.
    means, log_variances : Tensor, shape (K, J)

    Returns
    -------
    Tensor, shape (..., K)
        Each row's exponentials add up to 1.
    """
    return torch.log_softmax(log_weights + log_density(z, means, log_variances), dim=-1)


def log_marginal(z: Tensor, log_weights: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
    """log p(z) under the mixture, in nats, shape (...)."""
    return torch.logsumexp(log_weights + log_density(z, means, log_variances), dim=-1)


def kl_to_components(
    mean: Tensor, log_variance: Tensor, means: Tensor, log_variances: Tensor
) -> Tensor:
    """KL(q(z|x) || N(mu_c, sigma_c^2)) for every component, in nats.

    The sum over c of gamma_c times this is the second line of the ELBO together with the
    posterior's entropy (VaDE paper, eq. 12): the constants of the two cancel.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (n, J)
        Posterior parameters.
    means, log_variances : Tensor, shape (K, J)

    Returns
    -------
    Tensor, shape (n, K), never negative but for rounding.
    """
    # What depends on the sample alone, or on the component alone, is summed before they meet:
    # of the (n, K, J) values only one is left.
    spread = (mean.unsqueeze(-2) - means) ** 2 + torch.exp(log_variance).unsqueeze(-2)
    of_sample = (1.0 + log_variance).sum(-1, keepdim=True)
    to_components = (spread * torch.exp(-log_variances)).sum(-1)
    return 0.5 * (to_components - of_sample + log_variances.sum(-1))


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z|x) || N(0, I)) in nats a sample, (n, J) -> (n,) (Kingma and Welling, appendix B)."""
    return 0.5 * (mean**2 + torch.exp(log_variance) - 1.0 - log_variance).sum(-1)


def categorical_kl(log_q: Tensor, log_p: Tensor) -> Tensor:
    """sum_c q_c log(q_c / p_c) in nats, (..., K) against (K,) -> (...).

    A component with q_c = 0 adds nothing, although log q_c is then minus infinity.
    """
    q = torch.exp(log_q)
    return torch.where(q > 0, q * (log_q - log_p), torch.zeros_like(q)).sum(-1)
