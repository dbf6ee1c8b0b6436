"""Ways through latent space from one place to another, and grids between four.

Each gives latents at steps of equal share along the way. The page draws the same in the browser
(assets/interpolate/paths.js); what is taken away is worked out here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "WAYS",
    "along",
    "between_four",
    "clusters_between",
    "path",
    "spherical",
    "straight",
]

WAYS: dict[str, str] = {
    "straight": "Straight",
    "sphere": "Spherical",
    "means": "Through cluster means",
}
"""Ways from A to B, with what people call them."""

# Below this sine of the angle between two directions the arc between them is not defined.
LEAST_SINE = 1e-3
# Steps at which a straight way is asked which cluster it is in.
SIGHTINGS = 201

Latents = NDArray[np.float64]


def straight(a: Latents, b: Latents, at: Latents) -> Latents:
    """The straight line, (n, J), at the shares ``at`` (n,) of the way."""
    return a + at[:, None] * (b - a)


def spherical(a: Latents, b: Latents, at: Latents) -> Latents:
    """The arc around the origin: the direction turns evenly, the length changes evenly.

    For ends of one length this is Shoemake's slerp (*Animating Rotation with Quaternion Curves*,
    1985), whose formula is used on the two directions here. Most of a standard normal's mass lies
    in a shell, which the arc does not leave and the straight line cuts.

    Parameters
    ----------
    a, b : ndarray, shape (J,)
    at : ndarray, shape (n,)
        Shares of the way in [0, 1].

    Returns
    -------
    ndarray, shape (n, J)
        The straight line where the directions are the same or opposite, or an end is the origin.
    """
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) < 1e-9:
        return straight(a, b, at)
    one, other = a / lengths[0], b / lengths[1]
    angle = np.arccos(np.clip(one @ other, -1.0, 1.0))
    sine = np.sin(angle)
    if sine < LEAST_SINE:
        return straight(a, b, at)
    turned = (np.sin((1 - at) * angle)[:, None] * one + np.sin(at * angle)[:, None] * other) / sine
    return ((1 - at) * lengths[0] + at * lengths[1])[:, None] * turned


def along(corners: Latents, at: Latents) -> Latents:
    """The polyline through corners (m, J) at shares ``at`` (n,) of its length, (n, J)."""
    lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    if ends[-1] <= 0:
        return np.repeat(corners[:1], len(at), axis=0)
    places = at * ends[-1]
    leg = np.clip(np.searchsorted(ends, places, side="right") - 1, 0, len(lengths) - 1)
    within = (places - ends[leg]) / np.where(lengths[leg] > 0, lengths[leg], 1.0)
    return corners[leg] + within[:, None] * (corners[leg + 1] - corners[leg])


def clusters_between(
    a: Latents, b: Latents, log_weights: Latents, means: Latents, log_variances: Latents
) -> list[int]:
    """The clusters that the straight line from A to B goes through, in order.

    Parameters
    ----------
    a, b : ndarray, shape (J,)
    log_weights : ndarray, shape (K,)
    means, log_variances : ndarray, shape (K, J)

    Returns
    -------
    list of int
        The most responsible cluster at each step of the line, each named once, where it comes
        first.
    """
    z = straight(a, b, np.linspace(0, 1, SIGHTINGS))
    found: list[int] = []
    for cluster in _log_joint(z, log_weights, means, log_variances).argmax(axis=1).tolist():
        if cluster not in found:
            found.append(cluster)
    return found


def _log_joint(z: Latents, log_weights: Latents, means: Latents, log_variances: Latents) -> Latents:
    """log pi_c + log N(z; mu_c, sigma_c^2) less the constant that all share, (n, K)."""
    squared = (z[:, None] - means) ** 2 * np.exp(-log_variances)
    return log_weights - 0.5 * (squared + log_variances).sum(axis=-1)


def path(
    a: Latents,
    b: Latents,
    way: str,
    at: Latents,
    mixture: tuple[Latents, Latents, Latents],
) -> Latents:
    """The way from A to B.

    Parameters
    ----------
    a, b : ndarray, shape (J,)
    way : str
        A name in `WAYS`.
    at : ndarray, shape (n,)
        Shares of the way in [0, 1].
    mixture : tuple of ndarray
        log pi (K,), means (K, J) and log-variances (K, J) of the mixture that assigns clusters.

    Returns
    -------
    ndarray, shape (n, J)

    Raises
    ------
    ValueError
        If there is no such way.
    """
    if way == "straight":
        return straight(a, b, at)
    if way == "sphere":
        return spherical(a, b, at)
    if way == "means":
        between = clusters_between(a, b, *mixture)
        return along(np.stack([a, *(mixture[1][c] for c in between), b]), at)
    raise ValueError(f"There is no way {way!r}: choose one of {', '.join(WAYS)}.")


def between_four(corners: Sequence[Latents], side: int) -> Latents:
    """The bilinear grid between four latents, (side * side, J), row by row.

    Parameters
    ----------
    corners : sequence of four ndarray, each (J,)
        Top left, top right, bottom left, bottom right.
    side : int
        Pictures a side, at least 2.
    """
    top_left, top_right, bottom_left, bottom_right = corners
    share = np.linspace(0, 1, side)
    left = straight(top_left, bottom_left, share)
    right = straight(top_right, bottom_right, share)
    rows = left[:, None] + share[None, :, None] * (right - left)[:, None]
    return rows.reshape(side * side, -1)
