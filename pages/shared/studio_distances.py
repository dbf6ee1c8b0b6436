"""Czerwonski's heat map: how far what each cluster draws is from real samples, group by group.

The groups are the classes; without labels they are the samples that each cluster holds.
"""

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
from pages.shared.studio_facts import StudioFacts
from vade_core.data import DataError
from vade_core.generation import distances_to_classes, samples_by_cluster
from vade_core.runs import CHECKPOINT, CONFIG, STAGE, Run

__all__ = [
    "GENERATED",
    "Distances",
    "distances_csv",
    "distances_figure",
    "distances_of",
    "read_samples",
    "sentence_about",
]

GENERATED, NEAREST = 10, 10


@dataclass(frozen=True, eq=False)
class Distances:
    """Mean distances of generated samples to the nearest real ones of each group.

    Attributes
    ----------
    table : ndarray, shape (K, C)
    rows : list of str
        The clusters' names.
    own : list of int
        The group that each cluster should be near to; -1 where it has none.
    columns : list of str
        Names of the groups.
    noun : str
        What a group is called: digit, class or cluster.
    n_real : int
        How many real samples were compared with.
    more : bool
        Whether there are more in the data set, which `read_samples` reads.
    """

    table: NDArray[np.float64]
    rows: list[str]
    own: list[int]
    columns: list[str]
    noun: str
    n_real: int
    more: bool = False


def distances_of(run: Run, facts: StudioFacts) -> Distances | None:
    """The heat map's numbers; None where there is nothing to ask for or to be near to.

    Pictures are compared with all samples of the maps, others with those that the run keeps, or
    with all once `read_samples` has read them.
    """
    stage, frame = facts.stage, facts.frame
    if not facts.own or stage is None:
        return None
    rows = [look.name for look in facts.looks]
    if stage.labels is not None:
        groups, noun, names = stage.labels, facts.noun, facts.class_names
        matched = {name: c for c, name in enumerate(names)}
        own = [matched.get(name, -1) for name in rows]
    elif frame is not None and frame.clusters is not None:
        groups, names, noun, own = frame.clusters, rows, "cluster", list(range(len(rows)))
    else:
        return None
    places = np.arange(len(stage.rows))
    if stage.pictures is not None:
        real: NDArray[Any] = stage.pictures.reshape(len(places), -1) / 255.0
    elif (read := _read().get(_key(run))) is not None:
        real = read
    else:
        places, real = stage.shown, stage.samples
    if not len(places):
        return None
    told = (run.frame_path(frame.number),) if frame is not None and noun == "cluster" else ()
    stamp = stamp_of(run.path / CHECKPOINT, run.path / CONFIG, run.path / STAGE, *told)
    table = _table(str(run.path), stamp, len(places), len(names), real, groups[places])
    return Distances(table, rows, own, names, noun, len(places), len(places) < len(stage.rows))


@st.cache_data(show_spinner=False, max_entries=32)
def _table(
    path: str,
    stamp: Stamp,
    n_real: int,
    n_groups: int,
    _real: NDArray[Any],
    _groups: NDArray[np.int64],
) -> NDArray[np.float64]:
    generated = samples_by_cluster(cached_model(Run(path)), GENERATED)
    return distances_to_classes(generated, _real, _groups, n_groups, NEAREST)


@st.cache_resource(show_spinner=False)
def _read() -> dict[tuple[str, Stamp], NDArray[np.float32]]:
    return {}


def _key(run: Run) -> tuple[str, Stamp]:
    return str(run.path), stamp_of(run.path / CONFIG, run.path / STAGE)


def read_samples(run: Run, facts: StudioFacts) -> None:
    """Read the samples of the maps from the run's data set, for `distances_of`.

    Raises
    ------
    DataError
        If the data set is gone or is not what it was.
    """
    from vade_core.rebuild import load_dataset  # brings torch along

    assert facts.stage is not None
    rows, labels = facts.stage.rows, facts.stage.labels
    dataset = load_dataset(run.config)
    if len(rows) and rows.max() >= dataset.n_samples:
        raise DataError(f"{run.config.dataset} has fewer samples than this run was made with.")
    if labels is not None and (
        dataset.labels is None or not np.array_equal(dataset.labels[rows], labels)
    ):
        raise DataError(f"{run.config.dataset} is not the data that this run was made with.")
    known = _read()
    if len(known) >= 4:  # 2,000 samples each, however wide they are
        known.pop(next(iter(known)))
    known[_key(run)] = dataset.as_float(rows)


def in_order(found: Distances) -> list[int]:
    """Clusters by the group that they belong to, those of none last."""
    last = len(found.columns)
    return sorted(range(len(found.rows)), key=lambda c: (found.own[c] % (last + 1), c))


def distances_figure(found: Distances) -> go.Figure:
    """The heat map: dark is near."""
    order = in_order(found)
    table = found.table[order]
    rows = [found.rows[c] for c in order]
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
            showscale=False,  # every cell says its number; on a telephone they need the room
            customdata=[[[row, column] for column in found.columns] for row in rows],
            hovertemplate="cluster %{customdata[0]}, real ones of %{customdata[1]}: %{z:.2f}"
            "<extra></extra>",
        )
    )
    # Positions, not names: two classes may go by one name.
    figure.update_xaxes(
        tickvals=list(range(len(found.columns))),
        ticktext=found.columns,
        title={"text": f"Real samples, by {found.noun}", "font": {"size": 17}},
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
        # Above there is room for the tools, which a touch screen always shows.
        height=172 + 40 * max(6, len(rows)),
        margin={"l": 20, "r": 20, "t": 92, "b": 20},
    )
    return figure


def sentence_about(found: Distances) -> str:
    """Whether the clusters lie nearest to their own group, in words."""
    known = [c for c, own in enumerate(found.own) if own >= 0 and not np.isnan(found.table[c, own])]
    if not known:
        return "No cluster is matched with a class."
    nearest = {c: int(np.nanargmin(found.table[c])) for c in known}
    wrong = [c for c in known if nearest[c] != found.own[c]]
    if len(known) == 1:
        return f"Only {found.rows[known[0]]} can be looked at: no other cluster holds samples."
    others = [f"{found.rows[c]} lies nearer to {found.columns[nearest[c]]}" for c in wrong[:6]]
    right = f"{len(known) - len(wrong)} of {len(known)}"
    if found.noun == "cluster":
        words = f"{right} clusters draw samples that lie nearest to the real ones they hold."
    else:
        words = f"{right} matched clusters draw samples that lie nearest to their own {found.noun}."
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
