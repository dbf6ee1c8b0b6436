"""Communities of a neighbour graph, against the definition of modularity."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.datasets import make_circles
from sklearn.metrics import mutual_info_score

from vade_core.communities import (
    INFORMATION,
    MODULARITY,
    Criterion,
    NeighbourGraph,
    communities,
    edge_information,
    graph_neighbours,
    graph_of,
    joined,
    merged,
    modularity,
    moved,
    neighbour_graph,
    spectral_embedding,
)
from vade_core.initialise import STARTS
from vade_core.metrics import accuracy


def adjacency(graph: NeighbourGraph) -> np.ndarray:
    matrix = np.zeros((graph.n_samples, graph.n_samples))
    np.add.at(matrix, (graph.rows, graph.columns), 1)
    return matrix


def by_definition(graph: NeighbourGraph, clusters: np.ndarray) -> float:
    """Newman and Girvan 2004, as a sum over all pairs."""
    matrix, degrees = adjacency(graph), graph.degrees
    same = clusters[:, None] == clusters
    expected = np.outer(degrees, degrees) / degrees.sum()
    return float(((matrix - expected) * same).sum() / degrees.sum())


def measured(graph: NeighbourGraph, clusters: np.ndarray, criterion: Criterion) -> float:
    return criterion.measure(graph.shares(clusters, int(clusters.max()) + 1))


def gain_of_moving(graph: NeighbourGraph, clusters: np.ndarray, criterion: Criterion) -> np.ndarray:
    edges = graph.edges_to(clusters, 4)
    shares = graph.shares_of(edges, clusters)
    np.testing.assert_array_equal(shares, graph.shares(clusters, 4))
    return criterion.of_moving(graph, clusters, edges, shares)


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(60, 3)).astype(np.float32)


def test_graph_joins_each_sample_to_its_nearest_in_both_directions(points: np.ndarray) -> None:
    graph = neighbour_graph(points, 4)
    matrix = adjacency(graph)
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    nearest = np.zeros_like(matrix)
    np.put_along_axis(nearest, distances.argsort(axis=1)[:, :4], 1, axis=1)
    np.testing.assert_array_equal(matrix, np.maximum(nearest, nearest.T))
    np.testing.assert_array_equal(graph.degrees, matrix.sum(axis=1))


def test_two_samples_that_name_each_other_share_one_edge() -> None:
    graph = graph_of(np.array([[1], [0], [1]]), 3)
    assert sorted(zip(graph.rows.tolist(), graph.columns.tolist(), strict=True)) == [
        (0, 1),
        (1, 0),
        (1, 2),
        (2, 1),
    ]


def test_graph_of_some_samples_has_the_edges_that_they_ask_for(points: np.ndarray) -> None:
    of = np.array([40, 3, 7])
    graph = graph_of(graph_neighbours(points, 4, of=of), len(points), of=of)
    whole = graph_neighbours(points, 4)
    expected = np.zeros((len(points), len(points)))
    for sample in of:
        expected[sample, whole[sample]] = expected[whole[sample], sample] = 1
    np.testing.assert_array_equal(adjacency(graph), expected)


def test_joined_graphs_have_all_edges_and_shared_ones_twice(points: np.ndarray) -> None:
    one, other = neighbour_graph(points, 4), neighbour_graph(points[:, :2], 5)
    both = joined(one, other)
    np.testing.assert_array_equal(adjacency(both), adjacency(one) + adjacency(other))
    np.testing.assert_array_equal(both.degrees, adjacency(both).sum(axis=1))
    clusters = np.random.default_rng(0).integers(0, 3, len(points))
    after = np.where(np.arange(len(points)) % 9 == 0, (clusters + 1) % 3, clusters)
    before = both.edges_to(clusters, 3)
    np.testing.assert_array_equal(before, adjacency(both) @ np.eye(3)[clusters])
    np.testing.assert_array_equal(
        both.edges_after(before, clusters, after), both.edges_to(after, 3)
    )


@pytest.mark.parametrize("seed", range(3))
def test_modularity_is_the_sum_over_pairs(points: np.ndarray, seed: int) -> None:
    graph = neighbour_graph(points, 5)
    clusters = np.random.default_rng(seed).integers(0, 4, len(points))
    assert modularity(graph, clusters) == pytest.approx(by_definition(graph, clusters), abs=1e-12)
    assert modularity(graph, np.zeros(len(points), dtype=np.int64)) == pytest.approx(0)


@pytest.mark.parametrize("seed", range(3))
def test_edge_information_is_the_mutual_information_of_both_ends(
    points: np.ndarray, seed: int
) -> None:
    graph = neighbour_graph(points, 5)
    clusters = np.random.default_rng(seed).integers(0, 4, len(points))
    expected = mutual_info_score(clusters[graph.rows], clusters[graph.columns])
    assert edge_information(graph, clusters) == pytest.approx(expected, abs=1e-12)
    assert edge_information(graph, np.zeros(len(points), dtype=np.int64)) == pytest.approx(0)


both = pytest.mark.parametrize("criterion", [MODULARITY, INFORMATION], ids=["modularity", "nats"])


@both
@pytest.mark.parametrize("seed", range(3))
def test_merging_takes_the_pair_that_is_best(
    points: np.ndarray, criterion: Criterion, seed: int
) -> None:
    graph = neighbour_graph(points, 5)
    pieces = np.random.default_rng(seed).integers(0, 6, len(points))
    for wanted in (5, 4, 3, 2):
        possible = [
            measured(graph, np.where(pieces == b, a, pieces), criterion)
            for a, b in combinations(np.unique(pieces), 2)
        ]
        pieces = merged(graph, pieces, wanted, criterion)
        assert set(pieces) == set(range(wanted))
        assert measured(graph, pieces, criterion) == pytest.approx(max(possible), abs=1e-12)


@pytest.fixture
def quarters() -> tuple[NeighbourGraph, np.ndarray]:
    points = np.random.default_rng(5).normal(size=(300, 2))
    clusters = (points[:, 0] > 0) + 2 * (points[:, 1] > 0.5).astype(np.int64)
    rng = np.random.default_rng(0)
    clusters = np.where(rng.random(300) < 0.3, rng.integers(0, 4, 300), clusters)
    return neighbour_graph(points, 10), clusters


def test_moving_one_sample_changes_modularity_as_foretold(
    quarters: tuple[NeighbourGraph, np.ndarray],
) -> None:
    graph, clusters = quarters
    gain = gain_of_moving(graph, clusters, MODULARITY)
    before = modularity(graph, clusters)
    for sample in range(0, 300, 7):
        for cluster in range(4):
            after = clusters.copy()
            after[sample] = cluster
            foretold = gain[sample, cluster] - gain[sample, clusters[sample]]
            assert modularity(graph, after) - before == pytest.approx(
                2 * foretold / len(graph.rows), abs=1e-12
            )


def test_moving_by_information_follows_its_derivative(
    quarters: tuple[NeighbourGraph, np.ndarray],
) -> None:
    graph, clusters = quarters
    matrix = adjacency(graph)

    def information(membership: np.ndarray) -> float:
        shares = membership.T @ matrix @ membership / matrix.sum()
        ends = shares.sum(axis=1)
        return float((shares * np.log(shares / np.outer(ends, ends))).sum())

    membership = np.eye(4)[clusters]
    gain = gain_of_moving(graph, clusters, INFORMATION)
    step = 1e-5
    for sample in range(0, 300, 17):
        slopes = []
        for cluster in range(4):
            more, less = membership.copy(), membership.copy()
            more[sample, cluster] += step
            less[sample, cluster] -= step
            slopes.append((information(more) - information(less)) / (2 * step))
        foretold = 2 * gain[sample] / matrix.sum()
        # What is the same for all clusters does not matter for where a sample goes.
        np.testing.assert_allclose(
            np.array(slopes) - slopes[0], foretold - foretold[0], rtol=1e-3, atol=1e-7
        )


def test_fewer_pieces_than_clusters_are_left_alone(points: np.ndarray) -> None:
    pieces = np.arange(len(points)) % 3
    np.testing.assert_array_equal(
        merged(neighbour_graph(points, 5), pieces, 10, MODULARITY), pieces
    )


def test_edges_to_clusters_are_counted(points: np.ndarray) -> None:
    graph = neighbour_graph(points, 5)
    clusters = np.arange(len(points)) % 4
    expected = adjacency(graph) @ np.eye(4)[clusters]
    np.testing.assert_array_equal(graph.edges_to(clusters, 4), expected)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.9])
def test_counts_are_brought_up_to_date(points: np.ndarray, share: float) -> None:
    graph = neighbour_graph(points, 5)
    rng = np.random.default_rng(0)
    before = rng.integers(0, 4, len(points))
    after = np.where(rng.random(len(points)) < share, rng.integers(0, 4, len(points)), before)
    counted = graph.edges_to(before, 4)
    updated = graph.edges_after(counted, before, after)
    np.testing.assert_array_equal(updated, graph.edges_to(after, 4))
    np.testing.assert_array_equal(counted, graph.edges_to(before, 4))  # and left as they were


@both
def test_moving_mends_spoilt_clusters(criterion: Criterion) -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 50)
    points = rng.normal(size=(4, 5))[truth] * 8 + rng.normal(size=(200, 5))
    graph = neighbour_graph(points, 8)
    spoilt = np.where(rng.random(200) < 0.2, rng.integers(0, 4, 200), truth)
    np.testing.assert_array_equal(moved(graph, spoilt, 4, criterion), truth)


@both
def test_moving_never_ends_below_where_it_began(points: np.ndarray, criterion: Criterion) -> None:
    graph = neighbour_graph(points, 5)
    for seed in range(20):
        clusters = np.random.default_rng(seed).integers(0, 5, len(points))
        found = moved(graph, clusters, 5, criterion)
        assert measured(graph, found, criterion) >= measured(graph, clusters, criterion)


def test_embedding_is_of_the_regularised_adjacency(points: np.ndarray) -> None:
    graph = neighbour_graph(points, 5)
    scale = 1 / np.sqrt(graph.degrees + graph.degrees.mean())
    _, vectors = np.linalg.eigh(scale[:, None] * adjacency(graph) * scale)
    expected = vectors[:, ::-1][:, :3]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = spectral_embedding(graph, 3, seed=0)
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=0.02)


def test_rings_that_no_gaussian_follows_are_told_apart() -> None:
    points, truth = make_circles(600, factor=0.4, noise=0.04, random_state=0)
    ours = STARTS["graph"].find(points, 2, seed=0, restarts=4)
    mixture = STARTS["gmm"].find(points, 2, seed=0, restarts=4)
    assert accuracy(truth, ours.clusters) == 1
    assert accuracy(truth, mixture.clusters) < 0.8
    assert ours.edge_information == pytest.approx(
        edge_information(neighbour_graph(points.astype(np.float32)), ours.clusters)
    )
    for cluster in range(2):
        members = points[ours.clusters == cluster].astype(np.float32)
        np.testing.assert_allclose(ours.means[cluster], members.mean(axis=0), atol=1e-6)


def test_one_seed_one_result_and_more_tries_are_never_worse() -> None:
    points = np.random.default_rng(1).normal(size=(400, 4)).astype(np.float32)
    graph = neighbour_graph(points)
    first = communities(graph, 6, seed=5, restarts=1)
    again = communities(graph, 6, seed=5, restarts=1)
    np.testing.assert_array_equal(first[0], again[0])
    assert communities(graph, 6, seed=5, restarts=4)[1] >= first[1] - 1e-12


def test_two_graphs_mend_what_the_latents_have_lost() -> None:
    """The latents have the clusters, but some samples of each lie nearly halfway to the next."""
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 4, 800)
    data = 4 * np.eye(4)[truth] + 0.5 * rng.normal(size=(800, 4))
    strayed = rng.random(800) < 0.1
    near, next_one = np.eye(4)[truth], np.eye(4)[(truth + 1) % 4]
    way = np.where(strayed, rng.uniform(0.3, 0.7, 800), 0)[:, None]
    latents = (1 - way) * near + way * next_one
    latents = (8 * latents + rng.normal(size=(800, 4))).astype(np.float32)
    by_latents = STARTS["graph"].find(latents, 4, seed=0, restarts=3)
    assert accuracy(truth, by_latents.clusters) < 0.96
    found = STARTS["two-graphs"].find(latents, 4, seed=0, restarts=3, components=data)
    assert accuracy(truth, found.clusters) > 0.97

    # 7 of the 15 neighbours that few samples have, from each: in the data those of samples that
    # have neighbours in other clusters. What is moved ends no lower.
    near = graph_neighbours(latents)
    others = by_latents.clusters[near] != by_latents.clusters[:, None]
    of = np.flatnonzero(others.any(axis=1))
    assert 30 < len(of) < 700
    in_data = graph_of(graph_neighbours(data, 7, of=of), 800, of=of)
    both = joined(neighbour_graph(latents, 7), in_data)
    information = edge_information(both, found.clusters)
    assert found.edge_information == pytest.approx(information)
    assert information > edge_information(both, by_latents.clusters)
    for cluster in range(4):
        members = latents[found.clusters == cluster]
        np.testing.assert_allclose(found.means[cluster], members.mean(axis=0), atol=1e-5)


def test_clusters_without_a_contested_sample_stay() -> None:
    points = np.repeat(100 * np.eye(3), 40, axis=0) + np.random.default_rng(0).random((120, 3))
    found = STARTS["two-graphs"].find(points, 3, seed=0, restarts=2, components=points)
    assert accuracy(np.repeat(np.arange(3), 40), found.clusters) == 1


@pytest.mark.parametrize("n", [1, 3, 12, 49, 60])
@pytest.mark.parametrize("name", ["graph", "two-graphs"])
def test_few_samples_still_get_a_start(name: str, n: int) -> None:
    points = np.random.default_rng(0).normal(size=(n, 3))
    of_data = {"components": points} if STARTS[name].of_data else {}
    found = STARTS[name].find(points, min(n, 5), seed=0, restarts=2, **of_data)
    assert found.clusters.shape == (n,)
    assert np.isfinite(found.means).all()
    assert (found.variances > 0).all()


def test_equal_samples_are_embedded_the_same_each_time() -> None:
    """Equal eigenvalues let the iteration begin anew, by chance unless that is seeded too."""
    graph = neighbour_graph(np.repeat(np.eye(3, dtype=np.float32), 100, axis=0))
    first = spectral_embedding(graph, 24, 0)
    for _ in range(3):
        np.testing.assert_array_equal(spectral_embedding(graph, 24, 0), first)


@pytest.mark.parametrize("name", ["graph", "two-graphs"])
def test_equal_samples_do_not_break_it(name: str) -> None:
    points = np.repeat(np.random.default_rng(0).normal(size=(6, 3)), 20, axis=0)
    of_data = {"components": points} if STARTS[name].of_data else {}
    found = STARTS[name].find(points, 3, seed=0, restarts=2, **of_data)
    assert np.isfinite(found.edge_information)
    assert set(found.clusters) <= {0, 1, 2}
