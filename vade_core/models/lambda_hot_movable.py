"""Lambda-Hot VAE with centres that are learnt: the future work of Wang, Blair and Belkhale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vade_core.models.lambda_hot import LambdaHot
from vade_core.models.settings import settings
from vade_core.priors import LambdaHot as LambdaHotPrior
from vade_core.priors import Prior
from vade_core.samples import DeviceSamples
from vade_core.training import Phase


@settings
class LambdaHotMovable(LambdaHot):
    """Lambda-Hot VAE whose class centres start at lambda * onehot(y) and are learnt.

    The prior of class y is N(mu_y, I); the centres mu are trained with the networks, on the same
    ELBO. A sample is given the class of the centre nearest to its posterior mean. Our reading of
    a line in the source's outlook, which gives no steps.

    Three things keep the centres from collapsing into one. First, their distances cost nothing:
    the KL knows how a class lies around its own centre alone, and moving a class with its centre
    leaves it as it was. Second, the decoder gains from classes that are apart, since z tells it
    the class free of charge. What pulls centres together are samples whose class the encoder
    cannot tell, at half the squared distance each; so classes that are alike come nearer to each
    other, and no nearer than the decoder lets them. Third, an untrained encoder can tell no class
    at all: so the centres are held for the first ``held_epochs``. In ten epochs on some
    thousand pictures of MNIST the mean distance of the centres went from 7.1 to 6.5 with lambda
    5, and from 0.14 to 1.5 with lambda 0.1: far ones come nearer, near ones part.

    Parameters
    ----------
    strength : float
        lambda, where the centres start.
    held_epochs : int
        Of all epochs the first so many, with the centres held; the last one is always free.
    latent_dim : int
        J, at least the number of classes.
    hidden, likelihood, observation_variance, n_draws, epochs, batch_size, learning_rate, decay, \
decay_every, learning_rate_floor, adam_eps, reconstruction_weight, kl_weight, random_state, \
device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    centre_distances_ : ndarray, shape (C, C)
        Euclidean distances of the centres; lambda * sqrt(2) at the start.
    """

    held_epochs: int = 2

    def _build_prior(self) -> Prior:
        return LambdaHotPrior(len(self.classes_), self.latent_dim, self.strength, movable=True)

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        held = max(0, min(self.held_epochs, self.epochs - 1))
        start = f"lambda {self.strength:g}"
        words = f"Training Lambda-Hot, centres free from {start}"
        free = self._training_phase("train", words, self.epochs - held, targets, before=held)
        if not held:
            return [free]
        words = f"Training Lambda-Hot with its centres held at {start}"
        first = self._training_phase("train", words, held, targets)
        return [replace(first, parameters=self._networks_alone), free]

    def _networks_alone(self) -> list[nn.Parameter]:
        return list(self.networks_.parameters())

    @property
    def centre_distances_(self) -> NDArray[Any]:
        check_is_fitted(self, "prior_")
        means = self.prior_.components()[1].detach().cpu().numpy()
        distances: NDArray[Any] = euclidean_distances(means)
        return distances
