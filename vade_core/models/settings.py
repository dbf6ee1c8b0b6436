"""A model's settings: what its constructor takes and scikit-learn's ``get_params`` gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
def settings(model: type[T]) -> type[T]:
    """Make a model's annotated names its constructor: each is a keyword, and is kept as it is.

    That is all that a constructor of scikit-learn's may do. Settings of a base class are settings
    here, too; naming one again changes its default, and ``field(init=False, default=...)`` makes
    it one that cannot be chosen. Annotations of classes without this decorator count for nothing.

    Examples
    --------
    >>> @settings
    ... class Wide(VAE):
    ...     latent_dim: int = 50
    ...     kl_weight: float = field(init=False, default=1.0)
    """
    # Models are equal if they are the same, and print themselves as scikit-learn's do.
    return dataclass(kw_only=True, eq=False, repr=False)(model)
