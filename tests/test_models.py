"""The registry's contract, and what each model promises."""

from __future__ import annotations

import itertools
from dataclasses import field
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors
from small_models import COMMON, TERM_WEIGHTS, accepted, small

from vade_core.communities import edge_information, mended, neighbour_graph
from vade_core.configure import configure
from vade_core.data import load
from vade_core.initialise import STARTS
from vade_core.metrics import accuracy
from vade_core.models import MODELS, VAE, LambdaHot, LatentModel, VaDE
from vade_core.models.settings import settings
from vade_core.networks import sample_posterior
from vade_core.presets import PRESETS, scaled
from vade_core.pretraining import PRETRAINING
from vade_core.training import EpochReport, Training

Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]
UNSUPERVISED = [name for name, entry in MODELS.items() if not entry.supervised]
SUPERVISED = [name for name, entry in MODELS.items() if entry.supervised]


@pytest.fixture(scope="module")
def digits() -> Digits:
    dataset = load("digits")
    assert dataset.labels is not None
    return dataset.samples[:600], dataset.labels[:600]


@pytest.fixture(scope="module", params=list(MODELS))
def fitted(request: pytest.FixtureRequest, digits: Digits) -> tuple[str, LatentModel]:
    X, y = digits
    return request.param, small(request.param).fit(X, y)


# -- what every model of the registry promises -------------------------------------------------


def test_shapes_and_finiteness(fitted: tuple[str, LatentModel], digits: Digits) -> None:
    _, model = fitted
    X, _ = digits
    gamma = model.predict_proba(X)
    latents = model.transform(X)
    assert latents.shape == (600, model.latent_size)
    assert np.isfinite(latents).all()
    assert gamma.shape == (600, 10)
    np.testing.assert_allclose(gamma.sum(1), 1, atol=1e-5)
    clusters = gamma.argmax(1)  # of the class, where it is supervised
    np.testing.assert_array_equal(model.responsibilities(latents).argmax(1), clusters)
    for array in (model.reconstruct(X), model.decode(latents), model.sample(7)):
        assert array.shape[1] == 64
        assert np.isfinite(array).all()
        assert array.min() >= 0
        assert array.max() <= 1
    error = model.negative_log_likelihood(torch.from_numpy(X / 255), torch.from_numpy(latents))
    assert error.shape == (600,)
    assert error.isfinite().all()
    for prior in (model.prior_, model.assigning_prior()):
        log_weights, means, log_variances = prior.components()
        assert means.shape == log_variances.shape == (len(log_weights), model.latent_size)
        assert float(log_weights.detach().exp().sum()) == pytest.approx(1, abs=1e-5)
        assert len(log_weights) == max(prior.n_clusters, 1)
    assert model.assigning_prior().n_clusters == 10


def test_named_terms_add_up_to_the_loss(fitted: tuple[str, LatentModel], digits: Digits) -> None:
    name, model = fitted
    X, y = digits
    weights = TERM_WEIGHTS.get(name, {})
    trained = [r.terms for r in model.reports_ if r.phase in ("clamped", "free", "train")]
    for terms in (*trained, model.loss_terms(X, y)):
        parts = {part: value for part, value in terms.items() if part != "loss"}
        assert parts
        assert all(np.isfinite(value) for value in parts.values())
        expected = sum(weights.get(part, 1.0) * value for part, value in parts.items())
        assert terms["loss"] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_two_calls_agree_whatever_the_random_state(
    fitted: tuple[str, LatentModel], digits: Digits
) -> None:
    # Catches labels from a sampled z.
    _, model = fitted
    X, _ = digits
    torch.manual_seed(1)
    gamma, latents = model.predict_proba(X), model.transform(X)
    torch.manual_seed(2)
    np.testing.assert_array_equal(gamma, model.predict_proba(X))
    np.testing.assert_array_equal(latents, model.transform(X))


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    fitted: tuple[str, LatentModel], digits: Digits
) -> None:
    name, model = fitted
    X, y = digits
    torch.manual_seed(99)
    state = torch.get_rng_state()  # the global state has no say, and is left alone
    again = small(name).fit(X, y).tensors()
    assert torch.equal(torch.get_rng_state(), state)
    tensors = model.tensors()
    assert tensors.keys() == again.keys()
    for key, value in tensors.items():
        assert torch.equal(value, again[key]), key
    other = small(name, random_state=1).fit(X, y).tensors()
    assert any(not torch.equal(value, other[key]) for key, value in tensors.items())


@pytest.mark.parametrize("name", UNSUPERVISED)
def test_labels_never_reach_an_unsupervised_model(name: str, digits: Digits) -> None:
    # Also catches a run that ends early where the ACC by labels is low.
    X, y = digits
    shuffled = np.random.default_rng(0).permutation(y)
    with_labels, without = small(name).fit(X, y).tensors(), small(name).fit(X, shuffled).tensors()
    assert all(torch.equal(with_labels[key], without[key]) for key in with_labels)


@pytest.mark.parametrize("name", SUPERVISED)
def test_labels_do_reach_a_supervised_model(name: str, digits: Digits) -> None:
    X, y = digits
    shuffled = np.random.default_rng(0).permutation(y)
    a, b = small(name).fit(X, y).tensors(), small(name).fit(X, shuffled).tensors()
    assert any(not torch.equal(a[key], b[key]) for key in a)
    with pytest.raises(ValueError, match="y to be passed"):
        small(name).fit(X)


def test_what_a_file_keeps_restores_the_model(
    fitted: tuple[str, LatentModel], digits: Digits
) -> None:
    name, model = fitted
    X, y = digits
    again = small(name)
    again.restore(64, "bernoulli", model.tensors())
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.sample(5, random_state=3), model.sample(5, random_state=3))
    assert again.loss_terms(X, y) == model.loss_terms(X, y)


def test_weights_of_another_shape_are_refused(fitted: tuple[str, LatentModel]) -> None:
    name, model = fitted
    with pytest.raises(ValueError, match="do not fit"):
        small(name).restore(63, "bernoulli", model.tensors())


def test_a_run_that_was_stopped_goes_on_to_the_same_end(
    fitted: tuple[str, LatentModel], digits: Digits
) -> None:
    name, model = fitted
    X, y = digits
    stop = max(1, len(model.reports_) - 1)
    first = small(name)
    training = first.stream(X, y)
    list(itertools.islice(training, stop))
    first.update_clusters(first.latents(X))  # as the worker does after every epoch
    kept = first.tensors(), training.position, training.optimiser_state()
    again = small(name)
    training = again.stream(X, y)
    again.load_tensors(kept[0])
    training.restore(kept[1], kept[2])
    assert [report.terms for report in training] == [r.terms for r in model.reports_[stop:]]
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    again.update_clusters(again.latents(X))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.sample(5), model.sample(5))


def test_sampling_by_cluster_or_a_clear_cannot(fitted: tuple[str, LatentModel]) -> None:
    _, model = fitted
    if model.prior_.n_clusters:
        rows = model.sample(6, cluster=3, random_state=1)
        np.testing.assert_array_equal(rows, model.sample(6, cluster=3, random_state=1))
        assert not np.array_equal(rows, model.sample(6, cluster=4, random_state=1))
        with pytest.raises(ValueError, match="between 0 and 9"):
            model.sample(6, cluster=10)
    else:
        with pytest.raises(ValueError, match="no cluster can be asked for"):
            model.sample(6, cluster=3)


@pytest.mark.parametrize("name", list(MODELS))
def test_real_data_train_with_a_gaussian_likelihood(name: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    X = (rng.normal(size=(3, 5))[y] * 3 + rng.normal(size=(300, 5)) * 0.3).astype(np.float32)
    variances = ("shared", "decoder", "fixed")
    for given in [{"observation_variance": variance} for variance in variances]:
        settings = accepted(name, {**given, "epochs": 40, "n_clusters": 3})
        model = small(name, **settings).fit(X, y)
        assert model.likelihood_ == "gaussian"
        trained = [r.terms for r in model.reports_ if r.phase == "train"]
        if trained and "reconstruction" in trained[0]:
            assert trained[-1]["reconstruction"] < trained[0]["reconstruction"]
        assert np.isfinite(model.score(X, y))
        assert np.isfinite(model.sample(5)).all()
        if "observation_variance" not in settings:
            break


# -- what each of them promises ----------------------------------------------------------------


def test_weights_enter_the_loss(digits: Digits) -> None:
    X, _ = digits
    model = small("vade", reconstruction_weight=0.25, kl_weight=3.0).fit(X)
    terms = model.loss_terms(X)
    expected = 0.25 * terms["reconstruction"] + 3 * (terms["latent_kl"] + terms["cluster_kl"])
    assert terms["loss"] == pytest.approx(expected, rel=1e-5)


HELD = {"start": "kmeans", "epochs": 4, "clamped_epochs": 2, "agreement_weight": 3.0}


def test_disagreement_is_what_the_draws_say_against_the_held_cluster(digits: Digits) -> None:
    X, _ = digits
    model = small("vade", **HELD, n_draws=2).fit(X)
    x, held = torch.from_numpy(X[:50]).float() / 16, torch.arange(50) % 10
    found = model.elbo_terms(x, torch.Generator().manual_seed(3), held)["disagreement"]
    with torch.no_grad():
        posterior = model.networks_.encoder(x)
        z = sample_posterior(posterior, 2, torch.Generator().manual_seed(3)).double().numpy()
    # log p(c|z) by Bayes' rule, from densities that another library computes.
    joint = np.stack(
        [
            np.log(weight) + multivariate_normal(mean, variances).logpdf(z)
            for weight, mean, variances in zip(
                model.weights_, model.means_, model.variances_, strict=True
            )
        ],
        axis=-1,
    )
    log_gamma = joint - logsumexp(joint, axis=-1, keepdims=True)
    expected = -log_gamma[:, np.arange(50), held].mean(axis=0)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-3, atol=1e-4)


def test_disagreement_counts_while_clusters_are_held_and_no_longer(digits: Digits) -> None:
    X, _ = digits
    weighted = small("vade", **HELD, reconstruction_weight=0.25).fit(X)
    terms = {report.phase: report.terms for report in weighted.reports_}
    parts = ("reconstruction", "latent_kl", "cluster_kl")
    assert set(terms["free"]) == {*parts, "loss"}
    weights = {"reconstruction": 0.25, "disagreement": 3.0}
    held = terms["clamped"]
    expected = sum(weights.get(name, 1.0) * held[name] for name in (*parts, "disagreement"))
    assert held["loss"] == pytest.approx(expected, rel=1e-5)
    assert held["disagreement"] >= 0
    plain = small("vade", **{**HELD, "agreement_weight": 0.0}).fit(X)
    assert all("disagreement" not in report.terms for report in plain.reports_)
    assert weighted.held_agreement_ > plain.held_agreement_


def test_vade_finds_clusters_that_are_there() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 150)
    centres = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 0], [0, 0, 6]])
    X = (centres[y] + rng.normal(size=(600, 3)) * 0.7).astype(np.float32)
    model = VaDE(
        n_clusters=4, latent_dim=2, hidden=(32, 32), batch_size=64, pretrain_epochs=50, epochs=50
    ).fit(X)
    assert accuracy(y, model.labels_) > 0.97
    weights = model.prior_.components()[0].exp().detach().numpy()
    np.testing.assert_allclose(weights, 0.25, atol=0.03)


def test_the_start_of_vade_keeps_the_first_epochs_divergence_small(
    digits: Digits,
) -> None:
    # Catches the mean's head copied into the log-variance's head (a first loss of 1e7), and
    # posteriors as wide as the untrained head makes them.
    X, _ = digits
    model = small("vade", pretrain_epochs=30, epochs=1).fit(X)
    assert model.reports_[-1].terms["latent_kl"] < 20


def test_the_paper_preset_is_the_papers_recipe() -> None:
    # Numbers that the text does not name stand apart: the floor under the learning rate and
    # Adam's epsilon, from the authors' published code.
    chosen = PRESETS["paper"].of("vade", 70_000)
    named = {"batch_size": 100, "epochs": 150, "learning_rate": 2e-3, "decay": 0.9}
    assert named.items() <= chosen.items()
    assert chosen["decay_every"] == 10
    assert chosen["start_restarts"] == 10
    assert (chosen["learning_rate_floor"], chosen["adam_eps"]) == (2e-4, 1e-4)
    model = VaDE(**{**COMMON, **chosen, "hidden": (8,), "pretrain_epochs": 2})
    X = np.random.default_rng(0).random((60, 5)).astype(np.float32)
    phase = model.stream(X).phases[-1]
    rates = [phase.learning_rate(epoch) for epoch in (0, 9, 10, 20, 1000)]
    np.testing.assert_allclose(rates, [0.002, 0.002, 0.0018, 0.00162, 0.0002])
    assert phase.adam_eps == 1e-4


def test_pretraining_is_measured_in_steps() -> None:
    mnist = scaled({"batch_size": 256, "pretrain_epochs": 10}, 70_000)
    assert mnist == {"batch_size": 256, "pretrain_epochs": 10}
    small_set = scaled({"batch_size": 256, "pretrain_epochs": 10}, 10_000)
    assert small_set["batch_size"] == 64
    steps = small_set["pretrain_epochs"] * 10_000 / 64
    assert steps == pytest.approx(2_700, rel=0.05)
    assert scaled({"pretrain_epochs": 10}, 100)["pretrain_epochs"] == 100
    # Less pretraining at a higher rate is for large data; small ones get the same of all recipes.
    hurried = {"batch_size": 256, "pretrain_epochs": 6, "pretrain_learning_rate": 2e-3}
    assert scaled(hurried, 70_000) == hurried
    assert scaled(hurried, 30_000)["pretrain_epochs"] == round(6 * 270 * 256 / 30_000)
    assert scaled(hurried, 10_000) == {**small_set, "pretrain_learning_rate": 1e-3}
    warmed = {**hurried, "pretrain_warm_up": 2}
    assert [scaled(warmed, n)["pretrain_warm_up"] for n in (70_000, 10_000)] == [2, 0]


@pytest.mark.parametrize("pretraining", list(PRETRAINING))
def test_a_warm_up_begins_at_a_lower_rate_and_ends_at_the_rate(
    digits: Digits, pretraining: str
) -> None:
    X, _ = digits

    def losses(rate: float, warm_up: int) -> list[float]:
        chosen = {"pretraining": pretraining, "pretrain_epochs": 3, "pretrain_learning_rate": rate}
        model = small("vade", **chosen, pretrain_warm_up=warm_up)
        reports = [one for one in model.stream(X) if one.phase == "pretrain"]
        of_the_last = [one for one in reports if one.stage == reports[-1].stage]
        (first, *_), (*_, end) = reports, of_the_last
        return [first.terms["loss"], end.terms["loss"]]

    warmed, low, high = losses(3e-3, 2), losses(1e-3, 0), losses(3e-3, 0)
    assert warmed[0] == pytest.approx(low[0], rel=1e-5)
    assert warmed[0] != pytest.approx(high[0], rel=1e-3)
    # The last of three epochs is at the whole rate: further than one that stayed low.
    assert warmed[1] < low[1]


def test_a_start_by_two_graphs_looks_at_the_very_data(digits: Digits) -> None:
    X, _ = digits
    chosen = {"start": "two-graphs", "start_restarts": 3, "pretrain_epochs": 3}
    model = small("vade", **chosen).fit(X)
    other = small("vade", **chosen)
    for report in other.stream(X):
        if (report.phase, report.epoch) == ("pretrain", 3):
            break
    latents = other.transform(X)
    components = PCA(50).fit_transform(X.astype(np.float64))
    find = STARTS["two-graphs"].find
    k, seed = model.n_clusters, model.random_state
    found = find(latents, k, seed=seed, restarts=3, components=components)
    assert np.mean(model.start_clusters_ == found.clusters) > 0.99
    shuffled = find(latents, k, seed=seed, restarts=3, components=components[::-1])
    assert np.mean(model.start_clusters_ == shuffled.clusters) < 0.9


@pytest.mark.parametrize("pretraining", ["autoencoder", "stacked", "vae", "none"])
@pytest.mark.parametrize("start", ["gmm", "kmeans", "random"])
def test_every_pretraining_goes_with_every_start(
    pretraining: str, start: str, digits: Digits
) -> None:
    X, _ = digits
    model = small("vade", pretraining=pretraining, start=start).fit(X)
    phases = [report.phase for report in model.reports_]
    assert ("pretrain" in phases) == (pretraining != "none")
    assert ("start" in phases) == (start != "random")
    assert phases[-2:] == ["train", "train"]
    assert (model.start_clusters_ >= 0).all() == (start != "random")


def test_a_umap_start_and_clamped_epochs(
    digits: Digits,
) -> None:
    X, y = digits
    model = small(
        "vade", pretrain_epochs=40, start="umap", epochs=5, clamped_epochs=3, hidden=(64, 64)
    ).fit(X)
    assert [report.epoch for report in model.reports_][-6:] == [0, 1, 2, 3, 4, 5]
    assert model.reports_[-1].epochs == 5
    assert [report.phase for report in model.reports_][-6:] == ["start", *["clamped"] * 3,
                                                                "free", "free"]  # fmt: skip
    assert accuracy(y, model.start_clusters_) > 0.6
    # Held to them, VaDE has not left the start's clusters.
    assert accuracy(model.start_clusters_, model.predict(X)) > 0.9


def test_stacked_pretraining_teaches_every_layer(
    digits: Digits,
) -> None:
    X, _ = digits
    model = small("vade", pretraining="stacked", pretrain_epochs=20, start="random")
    reports = [report for report in model.stream(X) if report.phase == "pretrain"]
    assert [len([r for r in reports if r.stage == stage]) for stage in range(4)] == [10, 10, 10, 20]
    for stage in range(4):
        losses = [r.terms["loss"] for r in reports if r.stage == stage]
        assert losses[-1] < 0.97 * losses[0]


def test_several_draws_of_z_tighten_the_estimate(
    digits: Digits,
) -> None:
    X, _ = digits
    model = small("vade").fit(X)
    spreads = []
    for n_draws in (1, 25):
        model.set_params(n_draws=n_draws)
        found = [model.loss_terms(X[:50], random_state=seed)["loss"] for seed in range(12)]
        spreads.append(np.std(found))
    assert spreads[1] < 0.5 * spreads[0]


def test_float64_samples_are_answered_in_float64(
    digits: Digits,
) -> None:
    X, _ = digits
    model = small("vae").fit(X)
    single = model.transform((X / 255).astype(np.float32))
    double = model.transform(X / 255)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single, double, atol=1e-4)


def test_bf16_training_stays_close_to_fp32(
    digits: Digits,
) -> None:
    X, _ = digits
    full = small("vade", epochs=5, precision="fp32").fit(X).reports_[-1].terms["loss"]
    half = small("vade", epochs=5, precision="bf16").fit(X).reports_[-1].terms["loss"]
    assert half != full
    assert half == pytest.approx(full, rel=0.03)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"pretraining": "magic"}, "pretraining must be"),
        ({"start": "magic"}, "start must be"),
        ({"start": "random", "clamped_epochs": 2}, "no clusters to clamp"),
        ({"epochs": 2, "clamped_epochs": 2}, "leave none with free"),
        ({"likelihood": "poisson"}, "likelihood must be"),
        ({"precision": "fp8"}, "precision must be"),
    ],
)
def test_wrong_settings_get_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    X = np.random.default_rng(0).random((60, 5))
    with pytest.raises(ValueError, match=sentence):
        small("vade", **settings).fit(X)


def test_bernoulli_refuses_values_outside_zero_and_one() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        VAE(**COMMON, likelihood="bernoulli").fit(np.full((30, 4), 2.0))


def test_lambda_hot_needs_labels_and_room_for_them() -> None:
    X = np.random.default_rng(0).random((60, 5))
    with pytest.raises(ValueError, match="y to be passed"):
        LambdaHot(**COMMON).fit(X)
    with pytest.raises(ValueError, match="do not fit into 10 latent"):
        LambdaHot(**COMMON).fit(X, np.arange(60) % 11)


def test_configure_reads_defaults_from_registry_and_preset() -> None:
    config = configure(model="vade", dataset="digits", preset="robust", clusters=7, seed=3)
    assert config.clusters == config.parameters["n_clusters"] == 7
    assert config.parameters["start"] == "graph"
    assert config.parameters["random_state"] == 3
    assert config.likelihood == "bernoulli"
    assert (config.parameters["clamped_epochs"], config.parameters["epochs"]) == (10, 14)
    short = configure(model="vade", dataset="digits", preset="robust", overrides={"epochs": 3})
    assert short.parameters["clamped_epochs"] == 2
    supervised = configure(model="lambda-hot", dataset="digits", clusters=7)
    assert supervised.clusters == 10  # the classes decide


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"model": "gan"}, "no model 'gan'"),
        ({"dataset": "imagenet"}, "no data set 'imagenet'"),
        ({"preset": "best"}, "no preset 'best'"),
        ({"lenses": ["hologram"]}, "no map 'hologram'"),
        ({"model": "vae", "overrides": {"strength": 2.0}}, "VAE has no setting 'strength'"),
        ({"model": "lambda-hot", "overrides": {"latent_dim": 5}}, "raise --latent"),
        ({"subset": 10**9}, "samples"),
        ({"clusters": 5000}, "at least as many samples"),
    ],
)
def test_configure_refuses_in_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        configure(**{"dataset": "digits", **arguments})


class Leaving(VaDE):
    """A VaDE that says of each free epoch what a test wants it to say."""

    agreements: ClassVar[list[float]] = []

    def _agreement(self, samples: object) -> float:
        return self.agreements.pop(0)


def guarded(agreements: list[float], **changes: Any) -> tuple[Leaving, list[EpochReport]]:
    Leaving.agreements = list(agreements)
    settings = {"hidden": (16,), "latent_dim": 3, "n_clusters": 3, "batch_size": 32}
    settings |= {"pretrain_epochs": 1, "epochs": 6, "clamped_epochs": 2, "most_leaving": 0.05}
    model = Leaving(start="kmeans", **{**settings, **changes})
    x = np.random.default_rng(0).random((96, 6)).astype(np.float32)
    return model, list(model.stream(x))


def test_an_epoch_that_leaves_its_start_is_undone_and_the_last() -> None:
    model, reports = guarded([0.99, 0.96, 0.95, 0.90])
    assert [r.epoch for r in reports if r.phase == "free"] == [3, 4]
    assert "Only 90.0 % of the samples" in str(reports[-1].findings["undone"])
    assert all("undone" not in report.findings for report in reports[:-1])
    # What is left is what the epoch before had: the very weights of a run that ended there.
    shorter, _ = guarded([0.99, 0.96, 0.95], epochs=3)
    for name, value in shorter.tensors().items():
        torch.testing.assert_close(model.tensors()[name], value, rtol=0, atol=0, equal_nan=True)


def test_a_run_that_stays_near_its_start_goes_to_its_end() -> None:
    model, reports = guarded([0.99, 0.96, 0.95, 0.94, 0.92, 0.911])
    assert [r.epoch for r in reports if r.phase == "free"] == [3, 4, 5, 6]
    assert model.held_agreement_ == pytest.approx(0.96)
    _, unguarded = guarded([0.99, 0.96], most_leaving=None)
    assert len(unguarded) == len(reports)


def test_agreement_is_counted_against_the_start() -> None:
    x = np.random.default_rng(0).random((96, 6)).astype(np.float32)
    model = VaDE(n_clusters=3, hidden=(16,), pretrain_epochs=1, start="kmeans", epochs=3)
    model.set_params(clamped_epochs=2, most_leaving=1.0, latent_dim=3)
    training = model.stream(x)
    for report in training:
        if report.phase == "clamped":
            agreement = np.mean(model.predict_proba(x).argmax(axis=1) == model.start_clusters_)
            assert model.held_agreement_ == pytest.approx(agreement)


def test_neighbours_in_latents_and_data_renew_what_is_held(digits: Digits) -> None:
    X, _ = digits
    held = {"start": "kmeans", "epochs": 8, "clamped_epochs": 6, "agreement_weight": 3.0}
    model = small("vade", **held, renew_every=2)
    findings, agreements, moved = {}, [], []
    components = PCA(50).fit_transform(X.astype(np.float32))
    before = latents = None
    for report in model.stream(X):
        findings[report.phase, report.epoch] = report.findings.get("renewed")
        if report.phase == "start":
            before = model.start_clusters_.copy()
        if report.phase != "clamped":
            continue
        if report.epoch in (3, 5):
            # Neighbours and components as another library finds them.
            near = NearestNeighbors(n_neighbors=15).fit(latents).kneighbors(return_distance=False)
            expected, _ = mended(before, 10, near.astype(np.int64), components)
            assert np.mean(model.held_clusters_ == expected) > 0.99
            moved.append(np.mean(model.held_clusters_ != before))
            before = model.held_clusters_.copy()
        np.testing.assert_array_equal(model.held_clusters_, before)
        latents = model.transform(X)
        agreements.append(np.mean(model.predict(X) == model.held_clusters_))
        assert model.held_agreement_ == pytest.approx(agreements[-1])
    assert all(0 < share < 0.5 for share in moved)
    assert [findings.pop(("clamped", epoch)) for epoch in (3, 5)] == pytest.approx(moved)
    assert set(findings.values()) == {None}
    # The networks learn the new ones, which a model that keeps the start's does not.
    kept = small("vade", **held).fit(X)
    assert agreements[-1] > np.mean(kept.predict(X) == model.held_clusters_)


def test_renewed_clusters_travel_with_the_weights_and_a_resumed_run_holds_them(
    digits: Digits,
) -> None:
    X, _ = digits
    held = {"start": "kmeans", "epochs": 6, "clamped_epochs": 4, "renew_every": 1}
    whole = small("vade", **held)
    reports = list(whole.stream(X))
    assert "held.clusters" not in small("vade", **{**held, "renew_every": 0}).fit(X).tensors()
    for stop in range(reports.index(next(r for r in reports if r.phase == "start")), len(reports)):
        first, again = small("vade", **held), small("vade", **held)
        training, rest = first.stream(X), again.stream(X)
        list(itertools.islice(training, stop))
        again.load_tensors(first.tensors())
        rest.restore(training.position, training.optimiser_state())
        assert [r.findings for r in rest] == [r.findings for r in reports[stop:]]
        for name, value in whole.tensors().items():
            torch.testing.assert_close(again.tensors()[name], value, rtol=0, atol=0)
    back = VaDE(latent_dim=whole.latent_dim, hidden=whole.hidden)
    back.restore(X.shape[1], whole.likelihood_, whole.tensors())
    np.testing.assert_array_equal(back.held_clusters_, whole.held_clusters_)
    assert np.any(back.held_clusters_ != back.start_clusters_)


def test_a_guarded_run_resumes_to_the_same_end() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(5, 8))[np.arange(200) % 5] + rng.normal(size=(200, 8))).astype("f4")
    settings = {"n_clusters": 5, "hidden": (16,), "latent_dim": 3, "start": "kmeans"}
    settings |= {"pretrain_epochs": 2, "epochs": 12, "clamped_epochs": 3, "batch_size": 16}

    def begun() -> tuple[VaDE, Training]:
        model = VaDE(**settings, most_leaving=0.005, learning_rate=0.02)
        return model, model.stream(x)

    whole, training = begun()
    reports = list(training)
    assert "undone" in reports[-1].findings
    assert len(reports) < 2 + 1 + 12
    for stop in range(1, len(reports)):
        first, training = begun()
        list(itertools.islice(training, stop))
        kept = first.tensors(), training.position, training.optimiser_state()
        again, training = begun()
        again.load_tensors(kept[0])
        training.restore(kept[1], kept[2])
        rest = list(training)
        assert [r.terms for r in rest] == [r.terms for r in reports[stop:]]
        assert [r.findings.get("undone") for r in rest] == [
            r.findings.get("undone") for r in reports[stop:]
        ]
        for name, value in whole.tensors().items():
            torch.testing.assert_close(again.tensors()[name], value, rtol=0, atol=0)


def test_of_several_trainings_the_one_with_most_edge_information_is_kept(
    digits: Digits,
) -> None:
    X, _ = digits
    several = small("vade", n_init=3, random_state=4).fit(X)
    alone = [small("vade", random_state=seed).fit(X) for seed in (4, 5, 6)]
    expected = [
        edge_information(neighbour_graph(model.transform(X)), model.labels_) for model in alone
    ]
    assert several.edge_informations_ == expected
    assert len(set(expected)) > 1
    best = alone[int(np.argmax(expected))]
    np.testing.assert_array_equal(several.labels_, best.labels_)
    np.testing.assert_array_equal(several.predict_proba(X), best.predict_proba(X))
    assert several.get_params()["random_state"] == 4
    with pytest.raises(ValueError, match=r"n_init.* must be an int in the range"):
        small("vade", n_init=0).fit(X)


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: 0} for name in ("n_clusters", "latent_dim", "batch_size", "n_draws", "decay")),
        *({name: -1} for name in ("epochs", "learning_rate", "kl_weight", "clamped_epochs")),
        {"agreement_weight": -1},
        {"n_clusters": 2.5},
        {"n_clusters": "3"},
        {"most_leaving": 2},
        {"hidden": 32},
        {"hidden": (16, 0)},
        {"observation_variance": "none"},
        {"random_state": 2**40},
        {"device": "gpu"},
    ],
    ids=lambda wrong: "-".join(map(str, *wrong.items())),
)
def test_what_no_training_can_use_is_refused_by_its_name(
    wrong: dict[str, Any], digits: tuple[np.ndarray, np.ndarray]
) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        small("vade", **wrong).fit(digits[0])


def test_the_fitted_mixture_is_an_attribute(digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = digits
    model = small("vade")
    with pytest.raises(NotFittedError):
        _ = model.means_
    model.fit(X)
    z = model.transform(X)[:, None]
    squared = (z - model.means_) ** 2 / model.variances_
    log_joint = np.log(model.weights_) - 0.5 * (squared + np.log(2 * np.pi * model.variances_)).sum(
        -1
    )
    gamma = np.exp(log_joint - log_joint.max(1, keepdims=True))
    gamma /= gamma.sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), gamma, atol=1e-4)


def test_annotated_names_are_the_constructor_and_a_fixed_one_cannot_be_chosen() -> None:
    @settings
    class Wide(VAE):
        latent_dim: int = 50
        kl_weight: float = field(init=False, default=2.0)

    assert Wide().get_params().keys() == VAE().get_params().keys() - {"kl_weight"}
    assert (Wide().latent_dim, Wide().kl_weight, VAE().kl_weight) == (50, 2.0, 1.0)
    assert repr(Wide(latent_dim=3)) == "Wide(latent_dim=3)"
    assert clone(Wide(hidden=(7,))).hidden == (7,)
    assert Wide() != Wide()
    with pytest.raises(TypeError, match="kl_weight"):
        Wide(kl_weight=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Wide(3)  # type: ignore[misc]


@pytest.mark.parametrize("name", ["vade", "vae", "ae", "dec", "ldmgi"])
def test_who_has_no_prior_says_that_something_stands_in_for_it(name: str) -> None:
    assert small(name)._build_prior().stands_in == (name in ("ae", "dec", "ldmgi"))
