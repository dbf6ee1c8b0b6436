"""GMVAE, DEC, SB-VAE and DLGMM against independent computations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.special import digamma, softmax
from scipy.stats import beta as beta_distribution
from scipy.stats import norm

from vade_core.data import load
from vade_core.metrics import accuracy
from vade_core.models import DEC, DLGMM, GMVAE, SBVAE, LatentModel
from vade_core.stick_breaking import StickBreaking, StickPosterior, dirichlet_fractions
from vade_core.student_clusters import target_distribution
from vade_core.training import epoch_generator

Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]
SHAPES = [(0.6, 0.9), (1.0, 5.0), (3.0, 2.0), (8.0, 40.0)]  # a and b of Kumaraswamy's


@pytest.fixture(scope="module")
def digits() -> Digits:
    dataset = load("digits")
    assert dataset.labels is not None
    return dataset.samples, dataset.labels


def sticks_of(shapes: list[tuple[float, float]]) -> StickPosterior:
    a, b = torch.tensor(shapes, dtype=torch.float64).T
    return StickPosterior(a.log()[None], b.log()[None])


def density(v: float, a: float, b: float) -> float:
    return a * b * v ** (a - 1) * (1 - v**a) ** (b - 1)


# -- the broken stick ----------------------------------------------------------------------------


def test_moments_and_draws_of_a_stick_are_those_of_its_density() -> None:
    sticks = sticks_of(SHAPES)
    for power in (1, 2):
        expected = [quad(lambda v: v**power * density(v, a, b), 0, 1)[0] for a, b in SHAPES]  # noqa: B023
        np.testing.assert_allclose(sticks.moment(power)[0], expected, rtol=1e-6)
    drawn = sticks.sample(200_000, epoch_generator(0, 0, 0))[:, 0]
    np.testing.assert_allclose(drawn.sum(-1), 1, atol=1e-9)
    np.testing.assert_allclose(drawn.mean(0), sticks.mean[0], atol=3e-3)
    np.testing.assert_allclose(drawn.var(0), sticks.variances()[0], atol=1e-3)


def test_the_divergence_is_the_papers_and_with_its_rest_the_exact_one() -> None:
    alpha, beta = np.array([1.0, 1.0, 2.0, 1.0]), np.array([5.0, 5.0, 3.0, 0.7])
    a, b = np.array(SHAPES).T
    paper = (a - alpha) / a * (-np.euler_gamma - digamma(b) - 1 / b) + np.log(a * b)
    paper += np.log(beta_function(alpha, beta)) - (b - 1) / b
    for m in range(1, 11):
        paper += (beta - 1) * b / (m + a * b) * beta_function(m / a, b)
    priors = torch.from_numpy(alpha), torch.from_numpy(beta)
    found = sticks_of(SHAPES).kl_to_beta(*priors)
    assert found.item() == pytest.approx(paper.sum(), rel=1e-9)

    def integrand(v: float, k: int) -> float:
        q = density(v, a[k], b[k])
        return q * (np.log(q) - beta_distribution.logpdf(v, alpha[k], beta[k])) if q else 0.0

    exact = [quad(integrand, 0, 1, args=(k,), limit=500)[0] for k in range(4)]
    whole = [
        sticks_of([shape]).kl_to_beta(p[None], q[None], with_rest=True).item()
        for shape, p, q in zip(SHAPES, *priors, strict=True)
    ]
    np.testing.assert_allclose(whole, exact, atol=0.03)
    assert found.item() < sum(exact)


def test_gradients_of_draws_and_divergence_stay_finite_at_the_bounds() -> None:
    edges = torch.tensor(list(itertools.product((-9.0, 0.0, 9.0), repeat=2)))
    log_a, log_b = (column.clone().requires_grad_() for column in edges.T)
    sticks = StickPosterior(log_a[None], log_b[None])
    ones = torch.ones(len(edges))
    drawn = sticks.sample(2000, epoch_generator(0, 0, 0))
    total = (drawn * torch.arange(10)).sum() + sticks.kl_to_beta(ones, 5 * ones).sum()
    (total + sticks.mean.max()).backward()
    assert total.isfinite()
    for parameter in (log_a, log_b):
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_the_stick_prior_samples_what_its_moments_say() -> None:
    prior = StickBreaking(6, 3.0)
    _, mean, log_variance = prior.components()
    for temperature in (1.0, 0.5):
        drawn = prior.sample(100_000, epoch_generator(1, 0, 0), None, temperature)
        np.testing.assert_allclose(drawn.sum(1), 1, atol=1e-5)
        assert drawn.min() >= 0
        np.testing.assert_allclose(drawn.mean(0), mean[0], atol=2e-3)
        spread = temperature * torch.exp(0.5 * log_variance[0])
        np.testing.assert_allclose(drawn.std(0), spread, rtol=0.02)
    # Sticks of a symmetric Dirichlet have weights that are alike.
    alpha, beta = (values.numpy() for values in dirichlet_fractions(5, 2.0))
    mean_v = alpha / (alpha + beta)
    left = np.concatenate([[1.0], np.cumprod(1 - mean_v)])
    np.testing.assert_allclose(np.append(mean_v * left[:-1], left[-1]), 0.2, atol=1e-6)


# -- the bounds, by quadrature in one dimension --------------------------------------------------

GRID = np.linspace(-9, 9, 1801)
STEP = GRID[1] - GRID[0]


def one_dimensional(kind: Any, **more: Any) -> tuple[LatentModel, torch.Tensor]:
    x = np.random.default_rng(0).random((40, 4)).astype(np.float32)
    settings = {"hidden": (8,), "latent_dim": 1, "n_clusters": 2, "epochs": 2, "batch_size": 8}
    settings |= {"learning_rate": 0.02, "device": "cpu"}
    model = kind(**{**settings, **more}).fit(x)
    return model, torch.from_numpy(x[:1])


def log_likelihood(model: LatentModel, x: torch.Tensor) -> NDArray[np.float64]:
    z = torch.from_numpy(GRID.astype(np.float32))[:, None]
    with torch.no_grad():
        return -model.negative_log_likelihood(x.expand(len(z), -1), z).double().numpy()


def drawn_terms(model: LatentModel, x: torch.Tensor, n_draws: int) -> dict[str, float]:
    model.set_params(n_draws=n_draws)
    with torch.no_grad():
        terms = model.elbo_terms(x, epoch_generator(0, 0, 0))
    return {name: value.item() for name, value in terms.items()}


def test_dlgmm_minimises_an_upper_bound_that_quadrature_confirms() -> None:
    model, x = one_dimensional(DLGMM, separation=1.5, concentration=2.0)
    with torch.no_grad():
        found: Any = model.networks_.encoder(x)
    a, b = (v.exp().double().item() for v in (found.sticks.log_a, found.sticks.log_b))
    first = quad(lambda v: v * density(v, a, b), 0, 1)[0]
    likelihood = log_likelihood(model, x)
    centres = model.prior_.get_buffer("means").numpy().ravel()
    expected = {"reconstruction": 0.0, "latent_kl": 0.0}
    for weight, c in ((first, 0), (1 - first, 1)):
        mean, variance = found.means[0, c, 0].item(), found.log_variances[0, c, 0].exp().item()
        q = norm.pdf(GRID, mean, np.sqrt(variance))
        ratio = norm.logpdf(GRID, mean, np.sqrt(variance)) - norm.logpdf(GRID, centres[c], 1)
        expected["reconstruction"] -= weight * (q * likelihood).sum() * STEP
        expected["latent_kl"] += weight * (q * ratio).sum() * STEP
    terms = drawn_terms(model, x, 10_000)
    for name, value in expected.items():
        assert terms[name] == pytest.approx(value, abs=0.03)
    prior = 0.5 * sum(norm.pdf(GRID, centre, 1) for centre in centres)
    evidence = np.log((np.exp(likelihood) * prior).sum() * STEP)
    assert sum(terms.values()) >= -evidence - 0.02


def test_gmvae_minimises_an_upper_bound_that_quadrature_confirms() -> None:
    model, x = one_dimensional(GMVAE, style_dim=1, learning_rate=3e-3)
    encoder, prior = model.networks_.encoder, model.prior_
    likelihood = log_likelihood(model, x)
    styles = GRID[::10]
    with torch.no_grad():
        of_z, of_w = encoder.both(x)
        means, log_variances = prior.given(torch.from_numpy(styles.astype(np.float32))[:, None])
    means, spreads = means[..., 0].double().numpy(), log_variances[..., 0].double().numpy()
    spreads = np.exp(0.5 * spreads)
    (m, s), (m_w, s_w) = (
        (p.mean.item(), np.exp(0.5 * p.log_variance.item())) for p in (of_z, of_w)
    )
    q_z, q_w = norm.pdf(GRID, m, s) * STEP, norm.pdf(styles, m_w, s_w) * 10 * STEP
    log_p = norm.logpdf(GRID[:, None, None], means, spreads)  # of z given w and c
    gamma = softmax(log_p, axis=2)
    to_clusters = np.log(spreads / s) + (s**2 + (m - means) ** 2) / (2 * spreads**2) - 0.5
    weight = q_z[:, None] * q_w
    expected = {
        "reconstruction": -(q_z * likelihood).sum(),
        "latent_kl": (weight * (gamma * to_clusters).sum(2)).sum(),
        "w_kl": 0.5 * (m_w**2 + s_w**2 - 1) - np.log(s_w),
        "cluster_kl": (weight * (gamma * np.log(2 * gamma + 1e-300)).sum(2)).sum(),
    }
    terms = drawn_terms(model, x, 10_000)
    for name, value in expected.items():
        assert terms[name] == pytest.approx(value, abs=0.03), name
    p_z = (0.5 * np.exp(log_p).sum(2) * norm.pdf(styles) * 10 * STEP).sum(1)
    evidence = np.log((np.exp(likelihood) * p_z * STEP).sum())
    assert sum(terms.values()) >= -evidence - 0.02


# -- GMVAE -----------------------------------------------------------------------------------------


def test_gmvaes_clusters_are_bayes_over_the_kept_styles_and_samples_share_theirs() -> None:
    model, _ = one_dimensional(GMVAE, latent_dim=3, n_clusters=4)
    prior = model.prior_
    z = np.random.default_rng(1).normal(size=(5, 3)) * 2
    with torch.no_grad():
        means, log_variances = (v.double().numpy() for v in prior.given(prior.styles))
    spread = np.exp(0.5 * log_variances)
    joint = norm.pdf(z[:, None, None], means, spread).prod(-1).mean(1)
    np.testing.assert_allclose(
        model.responsibilities(z), joint / joint.sum(1, keepdims=True), atol=1e-5
    )
    # One seed is one style and one noise, whatever the cluster: only mu and sigma differ.
    generator = epoch_generator(7, 0, 0)
    w = torch.randn(6, 2, generator=generator)
    noise = torch.randn(6, 3, generator=generator)
    for cluster in (0, 3):
        with torch.no_grad():
            m, v = (values[:, cluster] for values in prior.given(0.5 * w))
            expected = m + 0.5 * torch.exp(0.5 * v) * noise
        drawn = model.sample_latents(6, cluster=cluster, temperature=0.5, random_state=7)
        np.testing.assert_allclose(drawn, expected, atol=1e-6)
    many = model.sample_latents(50_000, cluster=2, random_state=3)
    _, centres, variances = (values.detach().numpy() for values in prior.components())
    spread = np.exp(0.5 * variances[2])
    np.testing.assert_allclose((many.mean(0) - centres[2]) / spread, 0, atol=0.1)
    np.testing.assert_allclose(many.std(0), spread, rtol=0.1)


def test_below_the_threshold_the_cluster_term_has_no_say() -> None:
    terms = {name: torch.tensor([1.0, 3.0]) for name in ("reconstruction", "latent_kl", "w_kl")}
    for threshold, minimised in ((0.2, 0.5), (1.5, 1.5)):
        own = torch.tensor([0.4, 0.6], requires_grad=True)
        model = GMVAE(minimum_information=threshold, kl_weight=2.0)
        found = model._objective({**terms, "cluster_kl": own})
        assert found["cluster_kl"].item() == pytest.approx(0.5)
        assert found["loss"].item() == pytest.approx(2 + 2 * (2 + 2 + minimised))
        found["loss"].backward()
        assert own.grad is not None
        assert bool(own.grad.any()) is (threshold < 0.5)


def test_gmvae_finds_clusters_of_one_dimension_instead_of_leaving_its_latents_unused() -> None:
    rng, labels = np.random.default_rng(0), np.arange(600) % 4
    x = np.array([-6.0, -2.0, 2.0, 6.0])[labels] + 0.4 * rng.standard_normal(600)
    x = ((x - x.mean()) / x.std())[:, None].astype(np.float32)
    model = GMVAE(
        n_clusters=4, latent_dim=4, hidden=(64,), batch_size=64, epochs=60, learning_rate=2e-3,
        minimum_information=1.0, device="cpu",
    ).fit(x)  # fmt: skip
    assert model.loss_terms(x)["cluster_kl"] > 1.0
    assert accuracy(labels, model.predict(x)) > 0.95


# -- DEC -------------------------------------------------------------------------------------------


def small_dec(**more: Any) -> DEC:
    settings = {"hidden": (32,), "latent_dim": 5, "batch_size": 64, "device": "cpu"}
    settings |= {"pretrain_epochs": 15, "epochs": 5, "tolerance": None, "start_restarts": 3}
    return DEC(**{**settings, "learning_rate": 3e-3, **more})


def test_decs_assignments_target_and_loss_are_the_papers(digits: Digits) -> None:
    X = digits[0][:300]
    model = small_dec(epochs=1).fit(X)
    z, centres = model.transform(X).astype(float), model.prior_.centres.detach().numpy()
    q = 1 / (1 + ((z[:, None] - centres) ** 2).sum(2))  # eq. 1
    q /= q.sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), q, atol=1e-5)
    p = q**2 / q.sum(0)  # eq. 3
    p /= p.sum(1, keepdims=True)
    np.testing.assert_allclose(target_distribution(torch.from_numpy(q)), p, atol=1e-12)
    divergence = (p * np.log(p / q)).sum() / len(q)  # eq. 2
    assert model.loss_terms(X)["cluster_kl"] == pytest.approx(divergence, rel=1e-3)
    # What stands in for a prior has the moments of the clusters.
    clusters = model.predict(X)
    _, means, log_variances = model.prior_.components()
    for c in np.unique(clusters):
        np.testing.assert_allclose(means[c], z[clusters == c].mean(0), atol=1e-4)
        variances = np.maximum(z[clusters == c].var(0), 1e-6 * z.var(0).mean())
        np.testing.assert_allclose(log_variances[c].exp(), variances, rtol=1e-3)


def test_dec_moves_the_encoder_alone_and_stops_when_it_has_settled(digits: Digits) -> None:
    X = digits[0][:600]
    start = small_dec(epochs=0).fit(X)
    moved = small_dec().fit(X)
    decoder = [name for name in start.tensors() if name.startswith("networks.decoder")]
    assert all(torch.equal(start.tensors()[name], moved.tensors()[name]) for name in decoder)
    assert not torch.equal(
        start.tensors()["networks.encoder.mean.weight"],
        moved.tensors()["networks.encoder.mean.weight"],
    )
    sure, before = (model.predict_proba(X).max(axis=1).mean() for model in (moved, start))
    assert sure > before + 0.02
    often = small_dec(target_every=2).fit(X)
    assert often.reports_[-1].terms["loss"] != moved.reports_[-1].terms["loss"]
    settled = small_dec(tolerance=1.0).fit(X)
    last = settled.reports_[-1]
    assert "DEC has settled" in str(last.findings["undone"])
    assert len([r for r in settled.reports_ if r.phase == "train"]) == 1
    assert torch.equal(
        start.tensors()["networks.encoder.mean.weight"],
        settled.tensors()["networks.encoder.mean.weight"],
    )
    with pytest.raises(ValueError, match="pretraining must be"):
        small_dec(pretraining="magic").fit(X)


def test_an_interrupted_dec_ends_with_the_same_numbers(digits: Digits) -> None:
    X = digits[0][:300]

    def begun() -> tuple[DEC, Any]:
        model = small_dec(pretrain_epochs=2, epochs=3, target_every=2)
        return model, model.stream(X)

    whole, training = begun()
    reports = list(training)
    for stop in (2, 3, 4):
        first, training = begun()
        list(itertools.islice(training, stop))
        kept = first.tensors(), training.position, training.optimiser_state()
        again, training = begun()
        again.load_tensors(kept[0])
        training.restore(kept[1], kept[2])
        assert [r.terms for r in training] == [r.terms for r in reports[stop:]]
        for name, value in whole.tensors().items():
            torch.testing.assert_close(again.tensors()[name], value, rtol=0, atol=0)


# -- they learn ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (SBVAE, {"epochs": 6, "latent_dim": 12}),
        (DLGMM, {"epochs": 8, "latent_dim": 5, "n_clusters": 4}),
        (GMVAE, {"epochs": 12, "latent_dim": 5}),
    ],
)
def test_the_latents_say_more_than_the_mean_picture(
    kind: Any, more: dict[str, Any], digits: Digits
) -> None:
    # The best that a decoder can do which is told nothing, as after a collapse of the posterior.
    X, _ = digits
    share = X / 255.0
    mean = share.mean(0).clip(1e-6, 1 - 1e-6)
    told_nothing = -(share * np.log(mean) + (1 - share) * np.log(1 - mean)).sum(1).mean()
    settings = {"hidden": (128,), "batch_size": 32, "learning_rate": 4e-3, "device": "cpu"}
    model = kind(**settings, **more).fit(X)
    assert -model.score(X) < told_nothing - 1.0


def test_dec_sorts_digits_better_than_its_start(digits: Digits) -> None:
    X, y = digits
    model = small_dec(hidden=(128,), latent_dim=10, epochs=8)
    found = [accuracy(y, model.predict(X)) for r in model.stream(X) if r.phase != "pretrain"]
    assert found[-1] > max(found[0], 0.7)
