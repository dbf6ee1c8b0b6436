"""Maps of a latent space in two dimensions that stay comparable from epoch to epoch.

Every map is a pure function of the latents, the map of the last frame (`previous`) and a seed.
Nothing else is remembered, so a resumed run continues exactly. A later frame starts from the
previous one and is turned onto it; what still moves has moved in the latent space.

t-SNE and UMAP get exact neighbours from one search. They do not depend on a seed, and they spare
UMAP most of its first-call compilation.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import orthogonal_procrustes

from vade_core.neighbours import as_umap_counts, nearest

Points = NDArray[np.float64]
Map = NDArray[np.float32]

# Barnes-Hut is the faster gradient below this number of points, interpolation above it.
_BARNES_HUT_BELOW = 10_000
# Fewer points than this have no neighbourhood worth drawing; they get their principal axes.
_FEWEST_NEIGHBOURLY = 5
# Spreads (standard deviation) from which t-SNE starts. A wide start freezes the old islands:
# left at its full size, the previous map kept reshuffled clusters torn apart.
_COLD_SPREAD = 1e-4
_WARM_SPREAD = 1e-2
# UMAP's full step stirs a map that is nearly right. A quarter of it moved points less and kept
# more of their neighbours, at the same cost.
_WARM_STEP = 0.25


def pca(latents: ArrayLike, previous: ArrayLike | None = None, seed: int = 0) -> Map:
    """Project onto the first two principal axes, in the units of the latents.

    With `previous`, the map is rotated or mirrored onto it (orthogonal Procrustes), so that axes
    do not flip from epoch to epoch. Without it, the largest loading of each axis is positive.

    Parameters
    ----------
    latents : array_like of float, shape (n, J)
        Places of the points.
    previous : array_like of float, shape (n, 2), optional
        Map of the last frame.
    seed : int
        Unused; every map takes one.

    Returns
    -------
    ndarray of float32, shape (n, 2)
        The map. With one latent dimension the second axis is zero.

    Raises
    ------
    ValueError
        If the latents are empty, are not numbers, or do not fit `previous`.
    """
    points = _checked(latents)
    before = _checked_previous(previous, len(points))
    flat = _principal(points)
    return _float32(flat if before is None else _turned(flat, before))


def tsne(
    latents: ArrayLike,
    previous: ArrayLike | None = None,
    seed: int = 0,
    perplexity: float = 30.0,
    n_jobs: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Map:
    """t-SNE (van der Maaten and Hinton 2008), started from the last frame where there is one.

    Without `previous`: principal axes, 250 iterations at exaggeration 12, then 250 plain ones
    (500 gave the same 10-neighbour recall to 0.002 on four data sets and took 1.5 times as long).
    With it: 50 iterations at exaggeration 4, then 100 plain ones; the result is turned onto the
    previous map and takes its spread, since the size of a t-SNE map follows from the iterations.

    Parameters
    ----------
    latents : array_like of float, shape (n, J)
        Places of the points.
    previous : array_like of float, shape (n, 2), optional
        Map of the last frame.
    seed : int
        Seed of the jitter that keeps points apart at the start.
    perplexity : float
        Effective number of neighbours. Lowered to (n - 1) / 3 for few points.
    n_jobs : int
        Threads. One by default: beside a training process, more threads wait for each other.
        Set OMP_NUM_THREADS=1 too, which also holds for the neighbour search.
    progress : callable, optional
        Called every few iterations with the share of them that is done.

    Returns
    -------
    ndarray of float32, shape (n, 2)
        The map. Fewer than five points get their PCA map.

    Raises
    ------
    ValueError
        As in `pca`, or if the perplexity is not positive.
    """
    points = _checked(latents)
    before = _checked_previous(previous, len(points))
    if not perplexity > 0:
        raise ValueError(f"perplexity is {perplexity}; pass a number above 0, such as 30.")
    n = len(points)
    if n < _FEWEST_NEIGHBOURLY:
        return pca(points, before, seed)

    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    effective = min(float(perplexity), (n - 1) / 3)
    neighbours, distances = nearest(points, min(n - 1, max(1, int(3 * effective))))
    affinities = PerplexityBasedNN(
        knn_index=PrecomputedNeighbors(neighbours, distances),
        perplexity=effective,
        n_jobs=n_jobs,
    )
    if before is None:
        start = _start(_principal(points), seed, _COLD_SPREAD)
        stages = ((250, 12.0, 0.5), (250, 1.0, 0.8))
    else:
        start = _start(before, seed, _WARM_SPREAD)
        stages = ((50, 4.0, 0.5), (100, 1.0, 0.8))
    embedding = TSNEEmbedding(
        start,
        affinities,
        negative_gradient_method="bh" if n < _BARNES_HUT_BELOW else "fft",
        n_jobs=n_jobs,
        random_state=seed,
    )
    total = sum(iterations for iterations, _, _ in stages)
    done = 0

    def tell(iteration: int, error: float, places: Points) -> None:
        assert progress is not None
        progress((done + iteration) / total)

    for iterations, exaggeration, momentum in stages:
        embedding.optimize(
            iterations,
            exaggeration=exaggeration,
            momentum=momentum,
            inplace=True,
            callbacks=None if progress is None else tell,
            callbacks_every_iters=10,
        )
        done += iterations
    placed = np.array(embedding, dtype=np.float64)
    return _float32(placed if before is None else _turned(_sized(placed, before), before))


def umap_map(latents: ArrayLike, previous: ArrayLike | None = None, seed: int = 0) -> Map:
    """UMAP (McInnes, Healy and Melville 2018), started from the last frame where there is one.

    Both starts, the principal axes and the previous map, are scaled to UMAP's box of 10 by 10.
    A later frame runs for 100 epochs at a quarter of the step, is turned onto the previous map and
    takes its spread, since the box decides the size. It runs on one thread, because a seeded UMAP
    does. The first call in a process compiles for some seconds: make it in the worker.

    Parameters
    ----------
    latents : array_like of float, shape (n, J)
        Places of the points.
    previous : array_like of float, shape (n, 2), optional
        Map of the last frame.
    seed : int
        Seed of the optimisation.

    Returns
    -------
    ndarray of float32, shape (n, 2)
        The map. Fewer than five points get their PCA map.

    Raises
    ------
    ValueError
        As in `pca`.
    """
    points = _checked(latents)
    before = _checked_previous(previous, len(points))
    n = len(points)
    if n < _FEWEST_NEIGHBOURLY:
        return pca(points, before, seed)

    from umap import UMAP

    n_neighbours = min(15, n - 1)
    known = as_umap_counts(*nearest(points, n_neighbours - 1))
    start = _start(_principal(points) if before is None else before, seed, 3.0)
    model = UMAP(
        n_neighbors=n_neighbours,
        init=start.astype(np.float32),
        n_epochs=None if before is None else 100,
        learning_rate=1.0 if before is None else _WARM_STEP,
        random_state=seed,
        n_jobs=1,
        precomputed_knn=known,
        force_approximation_algorithm=True,
    )
    with warnings.catch_warnings():
        # It warns that it cannot place new points later; nobody asks it to.
        warnings.filterwarnings("ignore", message="precomputed_knn", category=UserWarning)
        placed = np.asarray(model.fit_transform(points.astype(np.float32)), dtype=np.float64)
    if before is None:
        return _float32(placed - placed.mean(axis=0))
    return _float32(_turned(_sized(placed, before), before))


def first_two(latents: ArrayLike, previous: ArrayLike | None = None, seed: int = 0) -> Map:
    """Show latent dimensions 1 and 2 as they are.

    Parameters
    ----------
    latents : array_like of float, shape (n, J)
        Places of the points.
    previous : array_like of float, shape (n, 2), optional
        Checked but not followed: turning the axes would make them something else.
    seed : int
        Unused; every map takes one.

    Returns
    -------
    ndarray of float32, shape (n, 2)
        The map. With one latent dimension the second axis is zero.

    Raises
    ------
    ValueError
        As in `pca`.
    """
    points = _checked(latents)
    _checked_previous(previous, len(points))
    flat = np.zeros((len(points), 2))
    flat[:, : points.shape[1]] = points[:, :2]
    return _float32(flat)


@dataclass(frozen=True)
class Lens:
    """A way to look at a latent space.

    Attributes
    ----------
    function : callable
        ``function(latents, previous, seed)`` returns the map, (n, 2) float32.
    title : str
        Its name on a page.
    words : str
        What it shows and what it does not, in a sentence or two.
    """

    function: Callable[..., Map]
    title: str
    words: str


LENSES: dict[str, Lens] = {
    "tsne": Lens(
        tsne,
        "t-SNE",
        "Keeps close neighbours together. Gaps and sizes of islands mean little.",
    ),
    "umap": Lens(
        umap_map,
        "UMAP",
        "Keeps neighbourhoods and packs them tightly. Distances between islands mean little.",
    ),
    "pca": Lens(
        pca,
        "PCA",
        "A flat shadow along the two widest directions: points may be further apart than here.",
    ),
    "first-two": Lens(
        first_two,
        "Latent 1 and 2",
        "The first two latent dimensions as they are. With more dimensions, the rest is hidden.",
    ),
}


def turned_onto(map_: ArrayLike, reference: ArrayLike) -> Map:
    """Give a map the spread of another, rotate or mirror it onto that one, and move it there.

    Parameters
    ----------
    map_, reference : array_like of float, shape (n, 2)
        Two maps of the same points.

    Returns
    -------
    ndarray of float32, shape (n, 2)
        The map as close to the other as it gets without bending it.

    Raises
    ------
    ValueError
        If the maps differ in length or hold values that are not finite.
    """
    there = _checked_map(reference, len(np.asarray(reference)), "reference")
    here = _checked_map(map_, len(there), "map_")
    return _float32(_turned(_sized(here, there), there))


def place_means(latents: ArrayLike, map_: ArrayLike, responsibilities: ArrayLike) -> Points:
    """Find where each cluster stands on a map.

    It is the responsibility-weighted geometric median of the map's points. A mean would stand in
    the empty sea between two islands when a few points lie astray; the median stays on the
    island that holds more than half of the weight. Unlike a median of each axis, it turns with
    the map.

    Parameters
    ----------
    latents : array_like of float, shape (n, J)
        The latents that the map shows; checked against it.
    map_ : array_like of float, shape (n, 2)
        The map.
    responsibilities : array_like of float, shape (n, K)
        Weight of each point in each cluster, 0 or more.

    Returns
    -------
    ndarray of float64, shape (K, 2)
        Places on the map; NaN for a cluster without weight.

    Raises
    ------
    ValueError
        If lengths differ or a value is not a number, or is negative where it must not be.
    """
    points = _checked(latents)
    flat = _checked_map(map_, len(points), "map_")
    weights = np.asarray(responsibilities, dtype=np.float64)
    if weights.ndim != 2 or len(weights) != len(flat):
        raise ValueError(
            f"responsibilities has shape {weights.shape}; pass one row for each of "
            f"{len(flat)} points."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("responsibilities must be finite and not negative.")
    places = np.full((weights.shape[1], 2), np.nan)
    # Points this close count as one, so that the iteration never divides by zero.
    grain = 1e-6 * max(_spread(flat), 1e-12)
    for k, weight in enumerate(weights.T):
        if weight.sum() > 0:
            places[k] = _geometric_median(flat, weight, grain)
    return places


def neighbour_recall(latents: ArrayLike, map_: ArrayLike, k: int = 10) -> Points:
    """Tell for each point how far the map may be trusted around it.

    Parameters
    ----------
    latents : array_like of float, shape (n, J)
        Places of the points.
    map_ : array_like of float, shape (n, 2)
        Their map.
    k : int
        Number of neighbours, at most n - 1; a larger one is lowered to it.

    Returns
    -------
    ndarray of float64, shape (n,)
        Share of the k nearest in the latent space that are among the k nearest on the map.

    Raises
    ------
    ValueError
        If lengths differ, k is below 1, there are fewer than two points or values are not finite.
    """
    points = _checked(latents)
    flat = _checked_map(map_, len(points), "map_")
    if k < 1:
        raise ValueError(f"k is {k}; pass at least 1.")
    if len(points) < 2:
        raise ValueError("One point has no neighbours; pass at least two.")
    wanted = min(int(k), len(points) - 1)
    there, here = nearest(points, wanted)[0], nearest(flat, wanted)[0]
    found = np.zeros(len(points), dtype=np.int64)
    for column in there.T:
        found += (here == column[:, None]).any(axis=1)
    return found / wanted


def movement(previous: ArrayLike, map_: ArrayLike) -> float:
    """Measure how far points moved between two maps.

    Parameters
    ----------
    previous, map_ : array_like of float, shape (n, 2)
        Two maps of the same points.

    Returns
    -------
    float
        Mean displacement after removing the translation, over the spread: the root mean square
        distance from the centre, of both maps together. 0 is still; the measure is symmetric.

    Raises
    ------
    ValueError
        If the maps differ in length or hold values that are not finite.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> movement(square, square + 7.0)
    0.0
    >>> movement(square, 1.0 - square)
    2.0
    """
    after = _checked_map(map_, len(np.asarray(map_)), "map_")
    before = _checked_map(previous, len(after), "previous")
    spread = float(np.sqrt((_spread(before) ** 2 + _spread(after) ** 2) / 2))
    if spread == 0:
        return 0.0
    step = (after - after.mean(axis=0)) - (before - before.mean(axis=0))
    return float(np.linalg.norm(step, axis=1).mean() / spread)


def _checked(latents: ArrayLike) -> Points:
    points = np.asarray(latents, dtype=np.float64)
    if points.ndim != 2 or points.size == 0:
        raise ValueError(
            f"latents has shape {points.shape}; pass one row a point and at least one of each."
        )
    if not np.isfinite(points).all():
        raise ValueError("latents holds NaN or infinite values; the model has diverged.")
    return np.ascontiguousarray(points)


def _checked_map(map_: ArrayLike, n: int, name: str) -> Points:
    flat = np.asarray(map_, dtype=np.float64)
    if flat.shape != (n, 2) or n == 0:
        raise ValueError(f"{name} has shape {flat.shape}; pass a map of shape ({n}, 2).")
    if not np.isfinite(flat).all():
        raise ValueError(f"{name} holds NaN or infinite values; draw that map again.")
    return np.ascontiguousarray(flat)


def _checked_previous(previous: ArrayLike | None, n: int) -> Points | None:
    return None if previous is None else _checked_map(previous, n, "previous")


def _float32(map_: Points) -> Map:
    return np.ascontiguousarray(map_, dtype=np.float32)


def _spread(map_: Points) -> float:
    """Root mean square distance from the centre."""
    return float(np.sqrt(((map_ - map_.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _principal(points: Points) -> Points:
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    flat = np.zeros((len(points), 2))
    flat[:, : axes.shape[1]] = centred @ axes
    return flat


def _turned(map_: Points, previous: Points) -> Points:
    """Rotate or mirror a map onto the previous one, and move it there."""
    centre = previous.mean(axis=0)
    centred = map_ - map_.mean(axis=0)
    rotation, _ = orthogonal_procrustes(centred, previous - centre)
    return centred @ rotation + centre


def _sized(map_: Points, previous: Points) -> Points:
    """Give a map the spread of the previous one, unless one of them is a single place."""
    spread, wanted = _spread(map_), _spread(previous)
    return map_ * (wanted / spread) if spread > 0 and wanted > 0 else map_


def _start(map_: Points, seed: int, spread: float) -> Points:
    """Scale a map to a standard deviation, and keep its points and axes from coinciding."""
    centred = map_ - map_.mean(axis=0)
    deviation = float(np.sqrt(centred.var(axis=0).mean()))
    if deviation > 0:
        centred = centred * (spread / deviation)
    jitter = np.random.default_rng(seed).normal(scale=0.01 * spread, size=centred.shape)
    return centred + jitter


def _geometric_median(map_: Points, weight: Points, grain: float) -> Points:
    """Weiszfeld's iteration for the point of least weighted distance to all others."""
    place = np.average(map_, axis=0, weights=weight)
    for _ in range(200):
        pull = weight / np.maximum(np.linalg.norm(map_ - place, axis=1), grain)
        nearer = pull @ map_ / pull.sum()
        step = float(np.linalg.norm(nearer - place))
        place = nearer
        if step < 10 * grain:
            break
    return place
