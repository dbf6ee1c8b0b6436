"""The one type that every data set has, and how its rows are split and sampled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vade_core.samples import Samples, dense, is_sparse

LIKELIHOODS = ("bernoulli", "gaussian")
MIN_SAMPLES = 20
# MNIST's own share of test samples: 10,000 of 70,000.
TEST_SHARE = 1 / 7


class DataError(ValueError):
    """Data that cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples, their labels where there are any, and what a model has to know of them.

    Attributes
    ----------
    name : str
        ``"mnist"`` and the like, or the stem of a person's own file.
    samples : ndarray or CSR matrix of shape (n, D)
        uint8 grey levels 0..255, or float32; a sparse matrix is float32.
    labels : ndarray of shape (n,), or None
        int64 in 0..C-1. For metrics and supervised models only.
    is_test : ndarray of shape (n,)
        bool; True marks the test part.
    image_shape : tuple of (height, width), or None
        How a row of `samples` folds into a picture.
    likelihood : {"bernoulli", "gaussian"}
        "bernoulli" means values in [0, 1]; uint8 samples are divided by 255 for it.
    source, licence : str
        Where the data come from, and under which terms.
    class_names : tuple of str, or None
        The name of each label, such as Fashion-MNIST's "T-shirt/top".

    Raises
    ------
    DataError
        If the parts contradict each other.
    """

    name: str
    samples: Samples
    labels: np.ndarray | None
    is_test: np.ndarray
    image_shape: tuple[int, int] | None
    likelihood: str
    source: str
    licence: str
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if is_sparse(self.samples):
            fits = self.samples.ndim == 2 and self.samples.format == "csr"
            if not fits or self.samples.dtype != np.float32:
                self._refuse("sparse samples must be an (n, D) CSR matrix of float32")
        elif self.samples.ndim != 2 or self.samples.dtype not in (np.uint8, np.float32):
            self._refuse("samples must be an (n, D) array of uint8 or float32")
        n = self.samples.shape[0]
        if self.is_test.shape != (n,) or self.is_test.dtype != np.bool_:
            self._refuse("is_test must hold one bool a sample")
        if self.image_shape is not None and (
            min(self.image_shape) < 1 or np.prod(self.image_shape) != self.n_features
        ):
            self._refuse(f"image_shape must multiply to the {self.n_features} features")
        if self.likelihood not in LIKELIHOODS:
            self._refuse(f"likelihood must be one of {', '.join(LIKELIHOODS)}")
        if self.labels is None:
            if self.class_names is not None:
                self._refuse("class_names need labels beside them")
            return
        if self.labels.shape != (n,) or self.labels.dtype != np.int64:
            self._refuse("labels must hold one int64 a sample")
        if n and (self.labels.min() < 0 or self.labels.max() >= (self.n_classes or 0)):
            self._refuse("labels must lie in 0..C-1, with a class name each")

    def _refuse(self, why: str) -> None:
        raise DataError(f'Data set "{self.name}": {why}.')

    @property
    def n_samples(self) -> int:
        """Number of samples, n."""
        return int(self.samples.shape[0])

    @property
    def n_features(self) -> int:
        """Number of features a sample, D."""
        return int(self.samples.shape[1])

    @property
    def n_classes(self) -> int | None:
        """Number of classes, C; None without labels. A subset keeps the C of its whole."""
        if self.labels is None:
            return None
        if self.class_names is not None:
            return len(self.class_names)
        return int(self.labels.max()) + 1 if self.labels.size else 0

    def subset(self, n: int, seed: int = 0) -> Dataset:
        """Draw a seeded random sample of rows.

        Labels have no say in the draw. The share of test samples is kept to within one sample
        (neither part is emptied), and so is the order of the rows. For one seed a smaller subset
        lies inside a larger one.

        Parameters
        ----------
        n : int
            Number of samples to keep.
        seed : int
            Same seed, same rows.

        Returns
        -------
        Dataset
            The chosen rows; the data set itself if `n` is all of them.

        Raises
        ------
        DataError
            If `n` is below 20 or above the number of samples.
        """
        if n > self.n_samples:
            self._refuse(f"it has {self.n_samples:,} samples, so {n:,} are too many: ask for fewer")
        if n == self.n_samples:
            return self
        if n < MIN_SAMPLES:
            self._refuse(f"{n:,} samples are too few: ask for at least {MIN_SAMPLES}")
        rng = np.random.default_rng(seed)
        train = rng.permutation(np.flatnonzero(~self.is_test))
        test = rng.permutation(np.flatnonzero(self.is_test))
        n_test = round(n * test.size / self.n_samples)
        if test.size and train.size:
            n_test = min(max(n_test, 1), n - 1)
        return self._rows(np.sort(np.concatenate((train[: n - n_test], test[:n_test]))))

    def train_part(self) -> Dataset:
        """Return the samples outside the test part; DataError if there are none."""
        return self._part(~self.is_test, "training")

    def test_part(self) -> Dataset:
        """Return the samples of the test part; DataError if there are none."""
        return self._part(self.is_test, "test")

    def _part(self, chosen: np.ndarray, title: str) -> Dataset:
        if not chosen.any():
            self._refuse(f"it has no {title} part: take the whole data set instead")
        return self._rows(np.flatnonzero(chosen))

    def _rows(self, rows: np.ndarray) -> Dataset:
        return replace(
            self,
            samples=self.samples[rows],
            labels=None if self.labels is None else self.labels[rows],
            is_test=self.is_test[rows],
        )

    def stage_set(self, size: int = 2000, seed: int = 0) -> np.ndarray:
        """Choose the points that are put on display.

        Where there are labels, each class has its share of the points to within one point. This
        serves display alone: no model may learn from which rows these are.

        Parameters
        ----------
        size : int
            Number of points wanted.
        seed : int
            Same seed, same points.

        Returns
        -------
        ndarray of shape (min(size, n),)
            Sorted int64 row numbers; all rows if there are no more than `size`.

        Raises
        ------
        DataError
            If `size` is below 1.
        """
        if size < 1:
            self._refuse("a stage set needs at least 1 point")
        n = self.n_samples
        if n <= size:
            return np.arange(n, dtype=np.int64)
        order = np.random.default_rng(seed).permutation(n).astype(np.int64)
        if self.labels is not None:
            order = order[np.argsort(self.labels[order], kind="stable")]
        # Evenly spaced places in an order by class give every class its share, without rounding
        # class by class.
        return np.sort(order[np.arange(size, dtype=np.int64) * n // size])

    def as_float(self, rows: np.ndarray | slice | None = None) -> np.ndarray:
        """Return samples as a new float32 array, uint8 grey levels scaled to [0, 1].

        Parameters
        ----------
        rows : ndarray of int or bool, slice, or None
            Which rows; None means all, which for sparse samples may be more than fits.

        Returns
        -------
        ndarray of shape (n_rows, D)
            float32, safe to change.
        """
        chosen = dense(self.samples if rows is None else self.samples[rows])
        if chosen.dtype == np.uint8:
            scaled: np.ndarray = np.divide(chosen, np.float32(255), dtype=np.float32)
            return scaled
        return np.array(chosen, dtype=np.float32)


def random_test_part(n_samples: int, seed: int = 0) -> np.ndarray:
    """Mark a seeded random seventh of the samples as the test part.

    For data whose split is not known. Labels have no say in it.

    Parameters
    ----------
    n_samples : int
        Number of samples, n.
    seed : int
        Same seed, same test part.

    Returns
    -------
    ndarray of shape (n,)
        bool, True for round(n / 7) rows.
    """
    is_test = np.zeros(n_samples, dtype=np.bool_)
    chosen = np.random.default_rng(seed).permutation(n_samples)
    is_test[chosen[: round(n_samples * TEST_SHARE)]] = True
    return is_test
