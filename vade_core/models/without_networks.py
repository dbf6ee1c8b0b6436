"""What the baselines without networks share: one step in place of epochs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vade_core.mixture import LOG_2_PI
from vade_core.models.base import LatentModel
from vade_core.networks import LOG_VARIANCE_BOUND
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase, Precision


class WithoutNetworks(ClusterMixin, LatentModel):
    """Base of the baselines that have no networks: they find their clusters in one step.

    Their training is one phase named ``start`` that reports once. They compute on the
    processor. A sample's latents are certain: :meth:`posterior` is as narrow as a posterior can
    be. A subclass supplies :meth:`_start`, :meth:`_embedded` and :meth:`_decoded`, and sets
    ``labels_`` in the start.

    Attributes
    ----------
    prior_ : FixedMixture
    labels_ : ndarray of int64, shape (n,)
        Clusters of the training samples.
    """

    n_clusters: int
    labels_: NDArray[np.int64]
    batch_size = 1  # the schedule asks for one, and there are no batches
    _fitted = "prior_"
    _scores_samples = False
    _words = ""

    @abstractmethod
    def _start(self, samples: DeviceSamples) -> Mapping[str, object]:
        """Find the clusters of the training samples; what is to be told of them."""

    @abstractmethod
    def _embedded(self, samples: Samples) -> NDArray[Any]:
        """Latents of samples, (n, J'), in float64 where the samples are, else in float32."""

    @abstractmethod
    def _decoded(self, latents: Tensor) -> Tensor:
        """Samples that belong to latents, (m, J') -> (m, D)."""

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [Phase("start", self._words, action=lambda generator: self._start(samples))]

    def _after_fit(self, samples: Samples) -> None:
        """Nothing is left to do: ``labels_`` came with the start."""

    def _build(self, samples: Samples) -> None:
        self._device = torch.device("cpu")
        if isinstance(self.random_state, (int, np.integer)):
            self._seed = int(self.random_state)
        else:
            self._seed = int(check_random_state(self.random_state).randint(2**31))
        self.precision_: Precision = "fp32"
        self._assemble(samples.shape[1])

    def _assemble(self, n_features: int) -> None:
        self.prior_ = self._build_prior()

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        self.n_clusters = len(tensors["prior.log_weights"])

    def _modules(self) -> dict[str, nn.Module]:
        return {"prior": self.prior_}

    # -- using it -----------------------------------------------------------------------------

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """The latents of samples, (n, J')."""
        return self._embedded(self._ready(X))

    def latents(self, samples: Samples, *, precision: Precision = "fp32") -> NDArray[Any]:
        return self._embedded(samples)

    def posterior(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """The latents and the least log-variance that a posterior has, each (n, J')."""
        latents = self.transform(X)
        return latents, np.full_like(latents, -LOG_VARIANCE_BOUND)

    def decode(self, latents: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self, self._fitted)
        return self._over_chunks(np.asarray(latents), self._decoded)

    def negative_log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) at what latents are decoded to, (n,), in nats.

        There is no p(x|z) here. It is counted as the models with networks count it, so that they
        can be compared: the cross-entropy of grey levels, else a Gaussian of variance 1.
        """
        mean = self._decoded(z)
        x = x.to(mean.dtype)
        if self.likelihood_ == "bernoulli":
            return F.binary_cross_entropy(mean, x, reduction="none").sum(-1)
        return 0.5 * ((x - mean) ** 2 + LOG_2_PI).sum(-1)
