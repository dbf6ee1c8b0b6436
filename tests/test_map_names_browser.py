"""Where the names of clusters stand on a map: on their groups, or beside those they would hide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vade_core.map_page import join_modules, read_source

pytestmark = pytest.mark.browser

RADIUS, LEVELS = 14, 65535
MODULES = ("store", "view", "colouring", "names")
ROOM = {"left": 0, "right": 700, "top": 0, "bottom": 500}


@pytest.fixture(scope="module")
def page(chromium: Any) -> Iterator[Any]:
    found = chromium.new_page()
    script = join_modules([read_source(f"{name}.js") for name in MODULES])
    own = "Object.assign(window, { spreadsOf, waysOut, placesOfNames });"
    found.add_script_tag(content=f"{script}\n{own}", type="module")
    found.wait_for_function("() => typeof window.placesOfNames === 'function'")
    yield found
    found.close()


def placed(page: Any, groups: list[dict[str, Any]]) -> NDArray[np.float64]:
    """The places of names, x, y, and how far beside, each with the ways that the groups have."""
    ways = page.evaluate(
        "([groups, radius, room]) => waysOut(groups, radius, room)", [groups, RADIUS, ROOM]
    )
    whole = [{"half": RADIUS, **group, "way": way} for group, way in zip(groups, ways, strict=True)]
    found = page.evaluate("([groups, radius]) => placesOfNames(groups, radius)", [whole, RADIUS])
    return np.array([[place["x"], place["y"], place["beside"]] for place in found])


def test_the_spread_of_a_cluster_is_the_median_distance_from_its_mean(page: Any) -> None:
    rng = np.random.default_rng(0)
    steps = rng.integers(0, LEVELS + 1, (60, 2))
    clusters = rng.choice([0, 2, 255], 60)
    box = [-3.0, 2.0, 10.0, 5.0]
    places = box[:2] + steps / LEVELS * box[2:]
    means = np.array([[0.0, 4.0], [1.0, 1.0], [2.0, 3.0]])
    frame = {
        "box": box,
        "positions": steps.ravel().tolist(),
        "clusters": clusters.tolist(),
        "means": means.ravel().tolist(),
    }
    found = page.evaluate("(frame) => spreadsOf(frame)", frame)
    assert found[1] is None
    for k in (0, 2):
        away = np.sort(np.linalg.norm(places[clusters == k] - means[k], axis=1))
        assert found[k] == pytest.approx(away[len(away) // 2])
    assert page.evaluate("(frame) => spreadsOf(frame)", {**frame, "means": None}) == []
    assert page.evaluate("(frame) => spreadsOf(frame)", {**frame, "clusters": None}) == [None] * 3


def test_a_name_leaves_a_tight_group_and_stays_on_a_wide_one(page: Any) -> None:
    where = [{"x": 200, "y": 250}, {"x": 500, "y": 250}]
    wide = placed(page, [{**place, "spread": 2 * RADIUS} for place in where])
    assert wide.tolist() == [[200, 250, 0], [500, 250, 0]]
    unknown = placed(page, [{**place, "spread": None} for place in where])
    assert unknown.tolist() == wide.tolist()
    tight = placed(page, [{**place, "spread": 8} for place in where])
    # Away from the other group, and off the points: 1.5 medians and half of the name itself.
    assert tight[:, 2].tolist() == [1, 1]
    assert tight[0, 0] <= 200 - 1.5 * 8 - RADIUS
    assert tight[1, 0] >= 500 + 1.5 * 8 + RADIUS
    assert tight[:, 1].tolist() == [250, 250]


def test_a_name_moves_without_a_jump_as_its_group_tightens(page: Any) -> None:
    spreads = np.arange(0, 3 * RADIUS, 0.05)
    path = np.array(
        [
            placed(
                page, [{"x": 200, "y": 250, "spread": float(s)}, {"x": 260, "y": 240, "spread": 9}]
            )
            for s in spreads
        ]
    )
    assert np.linalg.norm(np.diff(path[:, :, :2], axis=0), axis=2).max() < 1
    assert path[-1, 0].tolist() == [200, 250, 0]


def test_no_name_goes_under_the_legend_and_names_do_not_hide_each_other(page: Any) -> None:
    near = [{"x": 300, "y": 250, "spread": 5}, {"x": 680, "y": 250, "spread": 5}]
    beside = placed(page, near)[1]
    assert beside[0] + RADIUS <= ROOM["right"]
    assert beside[1] != 250
    (alone,) = placed(page, [near[0]])
    assert alone.tolist() == [300, 250 - 1.5 * 5 - RADIUS - 4, 1]
    crowd = placed(page, [{"x": 300 + 6 * i, "y": 250, "spread": 4} for i in range(3)])
    for i in range(3):
        for j in range(i):
            apart = np.abs(crowd[i, :2] - crowd[j, :2])
            assert apart.max() >= 2 * RADIUS - 1, "one name hides another"
