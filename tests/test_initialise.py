"""Starts of the mixture."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from vade_core.initialise import (
    STARTS,
    diagonal_mixture,
    from_clusters,
    likeliest_mixture,
    umap_mixture,
)
from vade_core.neighbours import as_umap_counts, nearest
from vade_core.training import Phase, Training


def islands(n: int, k: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    centres = rng.normal(size=(k, 4)) * 6
    return centres[y] + rng.normal(size=(n, 4)), y


@pytest.mark.parametrize("name", list(STARTS))
def test_every_start_finds_islands_and_their_moments(name: str) -> None:
    z, y = islands(900)
    find = STARTS[name].find
    if STARTS[name].of_data:
        find = partial(find, components=z)
    found = find(z.astype(np.float32), 6, seed=0, restarts=5)
    assert adjusted_rand_score(y, found.clusters) > 0.95
    assert found.weights.sum() == pytest.approx(1)
    for cluster in range(6):
        members = z[found.clusters == cluster]
        np.testing.assert_allclose(found.means[cluster], members.mean(axis=0), atol=0.1)
        np.testing.assert_allclose(found.variances[cluster], members.var(axis=0), rtol=0.25)
    again = find(z.astype(np.float32), 6, seed=0, restarts=5)
    np.testing.assert_array_equal(found.clusters, again.clusters)


def test_many_restarts_find_what_one_misses() -> None:
    z, _ = islands(3_000, k=12, seed=3)
    many = likeliest_mixture(z, 12, covariance="diag", seed=0, restarts=12, sample=800)
    ones = [
        GaussianMixture(12, covariance_type="diag", random_state=seed).fit(z).lower_bound_
        for seed in range(6)
    ]
    assert many.lower_bound_ > min(ones) + 0.01
    assert many.lower_bound_ >= max(ones) - 0.01


@pytest.mark.parametrize("sample", [200, 1_000])
def test_the_last_bits_of_the_latents_do_not_change_which_cluster_is_which(sample: int) -> None:
    z, _ = islands(400, k=5, seed=1)
    noise = np.random.default_rng(0)
    for seed in range(10):
        asked = {"covariance": "spherical", "seed": seed, "restarts": 6, "sample": sample}
        once, again = (
            likeliest_mixture(one, 5, **asked)
            for one in (z, z * (1 + noise.normal(scale=1e-8, size=z.shape)))
        )
        np.testing.assert_array_equal(once.predict(z), again.predict(z))


def test_an_empty_cluster_gets_the_moments_of_all() -> None:
    z, y = islands(300, k=3)
    found = from_clusters(z, y.astype(np.int64), 4)
    np.testing.assert_allclose(found.means[3], z.mean(axis=0))
    assert (found.weights > 0).all()
    assert found.weights.sum() == pytest.approx(1)


def test_too_few_points_for_umap_fall_back_to_the_mixture() -> None:
    z, _ = islands(40, k=3)
    found = umap_mixture(z, 3, seed=0, restarts=3)
    expected = diagonal_mixture(z, 3, seed=0, restarts=3)
    np.testing.assert_array_equal(found.clusters, expected.clusters)


@pytest.mark.parametrize("shape", [(300, 2), (300, 20), (12_000, 4)])
def test_neighbours_are_the_nearest_others(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(0).normal(size=shape)
    indices, distances = nearest(points, 5)
    for row in (0, 17, len(points) - 1):
        away = np.linalg.norm(points - points[row], axis=1)
        away[row] = np.inf
        np.testing.assert_array_equal(indices[row], np.argsort(away)[:5])
        np.testing.assert_allclose(distances[row], np.sort(away)[:5])
    some = np.array([17, 3, len(points) - 1])
    of_some = nearest(points, 5, of=some)
    np.testing.assert_array_equal(of_some[0], indices[some])
    np.testing.assert_allclose(of_some[1], distances[some])
    with_itself, zero_first = as_umap_counts(indices, distances)
    np.testing.assert_array_equal(with_itself[:, 0], np.arange(len(points)))
    assert (zero_first[:, 0] == 0).all()


@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("shape", [(400, 2), (12_000, 4), (400, 20)])
def test_neighbours_on_one_spot_are_others_all_the_same(shape: tuple[int, int], some: bool) -> None:
    points = np.random.default_rng(0).normal(size=shape)
    points[10:40] = points[0]  # more on one spot than neighbours are asked for
    points[50:52] = points[1]
    indices, distances = nearest(points, 5, of=np.arange(len(points)) if some else None)
    assert (indices != np.arange(len(points))[:, None]).all()
    assert all(len(set(row)) == 5 for row in indices[:60])
    on_spot = [0, *range(10, 40)]
    assert (distances[on_spot] == 0).all()
    assert np.isin(indices[on_spot], on_spot).all()
    assert set(indices[1, :2]) == {50, 51}
    np.testing.assert_allclose(
        distances, np.linalg.norm(points[indices] - points[:, None], axis=2), atol=1e-12
    )


def test_what_a_later_phase_needs_is_prepared_beside_the_earlier_ones() -> None:
    ready = threading.Event()
    seen: list[bool] = []

    def act(generator: torch.Generator) -> dict[str, object]:
        seen.append(ready.is_set())
        return {}

    weight = torch.nn.Parameter(torch.zeros(1))
    first = Phase(
        "pretrain",
        "",
        2,
        loss=lambda x, rows, generator: {"loss": ((weight - x.mean()) ** 2).sum()},
        parameters=lambda: [weight],
    )
    action = Phase("start", "", action=act, prepare=ready.set)
    list(Training(torch.rand(10, 2), [first, action], seed=0, batch_size=5))
    assert seen == [True]
