"""What became of a training that lost its clusters, in words: what happened, and what was off.

A run that fails is part of the lesson, so the page says that it did. Nothing here looks at more
than lines of metrics.jsonl and the run's settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pages.shared.session import joined, percent
from pages.shared.stages import (
    Line,
    clusters_used,
    parameters_of,
    sizes_of,
    start_agreement,
    start_scores,
)
from vade_core.archive_checks import is_number
from vade_core.presets import PRESETS
from vade_core.runs import NOT_OWN, RunConfig

# So many points of ACC below its start, or such a share of samples elsewhere, is no small loss.
LOST = 0.05
# So far below k-means on the raw data a start was poor, and not merely unlucky.
POOR = 0.02


def verdict(
    config: RunConfig, lines: Sequence[Line], baseline: Mapping[str, Any] | None = None
) -> str:
    """What went wrong in a training with a start, and why; nothing where nothing did.

    Parameters
    ----------
    config : RunConfig
    lines : sequence of mapping
        Lines of metrics.jsonl.
    baseline : mapping, optional
        Contents of baseline.json: what k-means finds in the raw data.
    """
    parameters = parameters_of(config)
    last: Line = next((each for each in reversed(lines) if each["phase"] not in NOT_OWN), {})
    if "start" not in parameters or not last:
        return ""
    start = start_scores(lines).get("acc")
    lost = _lost(last, start)
    happened = lost or _poor(start, baseline)
    return f"{happened} {_why(config, parameters, bool(lost))}".strip() if happened else ""


def _lost(last: Line, start: float | None) -> str:
    accuracy, agreement, sizes = last.get("acc"), start_agreement(last), sizes_of(last)
    if sum(size > 0 for size in sizes) == 1:
        return "**Collapsed:** all samples are in one cluster."
    still = f"{clusters_used(last)} clusters still hold samples" if 0 in sizes else ""
    if start is not None and is_number(accuracy) and accuracy < start - LOST:
        fell = f"**Left its start:** ACC fell from {percent(start)} to {percent(accuracy)}"
        return f"{fell}, and {still}." if still else f"{fell}."
    if start is None and agreement is not None and agreement < 1 - 2 * LOST:
        left = f"only {percent(agreement)} of the samples are in the cluster of the start"
        return f"**Left its start:** {left}{f', and {still}' if still else ''}."
    return f"**Lost clusters:** {still}." if still else ""


def _poor(start: float | None, baseline: Mapping[str, Any] | None) -> str:
    kmeans = ((baseline or {}).get("kmeans") or {}).get("acc")
    if start is None or not is_number(kmeans) or start >= kmeans - POOR:
        return ""
    return (
        f"**A poor start:** ACC {percent(start)}, where k-means on the raw data has "
        f"{percent(kmeans)}. A training keeps most of what its start finds, right or wrong."
    )


def _why(config: RunConfig, parameters: Mapping[str, Any], lost: bool) -> str:
    """Which stages were off, and what follows; else which is weaker than it can be."""
    off = []
    if parameters.get("pretraining") == "none":
        off.append("the networks were not pretrained")
    if parameters.get("start") == "random":
        off.append("the clusters began at random")
    elif not parameters.get("clamped_epochs", 1):
        off.append("nothing held the clusters while the networks learnt them")
    if off:
        words = joined(off)
        sentence = f"{words[0].upper()}{words[1:]}."
        if lost:
            sentence += (
                " As long as the decoder cannot tell samples apart, the loss is least with all of "
                "them in a few clusters."
            )
        return sentence
    usual: Mapping[str, Any] = {}
    if config.preset in PRESETS:
        usual = PRESETS[config.preset].of(config.model, config.n_samples)
    most, epochs = (each.get("pretrain_epochs") for each in (usual, parameters))
    if is_number(most) and is_number(epochs) and epochs < most / 2:
        return f"Its pretraining was short: {epochs} epochs, where the preset has {most}."
    if parameters.get("start") in ("gmm", "kmeans"):
        return "The neighbour graph usually finds a better start than Gaussians or k-means."
    return ""
