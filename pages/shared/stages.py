"""The stages of a training: pretraining, the start of the mixture, clusters held, clusters free.

What each of them took and found is read from the lines of metrics.jsonl, what was switched off
from the run's settings. Scores are those of the model's own clusters; those of the start are kept
apart. Nothing here brings torch or scikit-learn along: every page shows it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.shared.session import duration, percent
from vade_core.archive_checks import is_number
from vade_core.models import MODELS
from vade_core.presets import pretraining_epochs
from vade_core.runs import RUNNING_STATES, UNTRAINED, RunConfig

Line = Mapping[str, Any]

STAGES: dict[str, str] = {
    "pretrain": "Pretraining",
    "start": "Start",
    "clamped": "Clusters held",
    "free": "Clusters free",
    "train": "Training",
}
"""What the stages are called, by the phases of metrics.jsonl, in their order."""

PRETRAININGS: dict[str, str] = {
    "autoencoder": "Autoencoder",
    "stacked": "Layer by layer",
    "vae": "VAE",
    "none": "Off",
}
"""Ways to pretrain, as people call them."""

STARTS: dict[str, str] = {
    "two-graphs": "Two neighbour graphs",
    "graph": "Neighbour graph",
    "umap": "UMAP + mixture",
    "gmm": "Mixture",
    "kmeans": "k-means",
    "random": "Random",
}
"""Starts of the mixture, as people call them."""

SCORES: dict[str, str] = {"acc": "ACC", "nmi": "NMI", "rand_index": "RI"}

MEANINGS: dict[str, str] = {
    "clamped": "the model learns the clusters of the start",
    "free": "the model may move samples to other clusters",
}
"""What the words of the stages mean, where they do not say it themselves."""

# What happens in the others, for a person who has not seen a training yet.
_AHEAD = {
    "pretrain": "the networks learn to rebuild the samples",
    "start": "clusters are looked for in the latents",
    "train": "networks and clusters learn together",
}

# What a stage that is switched off has instead of epochs.
_OFF = {"start": "nothing is fitted"}
_BRIEF = {"pretrain": "pretraining", "clamped": "held", "free": "free", "train": "training"}
_BRIEF_OFF = {"pretrain": "no pretraining", "start": "random start", "clamped": "never held"}


@dataclass(frozen=True)
class Stage:
    """One stage of a run.

    Attributes
    ----------
    title : str
        What it is called, and by which method it goes.
    state : {"passed", "now", "ahead", "planned", "off"}
        Whether something of it was done, is under way, is still to do, would be done if somebody
        started it, or is switched off.
    took : str
        Its epochs and seconds, or why there are none.
    found : tuple of str
        What it found, the most important first.
    more : str
        What else is known, for those who ask.
    means : str
        What happens in it, in half a sentence; empty where the title says it.
    """

    title: str
    state: str
    took: str = ""
    found: tuple[str, ...] = ()
    more: str = ""
    means: str = ""


def method_words(titles: Mapping[str, str], name: Any) -> str:
    """What a way to pretrain or to start is called.

    Examples
    --------
    >>> method_words(STARTS, "umap"), method_words(STARTS, "mean_shift")
    ('UMAP + mixture', 'Mean shift')
    """
    return titles.get(str(name), str(name).replace("_", " ").capitalize())


def parameters_of(config: RunConfig) -> dict[str, Any]:
    """A run's settings, with the stages that its model settles by itself."""
    return _with_own(config.model, config.parameters)


def _with_own(model: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    own = MODELS[model].stages if model in MODELS else {}
    return {**own, **parameters}


def start_words(config: RunConfig) -> str:
    """By which method a run's clusters were started; empty for a model without a start."""
    return _start_words(parameters_of(config))


def _start_words(parameters: Mapping[str, Any]) -> str:
    name = parameters.get("start")
    return "" if name is None else method_words(STARTS, name)


def has_epochs(config: RunConfig) -> bool:
    """Whether a run's model learns in epochs at all; some baselines take one step."""
    return not {"epochs", "pretrain_epochs"}.isdisjoint(config.parameters)


def has_networks(config: RunConfig) -> bool:
    """Whether a run's model has networks; some baselines work on the samples themselves."""
    return "hidden" in config.parameters


def start_scores(lines: Sequence[Line]) -> dict[str, float]:
    """The scores of the start's own clusters, by the keys of ``SCORES``; empty without them."""
    line = _last(lines, "start")
    found = {key: line.get(f"start_{key}") for key in SCORES}
    return {key: float(value) for key, value in found.items() if is_number(value)}


def start_agreement(line: Line) -> float | None:
    """The share of samples that are in the cluster that the start gave them."""
    value = line.get("start_agreement")
    return float(value) if is_number(value) else None


def clusters_used(line: Line) -> str:
    """How many clusters hold samples; empty where a line has no clusters.

    Examples
    --------
    >>> clusters_used({"sizes": [900, 0, 100]})
    '2 of 3'
    """
    sizes = sizes_of(line, "sizes")
    return f"{sum(size > 0 for size in sizes)} of {len(sizes)}" if sizes else ""


def stages_of(
    config: RunConfig, lines: Sequence[Line], status: Mapping[str, Any] | None = None
) -> list[Stage]:
    """The stages of a run in their order.

    Parameters
    ----------
    config : RunConfig
        Its parameters say which stages there are and which were switched off.
    lines : sequence of mapping
        Lines of metrics.jsonl.
    status : mapping, optional
        Of ``run.status()``; while a run is trained it says which stage is under way.

    Returns
    -------
    list of Stage
        Empty for a model that has no such stages.
    """
    parameters = parameters_of(config)
    plan = _plan(parameters)
    if len(plan) < 2:
        return []
    trained = (status or {}).get("state") in RUNNING_STATES
    current = (status or {}).get("phase") if trained else None
    stages = []
    for phase, epochs in plan.items():
        title, own, means = _title(phase, parameters), _of(lines, phase), _means(phase, parameters)
        if epochs == 0 and not own:
            stages.append(Stage(title, "off", _OFF.get(phase, "off")))
        elif phase == current:
            found = _found(phase, own) if own else ((), "")
            took = _took(phase, own, epochs) or "now"
            stages.append(Stage(title, "now", took, *found, means=means))
        elif own:
            took, found = _took(phase, own, epochs), _found(phase, own)
            stages.append(Stage(title, "passed", took, *found, means=means))
        else:
            took = "to come" if trained else "not reached"
            stages.append(Stage(title, "ahead", took, means=means))
    return stages


def planned_stages(model: str, parameters: Mapping[str, Any]) -> list[Stage]:
    """The stages that a training would go through.

    Parameters
    ----------
    model : str
    parameters : mapping
        As `vade_core.configure.chosen_parameters` gives them.

    Returns
    -------
    list of Stage
        Empty for a model that has no such stages.
    """
    whole = _with_own(model, parameters)
    plan = _plan(whole)
    if len(plan) < 2:
        return []
    stages = []
    for phase, epochs in plan.items():
        title = _title(phase, whole)
        if epochs == 0:
            stages.append(Stage(title, "off", _OFF.get(phase, "off")))
            continue
        took = "" if phase == "start" or epochs is None else _epochs(epochs)
        stages.append(Stage(title, "planned", took, means=_means(phase, whole) or _AHEAD[phase]))
    return stages


def _plan(parameters: Mapping[str, Any]) -> dict[str, int | None]:
    """Phases in their order and how many epochs each was to take; None where that is not known.

    0 is a stage that is switched off, 1 a start.
    """
    plan: dict[str, int | None] = {}
    if parameters.get("pretraining") is not None:
        whole = {**parameters, "pretrain_epochs": _count(parameters.get("pretrain_epochs"))}
        plan["pretrain"] = pretraining_epochs(whole)
    if (start := parameters.get("start")) is not None:
        plan["start"] = 0 if start == "random" else 1
    held = 0
    if "clamped_epochs" in parameters:
        held = plan["clamped"] = _count(parameters["clamped_epochs"]) or 0
    if "epochs" in parameters:  # else a baseline, which ends with its start
        whole = _count(parameters["epochs"])
        plan["free" if held else "train"] = None if whole is None else max(1, whole - held)
    return plan


def _count(value: Any) -> int | None:
    return int(value) if is_number(value) and value >= 0 else None


def _of(lines: Sequence[Line], phase: str) -> list[Line]:
    return [line for line in lines if line["phase"] == phase]


def _last(lines: Sequence[Line], phase: str) -> Line:
    return next((line for line in reversed(lines) if line["phase"] == phase), {})


def _title(phase: str, parameters: Mapping[str, Any]) -> str:
    if phase == "start":
        return f"{STAGES[phase]}: {_start_words(parameters)}"
    pretraining = parameters.get("pretraining")
    if phase == "pretrain" and pretraining not in (None, "none"):
        return f"{STAGES[phase]}: {method_words(PRETRAININGS, pretraining)}"
    return STAGES[phase]


def _means(phase: str, parameters: Mapping[str, Any]) -> str:
    words = MEANINGS.get(phase, "")
    if phase == "clamped" and renews(parameters):
        return "the model learns the start's clusters, renewed on the way"
    if phase == "free" and is_number(parameters.get("most_leaving")):
        return "the model may move a few samples"
    return words


def renews(parameters: Mapping[str, Any]) -> bool:
    """Whether the held clusters are renewed at least once."""
    every, held = (parameters.get(name) for name in ("renew_every", "clamped_epochs"))
    return is_number(every) and is_number(held) and 0 < every < held


def _took(phase: str, own: Sequence[Line], planned: int | None) -> str:
    if not own:
        return ""
    seconds = [line.get("seconds") for line in own]
    time = duration(sum(float(value) for value in seconds if is_number(value)))
    if phase == "start":
        return time
    short = planned is not None and len(own) < planned
    epochs = f"{len(own)} of {_epochs(planned or 0)}" if short else _epochs(len(own))
    return f"{epochs}, {time}"


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"


def _found(phase: str, own: Sequence[Line]) -> tuple[tuple[str, ...], str]:
    """What a stage ended with, and what else is known of it."""
    line = own[-1]
    if phase == "pretrain":
        error = line.get("reconstruction")
        words = f"Reconstruction: {error:.1f} nats a sample." if is_number(error) else ""
        return (), words
    found = []
    accuracy = line.get("start_acc" if phase == "start" else "acc")
    if is_number(accuracy):
        found.append(f"ACC {percent(accuracy)}{' by itself' if phase == 'start' else ''}")
        if phase == "start" and is_number(line.get("acc")):
            found.append(f"in the model: {percent(line['acc'])}")
    agreement = start_agreement(line)
    if phase != "start" and agreement is not None and not found:
        found.append(f"{percent(agreement)} as the start had them")
    sizes = sizes_of(line, "cluster_sizes" if phase == "start" else "sizes")
    if phase == "start" and not found:
        if sizes:
            found.append(f"clusters of {min(sizes):,} to {max(sizes):,}")
        if is_number(likelihood := line.get("log_likelihood")):
            found.append(f"log-likelihood {likelihood:.1f} nats")
        if is_number(information := line.get("edge_information")):
            found.append(f"edge information {information:.3f} nats")
    if line.get("undone"):
        found.append("ended early, to keep its start" if phase == "free" else "ended early")
    if sizes and (empty := sum(size == 0 for size in sizes)):
        found.append(f"{len(sizes) - empty} of {len(sizes)} clusters used")
    return tuple(found), _more(phase, own, agreement, sizes)


def _more(phase: str, own: Sequence[Line], agreement: float | None, sizes: Sequence[int]) -> str:
    line, parts = own[-1], []
    if line.get("undone"):
        why = "More samples than allowed had left the clusters that they were held in"
        if phase != "free":
            why = "There was no more to gain"
        parts.append(f"{why}: the last epoch was undone, and the training ended.")
    if phase == "start" and is_number(line.get("acc")):
        parts.append(
            "By itself: the groups that it found. Each of them became a cluster of the model; as "
            f"these choose for each sample, ACC begins with {percent(line['acc'])}."
        )
    if moved := [each["renewed"] for each in own if is_number(each.get("renewed"))]:
        shares = ", then ".join(percent(share) for share in moved)
        parts.append(
            "Renewed on the way: samples among neighbours of another cluster were held in theirs, "
            f"{shares} of all."
        )
    if agreement is not None:
        parts.append(f"In the cluster that the start gave them: {percent(agreement)}.")
    if phase == "start" and is_number(line.get("log_likelihood")):
        parts.append(f"Log-likelihood: {line['log_likelihood']:.2f} nats a sample.")
    if phase == "start" and is_number(line.get("edge_information")):
        parts.append(f"Edge information: {line['edge_information']:.4f} nats.")
    if sizes:
        parts.append(f"Cluster sizes: {', '.join(f'{size:,}' for size in sizes)}.")
    return " ".join(parts)


def sizes_of(line: Line, name: str = "sizes") -> list[int]:
    """How many samples each cluster holds; empty where a line has no such numbers."""
    values = line.get(name)
    if not isinstance(values, list) or not all(is_number(value) for value in values):
        return []
    return [int(value) for value in values]


# --- On the page --------------------------------------------------------------------------------

STYLE = """
<style>
.vx-stages { display: grid; gap: .5rem .6rem; margin: .1rem 0 .3rem;
  grid-template-columns: repeat(auto-fit, minmax(9.6rem, 1fr)); }
.vx-stages > div { padding: .45rem .75rem .5rem; min-height: 7.75rem; box-sizing: border-box;
  border-radius: .5rem; border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  border-left: .28rem solid color-mix(in srgb, currentColor 45%, transparent); line-height: 1.35; }
.vx-stages b { font-weight: 600; display: block; }
.vx-stages .vx-took { opacity: .8; font-variant-numeric: tabular-nums; }
.vx-stages .vx-found { font-weight: 600; font-variant-numeric: tabular-nums; }
.vx-stages .vx-means { opacity: .8; font-size: .95em; }
.vx-stages .vx-now { border-left-color: var(--primary-color, #1578c4);
  border-color: var(--primary-color, #1578c4); }
.vx-stages .vx-ahead { opacity: .6; }
.vx-stages .vx-off { border-style: dashed; }
.vx-stages .vx-off b { opacity: .75; }
</style>
"""


def stages_html(stages: Sequence[Stage]) -> str:
    """The stages as a strip of boxes."""
    return f'{STYLE}<div class="vx-stages" role="list">{"".join(map(_box, stages))}</div>'


def _box(stage: Stage) -> str:
    found = "".join(f'<div class="vx-found">{html.escape(words)}</div>' for words in stage.found)
    if stage.means:
        found += f'<div class="vx-means">{html.escape(stage.means)}</div>'
    return (
        f'<div role="listitem" class="vx-{stage.state}" title="{html.escape(stage.more)}">'
        f"<b>{html.escape(stage.title)}</b>"
        f'<span class="vx-took">{html.escape(stage.took)}</span>{found}</div>'
    )


def stages_line(stages: Sequence[Stage]) -> str:
    """The stages that were passed, or left out, in one line of text."""
    return " | ".join(_words(stage) for stage in stages if stage.state != "ahead")


def stages_brief(config: RunConfig, lines: Sequence[Line]) -> str:
    """The stages as short as they can be understood, for a card; empty for a model without them.

    Only the start has a score here: that of the whole run stands beside it.
    """
    parts = []
    parameters = parameters_of(config)
    score = start_scores(lines).get("acc")
    for phase, epochs in (plan := _plan(parameters)).items():
        own = len(_of(lines, phase))
        if own or epochs == 0:
            alone = f" by itself {percent(score)}" if own and score is not None else ""
            parts.append(_brief(phase, own, parameters, alone))
    begun = any(line["phase"] != UNTRAINED for line in lines)
    return " → ".join(parts) if len(plan) > 1 and begun else ""


def plan_brief(model: str, parameters: Mapping[str, Any]) -> str:
    """What a training would go through, as short as it can be understood.

    Examples
    --------
    >>> settings = {"pretraining": "none", "start": "graph", "clamped_epochs": 2, "epochs": 5}
    >>> plan_brief("vade", settings)
    'no pretraining → Neighbour graph → held 2 → free 3'
    """
    whole = _with_own(model, parameters)
    plan = _plan(whole)
    parts = [_brief(phase, epochs, whole) for phase, epochs in plan.items()]
    return " → ".join(parts) if len(plan) > 1 else ""


def _brief(phase: str, epochs: int | None, parameters: Mapping[str, Any], alone: str = "") -> str:
    """A stage in a word or two; `alone` is what a start has by itself."""
    if epochs == 0:
        return _BRIEF_OFF[phase]
    if phase == "start":
        return f"{_start_words(parameters)}{alone}"
    return f"{_BRIEF[phase]}{'' if epochs is None else f' {epochs}'}"


def meanings_of(stages: Sequence[Stage]) -> str:
    """What the titles of some stages mean, in sentences; empty where they say it themselves."""
    return " ".join(f"{stage.title}: {stage.means}." for stage in stages if stage.means)


def words_about_stages(brief: Sequence[str]) -> str:
    """What the words of `stages_brief` mean, in a line below some cards; empty where none are used.

    Examples
    --------
    >>> words_about_stages(["pretraining 5 → Mixture by itself 97.5 % → held 3"])
    'By itself: the start before the model learns from it. Held: the model learns the clusters of \
the start.'
    """
    said = []
    if any(" by itself " in words for words in brief):
        said.append("By itself: the start before the model learns from it.")
    for phase, means in MEANINGS.items():
        if any(f"→ {_BRIEF[phase]} " in words for words in brief):
            said.append(f"{_BRIEF[phase].capitalize()}: {means}.")
    return " ".join(said)


def _words(stage: Stage) -> str:
    return ", ".join(part for part in (stage.title, stage.took, *stage.found) if part)


def draw_stages(
    config: RunConfig, lines: Sequence[Line], status: Mapping[str, Any] | None = None
) -> None:
    """Draw the strip of stages; nothing for a model that has none.

    Parameters
    ----------
    config, lines, status
        As for `stages_of`.
    """
    if stages := stages_of(config, lines, status):
        st.html(stages_html(stages))
