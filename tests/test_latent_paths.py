"""Ways through latent space: their ends, their lengths, their corners."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import geometric_slerp
from scipy.stats import multivariate_normal

from vade_core.latent_paths import along, between_four, clusters_between, path, spherical, straight

AT = np.linspace(0, 1, 13)
RNG = np.random.default_rng(3)
MIXTURE = (
    np.log(np.array([0.2, 0.5, 0.3])),
    np.array([[-6.0, 0.0], [0.0, 0.5], [6.0, 0.0]]),
    np.log(np.array([[1.0, 1.0], [0.5, 2.0], [1.0, 0.3]])),
)


def test_slerp_has_its_ends_and_turns_as_scipy_has_it() -> None:
    a, b = RNG.normal(size=(2, 10))
    found = spherical(a, b, AT)
    np.testing.assert_allclose(found[[0, -1]], [a, b], atol=1e-12)
    one, other = a / np.linalg.norm(a), b / np.linalg.norm(b)
    lengths = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(found / lengths[:, None], geometric_slerp(one, other, AT))
    np.testing.assert_allclose(
        lengths, np.linspace(np.linalg.norm(a), np.linalg.norm(b), len(AT)), atol=1e-12
    )


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0, 0.0])
def test_slerp_is_straight_where_there_is_no_arc(factor: float) -> None:
    a = RNG.normal(size=4)
    np.testing.assert_array_equal(spherical(a, factor * a, AT), straight(a, factor * a, AT))


def test_the_way_through_means_meets_them_in_order() -> None:
    a, b = np.array([-6.5, 1.0]), np.array([7.0, -1.0])
    densities = np.stack(
        [
            multivariate_normal(mean, np.diag(np.exp(log_variance))).logpdf(
                straight(a, b, np.linspace(0, 1, 400))
            )
            for mean, log_variance in zip(*MIXTURE[1:], strict=True)
        ],
        axis=1,
    )
    seen = list(dict.fromkeys((densities + MIXTURE[0]).argmax(axis=1).tolist()))
    assert clusters_between(a, b, *MIXTURE) == seen == [0, 1, 2]
    fine = path(a, b, "means", np.linspace(0, 1, 4001), MIXTURE)
    np.testing.assert_allclose(fine[[0, -1]], [a, b], atol=1e-9)
    places = [np.linalg.norm(fine - mean, axis=1).argmin() for mean in MIXTURE[1]]
    assert places == sorted(places)
    for mean, place in zip(MIXTURE[1], places, strict=True):
        np.testing.assert_allclose(fine[place], mean, atol=0.01)
    steps = np.linalg.norm(np.diff(fine, axis=0), axis=1)
    assert np.median(steps) == pytest.approx(steps.max(), rel=1e-6)


def test_a_way_of_no_length_stays_where_it_is() -> None:
    a = np.array([1.0, 2.0])
    np.testing.assert_array_equal(along(np.stack([a, a, a]), AT), np.tile(a, (13, 1)))


def test_the_grid_has_its_corners_and_its_middle() -> None:
    corners = RNG.normal(size=(4, 5))
    grid = between_four(list(corners), 9).reshape(9, 9, 5)
    np.testing.assert_allclose([grid[0, 0], grid[0, 8], grid[8, 0], grid[8, 8]], corners)
    np.testing.assert_allclose(grid[4, 4], corners.mean(axis=0))
    np.testing.assert_allclose(grid[0], straight(corners[0], corners[1], np.linspace(0, 1, 9)))


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of straight"):
        path(np.zeros(2), np.ones(2), "scenic", AT, MIXTURE)
