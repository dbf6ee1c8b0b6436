"""What VaDE is seen against: clusterings without a network, and mixtures on pretrained latents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from vade_core.data import Dataset
from vade_core.models.gmm import DataMixture
from vade_core.models.latent_mixture import LatentMixture

__all__ = ["DataMixture", "LatentMixture", "kmeans_on_data"]

# Centres found on this many samples differ from those of 70,000 by less than seeds do.
KMEANS_SAMPLE = 10_000


def kmeans_on_data(dataset: Dataset, n_clusters: int, *, seed: int = 0) -> NDArray[np.int64]:
    """k-means on the raw values, best of 4 starts, (n,).

    The centres are found on a seeded sample of at most 10,000; every sample then goes to the
    nearest one.
    """
    n = dataset.n_samples
    rows = np.arange(n)
    if n > KMEANS_SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, KMEANS_SAMPLE, replace=False))
    found = KMeans(min(n_clusters, len(rows)), n_init=4, random_state=seed)
    found.fit(dataset.as_float(rows))
    parts = [
        found.predict(dataset.as_float(np.arange(first, min(first + 10_000, n))))
        for first in range(0, n, 10_000)
    ]
    return np.concatenate(parts).astype(np.int64)
