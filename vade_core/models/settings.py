"""A model's settings: what its constructor takes and scikit-learn's ``get_params`` gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


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
    random_state: int | None = 0
    device: str = "auto"
    precision: str = "auto"


@settings
class ElboSettings(NetworkSettings):
    """Settings of the models that minimise -ELBO."""

    observation_variance: str = "shared"
    n_draws: int = 1
    reconstruction_weight: float = 1.0
    kl_weight: float = 1.0
