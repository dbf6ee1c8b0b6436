"""scikit-learn's own estimator checks, for every model."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from vade_core.models import VAE, LambdaHot, VaDE

SMALL = {
    "hidden": (32, 32),
    "latent_dim": 4,
    "batch_size": 32,
    "epochs": 30,
    "learning_rate": 5e-3,
    "device": "cpu",
}
# One check of scikit-learn's that cannot apply is one entry here: its name and the reason.
# test_samples.py's test_every_sparse_format_is_taken does for clusterers what these two would.
CLASSIFIERS_ONLY = dict.fromkeys(
    ("check_estimator_sparse_array", "check_estimator_sparse_matrix"),
    "whatever has predict_proba is asked for the tags of a classifier; clusterers have none",
)
CANNOT_APPLY: dict[str, dict[str, str]] = {
    "VAE": CLASSIFIERS_ONLY,
    "VaDE": CLASSIFIERS_ONLY,
    "LambdaHot": {},
}


def not_applicable(estimator: Any) -> dict[str, str]:
    return CANNOT_APPLY[type(estimator).__name__]


@parametrize_with_checks(
    [
        VAE(**SMALL),
        VaDE(pretrain_epochs=60, start_restarts=2, **SMALL),
        LambdaHot(**{**SMALL, "latent_dim": 8}),
    ],
    expected_failed_checks=not_applicable,
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
