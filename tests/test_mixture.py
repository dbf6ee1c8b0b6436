"""Formulas against independent computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as SklearnMixture

from vade_core import mixture
from vade_core.networks import (
    LOG_VARIANCE_BOUND,
    Decoder,
    Posterior,
    bounded_log_variance,
    sample_posterior,
    unbounded_log_variance,
)
from vade_core.priors import GaussianMixture, LambdaHot, StandardNormal


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def fitted() -> tuple[SklearnMixture, GaussianMixture, np.ndarray]:
    """A mixture fitted by scikit-learn, and our prior with its parameters."""
    rng = np.random.default_rng(0)
    z = np.concatenate(
        [rng.normal(centre, scale, (200, 3)) for centre, scale in ((0, 1), (2, 0.3), (-3, 2))]
    )
    theirs = SklearnMixture(3, covariance_type="diag", random_state=0).fit(z)
    ours = GaussianMixture(3, 3).double()
    ours.set_components(
        torch.tensor(theirs.weights_),
        torch.tensor(theirs.means_),
        torch.tensor(theirs.covariances_),
    )
    return theirs, ours, z


def test_responsibilities_are_scikit_learns_posterior(
    fitted: tuple[SklearnMixture, GaussianMixture, np.ndarray],
) -> None:
    # Catches log sigma^2 where half of it belongs: up to 0.99 off in another implementation.
    theirs, ours, z = fitted
    gamma = ours.log_responsibilities(torch.tensor(z)).exp().detach().numpy()
    np.testing.assert_allclose(gamma, theirs.predict_proba(z), atol=1e-9)


def test_marginal_is_scikit_learns_log_density(
    fitted: tuple[SklearnMixture, GaussianMixture, np.ndarray],
) -> None:
    theirs, ours, z = fitted
    ours_log_density = mixture.log_marginal(torch.tensor(z), *ours.components())
    np.testing.assert_allclose(
        ours_log_density.detach().numpy(), theirs.score_samples(z), atol=1e-9
    )


def test_far_points_have_finite_responsibilities_and_gradients() -> None:
    # Catches a gamma without log-sum-exp: exp(-1e8) / 0 is NaN.
    prior = GaussianMixture(4, 5)
    z = torch.full((3, 5), 1e4, requires_grad=True)
    gamma = prior.log_responsibilities(z).exp()
    assert torch.isfinite(gamma).all()
    torch.testing.assert_close(gamma.sum(1), torch.ones(3))
    terms = prior.kl(Posterior(z, torch.zeros(3, 5)), z[None])
    sum(value.sum() for value in terms.values()).backward()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_pi_stays_a_distribution_under_violent_steps() -> None:
    # Catches pi as a raw parameter, which turns negative and then NaN.
    prior = GaussianMixture(3, 2)
    optimiser = torch.optim.SGD(prior.parameters(), lr=1e3)
    for _ in range(20):
        optimiser.zero_grad()
        log_weights, _, _ = prior.components()
        (log_weights * torch.tensor([1.0, -2.0, 3.0])).sum().backward()
        optimiser.step()
    weights = prior.components()[0].exp()
    assert torch.isfinite(prior.components()[0]).all()
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))


def test_log_variances_are_bounded_and_the_bound_has_an_inverse() -> None:
    raw = torch.tensor([-1e6, -5.0, 0.0, 5.0, 1e6])
    bounded = bounded_log_variance(raw)
    assert (bounded.abs() <= LOG_VARIANCE_BOUND).all()
    inside = torch.linspace(-9, 9, 19)
    torch.testing.assert_close(
        bounded_log_variance(unbounded_log_variance(inside)), inside, atol=1e-4, rtol=0
    )


def monte_carlo_kl(
    mean: torch.Tensor, log_variance: torch.Tensor, log_p: torch.distributions.Distribution
) -> tuple[float, float]:
    """KL(N(mean, exp(log_variance)) || p) by 400,000 draws, with its standard error."""
    q = torch.distributions.Independent(
        torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)), 1
    )
    torch.manual_seed(0)
    z = q.sample((400_000,))
    difference = q.log_prob(z) - log_p.log_prob(z)
    return float(difference.mean()), float(difference.std() / math.sqrt(len(difference)))


def normal(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.distributions.Independent:
    return torch.distributions.Independent(
        torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)), 1
    )


def test_kl_to_components_is_what_monte_carlo_finds() -> None:
    mean, log_variance = torch.tensor([0.5, -1.0]), torch.tensor([-0.7, 0.4])
    means = torch.tensor([[0.0, 0.0], [2.0, -2.0]])
    log_variances = torch.tensor([[0.0, 0.3], [-0.5, 1.0]])
    found = mixture.kl_to_components(mean[None], log_variance[None], means, log_variances)[0]
    for component in range(2):
        expected, error = monte_carlo_kl(
            mean, log_variance, normal(means[component], log_variances[component])
        )
        assert float(found[component]) == pytest.approx(expected, abs=4 * error)


def test_kl_to_standard_normal_is_what_monte_carlo_finds() -> None:
    mean, log_variance = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([-0.7, 0.4, -2.0])
    expected, error = monte_carlo_kl(mean, log_variance, normal(torch.zeros(3), torch.zeros(3)))
    found = float(mixture.kl_to_standard_normal(mean[None], log_variance[None])[0])
    assert found == pytest.approx(expected, abs=4 * error)


def test_lambda_hots_kl_is_what_monte_carlo_finds() -> None:
    prior = LambdaHot(3, 4, strength=5.0)
    mean, log_variance = torch.tensor([0.5, 4.0, 0.1, 1.0]), torch.full((4,), -0.5)
    centre = torch.tensor([0.0, 5.0, 0.0, 0.0])
    expected, error = monte_carlo_kl(mean, log_variance, normal(centre, torch.zeros(4)))
    terms = prior.kl(Posterior(mean[None], log_variance[None]), mean[None, None], torch.tensor([1]))
    assert float(terms["latent_kl"][0]) == pytest.approx(expected, abs=4 * error)


def test_lambda_hots_most_responsible_class_is_its_largest_latent() -> None:
    prior = LambdaHot(10, 20)
    z = torch.randn(500, 20, generator=generator())
    gamma = prior.log_responsibilities(z)
    assert torch.equal(gamma.argmax(1), z[:, :10].argmax(1))
    torch.testing.assert_close(gamma, torch.log_softmax(5 * z[:, :10], dim=1))


def test_categorical_kl_counts_a_certain_cluster_rightly() -> None:
    log_q = torch.tensor([[0.0, -math.inf, -math.inf]])
    log_p = torch.log(torch.tensor([0.2, 0.3, 0.5]))
    assert float(mixture.categorical_kl(log_q, log_p)) == pytest.approx(-math.log(0.2))
    q = torch.tensor([0.1, 0.6, 0.3])
    expected = sum(a * math.log(a / b) for a, b in zip(q.tolist(), (0.2, 0.3, 0.5), strict=True))
    assert float(mixture.categorical_kl(q.log(), log_p)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n_draws", [1, 3])
def test_vades_terms_are_the_papers_equation(n_draws: int) -> None:
    """-ELBO by a loop over the paper's eq. 12, written out term by term."""
    torch.manual_seed(1)
    n, d, j, k = 4, 6, 3, 5
    prior = GaussianMixture(k, j)
    with torch.no_grad():
        prior.logits.copy_(torch.randn(k))
        prior.raw_log_variances.copy_(torch.randn(k, j))
    decoder = Decoder(j, (7,), d)
    x = torch.rand(n, d)
    posterior = Posterior(torch.randn(n, j), torch.randn(n, j))
    z = sample_posterior(posterior, n_draws, generator())
    location, log_variance = decoder(z)
    reconstruction = decoder.negative_log_likelihood(location, log_variance, x).mean(0)
    terms = prior.kl(posterior, z)
    ours = (reconstruction + terms["latent_kl"] + terms["cluster_kl"]).detach()

    log_pi, mu, log_sigma2 = (part.detach().numpy() for part in prior.components())
    pi, sigma2 = np.exp(log_pi), np.exp(log_sigma2)
    m, s2 = posterior.mean.numpy(), np.exp(posterior.log_variance.numpy())
    draws = z.numpy()
    decoded = torch.sigmoid(location).detach().numpy()
    for i in range(n):
        elbo = 0.0
        gamma = np.zeros(k)
        for draw in range(n_draws):
            for feature in range(d):
                p = decoded[draw, i, feature]
                value = float(x[i, feature])
                elbo += (value * math.log(p) + (1 - value) * math.log(1 - p)) / n_draws
            densities = np.array(
                [
                    pi[c]
                    * np.prod(
                        np.exp(-((draws[draw, i] - mu[c]) ** 2) / (2 * sigma2[c]))
                        / np.sqrt(2 * np.pi * sigma2[c])
                    )
                    for c in range(k)
                ]
            )
            gamma += densities / densities.sum() / n_draws
        for c in range(k):
            inner = 0.0
            for dim in range(j):
                inner += (
                    math.log(sigma2[c, dim])
                    + s2[i, dim] / sigma2[c, dim]
                    + (m[i, dim] - mu[c, dim]) ** 2 / sigma2[c, dim]
                )
            elbo -= 0.5 * gamma[c] * inner
            elbo += gamma[c] * math.log(pi[c] / gamma[c])
        elbo += 0.5 * sum(1 + math.log(s2[i, dim]) for dim in range(j))
        assert float(ours[i]) == pytest.approx(-elbo, rel=1e-4)


def test_clamped_responsibilities_are_one_hot_ones() -> None:
    prior = GaussianMixture(4, 3)
    posterior = Posterior(torch.randn(6, 3), torch.randn(6, 3))
    z = sample_posterior(posterior, 1, generator())
    given = torch.tensor([0, 1, 2, 3, 0, 1])
    terms = prior.kl(posterior, z, given)
    log_weights, means, log_variances = prior.components()
    for i, c in enumerate(given.tolist()):
        alone = mixture.kl_to_components(
            posterior.mean[i : i + 1],
            posterior.log_variance[i : i + 1],
            means[c : c + 1],
            log_variances[c : c + 1],
        )
        assert float(terms["latent_kl"][i]) == pytest.approx(float(alone), rel=1e-5)
        assert float(terms["cluster_kl"][i]) == pytest.approx(-float(log_weights[c]), rel=1e-5)


def test_likelihoods_are_torchs_densities() -> None:
    x = torch.rand(5, 4)
    z = torch.randn(1, 5, 2)
    bernoulli = Decoder(2, (8,), 4, "bernoulli")
    location, none = bernoulli(z)
    expected = -torch.distributions.ContinuousBernoulli(logits=location)._cont_bern_log_norm()
    # The continuous Bernoulli is the cross-entropy less its normaliser.
    continuous = torch.distributions.ContinuousBernoulli(logits=location).log_prob(x)
    torch.testing.assert_close(
        bernoulli.negative_log_likelihood(location, none, x),
        (-continuous - expected).sum(-1),
        rtol=1e-4,
        atol=1e-4,
    )
    for variance in ("shared", "decoder", "fixed"):
        gaussian = Decoder(2, (8,), 4, "gaussian", variance)  # type: ignore[arg-type]
        if gaussian.shared_log_variance is not None:
            torch.nn.init.constant_(gaussian.shared_log_variance, 0.7)
        location, log_variance = gaussian(z)
        scale = torch.ones(()) if log_variance is None else torch.exp(0.5 * log_variance)
        density = torch.distributions.Normal(location, scale).log_prob(x).sum(-1)
        torch.testing.assert_close(
            gaussian.negative_log_likelihood(location, log_variance, x), -density
        )


def test_samples_follow_the_component_that_is_asked_for() -> None:
    prior = GaussianMixture(3, 2)
    prior.set_components(
        torch.tensor([0.5, 0.3, 0.2]),
        torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]),
        torch.tensor([[1.0, 1.0], [0.25, 4.0], [1.0, 1.0]]),
    )
    z = prior.sample(20_000, generator(), cluster=1)
    torch.testing.assert_close(z.mean(0), torch.tensor([10.0, 0.0]), atol=0.06, rtol=0)
    torch.testing.assert_close(z.var(0), torch.tensor([0.25, 4.0]), atol=0.15, rtol=0)
    cool = prior.sample(20_000, generator(), cluster=1, temperature=0.5)
    torch.testing.assert_close(cool.var(0), z.var(0) / 4, atol=0.05, rtol=0)
    anywhere = prior.sample(20_000, generator())
    nearest = torch.cdist(anywhere, prior.means).argmin(1)
    shares = torch.bincount(nearest, minlength=3) / len(anywhere)
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.02, rtol=0)


def test_one_seed_gives_every_cluster_the_same_noise() -> None:
    prior = GaussianMixture(3, 4)
    standardised = []
    for cluster in range(3):
        _, means, log_variances = prior.components()
        z = prior.sample(5, generator(7), cluster=cluster)
        standardised.append((z - means[cluster]) / torch.exp(0.5 * log_variances[cluster]))
    torch.testing.assert_close(standardised[0], standardised[1])
    torch.testing.assert_close(standardised[0], standardised[2])


def test_a_standard_normal_prior_samples_a_standard_normal() -> None:
    z = StandardNormal(2).sample(20_000, generator())
    torch.testing.assert_close(z.var(0), torch.ones(2), atol=0.05, rtol=0)
