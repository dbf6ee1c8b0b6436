"""The settings of a run in words, and as a link that fills them in on the Train page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pages.shared.session import model_title
from pages.shared.stages import PRETRAININGS, STARTS, method_words
from pages.shared.usual_settings import usual_parameters
from vade_core.own_data import kept_key
from vade_core.runs import RunConfig

WORDS: dict[str, str] = {
    "latent_dim": "Latent dimensions J",
    "hidden": "Hidden layers",
    "pretraining": "Pretraining",
    "pretrain_epochs": "Epochs of pretraining",
    "pretrain_learning_rate": "Learning rate of pretraining",
    "pretrain_warm_up": "Warm-up epochs of pretraining",
    "start": "Start of the mixture",
    "start_restarts": "Restarts of the start",
    "clamped_epochs": "Epochs with clusters held",
    "epochs": "Epochs",
    "observation_variance": "Observation variance",
    "n_draws": "Draws of z a sample, L",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate",
    "decay": "Decay of the learning rate",
    "decay_every": "Epochs between decays",
    "learning_rate_floor": "Smallest learning rate",
    "adam_eps": "Adam's epsilon",
    "reconstruction_weight": "Weight of the reconstruction",
    "kl_weight": "Weight of the KL terms",
    "agreement_weight": "Weight of the disagreement with held clusters",
    "renew_every": "Held epochs between renewals",
    "strength": "Lambda",
    "beta": "Beta",
    "held_epochs": "Epochs with centres held",
    "style_dim": "Dimensions of the style",
    "critic_hidden": "Hidden layers of the critics",
    "n_codes": "Continuous codes",
    "information_weight": "Weight of the cluster's code",
    "code_weight": "Weight of the continuous codes",
    "minimum_information": "Minimum information",
    "concentration": "Concentration of the weights",
    "separation": "Distance of the prior means",
    "target_every": "Batches between two targets",
    "tolerance": "Share of changes that ends it",
    "restarts": "Restarts of the mixture",
    "regularisation": "Regularisation",
    "n_neighbours": "Samples of a clique",
    "most_samples": "Samples clustered at most",
    "device": "Device",
}
# Shown under their own names above the table, or decided anew by every computer.
_ELSEWHERE = {"n_clusters", "random_state", "likelihood", "precision"}

# What a person may set; the preset decides the rest, and is named beside them. They are all
# written out, so that a link means the same when a preset has changed.
CARRIED = (
    "epochs",
    "pretraining",
    "start",
    "pretrain_epochs",
    "clamped_epochs",
    "latent_dim",
    "hidden",
    "batch_size",
    "learning_rate",
    "strength",
    "beta",
    "held_epochs",
    "reconstruction_weight",
    "kl_weight",
    "agreement_weight",
    "renew_every",
    "style_dim",
    "n_codes",
    "information_weight",
    "code_weight",
    "minimum_information",
    "concentration",
    "separation",
    "tolerance",
    "n_neighbours",
    "regularisation",
    "most_samples",
)


def settings_rows(config: RunConfig) -> list[tuple[str, str]]:
    """Every setting of a run as a name and a value, in words.

    Parameters
    ----------
    config : RunConfig

    Returns
    -------
    list of (str, str)
    """
    data = f"{config.dataset}, {config.n_samples:,} samples of {config.n_features:,} values"
    rows = [
        ("Model", model_title(config.model)),
        ("Data set", data),
        ("Trained on", "the train part alone" if config.split else "all samples"),
        ("Labels", _labels_words(config)),
        ("Clusters K", str(config.clusters)),
        ("Preset", config.preset),
        ("Seed", str(config.seed)),
        ("Likelihood", config.likelihood.capitalize()),
    ]
    rows += [
        (WORDS.get(name, name.replace("_", " ").capitalize()), _parameter_words(name, value))
        for name, value in config.parameters.items()
        if name not in _ELSEWHERE and not _counts_nothing(name, config.parameters)
    ]
    rows += [
        ("Maps", value_words(config.lenses)),
        ("Networks of every frame", "kept" if config.keep_weights else "not kept"),
        ("Precision", value_words(config.precision)),
        ("Threads", value_words(config.threads)),
    ]
    rows += [(f"Version of {name}", version) for name, version in config.versions.items()]
    return rows


def _parameter_words(name: str, value: Any) -> str:
    titles = {"pretraining": PRETRAININGS, "start": STARTS}.get(name)
    return value_words(value) if titles is None else method_words(titles, value)


def _counts_nothing(name: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a number belongs to a stage that is switched off."""
    return (parameters.get("pretraining") == "none" and name.startswith("pretrain_")) or (
        parameters.get("start") == "random" and name == "start_restarts"
    )


def _labels_words(config: RunConfig) -> str:
    from vade_core.models import MODELS  # brings torch along

    if not config.labelled:
        return "none"
    supervised = config.model in MODELS and MODELS[config.model].supervised
    return "learnt from" if supervised else "for the scores alone"


def value_words(value: Any) -> str:
    """A setting's value for people.

    Examples
    --------
    >>> value_words([500, 500, 2000]), value_words(None), value_words(0.0001)
    ('500, 500, 2000', '–', '0.0001')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(value_words(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def settings_query(config: RunConfig) -> dict[str, str]:
    """The query string with which the Train page shows a run's settings.

    Parameters
    ----------
    config : RunConfig

    Returns
    -------
    dict of str to str
    """
    query = {
        "model": config.model,
        "dataset": kept_key(config.data_file) or config.dataset,
        "k": str(config.clusters),
        "preset": config.preset,
        "seed": str(config.seed),
        "maps": ",".join(str(lens) for lens in config.lenses),
    }
    if config.subset is not None:
        query["subset"] = str(config.subset)
    if config.split:
        query["split"] = "true"
    if config.keep_weights:
        query["keep_weights"] = "true"
    for name in CARRIED:
        value = config.parameters.get(name)
        if value is not None:
            query[name] = _in_link(value)
    return query


def unusual_settings(config: RunConfig) -> dict[str, str]:
    """The same, without the numbers that model and preset come to today.

    A person who sees them beside the run and chooses another preset gets that one's numbers.

    Raises
    ------
    DataError, KeyError
        If its data set, its model or its preset is not here.
    """
    query = settings_query(config)
    usual = usual_parameters(config.model, config.preset, query["dataset"], config.subset)
    return {
        name: words
        for name, words in query.items()
        if name not in usual or usual[name] is None or words != _in_link(usual[name])
    }


def _in_link(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value)
