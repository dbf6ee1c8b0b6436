"""A model's settings: what its constructor takes and scikit-learn's ``get_params`` gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, TypeVar, dataclass_transform

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

T = TypeVar("T")
# As scikit-learn has it.
RandomState = int | np.random.RandomState | None

_ONE_OR_MORE = [Interval(Integral, 1, None, closed="left")]
_NONE_OR_MORE = [Interval(Integral, 0, None, closed="left")]
_ABOVE_ZERO = [Interval(Real, 0, None, closed="neither")]
_ZERO_OR_MORE = [Interval(Real, 0, None, closed="left")]
_SHARE = [Interval(Real, 0, 1, closed="both"), None]

# What a setting may be, whichever model has it. Names of methods are checked where they are used.
ALLOWED: dict[str, Any] = {
    **dict.fromkeys(
        ("n_clusters", "latent_dim", "batch_size", "decay_every", "n_draws", "n_init", "restarts")
        + ("start_restarts", "target_every", "style_dim", "n_neighbours", "most_samples"),
        _ONE_OR_MORE,
    ),
    **dict.fromkeys(
        ("epochs", "pretrain_epochs", "clamped_epochs", "held_epochs", "renew_every")
        + ("pretrain_warm_up",),
        _NONE_OR_MORE,
    ),
    **dict.fromkeys(
        ("learning_rate", "pretrain_learning_rate", "adam_eps", "decay", "concentration")
        + ("regularisation",),
        _ABOVE_ZERO,
    ),
    **dict.fromkeys(
        ("learning_rate_floor", "reconstruction_weight", "kl_weight", "strength", "beta")
        + ("separation", "information_weight", "code_weight", "agreement_weight")
        + ("minimum_information",),
        _ZERO_OR_MORE,
    ),
    "most_leaving": _SHARE,
    "tolerance": _SHARE,
    "observation_variance": [StrOptions({"shared", "decoder", "fixed"})],
    "random_state": ["random_state"],
    "hidden": ["array-like"],
    "critic_hidden": ["array-like"],
}


def check_settings(owner: str, values: Mapping[str, Any]) -> None:
    """Refuse settings that no model can be trained with.

    Parameters
    ----------
    owner : str
        Whose they are, for the sentence.
    values : mapping
        By name; names that are not in ``ALLOWED`` are not looked at.

    Raises
    ------
    ValueError
        In one sentence: the setting, what it must be and what it is.
    """
    validate_parameter_constraints(ALLOWED, dict(values), owner)
    for name in ("hidden", "critic_hidden"):
        widths = values.get(name, ())
        if not all(isinstance(width, Integral) and int(width) >= 1 for width in widths):
            raise ValueError(
                f"The {name!r} parameter of {owner} must hold whole numbers from 1. "
                f"Got {widths!r} instead."
            )


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
def settings(model: type[T]) -> type[T]:
    """Make a model's annotated names its constructor: each is a keyword, and is kept as it is.

    That is all that a constructor of scikit-learn's may do. Settings of a base class are settings
    here, too; naming one again changes its default, and ``field(init=False)`` makes it one that
    cannot be chosen, with the base's default or another. Annotations of classes without this
    decorator count for nothing.

    Examples
    --------
    >>> @settings
    ... class Wide(VAE):
    ...     latent_dim: int = 50
    ...     kl_weight: float = field(init=False, default=1.0)
    """
    # Models are equal if they are the same, and print themselves as scikit-learn's do.
    return dataclass(kw_only=True, eq=False, repr=False)(model)


@settings
class NetworkSettings:
    """Settings of every model whose networks Adam trains; :class:`vade_core.models.VAE` says what
    they mean."""

    latent_dim: int = 10
    hidden: Sequence[int] = (500, 500, 2000)
    likelihood: str = "auto"
    epochs: int = 30
    batch_size: int = 256
    learning_rate: float = 1e-3
    decay: float = 1.0
    decay_every: int = 10
    learning_rate_floor: float = 0.0
    adam_eps: float = 1e-8
    random_state: RandomState = 0
    device: str = "auto"
    precision: str = "auto"


@settings
class ElboSettings(NetworkSettings):
    """Settings of the models that minimise -ELBO."""

    observation_variance: str = "shared"
    n_draws: int = 1
    reconstruction_weight: float = 1.0
    kl_weight: float = 1.0
