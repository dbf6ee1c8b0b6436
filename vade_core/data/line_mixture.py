"""A mixture of Gaussians on a line, after Orbay's synthetic set.

Orbay's report (*GMM-VAE Experiment Report*, 2020) trains on a standardised one-dimensional data
set, K = 10, with labels from a fitted mixture for display. It gives neither the mixture nor the
number of samples, so that all numbers here are our reading: ten components whose means, widths
and weights differ, some apart from their neighbours and some touching them, and 10,000 samples.
"""

from __future__ import annotations

import numpy as np

N_SAMPLES = 10_000
# Before standardising: the middles, the widths (standard deviations) and the shares.
MEANS = (-9.0, -7.2, -5.0, -3.6, -1.8, 0.4, 1.6, 4.0, 6.4, 9.2)
WIDTHS = (0.30, 0.45, 0.25, 0.40, 0.35, 0.30, 0.25, 0.60, 0.35, 0.50)
SHARES = (0.08, 0.12, 0.09, 0.11, 0.08, 0.14, 0.10, 0.12, 0.09, 0.07)


def line_mixture(n: int = N_SAMPLES, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw the data, standardise them, and label them by a fitted mixture.

    Parameters
    ----------
    n : int
        Number of samples.
    seed : int
        Same seed, same samples.

    Returns
    -------
    samples : ndarray of float32, shape (n, 1)
        Mean 0, standard deviation 1.
    labels : ndarray of int64, shape (n,)
        The likeliest component of a mixture of ten Gaussians fitted to the samples by
        expectation-maximisation, counted from left to right. For display and scores alone.
    """
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(seed)
    component = rng.choice(len(MEANS), n, p=SHARES)
    drawn = rng.normal(np.take(MEANS, component), np.take(WIDTHS, component))
    middle, spread = drawn.mean(), drawn.std()
    samples = ((drawn - middle) / spread)[:, None]
    # It begins at the true means: from elsewhere it may well end with two components in one hill.
    begin = (np.array(MEANS)[:, None] - middle) / spread
    fitted = GaussianMixture(len(MEANS), means_init=begin, random_state=seed).fit(samples)
    place = np.argsort(np.argsort(fitted.means_[:, 0]))
    return samples.astype(np.float32), place[fitted.predict(samples)].astype(np.int64)
