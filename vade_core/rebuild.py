"""From a run's configuration back to its data and its model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from vade_core.data import DataError, Dataset, load, load_file
from vade_core.models import MODELS, LatentModel
from vade_core.own_data import data_file_of, missing_data
from vade_core.recorder import Checkpoint, read_weights
from vade_core.runs import CHECKPOINT, Run, RunConfig, RunError


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_dataset(config: RunConfig, progress: Callable[[str], None] | None = None) -> Dataset:
    """The data set that a run was made with.

    Raises
    ------
    DataError
        If it is gone, or is not what it was.
    """
    if (why := missing_data(config)) is not None:
        raise DataError(why)
    if (path := data_file_of(config)) is not None:
        dataset = load_file(path)
        if config.data_sha256 is not None and file_digest(path) != config.data_sha256:
            raise DataError(f"{path} has changed since this run began: bring the old file back.")
    else:
        dataset = load(config.dataset, progress=progress)
    if config.subset is not None:
        dataset = dataset.subset(config.subset, seed=config.seed)
    return dataset


def build_model(config: RunConfig) -> LatentModel:
    """The estimator that a configuration describes, not yet fitted.

    Raises
    ------
    RunError
        If model or parameters are unknown.
    """
    if config.model not in MODELS:
        raise RunError(f"There is no model {config.model!r}; there are {', '.join(MODELS)}.")
    try:
        return MODELS[config.model].estimator(**config.parameters)
    except TypeError as error:
        raise RunError(f"The run's parameters do not fit {config.model}: {error}.") from error


def load_model(run: Run, frame: int | None = None) -> LatentModel:
    """The model of a run's last checkpoint, ready to predict and to generate.

    Parameters
    ----------
    run : Run
    frame : int, optional
        Of an earlier frame, where the run kept its model (:meth:`Run.weights_numbers`); its
        networks are in half precision.

    Raises
    ------
    RunError
        If there is none, or its weights do not fit its configuration.
    """
    model = build_model(run.config)
    if frame is None:
        path, tensors = run.path / CHECKPOINT, Checkpoint(run).model
    else:
        path = run.weights_path(frame)
        tensors = read_weights(path)
    try:
        model.restore(run.config.n_features, run.config.likelihood, tensors)
    except (ValueError, KeyError, RuntimeError) as error:
        raise RunError(f"{path} does not fit the run's configuration: {error}.") from error
    return model
