"""scikit-learn's own estimator checks, for every model."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks
from small_models import checked, not_applicable

from vade_core.models import MODELS

NAMES = {entry.class_name: name for name, entry in MODELS.items()}


@parametrize_with_checks(
    [checked(name) for name in MODELS],
    expected_failed_checks=lambda estimator: not_applicable(NAMES[type(estimator).__name__]),
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
