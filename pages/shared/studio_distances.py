"""Czerwonski's heat map: how far what each cluster draws is from the real samples of each class."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from pages.shared.networks import cached_model
from pages.shared.session import Stamp, stamp_of
from pages.shared.studio_facts import StudioFacts, class_names_of
from vade_core.generation import distances_to_classes, samples_by_cluster
from vade_core.runs import CHECKPOINT, CONFIG, STAGE, Run

__all__ = ["Distances", "distances_csv", "distances_figure", "distances_of", "sentence_about"]

GENERATED, NEAREST = 10, 10


@dataclass(frozen=True, eq=False)
class Distances:
    """Mean distances of generated samples to the nearest real ones of each class.

    Attributes
    ----------
    table : ndarray, shape (K, C)
    rows : list of str
        The clusters' names.
    own : list of int
        The class that each cluster is matched with; -1 where it has none.
    columns : list of str
        Names of the classes.
    """

    table: NDArray[np.float64]
    rows: list[str]
    own: list[int]
    columns: list[str]


def distances_of(run: Run, facts: StudioFacts) -> Distances | None:
    """The heat map's numbers, on the stage set; None where it holds no pictures or no labels."""
    stage = facts.stage
    if not facts.own or stage is None or stage.labels is None or stage.pictures is None:
        return None
    names = class_names_of(run, int(stage.labels.max(initial=-1)) + 1)
    stamp = stamp_of(run.path / CHECKPOINT, run.path / CONFIG, run.path / STAGE)
    table = _table(str(run.path), stamp, len(names), stage.pictures, stage.labels)
    matched = {name: c for c, name in enumerate(names)}
    own = [matched.get(look.name, -1) for look in facts.looks]
    rows = [look.name for look in facts.looks]
    return Distances(table, rows, own, names)


@st.cache_data(show_spinner=False, max_entries=32)
def _table(
    path: str, stamp: Stamp, n_classes: int, _pictures: NDArray[Any], _labels: NDArray[Any]
) -> NDArray[np.float64]:
    generated = samples_by_cluster(cached_model(Run(path)), GENERATED)
    real = _pictures.reshape(len(_pictures), -1) / 255.0
    return distances_to_classes(generated, real, _labels, n_classes, NEAREST)


def in_order(found: Distances) -> list[int]:
    """Clusters by the class that they are matched with, those of no class last."""
    last = len(found.columns)
    return sorted(range(len(found.rows)), key=lambda c: (found.own[c] % (last + 1), c))


def distances_figure(found: Distances, noun: str) -> go.Figure:
    """The heat map: dark is near."""
    order = in_order(found)
    table = found.table[order]
    rows = [f"{found.rows[c]} (c{c})" if found.own[c] >= 0 else f"c{c}" for c in order]
    texts = [["" if np.isnan(v) else f"{v:.1f}" for v in row] for row in table]
    figure = go.Figure(
        go.Heatmap(
            z=table,
            text=texts,
            texttemplate="%{text}",
            textfont={"size": 16},
            colorscale=[[0, "#08306b"], [0.5, "#6baed6"], [1, "#f7fbff"]],
            xgap=2,
            ygap=2,
            colorbar={"title": {"text": "Distance"}, "tickfont": {"size": 15}},
            hovertemplate="cluster %{y}, real %{x}: %{z:.2f}<extra></extra>",
        )
    )
    # Positions, not names: two classes may go by one name.
    figure.update_xaxes(
        tickvals=list(range(len(found.columns))),
        ticktext=found.columns,
        title={"text": f"Real {noun}", "font": {"size": 17}},
        tickfont={"size": 16},
        side="top",
        showgrid=False,
    )
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=rows,
        title={"text": "Cluster that was asked for", "font": {"size": 17}},
        tickfont={"size": 16},
        autorange="reversed",
        showgrid=False,
    )
    figure.update_layout(
        height=150 + 40 * max(6, len(rows)), margin={"l": 20, "r": 20, "t": 70, "b": 20}
    )
    return figure


def sentence_about(found: Distances, noun: str) -> str:
    """Whether the matched clusters lie nearest to their own class, in words."""
    known = [c for c, own in enumerate(found.own) if own >= 0 and not np.isnan(found.table[c, own])]
    if not known:
        return "No cluster is matched with a class."
    nearest = {c: int(np.nanargmin(found.table[c])) for c in known}
    wrong = [c for c in known if nearest[c] != found.own[c]]
    words = (
        f"{len(known) - len(wrong)} of {len(known)} matched clusters draw samples that lie nearest "
        f"to their own {noun}."
    )
    others = [f"{found.rows[c]} lies nearer to {found.columns[nearest[c]]}" for c in wrong[:6]]
    return f"{words} {'; '.join(others)}." if others else words


def distances_csv(found: Distances) -> str:
    """The heat map as CSV: a line a cluster."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["cluster", "name", *found.columns])
    for c in in_order(found):
        values = ["" if np.isnan(v) else f"{v:.4f}" for v in found.table[c]]
        writer.writerow([f"c{c}", found.rows[c], *values])
    return file.getvalue()
