"""The baselines: mixtures without epochs, and local discriminant models against their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, softmax, xlogy
from scipy.stats import norm, ortho_group

from vade_core.configure import configure
from vade_core.data import load
from vade_core.local_discriminants import (
    FEW,
    cliques,
    integrated_models,
    rotated,
    smallest_eigenvectors,
)
from vade_core.metrics import accuracy
from vade_core.models.gmm import DataMixture
from vade_core.models.latent_mixture import AEKMeans, AEMixture, LatentMixture, VAEMixture
from vade_core.models.ldmgi import LDMGI, PICTURED
from vade_core.recorder import create_run
from vade_core.worker import Worker

SMALL: dict[str, Any] = {"hidden": (16,), "pretrain_epochs": 3, "start_restarts": 2,
                         "batch_size": 64, "device": "cpu"}  # fmt: skip


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    dataset = load("digits")
    assert dataset.labels is not None
    return dataset.samples, dataset.labels


def rings(n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Three circles around one another: no Gaussian and no centre can tell them apart."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    angle = rng.uniform(0, 2 * np.pi, n)
    radius = 1 + 2 * y + rng.normal(size=n) * 0.1
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).astype(np.float32), y


@pytest.mark.parametrize("model", [AEMixture, VAEMixture])
def test_samples_of_the_training_are_sorted_as_new_ones_are(
    model: type[LatentMixture], digits: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    X = digits[0][:400]
    for seed in (5, 8):  # of barely trained networks, whose mixture is narrow here and there
        settings = {"hidden": (32, 32), "pretrain_epochs": 2, "start_restarts": 1}
        fitted = model(**settings, latent_dim=10, random_state=seed).fit(X)
        np.testing.assert_array_equal(fitted.labels_, fitted.predict(X))


# -- the mixture on the data -------------------------------------------------------------------


def test_a_mixture_on_the_data_is_scipys_density_far_from_the_origin(
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> None:
    X = digits[0][:400] / 255 * 3 + 1000  # float32 squares would lose all of this
    model = DataMixture(n_clusters=4, restarts=1).fit(X)
    means = model.centre_ + model.mixture_.means_.astype(np.float64)
    spread = np.sqrt(model.mixture_.covariances_)
    joint = norm.logpdf(X[:, None], means, spread).sum(-1) + np.log(model.mixture_.weights_)
    gamma = softmax(joint, axis=1)
    np.testing.assert_allclose(model.predict_proba(X), gamma, atol=1e-3)
    terms = model.loss_terms(X)
    assert terms["loss"] == pytest.approx(-logsumexp(joint, axis=1).mean(), abs=1e-2)
    by_hand = -(gamma * (joint - np.log(model.mixture_.weights_))).sum(1).mean()
    assert terms["density"] == pytest.approx(by_hand, abs=1e-2)
    assert terms["density"] + terms["cluster_kl"] == pytest.approx(terms["loss"])
    assert model.likelihood_ == "gaussian"
    np.testing.assert_array_equal(model.decode(model.transform(X)), X)


def test_grey_samples_are_their_own_latents_and_draws_are_grey(
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> None:
    X, y = digits
    model = DataMixture(restarts=1).fit(X)
    assert accuracy(y, model.labels_) > 0.65
    np.testing.assert_allclose(model.transform(X), X / 255, atol=1e-6)
    latents = model.sample_latents(2000, cluster=3)
    np.testing.assert_allclose(latents.mean(0), model.centre_ + model.mixture_.means_[3], atol=0.05)
    np.testing.assert_array_equal(model.decode(latents), latents.clip(0, 1))
    sparse = DataMixture(restarts=1).fit(csr_array(X))
    np.testing.assert_array_equal(sparse.predict(csr_array(X)), model.labels_)
    # What is counted is the entropy of grey levels: no decoder can be below it.
    grey = X[:5] / 255
    entropy = -(xlogy(grey, grey) + xlogy(1 - grey, 1 - grey))
    found = model.negative_log_likelihood(torch.from_numpy(grey), torch.from_numpy(grey))
    np.testing.assert_allclose(found, entropy.sum(1))


# -- mixtures on pretrained latents ------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "pretraining", "start"),
    [
        (AEMixture, "autoencoder", "gmm"),
        (VAEMixture, "vae", "gmm"),
        (AEKMeans, "autoencoder", "kmeans"),
    ],
)
def test_a_named_mixture_is_the_latent_mixture_with_its_settings(
    one: type[LatentMixture],
    pretraining: str,
    start: str,
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> None:
    X, _ = digits
    model = one(**SMALL).fit(X[:300])
    other = LatentMixture(pretraining=pretraining, start=start, **SMALL).fit(X[:300])
    for name, value in other.tensors().items():
        assert torch.equal(model.tensors()[name], value), name
    assert [report.phase for report in model.reports_] == ["pretrain"] * 3 + ["start"]
    np.testing.assert_array_equal(model.sample(4, cluster=2), other.sample(4, cluster=2))


def test_k_means_sorts_by_the_nearest_centre(
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> None:
    X, _ = digits
    model = AEKMeans(**SMALL).fit(X[:600])
    centres = model.assigning_prior().components()[1].numpy()
    nearest = cdist(model.transform(X), centres).argmin(axis=1)
    np.testing.assert_array_equal(model.predict(X), nearest)
    assert np.mean(model.labels_ == nearest[:600]) > 0.99
    # What is sampled has the clusters' own sizes.
    weights = model.prior_.components()[0].exp().detach().numpy()
    np.testing.assert_allclose(weights, np.bincount(model.labels_, minlength=10) / 600, atol=1e-5)


# -- local discriminant models -----------------------------------------------------------------


def test_the_integrated_models_are_the_papers_sum_over_cliques() -> None:
    rng = np.random.default_rng(1)
    X, k, share = rng.normal(size=(40, 7)), 5, 0.03
    points = torch.from_numpy((X - X.mean(0)).astype(np.float32))
    members = cliques(points, k)
    by_hand = np.argsort(cdist(X, X), axis=1)[:, :k]
    np.testing.assert_array_equal(np.sort(members), np.sort(by_hand))
    centring = np.eye(k) - 1 / k
    centred = [X[rows].T @ centring for rows in by_hand]
    strength = share * np.mean([np.sum(one**2) / k for one in centred])
    expected = np.zeros((40, 40))
    for rows, one in zip(by_hand, centred, strict=True):
        # As the discriminant model has it: the total less what the regularised model explains.
        inverse = np.linalg.inv(one @ one.T + strength * np.eye(7))
        expected[np.ix_(rows, rows)] += centring - one.T @ inverse @ one
    found = integrated_models(points, members, share).toarray()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_clique_holds_its_sample_even_among_equal_ones() -> None:
    points = torch.zeros(9, 2)
    members = cliques(points, 4)
    np.testing.assert_array_equal(members[:, 0], np.arange(9))
    assert all(len(set(row)) == 4 for row in members.tolist())


def test_the_sparse_eigenvectors_are_the_dense_ones() -> None:
    X, _ = rings(FEW + 100)
    matrix = integrated_models(torch.from_numpy(X), cliques(torch.from_numpy(X), 6), 0.01)
    values, vectors = smallest_eigenvectors(matrix, 7, seed=0)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix.toarray())[:7], atol=1e-8)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(7), atol=1e-6)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-6)


def test_the_rotation_finds_clusters_that_were_turned() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 6, 300)
    turned = (np.eye(6)[y] + rng.normal(size=(300, 6)) * 0.05) @ ortho_group.rvs(6, random_state=3)
    found = rotated(turned * rng.uniform(0.5, 2, (300, 1)), seed=0)
    assert accuracy(y, found.argmax(axis=1)) == 1
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)


def test_ldmgi_finds_what_no_gaussian_can() -> None:
    X, y = rings(600)
    model = LDMGI(n_clusters=3, n_neighbours=8).fit(X)
    assert accuracy(y, model.labels_) > 0.99
    assert accuracy(y, DataMixture(n_clusters=3, restarts=2).fit(X).labels_) < 0.8
    assert model.reports_[0].findings["clustered"] == 600


def test_ldmgi_of_a_subset_treats_the_others_as_new(
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> None:
    X, y = digits
    model = LDMGI(most_samples=500).fit(X)
    kept = model.samples_.numpy()
    assert kept.shape == (500, 64)
    known = {row.tobytes() for row in kept}
    is_kept = np.array([row.tobytes() in known for row in X])
    assert accuracy(y[~is_kept], model.labels_[~is_kept]) > 0.6

    latents, own = model.transform(X), model.embedding_.numpy().astype(np.float64)
    distances = cdist(X / 255, kept / 255, "sqeuclidean")
    np.testing.assert_array_equal(latents[is_kept], own[distances.argmin(axis=1)][is_kept])
    near = np.argsort(distances, axis=1)[:, :5]
    shares = 1 / np.take_along_axis(distances, near, axis=1)[~is_kept]
    shares /= shares.sum(axis=1, keepdims=True)
    mean = (shares[:, :, None] * own[near[~is_kept]]).sum(axis=1)
    np.testing.assert_allclose(latents[~is_kept], mean, atol=1e-3)
    np.testing.assert_array_equal(model.predict(X), latents.argmax(axis=1))

    nearest = np.argsort(cdist(mean[:30], own), axis=1)[:, :PICTURED]
    pictures = (kept[nearest] / 255).mean(axis=1)
    np.testing.assert_allclose(model.decode(mean[:30].astype(np.float32)), pictures, atol=2e-2)
    sparse = LDMGI(most_samples=500).fit(csr_array(X))
    np.testing.assert_array_equal(sparse.labels_, model.labels_)


# -- as runs -----------------------------------------------------------------------------------


def test_a_baseline_without_epochs_is_asked_for_none() -> None:
    one_step = configure(model="ldmgi", dataset="digits").parameters
    assert one_step["most_samples"] == 10_000
    assert not {"epochs", "batch_size", "hidden"} & one_step.keys()
    with pytest.raises(ValueError, match="no setting 'epochs'"):
        configure(model="gmm", dataset="digits", overrides={"epochs": 2})
    short = configure(model="ae-gmm", dataset="digits", overrides={"epochs": 2}).parameters
    assert (short["pretrain_epochs"], short["batch_size"]) == (2, 64)
    assert "epochs" not in short


def test_a_run_of_one_step_reports_once(tmp_path: Any) -> None:
    config = configure(model="gmm", dataset="digits", subset=200, lenses=["pca"],
                       overrides={"restarts": 1})  # fmt: skip
    run = create_run(tmp_path, config)
    assert Worker(run).work() == "finished"
    (line,) = run.metrics()
    assert (line["phase"], line["epoch"], line["method"]) == ("start", 0, "data-gmm")
    assert sum(line["cluster_sizes"]) == 200
    assert not {"start_acc", "start_agreement"} & line.keys()  # it is nothing but its start
    assert run.frame_numbers() == [0]
    assert run.status()["state"] == "finished"
