"""From what a person asks for to a run's configuration, checked before anything is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from vade_core.data import DATASETS, DataError, Dataset, load
from vade_core.models import MODELS
from vade_core.presets import DEFAULT_PRESET, PRESETS
from vade_core.projection import LENSES
from vade_core.runs import RunConfig


class UnknownSetting(ValueError):
    """A setting that a model has not.

    Attributes
    ----------
    title : str
        The model's, for people.
    setting : str
    """

    def __init__(self, title: str, setting: str) -> None:
        super().__init__(f"{title} has no setting {setting!r}: leave it out.")
        self.title = title
        self.setting = setting


def configure(
    *,
    model: str = "vade",
    dataset: str = "mnist",
    data_file: Path | None = None,
    labels_file: Path | None = None,
    label_column: str | None = None,
    clusters: int | None = None,
    seed: int = 0,
    preset: str = DEFAULT_PRESET,
    subset: int | None = None,
    split: bool = False,
    lenses: Sequence[str] = ("tsne", "pca"),
    max_frames: int = 40,
    keep_weights: bool = False,
    overrides: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
) -> RunConfig:
    """A run's configuration.

    Parameters
    ----------
    model, dataset, preset : str
        Names from the registries.
    data_file : Path, optional
        A person's own file or folder of pictures, in place of ``dataset``. Unless it is an .npz
        file, what it holds is kept beside the runs.
    labels_file : Path, optional
        Labels for it, see :func:`vade_core.data.load_file`.
    label_column : str, optional
        Of a CSV file.
    clusters : int, optional
        K; by default the number of classes, or 10 where there are none.
    seed : int
    subset : int, optional
        Train on so many samples.
    split : bool
        Keep the test part out of training.
    lenses : sequence of str
        Maps to make of every frame.
    max_frames : int
    keep_weights : bool
        Keep the model of every frame, in half precision: 7 MB each for MNIST.
    overrides : mapping, optional
        Constructor parameters that differ from the preset's. A preset's epochs with clusters
        held give way to fewer epochs and to a random start; those asked for never do.
    progress : callable, optional
        Told what takes long.

    Raises
    ------
    DataError, ValueError
        In one sentence, what is wrong.
    """
    _known("model", model, MODELS)
    _known("preset", preset, PRESETS)
    for lens in lenses:
        _known("map", lens, LENSES)
    found: Dataset
    digest = None
    if data_file is not None:
        from vade_core.own_data import bring_in
        from vade_core.rebuild import file_digest

        found, data_file = bring_in(
            Path(data_file), labels=labels_file, label_column=label_column, say=progress
        )
        digest = file_digest(data_file)
    elif labels_file is not None or label_column is not None:
        raise ValueError("Labels of your own belong to data of your own: give --data, too.")
    else:
        _known("data set", dataset, DATASETS)
        found = load(dataset, progress=progress)
    if subset is not None:
        found = found.subset(subset, seed=seed)
    entry = MODELS[model]
    if entry.supervised and found.labels is None:
        raise DataError(
            f"{entry.title} learns from labels, and {found.name} has none: add an array y, or "
            "choose VaDE or VAE."
        )
    trained = found.train_part() if split else found
    k = clusters if clusters is not None else (found.n_classes or 10)
    if entry.supervised:
        k = found.n_classes or k
        if clusters not in (None, k) and progress is not None:
            progress(f"{entry.title} has one cluster for each of the {k} classes: K is {k}.")
    if k > trained.n_samples:
        raise ValueError(
            f"{k} clusters need at least as many samples; there are {found.n_samples}."
        )

    parameters = chosen_parameters(model, preset, trained.n_samples, overrides, progress)
    _check_methods(parameters)
    parameters["random_state"] = seed
    if "n_clusters" in parameters:
        parameters["n_clusters"] = k
    if parameters.get("likelihood") == "auto":
        parameters["likelihood"] = found.likelihood
    if "hidden" in parameters:
        parameters["hidden"] = list(parameters["hidden"])
    if entry.dimension_per_class and parameters["latent_dim"] < k:
        raise ValueError(
            f"{entry.title} needs a latent dimension for each of the {k} classes: raise --latent "
            f"from {parameters['latent_dim']} to {k} or more."
        )
    return RunConfig(
        model=model,
        preset=preset,
        parameters=parameters,
        dataset=found.name,
        data_file=None if data_file is None else str(Path(data_file).resolve()),
        data_sha256=digest,
        clusters=k,
        seed=seed,
        n_samples=found.n_samples,
        n_features=found.n_features,
        likelihood=found.likelihood,
        labelled=found.labels is not None,
        subset=subset,
        split=split,
        lenses=list(lenses),
        max_frames=max_frames,
        keep_weights=keep_weights,
        image_shape=None if found.image_shape is None else list(found.image_shape),
        class_names=None if found.class_names is None else list(found.class_names),
    )


def chosen_parameters(
    model: str,
    preset: str,
    n_samples: int,
    overrides: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """A model's parameters with what a person asks for, its stages made to fit each other.

    Parameters
    ----------
    model, preset, n_samples
        As for :func:`usual_parameters`.
    overrides, progress
        As for :func:`configure`.

    Returns
    -------
    dict
        By constructor parameter.

    Raises
    ------
    ValueError
        In one sentence, what does not go together. Names of methods are not looked at here.
    """
    entry = MODELS[model]
    accepted = inspect.signature(entry.estimator).parameters
    parameters = usual_parameters(model, preset, n_samples)
    asked = dict(overrides or {})
    if "epochs" in asked and "epochs" not in accepted and "pretrain_epochs" in accepted:
        # A model that only pretrains has no other epochs that could be meant.
        asked.setdefault("pretrain_epochs", asked.pop("epochs"))
    if "epochs" in asked and parameters.get("clamped_epochs") and "clamped_epochs" not in asked:
        # A shorter run keeps the recipe's proportions, and at least one free epoch.
        share = parameters["clamped_epochs"] / parameters["epochs"]
        parameters["clamped_epochs"] = min(round(share * asked["epochs"]), asked["epochs"] - 1)
    for name, value in asked.items():
        if name not in accepted:
            raise UnknownSetting(entry.title, name)
        usual = accepted[name].default
        if _is_number(usual) and not _is_number(value):
            raise ValueError(f"{entry.title}'s {name} is a number, such as {usual}, not {value!r}.")
        parameters[name] = value
    from vade_core.models.settings import check_settings  # brings scikit-learn along

    check_settings(entry.title, parameters)
    _settle_stages(parameters, asked, progress)
    return parameters


def usual_parameters(model: str, preset: str, n_samples: int) -> dict[str, Any]:
    """A model's parameters where nobody says anything: its constructor's, and over them a preset's.

    Parameters
    ----------
    model, preset : str
        Names from the registries.
    n_samples : int
        On how many samples it is trained.

    Returns
    -------
    dict
        By constructor parameter. Of a preset for all models, what this one does not take is left
        out.
    """
    accepted = inspect.signature(MODELS[model].estimator).parameters
    usual = {name: given.default for name, given in accepted.items()}
    chosen = PRESETS[preset].of(model, n_samples)
    return usual | {name: value for name, value in chosen.items() if name in usual}


def _settle_stages(
    parameters: dict[str, Any],
    asked: Mapping[str, Any],
    progress: Callable[[str], None] | None,
) -> None:
    """Let the stages fit each other, or refuse them: a model would only do so once it trains."""
    if parameters.get("n_init", 1) != 1:
        raise ValueError(
            "A run is one training, so n_init is for the library's fit alone: train several runs "
            "with other seeds, and compare them."
        )
    held = parameters.get("clamped_epochs")
    if held and parameters.get("start") == "random":
        if "clamped_epochs" in asked:
            raise ValueError(
                "A random start has no clusters to hold: choose another start, or hold them for "
                "0 epochs."
            )
        parameters["clamped_epochs"] = 0
        if progress is not None:
            progress("A random start has no clusters to hold: they are free from the first epoch.")
    elif held and held >= parameters["epochs"]:
        raise ValueError(
            f"Clusters held for {held} of {parameters['epochs']} epochs are never set free: hold "
            "them for fewer, or train for more."
        )


def _check_methods(parameters: Mapping[str, Any]) -> None:
    """Refuse a pretraining, a start or a device that there is none of."""
    if "device" in parameters:
        from vade_core.models.base import device_named

        device_named(parameters["device"])
    if "pretraining" in parameters:
        from vade_core.pretraining import PRETRAINING  # brings torch along

        _known("pretraining", parameters["pretraining"], (*PRETRAINING, "none"))
    if "start" in parameters:
        from vade_core.initialise import STARTS

        _known("start", parameters["start"], (*STARTS, "random"))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _known(kind: str, name: str, registry: Collection[str]) -> None:
    if name not in registry:
        raise ValueError(f"There is no {kind} {name!r}; there are: {', '.join(registry)}.")
