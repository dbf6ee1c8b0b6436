"""Where the maps of every run on one data set start from, so that two runs lie alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from vade_core.projection import LENSES, Map
from vade_core.runs import Stage

__all__ = ["first_layout"]


def first_layout(
    stage: Stage, lenses: Sequence[str], values: ArrayLike | None = None
) -> dict[str, Map]:
    """Maps of the stage set's samples themselves, as they came, before any network.

    They depend on the data alone: on no model, no label and no run's seed. The first map of a
    run starts from them, and every later one from the map before it.

    Parameters
    ----------
    stage : Stage
    lenses : sequence of str
    values : array_like, shape (n, D), optional
        The samples, where they are no pictures. Without them there is nothing to start from.

    Returns
    -------
    dict of str to ndarray, each (n, 2)
        By lens; empty where there is nothing to start from.
    """
    if stage.pictures is not None:
        values = stage.pictures.reshape(len(stage.pictures), -1) / 255.0
    if values is None:
        return {}
    points = np.asarray(values, dtype=np.float64)
    return {lens: LENSES[lens].function(points, None, 0) for lens in lenses}
