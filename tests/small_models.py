"""Small settings of every model: what the contract tests and scikit-learn's checks train.

A model of the registry that is not named here is trained with ``COMMON`` alone.
"""

from __future__ import annotations

import inspect
from typing import Any

from vade_core.models import MODELS, LatentModel

# Of these each model gets the ones that its constructor takes.
COMMON: dict[str, Any] = {
    "hidden": (32, 32),
    "latent_dim": 10,
    "batch_size": 64,
    "epochs": 2,
    "device": "cpu",
}
# By model: what else, or what instead.
SMALL_SETTINGS: dict[str, dict[str, Any]] = {
    "dec": {"pretrain_epochs": 2, "start_restarts": 2},
    "aae": {"critic_hidden": (32, 32)},
    "gmm": {"restarts": 1},
    "ae-gmm": {"pretrain_epochs": 2, "start_restarts": 2},
    "ae-kmeans": {"pretrain_epochs": 2, "start_restarts": 2},
    "vae-gmm": {"pretrain_epochs": 2, "start_restarts": 2},
    "vade": {"pretrain_epochs": 2},
}
# By model and term: its factor in ``loss`` with these settings, where that is not 1.
TERM_WEIGHTS: dict[str, dict[str, float]] = {
    "aae": {"reconstruction": 0.1},
    "infogan": {"code_information": 0.1},
    "beta-vae": {"latent_kl": 5.0},
}

# For scikit-learn's checks: they want a model that has learnt something from few samples.
COMMON_CHECKED: dict[str, Any] = {
    **COMMON,
    "latent_dim": 4,
    "batch_size": 32,
    "epochs": 30,
    "learning_rate": 5e-3,
}
CHECKED_SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"epochs": 10} for name in ("ae", "vae", "beta-vae", "kmeans-vae")},
    "dec": {"pretrain_epochs": 60, "start_restarts": 2, "epochs": 5},
    "gmvae": {"epochs": 40},
    "aae": {"critic_hidden": (32, 32)},
    "gmm": {"restarts": 1},
    "ae-gmm": {"pretrain_epochs": 60, "pretrain_learning_rate": 5e-3, "start_restarts": 2},
    "ae-kmeans": {"pretrain_epochs": 60, "pretrain_learning_rate": 5e-3, "start_restarts": 2},
    "vae-gmm": {"pretrain_epochs": 60, "pretrain_learning_rate": 5e-3, "start_restarts": 2},
    "vade": {"pretrain_epochs": 60, "start_restarts": 2},
    "lambda-hot": {"latent_dim": 8},
    "lambda-hot-movable": {"latent_dim": 8},
}
# One check of scikit-learn's that cannot apply is one entry: its name and the reason.
# test_samples.py's test_every_sparse_format_is_taken does for clusterers what these two would.
CLASSIFIERS_ONLY = dict.fromkeys(
    ("check_estimator_sparse_array", "check_estimator_sparse_matrix"),
    "whatever has predict_proba is asked for the tags of a classifier; clusterers have none",
)
# By model; one that is not named gets what its kind needs.
CANNOT_APPLY: dict[str, dict[str, str]] = {}


def accepted(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Of settings for all models, those that this one takes."""
    known = inspect.signature(MODELS[name].estimator).parameters
    return {key: value for key, value in settings.items() if key in known}


def small(name: str, **more: Any) -> LatentModel:
    """A model that trains on ``digits`` in a second; ``more`` wins over its settings."""
    return MODELS[name].estimator(
        **{**accepted(name, COMMON), **SMALL_SETTINGS.get(name, {}), **more}
    )


def checked(name: str) -> LatentModel:
    """A model for scikit-learn's checks."""
    return MODELS[name].estimator(
        **{**accepted(name, COMMON_CHECKED), **CHECKED_SETTINGS.get(name, {})}
    )


def not_applicable(name: str) -> dict[str, str]:
    """The checks that cannot apply to a model, each with the reason."""
    usual = {} if MODELS[name].supervised else CLASSIFIERS_ONLY
    return CANNOT_APPLY.get(name, usual)
