"""LDMGI: clusters by local discriminant models that are integrated globally (Yang et al. 2010)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vade_core.fixed_mixture import FixedMixture
from vade_core.initialise import from_clusters
from vade_core.local_discriminants import (
    cliques,
    integrated_models,
    nearest_of,
    rotated,
    smallest_eigenvectors,
)
from vade_core.models.base import CHUNK
from vade_core.models.settings import RandomState, settings
from vade_core.models.without_networks import WithoutNetworks
from vade_core.priors import Prior
from vade_core.samples import DeviceSamples, Samples, chunks
from vade_core.training import as_float

PICTURED = 10  # nearest training samples whose mean a latent is decoded to


@settings
class LDMGI(WithoutNetworks):
    """Local discriminant models and global integration, a spectral clustering of the samples.

    Each sample and its nearest neighbours are a clique with a regularised discriminant model of
    its own. What all models cost is a quadratic form; the eigenvectors of its K smallest
    eigenvalues are turned until their axes are the clusters (:mod:`vade_core.local_discriminants`).

    This is our reading of the paper, which has no published code. Taken from it: cliques of 5,
    the models and their sum, the relaxation to eigenvectors, the spectral rotation. Our reading:
    ``regularisation`` is a share of the mean variance within cliques, where the paper has an
    absolute number, tried from 1e-8 to 1e8 with the best result reported, which needs labels; and
    all that follows, since the paper knows only the samples that it clusters.

    Latents are the turned eigenvectors, rows of length 1 with J' = K; the largest value is the
    cluster. A sample that was not there gets the mean of its nearest training samples' latents,
    by inverse squared distance. A latent is decoded to the mean of the 10 training samples whose
    latents are nearest. ``prior_``, which is sampled, has the moments of the clusters' latents.
    The one term of the loss is ``reconstruction``, in nats a sample; ``score`` is minus that.

    Of more than ``most_samples`` samples a seeded choice is clustered, and the others are
    treated as new ones. On one thread 10,000 MNIST pictures took 4 seconds; all 70,000 took 4.6
    minutes and 3.6 GB, most of it for the factorisation behind the eigenvectors, whose cost
    grows with the cube of the samples where neighbours are many-dimensional. The preset
    ``paper`` clusters up to 70,000.

    Parameters
    ----------
    n_clusters : int
        K.
    n_neighbours : int
        k, samples of a clique, itself included.
    regularisation : float
        lambda, as a share of the mean variance within cliques.
    most_samples : int
        So many samples are clustered and kept.
    likelihood : {"auto", "bernoulli", "gaussian"}
        Whether values are grey levels between 0 and 1, or numbers; ``auto`` looks at them.
    random_state : int
        Seed.

    Attributes
    ----------
    samples_ : Tensor, shape (m, D)
        The training samples that were clustered, uint8 or float32.
    embedding_ : Tensor of float32, shape (m, K)
        Their latents.
    labels_ : ndarray of int64, shape (n,)
        Clusters of the training samples.
    """

    _words = "Local discriminant models, integrated"
    _fitted = "embedding_"

    n_clusters: int = 10
    n_neighbours: int = 5
    regularisation: float = 0.01
    most_samples: int = 10_000
    likelihood: str = "auto"
    random_state: RandomState = 0

    @property
    def latent_size(self) -> int:
        return self.n_clusters

    def _build_prior(self) -> Prior:
        self.axes_ = FixedMixture(self.n_clusters, self.n_clusters)
        prior = FixedMixture(self.n_clusters, self.n_clusters)
        prior.stands_in = True
        return prior

    def assigning_prior(self) -> Prior:
        return self.axes_

    def _checked(self, X: ArrayLike, y: ArrayLike | None) -> tuple[Samples, None]:
        if self.n_neighbours < 2 or self.regularisation <= 0 or self.most_samples < 2:
            raise ValueError(
                "n_neighbours and most_samples must be 2 or more, and regularisation above 0."
            )
        samples, _ = super()._checked(X, y)
        if min(samples.shape[0], self.most_samples) < self.n_clusters:
            raise ValueError(
                f"n_samples={samples.shape[0]} cannot be sorted into {self.n_clusters} clusters."
            )
        return samples, None

    def _start(self, samples: DeviceSamples) -> Mapping[str, object]:
        n = len(samples)
        rows = np.arange(n)
        if n > self.most_samples:
            rng = np.random.default_rng(self._seed)
            rows = np.sort(rng.choice(n, self.most_samples, replace=False))
        self.samples_ = samples.index_select(0, torch.from_numpy(rows)).clone()
        points = as_float(self.samples_)
        points = points - points.mean(dim=0)
        members = cliques(points, min(self.n_neighbours, len(rows)))
        matrix = integrated_models(points, members, self.regularisation)
        values, vectors = smallest_eigenvectors(matrix, self.n_clusters, seed=self._seed)
        latents = rotated(vectors, seed=self._seed).astype(np.float32)
        self.embedding_ = torch.from_numpy(latents)
        clusters = latents.argmax(axis=1).astype(np.int64)
        self._set_mixtures(latents, clusters)
        found = [self._embedded(part.numpy()) for part in samples.split(CHUNK)]
        self.labels_ = np.concatenate(found).argmax(axis=1).astype(np.int64)
        return {
            "method": "ldmgi",
            "cluster_sizes": np.bincount(clusters, minlength=self.n_clusters).tolist(),
            "clustered": len(rows),
            "eigenvalues": values.tolist(),
        }

    def _set_mixtures(self, latents: NDArray[np.float32], clusters: NDArray[np.int64]) -> None:
        """The clusters' moments, and the mixture on the axes that assigns the largest value."""
        k = self.n_clusters
        found = from_clusters(latents.astype(np.float64), clusters, k)
        prior = self.prior_
        assert isinstance(prior, FixedMixture)
        parts = (found.weights, found.means, found.variances)
        prior.set_components(*(torch.from_numpy(part) for part in parts))
        axes = torch.eye(k, dtype=torch.float64)
        spread = (torch.from_numpy(latents).double() - axes[torch.from_numpy(clusters)]) ** 2
        variance = spread.mean().clamp_min(1e-4).expand(k, k)
        self.axes_.set_components(torch.full((k,), 1 / k), axes, variance)

    # -- using it -----------------------------------------------------------------------------

    def _embedded(self, samples: Samples) -> NDArray[Any]:
        known = as_float(self.samples_).float()
        middle = known.mean(dim=0)
        places = {row.tobytes(): i for i, row in enumerate(known.numpy())}
        others = known - middle
        latents = self.embedding_
        k = min(self.n_neighbours, len(others))

        def embed(x: Tensor) -> Tensor:
            rows = x.float()
            found = torch.tensor([places.get(row.tobytes(), -1) for row in rows.numpy()])
            result = latents[found].to(x.dtype)
            new = torch.nonzero(found < 0).flatten()
            if len(new):
                near, squared = nearest_of(rows[new] - middle, others, k)
                shares = 1 / squared.double().clamp_min(1e-12)
                shares /= shares.sum(dim=1, keepdim=True)
                mean = (shares[:, :, None] * latents[near].double()).sum(dim=1)
                result[new] = mean.to(x.dtype)
            return result

        with torch.inference_mode():
            parts = [embed(as_float(x)).numpy() for x in chunks(samples, CHUNK)]
        return np.concatenate(parts)

    def _decoded(self, latents: Tensor) -> Tensor:
        count = min(PICTURED, len(self.embedding_))
        # Latents of a cluster lie closer together than float32 tells their distances apart.
        near, _ = nearest_of(latents.double(), self.embedding_.double(), count)
        means = [as_float(self.samples_[part]).mean(dim=1) for part in near.split(256)]
        return torch.cat(means).to(latents.dtype)

    def loss_terms(
        self, X: ArrayLike, y: ArrayLike | None = None, *, random_state: int = 0
    ) -> dict[str, float]:
        """``reconstruction`` at the samples' own latents, and ``loss``, which is the same.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, D)
        y, random_state
            Not used.

        Returns
        -------
        dict of str to float
            Means in nats a sample.
        """
        array = self._ready(X)
        total = 0.0
        with torch.inference_mode():
            for rows in chunks(array, CHUNK):
                z = torch.from_numpy(self._embedded(rows.numpy()))
                total += float(self.negative_log_likelihood(as_float(rows), z).sum())
        error = total / array.shape[0]
        return {"reconstruction": error, "loss": error}

    # -- what a file keeps ----------------------------------------------------------------------

    def _modules(self) -> dict[str, Any]:
        return {**super()._modules(), "axes": self.axes_}

    def tensors(self) -> dict[str, Tensor]:
        own = super().tensors()
        return {**own, "samples": self.samples_, "embedding": self.embedding_}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        super().load_tensors(tensors)
        try:
            samples, embedding = tensors["samples"], tensors["embedding"].float()
        except KeyError as missing:
            raise ValueError(f"These weights do not fit this LDMGI: no {missing}.") from None
        wanted = (len(samples), self.n_clusters)
        if samples.shape[1:] != (self.n_features_in_,) or embedding.shape != wanted:
            raise ValueError(
                f"These weights do not fit this LDMGI: samples {tuple(samples.shape)} and "
                f"latents {tuple(embedding.shape)} do not go with {self.n_features_in_} features "
                f"and {self.n_clusters} clusters."
            )
        self.samples_ = samples if samples.dtype is torch.uint8 else samples.float()
        self.embedding_ = embedding
