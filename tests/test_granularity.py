"""What is merged and split, on made tables and pictures; the curve over K, on made latents."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import homogeneity_score

from pages.shared.k_words import cluster_names, findings, headline, legend
from vade_core import metrics
from vade_core.granularity import (
    Census,
    best_accuracy,
    census,
    differences,
    holdings,
    matched_classes,
    merges,
    picture_measures,
    scores,
    small_pieces,
    splits,
)
from vade_core.k_curve import KCurve, modularity_curve

# Four classes of 100. Cluster 0 holds 0 and 1, 2 is in clusters 1 and 2, 3 has cluster 3.
TABLE = np.array(
    [
        [98, 1, 0, 1],
        [95, 2, 3, 0],
        [0, 58, 40, 2],
        [1, 0, 4, 95],
    ]
)
NAMES = ["0", "1", "2", "3"]


def counted(table: np.ndarray) -> Census:
    return Census(table.sum(axis=0), table, {}, {})


def plain(words: str) -> str:
    return words.replace("*", "").replace("\N{NO-BREAK SPACE}", " ")


def test_two_classes_in_one_cluster_are_a_merge() -> None:
    (merge,) = merges(TABLE)
    assert merge.cluster == 0
    assert [(h.label, h.count) for h in merge.holdings] == [(0, 98), (1, 95)]
    assert merge.holdings[0].of_cluster == pytest.approx(98 / 194)
    assert merge.holdings[0].of_class == pytest.approx(0.98)


def test_a_class_in_two_clusters_of_its_own_is_a_split() -> None:
    (split,) = splits(TABLE)
    assert split.label == 2
    assert [(h.cluster, h.of_class) for h in split.holdings] == [(1, 0.58), (2, 0.4)]


def test_a_class_spread_over_others_clusters_is_no_split() -> None:
    table = np.array([[100, 0], [0, 100], [50, 50]])
    assert splits(table) == []
    assert [m.cluster for m in merges(table)] == [0, 1]
    # It is a third of each cluster, and half of it is in each.
    assert [(h.cluster, h.label) for h in holdings(table)] == [(0, 0), (0, 2), (1, 1), (1, 2)]


def test_a_quarter_is_enough_and_less_is_not() -> None:
    assert len(merges(np.array([[75], [25]]))) == 1
    # 24 of 100 in the cluster, but all of the class: it belongs there.
    assert len(merges(np.array([[76], [24]]))) == 1
    # Of a large class few are there, and the cluster is hardly made of it.
    assert merges(np.array([[76, 0], [24, 900]])) == []
    assert len(splits(np.array([[75, 25]]))) == 1
    assert splits(np.array([[76, 24]])) == []
    assert len(splits(np.array([[76, 24]]), least=0.2)) == 1


def test_what_is_left_over_is_named() -> None:
    table = np.array([[90, 10, 0], [0, 0, 100]])
    assert splits(table) == []
    (piece,) = small_pieces(table)
    assert (piece.cluster, piece.label, piece.of_cluster, piece.of_class) == (1, 0, 1.0, 0.1)
    assert small_pieces(np.array([[90, 0], [10, 0]])) == []  # an empty cluster holds nothing


def test_scores_and_matching_of_a_table_are_those_of_its_points() -> None:
    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 5, 400), rng.integers(0, 7, 400)
    table = metrics.contingency(labels, clusters)
    found = scores(table)
    for name, value in metrics.clustering_scores(labels, clusters).items():
        assert found[name] == pytest.approx(value)
    assert found["homogeneity"] == pytest.approx(homogeneity_score(labels, clusters))
    # NMI is the harmonic mean of the two, as the page says.
    h, c = found["homogeneity"], found["completeness"]
    assert found["nmi"] == pytest.approx(2 * h * c / (h + c))
    assert matched_classes(table).tolist() == metrics.matching(labels, clusters).tolist()


@pytest.mark.parametrize("k", [1, 2, 3, 4, 6])
def test_the_best_acc_is_reached_by_the_best_clusters_and_never_passed(k: int) -> None:
    labels = np.repeat(np.arange(4), [50, 30, 15, 5])
    best = best_accuracy(np.bincount(labels), k)
    assert metrics.accuracy(labels, np.minimum(labels, k - 1)) == pytest.approx(best)
    rng = np.random.default_rng(k)
    tried = [metrics.accuracy(labels, rng.integers(0, k, len(labels))) for _ in range(20)]
    assert max(tried) <= best


# --- Pictures -----------------------------------------------------------------------------------


def stroke(degrees: float, width: float, grey: int = 255) -> np.ndarray:
    """A bar of 40 rows in a picture of 60 x 60 that leans to the right by some degrees."""
    y, x = np.mgrid[:60, :60] - 29.5
    inside = (np.abs(y) < 20) & (np.abs(x + y * math.tan(math.radians(degrees))) < width / 2)
    return np.where(inside, grey, 0).astype(np.uint8)


def measured(*pictures: np.ndarray) -> dict[str, np.ndarray]:
    return picture_measures(np.stack(pictures).reshape(len(pictures), -1), pictures[0].shape)


@pytest.mark.parametrize("degrees", [-30, 0, 15, 40])
def test_slant_is_the_angle_that_was_drawn(degrees: float) -> None:
    assert measured(stroke(degrees, 8))["slant"][0] == pytest.approx(degrees, abs=0.7)


def test_width_does_not_depend_on_slant_and_is_in_heights() -> None:
    upright, leaning, wide = measured(stroke(0, 10), stroke(30, 10), stroke(0, 20))["aspect"]
    assert upright == pytest.approx(10 / 40, rel=0.03)
    assert leaning == pytest.approx(upright, rel=0.05)
    assert wide == pytest.approx(20 / 40, rel=0.03)


def test_ink_is_the_mean_grey_and_the_same_for_bytes_and_numbers() -> None:
    picture = stroke(10, 10, grey=51)
    as_bytes = measured(picture)
    as_numbers = measured(picture / np.float32(255))
    assert as_bytes["ink"][0] == pytest.approx(picture.mean() / 255)
    for name, values in as_bytes.items():
        assert as_numbers[name] == pytest.approx(values, rel=1e-4), name


def test_a_blank_picture_and_a_single_row_are_not_measured_but_harm_nothing() -> None:
    blank, row = np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.uint8)
    row[30] = 200
    found = measured(blank, row, stroke(0, 8))
    assert np.isnan(found["ink"][0])
    assert np.isnan(found["slant"][:2]).all()
    assert np.isfinite(found["aspect"][2])


def split_of_bars(first: list[np.ndarray], second: list[np.ndarray]) -> Census:
    pictures = np.stack([*first, *second])
    clusters = np.repeat([0, 1], [len(first), len(second)])
    labels = np.zeros(len(pictures), np.int64)
    return census(clusters, 2, labels, pictures.reshape(len(pictures), -1), (60, 60))


def test_halves_that_lean_differently_are_told_apart_by_slant() -> None:
    rng = np.random.default_rng(0)
    upright = [
        stroke(a, w) for a, w in zip(rng.normal(0, 4, 40), rng.normal(9, 1, 40), strict=True)
    ]
    leaning = [
        stroke(a, w) for a, w in zip(rng.normal(25, 4, 60), rng.normal(9, 1, 60), strict=True)
    ]
    found = split_of_bars(upright, leaning)
    (split,) = splits(found.table)
    first, *others = differences(found, split)
    assert first.measure == "slant"
    # The larger part comes first.
    assert first.values == pytest.approx((25, 0), abs=2)
    assert first.effect > 4 > max(other.effect for other in others)
    (words,) = findings(found, ["1"], measured=True)
    start = "1 is split, into clusters 1 (60 %) and c0 (40 %). Cluster 1 leans further to the"
    assert plain(words).startswith(start)
    assert " against " in words
    assert "wider" not in words


def test_a_fat_and_a_thin_half_are_told_apart_by_width_and_ink() -> None:
    rng = np.random.default_rng(0)
    thin = [stroke(a, w) for a, w in zip(rng.normal(0, 4, 60), rng.normal(6, 1, 60), strict=True)]
    fat = [stroke(a, w) for a, w in zip(rng.normal(0, 4, 40), rng.normal(16, 1, 40), strict=True)]
    (words,) = findings(split_of_bars(thin, fat), ["1"], measured=True)
    assert "c1" in words.split(". ")[1]
    assert "is wider" in words
    assert "has more ink" in words
    assert "leans" not in words


def test_halves_alike_are_said_to_be_alike() -> None:
    rng = np.random.default_rng(0)
    bars = [stroke(a, 9) for a in rng.normal(0, 4, 80)]
    (words,) = findings(split_of_bars(bars[:40], bars[40:]), ["1"], measured=True)
    assert "hardly tell them apart" in words


def test_the_moments_of_the_cells_are_those_of_their_pictures() -> None:
    rng = np.random.default_rng(1)
    samples = rng.integers(0, 256, (200, 48)).astype(np.uint8)
    labels, clusters = rng.integers(0, 3, 200), rng.integers(0, 4, 200)
    found = census(clusters, 5, labels, samples, (8, 6), n_classes=4)
    assert found.table.shape == (4, 5)
    values = picture_measures(samples, (8, 6))["aspect"]
    inside = (labels == 1) & (clusters == 2)
    assert found.means["aspect"][1, 2] == pytest.approx(values[inside].mean())
    assert found.variances["aspect"][1, 2] == pytest.approx(values[inside].var())
    assert np.isnan(found.means["aspect"][3, 4])


# --- Words --------------------------------------------------------------------------------------


def test_what_is_found_is_said_in_words() -> None:
    found = counted(TABLE)
    assert headline(found, NAMES) == "4 clusters for 4 digits: 0 + 1 share a cluster; 2 is split."
    merge, split = (plain(words) for words in findings(found, NAMES, measured=False))
    assert merge == "Cluster 0+1 holds 0 (51 %) and 1 (49 %)."
    assert split == "2 is split, into clusters 2 (58 %) and c2 (40 %)."
    # By all that share one, and not by a match that is hardly in it: few of c2 are 1.
    assert cluster_names(found, NAMES) == ["0+1", "2", "c2", "3"]
    words = legend(found, NAMES)
    assert words.startswith("0+1 is matched with 0; 1 shares it. c2 is cluster number 2")
    assert words.endswith("It holds mostly 2. On the maps c2 is called 1, which was left over.")


def test_a_perfect_sorting_has_nothing_to_say() -> None:
    found = counted(np.eye(3, dtype=np.int64) * 20)
    assert findings(found, ["a", "b", "c"], measured=False) == []
    assert headline(found, ["a", "b", "c"]) == "3 clusters for 3 classes: none is merged or split."


def test_a_class_without_a_cluster_is_said_to_have_none() -> None:
    table = np.array([[900, 0], [0, 900], [12, 11]])
    words = [plain(said) for said in findings(counted(table), ["0", "1", "2"], measured=False)]
    assert len(words) == 2  # by the second rule, it belongs to both
    assert all("and 2 (1 %)" in said for said in words)


def test_without_labels_nothing_is_made_up() -> None:
    found = census(np.array([0, 0, 1, 3]), 4)
    assert found.table is None
    assert found.sizes.tolist() == [2, 1, 0, 1]
    assert findings(found, [], measured=False) == []
    assert "1 of them empty" in headline(found, [])
    assert cluster_names(found, []) == ["c0", "c1", "c2", "c3"]
    assert "cluster number 0" in legend(found, [])


# --- The curve ----------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [4, 7])
def test_the_curve_has_its_peak_where_there_are_so_many_heaps(k: int) -> None:
    centres = 30 * np.eye(k, 8)
    latents, _ = make_blobs(90 * k, centers=centres, random_state=0)
    curve = modularity_curve(latents, largest=10, draws=2)
    assert curve.best == k
    assert curve.peaks == [k, k]
    low, high = curve.near
    assert low <= k <= high
    assert not curve.at_the_end


def test_the_curve_is_the_same_for_the_same_seed() -> None:
    latents = np.random.default_rng(0).normal(size=(300, 5))
    one, other = (modularity_curve(latents, largest=6, draws=1) for _ in range(2))
    assert np.array_equal(one.modularity, other.modularity)
    assert np.array_equal(one.drawn, other.drawn)


def test_the_near_ones_are_those_around_the_peak() -> None:
    height = np.array([0.1, 0.698, 0.7, 0.699, 0.5, 0.6999])
    curve = KCurve(np.arange(2, 8), height, np.array([height, height[::-1]]), 100)
    assert (curve.best, curve.near) == (4, (3, 5))
    assert curve.peaks == [4, 5]


def test_too_few_and_broken_latents_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        modularity_curve(np.zeros((20, 3)))
    broken = np.zeros((200, 3))
    broken[5] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        modularity_curve(broken)
