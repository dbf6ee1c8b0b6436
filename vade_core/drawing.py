"""A drawn digit made as MNIST's were: fitted into a box, placed by its centre of mass.

MNIST's digits were "size normalized to fit in a 20x20 pixel box while preserving their aspect
ratio", with grey levels from anti-aliasing, "and centered in a 28x28 image by computing the center
of mass of the pixels" (LeCun, Cortes, Burges, *The MNIST database*). The page does this in the
browser (assets/interpolate/centring.js); this is the same in Python, and what it is tested with.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["INK", "centred", "ink_box", "usual_box"]

INK = 0.1
"""Grey level, of 1, above which a pixel counts as ink."""

Picture = NDArray[np.float64]


def ink_box(ink: ArrayLike) -> tuple[int, int, int, int] | None:
    """The smallest box around the ink.

    Parameters
    ----------
    ink : array_like, shape (h, w)
        Grey levels in [0, 1]; 0 is paper.

    Returns
    -------
    tuple of int or None
        First row, row after the last, first column, column after the last; None without ink.
    """
    marked = np.asarray(ink, dtype=np.float64) > INK
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    if not len(rows):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def usual_box(pictures: NDArray[np.uint8]) -> int:
    """The side of the box that the pictures of a data set fill, in pixels.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, h, w)

    Returns
    -------
    int
        The median of the longer sides of their ink: 20 for MNIST, 8 for the 8 x 8 digits.

    Raises
    ------
    ValueError
        If no picture has any ink.
    """
    sides = []
    for picture in pictures:
        box = ink_box(picture / 255.0)
        if box is not None:
            sides.append(max(box[1] - box[0], box[3] - box[2]))
    if not sides:
        raise ValueError("None of these pictures holds any ink.")
    return int(np.median(sides))


def centred(ink: ArrayLike, shape: tuple[int, int], box: int) -> Picture:
    """A drawing as a model that learnt from centred digits wants to see it.

    Its ink is scaled to a box, keeping its proportions, by averaging over areas, and placed so
    that its centre of mass comes to lie in the middle pixel (side // 2), as in MNIST, where the
    centres of all digits lie within half a pixel of it.

    Parameters
    ----------
    ink : array_like, shape (H, W)
        Grey levels in [0, 1], of any size; 0 is paper.
    shape : tuple of (height, width)
        Of the picture that is wanted.
    box : int
        The longer side of the ink in it, in pixels: 20 for MNIST.

    Returns
    -------
    ndarray of float64, shape (height, width)
        In [0, 1]; all zeros where nothing is drawn.

    Raises
    ------
    ValueError
        If the box does not fit into the picture.
    """
    height, width = shape
    if not 1 <= box <= min(height, width):
        raise ValueError(f"A box of {box} pixels does not fit into {height} x {width}.")
    drawing = np.asarray(ink, dtype=np.float64)
    found = ink_box(drawing)
    picture = np.zeros(shape)
    if found is None:
        return picture
    top, bottom, left, right = found
    rows, columns = bottom - top, right - left
    scale = box / max(rows, columns)
    high, wide = max(1, _round(rows * scale)), max(1, _round(columns * scale))
    cut = drawing[top:bottom, left:right]
    small = _averaging(rows, high) @ cut @ _averaging(columns, wide).T
    mass = small.sum()
    row = _placed(float((small.sum(axis=1) @ np.arange(high)) / mass), high, height)
    column = _placed(float((small.sum(axis=0) @ np.arange(wide)) / mass), wide, width)
    picture[row : row + high, column : column + wide] = small.clip(0, 1)
    return picture


def _averaging(before: int, after: int) -> Picture:
    """(after, before): each new pixel's shares of the old ones that it covers, adding up to 1."""
    edges = np.arange(after + 1) * (before / after)
    first, last = edges[:-1, None], edges[1:, None]
    old = np.arange(before)[None]
    covered = np.minimum(last, old + 1) - np.maximum(first, old)
    return np.maximum(covered, 0.0) * (after / before)


def _placed(centre: float, size: int, whole: int) -> int:
    """Where the ink begins so that its centre lies in the middle pixel, within the picture."""
    # Halves are rounded down: ink that is symmetric comes to lie symmetrically.
    return min(max(math.ceil(whole // 2 - centre - 0.5), 0), whole - size)


def _round(value: float) -> int:
    return math.floor(value + 0.5)  # as in JavaScript; Python would round halves to even
