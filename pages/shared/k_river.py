"""The river from classes to the clusters of several K: same samples, finer and finer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pages.shared.k_runs import KRun
from pages.shared.k_words import cluster_names
from pages.shared.session import percent
from vade_core.colours import colour_of, text_on
from vade_core.metrics import matching

__all__ = ["cluster_colours", "colours_beside", "k_river_spec"]

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Column:
    """Where each point is, and how each place looks, from the top to the bottom."""

    kind: str
    title: str
    note: str
    codes: Codes
    order: list[int]
    names: list[str]
    spoken: list[str]
    colours: list[int]


def cluster_colours(shown: KRun) -> list[int]:
    """The class whose colour each cluster wears: the commonest one in it, so that parts of one
    class look alike. Without labels each cluster has a colour of its own."""
    table = shown.counted.table
    if table is None:
        return list(range(shown.k))
    return [int(column.argmax()) if column.any() else -1 for column in table.T]


def colours_beside(runs: Sequence[KRun]) -> list[list[int]]:
    """`cluster_colours` of runs side by side, each cluster coloured as where its points go next.

    Parameters
    ----------
    runs : sequence of KRun
        On the same points, in rising order of K.
    """
    if not runs or runs[-1].counted.table is not None:
        return [cluster_colours(shown) for shown in runs]
    found = [cluster_colours(runs[-1])]
    for shown, finer in itertools.pairwise(reversed(runs)):
        # One to one, so that no two clusters of a column wear one colour.
        goes = matching(shown.clusters, finer.clusters, finer.k)
        goes = np.pad(goes, (0, max(0, shown.k - finer.k)), constant_values=-1)
        colours, free = [], itertools.count(max(found[-1]) + 1)
        for cluster in range(finer.k):
            to = int(goes[cluster]) if cluster < len(goes) else -1
            colours.append(found[-1][to] if to >= 0 else next(free))
        found.append(colours)
    return found[::-1]


def k_river_spec(runs: Sequence[KRun]) -> dict[str, Any]:
    """What `pages.shared.river.draw_river` draws: classes first, then a column a run.

    Parameters
    ----------
    runs : sequence of KRun
        On the same points, in rising order of K.

    Returns
    -------
    dict
        As ``pages.shared.river.river_spec`` gives it.
    """
    columns = []
    first = runs[0]
    labels = first.stage.labels
    if labels is not None:
        names = first.names
        known = np.unique(labels).tolist()
        columns.append(
            _Column(
                *("label", "Labels", "what people say", labels.astype(np.int64), known),
                names,
                [f"label {name}" for name in names],
                list(range(len(names))),
            )
        )
    for shown, colours in zip(runs, colours_beside(runs), strict=True):
        used = np.unique(shown.clusters).tolist()
        accuracy = shown.scores.get("acc")
        names = cluster_names(shown.counted, shown.names)
        columns.append(
            _Column(
                *("cluster", f"K = {shown.k}"),
                "" if accuracy is None else f"ACC {percent(accuracy)}",
                shown.clusters,
                sorted(used, key=lambda c: (colours[c], names[c] == f"c{c}", c)),
                names,
                [f"cluster {name} of K = {shown.k}" for name in names],
                colours,
            )
        )
    drawn = [_draw(column, labels, first.names) for column in columns]
    titles = ", ".join(column.title for column in columns)
    return {
        "columns": drawn,
        "flows": [_flows(a, b) for a, b in itertools.pairwise(columns)],
        "height": max(520, 60 + 36 * max((len(c["nodes"]) for c in drawn), default=0)),
        "label": f"Which samples are in which cluster: {titles}.",
    }


def _draw(column: _Column, labels: Codes | None, names: Sequence[str]) -> dict[str, Any]:
    nodes = []
    for code in column.order:
        inside = column.codes == code
        words = [f"{column.spoken[code][0].upper()}{column.spoken[code][1:]}: {inside.sum():,}"]
        if column.kind == "cluster" and labels is not None:
            kinds, many = np.unique(labels[inside], return_counts=True)
            order = np.argsort(-many, kind="stable")[:3]
            holds = ", ".join(f"{many[o]} × {names[kinds[o]]}" for o in order)
            words.append(f"Labels: {holds}{', …' if len(kinds) > 3 else ''}")
        colour = colour_of(column.colours[code])
        nodes.append(
            {
                "code": code,
                "name": column.names[code],
                "colour": colour,
                "ink": text_on(colour),
                "count": int(inside.sum()),
                "words": "\n".join(words),
            }
        )
    return {"kind": column.kind, "title": column.title, "note": column.note, "nodes": nodes}


def _flows(a: _Column, b: _Column) -> list[dict[str, Any]]:
    left = {code: i for i, code in enumerate(a.order)}
    right = {code: i for i, code in enumerate(b.order)}
    pairs, many = np.unique(np.stack([a.codes, b.codes]), axis=1, return_counts=True)
    found = []
    for (before, after), count in zip(pairs.T.tolist(), many.tolist(), strict=True):
        of = percent(count / int((a.codes == before).sum()))
        source = a.spoken[before]
        words = f"{count:,} points\nfrom {source} to {b.spoken[after]}: {of} of {source}"
        pair = {"from": left[before], "to": right[after]}
        found.append({**pair, "count": count, "words": words})
    return found
