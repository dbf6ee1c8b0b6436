"""What somebody expects who comes from scikit-learn, beyond its own checks."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_models import small

from vade_core.cli import main
from vade_core.configure import chosen_parameters
from vade_core.models import MODELS, VAE, VaDE
from vade_core.presets import PRESETS

ROOT = Path(__file__).parents[1]
SMALL: dict[str, Any] = {
    "hidden": (32, 32),
    "latent_dim": 4,
    "n_clusters": 5,
    "epochs": 3,
    "pretrain_epochs": 2,
    "start_restarts": 1,
}


@pytest.fixture(scope="module")
def blobs() -> NDArray[np.float64]:
    X, _ = make_blobs(400, 8, centers=5, random_state=0)
    return StandardScaler().fit_transform(X)


@pytest.fixture(scope="module")
def model(blobs: NDArray[np.float64]) -> VaDE:
    return VaDE(**SMALL).fit(blobs)


# -- a score of each sample --------------------------------------------------------------------


@pytest.mark.parametrize("name", list(MODELS))
def test_a_samples_score_is_its_elbo_and_depends_on_no_other(
    name: str, blobs: NDArray[np.float64]
) -> None:
    y = np.arange(len(blobs)) % 3
    fitted = small(name).fit(blobs, y)
    networks = hasattr(fitted, "networks_") and not MODELS[name].supervised
    has_elbo = networks and {"reconstruction", "latent_kl"} <= set(fitted.loss_terms(blobs))
    assert hasattr(fitted, "score_samples") is has_elbo
    if not has_elbo:
        return
    scores = fitted.score_samples(blobs)
    assert scores.shape == (400,)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(fitted.score_samples(blobs[5:9]), scores[5:9], rtol=1e-4)
    np.testing.assert_allclose(fitted.score_samples(blobs[::-1])[::-1], scores, rtol=1e-4)
    # The mean of the ELBO, but for other draws.
    terms = {k: v for k, v in fitted.loss_terms(blobs).items() if k != "cluster_shortfall"}
    terms.pop("loss")
    assert scores.mean() == pytest.approx(-sum(terms.values()), rel=0.05)


def test_what_is_unlike_the_training_data_scores_low(
    model: VaDE, blobs: NDArray[np.float64]
) -> None:
    strange = np.random.default_rng(0).normal(size=(50, 8)) * 6
    assert model.score_samples(strange).max() < model.score_samples(blobs).min()
    other = model.score_samples(blobs, random_state=1)
    assert not np.array_equal(other, model.score_samples(blobs))
    np.testing.assert_array_equal(other, model.score_samples(blobs, random_state=1))


# -- latents and samples -----------------------------------------------------------------------


def test_a_pipeline_leads_back_from_latents_to_samples(blobs: NDArray[np.float64]) -> None:
    pipeline = make_pipeline(StandardScaler(), VAE(hidden=(8,), latent_dim=3, epochs=1))
    X = 10 * blobs + 3
    latents = pipeline.fit_transform(X)
    scaler, vae = pipeline.named_steps["standardscaler"], pipeline.named_steps["vae"]
    expected = scaler.inverse_transform(vae.reconstruct(scaler.transform(X)))
    np.testing.assert_allclose(pipeline.inverse_transform(latents), expected)


def test_samples_are_the_same_for_a_seed_and_others_without_one(model: VaDE) -> None:
    np.testing.assert_array_equal(model.sample(5), model.sample(5, random_state=0))
    assert not np.array_equal(
        model.sample(5, random_state=None), model.sample(5, random_state=None)
    )
    state = np.random.RandomState(3)
    first = model.sample(5, random_state=state)
    assert not np.array_equal(first, model.sample(5, random_state=state))
    np.testing.assert_array_equal(first, model.sample(5, random_state=np.random.RandomState(3)))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda m: m.decode(np.zeros((2, 3))), r"shape \(n, 4\), not \(2, 3\)"),
        (lambda m: m.decode(np.zeros(4)), r"shape \(n, 4\), not \(4,\)"),
        (lambda m: m.responsibilities(np.zeros((2, 5))), r"shape \(n, 4\)"),
        (lambda m: m.sample(3.0), "n must be a whole number"),
        (lambda m: m.sample(3, cluster=1.5), "cluster must be a whole number between 0 and 4"),
    ],
)
def test_what_cannot_be_asked_for_gets_a_sentence(model: VaDE, ask: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ask(model)


def test_a_device_that_there_is_not_gets_a_sentence(blobs: NDArray[np.float64]) -> None:
    for name in ("mps", "meta", "nowhere"):
        with pytest.raises(ValueError, match="device must be 'auto', 'cpu' or 'cuda'"):
            VaDE(**SMALL, device=name).fit(blobs)


def test_what_has_not_been_fitted_says_so() -> None:
    for name in MODELS:
        with pytest.raises(NotFittedError):
            small(name).tensors()


@pytest.mark.parametrize("start", ["gmm", "kmeans", "graph", "two-graphs", "random"])
def test_fewer_samples_than_clusters_are_refused_by_every_start(
    start: str, blobs: NDArray[np.float64]
) -> None:
    with pytest.raises(ValueError, match="3 samples cannot be sorted into 5 clusters"):
        VaDE(**SMALL, start=start).fit(blobs[:3])


def test_the_score_of_a_classifier_needs_the_classes(blobs: NDArray[np.float64]) -> None:
    y = np.arange(len(blobs)) % 3
    with pytest.raises(ValueError, match="its score needs the classes y"):
        small("lambda-hot").fit(blobs, y).score(blobs)


# -- a fit that fails --------------------------------------------------------------------------


@pytest.mark.parametrize("n_init", [1, 2])
def test_what_has_diverged_counts_as_never_fitted(blobs: NDArray[np.float64], n_init: int) -> None:
    again = VaDE(**SMALL).fit(blobs)
    for model in (VaDE(**SMALL), again):
        model.set_params(n_init=n_init)
        model.set_params(learning_rate=1e3)
        with pytest.raises(FloatingPointError, match="lower the learning rate"):
            model.fit(blobs)
        with pytest.raises(NotFittedError):
            model.predict(blobs)
        assert not [name for name in vars(model) if name.endswith("_")]
    # And it can be fitted once more.
    assert again.set_params(learning_rate=2e-3).fit(blobs).labels_.shape == (400,)


def test_a_refused_fit_leaves_the_model_as_it_was(blobs: NDArray[np.float64]) -> None:
    unfitted = VaDE(**SMALL)
    fitted = VaDE(**SMALL).fit(blobs)
    before = fitted.predict(blobs)
    for model in (unfitted, fitted):
        with pytest.raises(ValueError, match="3 samples cannot be sorted"):
            model.fit(blobs[:3])
        with pytest.raises(ValueError, match="start must be"):
            model.set_params(start="nowhere").fit(blobs)
    with pytest.raises(NotFittedError):
        unfitted.predict(blobs)
    np.testing.assert_array_equal(fitted.predict(blobs), before)
    np.testing.assert_array_equal(fitted.labels_, before)


def test_an_interrupted_fit_keeps_what_it_went_through(
    blobs: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = VaDE(**SMALL).fit(blobs)
    epochs = len(model.reports_)
    stream = model.stream

    def interrupted(*given: Any, **named: Any) -> Any:
        training = stream(*given, **named)

        class Interrupted:
            samples = training.samples

            def __iter__(self) -> Any:
                for number, report in enumerate(training):
                    if number == 2:
                        raise KeyboardInterrupt
                    yield report

        return Interrupted()

    monkeypatch.setattr(model, "stream", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(blobs)
    assert len(model.reports_) == 2 < epochs
    assert model.predict(blobs).shape == (400,)
    assert not hasattr(model, "labels_")  # they were the earlier fit's


# -- a training that is followed ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["vae", "ae", "sb-vae"])
def test_clusters_that_are_fitted_afterwards_are_not_made_up_before(
    name: str, blobs: NDArray[np.float64]
) -> None:
    followed, fitted = small(name, n_clusters=5), small(name, n_clusters=5).fit(blobs)
    list(followed.stream(blobs))
    assert not hasattr(followed, "labels_")
    with pytest.raises(NotFittedError, match="call update_clusters"):
        followed.predict(blobs)
    followed.update_clusters(followed.transform(blobs))
    np.testing.assert_array_equal(followed.predict(blobs), fitted.labels_)


@pytest.mark.parametrize("name", ["ae", "dec"])
def test_samples_are_not_drawn_from_a_stand_in_that_nobody_fitted(
    name: str, blobs: NDArray[np.float64]
) -> None:
    followed = small(name)
    list(followed.stream(blobs))
    with pytest.raises(NotFittedError, match="draws samples from"):
        followed.sample(3)
    followed.update_clusters(followed.transform(blobs))
    # In float64 here, where fit takes the training's own float32.
    np.testing.assert_allclose(followed.sample(3), small(name).fit(blobs).sample(3), atol=1e-5)


def test_following_a_training_that_is_refused_leaves_the_fit(blobs: NDArray[np.float64]) -> None:
    model = VaDE(**SMALL).fit(blobs)
    expected = model.predict_proba(blobs)
    with pytest.raises(ValueError, match="3 samples cannot be sorted into 5 clusters"):
        model.stream(blobs[:3, :2])
    with pytest.raises(ValueError, match="start must be"):
        model.set_params(start="nope").stream(blobs)
    np.testing.assert_array_equal(model.predict_proba(blobs), expected)
    assert len(model.labels_) == len(blobs)
    model.set_params(start="gmm").stream(blobs)
    for gone in ("labels_", "reports_"):  # an earlier fit's: these networks are new ones
        assert not hasattr(model, gone)


@pytest.mark.parametrize("name", ["vae", "ae", "sb-vae", "dec", "kmeans-vae", "vade"])
def test_fewer_samples_than_clusters_are_refused_before_anything_is_trained(
    name: str, blobs: NDArray[np.float64]
) -> None:
    model = small(name, n_clusters=5).fit(blobs)
    with pytest.raises(ValueError, match="400 samples cannot be sorted into 401 clusters"):
        model.set_params(n_clusters=401).fit(blobs)
    assert len(model.labels_) == len(blobs)  # what was learnt before is not lost


# -- numbers that cannot be used ---------------------------------------------------------------


def test_a_sample_that_overflows_gets_no_cluster(model: VaDE, blobs: NDArray[np.float64]) -> None:
    far = blobs[:4].astype(np.float32)
    far[1, 2] = 3.4e38  # what some files write where a value is missing
    with pytest.raises(ValueError, match="No cluster can be told for 1 of 4 samples"):
        model.predict(far)


@pytest.mark.parametrize("dtype", ["float16", ">f4", ">f8", "longdouble", "int64"])
def test_latents_of_any_number_type_are_decoded(model: VaDE, dtype: str) -> None:
    latents = np.array([[0, 1, -1, 2]], dtype)
    plain = latents.astype(np.float64 if latents.dtype.itemsize >= 8 and dtype != "int64" else "f4")
    np.testing.assert_array_equal(model.decode(latents), model.decode(plain))


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "many"])
def test_a_recipe_wants_a_number_of_samples(n_samples: Any) -> None:
    with pytest.raises(ValueError, match="n_samples must be the number of samples"):
        VaDE.from_preset("robust", n_samples)


def test_as_many_classes_as_samples_are_wanted(blobs: NDArray[np.float64]) -> None:
    y = np.arange(len(blobs)) % 3
    with pytest.raises(ValueError, match="X has 400 samples, and y has 100 classes"):
        small("lambda-hot").fit(blobs, y).loss_terms(blobs, y[:100])


def test_clusters_that_lost_their_samples_are_told(blobs: NDArray[np.float64]) -> None:
    two = blobs[:2].repeat(60, axis=0) + np.random.default_rng(0).normal(size=(120, 8)) * 1e-3
    few = {**SMALL, "n_clusters": 12, "epochs": 15, "start": "random"}
    with pytest.warns(ConvergenceWarning, match=r"Only \d+ of 12 clusters .*from_preset\('robust'"):
        model = VaDE(**few).fit(two)
    assert len(np.unique(model.labels_)) < 12
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        VaDE(**SMALL).fit(blobs)


# -- recipes -----------------------------------------------------------------------------------


def test_a_recipe_makes_a_model_that_goes_by_the_number_of_samples() -> None:
    model = VaDE.from_preset("robust", 1_797, n_clusters=3, epochs=40)
    asked = model.get_params()
    expected = PRESETS["robust"].of("vade", 1_797) | {"n_clusters": 3, "epochs": 40}
    expected["clamped_epochs"] = 29  # the recipe's ten of fourteen
    assert {name: asked[name] for name in expected} == expected
    assert asked["batch_size"] == 64 < VaDE.from_preset("robust", 70_000).batch_size
    assert VAE.from_preset("class", 70_000).epochs == PRESETS["class"].of("vae", 70_000)["epochs"]
    with pytest.raises(ValueError, match="no preset 'best': choose one of short, paper"):
        VaDE.from_preset("best", 100)
    with pytest.raises(ValueError, match="VaDE has no setting 'gamma': leave it out"):
        VaDE.from_preset("robust", 100, gamma=2)

    class Mine(VaDE):
        """A person's own."""

    of_mine, of_vade = (each.from_preset("robust", 1_797).get_params() for each in (Mine, VaDE))
    assert of_mine == of_vade


@pytest.mark.parametrize("name", list(MODELS))
def test_a_recipe_is_the_command_lines_for_every_model(name: str) -> None:
    model = MODELS[name].estimator
    for preset in PRESETS:
        for asked in ({}, {"epochs": 10}):
            known = {key: v for key, v in asked.items() if key in model().get_params()}
            made = model.from_preset(preset, 1_000, random_state=None, **known).get_params()
            expected = chosen_parameters(name, preset, 1_000, known) | {"random_state": None}
            assert made == expected
    assert VaDE.from_preset("robust", 1_000, epochs=10).clamped_epochs == 7
    assert VaDE.from_preset("robust", 1_000, n_init=3).n_init == 3


def test_the_readmes_examples_run_as_they_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("## In your own programs")[2].partition("\n## ")[0]
    fitting, reading = re.findall(r"```python\n(.*?)```", part, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    quick = {"hidden": (16,), "pretrain_epochs": 1, "epochs": 4, "clamped_epochs": 2}
    of_preset = VaDE.from_preset
    monkeypatch.setattr(
        VaDE, "from_preset", lambda *given, **named: of_preset(*given, **quick, **named)
    )
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        exec(fitting, names)
    assert names["model"].labels_.shape == (1797,)
    words = ["--dataset", "digits", "--subset", "100", "--preset", "short", "--maps", "pca"]
    words += ["--epochs", "1", "--pretrain-epochs", "1", "--hidden", "8"]
    # In the recorded run's place a small one, which is as quickly read.
    assert main(["train", *words, "--out", "assets/runs/vade-k10"]) == 0
    exec(reading, names)


def test_several_runs_may_begin_with_the_last_seed_that_there_is(
    blobs: NDArray[np.float64],
) -> None:
    several = VaDE(**SMALL, n_init=2, random_state=2**32 - 1).fit(blobs)
    assert several.random_state == 2**32 - 1
    assert len(several.edge_informations_) == 2


def test_a_second_fit_keeps_nothing_of_several_runs(blobs: NDArray[np.float64]) -> None:
    model = small("vade", n_init=2, start="gmm").fit(blobs)
    assert len(model.edge_informations_) == 2
    model.set_params(n_init=1).fit(blobs)
    assert not hasattr(model, "edge_informations_")
    with pytest.raises(NotFittedError):
        _ = VaDE().held_agreement_


# -- uint8: grey levels, or numbers --------------------------------------------------------------


def test_small_numbers_in_uint8_are_no_grey_levels_for_a_model_of_numbers() -> None:
    counts = np.random.default_rng(0).integers(0, 17, (60, 6)).astype(np.uint8)
    model = small("vae").fit(counts / np.float32(16))
    with pytest.warns(UserWarning, match="values from 0 to 16"):
        latents = model.transform(counts)
    with pytest.warns(UserWarning, match="values from 0 to 16"):
        np.testing.assert_array_equal(latents, model.transform(counts.astype(np.float32)))
    bright = counts * np.uint8(15)  # pictures, for a model of values in [0, 1]
    np.testing.assert_allclose(
        model.transform(bright), model.transform(bright / np.float32(255)), atol=1e-6
    )


@pytest.mark.parametrize(("highest", "likelihood"), [(16, "gaussian"), (1, "bernoulli")])
def test_uint8_numbers_are_numbers_also_for_a_model_that_was_read_back(
    highest: int, likelihood: str
) -> None:
    counts = np.random.default_rng(0).integers(0, highest + 1, (60, 6)).astype(np.uint8)
    fitted = small("vae").fit(counts)
    assert fitted.likelihood_ == likelihood
    back = small("vae")
    back.restore(6, fitted.likelihood_, fitted.tensors())
    np.testing.assert_array_equal(back.transform(counts), fitted.transform(counts))


# -- values far from unit scale ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "words"), [(9.0, "standard deviation is 9"), (1e5, "values reach"), (1.0, None)]
)
def test_values_far_from_unit_scale_are_told(
    scale: float, words: str | None, blobs: NDArray[np.float64]
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        VAE(hidden=(8,), latent_dim=2, epochs=1, learning_rate=1e-6).fit(scale * blobs)
    said = [str(each.message) for each in told if "unit scale" in str(each.message)]
    assert len(said) == (words is not None)
    assert words is None or words in said[0]


def test_a_mixture_of_the_data_itself_takes_values_of_any_scale() -> None:
    X = np.random.default_rng(0).random((200, 6)) + 1e6
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        small("gmm").fit(X)
