"""What the supervised models share: classes in place of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data
from torch import Tensor

from vade_core.models.base import ACCEPTED, LatentModel
from vade_core.samples import Samples


class SupervisedModel(ClassifierMixin, LatentModel):
    """Base of the models that learn from classes; K is their number.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
    """

    supervised = True
    _scores_samples = False

    def _checked(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[Samples, NDArray[np.int64] | None]:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: "
                "it is supervised and learns from classes."
            )
        array, y = validate_data(self, X, y, ensure_min_samples=2, order="C", **ACCEPTED)
        check_classification_targets(y)
        self.classes_, targets = np.unique(column_or_1d(y), return_inverse=True)
        return self._trainable(array), targets.astype(np.int64)

    def _targets(self, y: ArrayLike | None) -> Tensor | None:
        if y is None:
            raise ValueError(f"{type(self).__name__} is supervised: its loss needs the classes y.")
        codes = np.searchsorted(self.classes_, np.asarray(y))
        if np.any(self.classes_[np.minimum(codes, len(self.classes_) - 1)] != np.asarray(y)):
            raise ValueError("y holds a class that was not there in training.")
        return torch.from_numpy(codes.astype(np.int64))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each sample, (n,)."""
        chosen = self.predict_proba(X).argmax(axis=1)
        return self.classes_[chosen]

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Share of samples classified rightly."""
        if y is None:
            raise ValueError(f"{type(self).__name__} is supervised: its score needs the classes y.")
        return float(accuracy_score(y, self.predict(X)))

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        super()._restoring(tensors)
        self.classes_ = np.arange(self._classes_in(tensors))

    def _classes_in(self, tensors: Mapping[str, Tensor]) -> int:
        """C of a weights file."""
        return len(tensors["prior.means"])
