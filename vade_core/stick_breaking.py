"""Stick-breaking: weights that add up to 1, and a posterior of them that gradients go through.

A stick of length 1 is broken again and again: v_k is the share of what is left that goes to
weight k, so pi_k = v_k (1 - v_1) ... (1 - v_(k-1)), and the last weight is what remains. With J
weights there are J - 1 fractions v. Under the prior a fraction follows a Beta distribution, under
the posterior Kumaraswamy's, whose draws are a formula of uniform noise (Nalisnick and Smyth,
*Stick-Breaking Variational Autoencoders*, arXiv 1605.06197, ICLR 2017).

Moments and divergences are computed in float64: differences of log-gamma functions of large
parameters leave float32 with a few per cent.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from vade_core.draws import uniform
from vade_core.priors import Prior

EULER = 0.5772156649015329
TAYLOR_TERMS = 10  # of the series in the divergence, as the paper has it
# log a and log b stay within these bounds; beyond them a draw is 0 or 1 in float32.
LOG_SHAPE_BOUND = 9.0


class StickPosterior:
    """q(pi|x), by independent fractions with q(v) = a b v^(a - 1) (1 - v^a)^(b - 1).

    Parameters
    ----------
    log_a, log_b : Tensor, shape (n, J - 1)
        Logarithms of Kumaraswamy's two shapes.
    """

    def __init__(self, log_a: Tensor, log_b: Tensor) -> None:
        self.log_a = log_a
        self.log_b = log_b

    def moment(self, power: float) -> Tensor:
        """E[v^power] in float64, (n, J - 1): b B(1 + power / a, b)."""
        a, b = self.log_a.double().exp(), self.log_b.double().exp()
        raised = 1.0 + power / a
        return torch.exp(
            self.log_b.double() + torch.lgamma(raised) + torch.lgamma(b) - torch.lgamma(raised + b)
        )

    @property
    def mean(self) -> Tensor:
        """E[pi], (n, J), in the shapes' own type; rows add up to 1."""
        first = self.moment(1)
        return _broken(first, 1.0 - first).to(self.log_a.dtype)

    def variances(self) -> Tensor:
        """Variances of pi, (n, J), in the shapes' own type; fractions are independent."""
        first, second = self.moment(1), self.moment(2)
        squares = _broken(second, 1.0 - 2.0 * first + second)
        # A weight that hardly varies is left with rounding, which must not become negative.
        variances = (squares - _broken(first, 1.0 - first) ** 2).clamp_min(1e-12)
        return variances.to(self.log_a.dtype)

    def sample(self, n_draws: int, generator: torch.Generator) -> Tensor:
        """Draw pi, (n_draws, n, J): v = (1 - u^(1/b))^(1/a) with u uniform."""
        u = uniform(generator, (n_draws, *self.log_a.shape), self.log_a.dtype)
        log_u = u.clamp_min(torch.finfo(u.dtype).tiny).log()
        log_v = _log_1_minus_exp(log_u * torch.exp(-self.log_b)) * torch.exp(-self.log_a)
        left = torch.cumsum(_log_1_minus_exp(log_v), dim=-1)
        whole = torch.zeros_like(left.sum(-1, keepdim=True))
        logs = torch.cat([log_v, whole], dim=-1) + torch.cat([whole, left], dim=-1)
        return torch.softmax(logs, dim=-1)  # they add up to 1 but for rounding; now they do

    def kl_to_beta(self, alpha: Tensor, beta: Tensor, *, with_rest: bool = False) -> Tensor:
        """KL(q(v) || Beta(alpha, beta)) summed over the fractions, in nats, (n,).

        (a - alpha) / a (-gamma - psi(b) - 1 / b) + log(a b) + log B(alpha, beta) - (b - 1) / b
        + (beta - 1) b sum_m B(m / a, b) / (m + a b), as in the paper. Its infinite sum, the
        Taylor series of -E[log(1 - v)], is cut after ``TAYLOR_TERMS``; a summand times b is
        E[v^m] / m, and so it is written here. What is cut off is large where v is near 1: with
        beta above 1 the result is then too small, with beta below 1 too large.

        Parameters
        ----------
        alpha, beta : Tensor, shape (J - 1,)
            Of the prior of each fraction.
        with_rest : bool
            Whether an estimate of what is cut off is added. E[v^m] falls as m^-b for large m,
            so that the rest is about E[v^(M + 1/2)] / b after M terms.
        """
        alpha, beta = alpha.double(), beta.double()
        log_a, log_b = self.log_a.double(), self.log_b.double()
        a, b = log_a.exp(), log_b.exp()
        mean_log_v = (-EULER - torch.digamma(b) - 1.0 / b) / a
        series = sum(
            (self.moment(power) / power for power in range(1, TAYLOR_TERMS + 1)),
            torch.zeros_like(a),
        )
        if with_rest:
            series = series + self.moment(TAYLOR_TERMS + 0.5) / b
        log_beta = torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
        of_each = (
            (a - alpha) * mean_log_v
            + log_a
            + log_b
            + log_beta
            - (b - 1.0) / b
            + (beta - 1.0) * series
        )
        return of_each.sum(-1).to(self.log_a.dtype)


def _broken(taken: Tensor, left: Tensor) -> Tensor:
    """Products along the stick: what is taken of what is left, then the rest, (..., J)."""
    whole = torch.ones_like(taken.sum(-1, keepdim=True))  # there may be no fraction at all
    remaining = torch.cat([whole, torch.cumprod(left, dim=-1)], dim=-1)
    return torch.cat([taken, whole], dim=-1) * remaining


def _log_1_minus_exp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x < 0, with gradients that stay finite at both ends."""
    # Nearer to 0 and further from it float32 has no other answer than infinity or 0.
    x = x.clamp(-80.0, -1e-7)
    near = x > -0.7
    close = torch.log(-torch.expm1(torch.where(near, x, -0.5)))
    return torch.where(near, close, torch.log1p(-torch.exp(torch.where(near, -1.0, x))))


def endless_fractions(size: int, concentration: float) -> tuple[Tensor, Tensor]:
    """Beta parameters of the fractions of an endless stick, cut at ``size`` weights: 1 and alpha.

    Returns
    -------
    tuple of Tensor, each (size - 1,)
    """
    ones = torch.ones(size - 1)
    return ones, concentration * ones


def dirichlet_fractions(size: int, concentration: float) -> tuple[Tensor, Tensor]:
    """Beta parameters of the fractions whose ``size`` weights are a symmetric Dirichlet's.

    Fraction k, counted from 1, is Beta(alpha, (size - k) alpha).

    Returns
    -------
    tuple of Tensor, each (size - 1,)
    """
    later = torch.arange(size - 1, 0, -1).float()
    return torch.full_like(later, concentration), concentration * later


class KumaraswamyHeads(nn.Module):
    """From features to the shapes of the posterior of J - 1 fractions.

    The networks give log a and log b, smoothly bounded, and begin near ``alpha`` and ``beta``:
    where alpha is 1 that is the prior itself.

    Parameters
    ----------
    width : int
        Of the features.
    alpha, beta : Tensor, shape (J - 1,)
        Of the fractions' Beta priors.
    """

    def __init__(self, width: int, alpha: Tensor, beta: Tensor) -> None:
        super().__init__()
        with warnings.catch_warnings():  # a single weight has no fractions, and nothing to draw
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            self.log_a = nn.Linear(width, len(alpha))
            self.log_b = nn.Linear(width, len(beta))
        for head, start in ((self.log_a, alpha), (self.log_b, beta)):
            share = (start.log() / LOG_SHAPE_BOUND).clamp(-0.99, 0.99)
            with torch.no_grad():
                head.bias.copy_(LOG_SHAPE_BOUND * torch.atanh(share))

    def forward(self, features: Tensor) -> StickPosterior:
        raw = self.log_a(features), self.log_b(features)
        if raw[0].dtype is torch.bfloat16:  # the losses are computed in float32
            raw = raw[0].float(), raw[1].float()
        log_a, log_b = (LOG_SHAPE_BOUND * torch.tanh(each / LOG_SHAPE_BOUND) for each in raw)
        return StickPosterior(log_a, log_b)


class StickBreaking(Prior):
    """The prior of stick weights: pi by breaking a stick with v ~ Beta(1, alpha), cut at J.

    It has no clusters and is no Gaussian: :meth:`components` has its exact moments.

    Parameters
    ----------
    latent_dim : int
        J weights, of J - 1 fractions; the last weight is what remains.
    concentration : float
        alpha: the larger, the more weights share the stick.
    """

    gaussian = False

    def __init__(self, latent_dim: int, concentration: float) -> None:
        super().__init__()
        alpha, beta = endless_fractions(latent_dim, concentration)
        self.register_buffer("alpha", alpha)
        self.register_buffer("beta", beta)

    def _sticks(self) -> StickPosterior:
        """Beta(1, alpha) is Kumaraswamy's distribution with a = 1 and b = alpha."""
        alpha, beta = self.get_buffer("alpha"), self.get_buffer("beta")
        return StickPosterior(alpha.log()[None], beta.log()[None])

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        sticks = self._sticks()
        mean = sticks.mean
        return mean.new_zeros(1), mean, sticks.variances().log()

    def sample(
        self,
        n: int,
        generator: torch.Generator,
        cluster: int | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Draw n rows of weights, (n, J); each adds up to 1.

        ``temperature`` draws them towards their mean, or away from it: that is a factor on their
        standard deviation. Above 1 what would become negative is 0.
        """
        sticks = self._sticks()
        weights = sticks.sample(n, generator)[:, 0]
        if temperature == 1.0:
            return weights
        mean = sticks.mean
        moved = (mean + temperature * (weights - mean)).clamp_min(0.0)
        return moved / moved.sum(-1, keepdim=True)
