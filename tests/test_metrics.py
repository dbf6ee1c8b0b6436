"""The scores against brute force, pair counting and scikit-learn."""

from __future__ import annotations

import doctest
import time
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier

from vade_core import metrics


def random_pair(seed: int, n: int, n_classes: int, n_clusters: int) -> tuple[np.ndarray, ...]:
    """Labels, and clusters that agree with them half of the time."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    clusters = np.where(
        rng.random(n) < 0.5, (labels + 1) % n_clusters, rng.integers(0, n_clusters, n)
    )
    labels[0], clusters[0] = n_classes - 1, n_clusters - 1
    return labels, clusters


def accuracy_by_trying(labels: np.ndarray, clusters: np.ndarray, n_classes: int, k: int) -> float:
    """ACC by trying every one-to-one map; a cluster mapped past the classes is unmatched."""
    best = 0.0
    for order in permutations(range(max(n_classes, k)), k):
        best = max(best, float(np.mean(np.asarray(order)[clusters] == labels)))
    return best


def rand_and_ari_by_pairs(labels: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    both = only_class = only_cluster = neither = 0
    for i in range(len(labels)):
        for j in range(i):
            same_class = labels[i] == labels[j]
            same_cluster = clusters[i] == clusters[j]
            both += same_class and same_cluster
            only_class += same_class and not same_cluster
            only_cluster += same_cluster and not same_class
            neither += not same_class and not same_cluster
    rand = (both + neither) / (both + only_class + only_cluster + neither)
    top = 2.0 * (both * neither - only_class * only_cluster)
    bottom = (both + only_class) * (only_class + neither) + (both + only_cluster) * (
        only_cluster + neither
    )
    return rand, top / bottom


SHAPES = [(4, 4), (5, 3), (3, 5), (2, 6), (6, 2), (1, 3), (3, 1)]


@pytest.mark.parametrize(("n_classes", "k"), SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_accuracy_is_the_best_of_all_maps(n_classes: int, k: int, seed: int) -> None:
    labels, clusters = random_pair(seed, 60, n_classes, k)
    expected = accuracy_by_trying(labels, clusters, n_classes, k)
    assert metrics.accuracy(labels, clusters) == pytest.approx(expected, abs=1e-12)
    matched = metrics.matching(labels, clusters)
    assert np.mean(matched[clusters] == labels) == pytest.approx(expected, abs=1e-12)
    used = matched[matched >= 0]
    assert len(set(used)) == len(used)


@pytest.mark.parametrize(("n_classes", "k"), [(4, 4), (5, 3), (3, 7)])
def test_rand_index_and_ari_count_pairs(n_classes: int, k: int) -> None:
    labels, clusters = random_pair(7, 120, n_classes, k)
    rand, adjusted = rand_and_ari_by_pairs(labels, clusters)
    assert metrics.rand_index(labels, clusters) == pytest.approx(rand, abs=1e-12)
    assert metrics.ari(labels, clusters) == pytest.approx(adjusted, abs=1e-12)


@pytest.mark.parametrize(("n_classes", "k"), SHAPES)
def test_nmi_agrees_with_scikit_learn(n_classes: int, k: int) -> None:
    labels, clusters = random_pair(3, 300, n_classes, k)
    expected = normalized_mutual_info_score(labels, clusters, average_method="arithmetic")
    assert metrics.nmi(labels, clusters) == pytest.approx(expected, abs=1e-9)


def test_nothing_overflows_where_a_class_is_large() -> None:
    # 3,000,000 points in one group make 4.5e12 pairs, and their products pass 2**63.
    labels = np.zeros(3_000_000, dtype=np.uint8)
    clusters = labels.copy()
    labels[0] = clusters[1] = 1
    total = 3_000_000 * 2_999_999 // 2
    wrong = 2 * 2_999_998
    assert metrics.rand_index(labels, clusters) == pytest.approx(1 - wrong / total, abs=1e-15)
    assert -1e-5 < metrics.ari(labels, clusters) < 0


def test_small_integer_types_do_not_wrap() -> None:
    labels = np.full(300, 30, dtype=np.uint8)
    clusters = np.full(300, 20, dtype=np.int8)
    assert metrics.contingency(labels, clusters)[30, 20] == 300


def test_purity_takes_the_majority() -> None:
    assert metrics.purity([0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1]) == pytest.approx(4 / 6)


def test_scores_agree_with_the_single_functions_and_are_fast() -> None:
    labels, clusters = random_pair(0, 70_000, 10, 14)
    assert metrics.clustering_scores(labels, clusters) == {
        "acc": metrics.accuracy(labels, clusters),
        "nmi": metrics.nmi(labels, clusters),
        "rand_index": metrics.rand_index(labels, clusters),
        "ari": metrics.ari(labels, clusters),
        "purity": metrics.purity(labels, clusters),
    }
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        metrics.clustering_scores(labels, clusters)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.03


def test_scores_ignore_the_names_of_clusters() -> None:
    labels, clusters = random_pair(2, 500, 5, 5)
    renamed = np.array([9, 2, 4, 0, 7])[clusters]
    before, after = (metrics.clustering_scores(labels, c) for c in (clusters, renamed))
    assert after == pytest.approx(before, abs=1e-12)


def test_contingency_counts_and_pads() -> None:
    labels, clusters = random_pair(1, 200, 4, 3)
    table = metrics.contingency(labels, clusters, n_clusters=6)
    assert table.shape == (4, 6)
    assert table.dtype == np.int64
    for c in range(4):
        for k in range(6):
            assert table[c, k] == np.sum((labels == c) & (clusters == k))


def test_matching_leaves_pairs_without_a_common_point_unmatched() -> None:
    assert metrics.matching([0, 0, 2, 2], [0, 0, 0, 2], n_clusters=4).tolist() == [0, -1, 2, -1]


def test_display_classes_fill_unmatched_clusters_with_their_majority() -> None:
    labels = [0] * 5 + [1] * 5 + [1] * 3
    clusters = [0] * 5 + [1] * 5 + [3] * 3
    assert metrics.display_classes(labels, clusters, 5).tolist() == [0, 1, -1, 1, -1]


def test_display_classes_keep_the_previous_one_between_equals() -> None:
    labels, clusters = [0, 1, 0, 1], [0, 0, 1, 1]
    for previous in ([0, 1], [1, 0]):
        shown = metrics.display_classes(labels, clusters, 2, previous=previous)
        assert shown.tolist() == previous
    clear = metrics.display_classes([0, 0, 1, 1], [0, 0, 1, 1], 2, previous=[1, 0])
    assert clear.tolist() == [0, 1]
    with pytest.raises(ValueError, match="previous has shape"):
        metrics.display_classes(labels, clusters, 2, previous=[0, 1, 2])


@pytest.mark.parametrize("metric", [metrics.silhouette, metrics.calinski_harabasz])
def test_geometry_scores_prefer_separate_groups(metric) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    noise = rng.normal(size=(100, 3)).astype(np.float32)
    near, far = (metric(noise + gap * labels[:, None], labels) for gap in (1, 10))
    assert isinstance(far, float)
    assert near < far
    assert metric(noise, np.zeros(100, dtype=int)) is None
    assert metric(noise[:3], np.arange(3)) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_knn_error_agrees_with_scikit_learn(dtype) -> None:
    rng = np.random.default_rng(0)
    train_labels, test_labels = rng.integers(0, 4, 400) * 3, rng.integers(0, 4, 150) * 3
    train = (train_labels[:, None] / 3 + rng.normal(size=(400, 5))).astype(dtype)
    test = (test_labels[:, None] / 3 + rng.normal(size=(150, 5))).astype(dtype)
    ks = (1, 2, 4, 7, 10)
    found = metrics.knn_error(train, train_labels, test, test_labels, ks=ks)
    for k in ks:
        model = KNeighborsClassifier(k).fit(train, train_labels)
        assert found[k] == pytest.approx(1 - model.score(test, test_labels), abs=1e-12)


def test_knn_ties_go_to_the_lowest_class() -> None:
    train, labels = [[1.0], [2.0], [-3.0], [-4.0]], [5, 2, 5, 2]
    test = [[0.0]]
    model = KNeighborsClassifier(4).fit(train, labels)
    assert model.predict(test).tolist() == [2]
    assert metrics.knn_error(train, labels, test, [2], ks=(4,)) == {4: 0.0}
    assert metrics.knn_error(train, labels, test, [5], ks=(1, 4)) == {1: 0.0, 4: 1.0}


@pytest.mark.parametrize(
    ("labels", "clusters", "words"),
    [
        ([], [], "empty"),
        ([0, 1], [0], "2 labels but 1 clusters"),
        ([0, -1], [0, 1], "negative"),
        ([0, 1], [0, -1], "negative"),
        ([0.0, 1.0], [0, 1], "integers"),
        ([[0, 1]], [[0, 1]], "one-dimensional"),
        ([0, 10**9], [0, 10**9], "too large"),
    ],
)
def test_bad_input_is_named(labels, clusters, words: str) -> None:
    for metric in (metrics.clustering_scores, metrics.accuracy, metrics.matching):
        with pytest.raises(ValueError, match=words):
            metric(np.asarray(labels), np.asarray(clusters)) if labels else metric([], [])


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="n_clusters=2"):
        metrics.contingency([0, 1], [0, 4], n_clusters=2)
    with pytest.raises(ValueError, match="between 1 and the 2"):
        metrics.knn_error([[0.0], [1.0]], [0, 1], [[0.0]], [0], ks=(3,))
    with pytest.raises(ValueError, match="dimensions"):
        metrics.knn_error([[0.0], [1.0]], [0, 1], [[0.0, 1.0]], [0], ks=(1,))
    with pytest.raises(ValueError, match="NaN"):
        metrics.silhouette([[0.0], [np.nan]], [0, 1])


def test_docstring_examples_run() -> None:
    result = doctest.testmod(metrics)
    assert result.attempted >= 12
    assert result.failed == 0


def test_agreement_with_others_does_not_ask_what_clusters_are_called() -> None:
    true = np.repeat(np.arange(4), 50)
    renamed, spoilt, worse = (np.array([2, 3, 1, 0])[true], true.copy(), true.copy())
    spoilt[:10], worse[:40] = 3, 2
    found = metrics.agreement_with_others([worse, true, spoilt, renamed])
    others = [adjusted_rand_score(worse, clusters) for clusters in (true, spoilt, renamed)]
    assert found[0] == pytest.approx(np.mean(others))
    assert found[1] == pytest.approx(found[3])
    assert found[1] > found[2] > found[0]
    with pytest.raises(ValueError, match="two clusterings or more"):
        metrics.agreement_with_others([true])
