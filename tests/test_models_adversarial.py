"""The adversarial models: their formulas, who learns from which part, and that none collapses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.neighbors import KNeighborsClassifier
from small_models import small

from vade_core.adversarial import (
    AdversarialModel,
    Generator,
    passing_for_real,
    telling_apart,
)
from vade_core.data import load
from vade_core.metrics import accuracy
from vade_core.models import AAE, ConditionalGAN, InfoGAN
from vade_core.priors import CornerMixture

Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]
NAMES = ("aae", "infogan", "cgan")
SHORT: dict[str, Any] = {"hidden": (64, 64), "batch_size": 64, "device": "cpu"}


@pytest.fixture(scope="module")
def digits() -> Digits:
    dataset = load("digits")
    assert dataset.labels is not None
    return dataset.samples, dataset.labels


def test_the_corner_mixture_has_the_moments_that_its_components_say() -> None:
    shares = torch.tensor([1.0, 3.0, 4.0])
    prior = CornerMixture(3, 2, 1, weights=shares)
    drawn = prior.sample(40_000, torch.Generator().manual_seed(0))
    log_weights, means, log_variances = prior.components()
    weights = log_weights.exp()
    np.testing.assert_allclose(weights, shares / 8, atol=1e-6)
    mean = weights @ means
    variance = weights @ (log_variances.exp() + (means - mean) ** 2)
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.02)
    np.testing.assert_allclose(drawn.var(0), variance, rtol=0.03)
    assert drawn[:, 2].abs().max() <= 1  # the uniform one
    # At a corner p(c|z) is certain; between corners, the values are the probabilities.
    np.testing.assert_allclose(prior.log_responsibilities(drawn).exp(), drawn[:, 3:], atol=1e-6)
    between = torch.tensor([[9.0, -9.0, 0.0, 0.2, 0.5, 0.3]])
    np.testing.assert_allclose(prior.log_responsibilities(between).exp(), between[:, 3:])
    # One seed gives every cluster the same style, and temperature scales it.
    of = [prior.sample(5, torch.Generator().manual_seed(1), c, t) for c, t in ((0, 1), (2, 0.5))]
    np.testing.assert_allclose(0.5 * of[0][:, :3], of[1][:, :3])
    assert (of[1][:, 5] == 1).all()


def test_the_losses_are_the_papers() -> None:
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(2, 9)) * 3
    d_real, d_made = expit(real), expit(made)
    expected = -0.9 * np.log(d_real) - 0.1 * np.log(1 - d_real) - np.log(1 - d_made)
    found = telling_apart(torch.from_numpy(real), torch.from_numpy(made))
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(passing_for_real(torch.from_numpy(made)), -np.log(d_made))


# By term, the parts of the networks that it may teach.
LEARNERS: dict[str, dict[str, set[str]]] = {
    "aae": {
        "reconstruction": {"encoder", "decoder"},
        "critic": {"style_critic", "cluster_critic"},
        "generator": {"encoder"},
    },
    "infogan": {
        "critic": {"critic"},
        "generator": {"decoder"},
        "cluster_information": {"critic", "decoder"},
        "code_information": {"critic", "decoder"},
    },
    "cgan": {
        "critic": {"critic"},
        "generator": {"decoder"},
        "class_error": {"encoder"},
        "noise_error": {"encoder"},
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_each_term_teaches_its_own_side_alone(name: str, digits: Digits) -> None:
    X, y = (part[:64] for part in digits)
    model = small(name, epochs=1).fit(X, y)
    x = torch.from_numpy(X).float() / 255
    given = torch.from_numpy(np.searchsorted(model.classes_, y)) if model.supervised else None
    terms = model.elbo_terms(x, torch.Generator().manual_seed(0), given)
    assert terms.keys() == LEARNERS[name].keys()
    for term, value in terms.items():
        assert value.shape == (64,)
        model.networks_.zero_grad(set_to_none=True)
        value.mean().backward(retain_graph=True)
        reached = {
            part.split(".")[0]
            for part, parameter in model.networks_.named_parameters()
            if parameter.grad is not None and parameter.grad.abs().max() > 0
        }
        assert reached == LEARNERS[name][term], term


def test_the_aae_finds_digits_and_shapes_its_latents(digits: Digits) -> None:
    X, y = digits
    model = AAE(critic_hidden=(64, 64), epochs=15, **SHORT).fit(X)
    assert accuracy(y, model.labels_) > 0.55  # untrained: 0.2 to 0.3
    sizes = np.bincount(model.labels_, minlength=10) / len(y)
    # Two players end elsewhere on every processor: of four seeds the smallest cluster had 2.5 to
    # 8.6 %, and the means lay 0.2 to 0.4 from 0, one of twenty at 0.98.
    assert sizes.min() > 0.01
    latents = model.transform(X)
    assert np.abs(latents[:, :5].mean(0)).mean() < 0.6
    np.testing.assert_allclose(latents[:, :5].std(0), 1, atol=0.25)
    assert latents[:, 5:].max(1).mean() > 0.8  # near the corners
    # The style does not hold the digit: a cluster that is asked for makes one kind of digit.
    known = KNeighborsClassifier(3).fit(X / 255, y)
    made = [np.bincount(known.predict(model.sample(40, cluster=c))).max() / 40 for c in range(10)]
    assert np.mean(made) > 0.5
    # What is looked at leaves the moving averages as they are.
    before = {name: value.clone() for name, value in model.tensors().items()}
    model.loss_terms(X[:100])
    assert all(torch.equal(value, before[name]) for name, value in model.tensors().items())
    with pytest.raises(ValueError, match="no posterior"):
        model.posterior(X)


def classes_made(model: AdversarialModel, digits: Digits) -> tuple[NDArray[Any], float]:
    """How many of 1,000 samples fall to each class by 3 neighbours, and their spread's share."""
    X, y = digits
    real = X / 255
    made = model.sample(1000, random_state=1)
    found = KNeighborsClassifier(3).fit(real, y).predict(made)
    return np.bincount(found, minlength=10), float(made.std(0).mean() / real.std(0).mean())


def test_an_infogan_makes_many_digits_and_reads_its_own_codes(digits: Digits) -> None:
    X, _ = digits
    model = InfoGAN(latent_dim=8, epochs=25, **SHORT).fit(X)
    counts, spread = classes_made(model, digits)
    assert (counts >= 10).sum() >= 6  # a generator that collapsed makes one or two
    assert spread > 0.5
    assert model.loss_terms(X)["cluster_information"] < 1.0  # log 10 = 2.3 without any
    latents = model.transform(X)
    assert latents.shape == (len(X), 8 + 2 + 10)
    assert not latents[:, :8].any()
    generator = model.networks_.decoder
    assert isinstance(generator, Generator)
    with torch.inference_mode():
        made = torch.sigmoid(generator(torch.from_numpy(latents[:20]))[0]).numpy()
    np.testing.assert_array_equal(model.decode(latents[:20]), made)


def test_a_conditional_gan_makes_the_digit_that_is_asked_for(digits: Digits) -> None:
    X, y = digits
    model = ConditionalGAN(latent_dim=8, epochs=25, **SHORT)
    model.fit(X, np.asarray(list("abcdefghij"))[y])
    counts, spread = classes_made(model, digits)
    assert (counts >= 10).sum() >= 8
    assert spread > 0.5
    asked = np.concatenate([model.sample(40, cluster=c) for c in range(10)])
    found = KNeighborsClassifier(3).fit(X / 255, y).predict(asked)
    assert np.mean(found == np.repeat(np.arange(10), 40)) > 0.6
    # Never shown a real sample, the regressor knows them by what was made like them.
    assert model.score(X, np.asarray(list("abcdefghij"))[y]) > 0.5
    assert set(model.predict(X)) <= set("abcdefghij")


def test_a_resumed_training_ends_with_the_same_numbers(digits: Digits) -> None:
    X, _ = digits
    whole, first, second = (small("infogan", epochs=4) for _ in range(3))
    whole.fit(X)
    training = first.stream(X)
    list(itertools.islice(training, 2))
    kept = {name: value.clone() for name, value in first.tensors().items()}
    state = {name: value.clone() for name, value in training.optimiser_state().items()}
    again = second.stream(X)
    second.load_tensors(kept)
    again.restore(training.position, state)
    assert [report.epoch for report in again] == [3, 4]
    for name, value in whole.tensors().items():
        assert torch.equal(value, second.tensors()[name]), name
