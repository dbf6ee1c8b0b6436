"""What comes before the mixture: phases that teach the networks alone.

VaDE needs a pretrained encoder: from random weights its mixture collapses (VaDE paper,
section 3.2). Each function gives the phases of one way to pretrain; ``PRETRAINING`` names them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vade_core.draws import uniform
from vade_core.mixture import kl_to_standard_normal
from vade_core.networks import Networks, sample_posterior
from vade_core.presets import layer_by_layer
from vade_core.training import BatchLoss, Phase


def warmed_up(rate: float, warm_up: int, epoch: int) -> float:
    """The learning rate of an epoch, counted from 0: it rises in equal steps, then stays.

    Parameters
    ----------
    rate : float
        That of epoch ``warm_up`` and of all after it.
    warm_up : int
    epoch : int

    Examples
    --------
    >>> [round(warmed_up(3e-3, 2, epoch), 6) for epoch in range(4)]
    [0.001, 0.002, 0.003, 0.003]
    """
    return rate * min(1.0, (epoch + 1) / (warm_up + 1))


def autoencoder(networks: Networks, epochs: int, rate: float, warm_up: int = 0) -> list[Phase]:
    """End to end: reconstruction through the posterior mean, no noise and no prior.

    Parameters
    ----------
    networks : Networks
    epochs : int
    rate : float
        Adam's learning rate.
    warm_up : int
        For so many epochs it is lower, see :func:`warmed_up`.
    """

    def loss(x: Tensor, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        decoder = networks.decoder
        location, log_variance = decoder(networks.encoder(x).mean)
        error = decoder.negative_log_likelihood(location, log_variance, x).mean()
        return {"reconstruction": error, "loss": error}

    def parameters() -> list[nn.Parameter]:
        # The log-variance head has no part in this, and is left as it was drawn: a copy of the
        # mean's head in its place makes the first loss of VaDE explode.
        encoder = networks.encoder
        return [
            *encoder.body.parameters(),
            *encoder.mean.parameters(),
            *networks.decoder.parameters(),
        ]

    return [
        Phase(
            "pretrain",
            "Pretraining the autoencoder",
            epochs,
            loss=loss,
            modules=(networks,),
            parameters=parameters,
            learning_rate=partial(warmed_up, rate, warm_up),
        )
    ]


def variational(networks: Networks, epochs: int, rate: float, warm_up: int = 0) -> list[Phase]:
    """A plain VAE: -ELBO with N(0, I) in the mixture's place (Czerwonski's pretraining)."""

    def loss(x: Tensor, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        posterior = networks.encoder(x)
        decoder = networks.decoder
        z = sample_posterior(posterior, 1, generator)
        location, log_variance = decoder(z)
        likelihood = decoder.negative_log_likelihood(location, log_variance, x).mean()
        divergence = kl_to_standard_normal(*posterior).mean()
        return {
            "reconstruction": likelihood,
            "latent_kl": divergence,
            "loss": likelihood + divergence,
        }

    return [
        Phase(
            "pretrain",
            "Pretraining as a plain VAE",
            epochs,
            loss=loss,
            modules=(networks,),
            parameters=lambda: list(networks.parameters()),
            learning_rate=partial(warmed_up, rate, warm_up),
        )
    ]


def stacked(networks: Networks, epochs: int, rate: float, warm_up: int = 0) -> list[Phase]:
    """Layer by layer, then end to end: a stacked autoencoder, the paper's pretraining.

    What each layer gets is said by :func:`vade_core.presets.layer_by_layer`; each begins with a
    warm-up of its own.
    """
    pairs = layer_pairs(networks)
    *of_layers, of_the_whole = layer_by_layer(epochs, len(pairs))
    phases = [
        Phase(
            "pretrain",
            f"Pretraining layer {layer + 1} of {len(pairs)}",
            of_layers[layer],
            loss=_layer_loss(networks, layer),
            modules=(networks,),
            parameters=partial(_layer_parameters, networks, layer),
            learning_rate=partial(warmed_up, rate, warm_up),
        )
        for layer in range(len(pairs))
    ]
    return phases + autoencoder(networks, of_the_whole, rate, warm_up)


def layer_pairs(networks: Networks) -> list[tuple[nn.Linear, nn.Linear]]:
    """Each layer of the encoder with the layer of the decoder that undoes it."""
    encoder, decoder = networks.encoder, networks.decoder
    inwards = [m for m in encoder.body if isinstance(m, nn.Linear)] + [encoder.mean]
    outwards = [m for m in decoder.body if isinstance(m, nn.Linear)] + [decoder.mean]
    return list(zip(inwards, reversed(outwards), strict=True))


def _layer_parameters(networks: Networks, layer: int) -> list[nn.Parameter]:
    return [p for part in layer_pairs(networks)[layer] for p in part.parameters()]


def _layer_loss(networks: Networks, layer: int) -> BatchLoss:
    """Denoising reconstruction of one layer's input.

    A fifth of the input is dropped, as in DEC's pretraining (Xie et al. 2016, section 4.2).
    """
    pairs = layer_pairs(networks)
    inwards, outwards = pairs[layer]

    def loss(x: Tensor, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        with torch.no_grad():
            clean = x
            for below, _ in pairs[:layer]:
                clean = F.relu(below(clean))
            kept = uniform(generator, clean.shape) >= 0.2
            noisy = clean * kept / 0.8
        code = inwards(noisy)
        if layer < len(pairs) - 1:  # the innermost code is linear
            code = F.relu(code)
        rebuilt = outwards(code)
        if layer == 0:
            error = networks.decoder.negative_log_likelihood(rebuilt, None, x).mean()
        else:
            error = ((F.relu(rebuilt).float() - clean.float()) ** 2).sum(-1).mean()
        return {"layer_error": error, "loss": error}

    return loss


PRETRAINING: dict[str, Callable[..., list[Phase]]] = {
    "autoencoder": autoencoder,
    "stacked": stacked,
    "vae": variational,
}
