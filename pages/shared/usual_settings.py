"""What a model is trained with where a person says nothing, and a preset in words that fit it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pages.shared.session import joined, model_title
from vade_core.configure import usual_parameters as parameters_of
from vade_core.own_data import entry_of
from vade_core.presets import PRESETS, pretraining_epochs

STAGE_PARAMETERS = ("pretraining", "start", "clamped_epochs")
"""Constructor parameters that choose the stages of a training."""


def key_of(name: str) -> str:
    """A setting's key in the session; the button that starts a training has taken one."""
    return "train-mixture-start" if name == "start" else f"train-{name}"


def usual_parameters(
    model: str, preset: str, dataset: str, subset: float | None = None
) -> dict[str, Any]:
    """The constructor's defaults, and over them the preset's.

    Parameters
    ----------
    model, preset, dataset : str
        Names from the registries.
    subset : float, optional
        On how many samples; all by default.
    """
    whole = entry_of(dataset).n_samples
    n = min(max(1, subset or whole), whole)
    return parameters_of(model, preset, int(n))


def has_stages(usual: Mapping[str, Any]) -> bool:
    """Whether a model's parameters choose stages."""
    return any(name in usual for name in STAGE_PARAMETERS)


def preset_words(model: str, preset: str, dataset: str, subset: float | None = None) -> str:
    """What a preset means for a model.

    A preset's own summary speaks of all stages, and epochs follow the size of the data. For a
    model that lacks a stage, or that the preset says nothing of, the numbers are all that is
    named, and the presets that come to the same.

    Examples
    --------
    >>> preset_words("vae", "paper", "mnist")
    'For VAE: 150 epochs in batches of 100.'
    >>> preset_words("dec", "paper", "mnist")
    'For DEC: 60 epochs of pretraining, 150 epochs in batches of 256.'
    """
    usual = usual_parameters(model, preset, dataset, subset)
    known = model in PRESETS[preset].parameters
    if known and all(name in usual for name in STAGE_PARAMETERS):
        return f"{PRESETS[preset].summary} On these data: {_numbers(usual)}."
    title = model_title(model)
    words = f"For {title}: {_numbers(usual)}."
    if not known:
        words += f" This preset says nothing of {title}, which keeps its own settings."
    alike = [
        other.title
        for name, other in PRESETS.items()
        if name != preset and usual_parameters(model, name, dataset, subset) == usual
    ]
    if not alike:
        return words
    return f"{words} {joined(alike)} {'is' if len(alike) == 1 else 'are'} the same."


def _numbers(usual: Mapping[str, Any]) -> str:
    """Epochs and batch of a model, of those that it has."""
    said = []
    if (pretraining := pretraining_epochs(usual)) is not None:
        said.append(f"{pretraining} epochs of pretraining")
    if "epochs" in usual:
        said.append(f"{usual['epochs']} epochs")
    words = ", ".join(said)
    if "batch_size" in usual:
        words += f" in batches of {usual['batch_size']}"
    return words.strip() or "one step, without epochs"
