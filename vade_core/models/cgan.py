"""Conditional GAN: a generator that is told the class (Mirza and Osindero 2014, 1411.1784)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from vade_core.adversarial import (
    AdversarialModel,
    Generator,
    Recogniser,
    SampleCritic,
    blurred,
    frozen,
    passing_for_real,
    telling_apart,
)
from vade_core.models.settings import NetworkSettings, settings
from vade_core.models.supervised import SupervisedModel
from vade_core.priors import CornerMixture, Prior, Terms
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase

# Of the one-hot class beside a sample's values: a 1 among hundreds of them is overlooked for long.
CLASS_STRENGTH = 5.0


class CGANNetworks(nn.Module):
    """The generator, as ``decoder``, the critic of [x, onehot(y)], and a regressor, ``encoder``."""

    def __init__(self, decoder: Generator, critic: SampleCritic, encoder: Recogniser) -> None:
        super().__init__()
        self.decoder = decoder
        self.critic = critic
        self.encoder = encoder


@settings
class ConditionalGAN(NetworkSettings, SupervisedModel, AdversarialModel):
    """Conditional GAN after Mirza and Osindero: a class and noise make a sample. Supervised.

    Generation: y is a class, by its share of the training samples, z ~ N(0, I), x = G([z,
    onehot(y)]). A critic D, which is told y too, tells x from real samples of that class (paper,
    equation 2).

    It has no encoder. The regressor that maps samples to [z, class] is our addition, so that
    samples can be mapped and classified: it is trained beside the GAN, on generated samples
    alone, whose z and class are known, and has no influence on generator or critic. How well it
    classifies real samples says how much generated ones are like them.

    The latents are [z, probabilities of the classes]. There is no q(z|x).

    The terms are ``critic`` and ``generator``, see
    :func:`vade_core.adversarial.telling_apart` and
    :func:`vade_core.adversarial.passing_for_real`; and the regressor's two on generated samples,
    ``class_error``, its cross-entropy, and ``noise_error``, -log N(z; its value, I). Each is in
    nats a sample, and ``loss`` is their sum. It is no bound: what the critic gains, the generator
    loses.

    Our reading. The paper has maxout units and takes turns; here one step of Adam moves all
    networks, through parts of the loss that reach disjoint parameters. So that this does not
    collapse, the generator's hidden values are standardised over the batch, and the critic sees
    samples through noise, sees how much a batch varies, drops units, and is not asked to be
    certain (:mod:`vade_core.adversarial`).

    Parameters
    ----------
    latent_dim : int
        Dimensions of the noise z.
    hidden : sequence of int
        Widths of the hidden layers of critic and regressor; the generator mirrors them.
    likelihood : {"auto", "bernoulli", "gaussian"}
        Whether G's values lie in [0, 1] or anywhere; ``auto`` takes Bernoulli where the samples
        do. As a likelihood, the Gaussian has variance 1.
    epochs, batch_size, learning_rate, decay, decay_every, learning_rate_floor, adam_eps, \
random_state, device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    """

    latent_dim: int = 20

    def _checked(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[Samples, NDArray[np.int64] | None]:
        samples, targets = super()._checked(X, y)
        assert targets is not None
        self._class_sizes = torch.from_numpy(np.bincount(targets, minlength=len(self.classes_)))
        return samples, targets

    @property
    def latent_size(self) -> int:
        return self.latent_dim + len(self._class_sizes)

    def _build_prior(self) -> Prior:
        sizes = self._class_sizes.double()
        return CornerMixture(len(sizes), self.latent_dim, weights=sizes)

    def _build_networks(self, n_features: int) -> nn.Module:
        hidden, n_classes = tuple(self.hidden), len(self._class_sizes)
        return CGANNetworks(
            Generator(
                self.latent_size,
                hidden[::-1],
                n_features,
                self.likelihood_,  # type: ignore[arg-type]
            ),
            SampleCritic(n_features + n_classes, hidden),
            Recogniser(n_features, hidden, self.latent_dim, n_classes),
        )

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        words = "Training the conditional GAN with the labels"
        return [self._training_phase("train", words, self.epochs, assignment=targets)]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        """The terms of the loss, unweighted, in nats a sample; there is no ELBO.

        Parameters
        ----------
        x : Tensor, shape (n, D)
        generator : torch.Generator
            Source of z, of the critic's noise and of the units that it drops.
        assignment : Tensor, shape (n,)
            Classes of the samples; generated ones get the same.

        Returns
        -------
        dict of str to Tensor, each (n,)
            ``critic``, ``generator``, ``class_error`` and ``noise_error``; see the class.
        """
        assert assignment is not None
        networks, noise = self.networks_, self.latent_dim
        style = self.prior_.sample(len(x), generator)[:, :noise]
        z = self.prior_.join(style, assignment)
        told = CLASS_STRENGTH * z[:, noise:]
        generated = blurred(networks.decoder.generate(z), x, generator)
        shown = generated.detach()
        found_style, logits = networks.encoder(shown)
        squared = (found_style - style) ** 2 + math.log(2.0 * math.pi)
        critic = networks.critic
        return {
            "critic": telling_apart(
                critic(torch.cat([blurred(x, x, generator), told], dim=1), generator),
                critic(torch.cat([shown, told], dim=1), generator),
            ),
            "generator": passing_for_real(
                frozen(critic, torch.cat([generated, told], dim=1), generator)
            ),
            "class_error": F.cross_entropy(logits, assignment, reduction="none"),
            "noise_error": 0.5 * squared.sum(-1),
        }

    def _weight(self, term: str) -> float:
        return 1.0

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        super()._restoring(tensors)
        self._class_sizes = tensors["prior.weights"]

    def _classes_in(self, tensors: Mapping[str, Tensor]) -> int:
        return len(tensors["prior.weights"])
