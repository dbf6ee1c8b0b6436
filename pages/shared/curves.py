"""Curves of a run: its scores, and its loss in named terms.

Each chart is a plain specification, built here from the lines of metrics.jsonl, and drawn in the
browser. `st.echarts_chart` was tried first: it replaces its whole option with every new epoch
(``setOption`` with ``notMerge``), and a person's zoom is lost. The drawing below keeps it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import streamlit as st

from vade_core.colours import PALETTE, UNKNOWN
from vade_core.map_page import join_modules
from vade_core.run_frames import PHASES, phase_title
from vade_core.runs import UNTRAINED

ASSETS = Path(__file__).parents[2] / "assets"

__all__ = [
    "PHASES",
    "draw_losses",
    "draw_scores",
    "draw_spec",
    "loss_spec",
    "phase_title",
    "score_spec",
]

Line = Mapping[str, Any]
Spec = dict[str, Any]

_SHADED = ("pretrain", "clamped")

SCORES: dict[str, tuple[str, str, str]] = {
    "acc": ("ACC", PALETTE[0], ""),
    "nmi": ("NMI", PALETTE[5], "9 5"),
    "rand_index": ("RI", PALETTE[2], "3 4"),
}
"""Key in a line: name, colour, dashes (so that the lines differ without colour too)."""

TERMS: dict[str, str] = {
    "reconstruction": "Reconstruction",
    "latent_kl": "Latent KL",
    "w_kl": "Style KL",
    "cluster_kl": "Cluster KL",
    "disagreement": "Disagreement with held clusters",
    "cluster_shortfall": "What Cluster KL lacks",
    "cluster_information": "Cluster's code unread",
    "code_information": "Codes unread",
    "class_error": "Class misread",
    "noise_error": "Noise misread",
    "layer_error": "Error of the layer",
}
"""Loss terms that have a name of their own; others go by their key."""

TERMS_WORDS = (
    "A nat is a unit of information, as a bit is: 1.44 bits. Lower is better.  \n"
    "**Reconstruction**: how badly the decoder rebuilds a sample from its latents. It jumps when "
    "the pretraining ends: from then on latents are drawn at random around their mean.  \n"
    "**Latent KL**: how far a sample's latents lie from where the prior expects them: near the "
    "Gaussian of its cluster.  \n"
    "**Cluster KL**: how much more surely a sample belongs to a cluster than the clusters' weights "
    "say beforehand.  \n"
    "**Disagreement with held clusters**: how unlikely the model's own clusters find the one in "
    "which a sample is held."
)
"""What the terms of VaDE's loss count; those that other models share mean the same there."""

# Numbers of a line that are no terms of the loss.
_NO_TERMS = {"report", "epoch", "epochs", "stage", "seconds", "elapsed", "loss", "val_loss"}
_NO_TERMS |= {"acc", "nmi", "rand_index", "ari", "purity", "frame", "recall", "start_agreement"}
_NO_TERMS |= {"renewed"}


def draw_scores(
    lines: Sequence[Line],
    baseline: Mapping[str, Any] | None,
    key: str,
    height: int = 380,
    part: str = "all",
) -> None:
    """Draw ACC, NMI and RI against the epochs, with the lines of k-means and of the start.

    Without labels the share of samples in their start's cluster is drawn, where there was a start.

    Parameters
    ----------
    lines : sequence of mapping
        Lines of metrics.jsonl.
    baseline : mapping or None
        Contents of baseline.json.
    key : str
        The chart's name on the page. A person's zoom belongs to it.
    height : int
        In CSS pixels.
    part : {"all", "test"}
        Scores of all samples, or of the test part.
    """
    draw_spec(score_spec(lines, baseline, part), key, height)


def draw_losses(
    lines: Sequence[Line],
    key: str,
    height: int = 230,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Draw every named term of the loss on a scale of its own, in nats a sample, under a title.

    Parameters
    ----------
    lines : sequence of mapping
        Lines of metrics.jsonl.
    key : str
        The chart's name on the page. A person's zoom belongs to it.
    height : int
        Of each term's panel, in CSS pixels.
    parameters : mapping, optional
        The model's; where they weight the terms, a sentence says how.
    """
    st.subheader("Loss, in nats a sample", help=TERMS_WORDS)
    if words := weighting_words(parameters or {}):
        st.caption(words)
    draw_spec(loss_spec(lines), key, height)


def weighting_words(parameters: Mapping[str, Any]) -> str:
    """How the terms make up the loss, where it is not their plain sum; else nothing.

    Examples
    --------
    >>> weighting_words({"pretraining": "vae", "reconstruction_weight": 0.25, "kl_weight": 1.0})
    'After pretraining, the loss counts the reconstruction 0.25 times and the KL terms once.'
    >>> weighting_words({"reconstruction_weight": 20})
    'The loss counts the reconstruction 20 times and the other terms once.'
    >>> weighting_words({"reconstruction_weight": 1, "kl_weight": 1})
    ''
    >>> weighting_words({"kl_weight": 1, "agreement_weight": 3, "clamped_epochs": 6})
    'The loss counts the reconstruction once, the KL terms once, and while clusters are held the \
disagreement with them 3 times.'
    """
    weights = [parameters.get(name, 1.0) for name in ("reconstruction_weight", "kl_weight")]
    agreement = parameters.get("clamped_epochs") and parameters.get("agreement_weight")
    if weights == [1.0, 1.0] and not agreement:
        return ""
    first, second = (_times(weight) for weight in weights)
    pretrained = parameters.get("pretraining", "none") != "none"
    loss = "After pretraining, the loss" if pretrained else "The loss"
    others = "the KL terms" if "kl_weight" in parameters else "the other terms"
    if not agreement:
        return f"{loss} counts the reconstruction {first} and {others} {second}."
    return (
        f"{loss} counts the reconstruction {first}, {others} {second}, and while clusters are held "
        f"the disagreement with them {_times(agreement)}."
    )


def _times(weight: float) -> str:
    return "once" if weight == 1 else f"{weight:g} times"


def score_spec(
    lines: Sequence[Line], baseline: Mapping[str, Any] | None, part: str = "all"
) -> Spec:
    """What the chart of the scores shows.

    Parameters
    ----------
    lines, baseline, part
        As for `draw_scores`.

    Returns
    -------
    dict
        JSON: ``ticks``, ``titles``, ``phases`` along the epochs, how many lines of pretraining
        are ``squeezed`` together, and one panel. Its ``rules`` are level lines through all
        epochs, its ``marks`` level lines from the epoch on that they were found at.
    """
    lines = _of_training(lines)
    prefix = "test_" if part == "test" else ""
    series = [
        {
            "name": name,
            "colour": colour,
            "dash": dash,
            "values": [_number(line.get(prefix + key)) for line in lines],
        }
        for key, (name, colour, dash) in SCORES.items()
    ]
    if not _has_values(series):
        series = [_agreement(lines)]
    found = _has_values(series)
    accuracy = _number(((baseline or {}).get("kmeans") or {}).get("acc"))
    rules = []
    if accuracy is not None:
        score = f"ACC {100 * accuracy:.1f} %"
        words = {"name": f"k-means on the raw data: {score}", "short": f"k-means: {score}"}
        rules.append({**words, "value": accuracy, "colour": UNKNOWN})
    panel = {
        "title": "",
        "unit": "percent",
        "range": [0, 1],
        "labels": "beside",
        "series": series if found else [],
        "rules": rules,
        "marks": _start_marks(lines) if part == "all" else [],
        "empty": "" if found else _why_no_scores(lines),
    }
    return {**_axis(lines), "panels": [panel], "name": "Scores by epoch"}


def _of_training(lines: Sequence[Line]) -> list[Line]:
    """Without the report that was made before any training: it has no scores and no losses."""
    return [line for line in lines if line["phase"] != UNTRAINED]


def _has_values(series: Sequence[Spec]) -> bool:
    return any(value is not None for one in series for value in one["values"])


def _agreement(lines: Sequence[Line]) -> Spec:
    values = [_number(line.get("start_agreement")) for line in lines]
    return {"name": "As the start", "colour": PALETTE[4], "dash": "", "values": values}


def _start_marks(lines: Sequence[Line]) -> list[Spec]:
    """The accuracy of the start's own clusters, from where it was found."""
    for at, line in enumerate(lines):
        accuracy = _number(line.get("start_acc"))
        if line["phase"] == "start" and accuracy is not None:
            words = f"start: ACC {100 * accuracy:.1f} %"
            return [{"name": words, "value": accuracy, "at": at, "colour": PALETTE[0]}]
    return []


def _why_no_scores(lines: Sequence[Line]) -> str:
    if not lines:
        return "Scores begin when there are clusters."
    if all(line["phase"] == "pretrain" for line in lines):
        return "Scores begin when there are clusters, after the pretraining."
    return "No labels: ACC, NMI and RI need them."


def loss_spec(lines: Sequence[Line]) -> Spec:
    """What the charts of the loss show.

    Parameters
    ----------
    lines : sequence of mapping
        Lines of metrics.jsonl. Lines without a loss, such as a mixture's start, leave a gap.

    Returns
    -------
    dict
        JSON: ``ticks``, ``titles``, ``phases`` along the epochs, and a panel for the loss and
        for each term.
    """
    lines = _of_training(lines)
    terms: dict[str, None] = {}
    for line in lines:
        if line["phase"] == "start":
            continue  # its findings are no terms
        for key, value in line.items():
            if key not in _NO_TERMS and not key.startswith("test_") and _is_number(value):
                terms[key] = None
    ordered = [key for key in TERMS if key in terms] + [key for key in terms if key not in TERMS]
    panels = []
    whole = [_series("train", "loss", lines, PALETTE[4], "")]
    if any(_number(line.get("val_loss")) is not None for line in lines):
        whole.append(_series("test", "val_loss", lines, PALETTE[5], "7 4"))
    if _has_values(whole) or any(line["phase"] != "start" for line in lines):
        panels.append(_panel("Loss", whole))
    for place, key in enumerate(ordered):
        colour = PALETTE[(0, 2, 1, 7)[place % 4]]
        title = TERMS.get(key, key.replace("_", " ").capitalize())
        panels.append(_panel(title, [_series("", key, lines, colour, "")]))
    if not panels:
        words = "Losses begin with the first epoch."
        if lines:
            words += " A model without epochs has none."
        panels = [{**_panel("Loss", []), "empty": words}]
    return {**_axis(lines), "panels": panels, "name": "Loss by epoch, in nats a sample"}


def _panel(title: str, series: list[Spec]) -> Spec:
    return {
        "title": title,
        "unit": "nats",
        "range": None,
        "labels": "title",
        "series": series,
        "rules": [],
        "marks": [],
        "empty": "",
    }


def _series(name: str, key: str, lines: Sequence[Line], colour: str, dash: str) -> Spec:
    values = [None if line["phase"] == "start" else _number(line.get(key)) for line in lines]
    return {"name": name, "colour": colour, "dash": dash, "values": values}


def _axis(lines: Sequence[Line]) -> Spec:
    """The epochs along the bottom: each line's number within its phase, and the phases."""
    phases: list[Spec] = []
    first = 0
    for phase, members in groupby(lines, key=lambda line: str(line["phase"])):
        count = len(list(members))
        phases.append(
            {
                "name": phase_title(phase),
                "first": first,
                "last": first + count - 1,
                "shaded": phase in _SHADED,
            }
        )
        first += count
    before = next((i for i, line in enumerate(lines) if line["phase"] != "pretrain"), 0)
    return {
        "squeezed": before,
        "ticks": [int(line["epoch"]) if _is_number(line["epoch"]) else 0 for line in lines],
        "titles": [_title(line) for line in lines],
        "phases": phases,
    }


def _title(line: Line) -> str:
    name = phase_title(str(line["phase"]))
    epoch, epochs = line.get("epoch"), line.get("epochs")
    if not epoch:
        return str(line.get("words") or name)
    return f"{name}, epoch {epoch} of {epochs}" if epochs else f"{name}, epoch {epoch}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _number(value: Any) -> float | None:
    """A finite number to six digits; None otherwise."""
    return float(f"{value:.6g}") if _is_number(value) else None


def draw_spec(spec: Spec, key: str, height: int) -> None:
    """Draw a chart of which it is said what it shows, as `score_spec` and `loss_spec` say it.

    Parameters
    ----------
    spec : dict
        JSON: ``ticks``, ``titles``, ``phases``, ``squeezed``, ``panels`` and ``name``.
    key : str
        The chart's name on the page. A person's zoom belongs to it.
    height : int
        Of each panel, in CSS pixels.
    """
    _component()(key=key, data={**spec, "key": key, "height": height}, width="stretch")


@functools.cache
def _component() -> Callable[..., Any]:
    drawing, css, js = (
        (ASSETS / name).read_text(encoding="utf-8")
        for name in ("drawing/svg.js", "curves/curves.css", "curves/curves.js")
    )
    return st.components.v2.component(
        "vade_explorer.curves", html=_HTML, css=css, js=join_modules([drawing, js])
    )


# --- The drawing, in the browser ------------------------------------------------------------------

_HTML = '<div class="vc" tabindex="0" role="group"></div>'
