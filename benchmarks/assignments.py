"""The cluster of every sample, as a cell keeps it: small enough for a line of JSON."""

from __future__ import annotations

import base64
import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray


def packed(clusters: ArrayLike) -> str:
    """Clusters (n,), from 0 to 65,535, as text: 16 bits each, little endian, zlib, base64."""
    numbers = np.asarray(clusters)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < 2**16:
        raise ValueError("Clusters are numbered from 0 to 65,535.")
    return base64.b64encode(zlib.compress(numbers.astype("<u2").tobytes(), 9)).decode("ascii")


def unpacked(text: str) -> NDArray[np.int64]:
    """The clusters that :func:`packed` was given."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<u2").astype(np.int64)
