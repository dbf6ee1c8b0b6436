"""Lambda-Hot VAE: a supervised prior with a centre for each class (Wang, Blair, Belkhale)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vade_core.models.settings import ElboSettings, settings
from vade_core.models.supervised import SupervisedModel
from vade_core.priors import LambdaHot as LambdaHotPrior
from vade_core.priors import Prior
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase


@settings
class LambdaHot(ElboSettings, SupervisedModel):
    """VAE with prior N(lambda * onehot(y), I): supervised, latent dimensions that mean classes.

    A sample is classified by the largest of the first C dimensions of its posterior mean (the
    source's naive classifier), which is also the most responsible component of the prior.

    Parameters
    ----------
    strength : float
        lambda.
    latent_dim : int
        J, at least the number of classes.
    hidden, likelihood, observation_variance, n_draws, epochs, batch_size, learning_rate, decay, \
decay_every, learning_rate_floor, adam_eps, reconstruction_weight, kl_weight, random_state, \
device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    """

    strength: float = 5.0
    latent_dim: int = 20

    def _checked(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[Samples, NDArray[np.int64] | None]:
        checked = super()._checked(X, y)
        if len(self.classes_) > self.latent_dim:
            raise ValueError(
                f"{len(self.classes_)} classes do not fit into {self.latent_dim} latent "
                "dimensions: each class needs one of its own, so raise latent_dim."
            )
        return checked

    def _build_prior(self) -> Prior:
        return LambdaHotPrior(len(self.classes_), self.latent_dim, self.strength)

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        words = f"Training Lambda-Hot (lambda {self.strength:g}) with the labels"
        return [self._training_phase("train", words, self.epochs, assignment=targets)]
