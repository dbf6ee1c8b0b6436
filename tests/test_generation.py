"""Distances of generated samples to real ones, against a computation pair by pair."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vade_core.generation import (
    distances_to_classes,
    nearest_rows,
    samples_by_cluster,
    squared_distances,
)
from vade_core.models import VAE, LambdaHot


def test_distances_are_those_of_the_nearest_real_samples_pair_by_pair() -> None:
    rng = np.random.default_rng(0)
    generated = rng.random((3, 4, 5))
    real, labels = rng.random((30, 5)), rng.integers(0, 4, 30)
    labels[labels == 2] = 1  # class 2 has none
    found = distances_to_classes(generated, real, labels, 4, nearest=3)
    for k in range(3):
        for c in (0, 1, 3):
            means = []
            for sample in generated[k]:
                all_of_class = sorted(math.dist(sample, other) for other in real[labels == c])
                means.append(sum(all_of_class[:3]) / 3)
            assert found[k, c] == pytest.approx(sum(means) / 4)
    assert np.isnan(found[:, 2]).all()


def test_a_class_of_few_samples_is_averaged_over_all_of_them() -> None:
    found = distances_to_classes([[[0.0]]], [[1.0], [3.0], [9.0]], [0, 0, 1], 2, nearest=10)
    assert found.tolist() == [[2.0, 9.0]]


def test_a_sample_that_is_there_has_no_distance_despite_rounding() -> None:
    points = 1000 + np.random.default_rng(1).random((20, 50))
    squared = squared_distances(points, points)
    assert (squared >= 0).all()
    assert np.diag(squared).max() < 1e-3


def test_the_nearest_come_first_and_no_more_than_there_are() -> None:
    rng = np.random.default_rng(2)
    centres, points = rng.normal(size=(4, 3)), rng.normal(size=(9, 3))
    found = nearest_rows(centres, points, 5)
    assert found.shape == (4, 5)
    for centre, rows in zip(centres, found, strict=True):
        far = [math.dist(centre, points[row]) for row in rows]
        assert far == sorted(far)
        assert max(far) <= min(
            math.dist(centre, points[i]) for i in range(9) if i not in rows.tolist()
        )
    assert nearest_rows(centres, points, 50).shape == (4, 9)


def test_samples_of_every_cluster_are_the_models_own_and_share_their_noise() -> None:
    rng = np.random.default_rng(3)
    X, y = rng.random((60, 12)).astype(np.float32), np.arange(60) % 3
    model = LambdaHot(latent_dim=4, hidden=(8,), epochs=1, precision="fp32").fit(X, y)
    found = samples_by_cluster(model, 5, temperature=0.7, random_state=9)
    assert found.shape == (3, 5, 12)
    for c in range(3):
        assert np.array_equal(found[c], model.sample(5, cluster=c, temperature=0.7, random_state=9))
    noise = [model.sample_latents(5, cluster=c) - model.prior_.means[c].numpy() for c in range(3)]
    assert np.allclose(noise[0], noise[1], atol=1e-6)


def test_what_cannot_be_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="one width"):
        squared_distances([[1.0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="one label a real sample"):
        distances_to_classes(np.zeros((1, 2, 3)), np.zeros((4, 3)), [0], 1)
    with pytest.raises(ValueError, match="one real sample at least"):
        distances_to_classes(np.zeros((1, 1, 1)), np.zeros((1, 1)), [0], 1, nearest=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        distances_to_classes(np.zeros((1, 1, 1)), np.zeros((1, 1)), [2], 2)
    rng = np.random.default_rng(4)
    vae = VAE(n_clusters=2, latent_dim=2, hidden=(4,), epochs=1, precision="fp32")
    with pytest.raises(ValueError, match="no cluster can be asked for"):
        samples_by_cluster(vae.fit(rng.random((20, 3)).astype(np.float32)))
