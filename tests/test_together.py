"""Several trainings at once: the numbers of each alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError

from vade_core.draws import Asked, Draw, Drawn, normal, uniform
from vade_core.models import AAE, DEC, VAE, LambdaHot, VaDE
from vade_core.together import Together, fit_together
from vade_core.training import Phase, Training

# Small steps: free clusters amplify rounding, and large ones amplify it much.
CALM: dict[str, Any] = {
    "hidden": (24, 16),
    "latent_dim": 4,
    "epochs": 4,
    "batch_size": 50,  # the last batch of 220 samples has 20
    "learning_rate": 1e-4,
    "learning_rate_floor": 1e-5,
    "precision": "fp32",
}


@pytest.fixture(scope="module")
def blobs() -> NDArray[np.uint8]:
    """220 grey pictures of 4 x 4 around 5 centres."""
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 255, (5, 16))
    noise = rng.normal(0, 15, (220, 16))
    return np.clip(centres[np.arange(220) % 5] + noise, 0, 255).astype(np.uint8)


def vade(seed: int = 0, k: int = 5, **changes: Any) -> VaDE:
    chosen = {"pretrain_epochs": 3, "start_restarts": 1, **CALM, **changes}
    return VaDE(n_clusters=k, random_state=seed, **chosen)


def both_ways(models: Any, X: Any, y: Any = None) -> list[tuple[Any, Any]]:
    """The same models fitted alone and at once."""
    alone = [model.fit(X, y) for model in models()]
    return list(zip(alone, fit_together(models(), X, y, at_once=True), strict=True))


def same(alone: Any, together: Any) -> None:
    """Reports and weights agree, but for rounding."""
    kinds = [(r.phase, r.epoch, r.epochs, r.stage, r.words) for r in alone.reports_]
    assert [(r.phase, r.epoch, r.epochs, r.stage, r.words) for r in together.reports_] == kinds
    for one, other in zip(alone.reports_, together.reports_, strict=True):
        assert other.terms == pytest.approx(one.terms, rel=1e-4, abs=1e-4)
        assert other.findings.get("undone") == one.findings.get("undone")
    for name, value in alone.tensors().items():
        torch.testing.assert_close(together.tensors()[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("pretraining", ["autoencoder", "stacked", "vae", "none"])
def test_each_seed_goes_through_the_numbers_that_it_has_alone(
    blobs: NDArray[np.uint8], pretraining: str
) -> None:
    pairs = both_ways(
        lambda: [vade(seed, pretraining=pretraining, start="gmm") for seed in range(3)], blobs
    )
    for alone, together in pairs:
        same(alone, together)
    ends = [together.reports_[-1].terms["loss"] for _, together in pairs]
    assert len(set(ends)) == 3  # seeds are seeds


def test_clusters_held_are_each_training_s_own_and_k_may_differ(
    blobs: NDArray[np.uint8],
) -> None:
    def models() -> list[VaDE]:
        held = {"start": "kmeans", "clamped_epochs": 2, "agreement_weight": 3.0}
        held["renew_every"] = 1
        return [vade(0, 5, **held), vade(1, 3, **held), vade(2, 7, **held)]

    for alone, together in both_ways(models, blobs):
        same(alone, together)
        assert together.prior_.means.shape == (together.n_clusters, 4)
        np.testing.assert_array_equal(together.start_clusters_, alone.start_clusters_)
        np.testing.assert_array_equal(together.held_clusters_, alone.held_clusters_)
        assert together.held_agreement_ == alone.held_agreement_
        np.testing.assert_array_equal(together.predict(blobs), alone.predict(blobs))


def test_a_training_that_is_stopped_leaves_the_others_to_go_on(
    blobs: NDArray[np.uint8],
) -> None:
    def streams() -> list[tuple[VaDE, Training]]:
        found = []
        for seed in range(3):
            # The one that stops first has the most clusters.
            model = vade(seed, (3, 7, 4)[seed], pretraining="none", start="gmm", epochs=5)
            training = model.stream(blobs)
            asked: list[int] = []

            def guard(seed: int = seed, asked: list[int] = asked) -> str | None:
                asked.append(seed)
                return "enough" if len(asked) == (5, 2, 9)[seed] - 1 else None

            last = training.phases[-1]
            values = {name: getattr(last, name) for name in Phase.__dataclass_fields__}
            training.phases[-1] = Phase(**{**values, "guard": guard})
            found.append((model, training))
        return found

    alone = streams()
    reports: list[list[Any]] = [list(training) for _, training in alone]
    together = streams()
    found: list[list[Any]] = [[], [], []]
    for number, report in Together([training for _, training in together]):
        found[number].append(report)
    assert [len(one) for one in found] == [len(one) for one in reports] == [5, 2, 6]
    for one, other in zip(alone, together, strict=True):
        for name, value in one[0].tensors().items():
            torch.testing.assert_close(other[0].tensors()[name], value, rtol=1e-3, atol=1e-4)
    assert found[1][-1].findings == {"undone": "enough"}


def test_classes_and_sparse_samples_and_half_precision(blobs: NDArray[np.uint8]) -> None:
    y = np.arange(220) % 4
    hot = lambda: [LambdaHot(random_state=seed, **CALM) for seed in (3, 4)]  # noqa: E731
    for alone, together in both_ways(hot, blobs, y):
        same(alone, together)
    rare = csr_matrix(np.where(blobs > 150, blobs, 0).astype(np.float32) / 255)
    plain = lambda: [VAE(random_state=seed, n_draws=2, **CALM) for seed in (3, 4)]  # noqa: E731
    for alone, together in both_ways(plain, rare):
        same(alone, together)
    half = {**CALM, "precision": "bf16"}
    models = [VAE(random_state=seed, **half) for seed in (3, 4)]
    expected = [VAE(random_state=seed, **half).fit(blobs) for seed in (3, 4)]
    for one, other in zip(expected, fit_together(models, blobs, at_once=True), strict=True):
        assert other.reports_[-1].terms == pytest.approx(one.reports_[-1].terms, rel=2e-2)


@pytest.mark.parametrize(
    ("models", "why"),
    [
        (lambda: [vade(), vade(batch_size=60)], "batch_size"),
        (lambda: [vade(), vade(learning_rate=1e-3)], "learning_rate"),
        (lambda: [vade(pretraining="none"), vade()], "pretraining"),
        (lambda: [vade(), vade(hidden=(24, 8))], "differ in hidden"),
        (lambda: [vade(), vade(kl_weight=0.5)], "differ in kl_weight"),
        (lambda: [VAE(**CALM), vade()], "differ in their class"),
        (lambda: [DEC(random_state=s, n_clusters=5, **CALM) for s in (0, 1)], "its loss reads"),
        (lambda: [AAE(random_state=s, n_clusters=5, **CALM) for s in (0, 1)], "not known"),
    ],
)
def test_what_cannot_go_in_step_is_said(blobs: NDArray[np.uint8], models: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fit_together(models(), blobs, at_once=True)


def test_models_that_cannot_go_in_step_are_what_they_were(blobs: NDArray[np.uint8]) -> None:
    models = [DEC(random_state=seed, n_clusters=5, **CALM).fit(blobs) for seed in (0, 1)]
    expected = [(model.labels_, model.transform(blobs), len(model.reports_)) for model in models]
    with pytest.raises(ValueError, match="its loss reads"):
        fit_together(models, blobs[::-1, :8], at_once=True)
    for model, (labels, latents, n_reports) in zip(models, expected, strict=True):
        np.testing.assert_array_equal(model.labels_, labels)
        np.testing.assert_array_equal(model.transform(blobs), latents)
        assert len(model.reports_) == n_reports


def test_a_loss_that_is_no_number_is_told(blobs: NDArray[np.uint8]) -> None:
    far = blobs.astype(np.float32) * 1e30
    models = [vade(seed, pretraining="none", start="random") for seed in (0, 1)]
    for model in models:
        model.fit(blobs)
    # As fit does: it warns of the scale, and what has diverged counts as never fitted.
    with (
        pytest.warns(UserWarning, match="far from the unit scale"),
        pytest.raises(FloatingPointError, match="scale the data"),
    ):
        fit_together(models, far, at_once=True)
    for model in models:
        with pytest.raises(NotFittedError):
            model.predict(blobs)
        assert not hasattr(model, "labels_")


def test_a_table_with_names_goes_in_step_as_quietly_as_alone(blobs: NDArray[np.uint8]) -> None:
    table = pandas.DataFrame(blobs / np.float32(255), columns=[f"x{i}" for i in range(16)])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        models = fit_together([vade(0), vade(1)], table, at_once=True)
    assert all(list(model.feature_names_in_) == list(table) for model in models)


def test_numbers_drawn_beforehand_come_in_the_order_asked() -> None:
    asked = Asked(torch.device("cpu"))
    assert normal(asked, (2, 3)).shape == (2, 3)
    assert uniform(asked, (4,)).shape == (4,)
    assert asked.draws == [
        Draw("normal", (2, 3), torch.float32),
        Draw("uniform", (4,), torch.float32),
    ]
    generator = torch.Generator().manual_seed(7)
    drawn = Drawn([draw.of(generator) for draw in asked.draws])
    again = torch.Generator().manual_seed(7)
    assert torch.equal(normal(drawn, (2, 3)), torch.randn((2, 3), generator=again))
    assert torch.equal(uniform(drawn, (4,)), torch.rand((4,), generator=again))


def test_streams_that_cannot_go_in_step_are_told_apart(blobs: NDArray[np.uint8]) -> None:
    def streams(*models: Any) -> list[Training]:
        return [model.stream(blobs) for model in models]

    for others, why in [
        (vade(batch_size=60), "batch size"),
        (vade(learning_rate=1e-3), "'Training VaDE' does"),
        (vade(pretraining="none"), "stages"),
        (vade(hidden=(24, 8)), "differ in shape"),
    ]:
        with pytest.raises(ValueError, match=why):
            Together(streams(vade(), others))


@pytest.mark.parametrize("variance", ["shared", "decoder"])
def test_numbers_that_are_no_grey_levels(blobs: NDArray[np.uint8], variance: str) -> None:
    spread = blobs / 64.0 - 2.0
    for alone, together in both_ways(
        lambda: [vade(seed, start="kmeans", observation_variance=variance) for seed in (0, 1)],
        spread,
    ):
        assert alone.likelihood_ == "gaussian"
        same(alone, together)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_a_captured_step_gives_the_numbers_of_each_alone(
    blobs: NDArray[np.uint8],
) -> None:
    held = {"start": "kmeans", "clamped_epochs": 2, "device": "cuda"}
    for X in (blobs, blobs / 64.0 - 2.0):
        for alone, together in both_ways(lambda: [vade(seed, **held) for seed in range(3)], X):
            same(alone, together)
