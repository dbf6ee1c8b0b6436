"""Samples by their principal components, among which neighbours in the data are looked for."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor

from vade_core.samples import DeviceSamples
from vade_core.training import as_float

COMPONENTS = 50  # of MNIST they hold four fifths of the variance
# So many values are made dense at a time, 64 MiB of them: of MNIST, 21,399 digits. The directions
# are found on no more.
VALUES = 2**24


def principal_components(
    samples: DeviceSamples, *, seed: int, most: int = COMPONENTS
) -> NDArray[np.float32]:
    """Coordinates along the directions in which the data vary most.

    Distances between samples are nearly those in the data, in far fewer numbers. The directions
    are those of a seeded sample of the rows, where there are many.

    Parameters
    ----------
    samples : Tensor or SparseRows, shape (n, D)
        Grey levels in uint8 count as [0, 1].
    seed : int
    most : int
        Components; fewer where there are fewer features, or samples.

    Returns
    -------
    ndarray, shape (n, at most ``most``)
    """
    n, n_features = samples.shape
    at_once = max(2 * most, VALUES // n_features)
    rows = np.arange(n)
    if at_once < n:
        rows = np.sort(np.random.default_rng(seed).choice(n, at_once, replace=False))
    chosen = torch.from_numpy(rows).to(samples.device)
    fitted = _numbers(samples.index_select(0, chosen))
    with np.errstate(invalid="ignore"):  # samples that are all alike have no variance to share out
        found = PCA(min(most, *fitted.shape), random_state=seed).fit(fitted)
    parts = [found.transform(_numbers(part)) for part in samples.split(at_once)]
    return np.concatenate(parts).astype(np.float32)


def _numbers(rows: Tensor) -> NDArray[np.float32]:
    return as_float(rows).cpu().numpy()
