"""What adversarial models share: critics, their losses, and one step of Adam for both sides.

A critic tells real from generated, and a generator is trained so that it cannot (Goodfellow et
al., *Generative Adversarial Nets*, 2014). The training loop has one loss and one optimiser. Both
sides fit into it since the parts of the loss reach disjoint parameters: the critic is shown
generated samples detached (:func:`telling_apart`), and the generator sees the critic frozen
(:func:`frozen`). One step then moves both sides at once, where the papers take turns. The sum of
such parts is no bound on anything: what one side gains, the other loses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.func import functional_call

from vade_core.models.base import CHUNK, LatentModel
from vade_core.networks import Decoder, Observation, hidden_layers
from vade_core.priors import CornerMixture
from vade_core.samples import Samples, chunks
from vade_core.training import Phase, Precision, as_float

# A critic's certainty is asked for up to here: one that must be sure stops teaching (one-sided
# label smoothing, Salimans et al., Improved Techniques for Training GANs, 2016, section 3.4).
REAL_TARGET = 0.9
LEAK = 0.2  # of a critic's leaky ReLU: a generator learns through units that are off, too
DROPPED = 0.3  # of a critic's hidden units: a critic that forgets nothing outruns its generator
# Noise on what a critic sees, in standard deviations of the samples. Real and generated samples
# then overlap from the start, and a critic cannot tell them apart by sharpness alone (Sonderby et
# al., Amortised MAP Inference for Image Super-resolution, 2017).
BLUR = 1.0
# Of Adam's first moment, in place of 0.9 (Radford, Metz, Chintala, Unsupervised Representation
# Learning with Deep Convolutional GANs, 2016, section 4): both sides move at once, and what an
# older gradient asked for is out of date.
FIRST_MOMENT = 0.5
# What a moving average keeps of what it was, for every 64 samples that come in.
KEPT = 0.9


def telling_apart(real: Tensor, generated: Tensor) -> Tensor:
    """A critic's loss, in nats for each pair of a real and a generated sample.

    Minus 0.9 log D(x) + 0.1 log(1 - D(x)) + log(1 - D(G(z))): the critic's part of equation 1 in
    Goodfellow et al., with the real samples' label smoothed.

    Parameters
    ----------
    real, generated : Tensor, shape (n,)
        The critic's logits, of generated samples that are detached.
    """
    smoothed = REAL_TARGET * F.softplus(-real) + (1.0 - REAL_TARGET) * F.softplus(real)
    return smoothed + F.softplus(generated)


def passing_for_real(generated: Tensor) -> Tensor:
    """A generator's loss, in nats a sample: -log D(G(z)), which does not saturate.

    Goodfellow et al., section 3, have it in place of log(1 - D(G(z))), whose gradient vanishes
    where the critic is sure.

    Parameters
    ----------
    generated : Tensor, shape (n,)
        Logits of a critic that is frozen.
    """
    return F.softplus(-generated)


def frozen(module: nn.Module, *inputs: Any) -> Any:
    """What a module answers, with its parameters detached: gradients reach the inputs alone."""
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    return functional_call(module, parameters, inputs)


def leaky_layers(sizes: Sequence[int]) -> nn.Sequential:
    """Fully connected layers with leaky ReLU: ``sizes[0] -> ... -> sizes[-1]``."""
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(sizes):
        layers += [nn.Linear(narrow, wide), nn.LeakyReLU(LEAK)]
    return nn.Sequential(*layers)


class Critic(nn.Module):
    """D: the logit that a sample is real.

    Parameters
    ----------
    n_inputs : int
    hidden : sequence of int
        Widths of the hidden layers.
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.body = leaky_layers([n_inputs, *hidden])
        self.verdict = nn.Linear([n_inputs, *hidden][-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n,) of samples (n, D)."""
        return in_full(self.verdict(self.body(x))).squeeze(-1)


class SampleCritic(Critic):
    """A critic of samples: it forgets at random, and sees how much a batch varies.

    The verdict is given on the hidden features and their standard deviation over the batch,
    averaged over features. A generator that makes one sample again and again is found out by it
    (Salimans et al. 2016, section 3.2, in the form of Karras et al., *Progressive Growing of
    GANs*, 2018, section 3).
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int]) -> None:
        super().__init__(n_inputs, hidden)
        self.verdict = nn.Linear(self.verdict.in_features + 1, 1)

    def features(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Hidden features (n, H); with a generator, ``DROPPED`` of each layer's units are 0."""
        values = x
        for layer in self.body:
            values = layer(values)
            if generator is not None and isinstance(layer, nn.LeakyReLU):
                drawn = torch.rand(values.shape, generator=generator, device=values.device)
                values = values * (drawn >= DROPPED) / (1.0 - DROPPED)
        return in_full(values)

    def judge(self, features: Tensor) -> Tensor:
        """Logits (n,) of a batch's features (n, H)."""
        # The square root has no slope at 0, where a batch of one sample is.
        spread = (features.var(dim=0, correction=0) + 1e-8).sqrt().mean()
        seen = torch.cat([features, spread.expand(len(features), 1)], dim=1)
        return in_full(self.verdict(seen)).squeeze(-1)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Logits (n,) of a batch of samples (n, D)."""
        return self.judge(self.features(x, generator))


def blurred(samples: Tensor, real: Tensor, generator: torch.Generator) -> Tensor:
    """Samples (n, D) with noise of ``BLUR`` times the real samples' spread, a number for all D."""
    spread = real.var(dim=0, correction=0).mean().sqrt()
    noise = torch.randn(
        samples.shape, generator=generator, device=samples.device, dtype=samples.dtype
    )
    return samples + BLUR * spread * noise


class Standardised(nn.Module):
    """Values less their mean, over their standard deviation: a batch's own, or moving averages.

    Batch normalisation (Ioffe and Szegedy 2015) without a scale and a shift of its own.

    Parameters
    ----------
    width : int
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, values: Tensor, learning: bool) -> Tensor:
        """Standardise values (n, width); ``learning`` takes the batch's moments, and keeps them."""
        values = in_full(values)
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        if learning and len(values) > 1:
            share = 1.0 - KEPT ** (len(values) / 64)
            own_variance, own_mean = torch.var_mean(values, dim=0, correction=0)
            mean.lerp_(own_mean.detach(), share)
            variance.lerp_(own_variance.detach(), share)
            mean, variance = own_mean, own_variance
        return (values - mean) * torch.rsqrt(variance + 1e-5)


class Generator(Decoder):
    """G: a decoder whose hidden values are standardised.

    A batch then differs from the first step on. Without that a fully connected generator begins
    with one sample for all latents, and stays there.

    Parameters
    ----------
    latent_dim, hidden, n_features, observation
        As for :class:`vade_core.networks.Decoder`. A Gaussian has variance 1: a generator that
        is trained against a critic knows no variance.
    """

    def __init__(
        self, latent_dim: int, hidden: Sequence[int], n_features: int, observation: Observation
    ) -> None:
        super().__init__(latent_dim, hidden, n_features, observation, "fixed")
        self.moments = nn.ModuleList(Standardised(width) for width in hidden)

    def forward(self, z: Tensor, learning: bool = False) -> tuple[Tensor, Tensor | None]:
        values = z
        layers = [layer for layer in self.body if isinstance(layer, nn.Linear)]
        for layer, moments in zip(layers, self.moments, strict=True):
            values = F.relu(moments(layer(values), learning))
        return self.mean(values), None

    def generate(self, z: Tensor) -> Tensor:
        """Samples (n, D) of latents (n, J), in training: by the moments of this very batch.

        Where no gradient is asked for, it is :meth:`decode`.
        """
        location, _ = self(z, torch.is_grad_enabled())
        location = in_full(location)
        return torch.sigmoid(location) if self.observation == "bernoulli" else location


class Recogniser(nn.Module):
    """From a sample to its style and its cluster, both certain: no posterior is drawn from.

    Parameters
    ----------
    n_features : int
        D.
    hidden : sequence of int
        Widths of the hidden layers.
    style_dim : int
        J.
    n_clusters : int
        K.
    """

    def __init__(
        self, n_features: int, hidden: Sequence[int], style_dim: int, n_clusters: int
    ) -> None:
        super().__init__()
        self.body = hidden_layers([n_features, *hidden])
        width = hidden[-1] if hidden else n_features
        self.style = nn.Linear(width, style_dim)
        self.cluster = nn.Linear(width, n_clusters)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Styles (n, J) and the clusters' logits (n, K) of samples (n, D), in float32."""
        features = self.body(x)
        return in_full(self.style(features)), in_full(self.cluster(features))

    def latents(self, x: Tensor) -> Tensor:
        """[style, probabilities of the clusters], (n, J + K)."""
        style, logits = self(x)
        return torch.cat([style, logits.softmax(-1)], dim=-1)


def in_full(value: Tensor) -> Tensor:
    """float32 where bf16 came out of a network: losses are computed in float32."""
    return value.float() if value.dtype is torch.bfloat16 else value


class AdversarialModel(LatentModel):
    """Base of the adversarial models: what they do otherwise than the VAE family.

    A subclass builds ``networks_``: a module with a ``decoder``, an ``encoder`` whose
    ``latents(x)`` gives (n, J'), and its critics. There is no ELBO and no q(z|x); the terms are
    what :meth:`elbo_terms` says.
    """

    _scores_samples = False

    networks_: Any
    prior_: CornerMixture

    def _training_phase(self, *arguments: Any, **named: Any) -> Phase:
        phase = super()._training_phase(*arguments, **named)
        return replace(phase, betas=(FIRST_MOMENT, phase.betas[1]))

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Latents of samples, (n, J'): the style, then the probabilities of the clusters."""
        array = self._ready(X)
        encoder = self._in_dtype(self.networks_.encoder, array.dtype)
        return self._over_chunks(array, encoder.latents)

    def latents(self, samples: Samples, *, precision: Precision = "fp32") -> NDArray[Any]:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=precision == "bf16"):
            return self._over_chunks(samples, self.networks_.encoder.latents)

    def posterior(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """There is none.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError(
            f"{type(self).__name__} has no posterior q(z|x): ask for transform, its latents."
        )

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """log p(x|z) at the latents of the samples, in nats a sample: higher is better."""
        array = self._ready(X)
        total = 0.0
        with torch.inference_mode():
            for rows in chunks(array, CHUNK, self._device):
                x = as_float(rows).float()
                z = self.networks_.encoder.latents(x)
                total -= float(self.negative_log_likelihood(x, z).sum())
        return total / array.shape[0]
