"""CVAE: a VAE that is told the class (Sohn, Lee and Yan, NeurIPS 2015; Wang, Blair, Belkhale)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from vade_core.mixture import kl_to_standard_normal
from vade_core.models.settings import ElboSettings, settings
from vade_core.models.supervised import SupervisedModel
from vade_core.networks import (
    Decoder,
    Encoder,
    Networks,
    Observation,
    ObservationVariance,
    Posterior,
    sample_posterior,
)
from vade_core.priors import CornerMixture, Prior, Terms
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase, Precision


class ConditionalNetworks(Networks):
    """An encoder of [x, onehot(y)] and a decoder of [z, onehot(y)].

    Parameters
    ----------
    n_features, hidden, latent_dim, observation, observation_variance
        As for :class:`vade_core.networks.Networks`.
    n_classes : int
        C.
    """

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int],
        latent_dim: int,
        n_classes: int,
        observation: Observation,
        observation_variance: ObservationVariance,
    ) -> None:
        nn.Module.__init__(self)
        self.encoder = Encoder(n_features + n_classes, hidden, latent_dim)
        self.decoder = Decoder(
            latent_dim + n_classes,
            tuple(reversed(hidden)),
            n_features,
            observation,
            observation_variance,
        )


@settings
class CVAE(ElboSettings, SupervisedModel):
    """Conditional VAE: the one-hot label is joined to x and to z, so that z is left with style.

    Trained on the ELBO of log p(x|y), with q(z|x, y), p(x|z, y) and the prior N(0, I) for z
    whatever the class (Sohn et al., eq. 4, with that prior; the form that Wang compares with).

    Without a label a sample is encoded under every class, and is given the class of the highest
    ELBO; with classes equally frequent, p(y|x) is the softmax of the ELBOs. Our reading: neither
    source classifies with it. So that two calls agree, this ELBO is taken at the posterior mean
    and nothing is drawn. It costs C times what encoding and decoding a sample do.

    Latents are [z, onehot(class)] of width J + C: the posterior mean under that class, and the
    class. They are what the decoder takes, so that the prior is a mixture with a component at
    each corner and N(0, I) in z.

    Parameters
    ----------
    latent_dim : int
        J of z alone; 20 is Wang's.
    hidden, likelihood, observation_variance, n_draws, epochs, batch_size, learning_rate, decay, \
decay_every, learning_rate_floor, adam_eps, reconstruction_weight, kl_weight, random_state, \
device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    """

    latent_dim: int = 20

    @property
    def latent_size(self) -> int:
        return self.latent_dim + len(self.classes_)

    def _build_networks(self, n_features: int) -> ConditionalNetworks:
        return ConditionalNetworks(
            n_features,
            tuple(self.hidden),
            self.latent_dim,
            len(self.classes_),
            self.likelihood_,  # type: ignore[arg-type]
            self.observation_variance,  # type: ignore[arg-type]
        )

    def _build_prior(self) -> Prior:
        return CornerMixture(len(self.classes_), self.latent_dim)

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        words = "Training the conditional VAE with the labels"
        return [self._training_phase("train", words, self.epochs, assignment=targets)]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        """The terms of -ELBO of log p(x|y); ``assignment`` holds the classes, (n,)."""
        if assignment is None:
            raise ValueError("CVAE is supervised: its loss needs the class of each sample.")
        given = F.one_hot(assignment, len(self.classes_)).to(x.dtype)
        posterior = self.networks_.encoder(torch.cat([x, given], dim=1))
        z = sample_posterior(posterior, self.n_draws, generator)
        joined = torch.cat([z, given.expand(len(z), *given.shape)], dim=-1)
        likelihood = self.negative_log_likelihood(x, joined)
        return {
            "reconstruction": likelihood.mean(0),
            **self.prior_.kl(posterior, z, assignment),
        }

    # -- without a label ------------------------------------------------------------------------

    def _under_every_class(
        self, networks: Networks, x: Tensor
    ) -> Iterator[tuple[Posterior, Tensor, Tensor]]:
        """Class by class: q(z|x, y), [its mean, onehot(y)], and the ELBO there, (n,)."""
        for corner in torch.eye(len(self.classes_), dtype=x.dtype, device=x.device):
            given = corner.expand(len(x), -1)
            posterior: Posterior = networks.encoder(torch.cat([x, given], dim=1))
            code = torch.cat([posterior.mean, given.to(posterior.mean.dtype)], dim=1)
            location, log_variance = networks.decoder(code)
            error = networks.decoder.negative_log_likelihood(location, log_variance, x)
            yield posterior, code, -error - kl_to_standard_normal(*posterior)

    def _at_best_class(self, networks: Networks, x: Tensor) -> Tensor:
        """[mean, onehot(class), log-variance] under the class of the highest ELBO, (n, 2J + C)."""
        best: Tensor | None = None
        for posterior, code, elbo in self._under_every_class(networks, x):
            row = torch.cat([code, posterior.log_variance, elbo[:, None]], dim=1)
            best = row if best is None else torch.where(row[:, -1:] > best[:, -1:], row, best)
        assert best is not None
        return best[:, :-1]

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """[posterior mean, onehot(class)] under the class of the highest ELBO, (n, J + C)."""
        array = self._ready(X)
        networks = self._in_dtype(self.networks_, array.dtype)
        return self._over_chunks(
            array, lambda x: self._at_best_class(networks, x)[:, : self.latent_size]
        )

    def latents(self, samples: Samples, *, precision: Precision = "fp32") -> NDArray[Any]:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=precision == "bf16"):
            return self._over_chunks(
                samples, lambda x: self._at_best_class(self.networks_, x)[:, : self.latent_size]
            )

    def posterior(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and log-variance of q(z|x, class), each (n, J), of z alone."""
        array = self._ready(X)
        networks = self._in_dtype(self.networks_, array.dtype)
        found = self._over_chunks(array, lambda x: self._at_best_class(networks, x))
        return found[:, : self.latent_dim], found[:, self.latent_size :]

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """p(y|x), the softmax of the ELBOs under each class, (n, C)."""
        array = self._ready(X)
        networks = self._in_dtype(self.networks_, array.dtype)

        def probabilities(x: Tensor) -> Tensor:
            elbos = [elbo for _, _, elbo in self._under_every_class(networks, x)]
            return torch.softmax(torch.stack(elbos, dim=1), dim=1)

        return self._over_chunks(array, probabilities)

    def _classes_in(self, tensors: Mapping[str, Tensor]) -> int:
        return int(np.shape(tensors["prior.weights"])[0])
