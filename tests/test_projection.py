"""Maps: shape, determinism, how calm and how honest they are, and the awkward inputs."""

from __future__ import annotations

import doctest
import subprocess
import sys

import numpy as np
import pytest

from vade_core import neighbours, projection
from vade_core.projection import LENSES

NEIGHBOURLY = ("tsne", "umap")


def blobs(n: int = 150, dimensions: int = 6, n_groups: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=4.0, size=(n_groups, dimensions))
    return centres[np.arange(n) % n_groups] + rng.normal(size=(n, dimensions))


def rotation(dimensions: int, seed: int = 1) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))[0]


def recall_by_force(latents: np.ndarray, map_: np.ndarray, k: int) -> np.ndarray:
    shares = []
    for i in range(len(latents)):
        nearest = []
        for space in (latents, map_):
            order = np.argsort(((space - space[i]) ** 2).sum(axis=1), kind="stable")
            nearest.append(set(order[order != i][:k].tolist()))
        shares.append(len(nearest[0] & nearest[1]) / k)
    return np.array(shares)


@pytest.fixture(scope="module")
def cold() -> dict[str, np.ndarray]:
    return {name: lens.function(blobs()) for name, lens in LENSES.items()}


@pytest.mark.parametrize("name", LENSES)
def test_shape_and_determinism(name: str, cold: dict[str, np.ndarray]) -> None:
    draw = LENSES[name].function
    latents = blobs()
    untouched = latents.copy()
    assert cold[name].shape == (150, 2)
    assert cold[name].dtype == np.float32
    assert np.isfinite(cold[name]).all()
    assert np.array_equal(draw(latents, None, 0), cold[name])
    previous = cold[name].copy()
    again = [draw(latents + 0.1, previous=previous, seed=3) for _ in range(2)]
    assert np.array_equal(*again)
    assert np.array_equal(latents, untouched)
    assert np.array_equal(previous, cold[name])


@pytest.mark.parametrize("name", NEIGHBOURLY)
def test_the_seed_matters(name: str, cold: dict[str, np.ndarray]) -> None:
    assert not np.array_equal(LENSES[name].function(blobs(), seed=1), cold[name])


@pytest.mark.parametrize(("name", "allowed"), [("pca", 1e-5), ("tsne", 0.4), ("umap", 0.4)])
def test_rotated_latents_hardly_move_the_map(
    name: str, allowed: float, cold: dict[str, np.ndarray]
) -> None:
    # A mirror image is included: the first axis changes its sign.
    turn = rotation(6) @ np.diag([-1.0, 1, 1, 1, 1, 1])
    turned = LENSES[name].function(blobs() @ turn, previous=cold[name])
    assert projection.movement(cold[name], turned) < allowed


def test_pca_flips_without_a_previous_map(cold: dict[str, np.ndarray]) -> None:
    assert projection.movement(cold["pca"], projection.pca(-blobs())) > 1.0
    aligned = projection.pca(-blobs(), previous=cold["pca"])
    assert projection.movement(cold["pca"], aligned) < 1e-5


def test_pca_agrees_with_a_singular_value_decomposition(cold: dict[str, np.ndarray]) -> None:
    centred = blobs() - blobs().mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    assert np.abs(cold["pca"]) == pytest.approx(np.abs(u[:, :2] * s[:2]), abs=1e-4)


def drifting_frames(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A vague heap of ten groups, and the same points later: clearer, stretched and rotated."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(10, 10))[np.arange(n) % 10]
    noise = rng.normal(size=(n, 10))
    later = 2.0 * centres + noise * np.geomspace(0.6, 1.6, 10)
    return centres + noise, later @ rotation(10, seed)


@pytest.mark.parametrize("name", NEIGHBOURLY)
def test_a_warm_start_moves_less_than_a_cold_one(name: str) -> None:
    draw = LENSES[name].function
    warm, cold_turned, cold_as_drawn = [], [], []
    for seed in range(3):
        first, later = drifting_frames(seed)
        before = draw(first).astype(float)
        fresh = draw(later).astype(float)
        # Also with the turn and size of the map before, so that only the places of points count.
        sized = projection._sized(fresh, before)
        warm.append(projection.movement(before, draw(later, previous=before)))
        cold_turned.append(projection.movement(before, projection._turned(sized, before)))
        cold_as_drawn.append(projection.movement(before, fresh))
    assert np.mean(warm) < np.mean(cold_turned)
    assert np.mean(warm) < 0.6 * np.mean(cold_as_drawn)


@pytest.mark.parametrize("name", NEIGHBOURLY)
def test_a_warm_start_lets_go_of_clusters_that_dissolved(name: str) -> None:
    draw = LENSES[name].function
    rng = np.random.default_rng(0)
    old, new = (blobs(400)[rng.permutation(400)] for _ in range(2))
    map_ = draw(new, previous=draw(old))
    assert (
        projection.neighbour_recall(new, map_).mean()
        > 0.8 * projection.neighbour_recall(new, draw(new)).mean()
    )


@pytest.mark.parametrize("name", NEIGHBOURLY)
def test_groups_become_islands(name: str, cold: dict[str, np.ndarray]) -> None:
    groups = np.arange(150) % 4
    nearest = neighbours.nearest(cold[name].astype(float), 10)[0]
    assert np.mean(groups[nearest] == groups[:, None]) > 0.95


@pytest.mark.parametrize("name", LENSES)
@pytest.mark.parametrize("n", [1, 2, 4, 5, 6, 12])
def test_few_points(name: str, n: int) -> None:
    draw = LENSES[name].function
    latents = blobs(n)
    map_ = draw(latents)
    for shown in (map_, draw(latents + 0.01, previous=map_)):
        assert shown.shape == (n, 2)
        assert np.isfinite(shown).all()


@pytest.mark.parametrize("name", LENSES)
def test_one_latent_dimension(name: str) -> None:
    draw = LENSES[name].function
    latents = np.random.default_rng(0).normal(size=(60, 1))
    map_ = draw(latents)
    for shown in (map_, draw(latents, previous=map_)):
        assert shown.shape == (60, 2)
        assert np.isfinite(shown).all()
    if name in ("pca", "first-two"):
        assert np.all(map_[:, 1] == 0)


@pytest.mark.parametrize("name", LENSES)
@pytest.mark.parametrize("distinct", [1, 2, 30])
def test_identical_points(name: str, distinct: int) -> None:
    draw = LENSES[name].function
    latents = blobs(distinct)[np.arange(120) % distinct].astype(np.float32)
    map_ = draw(latents)
    for shown in (map_, draw(latents, previous=map_), draw(latents, previous=np.zeros((120, 2)))):
        assert np.isfinite(shown).all()


def test_tsne_takes_a_perplexity_and_refuses_none() -> None:
    latents = blobs(90)
    assert not np.array_equal(projection.tsne(latents, perplexity=5), projection.tsne(latents))
    with pytest.raises(ValueError, match="perplexity"):
        projection.tsne(latents, perplexity=0)


@pytest.mark.parametrize("name", LENSES)
def test_bad_input_is_named(name: str) -> None:
    draw = LENSES[name].function
    for bad in (np.nan, np.inf):
        latents = blobs(20)
        latents[3, 2] = bad
        with pytest.raises(ValueError, match="latents holds NaN"):
            draw(latents)
    with pytest.raises(ValueError, match="previous has shape"):
        draw(blobs(20), previous=np.zeros((19, 2)))
    with pytest.raises(ValueError, match="previous holds NaN"):
        draw(blobs(20), previous=np.full((20, 2), np.nan))
    with pytest.raises(ValueError, match="latents has shape"):
        draw(np.zeros(5))


def test_recall_of_an_exact_copy_is_one() -> None:
    latents = blobs(80, dimensions=2)
    assert np.all(projection.neighbour_recall(latents, latents) == 1.0)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_agrees_with_brute_force(k: int, cold: dict[str, np.ndarray]) -> None:
    latents, map_ = blobs(), cold["pca"].astype(float)
    found = projection.neighbour_recall(latents, map_, k=k)
    expected = recall_by_force(latents, map_, k)
    assert found == pytest.approx(expected)
    assert 0.05 < found.mean() < 0.95


def test_recall_with_few_points_or_bad_k() -> None:
    latents = blobs(5)
    assert np.all(projection.neighbour_recall(latents, np.zeros((5, 2)), k=10) == 1.0)
    with pytest.raises(ValueError, match="k is 0"):
        projection.neighbour_recall(latents, np.zeros((5, 2)), k=0)
    with pytest.raises(ValueError, match="at least two"):
        projection.neighbour_recall(latents[:1], np.zeros((1, 2)))


def test_movement_ignores_translation_and_scale_of_both() -> None:
    first, second = blobs(50, 2, seed=1), blobs(50, 2, seed=2)
    moved = projection.movement(first, second)
    assert moved > 0.1
    assert projection.movement(first + 5.0, second - 3.0) == pytest.approx(moved)
    assert projection.movement(first * 7.0, second * 7.0) == pytest.approx(moved)
    assert projection.movement(second, first) == pytest.approx(moved)
    assert projection.movement(np.zeros((3, 2)), np.ones((3, 2))) == 0.0
    with pytest.raises(ValueError, match="previous has shape"):
        projection.movement(first[:-1], second)


def test_means_stand_on_the_larger_island() -> None:
    rng = np.random.default_rng(0)
    island, stray = rng.normal(size=(70, 2)), rng.normal(size=(30, 2)) + 100.0
    map_ = np.vstack([island, stray])
    responsibilities = np.zeros((100, 3))
    responsibilities[:, 0] = 1.0
    responsibilities[70:, 1] = 0.5
    places = projection.place_means(map_, map_, responsibilities)
    assert places.shape == (3, 2)
    assert np.linalg.norm(places[0]) < 3.0
    assert places[1] == pytest.approx(stray.mean(axis=0), abs=1.0)
    assert np.isnan(places[2]).all()


def test_means_minimise_the_weighted_distance_and_turn_with_the_map() -> None:
    rng = np.random.default_rng(4)
    map_, weight = rng.normal(size=(60, 2)), rng.random((60, 2))
    places = projection.place_means(map_, map_, weight)
    for place, w in zip(places, weight.T, strict=True):
        cost = w @ np.linalg.norm(map_ - place, axis=1)
        for step in ([0.02, 0], [-0.02, 0], [0, 0.02], [0, -0.02]):
            assert w @ np.linalg.norm(map_ - (place + step), axis=1) > cost
    turn = rotation(2)
    turned = projection.place_means(map_, map_ @ turn, weight)
    assert turned == pytest.approx(places @ turn, abs=1e-4)


def test_bad_responsibilities_are_named() -> None:
    map_ = np.zeros((4, 2))
    with pytest.raises(ValueError, match="responsibilities has shape"):
        projection.place_means(map_, map_, np.ones((3, 2)))
    with pytest.raises(ValueError, match="not negative"):
        projection.place_means(map_, map_, -np.ones((4, 2)))


def test_lenses_have_words_and_distinct_titles() -> None:
    assert list(LENSES) == ["tsne", "umap", "pca", "first-two"]
    assert len({lens.title for lens in LENSES.values()}) == 4
    assert all(lens.words.endswith(".") for lens in LENSES.values())


def test_slow_libraries_wait_until_they_are_needed() -> None:
    code = "import sys, vade_core.projection as p; print({'umap', 'openTSNE'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_docstring_examples_run() -> None:
    result = doctest.testmod(projection)
    assert result.attempted >= 3
    assert result.failed == 0
