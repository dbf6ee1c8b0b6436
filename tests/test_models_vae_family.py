"""AE, beta-VAE, conditional VAE, K-means VAE, and Lambda-Hot with movable centres."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from small_models import small

from vade_core.data import load
from vade_core.metrics import accuracy
from vade_core.models import CVAE, KMeansVAE, LambdaHotMovable
from vade_core.models.kmeans_vae import renewed_centres
from vade_core.networks import Posterior
from vade_core.priors import KMeansCentres, LambdaHot

Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]


@pytest.fixture(scope="module")
def digits() -> Digits:
    dataset = load("digits")
    assert dataset.labels is not None
    return dataset.samples, dataset.labels


@pytest.fixture(scope="module")
def cvae(digits: Digits) -> CVAE:
    X, y = digits
    model = small("cvae", epochs=15, latent_dim=5, learning_rate=3e-3)
    model.fit(X[:1200], np.array(list("abcdefghij"))[y[:1200]])
    assert isinstance(model, CVAE)
    return model


def binary_cross_entropy(x: NDArray[np.floating], p: NDArray[np.floating]) -> NDArray[np.floating]:
    return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=-1)


# -- AE -----------------------------------------------------------------------------------------


def test_an_autoencoder_reconstructs_and_nothing_else(digits: Digits) -> None:
    X, _ = digits
    model = small("ae", epochs=15, learning_rate=3e-3).fit(X)
    first, last = model.reports_[0].terms, model.reports_[-1].terms
    assert last.keys() == {"reconstruction", "loss"}
    assert last["loss"] < 0.75 * first["loss"]
    # Its one term is the cross-entropy of what it shows, with no draw.
    expected = binary_cross_entropy(X / 255, model.reconstruct(X / 255)).mean()
    assert model.loss_terms(X)["reconstruction"] == pytest.approx(expected, rel=1e-4)
    assert model.loss_terms(X, random_state=1) == model.loss_terms(X, random_state=2)
    # A point as nearly as a posterior can be one, before training and after it.
    assert (model.posterior(X)[1] < -9.9).all()


def test_an_autoencoder_samples_with_the_moments_of_its_latents(digits: Digits) -> None:
    X, _ = digits
    model = small("ae").fit(X)
    latents, drawn = model.transform(X), model.sample_latents(20_000)
    spread = latents.std(axis=0)
    np.testing.assert_allclose(drawn.mean(axis=0), latents.mean(axis=0), atol=0.05 * spread.max())
    np.testing.assert_allclose(drawn.std(axis=0), spread, rtol=0.05)
    with pytest.raises(ValueError, match="no cluster can be asked for"):
        model.sample(cluster=0)


# -- beta-VAE -----------------------------------------------------------------------------------


def test_beta_weighs_the_divergence_in_training_and_not_in_the_score(digits: Digits) -> None:
    X, _ = digits
    kl, errors = [], []
    for beta in (1.0, 5.0):
        model = small("beta-vae", epochs=10, beta=beta, learning_rate=3e-3).fit(X)
        terms = model.loss_terms(X)
        kl.append(terms["latent_kl"])
        errors.append(terms["reconstruction"])
        assert terms["loss"] == pytest.approx(terms["reconstruction"] + beta * terms["latent_kl"])
        assert model.score(X) == pytest.approx(-terms["reconstruction"] - terms["latent_kl"])
    assert kl[1] < 0.7 * kl[0]
    assert errors[1] > errors[0]
    # With beta 1 it is the VAE, draw for draw.
    vae = small("vae").fit(X).tensors()
    same = small("beta-vae", beta=1.0).fit(X).tensors()
    assert all(torch.equal(value, vae[key]) for key, value in same.items())


# -- conditional VAE ----------------------------------------------------------------------------


def test_classes_come_from_the_elbo_under_each_of_them(cvae: CVAE, digits: Digits) -> None:
    X = digits[0][1200:] / 255
    encoder, decoder = cvae.networks_.encoder.double(), cvae.networks_.decoder.double()
    elbos = np.empty((len(X), 10))
    with torch.no_grad():
        for c in range(10):
            given = np.tile(np.eye(10)[c], (len(X), 1))
            mean, log_variance = encoder(torch.from_numpy(np.hstack([X, given])))
            logits, _ = decoder(torch.cat([mean, torch.from_numpy(given)], dim=1))
            kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1)
            error = binary_cross_entropy(X, torch.sigmoid(logits).numpy())
            elbos[:, c] = -error - kl.numpy()
    encoder.float(), decoder.float()
    expected = np.exp(elbos - elbos.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(cvae.predict_proba(X), expected, atol=1e-6)
    latents = cvae.transform(X)
    np.testing.assert_array_equal(latents[:, 5:], np.eye(10)[elbos.argmax(1)])
    assert cvae.latent_size == latents.shape[1] == 15
    means, log_variances = cvae.posterior(X)
    assert means.shape == log_variances.shape == (len(X), 5)
    np.testing.assert_array_equal(means, latents[:, :5])
    np.testing.assert_array_equal(cvae.responsibilities(latents).argmax(1), elbos.argmax(1))


def test_a_conditional_vae_classifies_and_draws_what_it_is_asked_for(
    cvae: CVAE, digits: Digits
) -> None:
    X, y = digits[0][1200:], np.array(list("abcdefghij"))[digits[1][1200:]]
    assert cvae.score(X, y) > 0.8
    drawn = [cvae.sample(40, cluster=c, temperature=0.5) for c in range(10)]
    for c, rows in enumerate(drawn):
        asked = np.mean(cvae.predict(rows) == cvae.classes_[c])
        assert asked > 0.8
    # Its loss knows the class that is given: another one explains the samples worse.
    right = cvae.loss_terms(X, y)["loss"]
    assert right < cvae.loss_terms(X, np.roll(y, 1))["loss"] - 1
    with pytest.raises(ValueError, match="needs the classes"):
        cvae.loss_terms(X)


# -- K-means VAE --------------------------------------------------------------------------------


def test_the_divergence_is_from_the_nearest_centre() -> None:
    rng = np.random.default_rng(0)
    prior = KMeansCentres(4, 3)
    centres = rng.normal(size=(4, 3)) * 3
    prior.set_centres(torch.from_numpy(centres))
    mean, log_variance = rng.normal(size=(2, 50, 3))
    mean *= 3
    posterior = Posterior(torch.from_numpy(mean), torch.from_numpy(log_variance))
    found = prior.double().kl(posterior, posterior.mean[None])["latent_kl"].numpy()
    nearest = ((mean[:, None] - centres) ** 2).sum(-1).argmin(1)
    for i in range(50):  # Monte Carlo of E_q[log q - log p]
        spread = np.diag(np.exp(log_variance[i]))
        q, p = multivariate_normal(mean[i], spread), multivariate_normal(centres[nearest[i]])
        z = q.rvs(4000, random_state=i)
        ratios = q.logpdf(z) - p.logpdf(z)
        assert found[i] == pytest.approx(ratios.mean(), abs=5 * ratios.std() / 4000**0.5 + 1e-4)
    gamma = prior.log_responsibilities(posterior.mean).exp().numpy()
    np.testing.assert_array_equal(gamma.argmax(1), nearest)


def test_centres_keep_their_numbers() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[0.0, 0], [9, 0], [0, 9], [9, 9], [4, 20]])
    z = np.repeat(truth, 80, axis=0) + rng.normal(size=(400, 2))
    first = renewed_centres(z, 5, seed=0, previous=truth + 1)
    np.testing.assert_allclose(first, truth, atol=0.5)
    again = renewed_centres(z + 1.5, 5, seed=7, previous=first)
    np.testing.assert_allclose(again, first + 1.5, atol=1e-6)
    with pytest.raises(ValueError, match="3 samples cannot be sorted into 5"):
        renewed_centres(z[:3], 5, seed=0, previous=first)


def test_a_kmeans_vae_renews_its_centres_and_finds_clusters(digits: Digits) -> None:
    X, y = digits
    model = small("kmeans-vae", epochs=15, learning_rate=3e-3, hidden=(128,))
    assert isinstance(model, KMeansVAE)
    seen = [np.zeros((10, 10))]
    changes = []
    before = None
    for _ in model.stream(X):
        seen.append(model.prior_.components()[1].numpy().copy())
        model.update_clusters(model.latents(X))
        clusters = model.predict(X)
        if before is not None:
            changes.append(np.mean(before != clusters))
        before = clusters
    assert all(np.abs(new - old).max() > 1e-4 for old, new in pairwise(seen))
    assert accuracy(y, clusters) > 0.64  # k-means on the untrained latents has 0.61
    assert np.mean(changes[-5:]) < 0.15  # numbers that jump would change nearly all
    gaps = np.linalg.norm(seen[-1][:, None] - seen[-1], axis=-1)
    assert gaps[np.triu_indices(10, 1)].mean() > 3  # apart, by more than their spread of 1


# -- Lambda-Hot with movable centres ------------------------------------------------------------


def test_centres_are_held_and_then_learnt_and_do_not_collapse(digits: Digits) -> None:
    X, y = digits
    model = small("lambda-hot-movable", strength=1.0, held_epochs=2, epochs=20,
                  learning_rate=3e-3)  # fmt: skip
    assert isinstance(model, LambdaHotMovable)
    start = LambdaHot(10, 10, 1.0).components()[1]
    for report in model.stream(X[:1200], y[:1200]):
        means = model.prior_.components()[1].detach()
        assert torch.equal(means, start) == (report.epoch <= 2)
        assert report.epochs == 20
    assert [report.phase, report.epoch] == ["train", 20]
    distances = model.centre_distances_
    np.testing.assert_allclose(
        distances, np.linalg.norm(means[:, None] - means[None], axis=-1), atol=1e-4
    )
    assert distances[np.triu_indices(10, 1)].mean() > 2**0.5  # wider apart than they began
    assert model.score(X[1200:], y[1200:]) > 0.8
    # The class is the nearest centre's.
    latents = model.transform(X)
    nearest = np.linalg.norm(latents[:, None] - means.numpy(), axis=-1).argmin(1)
    np.testing.assert_array_equal(model.predict(X), nearest)
