"""scikit-learn's own estimator checks, for every model."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from small_models import checked, not_applicable, small

from vade_core.models import MODELS

NAMES = {entry.class_name: name for name, entry in MODELS.items()}


@parametrize_with_checks(
    [checked(name) for name in MODELS],
    expected_failed_checks=lambda estimator: not_applicable(NAMES[type(estimator).__name__]),
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_table_comes_back_as_a_table_without_a_warning() -> None:
    pytest.importorskip("pandas")
    table, _ = load_digits(return_X_y=True, as_frame=True)
    model = small("vade")
    steps = make_pipeline(MinMaxScaler(), model).set_output(transform="pandas")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)  # of so short a training
        latents = steps.fit_transform(table[:200])
    assert list(latents.columns) == [f"vade{j}" for j in range(model.latent_dim)]
    assert list(latents.index) == list(table.index[:200])


def test_latents_may_be_whole_numbers_and_draws_are_some() -> None:
    model = small("vade").fit(load_digits().data[:200] / 16)
    zero = [[0] * model.latent_dim]
    assert model.decode(zero).shape == (1, 64)
    assert model.responsibilities(zero).sum() == pytest.approx(1, abs=1e-5)
    for wrong in ({"n": 0}, {"temperature": -1.0}, {"temperature": float("nan")}):
        with pytest.raises(ValueError, match="from 1 on and temperature 0 or more"):
            model.sample(**wrong)
