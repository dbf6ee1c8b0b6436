"""Which points of several runs are the same samples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vade_core.runs import RunConfig, Stage

__all__ = ["common_points", "same_data", "same_points"]

Names = NDArray[np.int64]


def same_data(configs: Sequence[RunConfig]) -> bool:
    """Whether some runs are of one data set, however much of it each was given."""
    return len({_data_set(config) for config in configs}) == 1


def same_points(runs: Sequence[tuple[RunConfig, Stage]]) -> list[Names] | None:
    """Give every point of every run a number, so that equal numbers mean the same sample.

    Runs on the same data, as much of it and drawn alike, are told by the samples' rows. Where one
    was given another part of the same data set, rows mean nothing: then pictures are compared.

    Parameters
    ----------
    runs : sequence of (RunConfig, Stage)
        One at least.

    Returns
    -------
    list of ndarray of int64, each (n,), or None
        By run. None where nothing tells which samples are the same: on different data sets, on
        different parts of one without pictures, or where the same rows have different labels.
    """
    configs = [config for config, _ in runs]
    stages = [stage for _, stage in runs]
    if not same_data(configs):
        return None
    if len({_part(config) for config in configs}) == 1:
        names = [np.asarray(stage.rows, dtype=np.int64) for stage in stages]
    else:
        found = _by_picture(stages)
        if found is None:
            return None
        names = found
    return names if _labels_agree(names, stages) else None


def common_points(names: Sequence[Names]) -> Names:
    """The numbers that occur in every run, in ascending order."""
    common = names[0]
    for other in names[1:]:
        common = np.intersect1d(common, other)
    return np.unique(common)


def _data_set(config: RunConfig) -> tuple[str, str | None, int]:
    return config.dataset, config.data_sha256, config.n_features


def _part(config: RunConfig) -> tuple[int | None, int | None]:
    # A subset is drawn with the run's own seed.
    return config.subset, None if config.subset is None else config.seed


def _by_picture(stages: Sequence[Stage]) -> list[Names] | None:
    """Numbers by the pictures themselves: the row in the first run that has the picture."""
    known: dict[tuple[bytes, int], int] = {}
    named = []
    for stage in stages:
        if stage.pictures is None:
            return None
        seen: dict[bytes, int] = {}
        names = np.empty(len(stage.rows), dtype=np.int64)
        taken = set(known.values())
        for i, picture in enumerate(stage.pictures):
            content = hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
            # Equal pictures of one run are told apart by their order.
            seen[content] = seen.get(content, -1) + 1
            mark = (content, seen[content])
            if mark not in known:
                row = int(stage.rows[i])
                while row in taken:
                    row += 1_000_000_000
                known[mark] = row
                taken.add(row)
            names[i] = known[mark]
        named.append(names)
    return named


def _labels_agree(names: Sequence[Names], stages: Sequence[Stage]) -> bool:
    """Whether a number stands for one label wherever it occurs."""
    label_of: dict[int, int] = {}
    for own, stage in zip(names, stages, strict=True):
        if stage.labels is None:
            continue
        for name, label in zip(own.tolist(), stage.labels.tolist(), strict=True):
            if label_of.setdefault(name, label) != label:
                return False
    return True
