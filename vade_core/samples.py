"""Samples, dense or sparse, and the rows of them that a network takes at a time.

Samples are an array of shape (n, D), or a CSR matrix of that shape where most values are 0. A
network needs dense rows, but only so many as it takes at once: what is here makes those dense,
and never the whole. torch is imported where a tensor is asked for, since whoever only describes
data can do without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_array, csr_matrix
    from torch import Tensor

Samples: TypeAlias = "NDArray[Any] | csr_array | csr_matrix"
DeviceSamples: TypeAlias = "Tensor | SparseRows"


def is_sparse(samples: Samples) -> TypeGuard[csr_array | csr_matrix]:
    """Whether these samples are a sparse matrix."""
    return not isinstance(samples, np.ndarray)


def dense(rows: Samples) -> NDArray[Any]:
    """Return rows as an array; an array is returned as it is.

    Parameters
    ----------
    rows : ndarray or CSR matrix, shape (n, D)
        Not more of them than are needed at once: a sparse matrix grows many times.

    Returns
    -------
    ndarray of shape (n, D)
    """
    return rows if isinstance(rows, np.ndarray) else rows.toarray()


# Whole numbers below this in 8 bits are no grey levels: pictures of 0..255 would be nearly black.
DARKEST_WHITE = 32

# The networks begin at unit scale. Beyond such values, or where features spread so much on average,
# a standardised copy is clustered far better.
LARGE = 1000.0
WIDE = 5.0


def scale_words(samples: NDArray[Any] | Tensor) -> str | None:
    """How far values are from unit scale, as a clause; None where they are near it.

    Parameters
    ----------
    samples : ndarray or Tensor, shape (n, D)
        In floating point.
    """
    if (reach := max(-float(samples.min()), float(samples.max()))) > LARGE:
        return f"values reach {reach:g}"
    spread = float(samples.var(0).mean()) ** 0.5
    if spread > WIDE:
        return f"the features' standard deviation is {spread:.2g} on average"
    return None


def holds_grey_levels(samples: Samples) -> bool:
    """Whether samples are pictures of 256 grey levels: in uint8, and bright enough for that.

    Counts, digits of few levels and zeros and ones come in uint8 too, and are numbers.
    """
    return bool(samples.dtype == np.uint8 and samples.max() >= DARKEST_WHITE)


def as_numbers(samples: Samples) -> Samples:
    """Return uint8 samples as float32 of the same values; others as they are."""
    return samples.astype(np.float32) if samples.dtype == np.uint8 else samples


def in_training_type(samples: Samples) -> Samples:
    """Return samples as a training takes them: uint8 grey levels, else float32.

    Parameters
    ----------
    samples : ndarray or CSR matrix, shape (n, D)
        Numbers.

    Returns
    -------
    ndarray or CSR matrix, shape (n, D)
        An array is in C order and may be written to; other numbers than uint8 are a copy.
    """
    if not isinstance(samples, np.ndarray):
        # No copy: tensors share memory with an array, but never with a sparse matrix.
        return samples if samples.dtype == np.uint8 else samples.astype(np.float32, copy=False)
    if samples.dtype == np.uint8:
        return np.require(samples, requirements=["C", "W"])
    return np.array(samples, dtype=np.float32, order="C")


def chunks(samples: Samples, size: int, device: torch.device | str = "cpu") -> Iterator[Tensor]:
    """Give all samples in order, so many at a time.

    Parameters
    ----------
    samples : ndarray or CSR matrix, shape (n, D)
    size : int
        Samples a chunk; the last may have fewer.
    device : torch.device or str
        Where the chunks go.

    Yields
    ------
    Tensor, shape (at most size, D)
        In the samples' own type.
    """
    import torch

    for first in range(0, samples.shape[0], size):
        rows = np.require(dense(samples[first : first + size]), requirements=["C", "W"])
        yield torch.from_numpy(rows).to(device)


class SparseRows:
    """A CSR matrix with the few manners of a tensor that a training asks of its samples.

    The matrix stays in the computer's memory; the rows that are asked for go to the device.

    Parameters
    ----------
    matrix : CSR matrix, shape (n, D)
    device : torch.device or str
        Where the rows go.
    """

    def __init__(self, matrix: csr_array | csr_matrix, device: torch.device | str) -> None:
        import torch

        self.matrix = matrix
        self.device = torch.device(device)

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and features, (n, D)."""
        n, n_features = self.matrix.shape
        return int(n), int(n_features)

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Rows by their numbers as a dense tensor, as ``Tensor.index_select`` gives them.

        Parameters
        ----------
        dim : int
            0: whole rows are all that can be had.
        rows : Tensor of int64, shape (m,)

        Returns
        -------
        Tensor, shape (m, D)
        """
        import torch

        if dim != 0:
            raise ValueError(f"Sparse samples are taken by rows: dim must be 0, not {dim}.")
        return torch.from_numpy(dense(self.matrix[rows.cpu().numpy()])).to(self.device)

    def split(self, size: int) -> Iterator[Tensor]:
        """All rows in order as dense tensors, ``size`` at a time."""
        return chunks(self.matrix, size, self.device)


def to_device(samples: Samples, device: torch.device | str) -> DeviceSamples:
    """Return samples for a training: a tensor on the device, or the rows of a sparse matrix."""
    import torch

    if isinstance(samples, np.ndarray):
        return torch.from_numpy(samples).to(device)
    return SparseRows(samples, device)


def from_device(samples: DeviceSamples) -> Samples:
    """Return the samples that :func:`to_device` was given."""
    return samples.matrix if isinstance(samples, SparseRows) else samples.cpu().numpy()
