"""The figures that a run is known by: its scores, those of its start, and how ACC is counted."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from pages.shared.session import percent
from pages.shared.stages import (
    SCORES,
    Line,
    clusters_used,
    start_agreement,
    start_scores,
    start_words,
)
from pages.shared.verdict import LOST
from vade_core.archive_checks import is_number
from vade_core.runs import RunConfig

MEANINGS: dict[str, str] = {
    "acc": "Clustering accuracy: each cluster is paired with one class, as well as possible. The "
    "share of samples in the cluster of their class.",
    "nmi": "Normalised mutual information: how much a sample's cluster tells of its class, from 0 "
    "to 100 %. Unlike ACC it also pays for a class that has several clusters to itself.",
    "rand_index": "Rand index: of all pairs of samples, the share that is together, or apart, in "
    "clusters and classes alike. Ten clusters by chance have about 82 %, fewer have less.",
}
"""What the scores count, by the keys of ``SCORES``."""

# A tile is as wide as its number needs; what does not fit beside the others goes below them.
STYLE = """
<style>
[class*="st-key-figures-"] { display: grid; align-items: start; gap: .6rem 1rem;
  grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); }
[class*="st-key-figures-"] [data-testid="stMetricValue"] > div,
[class*="st-key-figures-"] [data-testid="stMetricValue"] { overflow: visible;
  text-overflow: clip; }
@media (max-width: 1100px) {
  [class*="st-key-figures-"] { grid-template-columns: repeat(auto-fit, minmax(11.8rem, 1fr)); }
}
@media (max-width: 640px) {
  [class*="st-key-figures-"] { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
.vx-of-start { margin-top: .1rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.vx-of-start span { opacity: .8; }
.vx-of-start b { font-weight: 600; white-space: nowrap; }
.vx-of-start .vx-loss { color: color-mix(in srgb, #e5372c 80%, currentColor); }
</style>
"""


@dataclass(frozen=True)
class Figure:
    """A tile: a number under its title, what it is held against, and the start's own number.

    Attributes
    ----------
    title, value : str
    delta, against : str or None
        How far it is from something else, and from what.
    plain : bool
        Whether the delta is a remark and no gain or loss.
    start, gain : str
        The start's own number and how far the model's is above it; empty where there is none.
    remark : str
        A few words below the number.
    means : str
        What it counts, for whoever asks.
    """

    title: str
    value: str
    delta: str | None = None
    against: str | None = None
    plain: bool = False
    start: str = ""
    gain: str = ""
    remark: str = ""
    means: str = ""


def of_start(lines: Sequence[Line], key: str, value: Any) -> dict[str, str]:
    """The start's own score and the difference, as entries of a `Figure`; none without a start.

    Examples
    --------
    >>> of_start([{"phase": "start", "start_acc": 0.96}], "acc", 0.97)
    {'start': '96.0 %', 'gain': '+1.0'}
    """
    score = start_scores(lines).get(key)
    if score is None or not is_number(value):
        return {}
    return {"start": percent(score), "gain": points_between(value, score)}


def points_between(share: float, other: float) -> str:
    """How many percentage points a share is above another, as both are shown.

    Examples
    --------
    >>> points_between(0.33846, 0.76455)
    '-42.7'
    """
    return f"{round(100 * share, 1) - round(100 * other, 1):+.1f}"


def score_figures(lines: Sequence[Line], last: Line) -> list[Figure]:
    """ACC, NMI and RI of the model's own clusters, each with the start's below it.

    Parameters
    ----------
    lines : sequence of mapping
        Lines of metrics.jsonl.
    last : mapping
        The line whose scores they are.
    """
    return [
        Figure(
            title,
            percent(last.get(key)),
            means=MEANINGS[key],
            **of_start(lines, key, last.get(key)),
        )
        for key, title in SCORES.items()
    ]


def figures_without_labels(lines: Sequence[Line]) -> list[Figure]:
    """What can be said of clusters where nobody knows the classes."""
    last = next((line for line in reversed(lines) if line.get("sizes")), {})
    found = []
    if (agreement := start_agreement(last)) is not None:
        found.append(Figure("Agrees with its start", percent(agreement)))
    found.append(Figure("Clusters used", clusters_used(last) or "–"))
    return found


def draw_figures(figures: Sequence[Figure], key: str) -> None:
    """Draw tiles that keep their numbers whole at any width.

    Parameters
    ----------
    figures : sequence of Figure
    key : str
        Their name on the page.
    """
    st.html(STYLE)
    with st.container(key=f"figures-{key}"):
        for figure in figures:
            with st.container(gap=None):
                quiet: dict[str, Literal["off"]] = {"delta_color": "off", "delta_arrow": "off"}
                st.metric(
                    figure.title,
                    figure.value,
                    figure.delta,
                    delta_description=figure.against if figure.delta else None,
                    help=figure.means or None,
                    **(quiet if figure.plain else {}),
                )
                if figure.remark:
                    st.html(
                        f'<div class="vx-of-start"><span>{html.escape(figure.remark)}</span></div>'
                    )
                if figure.start:
                    gain = html.escape(figure.gain)
                    st.html(
                        f'<div class="vx-of-start"><span>start {html.escape(figure.start)}</span> '
                        f'<b class="{_gain_class(figure.gain)}">{gain}</b></div>'
                    )


def _gain_class(gain: str) -> str:
    """A loss stands out that is more than the first held epochs have, until they catch up.

    Examples
    --------
    >>> _gain_class("-36.2"), _gain_class("-3.3"), _gain_class("+0.3")
    ('vx-loss', '', '')
    """
    return "vx-loss" if gain and float(gain) <= -100 * LOST else ""


def words_about_start(config: RunConfig, lines: Sequence[Line]) -> str:
    """What the start's own scores are, where they are shown; empty where there are none."""
    if not start_scores(lines):
        return ""
    part = " It is counted on the training part." if config.split else ""
    return (
        f"Below each score: that of the start itself ({start_words(config)}), and by how many "
        f"points the model's own clusters now lie above or below it.{part}"
    )


def purity_words(purity: float | None) -> str:
    """What stands beside ACC where K is not the number of classes; nothing before it is known."""
    if purity is None:
        return ""
    return (
        " Purity, the share of points that belong to the commonest class of their cluster: "
        f"**{percent(purity)}**."
    )


def words_about_k(k: int, classes: int) -> str:
    """How ACC is defined where K is not the number of classes."""
    if k < classes:
        left = classes - k
        some, whose = ("1 class gets", "its") if left == 1 else (f"{left} classes get", "their")
        with_k = "1 cluster" if k == 1 else f"{k} clusters"
        return (
            f"With {with_k} for {classes} classes, {some} no cluster: {whose} points count as "
            "wrong, so ACC cannot reach 100 %."
        )
    return (
        f"K = {k} for {classes} classes: ACC pairs each cluster with one class at most, as well "
        "as possible. Points of unmatched clusters count as wrong."
    )
