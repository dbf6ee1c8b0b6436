"""Principal components of what is trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from vade_core import principal
from vade_core.principal import principal_components
from vade_core.samples import SparseRows


def by_hand(X: np.ndarray, most: int) -> np.ndarray:
    """Coordinates by the singular value decomposition of all samples."""
    centred = X - X.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:most].T


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points, axis=-1)


def test_distances_are_those_along_the_first_directions() -> None:
    X = np.random.default_rng(0).normal(size=(90, 12)) * np.linspace(3, 0.1, 12)
    X = X.astype(np.float32)
    found = principal_components(torch.from_numpy(X), seed=0, most=4)
    assert (found.shape, found.dtype) == ((90, 4), np.float32)
    np.testing.assert_allclose(distances(found), distances(by_hand(X, 4)), atol=1e-4)
    whole = principal_components(torch.from_numpy(X), seed=0)
    assert whole.shape == (90, 12)
    np.testing.assert_allclose(distances(whole), distances(X), atol=1e-4)


def test_grey_levels_and_sparse_rows_are_what_the_networks_see() -> None:
    X = np.random.default_rng(1).integers(0, 256, (60, 9)).astype(np.uint8)
    found = principal_components(torch.from_numpy(X), seed=0, most=3)
    np.testing.assert_allclose(distances(found), distances(by_hand(X / 255, 3)), atol=1e-4)
    thin = (X * (X > 200)).astype(np.float32)
    rows = SparseRows(csr_array(thin), "cpu")
    np.testing.assert_allclose(
        principal_components(rows, seed=0, most=3),
        principal_components(torch.from_numpy(thin), seed=0, most=3),
        atol=1e-4,
    )


def test_directions_of_many_samples_are_those_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    X = (rng.normal(size=(4_000, 8)) * [5, 4, 3, 0.3, 0.2, 0.1, 0.1, 0.1]).astype(np.float32)
    monkeypatch.setattr(principal, "VALUES", 400 * 8)
    found = principal_components(torch.from_numpy(X), seed=0, most=3)
    expected = distances(by_hand(X, 3)[:50])
    assert np.abs(distances(found[:50]) - expected).max() < 0.05 * expected.max()
    np.testing.assert_array_equal(found, principal_components(torch.from_numpy(X), seed=0, most=3))


def test_few_samples_of_many_features() -> None:
    X = torch.rand(3, 7)
    assert principal_components(X, seed=0).shape == (3, 3)


@pytest.mark.filterwarnings("error")
def test_samples_that_are_all_alike() -> None:
    assert (principal_components(torch.ones(60, 5), seed=0) == 0).all()
